//! The anomalies by name, and the models each of them excludes.

use super::consistency::{Consistency as C, Decides, Excluded};
use std::fmt;

/// The order beside the data that a cycle needs, and that a model must respect to forbid it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// None: the data alone contradict themselves.
    Data,
    /// The order in which each process issued its transactions.
    Process,
    /// Real time: a transaction completed before another was invoked.
    RealTime,
}

/// A cycle of dependencies, by the kinds of its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cycle {
    /// Writes alone.
    G0,
    /// Writes and reads of writes.
    G1c,
    /// One read that missed a write.
    GSingle,
    /// Several reads that missed a write, never two in a row.
    GNonadjacent,
    /// Reads that missed a write, two of them in a row.
    G2Item,
}

/// How transactions follow each other in an order that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Means {
    /// One after the other.
    OneByOne,
    /// Each reads one snapshot and writes later; of those that write to the same key, one after the other.
    Snapshots,
    /// Each reads one snapshot and writes later.
    Prefixes,
    /// Those that write one after the other; each that only reads fits in by itself.
    UpdatesOneByOne,
    /// The versions have an order in which no read misses what leads to its transaction.
    Causes,
    /// The versions have an order in which no write comes between a read and the reader's own write.
    Updates,
}

impl Means {
    /// In words, behind "no order of these transactions".
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::OneByOne => "one after the other",
            Self::Snapshots | Self::Prefixes => "each reading one snapshot",
            Self::UpdatesOneByOne => "those that write one after the other",
            Self::Causes => "each seeing what led to it",
            Self::Updates => "without a lost update",
        }
    }
}

/// Which writers a transaction must see, if it reads a key of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// Those it has read from before.
    Monotonic,
    /// Those it reads from.
    Atomic,
    /// Those it reads from, and those its process issued before.
    AtomicOfSession,
    /// All that comes before it in the order of processes and over reads of writes.
    Causes,
    /// Those its process issued before.
    OwnWrites,
    /// Those its process has read from before.
    OwnReads,
    /// What the process of a writer it reads from had written before.
    WritesOfWriter,
    /// What the process of a writer it reads from had read before.
    ReadsOfWriter,
}

/// What is wrong with a history. The names are Adya's and Elle's, but for the last two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// A read saw a value twice that was written once.
    DuplicateElements,
    /// A read saw a value that no transaction wrote.
    UnwrittenRead,
    /// Two reads of a list, neither of which is the beginning of the other.
    IncompatibleOrder,
    /// A value must have come before itself.
    CyclicVersions,
    /// A committed write was made upon one that failed.
    DirtyUpdate,
    /// Aborted read: a transaction saw a write of one that failed.
    G1a,
    /// Intermediate read: a transaction saw a write that its writer had not finished with.
    G1b,
    /// A transaction contradicts its own earlier reads and writes.
    Internal,
    /// A transaction saw what it wrote only later.
    FutureRead,
    /// Two transactions read the same version and both replaced it.
    LostUpdate,
    /// A cycle of dependencies, and the order beside the data that it needs.
    Cycle(Cycle, Order),
    /// No order of the transactions that respects the order beside the data explains all reads. Found by
    /// trying them all; not one of Adya's or Elle's.
    NoOrder(Means, Order),
    /// No order of the versions lets every transaction see the writers that it must see.
    NoView(View, Order),
}

