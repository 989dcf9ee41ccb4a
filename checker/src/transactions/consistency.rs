//! The consistency models of transactions, and which of them is part of which.

use super::anomaly::{Means, Order};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a database promises about transactions.
///
/// The three forms of a model differ in the order they must respect beside the data: none, each client's own
/// order (*strong session*), or real time (*strong*; of serializability *strict*). After Adya, "Weak
/// Consistency" (1999), and its hierarchy as Jepsen draws it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// Writes have one order (PL-1).
    ReadUncommitted,
    /// Read uncommitted, in each process's order.
    StrongSessionReadUncommitted,
    /// Read uncommitted, in the order of real time.
    StrongReadUncommitted,
    /// No transaction reads what was not, or not finally, committed (PL-2).
    ReadCommitted,
    /// Read committed, in each process's order.
    StrongSessionReadCommitted,
    /// Read committed, in the order of real time.
    StrongReadCommitted,
    /// Read committed without lost updates (PL-CS).
    CursorStability,
    /// Read committed, and once a transaction's effect is seen all of its effects stay seen.
    MonotonicAtomicView,
    /// Serializable but for predicates (PL-2.99).
    RepeatableRead,
    /// Each transaction reads one snapshot, and the first to commit a write wins (PL-SI).
    SnapshotIsolation,
    /// Snapshot isolation, in each process's order.
    StrongSessionSnapshotIsolation,
    /// Snapshot isolation, in the order of real time.
    StrongSnapshotIsolation,
    /// As if one after the other (PL-3).
    Serializable,
    /// Serializable, in each process's order.
    StrongSessionSerializable,
    /// Serializable, in the order of real time (PL-SS).
    StrictSerializable,
}

use Consistency as C;

impl Consistency {
    /// Every model, weaker ones before stronger ones.
    pub const ALL: [Self; 15] = [
        C::ReadUncommitted,
        C::StrongSessionReadUncommitted,
        C::StrongReadUncommitted,
        C::ReadCommitted,
        C::StrongSessionReadCommitted,
        C::StrongReadCommitted,
        C::CursorStability,
        C::MonotonicAtomicView,
        C::RepeatableRead,
        C::SnapshotIsolation,
        C::StrongSessionSnapshotIsolation,
        C::StrongSnapshotIsolation,
        C::Serializable,
        C::StrongSessionSerializable,
        C::StrictSerializable,
    ];

