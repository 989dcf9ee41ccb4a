//! Depth-first search with backtracking and memoization, for any object: Wing & Gong with memoization (Lowe 2017).
//!
//! *Problem*: find an order of all calls of one key that respects real time and that the object allows.
//!
//! *Idea*: choose linearization points one after another. The next call may be any that was invoked before the
//! earliest completion among the calls without a linearization point. Apply it to the state, go on, and backtrack
//! where no call fits. A *configuration* is the set of calls that have their linearization point and the state they
//! lead to; what follows depends on nothing else, so a configuration that failed once is remembered and never entered
//! again.
//!
//! *Why it is right*: every order that respects real time is tried, or differs from a tried one only by steps that
//! cannot matter. A pure call that fits is applied at once, as it leaves the state alone. Of equal calls the one that
//! completes first goes first. Calls with an unknown result are counted by class, and a configuration that used fewer
//! of them covers one that used more. Configurations are compared exactly: there is no fingerprint that could
//! collide.
//!
//! *Cost*: exponential in the number of concurrent calls in the worst case (the problem is NP-complete), near-linear
//! in the length of the history at fixed concurrency. A configuration takes memory by concurrency, not by length: a
//! mark, below which every call has its linearization point, and one bit for each call open there.
//!
//! *Source*: Wing and Gong, "Testing and verifying concurrent objects" (JPDC 1993); Lowe, "Testing for
//! linearizability" (CCPE 2017).

mod memory;
mod object;
mod plan;
mod search;

pub(super) use object::{Interned, Object, Steps, count};

use super::{
    call::Call,
    method::{Decision, Method, Ordered, Proof, earliest, impossible},
    witness,
};
use crate::limits::{Budget, Limits, Share, Stop};
use plan::Plan;
use search::Search;
use std::hash::Hash;

/// One kind of object, with what is known of one key of it.
pub(super) trait Subject {
    /// What an operation does.
    type Action: Clone + Eq + Hash;
    /// The object as the search wants it.
    type Object<'a>: Object
    where
        Self: 'a;

    /// Whether the action never changes a state.
    fn is_pure(&self, action: &Self::Action) -> bool;
    /// The object for a history of these calls. With [`Ahead::Yes`] it may use that it knows them all.
    fn object<'a>(&'a self, classes: &Classes<'a, Self::Action>, ahead: Ahead) -> Self::Object<'a>;
    /// A faster answer than the search's, where there is one.
    fn quick(&self, calls: &[Call<Self::Action>], limits: &Limits<'_>) -> Option<bool> {
        let _ = (calls, limits);
        None
    }
    /// An order for what [`quick`](Self::quick) says is linearizable, by origin; none where only a search
    /// can tell.
    fn quick_order(&self, calls: &[Call<Self::Action>], limits: &Limits<'_>) -> Option<Vec<u32>> {
        let _ = (calls, limits);
        None
    }
    /// Which calls belong together: without all calls of one group, what was linearizable still is.
    fn group(&self, action: &Self::Action) -> Option<u32> {
        let _ = action;
        None
    }
    /// Whether a witness gets small by loosening calls: where each state only depends on a few of them.
    fn loosens(&self) -> bool {
        false
    }
    /// Drops calls that may not have happened and that help no other call: without them, what was linearizable
    /// still is, and the other way round.
    fn drop_useless(&self, calls: &mut Vec<Call<Self::Action>>) {
        calls.retain(|call| call.certain() || !self.is_pure(&call.action));
    }
}

/// Whether an object leaves out states from which what is left of the history cannot be explained. That is
/// faster, but the search may get stuck before the operation that is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    Yes,
    No,
}

/// The calls of a history by their actions: equal ones have one class.
#[derive(Debug)]
pub(super) struct Classes<'a, A> {
    /// By class.
    pub(super) actions: &'a [A],
    /// By class: how many operations certainly happened, and how many may have.
    pub(super) counts: Vec<(u32, u32)>,
}

/// The farthest the search came.
#[derive(Debug)]
pub(super) struct Stuck {
    /// Whether it came as far as any order does; false with an object that looks ahead.
    pub(super) exact: bool,
    /// The call that cannot complete, as an index in the calls.
    pub(super) call: usize,
    /// Some of the states that were possible right before, for people.
    pub(super) states: Vec<String>,
    /// The certain calls that were open there, as indexes in the calls.
    pub(super) open: Vec<(usize, Hope)>,
}

/// What an open call could still do where the search was stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hope {
    /// It is in every order that is left.
    Placed,
    /// It cannot have had its result in any of the states.
    Blocked,
    /// It can come next.
    Free,
}

