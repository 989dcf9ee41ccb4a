//! Is there one order of all operations that explains every result and respects real time?
//!
//! [`check`] decides it exactly, key by key. *Valid* and *invalid* are always right; where limits end the
//! work the answer is *unknown*. Operations that failed did not happen, except that a failed compare-and-set
//! whose precondition did not hold is an observation. Operations of unknown outcome may have happened at any
//! time after their invocation, or never.
//!
//! ```
//! use checker::history::{pair, read_jsonl};
//! use checker::linearizability::{Limits, Model, Verdict, check};
//!
//! let file = r#"{"history":1,"spec":"doc","variant":"main","model":"register","seed":1,"started":"2026-11-23T10:00:00Z"}
//! {"time":1,"process":0,"type":"invoke","f":"write","key":"k1","value":17}
//! {"time":2,"process":0,"type":"ok","f":"write","key":"k1","value":17}
//! {"time":3,"process":1,"type":"invoke","f":"read","key":"k1"}
//! {"time":4,"process":1,"type":"ok","f":"read","key":"k1","value":null}
//! "#;
//! let operations = pair(&read_jsonl(file.as_bytes())?.events)?;
//! let Verdict::Invalid(witness) = check(&operations, Model::Register, &Limits::DEFAULT) else {
//!     panic!("a read after a write finds nothing")
//! };
//! assert_eq!(witness.operations, [0, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod encode;
mod frontier;
mod keys;
mod method;
mod model;
mod object;
mod registers;
#[cfg(test)]
mod tests;
mod values;
mod verdict;
mod witness;

pub(crate) use frontier::{Halt, LiveSearch};
pub(crate) use object::{Action, NEVER, Op};
pub(crate) use registers::{Contradiction, LiveZones, Repeated, Token};

pub use model::{Model, UnknownModel};
pub use verdict::{Limits, Pending, Verdict, Witness};

use crate::{certificate::Linearization, history::Operation};
use keys::Key;
use method::Decision;

/// Whether the operations are linearizable under the model, each key starting absent.
///
/// Operations come from [`pair`](crate::history::pair) or elsewhere; only the order of
/// [`Operation::invoked`] and [`Operation::completed`] matters, and equal ones are concurrent.
/// An invalid key beats an unknown one.
pub fn check(operations: &[Operation], model: Model, limits: &Limits<'_>) -> Verdict {
    judge(operations, model, limits, false).0
}

/// The same check, and with a valid verdict an order of the operations of each key that explains every
/// result, for [`confirm`](crate::certificate::confirm). It takes up to twice as long, and about 40 bytes
/// more for each operation.
pub fn check_certified(
    operations: &[Operation],
    model: Model,
    limits: &Limits<'_>,
) -> (Verdict, Option<Linearization>) {
    let (verdict, orders) = judge(operations, model, limits, true);
    let valid = matches!(verdict, Verdict::Valid { .. });
    (verdict, valid.then_some(Linearization { orders }))
}

fn judge(
    operations: &[Operation],
    model: Model,
    limits: &Limits<'_>,
    ordered: bool,
) -> (Verdict, Vec<Vec<u32>>) {
    let keys = keys::split(operations);
    let decisions = keys::decide_all(operations, &keys, model, limits, ordered);
    let mut orders = Vec::new();
    let mut impossible = Vec::new();
    let mut reasons = Vec::new();
    for (key, decision) in keys.iter().zip(decisions) {
        match decision {
            Ok((Decision::Linearizable, order)) => orders.push(order),
            Ok((Decision::Impossible(op), _)) => impossible.push((op, key)),
            Ok((Decision::Unknown { why, sound_until }, _)) => {
                reasons.push(unknown(operations, key, &why.to_string(), sound_until));
            }
            Err(reason) => reasons.push(reason),
        }
    }
    impossible.sort_by_key(|(op, _)| op.completed);
    if let [(op, key), others @ ..] = impossible.as_slice() {
        let mut witness = witness::explain(operations, key, model, op, limits);
        witness.other_keys = others.iter().map(|(_, key)| key.name.map(str::to_owned)).collect();
        return (Verdict::Invalid(Box::new(witness)), Vec::new());
    }
    let verdict = match reasons.as_slice() {
        [] => Verdict::Valid { keys: keys.len(), operations: operations.len() },
        [reason] => Verdict::Unknown { reason: reason.clone() },
        [reason, others @ ..] => {
            Verdict::Unknown { reason: format!("{reason}; {} more keys are undecided", others.len()) }
        }
    };
    (verdict, orders)
}

fn unknown(operations: &[Operation], key: &Key<'_>, why: &str, sound_until: u32) -> String {
    let decided = key
        .places
        .iter()
        .filter(|&&place| {
            operations[place as usize].completed.is_some_and(|event| event < sound_until as usize)
        })
        .count();
    let of = key.name.map_or_else(String::new, |name| format!("key {name}: "));
    format!("{of}{why}; the first {decided} of {} operations to complete are linearizable", key.places.len())
}
