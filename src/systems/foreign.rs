//! Other systems than the own store: finds the program of a node, and builds its command line.

use super::cluster::output_path;
use super::words::{self, Member, Words};
use crate::failure::Failure;
use crate::spec::life::{self, FurtherProgram, NodeText};
use crate::spec::sections::{Cluster, PlannedNode};
use nemesis::{Beside, Mode, NodeFile, Prepare, ProcessClock, ProcessCommand, Testbed, User};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use workloads::{ClientSpec, INHERITED, inherited};

/// The word for the port for clients.
pub(crate) const CLIENT: &str = "client";

/// The program of a foreign system: from the spec, or found by its name in PATH.
///
/// # Errors
/// When there is none, with the remedy.
pub(crate) fn program(cluster: &Cluster) -> Result<PathBuf, String> {
    let Some(named) = &cluster.program else {
        return Err("the program is missing; set it, for example program = \"./my-store\"".to_owned());
    };
    if named.as_os_str().is_empty() {
        return Err("the program is empty; set it, for example program = \"./my-store\"".to_owned());
    }
    find(named, "--set cluster.program=").or_else(|reason| on_hosts(cluster, named).ok_or(reason))
}

/// A program that may be on the hosts of the nodes.
fn on_hosts(cluster: &Cluster, named: &Path) -> Option<PathBuf> {
    let there = named.is_absolute() || named.components().count() == 1;
    (!cluster.hosts.is_empty() && there).then(|| named.to_owned())
}

/// Finds a program by its path, or by its name in PATH. `set` is the option for another path.
///
/// # Errors
/// When there is none, with the remedy.
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
        format!("there is no `{0}` in PATH; install it, or give its path: {set}/path/to/{0}", named.display())
    })
}

/// The version of a system: the first number with a point in the output of its version command.
pub(crate) fn version(cluster: &Cluster) -> Option<String> {
    let (program, args) = cluster.version.split_first()?;
    let program = match &cluster.program {
        // The program may be outside PATH.
        Some(own) if own.ends_with(program) => own.clone(),
        Some(_) | None => PathBuf::from(program),
    };
    // The command runs outside of any cluster, where words of a node have no value.
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

/// A text with words, and its key in `[cluster]`. Texts of files are parsed differently.
#[derive(Debug)]
struct Worded<'a> {
    key: String,
    text: &'a str,
    is_file: bool,
}

/// All texts of a cluster with words of a node.
fn worded(cluster: &Cluster) -> Vec<Worded<'_>> {
    let mut all = Vec::new();
    let mut add = |key: String, text| all.push(Worded { key, text, is_file: false });
    let lists = [("args", &cluster.args), ("more-args", &cluster.more_args), ("setup", &cluster.setup)];
    for (key, list) in lists {
        for text in list {
            add(key.to_owned(), text);
        }
    }
    cluster.env.values().for_each(|text| add("env".to_owned(), text));
    add("prepare".to_owned(), &cluster.prepare);
    let ready = cluster.ready.iter().flat_map(|ready| &ready.exec);
    ready.for_each(|text| add("ready.exec".to_owned(), text));
    for (number, process) in (1..).zip(&cluster.processes) {
        process.args.iter().for_each(|text| add(format!("process.{number}.args"), text));
        process.env.values().for_each(|text| add(format!("process.{number}.env"), text));
    }
    for (number, file) in (1..).zip(&cluster.files) {
        all.push(Worded { key: format!("file.{number}.text"), text: &file.text, is_file: true });
    }
    all
}

/// An unknown word in braces, with its key in `[cluster]`.
pub(crate) fn unknown_word(cluster: &Cluster) -> Option<(String, String)> {
    worded(cluster).into_iter().find_map(|Worded { key, text, is_file }| {
        let unknown = if is_file { words::unknown_in_file } else { words::unknown };
        unknown(text, &cluster.ports).map(|word| (key, format!("{{{word}}}")))
    })
}

