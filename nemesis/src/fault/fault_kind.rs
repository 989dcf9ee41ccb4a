//! What a kind of fault is: the one trait that each of them implements.

use super::entry::Entry;
use super::proof::{Met, Proof};
use super::stage::{State, Strike};
use crate::budget::Hurt;
use crate::parameters::Parameters;
use crate::plan::{Aim, FaultEffect, Moved, Planning};
use crate::refusal::Refusal;
use crate::scope::Hit;

/// A kind of fault. The type holds its parameters, and what was drawn for one time that it comes.
pub(crate) trait FaultKind: Sized {
    /// Its words, and what it needs.
    const ENTRY: Entry;

    /// Reads its parameters from a spec, and refuses those that make no fault. Keys that it does not take were refused
    /// before.
    fn read(parameters: &Parameters) -> Result<Self, Refusal>;

    /// Draws the nodes or links that it hits this time.
    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal>;

    /// The nodes that it keeps from serving: those that it hits, unless a kind says otherwise. Without a hit it is one
    /// unknown node.
    fn hurt(&self, hit: Option<&Hit>) -> Hurt {
        Hurt::down(hit)
    }

    /// What it takes from the members of the cluster.
    fn moves_members(&self, _nodes: Option<&[String]>) -> Option<Moved> {
        None
    }

    /// The most bytes a second that it lets a link carry.
    fn byte_rate(&self) -> Option<u64> {
        None
    }

    /// What it does, where a simulator can do it too.
    fn effect(&self) -> Option<FaultEffect> {
        None
    }

    /// Puts it in force and proves it; returns when it was in force, and the proof. What the end needs to know goes into
    /// the state.
    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof);

    /// Heals it and proves that; returns when it was healed, and the proof.
    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof);

    /// What of the system under test met it, asked just before its end; none for a fault that shows by itself.
    async fn met(&self, _strike: &Strike<'_>, _state: &State) -> Option<Met> {
        None
    }
}
