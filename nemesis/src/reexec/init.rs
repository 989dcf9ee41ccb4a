//! PID 1 of the lab: makes its mounts, starts the bench inside, reaps zombies, and exits with its child.

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

/// Runs until the bench inside ends, and gives its exit code. The kernel then kills whatever is left in the lab.
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

/// The kernel ends this process when the outer one dies; the pipe does so where that came before it could be asked.
pub(crate) fn end_with_the_outer_process() -> io::Result<()> {
    std::thread::Builder::new().name("outer".to_owned()).spawn(|| {
        // It holds the other end as long as it lives and never writes.
        while matches!(io::stdin().read(&mut [0]), Ok(1..)) {}
        std::process::exit(i32::from(FAILED));
    })?;
    Ok(())
}

/// Mounts of the lab's own: what is mounted here is seen nowhere else, /proc shows its processes, and names are looked
/// up in a file that only it has.
pub(crate) fn mounts() -> io::Result<()> {
    let said = |what: &'static str| {
        move |error: rustix::io::Errno| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("{what}: {error}"))
        }
    };
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(said("private mounts"))?;
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if Path::new(HOSTS).exists() {
        // The file needs a file system of its own, for which /proc serves as mount point: it is mounted anew next.
        mount("hosts", "/proc", "tmpfs", safe, c"size=1m").map_err(said("a tmpfs"))?;
        std::fs::write("/proc/hosts", "127.0.0.1 localhost\n")?;
        mount_bind("/proc/hosts", HOSTS).map_err(said(HOSTS))?;
        unmount("/proc", UnmountFlags::DETACH).map_err(said("the tmpfs"))?;
    }
    mount("proc", "/proc", "proc", safe, None::<&std::ffi::CStr>).map_err(said("/proc"))
}

/// Reaps every process that ends here, also those whose parents died, until it is the bench.
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

/// As shells have it: 128 and the signal for what was killed.
fn code(status: WaitStatus) -> u8 {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED)
}
