//! The anomalies by name, and the models each of them excludes.

use super::consistency::{Consistency as C, Excluded};
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
}

/// What is wrong with a history. The names are Adya's and Elle's, but for the last.
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
            Self::NoOrder(Means::OneByOne, Order::Data) => "no-serial-order",
            Self::NoOrder(Means::OneByOne, Order::Process) => "no-serial-order-process",
            Self::NoOrder(Means::OneByOne, Order::RealTime) => "no-serial-order-realtime",
            Self::NoOrder(Means::Snapshots, Order::Data) => "no-snapshot-order",
            Self::NoOrder(Means::Snapshots, Order::Process) => "no-snapshot-order-process",
            Self::NoOrder(Means::Snapshots, Order::RealTime) => "no-snapshot-order-realtime",
        }
    }

    /// The models a history with this anomaly cannot have satisfied.
    ///
    /// All our anti-dependencies are of items, never of predicates, so each cycle with one is a G2-item.
    /// Cyclic versions rest on writes following reads within a transaction, which read uncommitted does
    /// not promise.
    pub(super) fn excludes(self) -> Excluded {
        let weakest: &[C] =
            match self {
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
                Self::Internal => &[C::SnapshotIsolation, C::Serializable],
                Self::LostUpdate => &[C::CursorStability],
                Self::Cycle(Cycle::G0, Order::Process) => &[C::StrongSessionReadUncommitted],
                Self::Cycle(Cycle::G0, Order::RealTime) => &[C::StrongReadUncommitted],
                Self::Cycle(Cycle::G1c, Order::Process) => &[C::StrongSessionReadCommitted],
                Self::Cycle(Cycle::G1c, Order::RealTime) => &[C::StrongReadCommitted],
                Self::Cycle(Cycle::GSingle | Cycle::GNonadjacent, Order::Data) => {
                    &[C::SnapshotIsolation, C::RepeatableRead]
                }
                Self::Cycle(Cycle::GSingle | Cycle::GNonadjacent, Order::Process) => {
                    &[C::StrongSessionSnapshotIsolation]
                }
                Self::Cycle(Cycle::GSingle | Cycle::GNonadjacent, Order::RealTime) => {
                    &[C::StrongSnapshotIsolation]
                }
                Self::Cycle(Cycle::G2Item, Order::Data) | Self::NoOrder(Means::OneByOne, Order::Data) => {
                    &[C::RepeatableRead]
                }
                Self::Cycle(Cycle::G2Item, Order::Process)
                | Self::NoOrder(Means::OneByOne, Order::Process) => &[C::StrongSessionSerializable],
                Self::Cycle(Cycle::G2Item, Order::RealTime)
                | Self::NoOrder(Means::OneByOne, Order::RealTime) => &[C::StrictSerializable],
                Self::NoOrder(Means::Snapshots, Order::Data) => &[C::SnapshotIsolation],
                Self::NoOrder(Means::Snapshots, Order::Process) => &[C::StrongSessionSnapshotIsolation],
                Self::NoOrder(Means::Snapshots, Order::RealTime) => &[C::StrongSnapshotIsolation],
            };
        Excluded::at(weakest)
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
