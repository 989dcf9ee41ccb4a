//! The consistency models of transactions by their names, and what decides each.

use super::anomaly::{Means, Order, View};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a database promises about transactions.
///
/// The forms of a model differ in the order they must respect beside the data: none, each client's own
/// order (*strong session*), or real time (*strong*; of serializability *strict*). After Adya, "Weak
/// Consistency" (1999), Cerone and others, "A framework for transactional consistency models with atomic visibility"
/// (CONCUR 2015), Terry and others, "Session guarantees" (PDIS 1994), and the hierarchy as Jepsen draws it.
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
    /// Read committed without lost updates: no write comes between a read and the reader's own write (PL-CS).
    CursorStability,
    /// Read committed, and once a transaction's effect is seen all of its effects stay seen.
    MonotonicAtomicView,
    /// Monotonic atomic view, in each process's order; the read committed of dbcop and AWDIT.
    StrongSessionMonotonicAtomicView,
    /// Read committed, and each process sees its own earlier writes.
    ReadYourWrites,
    /// Read committed, and what a process has seen stays seen.
    MonotonicReads,
    /// Read committed, and who sees a process's write sees its earlier ones.
    MonotonicWrites,
    /// Read committed, and who sees a process's write sees what that process had seen.
    WritesFollowReads,
    /// A transaction sees all effects of another, or none.
    ReadAtomic,
    /// Read atomic, in each process's order; the read atomic of dbcop and AWDIT.
    StrongSessionReadAtomic,
    /// Read atomic, and who sees an effect sees its causes. Each process is in order.
    Causal,
    /// Causes are seen, and of two writers of a key one sees the other (PL-2+).
    ParallelSnapshotIsolation,
    /// Parallel snapshot isolation, in each process's order; that of Cerone.
    StrongSessionParallelSnapshotIsolation,
    /// Each transaction reads one snapshot.
    Prefix,
    /// Prefix, in each process's order; that of Cerone.
    StrongSessionPrefix,
    /// Those that write are serializable, and each that only reads fits in by itself (PL-3U).
    UpdateSerializable,
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

/// What decides a model beside the cycles of dependencies that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decides {
    /// These cycles alone: the writes can have been in any order that respects the reads of them.
    Cycles,
    /// Whether the versions can have an order in which each read sees all it must.
    View(View),
    /// Whether an order of the transactions can be found.
    Search(Means),
}

/// All that is known of a model.
struct Row {
    model: C,
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
    /// The next weaker models: a history that satisfies this one satisfies those.
    weaker: &'static [C],
    order: Order,
    decides: Decides,
}