/// Searches one key, whose calls come in order of invocation.
pub(super) fn search<S: Subject>(
    subject: &S,
    calls: &[Call<S::Action>],
    limits: &Limits<'_>,
    ahead: Ahead,
) -> Decision<Stuck> {
    search_by(subject, calls, limits, ahead).0
}

/// The same, and where it is linearizable in which order, by origin.
pub(super) fn search_for_order<S: Subject>(
    subject: &S,
    calls: &[Call<S::Action>],
    limits: &Limits<'_>,
) -> Ordered<Stuck> {
    let (found, indexes) = search_by(subject, calls, limits, Ahead::Yes);
    let origins = |indexes: Vec<u32>| indexes.iter().map(|&index| calls[index as usize].origin).collect();
    (found, indexes.map(origins))
}

/// What was found, and the order if there is one, as indexes in the calls.
type Searched = Ordered<Stuck>;

fn search_by<S: Subject>(
    subject: &S,
    calls: &[Call<S::Action>],
    limits: &Limits<'_>,
    ahead: Ahead,
) -> Searched {
    let (actions, classes) = plan::classes(calls);
    let mut counts = vec![(0, 0); actions.len()];
    for (call, &class) in calls.iter().zip(&classes) {
        let (certain, optional) = &mut counts[class as usize];
        *(if call.certain() { certain } else { optional }) += 1;
    }
    let pure = actions.iter().map(|action| subject.is_pure(action)).collect();
    let plan = Plan::new(calls, &classes, pure);
    let object = subject.object(&Classes { actions: &actions, counts }, ahead);
    match plan.live {
        0..=64 => run::<_, _, 1>(&plan, object, calls, limits),
        65..=512 => run::<_, _, 8>(&plan, object, calls, limits),
        513..=4096 => run::<_, _, 64>(&plan, object, calls, limits),
        open => (Decision::Unknown { why: Stop::Concurrency(open), sound_until: 0 }, None),
    }
}

fn run<A, O: Object, const W: usize>(
    plan: &Plan,
    object: O,
    calls: &[Call<A>],
    limits: &Limits<'_>,
) -> Searched {
    let looks_ahead = object.looks_ahead();
    let mut search = Search::<O, W>::new(plan, object);
    let found = search.run(&mut Budget::new(limits));
    let index = |rank: u32| plan.indexes[rank as usize] as usize;
    let decision = match found {
        Ok(true) => return (Decision::Linearizable, Some(search.order())),
        Ok(false) => Decision::Impossible(Stuck {
            exact: !looks_ahead,
            call: index(search.deepest),
            states: search.states(),
            open: search.open().into_iter().map(|(rank, hope)| (index(rank), hope)).collect(),
        }),
        Err(why) => {
            let known = !looks_ahead && !plan.indexes.is_empty();
            let sound_until = if known { calls[index(search.deepest)].completed } else { 0 };
            Decision::Unknown { why, sound_until }
        }
    };
    (decision, None)
}

impl<S: Subject> Method for S {
    type Action = S::Action;
    const WITNESS: Share = Share::WITNESS_OF_OBJECT;

    fn quick(&self, calls: &[Call<S::Action>], limits: &Limits<'_>) -> Option<bool> {
        Subject::quick(self, calls, limits)
    }

    fn quick_order(&self, calls: &[Call<S::Action>], limits: &Limits<'_>) -> Option<Vec<u32>> {
        Subject::quick_order(self, calls, limits)
    }

    fn search(
        &self,
        calls: &[Call<S::Action>],
        limits: &Limits<'_>,
        ordered: bool,
    ) -> Ordered<Option<Call<S::Action>>> {
        let (decision, order) = if ordered {
            search_for_order(self, calls, limits)
        } else {
            (search(self, calls, limits, Ahead::Yes), None)
        };
        (decision.map(|stuck| stuck.exact.then(|| calls[stuck.call].clone())), order)
    }

    fn blame(&self, calls: &[Call<S::Action>], limits: &Limits<'_>) -> Call<S::Action> {
        limits.share(Share::BLAME_OF_OBJECT, |limits| {
            earliest(self, calls, |part| impossible(self, part, limits))
        })
    }

    fn drop_useless(&self, calls: &mut Vec<Call<S::Action>>) {
        Subject::drop_useless(self, calls);
    }

    fn proof(
        &self,
        calls: &[Call<S::Action>],
        unneeded: &[Call<S::Action>],
        limits: &Limits<'_>,
    ) -> Proof<S::Action> {
        witness::prove_object(self, calls, unneeded, limits)
    }
}
