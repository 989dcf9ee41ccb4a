//! The trait that every kind of fault implements.

use super::entry::Entry;
use super::proof::{Met, Proof};
use super::stage::{State, Strike};
use crate::budget::Hurt;
use crate::parameters::Parameters;
use crate::plan::{Aim, FaultEffect, Moved, Planning};
use crate::refusal::Refusal;
use crate::scope::Hit;

/// A kind of fault. The type holds its parameters and the random choices for one occurrence.
pub(crate) trait FaultKind: Sized {
    /// Its description and requirements.
    const ENTRY: Entry;

    /// Reads its parameters from a spec and refuses those that make no fault.
    ///
    /// The caller has already refused keys that the kind does not accept.
    fn read(parameters: &Parameters) -> Result<Self, Refusal>;

    /// Draws the nodes or links of this occurrence.
    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal>;

    /// The nodes that it keeps from serving; by default the nodes of the hit.
    ///
    /// Without a hit it is one unknown node.
    fn hurt(&self, hit: Option<&Hit>) -> Hurt {
        Hurt::down(hit)
    }

    /// Its change of the cluster's members.
    fn moves_members(&self, _nodes: Option<&[String]>) -> Option<Moved> {
        None
    }

    /// The largest byte rate that it allows on a link, per second.
    fn byte_rate(&self) -> Option<u64> {
        None
    }

    /// The effect of the fault, for kinds that a simulator supports.
    fn effect(&self) -> Option<FaultEffect> {
        None
    }

    /// Injects the fault; returns the time at which it took effect, and its evidence.
    ///
    /// It stores the data that `end` needs in the state.
    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof);

    /// Heals the fault; returns the time at which it was healed, and the evidence.
    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof);

    /// Operations of the system under test that met the fault, collected just before its end.
    ///
    /// None for a kind without this evidence.
    async fn met(&self, _strike: &Strike<'_>, _state: &State) -> Option<Met> {
        None
    }
}
