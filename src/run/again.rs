//! The command that repeats a run, for a shell in the folder of its results.

use crate::spec::Loaded;
use std::fs;
use std::path::Path;

/// The command for a run: the same spec, seed, variants and rounds.
pub(crate) fn of_run(loaded: &Loaded, only: &[String], rounds: u32, seed: u64) -> String {
    let rounds = if rounds > 1 { format!(" --rounds {rounds}") } else { String::new() };
    command("run", &format!("{rounds} --seed {seed}{}", of_variants(only)), &[loaded])
}

/// The option `--only` with these variants, unless they are all.
pub(crate) fn of_variants(only: &[String]) -> String {
    if only.is_empty() { String::new() } else { format!(" --only {}", quoted(&only.join(","))) }
}

/// `bench VERB spec.toml OPTIONS`.
///
/// A relative path of a program or argument refers to the bench's working directory. The command changes to it
/// first.
pub(crate) fn command(verb: &str, options: &str, loaded: &[&Loaded]) -> String {
    let bench = own_name();
    let relative = loaded.iter().flat_map(|one| &one.experiments).any(|one| {
        let cluster = &one.spec.cluster;
        let path = cluster.program.as_deref();
        !cluster.system.is_own()
            && (path.is_some_and(is_relative) || cluster.args.iter().any(|arg| !arg.starts_with('/')))
    });
    match std::env::current_dir() {
        Ok(here) if relative => {
            let here = quoted(&here.display().to_string());
            format!("spec=\"$PWD/spec.toml\"; (cd {here} && {bench} {verb} \"$spec\"{options})")
        }
        Ok(_) | Err(_) => format!("{bench} {verb} spec.toml{options}"),
    }
}

/// Whether a program is given by a relative path and not found in PATH.
fn is_relative(program: &Path) -> bool {
    program.is_relative() && program.components().count() > 1
}

/// The command name of this program if PATH finds it, otherwise its path.
fn own_name() -> String {
    let Ok(own) = std::env::current_exe().and_then(fs::canonicalize) else { return "bench".to_owned() };
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&folders).map(|folder| folder.join("bench")).find(|path| path.is_file());
    if found.and_then(|path| fs::canonicalize(path).ok()).as_ref() == Some(&own) {
        "bench".to_owned()
    } else {
        quoted(&own.display().to_string())
    }
}

/// A word quoted for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+,=:@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::{of_run, quoted};
    use crate::spec::{Document, Wishes, load};

    fn again(cluster: &str, only: &[String]) -> String {
        let text = format!("name = \"t\"\n[cluster]\n{cluster}\n[load]\nrate = 5\n");
        let loaded = load(Document { name: "t.toml".to_owned(), text }, &Wishes::default()).unwrap();
        of_run(&loaded, only, 5, 7)
    }

    #[test]
    fn a_run_is_done_again_beside_its_spec() {
        let command = again("network = \"proxy\"", &["none".to_owned(), "b c".to_owned()]);
        assert!(command.ends_with(" run spec.toml --rounds 5 --seed 7 --only 'none,b c'"), "{command}");
    }

    #[test]
    fn relative_programs_are_run_where_they_are() {
        let own = |args: &str| {
            format!("network = \"proxy\"\nsystem = \"command\"\nprogram = \"sh\"\nargs = {args}")
        };
        let command = again(&own("[\"store.sh\"]"), &[]);
        let here = quoted(&std::env::current_dir().unwrap().display().to_string());
        assert!(command.starts_with(&format!("spec=\"$PWD/spec.toml\"; (cd {here} && ")), "{command}");
        assert!(command.ends_with(" run \"$spec\" --rounds 5 --seed 7)"), "{command}");
        assert!(again(&own("[\"/bin/store.sh\"]"), &[]).contains(" run spec.toml "), "no path is relative");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a-b/c"), "a-b/c");
        assert_eq!(quoted("it's {name}"), "'it'\\''s {name}'");
    }
}