/// Every model, weaker ones before stronger ones.
const ROWS: [Row; 28] = [
    Row {
        model: C::ReadUncommitted,
        name: "read-uncommitted",
        aliases: &["PL-1"],
        about: "writes have one order",
        weaker: &[],
        order: Order::Data,
        decides: Decides::Cycles,
    },
    Row {
        model: C::StrongSessionReadUncommitted,
        name: "strong-session-read-uncommitted",
        aliases: &[],
        about: "read-uncommitted, in the order of each client",
        weaker: &[C::ReadUncommitted],
        order: Order::Process,
        decides: Decides::Cycles,
    },
    Row {
        model: C::StrongReadUncommitted,
        name: "strong-read-uncommitted",
        aliases: &[],
        about: "read-uncommitted, in the order of real time",
        weaker: &[C::StrongSessionReadUncommitted],
        order: Order::RealTime,
        decides: Decides::Cycles,
    },
    Row {
        model: C::ReadCommitted,
        name: "read-committed",
        aliases: &["PL-2"],
        about: "no transaction reads what was not, or not finally, committed",
        weaker: &[C::ReadUncommitted],
        order: Order::Data,
        decides: Decides::Cycles,
    },
    Row {
        model: C::StrongSessionReadCommitted,
        name: "strong-session-read-committed",
        aliases: &[],
        about: "read-committed, in the order of each client",
        weaker: &[C::ReadCommitted, C::StrongSessionReadUncommitted],
        order: Order::Process,
        decides: Decides::Cycles,
    },
    Row {
        model: C::StrongReadCommitted,
        name: "strong-read-committed",
        aliases: &[],
        about: "read-committed, in the order of real time",
        weaker: &[C::StrongSessionReadCommitted, C::StrongReadUncommitted],
        order: Order::RealTime,
        decides: Decides::Cycles,
    },
    Row {
        model: C::CursorStability,
        name: "cursor-stability",
        aliases: &["PL-CS"],
        about: "read-committed without lost updates",
        weaker: &[C::ReadCommitted],
        order: Order::Data,
        decides: Decides::Search(Means::Updates),
    },
    Row {
        model: C::MonotonicAtomicView,
        name: "monotonic-atomic-view",
        aliases: &["monotonic-view"],
        about: "read-committed, and once an effect of a transaction is seen all of them stay seen",
        weaker: &[C::ReadCommitted],
        order: Order::Data,
        decides: Decides::View(View::Monotonic),
    },
    Row {
        model: C::StrongSessionMonotonicAtomicView,
        name: "strong-session-monotonic-atomic-view",
        aliases: &[],
        about: "monotonic-atomic-view, in the order of each client",
        weaker: &[C::MonotonicAtomicView, C::StrongSessionReadCommitted],
        order: Order::Process,
        decides: Decides::View(View::Monotonic),
    },
    Row {
        model: C::ReadYourWrites,
        name: "read-your-writes",
        aliases: &[],
        about: "read-committed, and each client sees its own earlier writes",
        weaker: &[C::ReadCommitted],
        order: Order::Data,
        decides: Decides::View(View::OwnWrites),
    },
    Row {
        model: C::MonotonicReads,
        name: "monotonic-reads",
        aliases: &[],
        about: "read-committed, and what a client has seen stays seen",
        weaker: &[C::ReadCommitted],
        order: Order::Data,
        decides: Decides::View(View::OwnReads),
    },
    Row {
        model: C::MonotonicWrites,
        name: "monotonic-writes",
        aliases: &[],
        about: "read-committed, and who sees a client's write sees its earlier ones",
        weaker: &[C::ReadCommitted],
        order: Order::Data,
        decides: Decides::View(View::WritesOfWriter),
    },
    Row {
        model: C::WritesFollowReads,
        name: "writes-follow-reads",
        aliases: &[],
        about: "read-committed, and who sees a client's write sees what that client had seen",
        weaker: &[C::ReadCommitted],
        order: Order::Data,
        decides: Decides::View(View::ReadsOfWriter),
    },
    Row {
        model: C::ReadAtomic,
        name: "read-atomic",
        aliases: &[],
        about: "a transaction sees all effects of another, or none",
        weaker: &[C::MonotonicAtomicView],
        order: Order::Data,
        decides: Decides::View(View::Atomic),
    },
    Row {
        model: C::StrongSessionReadAtomic,
        name: "strong-session-read-atomic",
        aliases: &[],
        about: "read-atomic, and each client sees its own earlier writes",
        weaker: &[C::ReadAtomic, C::StrongSessionMonotonicAtomicView, C::ReadYourWrites],
        order: Order::Process,
        decides: Decides::View(View::AtomicOfSession),
    },
    Row {
        model: C::Causal,
        name: "causal",
        aliases: &["causal-consistency", "causal-cerone"],
        about: "read-atomic, and who sees an effect sees its causes; each client is in order",
        weaker: &[C::StrongSessionReadAtomic, C::MonotonicReads, C::MonotonicWrites, C::WritesFollowReads],
        order: Order::Process,
        decides: Decides::View(View::Causes),
    },
    Row {
        model: C::ParallelSnapshotIsolation,
        name: "parallel-snapshot-isolation",
        aliases: &["consistent-view", "PL-2+"],
        about: "read-atomic with causes, and of two writers of a key one sees the other",
        weaker: &[C::ReadAtomic, C::CursorStability],
        order: Order::Data,
        decides: Decides::Search(Means::Causes),
    },
    Row {
        model: C::StrongSessionParallelSnapshotIsolation,
        name: "strong-session-parallel-snapshot-isolation",
        aliases: &["strong-session-consistent-view"],
        about: "parallel-snapshot-isolation, in the order of each client",
        weaker: &[C::ParallelSnapshotIsolation, C::Causal],
        order: Order::Process,
        decides: Decides::Search(Means::Causes),
    },
    Row {
        model: C::Prefix,
        name: "prefix",
        aliases: &["prefix-consistency"],
        about: "each transaction reads one snapshot",
        weaker: &[C::ReadAtomic],
        order: Order::Data,
        decides: Decides::Search(Means::Prefixes),
    },
    Row {
        model: C::StrongSessionPrefix,
        name: "strong-session-prefix",
        aliases: &[],
        about: "prefix, in the order of each client",
        weaker: &[C::Prefix, C::Causal],
        order: Order::Process,
        decides: Decides::Search(Means::Prefixes),
    },
    Row {
        model: C::UpdateSerializable,
        name: "update-serializable",
        aliases: &["PL-3U"],
        about: "those that write are serializable, and each that only reads fits in",
        weaker: &[C::ParallelSnapshotIsolation],
        order: Order::Data,
        decides: Decides::Search(Means::UpdatesOneByOne),
    },
    Row {
        model: C::RepeatableRead,
        name: "repeatable-read",
        aliases: &["PL-2.99"],
        about: "serializable but for predicates",
        weaker: &[C::CursorStability, C::UpdateSerializable],
        order: Order::Data,
        decides: Decides::Search(Means::OneByOne),
    },
    Row {
        model: C::SnapshotIsolation,
        name: "snapshot-isolation",
        aliases: &["PL-SI", "SI"],
        about: "each transaction reads one snapshot, and the first to commit a write wins",
        weaker: &[C::ParallelSnapshotIsolation, C::Prefix],
        order: Order::Data,
        decides: Decides::Search(Means::Snapshots),
    },
    Row {
        model: C::StrongSessionSnapshotIsolation,
        name: "strong-session-snapshot-isolation",
        aliases: &[],
        about: "snapshot-isolation, in the order of each client",
        weaker: &[C::SnapshotIsolation, C::StrongSessionParallelSnapshotIsolation, C::StrongSessionPrefix],
        order: Order::Process,
        decides: Decides::Search(Means::Snapshots),
    },
    Row {
        model: C::StrongSnapshotIsolation,
        name: "strong-snapshot-isolation",
        aliases: &[],
        about: "snapshot-isolation, in the order of real time",
        weaker: &[C::StrongSessionSnapshotIsolation, C::StrongReadCommitted],
        order: Order::RealTime,
        decides: Decides::Search(Means::Snapshots),
    },
    Row {
        model: C::Serializable,
        name: "serializable",
        aliases: &["PL-3"],
        about: "as if one transaction came after the other",
        weaker: &[C::RepeatableRead, C::SnapshotIsolation],
        order: Order::Data,
        decides: Decides::Search(Means::OneByOne),
    },
    Row {
        model: C::StrongSessionSerializable,
        name: "strong-session-serializable",
        aliases: &["session-serializable"],
        about: "serializable, in the order of each client",
        weaker: &[C::Serializable, C::StrongSessionSnapshotIsolation],
        order: Order::Process,
        decides: Decides::Search(Means::OneByOne),
    },
    Row {
        model: C::StrictSerializable,
        name: "strict-serializable",
        aliases: &["strong-serializable", "PL-SS"],
        about: "serializable, in the order of real time",
        weaker: &[C::StrongSessionSerializable, C::StrongSnapshotIsolation],
        order: Order::RealTime,
        decides: Decides::Search(Means::OneByOne),
    },
];