impl Name {
    /// Its name, for example `G-single-realtime` or `lost-update`.
    pub fn name(self) -> &'static str {
        match self {
            Self::DuplicateElements => "duplicate-elements",
            Self::UnwrittenRead => "unwritten-read",
            Self::IncompatibleOrder => "incompatible-order",
            Self::CyclicVersions => "cyclic-versions",
            Self::DirtyUpdate => "dirty-update",
            Self::G1a => "G1a",
            Self::G1b => "G1b",
            Self::Internal => "internal",
            Self::FutureRead => "future-read",
            Self::LostUpdate => "lost-update",
            Self::Cycle(Cycle::G0, Order::Data) => "G0",
            Self::Cycle(Cycle::G0, Order::Process) => "G0-process",
            Self::Cycle(Cycle::G0, Order::RealTime) => "G0-realtime",
            Self::Cycle(Cycle::G1c, Order::Data) => "G1c",
            Self::Cycle(Cycle::G1c, Order::Process) => "G1c-process",
            Self::Cycle(Cycle::G1c, Order::RealTime) => "G1c-realtime",
            Self::Cycle(Cycle::GSingle, Order::Data) => "G-single",
            Self::Cycle(Cycle::GSingle, Order::Process) => "G-single-process",
            Self::Cycle(Cycle::GSingle, Order::RealTime) => "G-single-realtime",
            Self::Cycle(Cycle::GNonadjacent, Order::Data) => "G-nonadjacent",
            Self::Cycle(Cycle::GNonadjacent, Order::Process) => "G-nonadjacent-process",
            Self::Cycle(Cycle::GNonadjacent, Order::RealTime) => "G-nonadjacent-realtime",
            Self::Cycle(Cycle::G2Item, Order::Data) => "G2-item",
            Self::Cycle(Cycle::G2Item, Order::Process) => "G2-item-process",
            Self::Cycle(Cycle::G2Item, Order::RealTime) => "G2-item-realtime",
            Self::NoOrder(means, order) => no_order(means, order),
            Self::NoView(View::Monotonic, Order::Data) => "non-monotonic-view",
            Self::NoView(View::Monotonic, _) => "non-monotonic-view-process",
            Self::NoView(View::Atomic, _) => "fractured-read",
            Self::NoView(View::AtomicOfSession, _) => "fractured-read-process",
            Self::NoView(View::Causes, _) => "missed-cause",
            Self::NoView(View::OwnWrites, _) => "missed-own-write",
            Self::NoView(View::OwnReads, _) => "non-monotonic-read",
            Self::NoView(View::WritesOfWriter, _) => "non-monotonic-write",
            Self::NoView(View::ReadsOfWriter, _) => "write-before-read",
        }
    }

    /// The models a history with this anomaly cannot have satisfied.
    ///
    /// All our anti-dependencies are of items, never of predicates, so each cycle with one is a G2-item.
    /// Cyclic versions rest on writes following reads within a transaction, which read uncommitted does
    /// not promise.
    pub(super) fn excludes(self) -> Excluded {
        let weakest: &[C] = match self {
            Self::DuplicateElements | Self::UnwrittenRead | Self::Cycle(Cycle::G0, Order::Data) => {
                &[C::ReadUncommitted]
            }
            Self::IncompatibleOrder
            | Self::CyclicVersions
            | Self::DirtyUpdate
            | Self::G1a
            | Self::G1b
            | Self::FutureRead
            | Self::Cycle(Cycle::G1c, Order::Data) => &[C::ReadCommitted],
            Self::Internal => &[C::ReadAtomic],
            Self::LostUpdate => &[C::CursorStability],
            Self::Cycle(Cycle::G0, Order::Process) => &[C::StrongSessionReadUncommitted],
            Self::Cycle(Cycle::G0, Order::RealTime) => &[C::StrongReadUncommitted],
            Self::Cycle(Cycle::G1c, Order::Process) => &[C::StrongSessionReadCommitted],
            Self::Cycle(Cycle::G1c, Order::RealTime) => &[C::StrongReadCommitted],
            Self::Cycle(Cycle::GSingle, Order::Data) => &[C::ParallelSnapshotIsolation],
            Self::Cycle(Cycle::GSingle, Order::Process) => &[C::StrongSessionParallelSnapshotIsolation],
            Self::Cycle(Cycle::GNonadjacent, Order::Data) => &[C::SnapshotIsolation, C::RepeatableRead],
            Self::Cycle(Cycle::GNonadjacent, Order::Process) => &[C::StrongSessionSnapshotIsolation],
            Self::Cycle(Cycle::GSingle | Cycle::GNonadjacent, Order::RealTime) => {
                &[C::StrongSnapshotIsolation]
            }
            Self::Cycle(Cycle::G2Item, Order::Data) => &[C::RepeatableRead],
            Self::Cycle(Cycle::G2Item, Order::Process) => &[C::StrongSessionSerializable],
            Self::Cycle(Cycle::G2Item, Order::RealTime) => &[C::StrictSerializable],
            Self::NoOrder(means, order) => return Excluded::by(Decides::Search(means), order),
            Self::NoView(view, order) => return Excluded::by(Decides::View(view), order),
        };
        Excluded::at(weakest)
    }
}

fn no_order(means: Means, order: Order) -> &'static str {
    match (means, order) {
        (Means::OneByOne, Order::Data) => "no-serial-order",
        (Means::OneByOne, Order::Process) => "no-serial-order-process",
        (Means::OneByOne, Order::RealTime) => "no-serial-order-realtime",
        (Means::Snapshots, Order::Data) => "no-snapshot-order",
        (Means::Snapshots, Order::Process) => "no-snapshot-order-process",
        (Means::Snapshots, Order::RealTime) => "no-snapshot-order-realtime",
        (Means::Prefixes, Order::Data) => "no-prefix-order",
        (Means::Prefixes, _) => "no-prefix-order-process",
        (Means::UpdatesOneByOne, _) => "no-update-order",
        (Means::Causes, Order::Data) => "no-causal-order",
        (Means::Causes, _) => "no-causal-order-process",
        (Means::Updates, _) => "no-order-without-lost-update",
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anomaly_that_needs_less_excludes_more() {
        for cycle in [Cycle::G0, Cycle::G1c, Cycle::GSingle, Cycle::GNonadjacent, Cycle::G2Item] {
            let [data, process, real_time] = [Order::Data, Order::Process, Order::RealTime]
                .map(|order| Name::Cycle(cycle, order).excludes());
            assert!(data.covers(process) && process.covers(real_time), "{cycle:?}");
            assert!(real_time.contains(C::StrictSerializable), "{cycle:?}");
        }
    }

    #[test]
    fn write_skew_leaves_snapshot_isolation_and_read_skew_does_not() {
        let skew = Name::Cycle(Cycle::G2Item, Order::Data).excludes();
        assert!(skew.contains(C::Serializable) && !skew.contains(C::SnapshotIsolation));
        let single = Name::Cycle(Cycle::GSingle, Order::Data).excludes();
        assert!(single.contains(C::SnapshotIsolation) && !single.contains(C::CursorStability));
        assert!(!single.contains(C::StrongReadCommitted));
    }
}
