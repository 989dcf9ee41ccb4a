//! The catalogue of flaws: known bugs that a node has on demand, so that the bench can prove itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A known bug. Off unless named; the node announces it at start and in `/status`.
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
    /// An acceptor answers before it writes its record; it writes the record much later.
    AcceptorAnswersBeforeWrite,
    /// An acceptor answers before the sync of its record: a power loss may still take it.
    AcceptorAnswersBeforeSync,
    /// An acceptor answers while the sync of its record is under way.
    AcceptorAnswersDuringSync,
    /// An acceptor accepts every request and claims to have promised its ballot.
    AcceptorAcceptsBelowPromise,
    /// An acceptor collects slots that fewer than f + 1 replicas have on disk.
    AcceptorCollectsEarly,
    /// Of several pvalues for a slot, a scout chooses the one with the lowest ballot.
    ScoutTakesLowestBallot,
    /// A leader reuses its last round after a restart.
    LeaderReusesBallot,
    /// An adopted leader puts no-ops into slots without a proposal, even over accepted pvalues.
    LeaderFillsGaps,
    /// A leader that once held a lease answers reads under it for as long as it believes to lead.
    LeaderKeepsLease,
    /// A replica skips slots with unknown decisions.
    ReplicaAppliesAcrossGap,
    /// A replica answers from its current state when it proposes a command.
    ReplicaAnswersOnPropose,
    /// A replica compares for a compare-and-set at the proposal, and writes when it applies it.
    ReplicaComparesOnPropose,
    /// A replica reports slots as safe before their decisions are on its disk.
    ReplicaTellsProgressEarly,
    /// A snapshot has the values but no results of clients, so that a retry is applied again.
    SnapshotForgetsResults,
    /// A snapshot claims one slot more than it contains.
    SnapshotWrongSlot,
    /// The log removes segments before the snapshot that replaces them is durable.
    LogRemovesEarly,
    /// The log accepts a torn last record as good if it is readable.
    LogTakesTorn,
    /// The log drops the good record before a torn last record too.
    LogDropsGood,
    /// New members decide from the next slot on, for which the old members may also decide.
    MembersChangeAtOnce,
}

impl Flaw {
    /// All flaws.
    pub const ALL: [Self; 24] = [
        Self::AcceptorForgetsPromise,
        Self::CommanderMinorityQuorum,
        Self::ScoutIgnoresPvalues,
        Self::ReplicaReadsOwnState,
        Self::ReplicaAppliesTwice,
        Self::AcceptorAnswersBeforeWrite,
        Self::AcceptorAnswersBeforeSync,
        Self::AcceptorAnswersDuringSync,
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
            Self::AcceptorAnswersDuringSync => "acceptor-answers-during-sync",
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

    /// One sentence about the flaw.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::AcceptorForgetsPromise => "an acceptor forgets its promise on restart",
            Self::CommanderMinorityQuorum => "fewer than half of the acceptors count as a quorum",
            Self::ScoutIgnoresPvalues => "a scout ignores the reported pvalues",
            Self::ReplicaReadsOwnState => "a replica answers reads from its own state",
            Self::ReplicaAppliesTwice => "a replica applies a command twice when it was decided twice",
            Self::AcceptorAnswersBeforeWrite => "an acceptor answers before its record is written at all",
            Self::AcceptorAnswersBeforeSync => "an acceptor answers before its record is synced",
            Self::AcceptorAnswersDuringSync => "an acceptor answers while its record is being synced",
            Self::AcceptorAcceptsBelowPromise => "an acceptor accepts pvalues below its promise",
            Self::AcceptorCollectsEarly => "an acceptor forgets slots that only one replica has on disk",
            Self::ScoutTakesLowestBallot => "a scout chooses the pvalue with the lowest ballot",
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
            Self::ReplicaTellsProgressEarly => "a replica reports its progress before it is on disk",
            Self::SnapshotForgetsResults => "a snapshot leaves out the clients' last results",
            Self::SnapshotWrongSlot => "a snapshot is taken under the wrong slot",
            Self::LogRemovesEarly => {
                "old segments are removed before the snapshot that replaces them is durable"
            }
            Self::LogTakesTorn => "the log accepts a torn last record as a good one",
            Self::LogDropsGood => "the log drops its last good record with the torn one behind it",
            Self::MembersChangeAtOnce => {
                "a new configuration takes effect at once instead of after WINDOW slots"
            }
        }
    }

    /// Whether it shows only when several events coincide.
    ///
    /// The simulator and the crash tests of the log find every flaw; no spec of the bench finds these reliably.
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
            | Self::AcceptorAnswersBeforeSync
            | Self::AcceptorAnswersDuringSync => false,
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
