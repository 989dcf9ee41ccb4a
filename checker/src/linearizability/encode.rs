//! Turns the operations of one key into actions on one value.

use super::{
    Model,
    call::moment,
    object::{Action, NEVER, Op},
    values::{IMPOSSIBLE, Values},
};
use crate::history::{Operation, Outcome};
use serde_json::Value;

/// Which values keep a number of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Those some operation looks for: all that a verdict needs.
    Observed,
    /// Those that are written as well, so that a person can be told what was there.
    All,
}

/// An operation of a key, before its values have numbers.
enum Meaning<'a> {
    Nothing,
    Read(&'a Value),
    /// A compare-and-set from the first value found the second instead.
    Found(&'a Value, &'a Value),
    Not(&'a Value),
    Write(&'a Value),
    Cas(&'a Value, &'a Value),
    Append(&'a Value),
}

/// Turns the operations of one key, given by their places, into actions in the order of invocation.
/// The error says which operation is not understood.
pub(super) fn encode<'a>(
    operations: &'a [Operation],
    places: &[u32],
    model: Model,
    names: Names,
) -> Result<(Values<'a>, Vec<Op>), String> {
    let mut meanings = Vec::with_capacity(places.len());
    for &place in places {
        meanings.push(meaning(place, &operations[place as usize], model)?);
    }
    let text = meanings.iter().any(|meaning| matches!(meaning, Meaning::Append(_)));
    let mut values = Values::new(text);
    for meaning in &meanings {
        match meaning {
            Meaning::Read(value) | Meaning::Not(value) | Meaning::Cas(value, _) => {
                values.observe(value);
            }
            Meaning::Found(from, actual) => {
                values.observe(from);
                values.observe(actual);
            }
            Meaning::Nothing | Meaning::Write(_) | Meaning::Append(_) => {}
        }
    }
    if names == Names::All {
        for meaning in &meanings {
            if let Meaning::Write(value) | Meaning::Cas(_, value) = meaning {
                values.observe(value);
            }
        }
    }
    let mut ops = Vec::with_capacity(meanings.len());
    for (&place, meaning) in places.iter().zip(&meanings) {
        let operation = &operations[place as usize];
        let completed = match operation.outcome {
            Outcome::Ok(_) | Outcome::Fail { .. } => operation.completed.map_or(NEVER, moment),
            Outcome::Info { .. } => NEVER,
        };
        let Some(action) = action(meaning, &mut values) else { continue };
        if completed != NEVER || !action.is_observation() {
            ops.push(Op { action, invoked: moment(operation.invoked), completed, origin: place });
        }
    }
    Ok((values, ops))
}

/// The action behind a meaning, once all values that are looked for have numbers.
fn action<'a>(meaning: &Meaning<'a>, values: &mut Values<'a>) -> Option<Action> {
    Some(match meaning {
        Meaning::Nothing => return None,
        Meaning::Read(value) => Action::Read(values.find(value)),
        Meaning::Found(from, actual) => match (values.find(from), values.find(actual)) {
            (from, actual) if from == actual => Action::Read(IMPOSSIBLE),
            (_, actual) => Action::Read(actual),
        },
        Meaning::Not(value) => Action::Not(values.find(value)),
        Meaning::Write(value) => Action::Write(values.find(value)),
        Meaning::Cas(from, to) => match (values.find(from), values.find(to)) {
            (from, to) if from == to => Action::Read(from),
            (from, to) => Action::Cas(from, to),
        },
        Meaning::Append(suffix) => Action::Append(values.suffix(suffix)),
    })
}

fn meaning(place: u32, operation: &Operation, model: Model) -> Result<Meaning<'_>, String> {
    let keyed = match model {
        Model::Register | Model::CasRegister => false,
        Model::Kv => true,
        Model::MultiRegister
        | Model::Mutex
        | Model::Set
        | Model::Counter
        | Model::FifoQueue
        | Model::UnorderedQueue
        | Model::Stack
        | Model::PriorityQueue => unreachable!("these models hold more than one value a key"),
    };
    let happened = !matches!(operation.outcome, Outcome::Fail { .. });
    let update = |meaning| if happened { meaning } else { Meaning::Nothing };
    Ok(match operation.f.as_str() {
        "read" | "get" => match &operation.outcome {
            Outcome::Ok(value) => Meaning::Read(value),
            Outcome::Fail { .. } | Outcome::Info { .. } => Meaning::Nothing,
        },
        "write" | "put" => update(Meaning::Write(&operation.argument)),
        "delete" if keyed => update(Meaning::Write(&Value::Null)),
        "append" if keyed => update(Meaning::Append(&operation.argument)),
        "cas" => {
            let Some([from, to]) = operation.argument.as_array().map(Vec::as_slice) else {
                return Err(format!(
                    "the cas invoked at event {} has the value {}; it should be [from, to]",
                    operation.invoked, operation.argument
                ));
            };
            cas(from, to, &operation.outcome)
        }
        other => {
            return Err(format!(
                "operation {place} (event {}) is {other:?}, which the model {model} does not know",
                operation.invoked
            ));
        }
    })
}

fn cas<'a>(from: &'a Value, to: &'a Value, outcome: &'a Outcome) -> Meaning<'a> {
    match outcome {
        Outcome::Ok(_) | Outcome::Info { .. } => Meaning::Cas(from, to),
        Outcome::Fail { actual: Some(actual), .. } => Meaning::Found(from, actual),
        Outcome::Fail { error: Some(error), actual: None } if error == "precondition" => Meaning::Not(from),
        Outcome::Fail { .. } => Meaning::Nothing,
    }
}