/// A variable of the caller that a text needs and that is not set, with the text's key in `[cluster]`.
pub(crate) fn unset_variable(cluster: &Cluster) -> Option<(String, String)> {
    worded(cluster).into_iter().find_map(|Worded { key, text, .. }| {
        let is_value = key == "env" || key.ends_with(".env");
        let unset = if is_value { words::unset_in_value } else { words::unset_variable };
        unset(text).map(|name| (key, name.to_owned()))
    })
}

/// The key of `[cluster]` whose text has the word for a host name, if any.
pub(crate) fn key_with_host(cluster: &Cluster) -> Option<String> {
    worded(cluster).into_iter().find(|one| words::has(one.text, words::HOST)).map(|one| one.key)
}

/// The further ports of a node, by their words, in the testbed's order.
pub(crate) fn further_ports(cluster: &Cluster) -> impl Iterator<Item = (&String, u16)> {
    cluster.ports.iter().filter(|(word, _)| *word != CLIENT).map(|(word, port)| (word, *port))
}

/// The words of a node.
///
/// `members` are the members in its list, itself included; the initial members if not given.
pub(crate) fn words(
    cluster: &Cluster,
    testbed: &Testbed,
    name: &str,
    folder: &Path,
    of: Option<&[String]>,
) -> Words {
    let member = |(index, to): (usize, &PlannedNode)| Member {
        name: to.name.clone(),
        number: index + 1,
        address: testbed.peer_address(name, &to.name),
        ports: further_ports(cluster)
            .enumerate()
            .map(|(index, (word, _))| (word.clone(), testbed.further_address(name, &to.name, index)))
            .collect(),
    };
    let planned = cluster.planned_nodes();
    let all: Vec<Member> = planned.iter().enumerate().map(member).collect();
    let own = all.iter().find(|member| member.name == name).expect("a node is one of its cluster").clone();
    let is_member = |(member, planned): &(Member, &PlannedNode)| match of {
        Some(of) => member.name == name || of.contains(&member.name),
        None => !planned.spare,
    };
    let members = all.into_iter().zip(&planned).filter(is_member).map(|(member, _)| member).collect();
    Words { own, data: data_of(testbed, folder, name).display().to_string(), members }
}

/// The data folder of a node, on its machine.
fn data_of(testbed: &Testbed, folder: &Path, node: &str) -> PathBuf {
    testbed.folder_of(node).map_or_else(|| data(folder, node), |there| there.join("data"))
}

fn data(folder: &Path, node: &str) -> PathBuf {
    folder.join("nodes").join(node).join("data")
}

/// The command that starts a node of a foreign system.
///
/// # Errors
/// When there is no program, or the node's folder cannot be created.
pub(super) fn command(
    cluster: &Cluster,
    testbed: &Testbed,
    node: &PlannedNode,
    folder: &Path,
    members: Option<&[String]>,
) -> Result<ProcessCommand, Failure> {
    let own = |reason| Failure::usage("cluster.program", reason);
    let program = program(cluster).map_err(own)?;
    let (data, there) = (data(folder, &node.name), data_of(testbed, folder, &node.name));
    fs::create_dir_all(&data).map_err(|error| Failure::io(&data, &error))?;
    // Some programs refuse a data folder that other users may read.
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700))
        .map_err(|error| Failure::io(&data, &error))?;
    let words = words(cluster, testbed, &node.name, folder, members);
    let prepare = Prepare { script: words.fill(&cluster.prepare), within: cluster.start_within() };
    Ok(ProcessCommand {
        program,
        args: cluster.args.iter().chain(&cluster.more_args).map(|arg| words.fill(arg).into()).collect(),
        inherit: Some(INHERITED.map(Into::into).to_vec()),
        env: environment(&cluster.env, &words),
        output: output_path(folder, &node.name),
        clock: testbed
            .folder_of(&node.name)
            .is_none()
            .then(|| ProcessClock::Foreign(folder.join("nodes").join(&node.name).join("clock"))),
        stop: cluster.stop_signal,
        user: user(cluster, &data)?,
        host: (testbed.mode() == Mode::Lab).then(|| node.name.clone()),
        files: files(cluster, &node.name, &words),
        prepare: Some(prepare).filter(|_| !cluster.prepare.is_empty()),
        beside: beside(cluster, &node.name, &words, folder)?,
        data: Some(there),
    })
}

