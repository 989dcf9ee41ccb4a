//! One node's clock, shifted through its file.

use super::foreign;
use super::process_clock::ProcessClock;
use super::reading::{Reading, true_ns};
use super::shift::{ClockFault, Faults, Shift};
use crate::claim::Claim;
use crate::process::Roots;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Seal of a complete clock file; a file that is being written does not match it.
const SEAL: u64 = 0x636c_6f63_6b73_6574;
/// Interval at which new processes of a node get its clock, if they do not read the file themselves.
const ADOPT_EVERY: Duration = Duration::from_millis(10);

/// One node's clock. Clones are the same clock.
#[derive(Debug, Clone)]
pub(crate) struct NodeClock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    file: File,
    path: PathBuf,
    foreign: bool,
    state: Mutex<State>,
    /// Held while the node's threads are stopped: a thread can have only one tracer.
    tracing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    /// The roots of the node's process trees, once it was started.
    roots: Option<Roots>,
    /// Whether a task watches for new processes of the node.
    watched: bool,
}

impl NodeClock {
    /// Creates the file, with a true clock.
    pub(crate) fn create(clock: &ProcessClock) -> io::Result<Self> {
        let path = clock.file();
        let foreign = match clock {
            ProcessClock::Itself(_) => false,
            ProcessClock::Foreign(_) => true,
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::create(path)?;
        let shared = Shared {
            file,
            path: path.to_owned(),
            foreign,
            state: Mutex::default(),
            tracing: Mutex::default(),
        };
        let clock = Self(Arc::new(shared));
        clock.write(&clock.state().faults)?;
        Ok(clock)
    }

    /// Whether the node reads the file itself.
    pub(crate) fn reads_itself(&self) -> bool {
        !self.0.foreign
    }

    /// Registers the node's new processes.
    pub(crate) fn began(&self, roots: Roots) {
        self.state().roots = Some(roots);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, faults: &Faults) -> io::Result<()> {
        let Shift { ahead, faster, since } = faults.shift();
        let [ahead, faster, since] = [ahead, faster, since].map(i64::cast_unsigned);
        let words = [ahead, faster, since, ahead ^ faster ^ since ^ SEAL];
        self.0.file.write_all_at(&words.map(u64::to_le_bytes).concat(), 0)
    }

    /// Makes the processes of a node without support for the bench read the file.
    fn adopt(&self, roots: Option<&Roots>) -> io::Result<()> {
        match roots {
            Some(roots) if self.0.foreign => {
                let _alone = self.0.tracing.lock().unwrap_or_else(PoisonError::into_inner);
                foreign::adopt(roots, &self.0.path).map(drop).map_err(io::Error::other)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Puts a fault on the clock.
    pub(crate) fn apply(&self, claim: Claim, fault: ClockFault) -> io::Result<()> {
        let roots = self.state().roots.clone();
        // A node that is down or paused cannot read the file yet; the watch retries.
        let adopted = self.adopt(roots.as_ref());
        let mut state = self.state();
        state.faults.apply(claim, fault, true_ns());
        self.write(&state.faults)?;
        let watch = self.0.foreign && !std::mem::replace(&mut state.watched, true);
        drop(state);
        if watch {
            let clock = self.clone();
            std::thread::Builder::new().name("clocks".to_owned()).spawn(move || clock.watch())?;
        }
        if let ClockFault::Strobe { period, .. } = fault {
            let clock = self.clone();
            let builder = std::thread::Builder::new().name("strobe".to_owned());
            builder.spawn(move || clock.strobe(claim, period / 2))?;
        }
        adopted
    }

    /// Watches for new processes of the node while a fault is on its clock.
    fn watch(&self) {
        loop {
            std::thread::sleep(ADOPT_EVERY);
            let mut state = self.state();
            if state.faults.is_empty() {
                state.watched = false;
                return;
            }
            let roots = state.roots.clone();
            drop(state);
            // A failure shows when the clock is read back.
            let _ = self.adopt(roots.as_ref());
        }
    }

    /// Lets the clock jump forward and back while the fault is in force.
    fn strobe(&self, claim: Claim, every: Duration) {
        loop {
            std::thread::sleep(every);
            let mut state = self.state();
            // A failure to write shows when the clock is read back.
            if !state.faults.turn(claim) || self.write(&state.faults).is_err() {
                return;
            }
        }
    }

    /// Takes a fault off the clock, or all of them.
    pub(crate) fn release(&self, claim: Option<Claim>) -> io::Result<()> {
        let mut state = self.state();
        state.faults.release(claim);
        self.write(&state.faults)
    }

    /// Number of faults on it.
    pub(crate) fn faults(&self) -> usize {
        self.state().faults.len()
    }

    /// Reads the clock of the node's first process, for a node without support for the bench.
    pub(crate) fn read(&self) -> io::Result<Reading> {
        let roots = self.state().roots.clone().ok_or_else(|| io::Error::other("it was never started"))?;
        self.adopt(Some(&roots))?;
        let _alone = self.0.tracing.lock().unwrap_or_else(PoisonError::into_inner);
        foreign::read(roots.first, &self.0.path).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(path: &Path) -> i64 {
        let bytes = std::fs::read(path).unwrap();
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(word(0) ^ word(8) ^ word(16) ^ SEAL, word(24));
        word(0).cast_signed()
    }

    #[test]
    fn strobing_clock_turns_until_released() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clock");
        let clock = NodeClock::create(&ProcessClock::Itself(path.clone())).unwrap();
        assert_eq!(read(&path), 0);
        let strobe = ClockFault::Strobe { by: 5_000_000, period: Duration::from_millis(2) };
        clock.apply(1, strobe).unwrap();
        for wanted in [5_000_000, 0, 5_000_000] {
            while read(&path) != wanted {
                std::thread::yield_now();
            }
        }
        clock.release(Some(1)).unwrap();
        assert_eq!(read(&path), 0);
    }
}
