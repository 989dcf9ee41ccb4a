//! The end of a node's process that the bench did not order.

use super::ending::EXIT_CODE;
use history::NodeExit;

/// A node's process ended, and the bench had not killed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The node.
    pub node: String,
    /// The process id it had.
    pub pid: u32,
    /// Which start of the node it was, from 1.
    pub incarnation: u32,
    /// The further program of the node that ended; none if it was its own.
    pub program: Option<String>,
    /// How it ended, for example `exit code 101` or `signal 11`.
    pub how: String,
    /// The faults that may make a node end, for example `fault 3 (bit-flip)`; none if it had no reason.
    pub excuse: Option<String>,
}

impl Exit {
    /// Whether the program returned with a code, and no signal ended it.
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
