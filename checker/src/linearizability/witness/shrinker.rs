//! Shrinks a history that is not linearizable: delta debugging (Zeller & Hildebrandt, TSE 2002).
//!
//! Every step only loosens the history. It drops an observation, turns a completed update into one with an unknown
//! result, or drops an update with an unknown result that helps no operation. Loosening keeps a linearizable history
//! linearizable, so a small part that is not linearizable proves that the whole history is not.

use super::super::{
    call::Call,
    method::{Method, impossible},
};
use crate::limits::{Limits, Trials};
use rustc_hash::FxHashSet;

/// Tries smaller and smaller parts, within limits for all of them together.
pub(super) struct Shrinker<'a, M> {
    pub(super) method: &'a M,
    limits: &'a Limits<'a>,
    trials: Trials,
}

impl<'a, M: Method> Shrinker<'a, M> {
    pub(super) fn new(method: &'a M, limits: &'a Limits<'a>) -> Self {
        Self { method, limits, trials: Trials::new() }
    }

    /// Whether a part is still impossible, as far as the trials can tell.
    pub(super) fn impossible(&mut self, part: &[Call<M::Action>]) -> bool {
        self.trials.take(part.len()) && impossible(self.method, part, self.limits)
    }

    /// Loosens as many calls as possible: an observation is dropped, anything else may not have happened.
    pub(super) fn loosen(&mut self, part: Vec<Call<M::Action>>) -> Vec<Call<M::Action>> {
        let certain = part.iter().filter(|call| call.certain()).map(|call| call.origin).collect();
        let method = self.method;
        self.without(part, certain, |part, chosen| {
            loosened(method, part, |call| chosen.contains(&call.origin))
        })
    }

    /// Removes as many items as possible, in chunks that halve: from the end, as what is old is most often
    /// needed only through what is young. `smaller` makes a part without the chosen items.
    pub(super) fn without(
        &mut self,
        mut part: Vec<Call<M::Action>>,
        mut items: Vec<u32>,
        smaller: impl Fn(&[Call<M::Action>], &FxHashSet<u32>) -> Vec<Call<M::Action>>,
    ) -> Vec<Call<M::Action>> {
        let mut chunk = items.len().div_ceil(2).max(1);
        loop {
            let before = items.len();
            let mut end = items.len();
            while end > 0 && !self.trials.spent() {
                let start = end.saturating_sub(chunk);
                let chosen: FxHashSet<u32> = items[start..end].iter().copied().collect();
                let rest = smaller(&part, &chosen);
                if self.impossible(&rest) {
                    part = rest;
                    items.drain(start..end);
                }
                end = start;
            }
            if chunk > 1 {
                chunk = chunk.div_ceil(2);
            } else if items.len() == before || self.trials.spent() {
                return part;
            }
        }
    }
}

/// The part with the chosen calls loosened.
pub(super) fn loosened<M: Method>(
    method: &M,
    part: &[Call<M::Action>],
    chosen: impl Fn(&Call<M::Action>) -> bool,
) -> Vec<Call<M::Action>> {
    let changed = |call: &Call<_>| if chosen(call) { call.loosened() } else { call.clone() };
    let mut rest: Vec<_> = part.iter().map(changed).collect();
    method.drop_useless(&mut rest);
    rest
}

/// The calls of the part with the completions they had before it was loosened. Nothing becomes possible by that, and
/// a person need not wonder where the completions went.
pub(super) fn restored<A: Clone>(part: &[Call<A>], whole: &[Call<A>]) -> Vec<Call<A>> {
    let kept: FxHashSet<u32> = part.iter().map(|call| call.origin).collect();
    whole.iter().filter(|call| kept.contains(&call.origin)).cloned().collect()
}
