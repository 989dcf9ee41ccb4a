//! How processes end, in words.

use std::fmt::Write as _;
use std::process::ExitStatus;

/// How the end of a process that returned with a code begins, in words.
pub(super) const EXIT_CODE: &str = "exit code";

/// How the programs of a node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// That of the one whose end was the node's.
    pub(super) status: ExitStatus,
    /// Its name, where it is not the node's own program.
    pub(super) who: Option<String>,
    /// That of the node's own program.
    pub(super) own: ExitStatus,
    /// Those of its further programs, with their names and process ids.
    pub(super) beside: Vec<(String, u32, ExitStatus)>,
}

impl End {
    /// That of a node that has no other program.
    pub(super) fn alone(status: ExitStatus) -> Self {
        Self { status, who: None, own: status, beside: Vec::new() }
    }

    /// `exit code 3`, or `exit code 3 of sentinel`.
    pub(super) fn how(&self) -> String {
        let how = how_it_ended(self.status);
        match &self.who {
            None => how,
            Some(who) => format!("{how} of {who}"),
        }
    }

    /// How each program ended, the node's own with this process id.
    pub(super) fn each(&self, pid: u32) -> String {
        let mut text = format!("pid {pid} ended by {}", how_it_ended(self.own));
        for (name, pid, status) in &self.beside {
            // A `String` takes every write.
            let _ = write!(text, "; {name}, pid {pid}, by {}", how_it_ended(*status));
        }
        text
    }
}

/// `signal 9`, `exit code 101`.
pub(crate) fn how_it_ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("{EXIT_CODE} {code}"),
        (None, None) => status.to_string(),
    }
}
