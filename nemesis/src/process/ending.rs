//! Ends of processes, in words.

use std::fmt::Write as _;
use std::process::ExitStatus;

/// The prefix of the description of an exit with a code.
pub(super) const EXIT_CODE: &str = "exit code";

/// The ends of a node's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// The status of the program whose end ended the node.
    pub(super) status: ExitStatus,
    /// Its name, unless it is the node's own program.
    pub(super) who: Option<String>,
    /// The status of the node's own program.
    pub(super) own: ExitStatus,
    /// The names, process ids and statuses of its helper programs.
    pub(super) beside: Vec<(String, u32, ExitStatus)>,
}

impl End {
    /// The end of a node without helper programs.
    pub(super) fn alone(status: ExitStatus) -> Self {
        Self { status, who: None, own: status, beside: Vec::new() }
    }

    /// `exit code 3`, or `exit code 3 of sentinel`.
    pub(super) fn how(&self) -> String {
        let how = describe(self.status);
        match &self.who {
            None => how,
            Some(who) => format!("{how} of {who}"),
        }
    }

    /// Describes the end of each program; `pid` is the node's own.
    pub(super) fn each(&self, pid: u32) -> String {
        let mut text = format!("pid {pid} ended by {}", describe(self.own));
        for (name, pid, status) in &self.beside {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "; {name}, pid {pid}, by {}", describe(*status));
        }
        text
    }
}

/// `signal 9`, `exit code 101`.
pub(crate) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("{EXIT_CODE} {code}"),
        (None, None) => status.to_string(),
    }
}
