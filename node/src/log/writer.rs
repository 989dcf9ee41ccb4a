//! The thread that writes the log: while one sync runs, what comes in waits, and the next sync covers all of it.

use super::{Log, LogError};
use crate::paxos::step::Record;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Records, and the number up to which everything is on disk once they are.
type Batch = (u64, Vec<Record>);

/// What the thread says after each sync.
#[derive(Debug, Clone, Copy)]
pub struct Synced {
    /// Every batch up to this number is on disk.
    pub number: u64,
    /// Bytes of the log in use.
    pub log_bytes: u64,
}

/// The way to the thread; it ends when this is dropped.
#[derive(Debug)]
pub struct LogWriter {
    batches: Sender<Batch>,
}

impl LogWriter {
    /// Starts the thread. `tell` hears of each sync, or of the error that ended the thread: after a failed
    /// write or sync nobody knows what is on disk, so nothing is tried again.
    pub fn start(log: Log, tell: impl Fn(Result<Synced, LogError>) + Send + 'static) -> Self {
        let (batches, inbox) = channel();
        std::thread::spawn(move || {
            if let Err(error) = run(log, &inbox, &tell) {
                tell(Err(error));
            }
        });
        Self { batches }
    }

    /// Hands over records; `number` rises with each call.
    pub fn append(&self, number: u64, records: Vec<Record>) {
        // The thread only ends after it has told its error, which ends the node.
        let _ = self.batches.send((number, records));
    }
}

fn run(
    mut log: Log,
    inbox: &Receiver<Batch>,
    tell: &impl Fn(Result<Synced, LogError>),
) -> Result<(), LogError> {
    while let Ok((mut number, mut records)) = inbox.recv() {
        for (later, more) in inbox.try_iter() {
            number = later;
            records.extend(more);
        }
        log.append(&records)?;
        tell(Ok(Synced { number, log_bytes: log.bytes() }));
    }
    Ok(())
}
