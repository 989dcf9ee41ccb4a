//! Proves that calls on one value are impossible.

use super::super::{
    call::Call,
    frontier::{Open, Stuck, search},
    method::{Decision, Proof, StuckAt},
    object::Action,
    values::Values,
};
use super::shrinker::{Shrinker, loosened, restored};
use super::words::list;
use crate::limits::Limits;
use rustc_hash::FxHashSet;

/// The first guess at how many of the latest operations are to blame.
const FIRST_WINDOW: usize = 8;

/// Proves that calls of a key are impossible.
pub(in super::super) fn prove_value(
    values: &Values<'_>,
    calls: &[Call<Action>],
    unneeded: &[Call<Action>],
    limits: &Limits<'_>,
) -> Proof<Action> {
    let mut shrinker = Shrinker::new(values, limits);
    let latest = latest(&mut shrinker, calls);
    let part = restored(&shrinker.loosen(latest), calls);
    let stuck = |calls: &[Call<Action>]| match search(values, calls, limits, false) {
        Decision::Impossible(stuck) => Some(stuck),
        // Time may be up by now. The verdict stands; only its explanation is shorter.
        Decision::Unknown { .. } | Decision::Linearizable => None,
    };
    let of_part = stuck(&part);
    // What was possible is a statement about the whole history; the part that is left knows less.
    let of_whole = stuck(calls)
        .filter(|whole| whole.all)
        .filter(|whole| of_part.as_ref().is_none_or(|part| part.call.origin == whole.call.origin));
    let partial = of_whole.is_none();
    let stuck = of_whole.or(of_part).map(|mut stuck| {
        if !partial {
            also_possible(values, &mut stuck.values, unneeded);
        }
        stuck_at(values, &stuck, partial)
    });
    Proof { part, alone: true, stuck }
}

/// Adds the values that updates leave that help nothing: each may have happened last.
fn also_possible(values: &Values<'_>, possible: &mut Vec<u32>, unneeded: &[Call<Action>]) {
    let mut known: FxHashSet<u32> = possible.iter().copied().collect();
    let mut next = 0;
    while let Some(&value) = possible.get(next) {
        let left = unneeded.iter().filter_map(|call| call.action.apply(value, values));
        possible.extend(left.filter(|value| known.insert(*value)));
        next += 1;
    }
    possible.sort_unstable();
}

/// The latest few calls to complete, with what is needed of the others. Of observations the last one alone is tried
/// first: each further one drags in whatever may have left what it found.
fn latest(shrinker: &mut Shrinker<'_, Values<'_>>, calls: &[Call<Action>]) -> Vec<Call<Action>> {
    let mut completions: Vec<u32> =
        calls.iter().filter(|call| call.certain()).map(|call| call.completed).collect();
    completions.sort_unstable_by(|a, b| b.cmp(a));
    let Some(&last) = completions.first() else { return calls.to_vec() };
    let sought = calls.iter().find(|call| call.completed == last).and_then(sought);
    for observations in [false, true] {
        let mut window = FIRST_WINDOW;
        while window / 2 < completions.len() {
            let oldest = completions.get(window).copied();
            let part = loosened(shrinker.method, calls, |call| {
                // Who left what the last one found is to blame, however long ago.
                let left = sought.is_some() && sought == left(call);
                let old = !left && oldest.is_some_and(|oldest| call.completed <= oldest);
                let extra = call.action.is_observation() && call.completed != last && !observations;
                call.certain() && (old || extra)
            });
            if shrinker.impossible(&part) {
                return part;
            }
            window *= 2;
        }
    }
    calls.to_vec()
}

/// The value a call finds.
fn sought(call: &Call<Action>) -> Option<u32> {
    match call.action {
        Action::Read(value) | Action::Cas(value, _) => Some(value),
        Action::Not(_) | Action::Write(_) | Action::Append(_) => None,
    }
}

/// The value a call leaves.
fn left(call: &Call<Action>) -> Option<u32> {
    match call.action {
        Action::Write(value) | Action::Cas(_, value) => Some(value),
        Action::Read(_) | Action::Not(_) | Action::Append(_) => None,
    }
}

fn stuck_at(values: &Values<'_>, stuck: &Stuck, partial: bool) -> StuckAt {
    let mut open: Vec<&Open> = stuck.open.iter().collect();
    open.sort_by_key(|open| open.call.invoked);
    StuckAt {
        blamed: stuck.call.origin,
        noun: "values",
        possible: stuck.values.iter().map(|&value| values.show(value)).collect(),
        partial,
        unknown: !stuck.unknown.is_empty(),
        pending: open.iter().map(|open| (open.call.origin, why_not(values, open, stuck, partial))).collect(),
    }
}

/// Why an open call cannot come next, or does not help.
fn why_not(values: &Values<'_>, open: &Open, stuck: &Stuck, partial: bool) -> String {
    let itself = open.call.origin == stuck.call.origin;
    let possible: Vec<String> = stuck.values.iter().map(|&value| values.show(value)).collect();
    let needed = |value: u32| {
        let value_shown = values.show(value);
        if stuck.values.contains(&value) {
            format!(
                "finds {value_shown} in some orders, but only in those that leave another completed operation without \
                 its place"
            )
        } else {
            let by = if partial { " by the operations of the witness" } else { "" };
            format!("needs the value to be {value_shown}; possible are only{by}: {}", list(&possible))
        }
    };
    match open.call.action {
        Action::Read(value) if !itself && !open.waiting => {
            format!("has found {} already", values.show(value))
        }
        Action::Read(value) => needed(value),
        Action::Not(_) if !itself && !open.waiting => "has happened already".to_owned(),
        Action::Not(value) => {
            format!(
                "needs the value to be another than {}, which is the only possible one",
                values.show(value)
            )
        }
        Action::Cas(..) | Action::Write(_) | Action::Append(_) if !open.waiting => {
            "has happened already in every order that is left".to_owned()
        }
        Action::Cas(from, _) if itself || !stuck.values.contains(&from) => needed(from),
        Action::Cas(_, to) | Action::Write(to) => {
            format!("can come next and leaves {}, which does not let the others complete", values.show(to))
        }
        Action::Append(_) => "can come next, which does not let the others complete".to_owned(),
    }
}
