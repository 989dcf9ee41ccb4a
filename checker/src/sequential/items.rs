//! Operations as items: which value each reads and which it writes, process by process.

use history::{OperationRef, Operations, OutcomeRef};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

/// The value of a key before anything was written to it.
pub(super) const ABSENT: u32 = u32::MAX;

/// What an operation does to one key. A value is named by the item that writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    /// Its index in the slice that is checked.
    pub(super) operation: u32,
    /// The process, by number.
    pub(super) chain: u32,
    /// Where it stands among the items of its process.
    pub(super) position: u32,
    pub(super) key: u32,
    /// The value that it found.
    pub(super) reads: Option<u32>,
    /// A value that it did not find.
    pub(super) misses: Option<u32>,
    pub(super) writes: bool,
    /// Whether it may have happened or not; the last of its process.
    pub(super) optional: bool,
    /// When it seems to have happened at the latest, in the order of events; only a guide.
    pub(super) guide: usize,
}

/// All items of a history.
#[derive(Debug, Default)]
pub(super) struct Items<'a> {
    pub(super) all: Vec<Item>,
    /// The items of each process in its order.
    pub(super) chains: Vec<Vec<u32>>,
    /// How many keys there are.
    pub(super) keys: u32,
    /// Keys of which an item missed a value.
    pub(super) missed: Vec<bool>,
    /// How many items must be in an order.
    pub(super) required: usize,
    names: FxHashMap<Option<&'a str>, u32>,
}

/// What became of the operations.
#[derive(Debug)]
pub(super) enum Encoded<'a> {
    Items(Items<'a>),
    /// One operation alone contradicts the promise.
    Impossible {
        reason: String,
        operation: u32,
    },
    NotUnderstood(String),
}

/// An operation before values have numbers.
#[derive(Debug, Clone, Copy)]
struct Meaning<'a> {
    reads: Option<&'a Value>,
    misses: Option<&'a Value>,
    writes: Option<&'a Value>,
    optional: bool,
}

const NOTHING: Meaning<'static> = Meaning { reads: None, misses: None, writes: None, optional: false };

