//! The end of a node's process that nobody killed.

use history::{Event, Kind, Process};
use serde_json::json;

/// A node's process ended although nobody killed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The node.
    pub node: String,
    /// The process id it had.
    pub pid: u32,
    /// Which start of the node it was, from 1.
    pub incarnation: u32,
    /// How it ended, for example `exit code 101` or `signal 11`.
    pub how: String,
    /// The faults that may make a node end, for example `fault 3 (bit-flip)`; none if it had no reason.
    pub excuse: Option<String>,
}

impl Exit {
    /// The event for the history.
    pub fn event(&self) -> Event {
        let mut event = Event::new(Process::Nemesis, Kind::Info, "exit");
        event.value = json!({
            "event": "exit",
            "targets": [self.node],
            "evidence": [self.how],
            "pid": self.pid,
            "incarnation": self.incarnation,
        });
        if let Some(excuse) = &self.excuse {
            event.value["excuse"] = excuse.as_str().into();
        }
        event
    }
}
