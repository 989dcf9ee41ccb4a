//! Reads the operations of registers and key-value stores once: what each of them means, key by key.

use super::{
    Model,
    call::When,
    marks::{Mark, Marks},
};
use crate::limits::Limits;
use crate::parallel::parallel_map;
use history::{OperationRef, Operations, OutcomeRef};
use rustc_hash::FxHashMap;
use serde_json::Value;

/// What an operation says of its key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    Read(Mark),
    /// A compare-and-set from the first value found the second instead.
    Found(Mark, Mark),
    Not(Mark),
    Write(Mark),
    Cas(Mark, Mark),
    Append(Mark),
}

/// An operation that says something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note {
    pub(super) meaning: Meaning,
    pub(super) when: When,
}

/// A key with what its operations say.
#[derive(Debug)]
pub(super) struct NotedKey<'a> {
    pub(super) name: Option<&'a str>,
    /// In the order of the caller's operations, one list for each part of the history that was read by itself.
    pub(super) notes: Vec<(usize, Vec<Note>)>,
    /// Says which operation is not understood, if one is not.
    pub(super) strange: Option<String>,
}

impl NotedKey<'_> {
    /// How many notes it has.
    pub(super) fn len(&self) -> usize {
        self.notes.iter().map(|(_, notes)| notes.len()).sum()
    }
}

/// The keys of a history in the order in which they first appear.
#[derive(Debug)]
pub(super) struct NotedKeys<'a> {
    pub(super) keys: Vec<NotedKey<'a>>,
    /// By part of the history: what its marks stand for.
    pub(super) marks: Vec<Marks<'a>>,
}

/// Operations that are worth a worker of their own.
const OPERATIONS_A_WORKER: usize = 50_000;

/// Reads operations of keys that hold one value each, in as many parts as the limits have workers.
pub(super) fn read_registers<'a>(
    operations: &'a Operations,
    model: Model,
    limits: &Limits<'_>,
) -> NotedKeys<'a> {
    let parts = limits.workers.count().clamp(1, 1 + operations.len() / OPERATIONS_A_WORKER);
    let size = operations.len().div_ceil(parts).max(1);
    let count = operations.len().div_ceil(size);
    let parts = parallel_map(&vec![size; count], limits.workers, |part| {
        let mut reader = Reader::new(keyed(model), part);
        for index in part * size..operations.len().min((part + 1) * size) {
            let number = u32::try_from(index).expect("a history has fewer than four billion operations");
            reader.read(operations.at(index), number, model);
        }
        reader
    });
    let mut whole = NotedKeys { keys: Vec::new(), marks: Vec::new() };
    let mut numbers: FxHashMap<Option<&str>, usize> = FxHashMap::default();
    for part in parts {
        whole.marks.push(part.marks);
        for key in part.keys {
            let number = *numbers.entry(key.name).or_insert(whole.keys.len());
            match whole.keys.get_mut(number) {
                None => whole.keys.push(key),
                Some(known) => {
                    known.notes.extend(key.notes);
                    known.strange = known.strange.take().or(key.strange);
                }
            }
        }
    }
    whole
}

/// Whether the model is a key-value store, and no register.
fn keyed(model: Model) -> bool {
    match model {
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
        | Model::PriorityQueue => unreachable!("these models hold more than one value a key"),
    }
}

/// Reads one part of a history.
struct Reader<'a> {
    keyed: bool,
    part: usize,
    numbers: FxHashMap<Option<&'a str>, usize>,
    keys: Vec<NotedKey<'a>>,
    marks: Marks<'a>,
}

impl<'a> Reader<'a> {
    fn new(keyed: bool, part: usize) -> Self {
        let marks = Marks::default();
        Self { keyed, part, numbers: FxHashMap::default(), keys: Vec::new(), marks }
    }

    fn read(&mut self, operation: OperationRef<'a>, index: u32, model: Model) {
        let (keys, part) = (&mut self.keys, self.part);
        let number = *self.numbers.entry(operation.key).or_insert_with_key(|&name| {
            keys.push(NotedKey { name, notes: vec![(part, Vec::new())], strange: None });
            keys.len() - 1
        });
        let meaning = match self.meaning(operation) {
            Ok(Some(meaning)) => meaning,
            Ok(None) => return,
            Err(what) => {
                let event = operation.invoked;
                let strange = match what {
                    Strange::Function(f) => {
                        format!(
                            "operation {index} (event {event}) is {f:?}, which the model {model} does not know"
                        )
                    }
                    Strange::Argument(value) => {
                        format!(
                            "the cas invoked at event {event} has the value {value}; it should be [from, to]"
                        )
                    }
                };
                self.keys[number].strange.get_or_insert(strange);
                return;
            }
        };
        self.keys[number].notes[0].1.push(Note { meaning, when: When::of(operation, index) });
    }

    /// What an operation says; none for one that changed nothing and says nothing.
    fn meaning(&mut self, operation: OperationRef<'a>) -> Result<Option<Meaning>, Strange<'a>> {
        let argument = operation.argument;
        let failed = matches!(operation.outcome, OutcomeRef::Fail { .. });
        Ok(Some(match operation.f {
            "read" | "get" => match operation.outcome {
                OutcomeRef::Ok(value) => Meaning::Read(self.marks.mark(value)),
                OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => return Ok(None),
            },
            "cas" => {
                let Some([from, to]) = argument.as_array().map(Vec::as_slice) else {
                    return Err(Strange::Argument(argument));
                };
                return Ok(self.cas(from, to, operation.outcome));
            }
            "write" | "put" if failed => return Ok(None),
            "write" | "put" => Meaning::Write(self.marks.mark(argument)),
            "delete" | "append" if self.keyed && failed => return Ok(None),
            "delete" if self.keyed => Meaning::Write(self.marks.mark(&Value::Null)),
            "append" if self.keyed => Meaning::Append(self.marks.mark(argument)),
            other => return Err(Strange::Function(other)),
        }))
    }

    fn cas(&mut self, from: &'a Value, to: &'a Value, outcome: OutcomeRef<'a>) -> Option<Meaning> {
        let from = self.marks.mark(from);
        match outcome {
            OutcomeRef::Ok(_) | OutcomeRef::Info { .. } => Some(Meaning::Cas(from, self.marks.mark(to))),
            OutcomeRef::Fail { actual: Some(actual), .. } => {
                Some(Meaning::Found(from, self.marks.mark(actual)))
            }
            OutcomeRef::Fail { error: Some("precondition"), actual: None } => Some(Meaning::Not(from)),
            OutcomeRef::Fail { .. } => None,
        }
    }
}

/// What is not understood of an operation.
enum Strange<'a> {
    Function(&'a str),
    Argument(&'a Value),
}
