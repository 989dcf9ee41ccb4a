//! Judges histories of any object: key by key, by the fastest method the object has.

use super::{
    Judged, Model, Specification, Verdict, Witness,
    call::{Call, When},
    depth_first::{Ahead, Classes, Found, Interned, Steps, Subject, search, search_for_order},
    encode::{Names, encode},
    keys::{Decided, Key, split, split_by},
    method::{self, Decision},
    objects::{Container, Discipline},
    read_registers::{NotedKey, read_registers},
    witness,
};
use crate::limits::{Limits, Share, Stop};
use crate::parallel::parallel_map;
use history::Operation;

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
    Judge { operations, limits, ordered: false }.of_keys(&keys, encoder(operations, specification)).0
}

/// What there is to judge.
pub(super) struct Judge<'a> {
    pub(super) operations: &'a [Operation],
    pub(super) limits: &'a Limits<'a>,
    /// Whether orders are asked for.
    pub(super) ordered: bool,
}

impl Judge<'_> {
    /// Keys that hold one value each.
    pub(super) fn values(&self, model: Model) -> Judged {
        let noted = read_registers(self.operations, model, self.limits);
        let sizes: Vec<usize> = noted.keys.iter().map(NotedKey::len).collect();
        let decisions = parallel_map(&sizes, self.limits.workers, |key| {
            let (values, ops) = encode(&noted.keys[key], &noted.marks, Names::Observed)?;
            if self.ordered {
                let (decision, order) = method::decide_and_order(&values, &ops, self.limits);
                return Ok((decision, Some(order)));
            }
            Ok((method::decide(&values, &ops, self.limits), None))
        });
        let names: Vec<Option<&str>> = noted.keys.iter().map(|key| key.name).collect();
        let explain = |key: usize, op: &_| {
            let (values, ops) = encode(&noted.keys[key], &noted.marks, Names::All)
                .expect("an operation that was understood once is understood again");
            self.limits.share(Share::WITNESS_OF_VALUE, |limits| {
                witness::explain(self.operations, names[key], &values, &ops, op, limits)
            })
        };
        let completions = |key: usize| -> Vec<Option<usize>> {
            let of_key = self.operations.iter().filter(|operation| operation.key.as_deref() == names[key]);
            of_key.map(|operation| operation.completed).collect()
        };
        self.conclude(&names, decisions, |op| op.completed, explain, completions)
    }

    /// Keys of a specification.
    pub(super) fn specified(&self, specification: &impl Specification) -> Judged {
        self.subjects(encoder(self.operations, specification))
    }

    /// Keys that are queues or stacks of some kind.
    pub(super) fn container(&self, discipline: Discipline) -> Judged {
        self.subjects(|indexes| Container::encode(discipline, self.operations, indexes))
    }

    /// Keys of any kind. `encode` makes the calls of a key from the indexes of its operations; its error says which is not understood.
    pub(super) fn subjects<S: Subject>(&self, encode: impl Fn(&[u32]) -> Encoded<S> + Sync) -> Judged {
        self.of_keys(&split(self.operations), encode)
    }

    fn of_keys<S: Subject>(&self, keys: &[Key<'_>], encode: impl Fn(&[u32]) -> Encoded<S> + Sync) -> Judged {
        let sizes: Vec<usize> = keys.iter().map(|key| key.indexes.len()).collect();
        let decisions = parallel_map(&sizes, self.limits.workers, |key| {
            let (subject, calls) = encode(&keys[key].indexes)?;
            let (decision, order) = decide(&subject, &calls, self.limits, self.ordered);
            let decision = match decision {
                Decision::Linearizable => Decision::Linearizable,
                Decision::Impossible(call) => Decision::Impossible((call.completed, call.origin)),
                Decision::Unknown { why, sound_until } => Decision::Unknown { why, sound_until },
            };
            Ok((decision, order))
        });
        let names: Vec<Option<&str>> = keys.iter().map(|key| key.name.as_deref()).collect();
        let explain = |key: usize, &blamed: &_| {
            let (subject, calls) = encode(&keys[key].indexes)
                .expect("an operation that was understood once is understood again");
            self.limits.share(Share::WITNESS_OF_OBJECT, |limits| {
                witness::explain_calls(self.operations, names[key], &subject, &calls, blamed, limits)
            })
        };
        let completions = |key: usize| -> Vec<Option<usize>> {
            keys[key].indexes.iter().map(|&index| self.operations[index as usize].completed).collect()
        };
        self.conclude(&names, decisions, |&(completed, _)| completed, explain, completions)
    }

    /// What the decisions of all keys come to. `completed` says when the operation to blame completed,
    /// `completions` when each operation of a key did.
    fn conclude<O>(
        &self,
        names: &[Option<&str>],
        decisions: Vec<Decided<O>>,
        completed: impl Fn(&O) -> u32,
        explain: impl FnOnce(usize, &O) -> Witness,
        completions: impl Fn(usize) -> Vec<Option<usize>>,
    ) -> Judged {
        let mut orders = self.ordered.then(Vec::new);
        let mut impossible = Vec::new();
        let mut reasons = Vec::new();
        for (key, decision) in decisions.into_iter().enumerate() {
            match decision {
                Ok((Decision::Linearizable, order)) => {
                    orders = orders.zip(order).map(|(mut orders, order)| {
                        orders.push(order);
                        orders
                    });
                }
                Ok((Decision::Impossible(op), _)) => impossible.push((op, key)),
                Ok((Decision::Unknown { why, sound_until }, _)) => {
                    reasons.push(unknown(names[key], &why.to_string(), &completions(key), sound_until));
                }
                Err(reason) => reasons.push(reason),
            }
        }
        impossible.sort_by_key(|(op, _)| completed(op));
        if let [(op, key), others @ ..] = impossible.as_slice() {
            let mut witness = explain(*key, op);
            witness.other_keys = others.iter().map(|&(_, key)| names[key].map(str::to_owned)).collect();
            return (Verdict::Invalid(Box::new(witness)), None);
        }
        match reasons.as_slice() {
            [] => (Verdict::Valid { keys: names.len(), operations: self.operations.len() }, orders),
            [reason] => (Verdict::Unknown { reason: reason.clone() }, None),
            [reason, others @ ..] => {
                let reason = format!("{reason}; {} more keys are undecided", others.len());
                (Verdict::Unknown { reason }, None)
            }
        }
    }
}

