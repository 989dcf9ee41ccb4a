//! Judges histories of any object: key by key, by the fastest method the object has.

use super::{
    Judged, Model, Specification, Verdict, Witness,
    call::{Call, When},
    depth_first::{Ahead, Classes, Interned, Steps, Subject},
    encode::{Names, encode},
    keys::{Decided, Key, split, split_by},
    method::{Decision, Method, decide},
    objects::{Container, Discipline},
    read_registers::{NotedKey, read_registers},
    witness::{self, Blamed},
};
use crate::limits::Limits;
use crate::order::sort_by_key;
use crate::parallel::parallel_map;
use history::{OperationRef, Operations, ToOperations};

/// Whether the operations are linearizable under a specification of one's own.
///
/// As [`check`](super::check), for objects that are no [`Model`]. An operation that the specification does
/// not understand makes the verdict [`Verdict::Unknown`].
pub fn check_against<S: Specification>(
    operations: &(impl ToOperations + ?Sized),
    specification: &S,
    limits: &Limits<'_>,
) -> Verdict {
    let operations = &*operations.to_operations();
    let keys = split_by(operations, |operation| specification.partition(operation));
    Judge { operations, limits, ordered: false }.of_keys(&keys, encoder(operations, specification)).0
}

/// What there is to judge.
pub(super) struct Judge<'a> {
    pub(super) operations: &'a Operations,
    pub(super) limits: &'a Limits<'a>,
    /// Whether orders are asked for.
    pub(super) ordered: bool,
}

impl Judge<'_> {
    /// Keys that hold one value each.
    pub(super) fn values(&self, model: Model) -> Judged {
        let noted = read_registers(self.operations, model, self.limits);
        let keys = Keys {
            names: noted.keys.iter().map(|key| key.name).collect(),
            sizes: noted.keys.iter().map(NotedKey::len).collect(),
        };
        let completions = |key: usize| -> Vec<Option<usize>> {
            let of_key = self.operations.iter().filter(|operation| operation.key == keys.names[key]);
            of_key.map(|operation| operation.completed).collect()
        };
        self.judge(&keys, |key, names| encode(&noted.keys[key], &noted.marks, names), completions)
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
    pub(super) fn subjects<M: Method>(&self, encode: impl Fn(&[u32]) -> Encoded<M> + Sync) -> Judged {
        self.of_keys(&split(self.operations), encode)
    }

    fn of_keys<M: Method>(&self, keys: &[Key<'_>], encode: impl Fn(&[u32]) -> Encoded<M> + Sync) -> Judged {
        let known = Keys {
            names: keys.iter().map(|key| key.name.as_deref()).collect(),
            sizes: keys.iter().map(|key| key.indexes.len()).collect(),
        };
        let completions = |key: usize| -> Vec<Option<usize>> {
            keys[key].indexes.iter().map(|&index| self.operations.at(index as usize).completed).collect()
        };
        self.judge(&known, |key, _| encode(&keys[key].indexes), completions)
    }

    /// Decides all keys and puts the decisions together. `encode` makes the calls of a key by its number,
    /// `completions` says when each operation of a key completed.
    fn judge<M: Method>(
        &self,
        keys: &Keys<'_>,
        encode: impl Fn(usize, Names) -> Encoded<M> + Sync,
        completions: impl Fn(usize) -> Vec<Option<usize>>,
    ) -> Judged {
        let decisions = parallel_map(&keys.sizes, self.limits.workers, |key| {
            let (method, calls) = encode(key, Names::Observed)?;
            let (decision, order) = decide(&method, &calls, self.limits, self.ordered);
            Ok((decision.map(|call| Blamed { completed: call.completed, origin: call.origin }), order))
        });
        let explain = |key: usize, blamed: Blamed| {
            let (method, calls) =
                encode(key, Names::All).expect("an operation that was understood once is understood again");
            self.limits.share(M::WITNESS, |limits| {
                witness::explain(self.operations, keys.names[key], &method, &calls, blamed, limits)
            })
        };
        self.conclude(&keys.names, decisions, explain, completions)
    }

    /// What the decisions of all keys come to.
    fn conclude(
        &self,
        names: &[Option<&str>],
        decisions: Vec<Decided<Blamed>>,
        explain: impl FnOnce(usize, Blamed) -> Witness,
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
                Ok((Decision::Impossible(blamed), _)) => impossible.push((blamed, key)),
                Ok((Decision::Unknown { why, sound_until }, _)) => {
                    reasons.push(unknown(names[key], &why.to_string(), &completions(key), sound_until));
                }
                Err(reason) => reasons.push(reason),
            }
        }
        sort_by_key(&mut impossible, |(blamed, _)| blamed.completed.into());
        if let [(blamed, key), others @ ..] = impossible.as_slice() {
            let mut witness = explain(*key, *blamed);
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

/// The keys of a history: their names, and how many operations each has.
struct Keys<'a> {
    names: Vec<Option<&'a str>>,
    sizes: Vec<usize>,
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
type Encoded<M> = Result<(M, Vec<Call<<M as Method>::Action>>), String>;

/// Makes the calls of operations, given by their indexes, under a specification.
fn encoder<'a, S: Specification>(
    operations: &'a Operations,
    specification: &'a S,
) -> impl Fn(&[u32]) -> Encoded<Plain<'a, S>> + Sync {
    |indexes| {
        let action = |operation: OperationRef<'_>| specification.action(operation);
        Ok((Plain(specification), calls(operations, indexes, action)?))
    }
}

/// The calls of one key, whose indexes come in order of invocation.
pub(super) fn calls<A>(
    operations: &Operations,
    indexes: &[u32],
    action: impl Fn(OperationRef<'_>) -> Result<Option<A>, String>,
) -> Result<Vec<Call<A>>, String> {
    let mut calls = Vec::with_capacity(indexes.len());
    for &index in indexes {
        let operation = operations.at(index as usize);
        let action = action(operation).map_err(|why| {
            format!("operation {index} (event {}) is not understood: {why}", operation.invoked)
        })?;
        calls.extend(action.map(|action| When::of(operation, index).call(action)));
    }
    Ok(calls)
}
