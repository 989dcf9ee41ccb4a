//! Proves that calls on an object of any kind are impossible.

use super::super::{
    call::Call,
    depth_first::{Ahead, Hope, Stuck, Subject, search},
    method::{Decision, Proof, StuckAt},
};
use super::shrinker::{Shrinker, restored};
use super::words::list;
use crate::limits::Limits;
use crate::order::sort_by_key;
use rustc_hash::FxHashSet;

/// Proves that calls of a key are impossible.
pub(in super::super) fn prove_object<S: Subject>(
    subject: &S,
    calls: &[Call<S::Action>],
    unneeded: &[Call<S::Action>],
    limits: &Limits<'_>,
) -> Proof<S::Action> {
    let mut shrinker = Shrinker::new(subject, limits);
    let stuck = |calls: &[Call<S::Action>], partial| match search(subject, calls, limits, Ahead::No) {
        Decision::Impossible(stuck) => Some(stuck_at(calls, &stuck, partial)),
        // Time may be up by now. The verdict stands; only its explanation is shorter.
        Decision::Linearizable | Decision::Unknown { .. } => None,
    };
    if subject.loosens() {
        let part = without_groups(&mut shrinker, calls.to_vec());
        let part = restored(&shrinker.loosen(part), calls);
        let stuck = stuck(&part, true);
        Proof { part, alone: true, stuck }
    } else {
        // What came before the part is in the states, so those of the whole history are the ones to name.
        let part = restored(&latest(&mut shrinker, calls), calls);
        let stuck = stuck(&whole(calls, unneeded), false).or_else(|| stuck(calls, true));
        Proof { part, alone: false, stuck }
    }
}

/// All calls in the order of their invocations.
fn whole<A: Clone>(calls: &[Call<A>], unneeded: &[Call<A>]) -> Vec<Call<A>> {
    let mut whole: Vec<Call<A>> = calls.iter().chain(unneeded).cloned().collect();
    sort_by_key(&mut whole, |call| u64::from(call.invoked) << 32 | u64::from(call.origin));
    whole
}

/// Removes as many groups of calls as possible; the rest is still impossible.
fn without_groups<S: Subject>(
    shrinker: &mut Shrinker<'_, S>,
    part: Vec<Call<S::Action>>,
) -> Vec<Call<S::Action>> {
    let subject = shrinker.method;
    let mut known = FxHashSet::default();
    let groups = part
        .iter()
        .filter_map(|call| subject.group(&call.action))
        .filter(|group| known.insert(*group))
        .collect();
    shrinker.without(part, groups, |part, chosen| {
        let in_chosen =
            |call: &&Call<_>| subject.group(&call.action).is_some_and(|group| chosen.contains(&group));
        let mut rest: Vec<_> = part.iter().filter(|call| !in_chosen(call)).cloned().collect();
        subject.drop_useless(&mut rest);
        rest
    })
}

/// The latest few calls to complete that cannot have happened even from the very beginning, and those that were open
/// then.
fn latest<S: Subject>(shrinker: &mut Shrinker<'_, S>, whole: &[Call<S::Action>]) -> Vec<Call<S::Action>> {
    let mut completions: Vec<u32> =
        whole.iter().filter(|call| call.certain()).map(|call| call.completed).collect();
    completions.sort_unstable_by(|a, b| b.cmp(a));
    let mut kept = 1;
    while kept < completions.len() {
        let oldest = completions[kept - 1];
        let part: Vec<_> = whole.iter().filter(|call| call.completed >= oldest).cloned().collect();
        if shrinker.impossible(&part) {
            return fewest(shrinker, part);
        }
        kept *= 2;
    }
    fewest(shrinker, whole.to_vec())
}

/// Leaves out single pure calls that certainly happened, then all that may not have, while the part stays impossible by
/// itself.
fn fewest<S: Subject>(
    shrinker: &mut Shrinker<'_, S>,
    mut part: Vec<Call<S::Action>>,
) -> Vec<Call<S::Action>> {
    let subject = shrinker.method;
    let is_pure = |call: &&Call<_>| call.certain() && subject.is_pure(&call.action);
    let pure: Vec<u32> = part.iter().filter(is_pure).map(|call| call.origin).collect();
    for origin in pure {
        let mut rest = part.clone();
        rest.retain(|call| call.origin != origin);
        if shrinker.impossible(&rest) {
            part = rest;
        }
    }
    part.retain(Call::certain);
    part
}

fn stuck_at<A>(calls: &[Call<A>], stuck: &Stuck, partial: bool) -> StuckAt {
    let by = if partial { " by the operations of the witness" } else { "" };
    let possible = format!("{by}: {}", list(&stuck.states));
    let mut open = stuck.open.clone();
    sort_by_key(&mut open, |&(call, _)| calls[call].invoked.into());
    let why = |hope: Hope| match hope {
        Hope::Placed => "has happened already in every order that is left".to_owned(),
        Hope::Blocked => format!("cannot have had its result in any state that was possible{possible}"),
        Hope::Free => format!(
            "can come next in some state that was possible, which does not let the others complete{possible}"
        ),
    };
    StuckAt {
        blamed: calls[stuck.call].origin,
        noun: "states",
        pending: open.iter().map(|&(call, hope)| (calls[call].origin, why(hope))).collect(),
        possible: stuck.states.clone(),
        partial,
        unknown: false,
    }
}
