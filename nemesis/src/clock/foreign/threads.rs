//! The threads of a process: stops them, makes them run code, and restores them.

use super::kernel::{self, Registers, Stop, Thread};
use super::memory::{Memory, refused};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Longest wait for a thread to stop. A thread that waits for a disk cannot stop sooner.
const PATIENCE: Duration = Duration::from_secs(2);
/// Upper bound of single steps: more instructions than any jump has.
const STEPS: usize = 64;

/// Stopped threads, until this is dropped, each with its pending signal.
#[derive(Debug)]
pub(super) struct Stopped(BTreeMap<Thread, Option<i32>>);

impl Stopped {
    /// Stops all threads of a process.
    pub(super) fn all(pid: u32) -> Result<Self, String> {
        let mut stopped = Self(BTreeMap::new());
        loop {
            let before = stopped.0.len();
            let tasks =
                std::fs::read_dir(format!("/proc/{pid}/task")).map_err(|_| "it has ended".to_owned())?;
            let threads = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
            let new: Vec<Thread> = threads.filter(|thread| !stopped.0.contains_key(thread)).collect();
            stopped.stop(&new)?;
            // A thread that still ran may have started others meanwhile.
            if stopped.0.len() == before {
                return Ok(stopped);
            }
        }
    }

    /// Stops the first thread of a process.
    pub(super) fn one(pid: u32) -> Result<Self, String> {
        let mut stopped = Self(BTreeMap::new());
        stopped.stop(&[thread(pid)])?;
        Ok(stopped)
    }

    fn stop(&mut self, threads: &[Thread]) -> Result<(), String> {
        let mut interrupted = Vec::new();
        for thread in threads {
            match kernel::seize(*thread).and_then(|()| kernel::interrupt(*thread)) {
                Ok(()) => interrupted.push(*thread),
                // For a thread that is just ending, the kernel reports that it may not be traced.
                Err(_) if has_left(*thread) => {}
                Err(error) => {
                    return Err(tracer(*thread).map_or_else(
                        || refused("it may not be traced", &error),
                        |other| {
                            format!(
                                "thread {other} traces it already, and a program has one tracer only; end that one"
                            )
                        },
                    ));
                }
            }
        }
        for thread in interrupted {
            match wait(thread)? {
                Some(Stop::Signal(signal)) => drop(self.0.insert(thread, Some(signal))),
                Some(Stop::Interrupted) => drop(self.0.insert(thread, None)),
                Some(Stop::Paused) => return Err("it is paused".to_owned()),
                None => {}
            }
        }
        Ok(())
    }

    /// A stopped thread that can run code.
    fn any(&self) -> Result<Thread, String> {
        self.0.keys().next().copied().ok_or_else(|| "it has ended".to_owned())
    }

    /// Steps every thread out of the address range that will be overwritten.
    pub(super) fn move_out_of(&self, range: Range<u64>) -> Result<(), String> {
        for thread in self.0.keys() {
            let inside = || kernel::registers(*thread).is_ok_and(|registers| range.contains(&registers.rip));
            let mut steps = 0;
            while inside() {
                steps += 1;
                if steps > STEPS {
                    return Err("a thread of it never leaves its library".to_owned());
                }
                kernel::go_on(*thread, true).map_err(|error| error.to_string())?;
                wait(*thread)?;
            }
        }
        Ok(())
    }

    /// Makes a thread execute a system call with the instruction at `syscall`; returns its result.
    pub(super) fn call_kernel(&self, syscall: u64, number: i64, arguments: [u64; 6]) -> Result<u64, String> {
        let [rdi, rsi, rdx, r10, r8, r9] = arguments;
        let rax = number.cast_unsigned();
        self.borrow(true, |own| Registers { rip: syscall, rax, rdi, rsi, rdx, r10, r8, r9, ..own })
    }

    /// Makes a thread call a function on its own stack; returns the result.
    ///
    /// The function returns to `back`, an `int3` instruction.
    pub(super) fn call_function(
        &self,
        memory: &Memory,
        function: u64,
        arguments: [u64; 2],
        top: u64,
        back: u64,
    ) -> Result<u64, String> {
        // The ABI aligns the stack to 16 bytes before the call pushes the return address.
        let rsp = (top & !15) - 8;
        memory.write(&back.to_le_bytes(), rsp)?;
        let [rdi, rsi] = arguments;
        self.borrow(false, |own| Registers { rip: function, rsp, rdi, rsi, rax: 0, ..own })
    }

    /// Continues a thread with other registers until it traps, then restores its own registers.
    fn borrow(&self, step: bool, set: impl FnOnce(Registers) -> Registers) -> Result<u64, String> {
        let thread = self.any()?;
        let failed = |error: io::Error| format!("a thread of it cannot be used: {error}");
        let own = kernel::registers(thread).map_err(failed)?;
        let mask = kernel::mask(thread).map_err(failed)?;
        // Otherwise the kernel would restart an interrupted system call and change these registers.
        let others = Registers { orig_rax: u64::MAX, ..set(own) };
        kernel::set_mask(thread, kernel::ALL_BUT_TRAP).map_err(failed)?;
        let done = kernel::set_registers(thread, &others)
            .and_then(|()| kernel::go_on(thread, step))
            .map_err(failed)
            .and_then(|()| wait(thread))
            .and_then(|stop| match stop {
                Some(Stop::Signal(libc::SIGTRAP)) => kernel::registers(thread).map_err(failed),
                Some(Stop::Signal(signal)) => Err(format!("it got signal {signal} in its library")),
                Some(Stop::Interrupted | Stop::Paused) => Err("it was stopped in its library".to_owned()),
                None => Err("it has ended".to_owned()),
            });
        let given_back =
            kernel::set_registers(thread, &own).and_then(|()| kernel::set_mask(thread, mask)).map_err(failed);
        let left = done?;
        given_back?;
        Ok(left.rax)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for (thread, signal) in &self.0 {
            // It fails only if the thread has ended.
            let _ = kernel::detach(*thread, signal.unwrap_or(0));
        }
    }
}

/// Waits until a traced thread stops; none if it has ended.
fn wait(thread: Thread) -> Result<Option<Stop>, String> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(20);
    loop {
        match kernel::stop(thread) {
            Ok(Some(stop)) => return Ok(Some(stop)),
            Ok(None) if has_left(thread) => return Ok(None),
            Ok(None) => {}
            Err(_) => return Ok(None),
        }
        if Instant::now() >= deadline {
            return Err(format!("a thread of it did not stop within {PATIENCE:?}; does it wait for a disk?"));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(1));
    }
}

/// Whether a thread has ended or is a zombie.
fn has_left(thread: Thread) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{thread}/stat"));
    stat.map_or(true, |stat| crate::process::Line::read(&stat).is_none_or(|line| !line.lives()))
}

/// The id of the thread that traces a thread.
fn tracer(thread: Thread) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let pid = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?.trim().parse().ok()?;
    (pid != 0).then_some(pid)
}

fn thread(pid: u32) -> Thread {
    Thread::try_from(pid).expect("the system gives processes ids that fit")
}