/// What an operation did; none if it did nothing that is known. The error says why it is not understood.
fn meaning(operation: OperationRef<'_>) -> Result<Option<Meaning<'_>>, String> {
    let argument = operation.argument;
    let optional = matches!(operation.outcome, OutcomeRef::Info { .. });
    Ok(match (operation.f, operation.outcome) {
        ("read" | "get", OutcomeRef::Ok(found)) => Some(Meaning { reads: Some(found), ..NOTHING }),
        ("read" | "get", OutcomeRef::Fail { .. } | OutcomeRef::Info { .. })
        | ("write" | "put", OutcomeRef::Fail { .. }) => None,
        ("write" | "put", OutcomeRef::Ok(_) | OutcomeRef::Info { .. }) => {
            if argument.is_null() {
                return Err("null is no value that can be written".to_owned());
            }
            Some(Meaning { writes: Some(argument), optional, ..NOTHING })
        }
        ("cas", outcome) => {
            let Some([from, to]) = argument.as_array().map(Vec::as_slice) else {
                return Err(format!("a cas has the value {argument}; it should be [from, to]"));
            };
            match outcome {
                OutcomeRef::Ok(_) if from == to => Some(Meaning { reads: Some(from), ..NOTHING }),
                OutcomeRef::Info { .. } if from == to => None,
                OutcomeRef::Ok(_) | OutcomeRef::Info { .. } if to.is_null() => {
                    return Err("null is no value that can be written".to_owned());
                }
                OutcomeRef::Ok(_) | OutcomeRef::Info { .. } => {
                    Some(Meaning { reads: Some(from), writes: Some(to), optional, ..NOTHING })
                }
                OutcomeRef::Fail { actual: Some(actual), .. } => {
                    Some(Meaning { reads: Some(actual), misses: Some(from), ..NOTHING })
                }
                OutcomeRef::Fail { error: Some("precondition"), .. } => {
                    Some(Meaning { misses: Some(from), ..NOTHING })
                }
                OutcomeRef::Fail { .. } => None,
            }
        }
        (other, _) => return Err(format!("{other:?} is not known to registers: read, write and cas")),
    })
}

/// Numbers the items of a history.
pub(super) fn encode(operations: &Operations) -> Encoded<'_> {
    let mut order: Vec<u32> = (0..).take(operations.len()).collect();
    order.sort_by_key(|index| operations.at(*index as usize).invoked);
    let mut known: Vec<(u32, Meaning<'_>)> = Vec::with_capacity(order.len());
    for index in order {
        match meaning(operations.at(index as usize)) {
            Ok(Some(meaning)) => known.push((index, meaning)),
            Ok(None) => {}
            Err(why) => return Encoded::NotUnderstood(format!("operation {index} is not understood: {why}")),
        }
    }
    let mut writers: FxHashMap<(Option<&str>, &Value), usize> = FxHashMap::default();
    for (place, (index, meaning)) in known.iter().enumerate() {
        let Some(value) = meaning.writes else { continue };
        let key = operations.at(*index as usize).key;
        if writers.insert((key, value), place).is_some() {
            let on = key.map_or_else(String::new, |key| format!(" to {key}"));
            return Encoded::NotUnderstood(format!(
                "{value} is written{on} more than once; sequential consistency is judged where every value is written once"
            ));
        }
    }
    let needed = match needed(operations, &known, &writers) {
        Ok(needed) => needed,
        Err((reason, operation)) => return Encoded::Impossible { reason, operation },
    };
    number(operations, &known, &writers, &needed)
}

type Writers<'a> = FxHashMap<(Option<&'a str>, &'a Value), usize>;

/// Which operations happened: the acknowledged ones, and those of unknown outcome whose value somebody found.
fn needed(
    operations: &Operations,
    known: &[(u32, Meaning<'_>)],
    writers: &Writers<'_>,
) -> Result<Vec<bool>, (String, u32)> {
    let mut needed: Vec<bool> = known.iter().map(|(_, meaning)| !meaning.optional).collect();
    let mut open: Vec<usize> = (0..known.len()).filter(|place| needed[*place]).collect();
    while let Some(place) = open.pop() {
        let (index, meaning) = known[place];
        let Some(value) = meaning.reads else { continue };
        let operation = operations.at(index as usize);
        if meaning.misses == Some(value) {
            let reason = format!("operation {index} found the value that it expected, and yet was refused");
            return Err((reason, index));
        }
        if value.is_null() {
            continue;
        }
        match writers.get(&(operation.key, value)) {
            Some(writer) if !needed[*writer] => {
                needed[*writer] = true;
                open.push(*writer);
            }
            Some(_) => {}
            None => {
                let on = operation.key.as_ref().map_or_else(String::new, |key| format!(" of {key}"));
                let reason =
                    format!("operation {index} found the value {value}{on}, which no operation wrote");
                return Err((reason, index));
            }
        }
    }
    Ok(needed)
}

/// The keys of which an operation only says which value was not there.
fn refused<'a>(operations: &'a Operations, known: &[(u32, Meaning<'_>)]) -> FxHashSet<Option<&'a str>> {
    let missing = known.iter().filter(|(_, meaning)| meaning.misses.is_some() && meaning.reads.is_none());
    missing.map(|(index, _)| operations.at(*index as usize).key).collect()
}

/// Which operations become items: those that happened, and those that may have where somebody missed a value. One that would
/// have had to find a value that is never there did not happen.
fn kept(
    operations: &Operations,
    known: &[(u32, Meaning<'_>)],
    writers: &Writers<'_>,
    needed: &[bool],
    refused: &FxHashSet<Option<&str>>,
) -> Vec<bool> {
    let key = |place: usize| operations.key(known[place].0 as usize);
    let mut kept: Vec<bool> =
        (0..known.len()).map(|place| needed[place] || refused.contains(&key(place))).collect();
    loop {
        let impossible = |place: &usize| {
            let found = known[*place].1.reads.filter(|value| !value.is_null());
            let writer = found.map(|value| writers.get(&(key(*place), value)));
            kept[*place] && writer.is_some_and(|writer| writer.is_none_or(|writer| !kept[*writer]))
        };
        let impossible: Vec<usize> = (0..known.len()).filter(impossible).collect();
        if impossible.is_empty() {
            return kept;
        }
        for place in impossible {
            kept[place] = false;
        }
    }
}

/// Makes items of all that happened, and of what may have happened where that can matter.
fn number<'a>(
    operations: &'a Operations,
    known: &[(u32, Meaning<'a>)],
    writers: &Writers<'a>,
    needed: &[bool],
) -> Encoded<'a> {
    let mut items = Items::default();
    let mut chains: FxHashMap<u64, u32> = FxHashMap::default();
    let refused = refused(operations, known);
    let kept = kept(operations, known, writers, needed, &refused);
    let mut numbers = vec![None; known.len()];
    for (next, place) in (0..).zip((0..known.len()).filter(|place| kept[*place])) {
        numbers[place] = Some(next);
    }
    for place in (0..known.len()).filter(|place| kept[*place]) {
        let (index, meaning) = known[place];
        let operation = operations.at(index as usize);
        let name = operation.key;
        let next = items.keys;
        let key = *items.names.entry(name).or_insert(next);
        if key == next {
            items.keys += 1;
            items.missed.push(refused.contains(&name));
        }
        let chain = *chains.entry(operation.process).or_insert_with(|| {
            items.chains.push(Vec::new());
            u32::try_from(items.chains.len() - 1).expect("there are fewer processes than operations")
        });
        let own = &mut items.chains[chain as usize];
        if own.last().is_some_and(|last| items.all[*last as usize].optional) {
            return Encoded::NotUnderstood(format!(
                "process {} acts again after an operation of unknown outcome",
                operation.process
            ));
        }
        // None where no operation of this history can have written it: that is never there.
        let value = |value: &'a Value| match writers.get(&(name, value)) {
            _ if value.is_null() => Some(ABSENT),
            Some(writer) => numbers[*writer],
            None => None,
        };
        let misses = meaning.misses.filter(|_| meaning.reads.is_none()).and_then(value);
        let optional = !needed[place];
        let position = u32::try_from(own.len()).expect("there are fewer items than operations");
        own.push(u32::try_from(items.all.len()).expect("there are fewer than four billion operations"));
        items.required += usize::from(!optional);
        items.all.push(Item {
            operation: index,
            chain,
            position,
            key,
            reads: meaning.reads.and_then(value),
            misses,
            writes: meaning.writes.is_some(),
            optional,
            guide: operation.completed.unwrap_or(usize::MAX),
        });
    }
    guide(&mut items);
    Encoded::Items(items)
}

/// A write has happened when the first read of its value completes.
fn guide(items: &mut Items<'_>) {
    for reader in 0..items.all.len() {
        let Item { reads, guide, .. } = items.all[reader];
        if let Some(writer) = reads.filter(|writer| *writer != ABSENT) {
            let writer = &mut items.all[writer as usize];
            writer.guide = writer.guide.min(guide);
        }
    }
}
