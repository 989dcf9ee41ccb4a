//! A helper program under a guard, so that neither it nor its descendants outlive the bench.
//!
//! The guard of a node uses standard input and output itself. This guard leaves both to the program and only
//! shares its standard input: when the bench closes it or ends, the guard kills the program and all its
//! descendants. When the program ends, the guard kills its descendants and ends too, which closes standard
//! output.

use super::guard::{end_all, ended, nodes_are_guarded, wait_for, wait_for_hang_up};
use crate::reexec::{STAGE, again_as};
use rustix::process::{Pid, set_child_subreaper};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};

/// The part of the process between the bench and the program.
pub(crate) const PART: &str = "guard-command";
/// The separator before the program in the guard's arguments.
const PROGRAM: &str = "--";
/// The exit code of a guard whose program did not start, as in shells.
const NOT_STARTED: u8 = 127;

/// The command that starts a program with these variables only.
///
/// Where guards are possible, the program ends when the other end of its standard input closes.
pub fn guarded_command(program: &str, args: &[String], env: &[(OsString, OsString)]) -> Command {
    let guard = nodes_are_guarded().ok().and_then(|()| again_as(PART).ok());
    let mut command = if let Some(mut guard) = guard {
        guard.arg0("bench-guard").args([PROGRAM, program]).args(args).env_clear().env(STAGE, PART);
        guard
    } else {
        let mut command = Command::new(program);
        command.args(args).env_clear();
        command
    };
    // Ctrl-C of a terminal is for the bench alone.
    command.envs(env.iter().map(|(name, value)| (name, value))).process_group(0);
    command
}

/// The guard's work, until the program or the bench ends.
pub(crate) fn serve() -> u8 {
    let mut words = std::env::args_os().skip_while(|word| word != PROGRAM).skip(1);
    let program = words.next().unwrap_or_default();
    let started = set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(io::Error::from)
        .and_then(|()| Command::new(&program).args(words).env_remove(STAGE).process_group(0).spawn());
    let child = match started {
        Ok(child) => child,
        Err(error) => {
            eprintln!("{} cannot be started: {error}", program.display());
            return NOT_STARTED;
        }
    };
    let first = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let first = first.expect("the system gives processes positive ids");
    let bench = std::thread::Builder::new().name("bench".to_owned()).spawn(move || {
        wait_for_hang_up();
        end_all(&[first], true);
        std::process::exit(0);
    });
    if let Err(error) = bench {
        eprintln!("its guard cannot watch the bench: {error}");
        end_all(&[first], true);
        return NOT_STARTED;
    }
    wait_for(&[first]);
    let status = ExitStatus::from_raw(ended(first).unwrap_or_default());
    end_all(&[first], false);
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(NOT_STARTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::family;
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;
    use std::time::Duration;

    #[test]
    fn program_and_descendants_end_with_input() {
        assert!(crate::lab_entry().is_none(), "every restartable program begins with it");
        if nodes_are_guarded().is_err() {
            return;
        }
        let script = "setsid -f sleep 5000; read line; echo \"$line $GREETING ${HOME-none}\"; sleep 5000";
        let args = ["-c", script].map(str::to_owned);
        let env = [("GREETING", "hello"), ("PATH", "/usr/bin:/bin")]
            .map(|(name, value)| (name.into(), value.into()));
        let mut command = guarded_command("/bin/sh", &args, &env);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"well\n").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        // The test harness prints its own lines first.
        assert!(lines.any(|line| line == "well hello none"));
        // The shell starts its last program after printing.
        let below = loop {
            let below = family::below(child.id());
            if below.len() >= 3 {
                break below;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        drop(child.stdin.take());
        child.wait().unwrap();
        while below.iter().any(|pid| family::lives(*pid)) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