    /// Its name, for example `strict-serializable`.
    pub fn name(self) -> &'static str {
        match self {
            C::ReadUncommitted => "read-uncommitted",
            C::StrongSessionReadUncommitted => "strong-session-read-uncommitted",
            C::StrongReadUncommitted => "strong-read-uncommitted",
            C::ReadCommitted => "read-committed",
            C::StrongSessionReadCommitted => "strong-session-read-committed",
            C::StrongReadCommitted => "strong-read-committed",
            C::CursorStability => "cursor-stability",
            C::MonotonicAtomicView => "monotonic-atomic-view",
            C::RepeatableRead => "repeatable-read",
            C::SnapshotIsolation => "snapshot-isolation",
            C::StrongSessionSnapshotIsolation => "strong-session-snapshot-isolation",
            C::StrongSnapshotIsolation => "strong-snapshot-isolation",
            C::Serializable => "serializable",
            C::StrongSessionSerializable => "strong-session-serializable",
            C::StrictSerializable => "strict-serializable",
        }
    }

    /// What it promises, in one line.
    pub fn about(self) -> &'static str {
        match self {
            C::ReadUncommitted => "writes have one order",
            C::StrongSessionReadUncommitted => "read-uncommitted, in the order of each client",
            C::StrongReadUncommitted => "read-uncommitted, in the order of real time",
            C::ReadCommitted => "no transaction reads what was not, or not finally, committed",
            C::StrongSessionReadCommitted => "read-committed, in the order of each client",
            C::StrongReadCommitted => "read-committed, in the order of real time",
            C::CursorStability => "read-committed without lost updates",
            C::MonotonicAtomicView => {
                "read-committed, and once an effect of a transaction is seen all of them stay seen"
            }
            C::RepeatableRead => "serializable but for predicates",
            C::SnapshotIsolation => {
                "each transaction reads one snapshot, and the first to commit a write wins"
            }
            C::StrongSessionSnapshotIsolation => "snapshot-isolation, in the order of each client",
            C::StrongSnapshotIsolation => "snapshot-isolation, in the order of real time",
            C::Serializable => "as if one transaction came after the other",
            C::StrongSessionSerializable => "serializable, in the order of each client",
            C::StrictSerializable => "serializable, in the order of real time",
        }
    }

    /// The next weaker models: a history that satisfies this one satisfies those.
    fn weaker(self) -> &'static [Self] {
        match self {
            C::ReadUncommitted => &[],
            C::StrongReadUncommitted => &[C::StrongSessionReadUncommitted],
            C::StrongSessionReadUncommitted | C::ReadCommitted => &[C::ReadUncommitted],
            C::StrongSessionReadCommitted => &[C::ReadCommitted, C::StrongSessionReadUncommitted],
            C::StrongReadCommitted => &[C::StrongSessionReadCommitted, C::StrongReadUncommitted],
            C::CursorStability | C::MonotonicAtomicView => &[C::ReadCommitted],
            C::RepeatableRead | C::SnapshotIsolation => &[C::CursorStability, C::MonotonicAtomicView],
            C::StrongSessionSnapshotIsolation => &[C::SnapshotIsolation, C::StrongSessionReadCommitted],
            C::StrongSnapshotIsolation => &[C::StrongSessionSnapshotIsolation, C::StrongReadCommitted],
            C::Serializable => &[C::RepeatableRead, C::SnapshotIsolation],
            C::StrongSessionSerializable => &[C::Serializable, C::StrongSessionSnapshotIsolation],
            C::StrictSerializable => &[C::StrongSessionSerializable, C::StrongSnapshotIsolation],
        }
    }

    /// The order beside the data that it respects.
    pub(super) fn order(self) -> Order {
        match self {
            C::ReadUncommitted
            | C::ReadCommitted
            | C::CursorStability
            | C::MonotonicAtomicView
            | C::RepeatableRead
            | C::SnapshotIsolation
            | C::Serializable => Order::Data,
            C::StrongSessionReadUncommitted
            | C::StrongSessionReadCommitted
            | C::StrongSessionSnapshotIsolation
            | C::StrongSessionSerializable => Order::Process,
            C::StrongReadUncommitted
            | C::StrongReadCommitted
            | C::StrongSnapshotIsolation
            | C::StrictSerializable => Order::RealTime,
        }
    }

    /// How transactions follow each other where it holds; none for a model that cycles of reads of writes
    /// decide. All our dependencies are of items, so repeatable read promises an order of them all.
    pub(super) fn means(self) -> Option<Means> {
        match self {
            C::ReadUncommitted
            | C::StrongSessionReadUncommitted
            | C::StrongReadUncommitted
            | C::ReadCommitted
            | C::StrongSessionReadCommitted
            | C::StrongReadCommitted
            | C::CursorStability
            | C::MonotonicAtomicView => None,
            C::SnapshotIsolation | C::StrongSessionSnapshotIsolation | C::StrongSnapshotIsolation => {
                Some(Means::Snapshots)
            }
            C::RepeatableRead | C::Serializable | C::StrongSessionSerializable | C::StrictSerializable => {
                Some(Means::OneByOne)
            }
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no consistency model's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no consistency model \"{0}\"; they are {names}", names = Consistency::ALL.map(Consistency::name).join(", "))]
pub struct UnknownConsistency(String);

impl FromStr for Consistency {
    type Err = UnknownConsistency;

    fn from_str(name: &str) -> Result<Self, UnknownConsistency> {
        Self::ALL
            .into_iter()
            .find(|model| model.name() == name)
            .ok_or_else(|| UnknownConsistency(name.to_owned()))
    }
}

/// A set of models with which every stronger model is in it, too: what a history cannot have satisfied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Excluded(u16);

impl Excluded {
    /// The models and all that are stronger.
    pub(super) fn at(models: &[Consistency]) -> Self {
        let mut set = Self(models.iter().fold(0, |bits, model| bits | 1 << *model as u16));
        // Weaker models come first, so one pass reaches everything above.
        for model in Consistency::ALL {
            if model.weaker().iter().any(|weaker| set.contains(*weaker)) {
                set.0 |= 1 << model as u16;
            }
        }
        set
    }

    pub(super) fn contains(self, model: Consistency) -> bool {
        self.0 & 1 << model as u16 != 0
    }

    pub(super) fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The models, weaker ones first.
    pub(super) fn models(self) -> Vec<Consistency> {
        Consistency::ALL.into_iter().filter(|model| self.contains(*model)).collect()
    }

    /// The weakest of them: the others follow from these.
    pub(super) fn weakest(self) -> Vec<Consistency> {
        let follows = |model: &Consistency| model.weaker().iter().any(|weaker| self.contains(*weaker));
        self.models().into_iter().filter(|model| !follows(model)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_found_by_its_name_and_named_in_the_error() {
        let error = "strict".parse::<Consistency>().unwrap_err().to_string();
        for model in Consistency::ALL {
            assert_eq!(model.to_string().parse(), Ok(model));
            assert!(error.contains(model.name()), "{error}");
            assert_eq!(serde_json::to_value(model).unwrap(), model.name());
        }
    }

    #[test]
    fn weaker_models_come_first() {
        for model in Consistency::ALL {
            assert!(model.weaker().iter().all(|weaker| *weaker < model), "{model}");
        }
    }

    #[test]
    fn what_excludes_the_weakest_model_excludes_all() {
        assert_eq!(Excluded::at(&[C::ReadUncommitted]).models(), Consistency::ALL);
        assert_eq!(Excluded::at(&[C::ReadUncommitted]).weakest(), [C::ReadUncommitted]);
        assert_eq!(Excluded::at(&[C::StrictSerializable]).models(), [C::StrictSerializable]);
        let skew = Excluded::at(&[C::RepeatableRead]);
        assert!(skew.contains(C::StrictSerializable) && !skew.contains(C::StrongSnapshotIsolation));
    }
}
