//! Confirms an order of transactions: executes them in it and compares every read. Keys and processes of operations that
//! have different keys themselves, as in independent tests, are different ones.

use history::{OperationRef, OutcomeRef, ToOperations};
use serde_json::Value;
use std::collections::HashMap;

/// A step of an order, with the operation's index in the slice that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The transaction reads and writes.
    Whole(u32),
    /// It reads, and does not write yet.
    Reads(u32),
    /// It writes.
    Writes(u32),
}

/// What an order of transactions must respect beside the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Respects {
    /// Nothing.
    Data,
    /// The order in which each process issued its transactions.
    Processes,
    /// That one transaction completed before another was invoked.
    RealTime,
}

/// What an order of transactions must be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A write appends to a list, instead of replacing a value.
    pub lists: bool,
    /// A transaction may read at one moment and write at a later one.
    pub two_moments: bool,
    /// No other transaction may write the same key between the two.
    pub first_wins: bool,
    /// The order beside the data.
    pub respects: Respects,
}

/// The first step of an order that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It does not exist, has failed, or stands where it must not.
    #[error("operation {0} must not stand here in the order")]
    Misplaced(u32),
    /// A read of it would have had another result.
    #[error("operation {operation} would have read {value}")]
    Read {
        /// The operation.
        operation: u32,
        /// What is there.
        value: Value,
    },
    /// Another transaction wrote a key of it after it read.
    #[error("operation {0} writes a key that another transaction wrote since it read")]
    Overwrites(u32),
    /// It stands behind one that was to follow it.
    #[error("operation {0} stands too late in the order")]
    Late(u32),
    /// It happened, and is not in the order.
    #[error("operation {0} happened, but the order leaves it out")]
    Missing(usize),
}

/// Whether an order of transactions follows the rules and explains every read, each key starting empty. Linear.
///
/// # Errors
/// The first mismatch found.
pub fn confirm(
    operations: &(impl ToOperations + ?Sized),
    rules: Rules,
    order: &[Moment],
) -> Result<(), Mismatch> {
    let operations = &*operations.to_operations();
    let mut state = State { rules, values: HashMap::new(), written: HashMap::new() };
    let mut read: Vec<Option<usize>> = vec![None; operations.len()];
    let mut wrote = vec![false; operations.len()];
    // What has read so far was invoked at the latest then, in all and by process.
    let mut latest = Latest::default();
    for (now, moment) in order.iter().enumerate() {
        let (index, reads, writes) = match *moment {
            Moment::Whole(index) => (index, true, true),
            Moment::Reads(index) => (index, true, false),
            Moment::Writes(index) => (index, false, true),
        };
        let operation = operations.get(index as usize).ok_or(Mismatch::Misplaced(index))?;
        let apart = reads != writes;
        let misplaced = matches!(operation.outcome, OutcomeRef::Fail { .. })
            || (apart && !rules.two_moments)
            || (reads && read[index as usize].is_some())
            || (!reads && read[index as usize].is_none())
            || (writes && wrote[index as usize]);
        if misplaced {
            return Err(Mismatch::Misplaced(index));
        }
        if reads {
            state.compare(index, operation)?;
            read[index as usize] = Some(now);
        }
        if writes {
            latest.must_not_pass(index, operation, rules.respects)?;
            state.write(index, operation, now, read[index as usize])?;
            wrote[index as usize] = true;
        }
        if reads {
            latest.note(operation);
        }
    }
    let missing = |(index, operation): (usize, OperationRef<'_>)| {
        matches!(operation.outcome, OutcomeRef::Ok(_)) && !wrote[index]
    };
    match operations.iter().enumerate().position(missing) {
        Some(index) => Err(Mismatch::Missing(index)),
        None => Ok(()),
    }
}

/// The latest invocations among those that have read.
#[derive(Debug, Default)]
struct Latest<'o> {
    of_all: usize,
    of_process: HashMap<Session<'o>, usize>,
}

