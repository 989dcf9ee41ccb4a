//! What the objects that hold more than one value do, one operation after another.

use super::owned::Owned;
use super::unordered::Unordered;
use crate::linearizability::Model;
use history::{OperationRef, OutcomeRef};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// An object of one key, empty at first.
pub(super) struct Object {
    model: Model,
    /// Oldest first, of a queue or a stack.
    line: VecDeque<Value>,
    /// How often each is inside, of a priority queue.
    bag: BTreeMap<Priority, usize>,
    unordered: Unordered,
    set: HashSet<Value>,
    registers: HashMap<Value, Value>,
    number: i64,
    held: bool,
    owned: Owned,
}

/// Integers before strings before everything else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    Integer(i128),
    Text(String),
    Other(String),
}

impl Priority {
    fn show(&self) -> Value {
        match self {
            Self::Integer(integer) => {
                i64::try_from(*integer).map_or_else(|_| integer.to_string().into(), Value::from)
            }
            Self::Text(text) | Self::Other(text) => Value::from(text.as_str()),
        }
    }

    fn of(value: &Value) -> Self {
        match (value.as_i64(), value.as_u64(), value.as_str()) {
            (Some(integer), _, _) => Self::Integer(integer.into()),
            (None, Some(integer), _) => Self::Integer(integer.into()),
            (None, None, Some(text)) => Self::Text(text.to_owned()),
            (None, None, None) => Self::Other(value.to_string()),
        }
    }
}

/// Whether it can have had an effect or a result. What failed because of what it found tells that.
pub(super) fn may_happen(operation: OperationRef<'_>) -> bool {
    let f = operation.f;
    match operation.outcome {
        OutcomeRef::Ok(_) => true,
        OutcomeRef::Info { .. } => !matches!(f, "read" | "get" | "contains" | "peek"),
        OutcomeRef::Fail { error, .. } => {
            error == Some("precondition")
                && matches!(
                    f,
                    "acquire" | "lock" | "release" | "unlock" | "dequeue" | "pop" | "poll" | "peek" | "cas"
                )
        }
    }
}

impl Object {
    pub(super) fn new(model: Model) -> Self {
        Self {
            model,
            line: VecDeque::new(),
            bag: BTreeMap::new(),
            unordered: Unordered::default(),
            set: HashSet::new(),
            registers: HashMap::new(),
            number: 0,
            held: false,
            owned: Owned::default(),
        }
    }

    /// Lets an operation happen; whether it can have had its result there.
    pub(super) fn step(&mut self, operation: OperationRef<'_>) -> bool {
        let result = match operation.outcome {
            OutcomeRef::Ok(result) => Some(result),
            OutcomeRef::Fail { .. } => Some(&Value::Null),
            OutcomeRef::Info { .. } => None,
        };
        let failed = matches!(operation.outcome, OutcomeRef::Fail { .. });
        let (f, argument) = (operation.f, operation.argument);
        match self.model {
            Model::Mutex => {
                let acquires = matches!(f, "acquire" | "lock");
                let could = self.held != acquires;
                self.held = if failed { self.held } else { acquires };
                could != failed
            }
            Model::Counter => self.count(f, argument, result),
            Model::MultiRegister => self.transact(result.unwrap_or(argument), result.is_some()),
            Model::Set => self.look_up(f, argument, result),
            Model::UnorderedQueue => match f {
                "enqueue" | "push" | "add" | "insert" => {
                    self.unordered.put(argument);
                    true
                }
                _ => self.unordered.take(result, f != "peek"),
            },
            Model::FifoQueue | Model::Stack | Model::PriorityQueue => match f {
                "enqueue" | "push" | "add" | "insert" => {
                    self.put(argument);
                    true
                }
                _ => self.take(result, f != "peek"),
            },
            Model::OwnedMutex
            | Model::ReentrantMutex
            | Model::FencedMutex
            | Model::ReentrantFencedMutex
            | Model::Semaphore
            | Model::VersionedRegister => self.owned.step(self.model, operation),
            Model::Register | Model::CasRegister | Model::Kv => false,
        }
    }

