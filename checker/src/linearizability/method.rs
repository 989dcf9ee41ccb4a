//! Decides one key of any object: by a fast method where the object has one, by a search otherwise.
//!
//! All of it is exact. A new object implements [`Method`], and nothing else changes.

use super::call::Call;
use crate::limits::{Limits, Share, Stop};
use crate::order::sort_by_key;

/// What is known about one key, and what shows it where the key is not linearizable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision<T> {
    Linearizable,
    Impossible(T),
    /// The work stopped early; the operations that completed before this moment are linearizable.
    Unknown {
        why: Stop,
        sound_until: u32,
    },
}

impl<T> Decision<T> {
    pub(super) fn map<U>(self, with: impl FnOnce(T) -> U) -> Decision<U> {
        match self {
            Self::Linearizable => Decision::Linearizable,
            Self::Impossible(shown) => Decision::Impossible(with(shown)),
            Self::Unknown { why, sound_until } => Decision::Unknown { why, sound_until },
        }
    }
}

/// The decision on a key and, where it is linearizable and an order was asked for, the order, by origin.
pub(super) type Ordered<T> = (Decision<T>, Option<Vec<u32>>);

/// One key of an object: how it is decided, and how a violation of it is proved. Calls come in order of invocation.
pub(super) trait Method {
    /// What an operation does.
    type Action: Clone;
    /// What a witness may cost.
    const WITNESS: Share;

    /// An answer without a search, where there is one.
    fn quick(&self, calls: &[Call<Self::Action>], limits: &Limits<'_>) -> Option<bool>;
    /// An order for what [`quick`](Self::quick) says is linearizable, by origin; none where only a search has it.
    fn quick_order(&self, calls: &[Call<Self::Action>], limits: &Limits<'_>) -> Option<Vec<u32>>;
    /// Searches for an order. Of an impossible key it names the call that cannot complete, where it knows.
    fn search(
        &self,
        calls: &[Call<Self::Action>],
        limits: &Limits<'_>,
        ordered: bool,
    ) -> Ordered<Option<Call<Self::Action>>>;
    /// The call with whose completion impossible calls became impossible, as far as the limits allow to say.
    fn blame(&self, calls: &[Call<Self::Action>], limits: &Limits<'_>) -> Call<Self::Action>;
    /// Drops calls that may not have happened and that help no other call: calls without them are linearizable exactly
    /// when calls with them are.
    fn drop_useless(&self, calls: &mut Vec<Call<Self::Action>>);
    /// Proves that calls are impossible, with as few of them as it can. `unneeded` are those that were dropped as
    /// useless: they explain nothing, but may have changed what the object held.
    fn proof(
        &self,
        calls: &[Call<Self::Action>],
        unneeded: &[Call<Self::Action>],
        limits: &Limits<'_>,
    ) -> Proof<Self::Action>;
}

/// What shows that calls are impossible.
#[derive(Debug)]
pub(super) struct Proof<A> {
    /// The calls that it takes.
    pub(super) part: Vec<Call<A>>,
    /// Whether they are impossible by themselves, without what came before them.
    pub(super) alone: bool,
    /// Where the search got stuck; none if time was up.
    pub(super) stuck: Option<StuckAt>,
}

/// Where a search got stuck, for people.
#[derive(Debug)]
pub(super) struct StuckAt {
    /// The call that cannot complete, by origin.
    pub(super) blamed: u32,
    /// What the object holds: `values` or `states`.
    pub(super) noun: &'static str,
    /// What it could hold right before.
    pub(super) possible: Vec<String>,
    /// Whether that is known of the part alone, because the whole history was too much to search.
    pub(super) partial: bool,
    /// Whether operations with an unknown result could have been used.
    pub(super) unknown: bool,
    /// By origin: each open call and why it cannot come next.
    pub(super) pending: Vec<(u32, String)>,
}

/// Decides one key; where it is linearizable and an order is asked for, also in which order.
pub(super) fn decide<M: Method>(
    method: &M,
    calls: &[Call<M::Action>],
    limits: &Limits<'_>,
    ordered: bool,
) -> Ordered<Call<M::Action>> {
    if limits.stopped() {
        return (Decision::Unknown { why: Stop::Time, sound_until: 0 }, None);
    }
    match method.quick(calls, limits) {
        Some(false) => (Decision::Impossible(method.blame(calls, limits)), None),
        Some(true) => {
            let quick = || method.quick_order(calls, limits);
            let order = ordered.then(|| quick().or_else(|| method.search(calls, limits, true).1));
            (Decision::Linearizable, order.flatten())
        }
        None => {
            let (decision, order) = method.search(calls, limits, ordered);
            let blamed = |call: Option<_>| call.unwrap_or_else(|| method.blame(calls, limits));
            (decision.map(blamed), order)
        }
    }
}

/// Whether calls are impossible, as far as the limits allow to say. Cheaper than [`decide`], as it blames no call.
pub(super) fn impossible<M: Method>(method: &M, calls: &[Call<M::Action>], limits: &Limits<'_>) -> bool {
    match method.quick(calls, limits) {
        Some(linearizable) => !linearizable,
        None => matches!(method.search(calls, limits, false).0, Decision::Impossible(_)),
    }
}

/// The call with whose completion calls become impossible, by binary search. The whole must be impossible; what is
/// undecided counts as possible, so that a later call may be blamed.
pub(super) fn earliest<M: Method>(
    method: &M,
    calls: &[Call<M::Action>],
    impossible: impl Fn(&[Call<M::Action>]) -> bool,
) -> Call<M::Action> {
    let mut completions: Vec<&Call<M::Action>> = calls.iter().filter(|call| call.certain()).collect();
    sort_by_key(&mut completions, |call| call.completed.into());
    let first = completions.partition_point(|call| !impossible(&until(method, calls, call.completed)));
    let blamed = completions.get(first).or(completions.last());
    (*blamed.expect("a history without completions is linearizable")).clone()
}

/// The history as it stood when the completion at `event` came in: what was open then may or may not have
/// happened, and what was invoked later does not exist.
pub(super) fn until<M: Method>(method: &M, calls: &[Call<M::Action>], event: u32) -> Vec<Call<M::Action>> {
    let mut part = standing(calls, event);
    method.drop_useless(&mut part);
    part
}

/// The same with all calls, also those that help no other.
pub(super) fn standing<A: Clone>(calls: &[Call<A>], event: u32) -> Vec<Call<A>> {
    let invoked = calls.iter().filter(|call| call.invoked <= event);
    invoked.map(|call| if call.completed <= event { call.clone() } else { call.loosened() }).collect()
}