impl<'o> Latest<'o> {
    fn note(&mut self, operation: OperationRef<'o>) {
        self.of_all = self.of_all.max(operation.invoked);
        let own = self.of_process.entry(session(operation)).or_default();
        *own = operation.invoked.max(*own);
    }

    /// None that was invoked after it completed may have read before it writes.
    fn must_not_pass(
        &self,
        index: u32,
        operation: OperationRef<'_>,
        respects: Respects,
    ) -> Result<(), Mismatch> {
        let latest = match respects {
            Respects::Data => 0,
            Respects::Processes => self.of_process.get(&session(operation)).copied().unwrap_or(0),
            Respects::RealTime => self.of_all,
        };
        let known = matches!(operation.outcome, OutcomeRef::Ok(_));
        let completed = operation.completed.filter(|_| known).unwrap_or(usize::MAX);
        if completed < latest { Err(Mismatch::Late(index)) } else { Ok(()) }
    }
}

struct State<'o> {
    rules: Rules,
    values: HashMap<Name<'o>, Vec<&'o Value>>,
    /// By key: when it was last written.
    written: HashMap<Name<'o>, usize>,
}

/// The object that a transaction is of, and a key of it.
type Name<'o> = (Option<&'o str>, &'o Value);

/// A process, and the object that it turned to.
type Session<'o> = (u64, Option<&'o str>);

fn session(operation: OperationRef<'_>) -> Session<'_> {
    (operation.process, operation.key)
}

fn steps(operation: OperationRef<'_>) -> impl Iterator<Item = &Value> {
    let steps = match operation.outcome {
        OutcomeRef::Ok(steps) => steps,
        OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => operation.argument,
    };
    steps.as_array().into_iter().flatten()
}

fn is_read(step: &Value) -> bool {
    step.get(0).is_some_and(|what| what == "r")
}

impl<'o> State<'o> {
    /// Whether it can have read here what it read, with its own writes upon what is there.
    fn compare(&self, index: u32, operation: OperationRef<'o>) -> Result<(), Mismatch> {
        if !matches!(operation.outcome, OutcomeRef::Ok(_)) {
            return Ok(());
        }
        let object = operation.key;
        let nothing: &[&Value] = &[];
        let mut own: HashMap<&Value, Vec<&Value>> = HashMap::new();
        for step in steps(operation) {
            let (Some(key), value) = (step.get(1), step.get(2).unwrap_or(&Value::Null)) else { continue };
            if !is_read(step) {
                own.entry(key).or_default().push(value);
                continue;
            }
            let held = self.values.get(&(object, key)).map_or(nothing, Vec::as_slice);
            let added = own.get(key).map_or(nothing, Vec::as_slice);
            let all = held.iter().chain(added);
            let fits = if self.rules.lists {
                let list = value.as_array().map_or(&[][..], Vec::as_slice);
                list.len() == held.len() + added.len()
                    && all.clone().zip(list).all(|(one, other)| *one == other)
            } else {
                all.clone().last().map_or(value.is_null(), |last| *last == value)
            };
            if !fits {
                let value = if self.rules.lists {
                    all.map(|value| (*value).clone()).collect()
                } else {
                    all.last().map_or(Value::Null, |value| (*value).clone())
                };
                return Err(Mismatch::Read { operation: index, value });
            }
        }
        Ok(())
    }

    fn write(
        &mut self,
        index: u32,
        operation: OperationRef<'o>,
        now: usize,
        read: Option<usize>,
    ) -> Result<(), Mismatch> {
        let object = operation.key;
        for step in steps(operation).filter(|step| !is_read(step)) {
            let (Some(key), Some(value)) = (step.get(1), step.get(2)) else { continue };
            let since = self.written.insert((object, key), now).filter(|written| *written < now);
            if self.rules.first_wins && since > read {
                return Err(Mismatch::Overwrites(index));
            }
            let values = self.values.entry((object, key)).or_default();
            if !self.rules.lists {
                values.clear();
            }
            values.push(value);
        }
        Ok(())
    }
}
