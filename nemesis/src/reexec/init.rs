//! PID 1 of the lab: mounts, starts the bench inside, reaps zombies, and exits with its child.

use super::start::{INSIDE, STAGE};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount,
};
use rustix::process::{Pid, WaitOptions, WaitStatus};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// The exit code of a bench that itself failed.
const FAILED: u8 = 4;
const HOSTS: &str = "/etc/hosts";

/// Runs until the bench inside ends, and returns its exit code.
///
/// The kernel then kills every process left in the lab.
pub(super) fn run() -> u8 {
    let ready = end_with_the_outer_process().and_then(|()| mounts());
    let started = ready.and_then(|()| {
        Command::new("/proc/self/exe")
            .args(std::env::args_os().skip(1))
            .env(STAGE, INSIDE)
            .stdin(Stdio::null())
            .spawn()
    });
    match started {
        Ok(bench) => reap_until(bench.id()),
        Err(error) => {
            eprintln!("error: lab: its first process failed: {error}");
            FAILED
        }
    }
}

/// Ends this process with the outer one.
///
/// The kernel does it, or the pipe if the outer process has already ended.
pub(crate) fn end_with_the_outer_process() -> io::Result<()> {
    std::thread::Builder::new().name("outer".to_owned()).spawn(|| {
        // The outer process holds the other end during its lifetime and never writes.
        while matches!(io::stdin().read(&mut [0]), Ok(1..)) {}
        std::process::exit(i32::from(FAILED));
    })?;
    Ok(())
}

/// Makes private mounts, with the lab's processes in /proc and the lab's own hosts file.
pub(crate) fn mounts() -> io::Result<()> {
    let failed = |action: &'static str| {
        move |error: rustix::io::Errno| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("{action}: {error}"))
        }
    };
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(failed("private mounts"))?;
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if Path::new(HOSTS).exists() {
        // The file needs a file system of its own; /proc serves as its mount point until it is mounted again
        // below.
        mount("hosts", "/proc", "tmpfs", safe, c"size=1m").map_err(failed("a tmpfs"))?;
        std::fs::write("/proc/hosts", "127.0.0.1 localhost\n")?;
        mount_bind("/proc/hosts", HOSTS).map_err(failed(HOSTS))?;
        unmount("/proc", UnmountFlags::DETACH).map_err(failed("the tmpfs"))?;
    }
    mount("proc", "/proc", "proc", safe, None::<&std::ffi::CStr>).map_err(failed("/proc"))
}

/// Reaps every process that ends here, orphans included, until the bench ends.
fn reap_until(bench: u32) -> u8 {
    let bench = i32::try_from(bench).ok().and_then(Pid::from_raw);
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if Some(pid) == bench => return code(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                eprintln!("error: lab: its first process lost the bench: {error}");
                return FAILED;
            }
        }
    }
}

/// The exit code as in shells: 128 plus the signal for a killed process.
fn code(status: WaitStatus) -> u8 {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED)
}
