//! The thread that writes the log: while one sync runs, what comes in waits, and the next sync covers all of it.

use super::{Batch, Log, LogError};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What the thread is asked to do, in order.
#[derive(Debug)]
enum Order {
    /// Write a batch, and say the number when everything up to them is on disk.
    Append(u64, Batch),
    /// Begin a segment, for a snapshot to be taken.
    Rotate,
    /// Remove the segments before this one.
    Remove(u64),
}

/// What the thread says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// After each sync.
    Synced {
        /// Every batch up to this number is on disk.
        number: u64,
        /// Bytes of the log in use.
        log_bytes: u64,
    },
    /// A segment was begun, with this index: what was handed over before is on disk, in the segments before.
    Rotated(u64),
    /// Segments were removed; so many bytes are left.
    Removed(u64),
}

/// The way to the thread; it ends when this is dropped.
#[derive(Debug)]
pub struct LogWriter {
    orders: Sender<Order>,
}

impl LogWriter {
    /// Starts the thread. `tell` hears what it did, or of the error that ended the thread: after a failed
    /// write or sync nobody knows what is on disk, so nothing is tried again.
    pub fn start(log: Log, tell: impl Fn(Result<Told, LogError>) + Send + 'static) -> Self {
        let (orders, inbox) = channel();
        std::thread::spawn(move || {
            if let Err(error) = run(log, &inbox, &tell) {
                tell(Err(error));
            }
        });
        Self { orders }
    }

    fn order(&self, order: Order) {
        // The thread only ends after it has told its error, which ends the node.
        let _ = self.orders.send(order);
    }

    /// Hands over a batch; `number` rises with each call.
    pub fn append(&self, number: u64, batch: Batch) {
        self.order(Order::Append(number, batch));
    }

    /// Asks for a new segment, for a snapshot to be taken when it is there.
    pub fn rotate(&self) {
        self.order(Order::Rotate);
    }

    /// Lets segments go: a snapshot that covers all before `index` is durable.
    pub fn remove_before(&self, index: u64) {
        self.order(Order::Remove(index));
    }
}

fn run(
    mut log: Log,
    inbox: &Receiver<Order>,
    tell: &impl Fn(Result<Told, LogError>),
) -> Result<(), LogError> {
    let mut next = inbox.recv().ok();
    while let Some(order) = next.take() {
        match order {
            Order::Append(mut number, mut batch) => {
                for later in inbox.try_iter() {
                    if let Order::Append(later, more) = later {
                        number = later;
                        batch.extend(&more);
                    } else {
                        next = Some(later);
                        break;
                    }
                }
                log.append(&batch)?;
                tell(Ok(Told::Synced { number, log_bytes: log.bytes() }));
            }
            Order::Rotate => tell(Ok(Told::Rotated(log.rotate()?))),
            Order::Remove(index) => {
                log.remove_before(index)?;
                tell(Ok(Told::Removed(log.bytes())));
            }
        }
        next = next.or_else(|| inbox.recv().ok());
    }
    Ok(())
}
