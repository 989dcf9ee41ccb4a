//! ptrace, one function per request; no library of this program has a safe wrapper for it.

#![allow(unsafe_code, reason = "ptrace and waitid of threads have no safe wrapper here")]

use std::io;
use std::ptr::{null_mut, without_provenance_mut};

/// The id of a thread.
pub(super) type Thread = i32;
pub(super) type Registers = libc::user_regs_struct;

/// Flags of the system calls that a traced process makes for the bench.
pub(super) const READ: u64 = libc::PROT_READ as u64;
pub(super) const WRITE: u64 = libc::PROT_WRITE as u64;
pub(super) const EXECUTE: u64 = libc::PROT_EXEC as u64;
pub(super) const PRIVATE: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
pub(super) const SHARED: u64 = libc::MAP_SHARED as u64;
pub(super) const FIXED: u64 = libc::MAP_FIXED as u64;
pub(super) const OPEN: u64 = (libc::O_RDONLY | libc::O_CLOEXEC) as u64;

const GET_MASK: libc::c_uint = 0x420a;
const SET_MASK: libc::c_uint = 0x420b;

fn request(
    operation: libc::c_uint,
    thread: Thread,
    address: usize,
    data: *mut libc::c_void,
) -> io::Result<()> {
    // SAFETY: every caller passes as data null, a number, or a pointer to memory that the request reads or
    // writes.
    let done =
        unsafe { libc::ptrace(operation, thread, without_provenance_mut::<libc::c_void>(address), data) };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Begins to trace a thread, which keeps running.
pub(super) fn seize(thread: Thread) -> io::Result<()> {
    request(libc::PTRACE_SEIZE, thread, 0, null_mut())
}

/// Requests a traced thread to stop.
pub(super) fn interrupt(thread: Thread) -> io::Result<()> {
    request(libc::PTRACE_INTERRUPT, thread, 0, null_mut())
}

/// Detaches from a stopped thread and delivers a signal; 0 delivers none.
pub(super) fn detach(thread: Thread, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_DETACH, thread, 0, number(signal))
}

/// Continues a stopped thread, for a single instruction if `step` is set.
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

/// The blocked signals of a thread, one bit each.
pub(super) fn mask(thread: Thread) -> io::Result<u64> {
    let mut mask = 0_u64;
    request(GET_MASK, thread, size_of::<u64>(), (&raw mut mask).cast())?;
    Ok(mask)
}

pub(super) fn set_mask(thread: Thread, mask: u64) -> io::Result<()> {
    let mut mask = mask;
    request(SET_MASK, thread, size_of::<u64>(), (&raw mut mask).cast())
}

/// The reason why a thread has stopped, as far as the caller needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A signal is about to reach it.
    Signal(i32),
    /// The tracer interrupted it.
    Interrupted,
    /// The whole process is stopped, as by SIGSTOP.
    Paused,
}

/// Returns why a traced thread has stopped; none while it runs.
///
/// It never reaps a thread that has ended: only its parent may do that.
pub(super) fn stop(thread: Thread) -> io::Result<Option<Stop>> {
    let id = libc::id_t::try_from(thread).unwrap_or(0);
    // SAFETY: a siginfo of zeros means "no signal", and the kernel fills it in.
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

/// Every signal but SIGTRAP, which reports that a thread has reached the trap.
pub(super) const ALL_BUT_TRAP: u64 = !(1 << (libc::SIGTRAP - 1));
