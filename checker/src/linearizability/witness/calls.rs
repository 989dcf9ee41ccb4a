//! Makes a witness for an object of any kind out of a call that cannot complete.

use super::super::{
    Pending, Witness,
    call::Call,
    depth_first::{Ahead, Found, Hope, Stuck, Subject, search},
    judge::{impossible, until},
};
use super::words;
use crate::limits::{Limits, Trials};
use history::Operation;
use rustc_hash::FxHashSet;

/// States named before "and N more".
const STATES_NAMED: usize = 8;

/// Explains why the call that completed at a moment, given with its index in the operations, cannot have:
/// the earliest of its kind among the calls of a key.
pub(in super::super) fn explain_calls<S: Subject>(
    operations: &[Operation],
    key: Option<&str>,
    subject: &S,
    calls: &[Call<S::Action>],
    (completed, origin): (u32, u32),
    limits: &Limits<'_>,
) -> Witness {
    let prefix = until(subject, calls, completed);
    let mut shrinker = Shrinker { subject, limits, trials: Trials::new() };
    let alone = subject.loosens();
    let (part, stuck) = if alone {
        let part = shrinker.without_groups(prefix.clone());
        let part = shrinker.loosened(part);
        let stuck = shrinker.stuck(&restored(&part, &prefix));
        (part, stuck)
    } else {
        // What came before the part is in the states, so those of the whole history are the ones to name.
        (shrinker.latest(&prefix), shrinker.stuck(&prefix))
    };
    let core = restored(&part, &prefix);
    let explanation = Explanation { operations, key, alone };
    let (blamed, pending, values) = match &stuck {
        Some((calls, stuck)) => (calls[stuck.call].origin, pending(calls, stuck), stuck.states.clone()),
        // Time may be up by now. The verdict stands; only its explanation is shorter.
        None => (origin, Vec::new(), Vec::new()),
    };
    let mut part: Vec<usize> = core.iter().map(|call| call.origin as usize).collect();
    if !part.contains(&(blamed as usize)) {
        part.push(blamed as usize);
        part.sort_by_key(|&index| operations[index].invoked);
    }
    Witness {
        key: key.map(str::to_owned),
        operation: blamed as usize,
        summary: explanation.summary(blamed as usize, part.len(), &values),
        operations: part,
        values,
        pending,
        other_keys: Vec::new(),
    }
}

/// The calls of the part with the completions they had before it was loosened; nothing becomes possible.
fn restored<A: Clone>(part: &[Call<A>], whole: &[Call<A>]) -> Vec<Call<A>> {
    let kept: FxHashSet<u32> = part.iter().map(|call| call.origin).collect();
    whole.iter().filter(|call| kept.contains(&call.origin)).cloned().collect()
}

struct Shrinker<'a, S: Subject> {
    subject: &'a S,
    limits: &'a Limits<'a>,
    trials: Trials,
}

