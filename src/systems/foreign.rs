//! Systems other than the bench's own: finds the program of a node, and builds its command line.

use super::cluster::output_path;
use super::words::{self, Member, Words};
use crate::failure::Failure;
use crate::spec::sections::{Cluster, PlannedNode};
use nemesis::{ProcessClock, ProcessCommand, Testbed};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use workloads::{ClientSpec, INHERITED, inherited};

/// The word for the port that clients come to.
pub(crate) const CLIENT: &str = "client";

/// The program of a foreign system: as the spec has it, or found by its name in PATH.
///
/// # Errors
/// When there is none, with what to do about it.
pub(crate) fn program(cluster: &Cluster) -> Result<PathBuf, String> {
    let Some(named) = &cluster.program else {
        return Err("the program is missing; say which, for example program = \"./my-store\"".to_owned());
    };
    if named.as_os_str().is_empty() {
        return Err("the program is empty; say which, for example program = \"./my-store\"".to_owned());
    }
    find(named, "--set cluster.program=")
}

/// A program by its path, or by its name in PATH. `set` is what gives it another path.
///
/// # Errors
/// When there is none, with what to do about it.
pub(crate) fn find(named: &Path, set: &str) -> Result<PathBuf, String> {
    let fit = |path: &Path| {
        fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    if named.components().count() > 1 {
        let absolute = std::path::absolute(named).unwrap_or_else(|_| named.to_owned());
        return if fit(&absolute) {
            Ok(absolute)
        } else {
            Err(format!("there is no program {}; give the path of one", named.display()))
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(named)).find(|path| fit(path));
    found.ok_or_else(|| {
        format!(
            "there is no `{0}` in PATH; install it, or say where it is: {set}/path/to/{0}",
            named.display()
        )
    })
}

/// The version that a system says it has: the first number with a point in it that its command prints.
pub(crate) fn version(cluster: &Cluster) -> Option<String> {
    let (program, args) = cluster.version.split_first()?;
    let program = match &cluster.program {
        // The program may stand elsewhere than in PATH.
        Some(own) if own.ends_with(program) => own.clone(),
        Some(_) | None => PathBuf::from(program),
    };
    // It is asked outside of every cluster, where the words of a node stand for nothing.
    let of_caller = |text: &str| words::unknown_in(text, |word| words::variable(word).is_some()).is_none();
    let env = cluster.env.iter().filter(|(_, text)| of_caller(text));
    let env = env.map(|(name, text)| (name, words::fill(text, words::variable_of_caller)));
    let env = env.filter(|(_, text)| !text.is_empty());
    let output = Command::new(program).args(args).envs(env).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let is_version = |word: &&str| {
        let mut parts = word.split('.');
        let number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        parts.next().is_some_and(number) && parts.next().is_some_and(number)
    };
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-');
    words.map(|word| word.trim_start_matches('v')).find(is_version).map(str::to_owned)
}

/// A word in braces that cannot be filled, with the key of `[cluster]` that has it.
pub(crate) fn unknown_word(cluster: &Cluster) -> Option<(&'static str, String)> {
    let lists = [("args", &cluster.args), ("more-args", &cluster.more_args), ("setup", &cluster.setup)];
    let texts = lists.into_iter().flat_map(|(key, list)| list.iter().map(move |text| (key, text)));
    let env = cluster.env.values().map(|text| ("env", text));
    let mut all = texts.chain(env).chain([("prepare", &cluster.prepare)]);
    all.find_map(|(key, text)| words::unknown(text, &cluster.ports).map(|word| (key, format!("{{{word}}}"))))
}

/// The further ports of a node, by their words, in the order in which the testbed has them.
pub(crate) fn further_ports(cluster: &Cluster) -> impl Iterator<Item = (&String, u16)> {
    cluster.ports.iter().filter(|(word, _)| *word != CLIENT).map(|(word, port)| (word, *port))
}

/// The words of a node.
pub(crate) fn words(cluster: &Cluster, testbed: &Testbed, name: &str, folder: &Path) -> Words {
    let member = |(index, to): (usize, &PlannedNode)| Member {
        name: to.name.clone(),
        number: index + 1,
        address: testbed.peer_address(name, &to.name),
        ports: further_ports(cluster)
            .enumerate()
            .map(|(index, (word, _))| (word.clone(), testbed.further_address(name, &to.name, index)))
            .collect(),
    };
    let members: Vec<Member> = cluster.planned_nodes().iter().enumerate().map(member).collect();
    let own = members.iter().find(|member| member.name == name).expect("a node is one of its cluster");
    Words { own: own.clone(), data: data(folder, name).display().to_string(), members }
}

fn data(folder: &Path, node: &str) -> PathBuf {
    folder.join("nodes").join(node).join("data")
}

/// How to start a node of a foreign system.
///
/// # Errors
/// When there is no program, or the node's folder cannot be made.
pub(super) fn command(
    cluster: &Cluster,
    testbed: &Testbed,
    node: &PlannedNode,
    folder: &Path,
) -> Result<ProcessCommand, Failure> {
    let program = program(cluster).map_err(|reason| Failure::usage("cluster.program", reason))?;
    let data = data(folder, &node.name);
    fs::create_dir_all(&data).map_err(|error| Failure::io(&data, &error))?;
    // Some programs refuse a data folder that other users may read.
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700))
        .map_err(|error| Failure::io(&data, &error))?;
    let words = words(cluster, testbed, &node.name, folder);
    let (program, args) = prepared(cluster, &words, program);
    Ok(ProcessCommand {
        program,
        args,
        inherit: Some(INHERITED.map(Into::into).to_vec()),
        env: environment(cluster, &words)
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        output: output_path(folder, &node.name),
        data: Some(data),
        clock: Some(ProcessClock::Foreign(folder.join("nodes").join(&node.name).join("clock"))),
    })
}

