//! The catalogue of known mistakes a node can be told to make, so that the bench can prove it would notice.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One known mistake. Off unless named; announced at start and in `/status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
}

impl Flaw {
    /// Every flaw there is.
    pub const ALL: [Self; 6] = [
        Self::AcceptorForgetsPromise,
        Self::CommanderMinorityQuorum,
        Self::ScoutIgnoresPvalues,
        Self::ReplicaReadsOwnState,
        Self::ReplicaAppliesTwice,
        Self::AcceptorAnswersBeforeWrite,
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
