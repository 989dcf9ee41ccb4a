//! The catalogue of flaws: known mistakes that a node makes on demand, so that the bench can prove that it finds them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One known mistake. Off unless named; announced at start and in `/status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// An acceptor starts with no promise after a restart.
    AcceptorForgetsPromise,
    /// A commander (and a scout) is content with fewer than half of the acceptors.
    CommanderMinorityQuorum,
    /// A scout drops the pvalues that acceptors report, so the leader proposes its own commands over them.
    ScoutIgnoresPvalues,
    /// A replica answers reads from its own state, without a slot.
    ReplicaReadsOwnState,
    /// A replica applies a command twice when it was decided twice.
    ReplicaAppliesTwice,
    /// An acceptor answers before its record is written at all; the record follows much later.
    AcceptorAnswersBeforeWrite,
    /// An acceptor answers when its record is written and not yet synced: it may still be lost with the power.
    AcceptorAnswersBeforeSync,
    /// An acceptor accepts whatever it is asked to, and says that it promised just that.
    AcceptorAcceptsBelowPromise,
    /// An acceptor collects slots that fewer than f + 1 replicas have on disk.
    AcceptorCollectsEarly,
    /// Of several pvalues for a slot, a scout takes the one with the lowest ballot.
    ScoutTakesLowestBallot,
    /// A leader begins with the round it used last again after a restart.
    LeaderReusesBallot,
    /// A leader that is adopted puts no-ops into the slots it has no proposal for, whatever acceptors have accepted there.
    LeaderFillsGaps,
    /// A leader that once held a lease answers reads by it as long as it thinks it leads.
    LeaderKeepsLease,
    /// A replica skips slots whose decision it does not know yet.
    ReplicaAppliesAcrossGap,
    /// A replica answers from its present state when it proposes a command.
    ReplicaAnswersOnPropose,
    /// A replica compares for a compare-and-set when it proposes it, and puts the new value when it applies it.
    ReplicaComparesOnPropose,
    /// A replica counts slots as safe whose decisions it has not on disk.
    ReplicaTellsProgressEarly,
    /// A snapshot has the values, and no result of any client, so that a retry is applied again.
    SnapshotForgetsResults,
    /// A snapshot claims to have one slot more than it has.
    SnapshotWrongSlot,
    /// Segments are removed before the snapshot that replaces them is durable.
    LogRemovesEarly,
    /// A torn last record is taken for a good one, as long as it can be read at all.
    LogTakesTorn,
    /// A torn last record is cut off together with the good one before it.
    LogDropsGood,
    /// New members decide from the next slot on, for which the old ones may have been asked already.
    MembersChangeAtOnce,
}

impl Flaw {
    /// Every flaw there is.
    pub const ALL: [Self; 23] = [
        Self::AcceptorForgetsPromise,
        Self::CommanderMinorityQuorum,
        Self::ScoutIgnoresPvalues,
        Self::ReplicaReadsOwnState,
        Self::ReplicaAppliesTwice,
        Self::AcceptorAnswersBeforeWrite,
        Self::AcceptorAnswersBeforeSync,
        Self::AcceptorAcceptsBelowPromise,
        Self::AcceptorCollectsEarly,
        Self::ScoutTakesLowestBallot,
        Self::LeaderReusesBallot,
        Self::LeaderFillsGaps,
        Self::LeaderKeepsLease,
        Self::ReplicaAppliesAcrossGap,
        Self::ReplicaAnswersOnPropose,
        Self::ReplicaComparesOnPropose,
        Self::ReplicaTellsProgressEarly,
        Self::SnapshotForgetsResults,
        Self::SnapshotWrongSlot,
        Self::LogRemovesEarly,
        Self::LogTakesTorn,
        Self::LogDropsGood,
        Self::MembersChangeAtOnce,
    ];

