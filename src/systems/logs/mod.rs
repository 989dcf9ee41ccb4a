//! The logs of the nodes: their files, and the patterns searched in them.
//!
//! The bench reads a log in chunks while it grows, so that neither its size nor the length of a line costs
//! memory. It reads a truncated or replaced file again from its beginning.

mod file;
mod lines;
mod search;

pub(crate) use file::{Change, LogFile, copy_tail};
pub(crate) use lines::{Lines, Piece};
pub(crate) use search::{Match, Search, compile};

use super::{foreign, words};
use crate::spec::life;
use crate::spec::sections::Cluster;
use std::path::{Path, PathBuf};

/// The allowed words in the path of a log file.
const WORDS: [&str; 3] = ["data", "name", "number"];

/// One log of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    /// The node.
    pub(crate) node: String,
    /// Its path.
    pub(crate) path: PathBuf,
    /// Its name for people: relative to the node's folder in the results if it is inside.
    pub(crate) shown: String,
    /// The index in `cluster.logs` and the path of its copy; none for the output of the node's programs.
    pub(crate) extra: Option<(usize, PathBuf)>,
}

/// Every log of every node of a cluster in this folder.
pub(crate) fn of(cluster: &Cluster, folder: &Path) -> Vec<Log> {
    let mut logs = Vec::new();
    for (number, node) in (1..).zip(cluster.planned_nodes()) {
        let own = folder.join("nodes").join(&node.name);
        let log = |path: PathBuf, extra| {
            let shown = path.strip_prefix(&own).unwrap_or(&path).display().to_string();
            Log { node: node.name.clone(), path, shown, extra }
        };
        logs.push(log(own.join("output.log"), None));
        let further = cluster.processes.iter().filter(|process| life::is_of(&process.nodes, &node.name));
        logs.extend(further.map(|process| log(own.join(foreign::log_name(process)), None)));
        for (index, template) in cluster.logs.iter().enumerate() {
            let path = fill(template, &node.name, number, &own.join("data"));
            // A relative path is relative to the bench's working directory, like the program's.
            let path = std::path::absolute(&path).unwrap_or(path);
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_first = !cluster.logs[..index].iter().any(|other| file_name(other) == file_name(template));
            let copy = if is_first { name } else { format!("{}-{name}", index + 1) };
            logs.push(log(path, Some((index, own.join("logs").join(copy)))));
        }
    }
    logs
}

/// Why an entry of `cluster.logs` is refused, with the remedy.
pub(crate) fn refusal(cluster: &Cluster, template: &str) -> Option<String> {
    if template.is_empty() {
        return Some("the path is empty; name a file, for example \"{data}/server.log\"".to_owned());
    }
    let words = WORDS.map(|word| format!("{{{word}}}")).join(", ");
    if let Some(word) = words::unknown_in(template, |word| WORDS.contains(&word)) {
        return Some(format!("there is no {{{word}}}; it could be {words}"));
    }
    let shared = words::unknown_in(template, |_| false).is_none() && cluster.planned_nodes().len() > 1;
    shared.then(|| format!("all nodes would have the same file; name one for each, with {words}"))
}

fn file_name(template: &str) -> &str {
    template.rsplit('/').next().unwrap_or(template)
}

fn fill(template: &str, name: &str, number: u32, data: &Path) -> PathBuf {
    let filled = words::fill(template, |word| match word {
        "name" => name.to_owned(),
        "number" => number.to_string(),
        _ => data.display().to_string(),
    });
    filled.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(toml: &str) -> Cluster {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn each_node_has_its_own_output_and_files() {
        let cluster = cluster("nodes = 2\nlogs = [\"{data}/a.log\", \"/var/{name}-{number}/a.log\"]");
        let logs = of(&cluster, Path::new("/run"));
        let paths: Vec<_> = logs.iter().map(|log| log.path.to_str().unwrap()).collect();
        assert_eq!(paths[..3], ["/run/nodes/n1/output.log", "/run/nodes/n1/data/a.log", "/var/n1-1/a.log"]);
        assert_eq!(paths[3..], ["/run/nodes/n2/output.log", "/run/nodes/n2/data/a.log", "/var/n2-2/a.log"]);
        let shown: Vec<_> = logs[..3].iter().map(|log| log.shown.as_str()).collect();
        assert_eq!(shown, ["output.log", "data/a.log", "/var/n1-1/a.log"]);
        let copies: Vec<_> = logs.iter().filter_map(|log| log.extra.clone()).map(|(_, copy)| copy).collect();
        assert_eq!(
            copies[..2],
            ["/run/nodes/n1/logs/a.log", "/run/nodes/n1/logs/2-a.log"].map(PathBuf::from)
        );
    }

    #[test]
    fn further_programs_have_logs_of_their_own() {
        let cluster = cluster("nodes = 2\n[[process]]\nname = \"side\"\nprogram = \"x\"\nnodes = [\"n2\"]");
        let logs = of(&cluster, Path::new("/run"));
        let shown: Vec<_> = logs.iter().map(|log| (log.node.as_str(), log.shown.as_str())).collect();
        assert_eq!(shown, [("n1", "output.log"), ("n2", "output.log"), ("n2", "side.log")]);
    }

    #[test]
    fn shared_file_and_unknown_word_are_refused() {
        let three = cluster("nodes = 3");
        assert!(refusal(&three, "/var/log/x.log").unwrap().contains("the same file"));
        assert!(refusal(&three, "{dat}/x.log").unwrap().contains("there is no {dat}"));
        assert!(refusal(&three, "").unwrap().contains("empty"));
        assert_eq!(refusal(&three, "{data}/x.log"), None);
        assert_eq!(refusal(&cluster("nodes = 1"), "/var/log/x.log"), None);
    }
}
