//! The end of a node's process that the bench did not request.

use super::ending::EXIT_CODE;
use history::NodeExit;

/// The end of a node's process that the bench did not kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The node.
    pub node: String,
    /// Its process id.
    pub pid: u32,
    /// The incarnation of the node, from 1.
    pub incarnation: u32,
    /// The helper program that ended; none if it was the node's own program.
    pub program: Option<String>,
    /// A description of the end, for example `exit code 101` or `signal 11`.
    pub how: String,
    /// The faults that may make a node end, for example `fault 3 (bit-flip)`; none without a reason.
    pub excuse: Option<String>,
}

impl Exit {
    /// Whether the program exited with a code instead of a signal.
    pub fn has_code(&self) -> bool {
        self.how.starts_with(EXIT_CODE)
    }

    /// The record for the history.
    pub fn record(&self) -> NodeExit {
        NodeExit {
            targets: vec![self.node.clone()],
            evidence: vec![self.how.clone()],
            pid: Some(self.pid),
            incarnation: Some(self.incarnation),
            excuse: self.excuse.clone(),
            restart: None,
        }
    }
}