impl Consistency {
    /// Every model, weaker ones before stronger ones.
    pub const ALL: [Self; ROWS.len()] = {
        let mut all = [C::ReadUncommitted; ROWS.len()];
        let mut index = 0;
        while index < ROWS.len() {
            all[index] = ROWS[index].model;
            index += 1;
        }
        all
    };

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// Its name, for example `strict-serializable`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Other names of it, for example `PL-SS`.
    pub fn aliases(self) -> &'static [&'static str] {
        self.row().aliases
    }

    /// What it promises, in one line.
    pub fn about(self) -> &'static str {
        self.row().about
    }

    /// The next weaker models: a history that satisfies this one satisfies those.
    pub(super) fn weaker(self) -> &'static [Self] {
        self.row().weaker
    }

    /// The order beside the data that it respects.
    pub(super) fn order(self) -> Order {
        self.row().order
    }

    /// What decides it beside the cycles of known dependencies.
    pub(super) fn decides(self) -> Decides {
        self.row().decides
    }

    /// How transactions follow each other where it holds; none for a model that needs no search. All our dependencies
    /// are of items, so repeatable read promises an order of them all.
    pub(super) fn means(self) -> Option<Means> {
        match self.decides() {
            Decides::Search(means) => Some(means),
            Decides::Cycles | Decides::View(_) => None,
        }
    }

    /// Whether a history that satisfies this model satisfies the other.
    pub fn implies(self, other: Self) -> bool {
        self == other || self.weaker().iter().any(|weaker| weaker.implies(other))
    }

    /// Stronger models that are decided by a search of their own, weaker ones first.
    pub(super) fn stronger_searches(self) -> Vec<Self> {
        let same = |model: Self| model.decides() == self.decides() && model.order() == self.order();
        let stronger = Self::ALL.into_iter().filter(|model| model.implies(self) && !same(*model));
        stronger.filter(|model| model.means().is_some() && *model != C::RepeatableRead).collect()
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
        let is = |alias: &&str| alias.eq_ignore_ascii_case(name);
        let row = ROWS.iter().find(|row| row.name == name || row.aliases.iter().any(is));
        row.map(|row| row.model).ok_or_else(|| UnknownConsistency(name.to_owned()))
    }
}

/// A set of models with which every stronger model is in it, too: what a history cannot have satisfied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Excluded(u64);

impl Excluded {
    /// The models and all that are stronger.
    pub(super) fn at(models: &[Consistency]) -> Self {
        let mut set = Self(models.iter().fold(0, |bits, model| bits | 1 << *model as u64));
        // Weaker models come first, so one pass reaches everything above.
        for model in Consistency::ALL {
            if model.weaker().iter().any(|weaker| set.contains(*weaker)) {
                set.0 |= 1 << model as u64;
            }
        }
        set
    }

    /// The models that something decides, and all that are stronger.
    pub(super) fn by(decides: Decides, order: Order) -> Self {
        let has = |model: &Consistency| model.decides() == decides && model.order() == order;
        Self::at(&Consistency::ALL.into_iter().filter(has).collect::<Vec<_>>())
    }

    pub(super) fn contains(self, model: Consistency) -> bool {
        self.0 & 1 << model as u64 != 0
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