/// Refuses a user who may not enter the folder of a run.
pub(crate) fn check_user(cluster: &Cluster, folder: &Path) -> Result<(), Failure> {
    user(cluster, &folder.join("nodes")).map(drop)
}

/// The user of a node, who must be able to enter its data folder.
fn user(cluster: &Cluster, data: &Path) -> Result<Option<User>, Failure> {
    let Some(name) = &cluster.user else { return Ok(None) };
    let refused = |reason| Failure::usage("cluster.user", reason);
    let user = User::named(name).map_err(refused)?;
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    match user.stopped_at(&data) {
        None => Ok(Some(user)),
        Some(closed) => {
            let reason =
                format!("{name} may not enter the folder {}, which contains the results", closed.display());
            Err(refused(reason)
                .help("write the results where every user has access, for example --out /tmp/results"))
        }
    }
}

/// The files that the bench writes for a node before it starts.
fn files(cluster: &Cluster, node: &str, words: &Words) -> Vec<NodeFile> {
    let own = cluster.files.iter().filter(|file| life::is_of(&file.nodes, node));
    let file = |file: &NodeText| NodeFile {
        path: file.path.clone(),
        text: words.fill_file(&file.text),
        keep: file.keep,
    };
    own.map(file).collect()
}

/// The helper programs of a node.
fn beside(cluster: &Cluster, node: &str, words: &Words, folder: &Path) -> Result<Vec<Beside>, Failure> {
    let own = (1..).zip(&cluster.processes).filter(|(_, process)| life::is_of(&process.nodes, node));
    let beside = |(number, process): (usize, &FurtherProgram)| {
        let program = further_program(cluster, number, process)
            .map_err(|reason| Failure::usage(format!("cluster.process.{number}.program"), reason))?;
        Ok(Beside {
            name: process.name.clone(),
            program,
            args: process.args.iter().map(|arg| words.fill(arg).into()).collect(),
            env: environment(&process.env, words),
            output: folder.join("nodes").join(node).join(log_name(process)),
        })
    };
    own.map(beside).collect()
}

/// The name of the file with a helper program's output.
pub(crate) fn log_name(process: &FurtherProgram) -> String {
    format!("{}.log", process.name)
}

/// The program of a helper, which count from 1.
///
/// # Errors
/// When there is none, with the remedy.
pub(crate) fn further_program(
    cluster: &Cluster,
    number: usize,
    process: &FurtherProgram,
) -> Result<PathBuf, String> {
    find(&process.program, &format!("--set cluster.process.{number}.program="))
        .or_else(|reason| on_hosts(cluster, &process.program).ok_or(reason))
}

/// A client whose program has its variables except empty ones.
pub(crate) fn client(described: &ClientSpec) -> ClientSpec {
    let env =
        described.env.iter().map(|(name, text)| (name.clone(), words::fill(text, words::variable_of_caller)));
    ClientSpec { env: env.filter(|(_, text)| !text.is_empty()).collect(), ..described.clone() }
}

/// The variables of a spec, except empty ones.
fn environment(env: &BTreeMap<String, String>, words: &Words) -> Vec<(OsString, OsString)> {
    let filled = env.iter().map(|(name, text)| (name, words.fill(text)));
    let set = filled.filter(|(_, value)| !value.is_empty());
    set.map(|(name, value)| (name.into(), value.into())).collect()
}

/// All variables of a program: the inherited ones, and those of the spec.
pub(super) fn whole_environment(cluster: &Cluster, words: &Words) -> Vec<(OsString, OsString)> {
    inherited().chain(environment(&cluster.env, words)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_command_gets_variables_of_program() {
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
        assert_eq!(unknown_word(&args), Some(("args".to_owned(), "{peers}".to_owned())));
        let env = cluster("ports = { peer = 1 }\nenv = { A = \"{peer}\", B = \"{pear}\" }");
        assert_eq!(unknown_word(&env), Some(("env".to_owned(), "{pear}".to_owned())));
    }
}
