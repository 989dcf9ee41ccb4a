//! Judges histories of any object: key by key, by the fastest method the object has.

use super::{
    Judged, Limits, Model, Specification, Verdict, Witness,
    budget::Stop,
    call::Call,
    depth_first::{Ahead, Classes, Found, Interned, Steps, Subject, search, search_for_order},
    encode::{Names, encode},
    keys::{Decided, Key, decide_all, split_by},
    method::{self, Decision},
    objects::{Container, Discipline},
    witness,
};
use crate::history::Operation;
use std::sync::atomic::{AtomicU32, Ordering};

/// Whether the operations are linearizable under a specification of one's own.
///
/// As [`check`](super::check), for objects that are no [`Model`]. An operation that the specification does
/// not understand makes the verdict [`Verdict::Unknown`].
pub fn check_against<S: Specification>(
    operations: &[Operation],
    specification: &S,
    limits: &Limits<'_>,
) -> Verdict {
    let keys = split_by(operations, |operation| specification.partition(operation));
    Judge { operations, keys: &keys, limits, ordered: false }.specified(specification).0
}

/// What there is to judge.
pub(super) struct Judge<'a> {
    pub(super) operations: &'a [Operation],
    pub(super) keys: &'a [Key<'a>],
    pub(super) limits: &'a Limits<'a>,
    /// Whether somebody wants to know the orders.
    pub(super) ordered: bool,
}

impl Judge<'_> {
    /// Keys that hold one value each.
    pub(super) fn values(&self, model: Model) -> Judged {
        let decisions = decide_all(self.keys, self.limits, |key| {
            let (values, ops) = encode(self.operations, &key.places, model, Names::Observed)?;
            if self.ordered {
                let (decision, order) = method::decide_and_order(&values, &ops, self.limits);
                return Ok((decision, Some(order)));
            }
            Ok((method::decide(&values, &ops, self.limits), None))
        });
        let explain = |key: &Key<'_>, op: &_| witness::explain(self.operations, key, model, op, self.limits);
        self.conclude(decisions, |op| op.completed, explain)
    }

    /// Keys of a specification.
    pub(super) fn specified(&self, specification: &impl Specification) -> Judged {
        self.subjects(|places| {
            let action = |operation: &_| specification.action(operation);
            Ok((Plain(specification), calls(self.operations, places, action)?))
        })
    }

    /// Keys that are queues or stacks of some kind.
    pub(super) fn container(&self, discipline: Discipline) -> Judged {
        self.subjects(|places| Container::encode(discipline, self.operations, places))
    }

    /// Keys of any kind. `encode` makes the calls of a key's places; its error says which is not understood.
    pub(super) fn subjects<S: Subject>(
        &self,
        encode: impl Fn(&[u32]) -> Result<(S, Vec<Call<S::Action>>), String> + Sync,
    ) -> Judged {
        let decisions = decide_all(self.keys, self.limits, |key| {
            let (subject, calls) = encode(&key.places)?;
            let (decision, order) = decide(&subject, &calls, self.limits, self.ordered);
            let decision = match decision {
                Decision::Linearizable => Decision::Linearizable,
                Decision::Impossible(call) => Decision::Impossible((call.completed, call.origin)),
                Decision::Unknown { why, sound_until } => Decision::Unknown { why, sound_until },
            };
            Ok((decision, order))
        });
        self.conclude(
            decisions,
            |&(completed, _)| completed,
            |key, &blamed| {
                let (subject, calls) =
                    encode(&key.places).expect("an operation that was understood once is understood again");
                witness::explain_calls(self.operations, key, &subject, &calls, blamed, self.limits)
            },
        )
    }

    /// What the decisions of all keys come to. `completed` says when the operation to blame completed.
    fn conclude<O>(
        &self,
        decisions: Vec<Decided<O>>,
        completed: impl Fn(&O) -> u32,
        explain: impl FnOnce(&Key<'_>, &O) -> Witness,
    ) -> Judged {
        let mut orders = self.ordered.then(Vec::new);
        let mut impossible = Vec::new();
        let mut reasons = Vec::new();
        for (key, decision) in self.keys.iter().zip(decisions) {
            match decision {
                Ok((Decision::Linearizable, order)) => {
                    orders = orders.zip(order).map(|(mut orders, order)| {
                        orders.push(order);
                        orders
                    });
                }
                Ok((Decision::Impossible(op), _)) => impossible.push((op, key)),
                Ok((Decision::Unknown { why, sound_until }, _)) => {
                    reasons.push(unknown(self.operations, key, &why.to_string(), sound_until));
                }
                Err(reason) => reasons.push(reason),
            }
        }
        impossible.sort_by_key(|(op, _)| completed(op));
        if let [(op, key), others @ ..] = impossible.as_slice() {
            let mut witness = explain(key, op);
            witness.other_keys =
                others.iter().map(|(_, key)| key.name.as_deref().map(str::to_owned)).collect();
            return (Verdict::Invalid(Box::new(witness)), None);
        }
        match reasons.as_slice() {
            [] => (Verdict::Valid { keys: self.keys.len(), operations: self.operations.len() }, orders),
            [reason] => (Verdict::Unknown { reason: reason.clone() }, None),
            [reason, others @ ..] => {
                let reason = format!("{reason}; {} more keys are undecided", others.len());
                (Verdict::Unknown { reason }, None)
            }
        }
    }
}

