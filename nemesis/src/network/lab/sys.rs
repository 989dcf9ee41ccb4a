//! The four system calls that no safe wrapper has: a process in namespaces of its own, a thread in a network of its
//! own, and two things about packet sockets.

#![allow(
    unsafe_code,
    reason = "clone with namespaces, unshare of one thread, sockaddr_ll and PACKET_* options have no safe wrapper"
)]

use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::net::AddressFamily;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use rustix::thread::UnshareFlags;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::mem::size_of;

/// IPv4 frames, in the byte order of the network.
const PROTOCOL: u16 = 0x0800_u16.to_be();

/// A program to start as process 1 of new namespaces.
pub(super) struct Launch {
    pub(super) program: CString,
    pub(super) args: Vec<CString>,
    /// The whole environment, as `NAME=value`.
    pub(super) env: Vec<CString>,
    /// Whether it gets a user namespace too, in which it is root; needs no privileges.
    pub(super) new_user: bool,
    /// Whether what it prints comes back through a pipe.
    pub(super) capture: bool,
}

/// A process that was launched.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) pid: Pid,
    /// The other end of its standard input. It ends when this is closed.
    pub(super) _stdin: OwnedFd,
    /// What it prints, if that was asked for.
    pub(super) stdout: Option<File>,
}

/// What was being done when a launch failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Namespaces,
    UserMap,
    Start,
}

/// Starts a program as process 1 of new PID, mount and network namespaces. It dies with the thread that calls this.
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
    // SAFETY: without CLONE_VM this is a fork. The child makes nothing but async-signal-safe calls on memory that was
    // prepared before, until it becomes another program or ends.
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
    let mut said = [0; 5];
    if File::from(failed_read).read_exact(&mut said).is_ok() {
        // The child has ended, or is about to.
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        let step = if said[0] == 0 { Step::UserMap } else { Step::Start };
        let number = i32::from_ne_bytes([said[1], said[2], said[3], said[4]]);
        return Err((step, io::Error::from_raw_os_error(number)));
    }
    Ok(Launched { pid, _stdin: stdin, stdout: launch.capture.then(|| stdout.into()) })
}

/// What the child of the fork needs, all of it prepared before.
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
    /// Only for the child of a fork: it ends the process or makes it another program.
    unsafe fn become_program(&self) -> ! {
        // SAFETY: plain system calls on descriptors and strings that live in this copy of the memory.
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
        // SAFETY: as above; the bytes lie on the stack.
        unsafe {
            let number = (*libc::__errno_location()).to_ne_bytes();
            let said = [step, number[0], number[1], number[2], number[3]];
            libc::write(self.failed, said.as_ptr().cast(), said.len());
            libc::_exit(127)
        }
    }
}

/// # Safety
/// Plain system calls; unsafe only because they are foreign.
unsafe fn write_file(path: &std::ffi::CStr, text: &[u8]) -> bool {
    // SAFETY: the path ends with a zero byte, and the text is as long as it says.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        file >= 0 && libc::write(file, text.as_ptr().cast(), text.len()) == text.len().cast_signed()
    }
}

/// Moves the calling thread, and nobody else, into a new network namespace.
pub(super) fn new_network() -> io::Result<()> {
    // SAFETY: a network namespace owns no memory and no descriptors; what is open stays what it is.
    Ok(unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// Makes a packet socket see the IPv4 frames that come in through one interface, offload headers included.
pub(super) fn listen_to_interface(socket: impl AsFd, index: u32) -> io::Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    for option in [libc::PACKET_VNET_HDR, libc::PACKET_IGNORE_OUTGOING] {
        let on: libc::c_int = 1;
        // SAFETY: the kernel reads an int from the address of an int.
        let done = unsafe {
            let (value, length) = ((&raw const on).cast(), size_of::<libc::c_int>());
            libc::setsockopt(socket, libc::SOL_PACKET, option, value, length_of(length))
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let address = libc::sockaddr_ll {
        sll_family: AddressFamily::PACKET.as_raw(),
        sll_protocol: PROTOCOL,
        sll_ifindex: index.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the kernel reads a sockaddr_ll from the address of a sockaddr_ll.
    let done = unsafe {
        let length = size_of::<libc::sockaddr_ll>();
        libc::bind(socket, (&raw const address).cast(), length_of(length))
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn length_of(bytes: usize) -> libc::socklen_t {
    libc::socklen_t::try_from(bytes).expect("the size of a small struct fits")
}