fn unknown(name: Option<&str>, why: &str, completions: &[Option<usize>], sound_until: u32) -> String {
    let sound = |completed: &&Option<usize>| completed.is_some_and(|event| event < sound_until as usize);
    let decided = completions.iter().filter(sound).count();
    let of = name.map_or_else(String::new, |name| format!("key {name}: "));
    format!("{of}{why}; the first {decided} of {} operations to complete are linearizable", completions.len())
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

/// One key of an object with its calls; the error says which operation is not understood.
type Encoded<S> = Result<(S, Vec<Call<<S as Subject>::Action>>), String>;

/// Makes the calls of operations, given by their indexes, under a specification.
fn encoder<'a, S: Specification>(
    operations: &'a [Operation],
    specification: &'a S,
) -> impl Fn(&[u32]) -> Encoded<Plain<'a, S>> + Sync {
    |indexes| {
        let action = |operation: &_| specification.action(operation);
        Ok((Plain(specification), calls(operations, indexes, action)?))
    }
}

/// The calls of one key, whose indexes come in order of invocation.
pub(super) fn calls<A>(
    operations: &[Operation],
    indexes: &[u32],
    action: impl Fn(&Operation) -> Result<Option<A>, String>,
) -> Result<Vec<Call<A>>, String> {
    let mut calls = Vec::with_capacity(indexes.len());
    for &index in indexes {
        let operation = &operations[index as usize];
        let action = action(operation).map_err(|why| {
            format!("operation {index} (event {}) is not understood: {why}", operation.invoked)
        })?;
        calls.extend(action.map(|action| When::of(operation, index).call(action)));
    }
    Ok(calls)
}

/// Decides one key, whose calls come in order of invocation; where it is linearizable and an order is asked for,
/// also in which order, by origin.
fn decide<S: Subject>(
    subject: &S,
    calls: &[Call<S::Action>],
    limits: &Limits<'_>,
    ordered: bool,
) -> (Decision<Call<S::Action>>, Option<Vec<u32>>) {
    if limits.stopped() {
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

/// The call with whose completion a history becomes impossible, by halving. The whole must be. What the
/// limits leave undecided counts as possible, so that a later call may be blamed.
fn earliest<S: Subject>(subject: &S, calls: &[Call<S::Action>], limits: &Limits<'_>) -> Call<S::Action> {
    let mut completions: Vec<&Call<S::Action>> = calls.iter().filter(|call| call.certain()).collect();
    completions.sort_by_key(|call| call.completed);
    let first = limits.share(Share::BLAME_OF_OBJECT, |limits| {
        completions
            .partition_point(|call| !impossible(subject, &until(subject, calls, call.completed), limits))
    });
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