fn unknown(operations: &[Operation], key: &Key<'_>, why: &str, sound_until: u32) -> String {
    let decided = key
        .places
        .iter()
        .filter(|&&place| {
            operations[place as usize].completed.is_some_and(|event| event < sound_until as usize)
        })
        .count();
    let of = key.name.as_ref().map_or_else(String::new, |name| format!("key {name}: "));
    format!("{of}{why}; the first {decided} of {} operations to complete are linearizable", key.places.len())
}

/// An object of which nothing is known but its specification.
pub(super) struct Plain<'s, S>(pub(super) &'s S);

impl<S: Specification> Subject for Plain<'_, S> {
    type Action = S::Action;
    type Object<'a>
        = Interned<'a, Self>
    where
        Self: 'a;

    fn is_pure(&self, action: &S::Action) -> bool {
        self.0.is_pure(action)
    }

    fn object<'a>(&'a self, classes: &Classes<'a, S::Action>, _: Ahead) -> Interned<'a, Self> {
        Interned::new(self, classes.actions)
    }
}

impl<S: Specification> Steps for Plain<'_, S> {
    type State = S::State;
    type Action = S::Action;

    fn initial(&self) -> S::State {
        self.0.initial()
    }

    fn step(&self, state: &S::State, action: &S::Action) -> impl IntoIterator<Item = S::State> {
        self.0.step(state, action)
    }

    fn bytes(&self, state: &S::State) -> usize {
        self.0.bytes(state)
    }

    fn show(&self, state: &S::State) -> String {
        self.0.show(state)
    }
}

/// The calls of one key, whose places come in order of invocation.
pub(super) fn calls<A>(
    operations: &[Operation],
    places: &[u32],
    action: impl Fn(&Operation) -> Result<Option<A>, String>,
) -> Result<Vec<Call<A>>, String> {
    let mut calls = Vec::with_capacity(places.len());
    for &place in places {
        let operation = &operations[place as usize];
        let action = action(operation).map_err(|why| {
            format!("operation {place} (event {}) is not understood: {why}", operation.invoked)
        })?;
        calls.extend(action.map(|action| Call::new(action, operation, place)));
    }
    Ok(calls)
}

/// Decides one key, whose calls come in order of invocation; where it is linearizable and somebody asked,
/// also in which order, by origin.
fn decide<S: Subject>(
    subject: &S,
    calls: &[Call<S::Action>],
    limits: &Limits<'_>,
    ordered: bool,
) -> (Decision<Call<S::Action>>, Option<Vec<u32>>) {
    if (limits.stop)() {
        return (Decision::Unknown { why: Stop::Time, sound_until: 0 }, None);
    }
    let quick = subject.quick(calls, limits);
    if quick == Some(false) {
        return (Decision::Impossible(earliest(subject, calls, limits)), None);
    }
    if quick == Some(true) {
        let order = ordered.then(|| {
            let quick = subject.quick_order(calls, limits);
            quick.or_else(|| search_for_order(subject, calls, limits).1)
        });
        return (Decision::Linearizable, order.flatten());
    }
    let (found, order) = if ordered {
        search_for_order(subject, calls, limits)
    } else {
        (search(subject, calls, limits, Ahead::Yes), None)
    };
    let decision = match found {
        Found::Linearizable => Decision::Linearizable,
        Found::Stuck(stuck) if stuck.exact => Decision::Impossible(calls[stuck.call].clone()),
        Found::Stuck(_) => Decision::Impossible(earliest(subject, calls, limits)),
        Found::Unknown { why, sound_until } => Decision::Unknown { why, sound_until },
    };
    (decision, order)
}

/// Whether calls are impossible, as far as the limits allow to say.
pub(super) fn impossible<S: Subject>(subject: &S, calls: &[Call<S::Action>], limits: &Limits<'_>) -> bool {
    match subject.quick(calls, limits) {
        Some(linearizable) => !linearizable,
        None => matches!(search(subject, calls, limits, Ahead::Yes), Found::Stuck(_)),
    }
}

/// What may be spent where the verdict is known and only its place is in question: configurations held, and
/// looks at the deadline.
const CONFIGURATIONS_FOR_THE_PLACE: usize = 300_000;
const LOOKS_FOR_THE_PLACE: u32 = 2_000;

/// The call with whose completion a history becomes impossible, by halving. The whole must be. What the
/// limits leave undecided counts as possible, so that a later call may be blamed.
fn earliest<S: Subject>(subject: &S, calls: &[Call<S::Action>], limits: &Limits<'_>) -> Call<S::Action> {
    let looks = AtomicU32::new(0);
    let stop = || looks.fetch_add(1, Ordering::Relaxed) >= LOOKS_FOR_THE_PLACE || (limits.stop)();
    let configurations = CONFIGURATIONS_FOR_THE_PLACE.min(limits.configurations);
    let limits = Limits { stop: &stop, configurations, ..*limits };
    let mut completions: Vec<&Call<S::Action>> = calls.iter().filter(|call| call.certain()).collect();
    completions.sort_by_key(|call| call.completed);
    let first = completions
        .partition_point(|call| !impossible(subject, &until(subject, calls, call.completed), &limits));
    let blamed = completions.get(first).or(completions.last());
    (*blamed.expect("a history without completions is linearizable")).clone()
}

/// The history as it stood when the completion at `event` came in: what was open then may or may not have
/// happened, and what was invoked later does not exist.
pub(super) fn until<S: Subject>(subject: &S, calls: &[Call<S::Action>], event: u32) -> Vec<Call<S::Action>> {
    let mut part: Vec<_> = calls
        .iter()
        .filter(|call| call.invoked <= event)
        .map(|call| if call.completed <= event { call.clone() } else { call.loosened() })
        .collect();
    subject.drop_useless(&mut part);
    part
}
