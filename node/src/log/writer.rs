//! The thread that writes the log. Orders that arrive during a sync share the next one.

use super::disk::Disk;
use super::{Batch, Log, LogError};
use std::sync::mpsc::{Receiver, Sender, channel};

/// An order to the log, which executes orders in sequence.
#[derive(Debug)]
pub enum LogOrder {
    /// Write a batch.
    Append {
        /// The number of the batch; it rises with each order.
        number: u64,
        /// The records.
        batch: Batch,
        /// Whether it must be durable before [`LogEvent::Synced`]; false only with a flaw.
        sync: bool,
    },
    /// Sync all earlier batches; only with a flaw, which reported this number before.
    Sync(u64),
    /// Start a new segment, so that a snapshot can be taken.
    Rotate,
    /// Remove the segments before this index: a durable snapshot covers them.
    RemoveBefore(u64),
}

impl LogOrder {
    /// Merges a later order into this one, so that both share a write and a sync.
    ///
    /// Only appends can merge; otherwise it returns the later order.
    pub(crate) fn join(&mut self, later: Self) -> Result<(), Self> {
        match (self, later) {
            (
                Self::Append { number, batch, sync },
                Self::Append { number: last, batch: more, sync: also },
            ) => {
                *number = last;
                batch.extend(&more);
                *sync |= also;
                Ok(())
            }
            (_, later) => Err(later),
        }
    }
}

/// A report of the log: it has executed an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEvent {
    /// Batches are durable.
    Synced {
        /// The number of the last of them.
        number: u64,
        /// Used bytes of the log.
        log_bytes: u64,
    },
    /// A segment with this index was started. All earlier orders are durable, in the segments before it.
    Rotated(u64),
    /// Segments were removed; this is the number of remaining bytes.
    Removed(u64),
}

/// The handle of the thread, which ends when this is dropped.
#[derive(Debug)]
pub struct LogWriter {
    orders: Sender<LogOrder>,
}

impl LogWriter {
    /// Starts the thread, which calls `report` after each order, or with the error that ended it.
    ///
    /// After a failed write or sync the state of the disk is unknown, so it retries nothing.
    pub fn start(log: Log, report: impl Fn(Result<LogEvent, LogError>) + Send + 'static) -> Self {
        let (orders, inbox) = channel();
        std::thread::spawn(move || {
            if let Err(error) = run(log, &inbox, &report) {
                report(Err(error));
            }
        });
        Self { orders }
    }

    /// Hands over an order.
    pub fn order(&self, order: LogOrder) {
        // The thread ends only after reporting an error, which ends the node.
        let _ = self.orders.send(order);
    }
}

fn run(
    mut log: Log,
    inbox: &Receiver<LogOrder>,
    report: &impl Fn(Result<LogEvent, LogError>),
) -> Result<(), LogError> {
    let mut next = inbox.recv().ok();
    while let Some(mut order) = next.take() {
        for later in inbox.try_iter() {
            if let Err(later) = order.join(later) {
                next = Some(later);
                break;
            }
        }
        report(Ok(log.carry_out(&order)?));
        next = next.or_else(|| inbox.recv().ok());
    }
    Ok(())
}

impl<D: Disk> Log<D> {
    /// Executes one order. After an error the log accepts no further write.
    pub(crate) fn carry_out(&mut self, order: &LogOrder) -> Result<LogEvent, LogError> {
        match order {
            LogOrder::Append { number, batch, sync } => {
                self.append(batch, *sync)?;
                Ok(LogEvent::Synced { number: *number, log_bytes: self.bytes() })
            }
            LogOrder::Sync(number) => {
                self.sync()?;
                Ok(LogEvent::Synced { number: *number, log_bytes: self.bytes() })
            }
            LogOrder::Rotate => Ok(LogEvent::Rotated(self.rotate()?)),
            LogOrder::RemoveBefore(index) => {
                self.remove_before(*index)?;
                Ok(LogEvent::Removed(self.bytes()))
            }
        }
    }
}
