//! Checks of what a spec says of the start of nodes: readiness, users, files and further programs.

use crate::failure::Failure;
use crate::spec::Experiment;
use crate::spec::life::{NodeText, Ready};
use crate::spec::sections::Cluster;
use crate::systems::{foreign, logs};
use nemesis::{Mode, User};
use std::path::{Component, Path};

/// Everything about the start of the nodes of a system that is not the bench's own.
pub(super) fn check(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    if let Some(ready) = &cluster.ready {
        let complain =
            |(key, what): (&str, String)| experiment.complaint(&format!("cluster.ready{key}"), &what);
        readiness(ready, cluster).map_err(complain)?;
    }
    if let Some(user) = &cluster.user {
        let may = User::named(user).and_then(User::may_be_taken);
        may.map_err(|reason| {
            let what = format!("{reason}; remove it, or run the bench as root of the machine");
            experiment.complaint("cluster.user", &what)
        })?;
    }
    if let Some(key) = foreign::key_with_host(cluster) {
        let mode = experiment.mode()?;
        if mode == Mode::Hosts {
            let what = "there is no {host} of nodes on hosts; use {ip}";
            return Err(experiment.complaint(&format!("cluster.{key}"), what));
        }
        if mode != Mode::Lab {
            let what = format!(
                "there is no {{host}} with network = \"{mode}\", where all nodes are on this machine; only a lab gives each a \
                 host name of its own: use network = \"lab\", or {{ip}}"
            );
            return Err(experiment.complaint(&format!("cluster.{key}"), &what));
        }
    }
    files(experiment, cluster)?;
    processes(experiment, cluster)
}

/// The complaint names the key below `ready`, or none for the table itself.
fn readiness(ready: &Ready, cluster: &Cluster) -> Result<(), (&'static str, String)> {
    if *ready == Ready::default() {
        return Err(("", "say what shows that a node is ready: port, http, log or exec".to_owned()));
    }
    if let Some(port) = &ready.port
        && port != foreign::CLIENT
        && !cluster.ports.contains_key(port)
    {
        let names: Vec<_> =
            cluster.ports.keys().map(String::as_str).filter(|name| *name != "client").collect();
        let names = ["client"].into_iter().chain(names).collect::<Vec<_>>().join(", ");
        return Err((".port", format!("no port is named \"{port}\"; it could be {names}")));
    }
    if let Some(path) = &ready.http
        && (!path.starts_with('/') || path.contains(char::is_whitespace))
    {
        return Err((".http", format!("\"{path}\" is no path; it begins with /, for example \"/health\"")));
    }
    if let Some(log) = &ready.log {
        logs::compile(log).map_err(|what| (".log", what))?;
    }
    if let Some(command) = ready.exec.first() {
        foreign::find(Path::new(command), "--set cluster.ready.exec.1=").map_err(|what| (".exec", what))?;
    }
    Ok(())
}

fn files(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    for (number, file) in (1..).zip(&cluster.files) {
        let complain =
            |key: &str, what: &str| Err(experiment.complaint(&format!("cluster.file.{number}.{key}"), what));
        let plain = file.path.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || file.path.as_os_str().is_empty() {
            let what = "it should be a path in the folder of the data, such as \"server.conf\", which is {data}/server.conf";
            return complain("path", what);
        }
        named_nodes(experiment, cluster, &format!("cluster.file.{number}.nodes"), &file.nodes)?;
        let meets = |other: &NodeText| {
            let same = other.nodes.is_empty() || file.nodes.is_empty();
            other.path == file.path && (same || other.nodes.iter().any(|node| file.nodes.contains(node)))
        };
        if cluster.files[..number - 1].iter().any(meets) {
            return complain(
                "path",
                "a node would have two files of this path; give one of them other nodes",
            );
        }
    }
    Ok(())
}

fn processes(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    for (number, process) in (1..).zip(&cluster.processes) {
        let path = |key: &str| format!("cluster.process.{number}.{key}");
        let complain = |key: &str, what: &str| Err(experiment.complaint(&path(key), what));
        let name = &process.name;
        let fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(fit) {
            return complain("name", "it becomes the name of a file: use letters, digits, - and _");
        }
        if ["output", "ready"].contains(&name.as_str()) {
            return complain("name", "the file of this name is for something else; use another one");
        }
        if cluster.processes[..number - 1].iter().any(|other| other.name == *name) {
            return complain("name", "two programs of a node have this name; give each one of its own");
        }
        named_nodes(experiment, cluster, &path("nodes"), &process.nodes)?;
        foreign::further_program(cluster, number, process)
            .map_err(|reason| experiment.complaint(&path("program"), &reason))?;
        if let Err(reason) = nemesis::nodes_are_guarded() {
            let what = format!("several programs of a node cannot be kept together here: {reason}");
            return complain("name", &what);
        }
    }
    Ok(())
}

/// Refuses names that no node has.
fn named_nodes(
    experiment: &Experiment,
    cluster: &Cluster,
    key: &str,
    names: &[String],
) -> Result<(), Failure> {
    let nodes = cluster.planned_nodes();
    match names.iter().find(|name| nodes.iter().all(|node| node.name != **name)) {
        None => Ok(()),
        Some(name) => {
            let all = nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
            Err(experiment.complaint(key, &format!("there is no node \"{name}\"; there are {all}")))
        }
    }
}