    /// Its name on the command line and in specs.
    pub fn name(self) -> &'static str {
        match self {
            Self::AcceptorForgetsPromise => "acceptor-forgets-promise",
            Self::CommanderMinorityQuorum => "commander-minority-quorum",
            Self::ScoutIgnoresPvalues => "scout-ignores-pvalues",
            Self::ReplicaReadsOwnState => "replica-reads-own-state",
            Self::ReplicaAppliesTwice => "replica-applies-twice",
            Self::AcceptorAnswersBeforeWrite => "acceptor-answers-before-write",
            Self::AcceptorAnswersBeforeSync => "acceptor-answers-before-sync",
            Self::AcceptorAcceptsBelowPromise => "acceptor-accepts-below-promise",
            Self::AcceptorCollectsEarly => "acceptor-collects-early",
            Self::ScoutTakesLowestBallot => "scout-takes-lowest-ballot",
            Self::LeaderReusesBallot => "leader-reuses-ballot",
            Self::LeaderFillsGaps => "leader-fills-gaps",
            Self::LeaderKeepsLease => "leader-keeps-lease",
            Self::ReplicaAppliesAcrossGap => "replica-applies-across-gap",
            Self::ReplicaAnswersOnPropose => "replica-answers-on-propose",
            Self::ReplicaComparesOnPropose => "replica-compares-on-propose",
            Self::ReplicaTellsProgressEarly => "replica-tells-progress-early",
            Self::SnapshotForgetsResults => "snapshot-forgets-results",
            Self::SnapshotWrongSlot => "snapshot-wrong-slot",
            Self::LogRemovesEarly => "log-removes-early",
            Self::LogTakesTorn => "log-takes-torn",
            Self::LogDropsGood => "log-drops-good",
            Self::MembersChangeAtOnce => "members-change-at-once",
        }
    }

    /// One sentence about it.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::AcceptorForgetsPromise => "an acceptor forgets its promise on restart",
            Self::CommanderMinorityQuorum => "fewer than half of the acceptors count as a quorum",
            Self::ScoutIgnoresPvalues => "a scout ignores the pvalues it was told",
            Self::ReplicaReadsOwnState => "a replica answers reads from its own state",
            Self::ReplicaAppliesTwice => "a replica applies a command twice when it was decided twice",
            Self::AcceptorAnswersBeforeWrite => "an acceptor answers before its record is written at all",
            Self::AcceptorAnswersBeforeSync => "an acceptor answers before its record is synced",
            Self::AcceptorAcceptsBelowPromise => "an acceptor accepts pvalues below its promise",
            Self::AcceptorCollectsEarly => "an acceptor forgets slots that only one replica has on disk",
            Self::ScoutTakesLowestBallot => "a scout takes the pvalue with the lowest ballot",
            Self::LeaderReusesBallot => "a leader reuses its last ballot after a restart",
            Self::LeaderFillsGaps => "a leader fills a gap with a no-op over an accepted pvalue",
            Self::LeaderKeepsLease => "a leader holds a lease beyond its time",
            Self::ReplicaAppliesAcrossGap => {
                "a replica applies a later decision before an earlier one is known"
            }
            Self::ReplicaAnswersOnPropose => {
                "a replica answers a client when it proposes, not when it applies"
            }
            Self::ReplicaComparesOnPropose => {
                "a replica compares for cas when it proposes, not when it applies"
            }
            Self::ReplicaTellsProgressEarly => "a replica tells its progress before it is on disk",
            Self::SnapshotForgetsResults => "a snapshot leaves out the clients' last results",
            Self::SnapshotWrongSlot => "a snapshot is taken under the wrong slot",
            Self::LogRemovesEarly => {
                "old segments are removed before the snapshot that replaces them is durable"
            }
            Self::LogTakesTorn => "a torn last record of the log is taken for a good one",
            Self::LogDropsGood => "the last good record of the log is dropped with the torn one behind it",
            Self::MembersChangeAtOnce => {
                "a new configuration is taken up at once instead of after WINDOW slots"
            }
        }
    }

    /// Whether it shows only when several events coincide. The simulator and the crash tests of the log find every flaw; no
    /// spec of the bench finds these for certain.
    pub fn needs_simulation(self) -> bool {
        match self {
            Self::AcceptorForgetsPromise
            | Self::CommanderMinorityQuorum
            | Self::ScoutIgnoresPvalues
            | Self::ReplicaReadsOwnState
            | Self::ReplicaAppliesTwice
            | Self::ReplicaComparesOnPropose
            | Self::LeaderFillsGaps
            | Self::LeaderKeepsLease
            | Self::LogTakesTorn
            | Self::AcceptorAnswersBeforeWrite
            | Self::AcceptorAnswersBeforeSync => false,
            Self::AcceptorAcceptsBelowPromise
            | Self::AcceptorCollectsEarly
            | Self::ScoutTakesLowestBallot
            | Self::LeaderReusesBallot
            | Self::ReplicaAppliesAcrossGap
            | Self::ReplicaAnswersOnPropose
            | Self::ReplicaTellsProgressEarly
            | Self::SnapshotForgetsResults
            | Self::SnapshotWrongSlot
            | Self::LogRemovesEarly
            | Self::LogDropsGood
            | Self::MembersChangeAtOnce => true,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Flaw {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|flaw| flaw.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|flaw| flaw.name()).collect();
            format!("there is no flaw \"{name}\"; the flaws are {}", names.join(", "))
        })
    }
}