/// A client whose program has its variables, but for the empty ones.
pub(crate) fn client(described: &ClientSpec) -> ClientSpec {
    let env =
        described.env.iter().map(|(name, text)| (name.clone(), words::fill(text, words::variable_of_caller)));
    ClientSpec { env: env.filter(|(_, text)| !text.is_empty()).collect(), ..described.clone() }
}

/// The variables that a spec sets, but for the empty ones.
fn environment(cluster: &Cluster, words: &Words) -> Vec<(String, String)> {
    let env = cluster.env.iter().map(|(name, text)| (name.clone(), words.fill(text)));
    env.filter(|(_, value)| !value.is_empty()).collect()
}

/// All variables of a program: those of the caller that it gets, and those that a spec sets.
pub(super) fn whole_environment(cluster: &Cluster, words: &Words) -> Vec<(OsString, OsString)> {
    let own = environment(cluster, words).into_iter().map(|(name, text)| (name.into(), text.into()));
    inherited().chain(own).collect()
}

/// The program with its arguments; where something is to be prepared, behind a shell that does so if the data are empty. What
/// was prepared is synced: that a power loss takes it away again would be no fault of the system.
fn prepared(cluster: &Cluster, words: &Words, program: PathBuf) -> (PathBuf, Vec<OsString>) {
    let args = cluster.args.iter().chain(&cluster.more_args).map(|arg| words.fill(arg).into());
    if cluster.prepare.is_empty() {
        return (program, args.collect());
    }
    let script = format!(
        "if [ -z \"$(ls -A \"$1\")\" ]; then\n{{ {}\n}} || exit 1\nfind \"$1\" -exec sync {{}} +\nfi\nshift; exec \"$@\"",
        words.fill(&cluster.prepare)
    );
    let before = ["-c".into(), script.into(), "prepare".into(), words.data.clone().into(), program.into()];
    ("/bin/sh".into(), before.into_iter().chain(args).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_asked_with_the_variables_of_the_program() {
        let cluster: Cluster = toml::from_str(
            "version = [\"sh\", \"-c\", \"echo store $OF_ALL$OF_NODE\"]\nenv = { OF_ALL = \"1.2.3\", OF_NODE = \".{number}\" }",
        )
        .unwrap();
        assert_eq!(version(&cluster).as_deref(), Some("1.2.3"));
    }

    #[test]
    fn missing_program_and_unknown_word_are_named() {
        let cluster = |toml: &str| toml::from_str::<Cluster>(toml).unwrap();
        let missing = program(&cluster("system = \"command\"")).unwrap_err();
        assert!(missing.contains("program ="), "{missing}");
        let missing = program(&cluster("system = \"command\"\nprogram = \"./no/such\"")).unwrap_err();
        assert!(missing.contains("./no/such"), "{missing}");
        let found = program(&cluster("system = \"command\"\nprogram = \"sh\"")).unwrap();
        assert!(found.is_absolute(), "{found:?}");
        let args = cluster("args = [\"--id={name}\", \"--peers={peers}\"]");
        assert_eq!(unknown_word(&args), Some(("args", "{peers}".to_owned())));
        let env = cluster("ports = { peer = 1 }\nenv = { A = \"{peer}\", B = \"{pear}\" }");
        assert_eq!(unknown_word(&env), Some(("env", "{pear}".to_owned())));
    }
}
