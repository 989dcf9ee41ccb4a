//! The state of a process according to the operating system: running, sleeping, stopped.

use std::io;

/// The error for a thread that has ended (ESRCH).
#[cfg(target_os = "linux")]
const NO_PROCESS: i32 = rustix::io::Errno::SRCH.raw_os_error();

/// The state letters of every thread of a process, as in the third field of `/proc/PID/stat`.
#[cfg(target_os = "linux")]
pub(super) fn states(pid: u32) -> io::Result<Vec<char>> {
    let mut states = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        match std::fs::read_to_string(task?.path().join("stat")) {
            Ok(stat) => states.extend(after_name(&stat)),
            // The thread ended before its file was opened or read.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(NO_PROCESS) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(states)
}

/// Parses the state, which follows the last parenthesis: the name may contain any character.
#[cfg(target_os = "linux")]
fn after_name(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

/// The state letter of a process as `ps` reports it, for systems without `/proc`.
#[cfg(not(target_os = "linux"))]
pub(super) fn states(pid: u32) -> io::Result<Vec<char>> {
    let output = std::process::Command::new("ps").args(["-o", "state=", "-p", &pid.to_string()]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().chars().take(1).collect())
}

/// The source of [`states`], for evidence.
pub(super) fn source(pid: u32) -> String {
    if cfg!(target_os = "linux") { format!("/proc/{pid}/stat") } else { format!("ps -p {pid}") }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn parentheses_do_not_hide_the_state() {
        assert_eq!(after_name("4711 (a) T (b) S 1 4711"), Some('S'));
    }

    #[test]
    fn every_thread_of_this_process_has_a_state() {
        let states = states(std::process::id()).unwrap();
        assert!(states.contains(&'R') && !states.contains(&'T'), "{states:?}");
    }
}
