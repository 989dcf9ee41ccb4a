//! ptrace, one request a function; no safe wrapper of this program's libraries has it.

#![allow(unsafe_code, reason = "ptrace and waitid of threads have no safe wrapper here")]

use std::io;
use std::ptr::{null_mut, without_provenance_mut};

/// A thread, by its id.
pub(super) type Thread = i32;
pub(super) type Registers = libc::user_regs_struct;

/// Flags of the system calls that a process is made to make.
pub(super) const READ: u64 = libc::PROT_READ as u64;
pub(super) const WRITE: u64 = libc::PROT_WRITE as u64;
pub(super) const EXECUTE: u64 = libc::PROT_EXEC as u64;
pub(super) const PRIVATE: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
pub(super) const SHARED: u64 = libc::MAP_SHARED as u64;
pub(super) const FIXED: u64 = libc::MAP_FIXED as u64;
pub(super) const OPEN: u64 = (libc::O_RDONLY | libc::O_CLOEXEC) as u64;

const GET_MASK: libc::c_uint = 0x420a;
const SET_MASK: libc::c_uint = 0x420b;

fn request(what: libc::c_uint, thread: Thread, address: usize, data: *mut libc::c_void) -> io::Result<()> {
    // SAFETY: every caller passes as data nothing, a number, or a pointer to what the request reads or writes.
    let done = unsafe { libc::ptrace(what, thread, without_provenance_mut::<libc::c_void>(address), data) };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Begins to trace a thread, which goes on.
pub(super) fn seize(thread: Thread) -> io::Result<()> {
    request(libc::PTRACE_SEIZE, thread, 0, null_mut())
}

/// Lets a traced thread stop.
pub(super) fn interrupt(thread: Thread) -> io::Result<()> {
    request(libc::PTRACE_INTERRUPT, thread, 0, null_mut())
}

/// Lets go of a stopped thread, with a signal or 0.
pub(super) fn detach(thread: Thread, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_DETACH, thread, 0, number(signal))
}

/// Lets a stopped thread go on, for one instruction only if it is to `step`.
pub(super) fn go_on(thread: Thread, step: bool) -> io::Result<()> {
    request(if step { libc::PTRACE_SINGLESTEP } else { libc::PTRACE_CONT }, thread, 0, null_mut())
}

fn number(signal: i32) -> *mut libc::c_void {
    without_provenance_mut(usize::try_from(signal).unwrap_or(0))
}

pub(super) fn registers(thread: Thread) -> io::Result<Registers> {
    // SAFETY: a struct of plain numbers may be all zeros.
    let mut registers: Registers = unsafe { std::mem::zeroed() };
    request(libc::PTRACE_GETREGS, thread, 0, (&raw mut registers).cast())?;
    Ok(registers)
}

pub(super) fn set_registers(thread: Thread, registers: &Registers) -> io::Result<()> {
    let mut registers = *registers;
    request(libc::PTRACE_SETREGS, thread, 0, (&raw mut registers).cast())
}

/// The signals that a thread does not take now, a bit each.
pub(super) fn mask(thread: Thread) -> io::Result<u64> {
    let mut mask = 0_u64;
    request(GET_MASK, thread, size_of::<u64>(), (&raw mut mask).cast())?;
    Ok(mask)
}

pub(super) fn set_mask(thread: Thread, mask: u64) -> io::Result<()> {
    let mut mask = mask;
    request(SET_MASK, thread, size_of::<u64>(), (&raw mut mask).cast())
}

/// Why a thread stands, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A signal is about to reach it.
    Signal(i32),
    /// It was told to.
    Interrupted,
    /// The whole process is stopped, as by SIGSTOP.
    Paused,
}

/// Why a traced thread has stopped; nothing while it goes on. Never reaps one that has ended: that is for its parent.
pub(super) fn stop(thread: Thread) -> io::Result<Option<Stop>> {
    let id = libc::id_t::try_from(thread).unwrap_or(0);
    // SAFETY: a siginfo of zeros is one of no signal, and the kernel fills it in.
    let (done, info) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WSTOPPED | libc::WNOHANG | libc::__WALL;
        (libc::waitid(libc::P_PID, id, &raw mut info, options), info)
    };
    if done == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: waitid fills in the fields of a child, or leaves them zero.
    let (child, status) = unsafe { (info.si_pid(), info.si_status()) };
    if child == 0 {
        return Ok(None);
    }
    let (signal, event) = (status & 0xff, status >> 8);
    Ok(Some(match (event, signal) {
        (0, signal) => Stop::Signal(signal),
        (_, libc::SIGTRAP) => Stop::Interrupted,
        (_, _) => Stop::Paused,
    }))
}

/// Every signal but SIGTRAP, by which a thread says that it came where it should.
pub(super) const ALL_BUT_TRAP: u64 = !(1 << (libc::SIGTRAP - 1));
