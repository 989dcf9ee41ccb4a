//! How the nodes of a system come to life: when one is ready, its files, and its further programs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[cluster.ready]`: what shows that a node is ready. All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Ready {
    /// It listens at this port: client, or another name of `ports`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// It answers a GET of this path with a status below 400, for example "/health"; at the port for clients, or at `port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// A line of what it prints, or of a file of `cluster.logs`, matches this regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// This command succeeds; it is run again and again. Words are those of the node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<String>,
}

/// `[[cluster.file]]`: a file that each node finds in the folder of its data when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct NodeText {
    /// Its path in the folder of the data: "server.conf" is {data}/server.conf.
    pub path: PathBuf,
    /// What is in it, with the words of the node. Other braces stay as they are.
    pub text: String,
    /// Whether it is written only where it is missing, for a program that changes it. By default it is written anew
    /// before each start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// The nodes that have it, for example `["n1"]`. Absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
}

/// `[[cluster.process]]`: a further program of each node. It is started before the one of the system; faults hit both, and where
/// one ends by itself, the node has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct FurtherProgram {
    /// Its name: letters, digits, - and _. What it prints is in NAME.log of the node.
    pub name: String,
    /// The program, a path or a name that is searched in PATH.
    pub program: PathBuf,
    /// Its arguments, with the words of the node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Its variables, with the words of the node. It gets no others of the caller's than PATH, HOME, LANG and TMPDIR.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The nodes that have it, for example `["n1"]`. Absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
}

/// `[cluster.commands]`: shell commands by which faults reach servers that already run. Words are {name}, {number}, {address},
/// {ip}, {port} and {env:NAME}.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Commands {
    /// Ends a server at once, for example "ssh {ip} pkill -9 my-store".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill: Option<String>,
    /// Asks a server to end, and waits until it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// Starts a server again, and returns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Makes a server stand still, for example "ssh {ip} pkill -STOP my-store".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<String>,
    /// Lets a server go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
}

impl Commands {
    /// Each command with its key.
    pub(crate) fn each(&self) -> [(&'static str, &Option<String>); 5] {
        [
            ("kill", &self.kill),
            ("stop", &self.stop),
            ("start", &self.start),
            ("pause", &self.pause),
            ("resume", &self.resume),
        ]
    }
}

/// Whether a node is one of those that are named; all are where none is.
pub(crate) fn is_of(nodes: &[String], node: &str) -> bool {
    nodes.is_empty() || nodes.iter().any(|name| name == node)
}
