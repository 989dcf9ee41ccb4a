//! The command that repeats a run, ready to be typed in the folder of its results.

use crate::spec::Loaded;
use std::fs;
use std::path::Path;

/// The command for a run: the same spec, seed, variants and rounds.
pub(crate) fn of_run(loaded: &Loaded, only: &[String], rounds: u32, seed: u64) -> String {
    let rounds = if rounds > 1 { format!(" --rounds {rounds}") } else { String::new() };
    command("run", &format!("{rounds} --seed {seed}{}", of_variants(only)), &[loaded])
}

/// `--only` with these variants, if they are not all.
pub(crate) fn of_variants(only: &[String]) -> String {
    if only.is_empty() { String::new() } else { format!(" --only {}", quoted(&only.join(","))) }
}

/// `bench VERB spec.toml OPTIONS`. Where the program of a node or an argument of it may be relative to the folder that
/// the bench was started in, the command goes there first.
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

/// Whether a program is named by a path from here, and not found in PATH.
fn is_relative(program: &Path) -> bool {
    program.is_relative() && program.components().count() > 1
}

/// How this program is called: by its name where that is found in PATH, else by its path.
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

/// A word as a shell takes it.
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
        let said = again("network = \"proxy\"", &["none".to_owned(), "b c".to_owned()]);
        assert!(said.ends_with(" run spec.toml --rounds 5 --seed 7 --only 'none,b c'"), "{said}");
    }

    #[test]
    fn relative_programs_are_run_where_they_are() {
        let own = |args: &str| {
            format!("network = \"proxy\"\nsystem = \"command\"\nprogram = \"sh\"\nargs = {args}")
        };
        let said = again(&own("[\"store.sh\"]"), &[]);
        let here = quoted(&std::env::current_dir().unwrap().display().to_string());
        assert!(said.starts_with(&format!("spec=\"$PWD/spec.toml\"; (cd {here} && ")), "{said}");
        assert!(said.ends_with(" run \"$spec\" --rounds 5 --seed 7)"), "{said}");
        assert!(again(&own("[\"/bin/store.sh\"]"), &[]).contains(" run spec.toml "), "nothing is relative");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a-b/c"), "a-b/c");
        assert_eq!(quoted("it's {name}"), "'it'\\''s {name}'");
    }
}
