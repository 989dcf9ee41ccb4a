//! All kinds of fault: one type per kind, in the file of its family.
//!
//! The type has everything about the kind: parameters, refusals, targets, start and end, evidence, description.

mod answering;
mod background;
mod clock;
mod cluster;
mod disk;
mod entry;
mod fault_kind;
mod flag;
pub(crate) mod in_sync;
mod network;
mod process;
mod proof;
mod stage;

pub(crate) use cluster::settle;
pub use entry::{Entry, Family, OnNodes};
pub use flag::Flag;
pub(crate) use proof::{Met, Proof};
pub(crate) use stage::{Stage, State, Strike};

use crate::budget::Hurt;
use crate::parameters::Parameters;
use crate::plan::{Aim, FaultEffect, Moved, PlanOptions, Planning};
use crate::refusal::{Complaint, Refusal};
use crate::scope::Hit;
use crate::topology::nearest;
use fault_kind::FaultKind;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Generates the list of kinds, and forwards every call to the type of the kind.
macro_rules! kinds {
    ($($kind:ident: $family:ident::$fault:ident,)*) => {
        /// The kind of a fault: the word after `kind =` in a spec.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(
                #[doc = concat!("See [`vocabulary`] for what `", stringify!($kind), "` does.")]
                $kind,
            )*
        }

        /// A fault of any kind, with its parameters and its random choices.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum Fault {
            $($kind($family::$fault),)*
        }

        impl Kind {
            /// All kinds, by family.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its description and requirements.
            pub fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$kind => const { &<$family::$fault as FaultKind>::ENTRY },)*
                }
            }
        }

        impl Fault {
            pub(crate) fn read(kind: Kind, parameters: &Parameters) -> Result<Self, Refusal> {
                match kind {
                    $(Kind::$kind => $family::$fault::read(parameters).map(Self::$kind),)*
                }
            }

            pub(crate) fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
                match self {
                    $(Self::$kind(fault) => fault.aim(planning),)*
                }
            }

            pub(crate) fn hurt(&self, hit: Option<&Hit>) -> Hurt {
                match self {
                    $(Self::$kind(fault) => fault.hurt(hit),)*
                }
            }

            pub(crate) fn moves_members(&self, nodes: Option<&[String]>) -> Option<Moved> {
                match self {
                    $(Self::$kind(fault) => fault.moves_members(nodes),)*
                }
            }

            pub(crate) fn byte_rate(&self) -> Option<u64> {
                match self {
                    $(Self::$kind(fault) => fault.byte_rate(),)*
                }
            }

            pub(crate) fn effect(&self) -> Option<FaultEffect> {
                match self {
                    $(Self::$kind(fault) => fault.effect(),)*
                }
            }

            pub(crate) async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
                match self {
                    $(Self::$kind(fault) => Box::pin(fault.start(strike, state)).await,)*
                }
            }

            pub(crate) async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof) {
                match self {
                    $(Self::$kind(fault) => Box::pin(fault.end(strike, state)).await,)*
                }
            }

            pub(crate) async fn met(&self, strike: &Strike<'_>, state: &State) -> Option<Met> {
                match self {
                    $(Self::$kind(fault) => Box::pin(fault.met(strike, state)).await,)*
                }
            }
        }
    };
}

kinds! {
    Kill: process::Kill,
    Pause: process::Pause,
    Slow: process::Slow,
    Stop: process::Stop,
    LoseNode: process::LoseNode,
    Partition: network::Partition,
    OneWay: network::OneWay,
    Flaky: network::FlakyLinks,
    Delay: network::DelayedLinks,
    Rate: network::LimitedLinks,
    Reset: network::Reset,
    Swizzle: network::Swizzle,
    PowerLoss: disk::PowerLoss,
    TornWrite: disk::TornWrite,
    CrashImage: disk::CrashImage,
    BitFlip: disk::BitFlip,
    Truncate: disk::Truncate,
    Full: disk::Full,
    SlowSync: disk::SlowSync,
    Hold: disk::Hold,
    SyncError: disk::SyncError,
    Jump: clock::Jump,
    Drift: clock::Drift,
    Strobe: clock::Strobe,
    Freeze: clock::Freeze,
    Reconfigure: cluster::Reconfigure,
    RestartAll: cluster::RestartAll,
    RollingRestart: cluster::RollingRestart,
    DiskSwap: cluster::DiskSwap,
}

/// The descriptions of all kinds, by family.
pub fn vocabulary() -> impl Iterator<Item = &'static Entry> + Clone {
    Kind::ALL.iter().map(|kind| kind.entry())
}

impl Kind {
    /// Its name in specs, for example `one-way`.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Whether it has no end: its whole effect happens at its start.
    pub fn is_over_at_once(self) -> bool {
        self.entry().over_at_once
    }

    /// Checks that it can be injected with these options; the error has the reason.
    pub(crate) fn available(self, options: &PlanOptions) -> Result<(), Complaint> {
        self.entry().available(options)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let named = |kind: &&Self| kind.name() == word || kind.entry().aliases.contains(&word);
        if let Some(kind) = Self::ALL.iter().find(named) {
            return Ok(*kind);
        }
        let known = || vocabulary().map(|entry| entry.name);
        Err(match nearest(word, known()) {
            Some(meant) => format!("there is no fault `{word}`; did you mean `{meant}`?"),
            None => {
                format!("there is no fault `{word}`; there are {}", known().collect::<Vec<_>>().join(", "))
            }
        })
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
