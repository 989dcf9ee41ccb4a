//! What events mean for a register: what was begun, and how it ended.

use crate::linearizability::Model;
use history::{Event, Kind};
use serde_json::Value;

/// What an operation was invoked to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Begun {
    Read,
    Write(Value),
    Cas(Value, Value),
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ended {
    /// A read that found this value, or an update that happened.
    Ok(Value),
    /// It did not happen.
    Failed,
    /// A compare-and-set that found this value instead.
    Found(Value),
    /// A compare-and-set that found another value.
    Missed,
    /// The outcome is unknown.
    Unknown,
}

/// What an operation turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect<'a> {
    Nothing,
    /// It contradicts itself.
    Impossible,
    Read(&'a Value),
    Not(&'a Value),
    Write(&'a Value),
    Cas(&'a Value, &'a Value),
}

impl Begun {
    /// The error says why it cannot be followed.
    pub(super) fn new(event: &Event, model: Model) -> Result<Self, String> {
        let keyed = match model {
            Model::Register | Model::CasRegister => false,
            Model::Kv => true,
            Model::MultiRegister
            | Model::Mutex
            | Model::OwnedMutex
            | Model::ReentrantMutex
            | Model::FencedMutex
            | Model::ReentrantFencedMutex
            | Model::Semaphore
            | Model::VersionedRegister
            | Model::Set
            | Model::Counter
            | Model::FifoQueue
            | Model::UnorderedQueue
            | Model::Stack
            | Model::PriorityQueue => return Err(format!("the model {model} is judged at the end only")),
        };
        match event.f.as_str() {
            "read" | "get" => Ok(Self::Read),
            "write" | "put" => Ok(Self::Write(event.value.clone())),
            "delete" if keyed => Ok(Self::Write(Value::Null)),
            "append" if keyed => Err("appends are judged at the end only".to_owned()),
            "cas" => match event.value.as_array().map(Vec::as_slice) {
                Some([from, to]) => Ok(Self::Cas(from.clone(), to.clone())),
                Some(_) | None => {
                    Err(format!("a cas has the value {}; it should be [from, to]", event.value))
                }
            },
            other => Err(format!("{other:?} is not known to the model {model}")),
        }
    }

    /// What it turned out to be.
    pub(super) fn effect<'a>(&'a self, ended: &'a Ended) -> Effect<'a> {
        match (self, ended) {
            (Self::Read, Ended::Ok(value)) => Effect::Read(value),
            (Self::Read, Ended::Failed | Ended::Found(_) | Ended::Missed | Ended::Unknown)
            | (Self::Write(_), Ended::Failed | Ended::Found(_) | Ended::Missed)
            | (Self::Cas(..), Ended::Failed) => Effect::Nothing,
            (Self::Write(value), Ended::Ok(_) | Ended::Unknown) => Effect::Write(value),
            (Self::Cas(from, to), Ended::Ok(_)) if from == to => Effect::Read(from),
            (Self::Cas(from, to), Ended::Unknown) if from == to => Effect::Nothing,
            (Self::Cas(from, to), Ended::Ok(_) | Ended::Unknown) => Effect::Cas(from, to),
            (Self::Cas(from, _), Ended::Found(actual)) if from == actual => Effect::Impossible,
            (Self::Cas(..), Ended::Found(actual)) => Effect::Read(actual),
            (Self::Cas(from, _), Ended::Missed) => Effect::Not(from),
        }
    }
}

impl Ended {
    pub(super) fn new(event: &Event) -> Self {
        match event.kind {
            Kind::Ok => Self::Ok(event.value.clone()),
            Kind::Info | Kind::Invoke => Self::Unknown,
            Kind::Fail => match (&event.actual, event.error.as_deref()) {
                (Some(actual), _) => Self::Found(actual.clone()),
                (None, Some("precondition")) => Self::Missed,
                (None, Some(_) | None) => Self::Failed,
            },
        }
    }
}
