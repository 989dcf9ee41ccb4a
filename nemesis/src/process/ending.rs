//! How processes end, in words.

use std::process::ExitStatus;

/// How the end of a process that returned with a code begins, in words.
pub(super) const EXIT_CODE: &str = "exit code";

/// `signal 9`, `exit code 101`.
pub(crate) fn how_it_ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("{EXIT_CODE} {code}"),
        (None, None) => status.to_string(),
    }
}
