//! The clocks of programs that have no support for the bench.
//!
//! Problem: a program reads the time from the kernel's library in its own memory (the vDSO), not from a file.
//!
//! Idea: the bench stops the threads of each process of a node for about a millisecond and maps the node's
//! clock file into it. It then overwrites the start of the library's functions with a jump to code that shifts
//! the kernel's time. New threads and forked children inherit the mapping and the jump.

mod kernel;
mod memory;
mod probe;
mod stub;
mod threads;
mod vdso;

pub(crate) use probe::{PART, can_be_shifted, stand};

use super::Reading;
use crate::process::{Line, Roots, family_of};
use memory::Memory;
use std::path::Path;
use threads::Stopped;
use vdso::Library;

/// The size of a memory page.
const PAGE: u64 = 4096;
/// The region that is mapped into a process: the clock file, the code, then scratch memory for calls.
const CODE: u64 = PAGE;
const ROOM: u64 = 2 * PAGE;
const REGION: u64 = 3 * PAGE;

/// Makes every process of the node read this clock file; returns the number of processes newly patched.
pub(super) fn adopt(roots: &Roots, file: &Path) -> Result<usize, String> {
    let mut adopted = 0;
    for pid in family_of(roots) {
        // A process may end at any time; its clock is then irrelevant.
        let Ok(maps) = std::fs::read_to_string(format!("/proc/{pid}/maps")) else { continue };
        if vdso::region(&maps, file).is_some() {
            continue;
        }
        match off_thread(|| patch(pid, file)) {
            Ok(()) => adopted += 1,
            Err(_) if !is_alive(pid) => {}
            Err(reason) => return Err(format!("pid {pid}: {reason}")),
        }
    }
    Ok(adopted)
}

/// Reads the clock of a node's first process by calling its library, as its own threads do.
pub(super) fn read(root: u32, file: &Path) -> Result<Reading, String> {
    if vdso::region(&maps(root)?, file).is_none() {
        return Err(format!("pid {root} does not read the clock file yet"));
    }
    off_thread(|| ask(root, file))
}

/// The memory map of a process, `/proc/PID/maps`.
fn maps(pid: u32) -> Result<String, String> {
    std::fs::read_to_string(format!("/proc/{pid}/maps")).map_err(|_| "it has ended".to_owned())
}

/// Runs `work` in a thread of its own, because a tracer is a thread.
///
/// When the thread ends, the kernel releases
/// all threads that it stopped, also after a panic.
fn off_thread<T: Send>(work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("clock".to_owned()).spawn_scoped(scope, work);
        let joined = thread.map_err(|error| error.to_string())?.join();
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| Line::read(&stat).is_some_and(|line| line.lives()))
}

/// Maps the clock file and the code into a process and redirects its library's functions to the code.
fn patch(pid: u32, file: &Path) -> Result<(), String> {
    // Only a stopped process cannot execute another program meanwhile, which would replace its memory.
    let stopped = Stopped::all(pid)?;
    let maps = maps(pid)?;
    if vdso::region(&maps, file).is_some() {
        return Ok(());
    }
    let memory = Memory::open(pid)?;
    let library = Library::find(&maps, |bytes, at| memory.read(bytes, at))?;
    let region = map(&stopped, &memory, &library, file)?;
    for function in stub::functions() {
        let Some(entry) = library.function(function.name) else { continue };
        stopped.move_out_of(entry + 1..entry + stub::JUMP as u64)?;
        memory.write(&stub::jump(region + CODE + function.offset), entry)?;
    }
    Ok(())
}

/// Makes one thread of a stopped process map the region; returns its address.
fn map(stopped: &Stopped, memory: &Memory, library: &Library, file: &Path) -> Result<u64, String> {
    let path = std::path::absolute(file).map_err(|error| error.to_string())?;
    let mut path = path.into_os_string().into_encoded_bytes();
    path.push(0);
    let call = |action: &str, number: i64, arguments: [u64; 6]| {
        let answer = stopped.call_kernel(library.syscall(), number, arguments)?;
        let error = i32::try_from(answer.cast_signed()).ok().filter(|code| (-4095..0).contains(code));
        match error {
            Some(code) => Err(format!("it may not {action}: {}", std::io::Error::from_raw_os_error(-code))),
            None => Ok(answer),
        }
    };
    let (none, private, shared) = (u64::MAX, kernel::PRIVATE, kernel::SHARED);
    let readable = kernel::READ | kernel::EXECUTE;
    let region = call("map memory", libc::SYS_mmap, [0, REGION, readable, private, none, 0])?;
    let room = region + ROOM;
    call(
        "map memory",
        libc::SYS_mmap,
        [room, PAGE, kernel::READ | kernel::WRITE, private | kernel::FIXED, none, 0],
    )?;
    memory.write(&path, room)?;
    let opened = call("open the clock file", libc::SYS_open, [room, kernel::OPEN, 0, 0, 0, 0])?;
    memory.write(stub::code(), region + CODE)?;
    let shift = [region, PAGE, kernel::READ, shared | kernel::FIXED, opened, 0];
    let mapped = call("map the clock file", libc::SYS_mmap, shift);
    call("close the clock file", libc::SYS_close, [opened, 0, 0, 0, 0, 0])?;
    mapped.map(|_| region)
}

/// Makes one thread of a process read the time from the library.
fn ask(pid: u32, file: &Path) -> Result<Reading, String> {
    let stopped = Stopped::one(pid)?;
    let maps = maps(pid)?;
    let region = vdso::region(&maps, file).ok_or("it has become another program")?;
    let memory = Memory::open(pid)?;
    let library = Library::find(&maps, |bytes, at| memory.read(bytes, at))?;
    let entry = library.function(stub::CLOCK_GETTIME).ok_or("its library has no clock")?;
    let room = region + ROOM;
    // The result is written to the start of the scratch memory; the stack of the call ends behind it.
    let top = room + PAGE - 64;
    let back = region + CODE + stub::trap();
    let earliest = super::true_ns();
    let answer = stopped.call_function(&memory, entry, [0, room], top, back)?;
    let latest = super::true_ns();
    let mut time = [0; 16];
    memory.read(&mut time, room)?;
    let word = |at: usize| i64::from_le_bytes(std::array::from_fn(|byte| time[at + byte]));
    if answer != 0 {
        return Err(format!("its clock gave the error {}", answer.cast_signed()));
    }
    let says = word(0).saturating_mul(1_000_000_000).saturating_add(word(8));
    Ok(Reading { says, earliest, latest })
}

#[cfg(test)]
mod tests;
