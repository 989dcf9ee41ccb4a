//! The system call without a safe wrapper that starts a process in new namespaces.

#![allow(unsafe_code, reason = "clone with namespaces has no safe wrapper")]

use rustix::fd::{AsRawFd, OwnedFd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};

/// A program to start as process 1 of new namespaces.
pub(super) struct Launch {
    pub(crate) program: CString,
    pub(crate) args: Vec<CString>,
    /// The whole environment, as `NAME=value`.
    pub(crate) env: Vec<CString>,
    /// Whether it also gets a user namespace, in which it is root; this needs no privileges.
    pub(crate) new_user: bool,
    /// Whether its output returns through a pipe.
    pub(crate) capture: bool,
}

/// A process that was launched.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) pid: Pid,
    /// The other end of its standard input, whose close ends it.
    pub(crate) _stdin: OwnedFd,
    /// Its output, if requested.
    pub(crate) stdout: Option<File>,
}

/// The step at which a launch failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Namespaces,
    UserMap,
    Start,
}

/// Starts a program as process 1 of new PID, mount and network namespaces.
///
/// It dies with the thread that calls this.
pub(super) fn launch(launch: &Launch) -> Result<Launched, (Step, io::Error)> {
    let start = |error: rustix::io::Errno| (Step::Start, error.into());
    let (stdin_read, stdin) = pipe_with(PipeFlags::CLOEXEC).map_err(start)?;
    let (failed_read, failed) = pipe_with(PipeFlags::CLOEXEC).map_err(start)?;
    let (stdout, stdout_write) = pipe_with(PipeFlags::CLOEXEC).map_err(start)?;
    let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
        texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let child = Child {
        program: launch.program.as_ptr(),
        args: pointers(&launch.args),
        env: pointers(&launch.env),
        uid_map: launch.new_user.then(|| format!("0 {} 1", rustix::process::geteuid().as_raw())),
        gid_map: format!("0 {} 1", rustix::process::getegid().as_raw()),
        stdin: stdin_read.as_raw_fd(),
        stdout: launch.capture.then(|| stdout_write.as_raw_fd()),
        failed: failed.as_raw_fd(),
    };
    let user = if launch.new_user { libc::CLONE_NEWUSER } else { 0 };
    let flags = user | libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::SIGCHLD;
    // SAFETY: without CLONE_VM this is a fork. The child makes only async-signal-safe calls on memory that was
    // prepared before, until it executes another program or ends.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(flags), 0, 0, 0, 0) };
    if pid == 0 {
        // SAFETY: this is the child of the fork above, and every pointer outlives it.
        unsafe { child.become_program() }
    }
    if pid < 0 {
        return Err((Step::Namespaces, io::Error::last_os_error()));
    }
    drop((failed, stdin_read, stdout_write));
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("clone gives a positive id");
    let mut report = [0; 5];
    if File::from(failed_read).read_exact(&mut report).is_ok() {
        // The child has ended, or is about to.
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        let step = if report[0] == 0 { Step::UserMap } else { Step::Start };
        let number = i32::from_ne_bytes([report[1], report[2], report[3], report[4]]);
        return Err((step, io::Error::from_raw_os_error(number)));
    }
    Ok(Launched { pid, _stdin: stdin, stdout: launch.capture.then(|| stdout.into()) })
}

/// The data of the forked child, all of it prepared before the fork.
struct Child {
    program: *const libc::c_char,
    args: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
    uid_map: Option<String>,
    gid_map: String,
    stdin: libc::c_int,
    stdout: Option<libc::c_int>,
    failed: libc::c_int,
}

impl Child {
    /// # Safety
    /// Only for the child of a fork: it ends the process or executes another program.
    unsafe fn become_program(&self) -> ! {
        // SAFETY: plain system calls on descriptors and strings in this copy of the memory.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            libc::setpgid(0, 0);
            if let Some(uid_map) = &self.uid_map {
                let mapped = write_file(c"/proc/self/setgroups", b"deny")
                    && write_file(c"/proc/self/uid_map", uid_map.as_bytes())
                    && write_file(c"/proc/self/gid_map", self.gid_map.as_bytes());
                if !mapped {
                    self.fail(0);
                }
            }
            let mut fine = libc::dup2(self.stdin, 0) >= 0;
            if let Some(stdout) = self.stdout {
                fine &= libc::dup2(stdout, 1) >= 0;
            }
            if fine {
                libc::execve(self.program, self.args.as_ptr(), self.env.as_ptr());
            }
            self.fail(1)
        }
    }

    /// # Safety
    /// As for [`become_program`](Self::become_program).
    unsafe fn fail(&self, step: u8) -> ! {
        // SAFETY: as above; the bytes are on the stack.
        unsafe {
            let number = (*libc::__errno_location()).to_ne_bytes();
            let report = [step, number[0], number[1], number[2], number[3]];
            libc::write(self.failed, report.as_ptr().cast(), report.len());
            libc::_exit(127)
        }
    }
}

/// # Safety
/// Plain system calls; unsafe only because they are foreign functions.
unsafe fn write_file(path: &std::ffi::CStr, text: &[u8]) -> bool {
    // SAFETY: the path ends with a zero byte, and the pointer and length are those of the text.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        file >= 0 && libc::write(file, text.as_ptr().cast(), text.len()) == text.len().cast_signed()
    }
}