impl<S: Subject> Shrinker<'_, S> {
    /// Whether a part is still impossible, as far as the budget can tell.
    fn impossible(&mut self, part: &[Call<S::Action>]) -> bool {
        self.trials.take(part.len()) && impossible(self.subject, part, self.limits)
    }

    /// Where the search gets stuck, with the calls it searched.
    fn stuck(&self, calls: &[Call<S::Action>]) -> Option<(Vec<Call<S::Action>>, Stuck)> {
        match search(self.subject, calls, self.limits, Ahead::No) {
            Found::Stuck(stuck) => Some((calls.to_vec(), stuck)),
            Found::Linearizable | Found::Unknown { .. } => None,
        }
    }

    /// Leaves out whole groups of calls, as many as possible. What is left proves the whole impossible.
    fn without_groups(&mut self, mut part: Vec<Call<S::Action>>) -> Vec<Call<S::Action>> {
        let mut groups: Vec<u32> = Vec::new();
        let mut known = FxHashSet::default();
        groups.extend(
            part.iter()
                .filter_map(|call| self.subject.group(&call.action))
                .filter(|group| known.insert(*group)),
        );
        let mut chunk = groups.len().div_ceil(2).max(1);
        loop {
            let before = groups.len();
            let mut end = groups.len();
            while end > 0 && !self.trials.spent() {
                let start = end.saturating_sub(chunk);
                let chosen: FxHashSet<u32> = groups[start..end].iter().copied().collect();
                let mut rest = part.clone();
                rest.retain(|call| {
                    self.subject.group(&call.action).is_none_or(|group| !chosen.contains(&group))
                });
                self.subject.drop_useless(&mut rest);
                if self.impossible(&rest) {
                    part = rest;
                    groups.drain(start..end);
                }
                end = start;
            }
            if chunk > 1 {
                chunk = chunk.div_ceil(2);
            } else if groups.len() == before || self.trials.spent() {
                return part;
            }
        }
    }

    /// Loosens as many calls as possible: an observation is forgotten, anything else may not have
    /// happened. What is left still proves the whole impossible.
    fn loosened(&mut self, mut part: Vec<Call<S::Action>>) -> Vec<Call<S::Action>> {
        let mut certain: Vec<u32> =
            part.iter().filter(|call| call.certain()).map(|call| call.origin).collect();
        let mut chunk = certain.len().div_ceil(2).max(1);
        loop {
            let before = certain.len();
            let mut end = certain.len();
            while end > 0 && !self.trials.spent() {
                let start = end.saturating_sub(chunk);
                let chosen: FxHashSet<u32> = certain[start..end].iter().copied().collect();
                let mut looser = part.clone();
                for call in looser.iter_mut().filter(|call| chosen.contains(&call.origin)) {
                    *call = call.loosened();
                }
                self.subject.drop_useless(&mut looser);
                if self.impossible(&looser) {
                    part = looser;
                    certain.drain(start..end);
                }
                end = start;
            }
            if chunk > 1 {
                chunk = chunk.div_ceil(2);
            } else if certain.len() == before || self.trials.spent() {
                return part;
            }
        }
    }

    /// The latest few calls to complete that cannot have happened even from the very beginning, and
    /// those that were open then.
    fn latest(&mut self, whole: &[Call<S::Action>]) -> Vec<Call<S::Action>> {
        let mut completions: Vec<u32> =
            whole.iter().filter(|call| call.certain()).map(|call| call.completed).collect();
        completions.sort_unstable_by(|a, b| b.cmp(a));
        let mut kept = 1;
        while kept < completions.len() {
            let oldest = completions[kept - 1];
            let part: Vec<_> = whole.iter().filter(|call| call.completed >= oldest).cloned().collect();
            if self.impossible(&part) {
                return self.fewest(part);
            }
            kept *= 2;
        }
        self.fewest(whole.to_vec())
    }

    /// Leaves out single calls that certainly happened, then those that may have, while the part stays
    /// impossible by itself.
    fn fewest(&mut self, part: Vec<Call<S::Action>>) -> Vec<Call<S::Action>> {
        let mut part = part;
        let pure: Vec<u32> = part
            .iter()
            .filter(|call| call.certain() && self.subject.is_pure(&call.action))
            .map(|call| call.origin)
            .collect();
        for origin in pure {
            let mut rest = part.clone();
            rest.retain(|call| call.origin != origin);
            if self.impossible(&rest) {
                part = rest;
            }
        }
        part.retain(Call::certain);
        part
    }
}

/// Says it in words.
struct Explanation<'a> {
    operations: &'a [Operation],
    key: Option<&'a str>,
    /// Whether the part proves the whole impossible without anything before it.
    alone: bool,
}

impl Explanation<'_> {
    fn summary(&self, blamed: usize, part: usize, states: &[String]) -> String {
        let key = self.key.map_or_else(String::new, |key| format!("On key {key}, "));
        let operation = words::named(&self.operations[blamed]);
        let order = match (part, self.alone) {
            (1, true) => "nothing in the history before it explains that".to_owned(),
            (part, true) => format!("no order of the {part} operations of the witness explains that"),
            (1, false) => {
                "no order of what completed before it leads to a state that explains that".to_owned()
            }
            (part, false) => format!(
                "no order of what completed before leads to a state in which the {part} operations of the witness \
                 can follow one another"
            ),
        };
        let mut story = format!("{key}{operation} cannot have happened as it did: {order}.");
        if !states.is_empty() {
            story.push_str(" Possible states when it completed: ");
            story.push_str(&list(states));
            story.push('.');
        }
        story
    }
}

/// What each open call could still do.
fn pending<A>(calls: &[Call<A>], stuck: &Stuck) -> Vec<Pending> {
    let mut open = stuck.open.clone();
    open.sort_by_key(|&(call, _)| calls[call].invoked);
    open.iter()
        .map(|&(call, hope)| {
            let possible = list(&stuck.states);
            let why = match hope {
                Hope::Placed => "has happened already in every order that is left".to_owned(),
                Hope::Blocked => format!("cannot have had its result in any state that was possible: {possible}"),
                Hope::Free => format!(
                    "can come next in some state that was possible, which does not let the others complete: {possible}"
                ),
            };
            Pending { operation: calls[call].origin as usize, why }
        })
        .collect()
}

fn list(states: &[String]) -> String {
    let mut names: Vec<&str> = states.iter().take(STATES_NAMED).map(String::as_str).collect();
    let more = format!("{} more", states.len().saturating_sub(STATES_NAMED));
    if states.len() > STATES_NAMED {
        names.push(&more);
    }
    names.join(", ")
}
