//! Just-in-time linearization for one value: a breadth-first search over configurations, event by event.
//!
//! *Problem*: decide whether operations on one register (reads, writes, compare-and-sets, appends) are linearizable,
//! for values that may repeat.
//!
//! *Idea*: walk through the events in order and keep the set of all configurations that explain the events so far. A
//! configuration is a value, and which open operations have their linearization point. Operations get one only when
//! an operation completes that needs it ("just in time"). Where the set becomes empty, the history is not
//! linearizable.
//!
//! *Why it is right*: only an antichain of configurations is kept. A configuration is dropped when another one with
//! the same value has all its possibilities, so whatever explains the rest from the first explains it from the
//! second. A read that fits is applied at once. An update that can have happened unseen, right before a write, no
//! longer needs a linearization point of its own. Operations with an unknown result that do the same are counted by
//! class. Narrow passes (a beam) come first and can only prove *linearizable*; the last pass is exact.
//!
//! *Cost*: exponential in concurrency in the worst case, near-linear in the length of the history. Memory follows
//! concurrency.
//!
//! *Source*: Lowe, "Testing for linearizability" (CCPE 2017). The antichain, the hidden updates and the beam are our
//! own.

mod config;
mod live;
mod mask;
mod path;
mod plan;
mod replay;
mod search;
mod slots;
mod uses;

use super::{
    call::Call,
    method::{Decision, Ordered},
    object::Action,
    values::Values,
};
use crate::limits::{Budget, Limits, Stop};
use path::{Path, Trail};
use plan::Plan;
use search::Search;

pub(crate) use live::{Halt, LiveSearch};
pub(super) use plan::drop_useless;

/// How much of the search space one pass looks at.
#[derive(Debug, Clone, Copy)]
struct Level {
    /// Configurations kept for each value.
    beam: usize,
    /// Operations of unknown outcome used for one completion.
    unknowns: u32,
    /// Whether those are used only where nothing else helps.
    lazy: bool,
}

/// Each pass is wider than the one before; the last one looks at everything.
const LEVELS: [Level; 5] = [
    Level { beam: 8, unknowns: 2, lazy: true },
    Level { beam: 32, unknowns: 3, lazy: true },
    Level { beam: 64, unknowns: 1, lazy: false },
    Level { beam: 512, unknowns: 2, lazy: false },
    Level { beam: usize::MAX, unknowns: u32::MAX, lazy: false },
];

/// The moment at which no configuration was left.
#[derive(Debug)]
pub(super) struct Stuck {
    /// The call that cannot complete.
    pub(super) call: Call<Action>,
    /// The values that were possible right before, in no order.
    pub(super) values: Vec<u32>,
    /// Whether these are all of them.
    pub(super) all: bool,
    /// The operations that were open, `call` among them.
    pub(super) open: Vec<Open>,
    /// Actions of unknown outcome that could have been used.
    pub(super) unknown: Vec<Action>,
}

/// An open operation at the moment the search was stuck.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) call: Call<Action>,
    /// Whether it could still have been seen to happen, in some configuration.
    pub(super) waiting: bool,
}

/// Searches one key, whose operations come in order of invocation. With `forget`, values that stop
/// mattering are merged: faster, but [`Stuck`] cannot name them.
pub(super) fn search(
    values: &Values<'_>,
    ops: &[Call<Action>],
    limits: &Limits<'_>,
    forget: bool,
) -> Decision<Stuck> {
    let plan = Plan::new(values, ops, forget);
    match plan.live {
        0..=64 => widen::<1, ()>(values, &plan, limits).0,
        65..=512 => widen::<8, ()>(values, &plan, limits).0,
        513..=4096 => widen::<64, ()>(values, &plan, limits).0,
        open => Decision::Unknown { why: Stop::Concurrency(open), sound_until: 0 },
    }
}

/// The same search, and where the key is linearizable, an order of its operations, by origin. It takes
/// about 40 bytes more for each operation.
pub(super) fn search_for_order(
    values: &Values<'_>,
    ops: &[Call<Action>],
    limits: &Limits<'_>,
) -> Ordered<Stuck> {
    fn ordered<const W: usize>(values: &Values<'_>, plan: &Plan, limits: &Limits<'_>) -> Ordered<Stuck> {
        let (found, trail) = widen::<W, Trail>(values, plan, limits);
        (found, trail.map(|trail| replay::order::<W>(values, plan, &trail.taken())))
    }
    let plan = Plan::new(values, ops, true);
    match plan.live {
        0..=64 => ordered::<1>(values, &plan, limits),
        65..=512 => ordered::<8>(values, &plan, limits),
        513..=4096 => ordered::<64>(values, &plan, limits),
        open => (Decision::Unknown { why: Stop::Concurrency(open), sound_until: 0 }, None),
    }
}

/// Searches in wider and wider passes; how the last configuration came about, if one is left.
fn widen<const W: usize, P: Path>(
    values: &Values<'_>,
    plan: &Plan,
    limits: &Limits<'_>,
) -> (Decision<Stuck>, Option<P>) {
    let mut budget = Budget::new(limits);
    let mut sound_until = 0;
    for level in LEVELS {
        let mut search = Search::<W, P>::new(values, &plan.classes, level);
        match search.run(plan, &mut budget) {
            Ok(None) => return (Decision::Linearizable, search.path().cloned()),
            Ok(Some(op)) => {
                sound_until = sound_until.max(search.now);
                if !search.cut {
                    return (Decision::Impossible(search.stuck(op)), None);
                }
            }
            Err(why) => {
                let sound_until = sound_until.max(search.now);
                return (Decision::Unknown { why, sound_until }, None);
            }
        }
    }
    unreachable!("the last pass cuts nothing")
}
