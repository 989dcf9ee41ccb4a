//! How keys that hold one value are decided: zones, the refuter, and just-in-time linearization.

use super::{
    call::Call,
    frontier,
    method::{Decision, Method, Ordered, Proof, earliest, until},
    object::Action,
    registers::{REMEMBERED, by_zones, first_contradiction, refuted, zone_order},
    values::Values,
    witness,
};
use crate::limits::{Limits, Share};

impl Method for Values<'_> {
    type Action = Action;
    const WITNESS: Share = Share::WITNESS_OF_VALUE;

    fn quick(&self, calls: &[Call<Action>], _: &Limits<'_>) -> Option<bool> {
        by_zones(self, calls).or_else(|| refuted(self, calls).then_some(false))
    }

    fn quick_order(&self, calls: &[Call<Action>], _: &Limits<'_>) -> Option<Vec<u32>> {
        Some(zone_order(self, calls))
    }

    fn search(
        &self,
        calls: &[Call<Action>],
        limits: &Limits<'_>,
        ordered: bool,
    ) -> Ordered<Option<Call<Action>>> {
        let (decision, order) = if ordered {
            frontier::search_for_order(self, calls, limits)
        } else {
            (frontier::search(self, calls, limits, true), None)
        };
        (decision.map(|stuck| Some(stuck.call)), order)
    }

    /// The refuter may blame a later completion than the search would, but never gives up: the search gets a
    /// small share on what lies before.
    fn blame(&self, calls: &[Call<Action>], limits: &Limits<'_>) -> Call<Action> {
        if let Some(first) = first_contradiction(self, calls, REMEMBERED) {
            return first;
        }
        let refuted = earliest(self, calls, |part| refuted(self, part));
        let before = until(self, calls, refuted.completed);
        let search = |limits: &Limits<'_>| frontier::search(self, &before, limits, true);
        match limits.share(Share::BLAME_OF_VALUE, search) {
            Decision::Impossible(stuck) => stuck.call,
            Decision::Linearizable | Decision::Unknown { .. } => refuted,
        }
    }

    fn drop_useless(&self, calls: &mut Vec<Call<Action>>) {
        frontier::drop_useless(self, calls);
    }

    fn proof(&self, calls: &[Call<Action>], unneeded: &[Call<Action>], limits: &Limits<'_>) -> Proof<Action> {
        witness::prove_value(self, calls, unneeded, limits)
    }
}