    /// Whether what was left open can have been so, once nothing follows.
    pub(super) fn ends_well(&self) -> bool {
        self.unordered.ends_well()
    }

    /// What it holds, for people, always in the same order.
    pub(super) fn show(&self) -> Value {
        let sorted = |mut items: Vec<Value>| {
            items.sort_by_cached_key(Priority::of);
            Value::from(items)
        };
        match self.model {
            Model::Mutex => Value::from(self.held),
            Model::Counter => Value::from(self.number),
            Model::MultiRegister => {
                let pair =
                    |(register, value): (&Value, &Value)| Value::from(vec![register.clone(), value.clone()]);
                sorted(self.registers.iter().map(pair).collect())
            }
            Model::Set => sorted(self.set.iter().cloned().collect()),
            Model::FifoQueue | Model::Stack => self.line.iter().cloned().collect(),
            Model::UnorderedQueue => sorted(self.unordered.elements()),
            Model::PriorityQueue => {
                self.bag.iter().flat_map(|(element, count)| vec![element.show(); *count]).collect()
            }
            Model::OwnedMutex
            | Model::ReentrantMutex
            | Model::FencedMutex
            | Model::ReentrantFencedMutex
            | Model::Semaphore
            | Model::VersionedRegister => self.owned.show(),
            Model::Register | Model::CasRegister | Model::Kv => Value::Null,
        }
    }

    fn count(&mut self, f: &str, argument: &Value, result: Option<&Value>) -> bool {
        let by = argument.as_i64().unwrap_or(1);
        let (by, shown) = match f {
            "read" | "get" => (0, true),
            "decr" => (-by, false),
            "add-and-get" => (by, true),
            _ => (by, false),
        };
        self.number += by;
        !shown || result.is_none_or(|result| result.as_i64() == Some(self.number))
    }

    fn transact(&mut self, parts: &Value, answered: bool) -> bool {
        parts.as_array().into_iter().flatten().all(|part| {
            let [kind, register, value] = [&part[0], &part[1], &part[2]];
            if kind == "w" {
                self.registers.insert(register.clone(), value.clone());
                return true;
            }
            !answered || self.registers.get(register).unwrap_or(&Value::Null) == value
        })
    }

    fn look_up(&mut self, f: &str, argument: &Value, result: Option<&Value>) -> bool {
        let said = result.and_then(Value::as_bool);
        match f {
            "add" | "insert" => {
                let new = self.set.insert(argument.clone());
                said.is_none_or(|said| said == new)
            }
            "remove" | "delete" => {
                let old = self.set.remove(argument);
                said.is_none_or(|said| said == old)
            }
            "contains" => said == Some(self.set.contains(argument)),
            _ => {
                let all: HashSet<&Value> = result.and_then(Value::as_array).into_iter().flatten().collect();
                all.len() == self.set.len() && all.into_iter().all(|element| self.set.contains(element))
            }
        }
    }

    fn put(&mut self, element: &Value) {
        match self.model {
            Model::FifoQueue | Model::Stack => self.line.push_back(element.clone()),
            _ => *self.bag.entry(Priority::of(element)).or_default() += 1,
        }
    }

    /// Takes an element or looks at it; none as a result stands for whichever it is.
    fn take(&mut self, result: Option<&Value>, away: bool) -> bool {
        if result == Some(&Value::Null) {
            return self.line.is_empty() && self.bag.is_empty();
        }
        let line = match self.model {
            Model::FifoQueue => self.line.front(),
            Model::Stack => self.line.back(),
            _ => return self.take_from_bag(result.map(Priority::of), away),
        };
        if line.is_none() || result.is_some_and(|result| line != Some(result)) {
            return false;
        }
        if away && self.model == Model::Stack {
            self.line.pop_back();
        } else if away {
            self.line.pop_front();
        }
        true
    }

    fn take_from_bag(&mut self, result: Option<Priority>, away: bool) -> bool {
        let Some(mut largest) = self.bag.last_entry() else { return false };
        if result.is_some_and(|result| result != *largest.key()) {
            return false;
        }
        if away {
            *largest.get_mut() -= 1;
            if *largest.get() == 0 {
                largest.remove();
            }
        }
        true
    }
}
