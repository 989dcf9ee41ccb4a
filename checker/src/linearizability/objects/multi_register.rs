//! Registers with transactions that read and write several of them at once.

use super::super::{
    call::{Call, When},
    depth_first::{Ahead, Classes, Object, Subject, count},
};
use super::not_known;
use crate::limits::Limits;
use history::{OperationRef, Operations, OutcomeRef};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;
use std::sync::Arc;

/// A transaction: what it finds before it writes, and what it leaves. Values are numbered across registers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) struct Txn {
    /// Register and value, each register once.
    reads: Arc<[(u32, u32)]>,
    /// Register and value, each register once.
    writes: Arc<[(u32, u32)]>,
    /// Its reads contradict each other or its own writes.
    broken: bool,
}

/// The value of a register that no later read looks for.
const FORGOTTEN: u32 = u32::MAX;

/// The registers of one key. The first values are the initial ones of the registers, which are null.
pub(in super::super) struct MultiRegister<'a> {
    registers: Vec<&'a Value>,
    /// By number, with the register each belongs to.
    values: Vec<(u32, &'a Value)>,
}

/// Numbers for registers and values.
#[derive(Default)]
struct Naming<'a> {
    register_numbers: FxHashMap<&'a Value, u32>,
    registers: Vec<&'a Value>,
    value_numbers: FxHashMap<(u32, &'a Value), u32>,
}

/// One part of a transaction.
enum Part<'a> {
    /// Without a value where the answer is not known.
    Read(&'a Value, Option<&'a Value>),
    Write(&'a Value, &'a Value),
}

impl<'a> MultiRegister<'a> {
    /// The calls of one key. The error says which operation is not understood.
    pub(in super::super) fn encode(
        operations: &'a Operations,
        indexes: &[u32],
    ) -> Result<(Self, Vec<Call<Txn>>), String> {
        let mut transactions = Vec::with_capacity(indexes.len());
        let mut naming = Naming::default();
        for &index in indexes {
            let operation = operations.at(index as usize);
            let parts = parts(operation).map_err(|why| {
                format!("operation {index} (event {}) is not understood: {why}", operation.invoked)
            })?;
            for part in parts.iter().flatten() {
                let (Part::Read(register, _) | Part::Write(register, _)) = part;
                naming.register(register);
            }
            transactions.extend(parts.map(|parts| (parts, When::of(operation, index))));
        }
        let mut values: Vec<(u32, &Value)> =
            (0..).zip(naming.registers.iter().map(|_| &Value::Null)).collect();
        let calls = transactions
            .into_iter()
            .map(|(parts, when)| when.call(txn(&parts, &mut naming, &mut values)))
            .collect();
        Ok((Self { registers: naming.registers, values }, calls))
    }
}

impl<'a> Naming<'a> {
    fn register(&mut self, register: &'a Value) -> u32 {
        *self.register_numbers.entry(register).or_insert_with(|| {
            self.registers.push(register);
            count(self.registers.len() - 1)
        })
    }

    fn value(&mut self, register: u32, value: &'a Value, values: &mut Vec<(u32, &'a Value)>) -> u32 {
        if value.is_null() {
            return register;
        }
        *self.value_numbers.entry((register, value)).or_insert_with(|| {
            values.push((register, value));
            count(values.len() - 1)
        })
    }
}

fn txn<'a>(parts: &[Part<'a>], naming: &mut Naming<'a>, values: &mut Vec<(u32, &'a Value)>) -> Txn {
    let mut reads: Vec<(u32, u32)> = Vec::new();
    let mut writes: Vec<(u32, u32)> = Vec::new();
    let mut broken = false;
    for part in parts {
        match *part {
            Part::Read(_, None) => {}
            Part::Read(register, Some(value)) => {
                let register = naming.register(register);
                let value = naming.value(register, value, values);
                let same =
                    |list: &[(u32, u32)]| list.iter().find(|part| part.0 == register).map(|part| part.1);
                match same(&writes).or_else(|| same(&reads)) {
                    Some(known) => broken |= known != value,
                    None => reads.push((register, value)),
                }
            }
            Part::Write(register, value) => {
                let register = naming.register(register);
                let value = naming.value(register, value, values);
                match writes.iter_mut().find(|part| part.0 == register) {
                    Some(part) => part.1 = value,
                    None => writes.push((register, value)),
                }
            }
        }
    }
    reads.sort_unstable();
    writes.sort_unstable();
    Txn { reads: reads.into(), writes: writes.into(), broken }
}

/// The parts of a transaction; none if it did not happen.
fn parts(operation: OperationRef<'_>) -> Result<Option<Vec<Part<'_>>>, String> {
    if operation.f != "txn" {
        return Err(not_known(operation.f, "txn"));
    }
    let (list, answered) = match operation.outcome {
        OutcomeRef::Ok(answer) => (answer, true),
        OutcomeRef::Info { .. } => (operation.argument, false),
        OutcomeRef::Fail { .. } => return Ok(None),
    };
    let wrong = || format!("{list} is no list of [\"r\", key, value] and [\"w\", key, value]");
    let parts =
        list.as_array().ok_or_else(wrong)?.iter().map(|part| match part.as_array().map(Vec::as_slice) {
            Some([Value::String(kind), register, value]) => match kind.as_str() {
                "r" | "read" => Ok(Part::Read(register, answered.then_some(value))),
                "w" | "write" => Ok(Part::Write(register, value)),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        });
    parts.collect::<Result<Vec<_>, String>>().map(Some)
}

impl Subject for MultiRegister<'_> {
    type Action = Txn;
    type Object<'a>
        = Registers<'a>
    where
        Self: 'a;

    fn is_pure(&self, txn: &Txn) -> bool {
        txn.writes.is_empty()
    }

    fn object<'a>(&'a self, classes: &Classes<'a, Txn>, ahead: Ahead) -> Registers<'a> {
        Registers::new(self, classes, ahead)
    }

    fn loosens(&self) -> bool {
        true
    }

    fn quick(&self, calls: &[Call<Txn>], _: &Limits<'_>) -> Option<bool> {
        let mut written = vec![false; self.values.len()];
        written[..self.registers.len()].fill(true);
        for call in calls {
            call.action.writes.iter().for_each(|&(_, value)| written[value as usize] = true);
        }
        // A value from nowhere would make the search try everything before it.
        let from_nowhere = |txn: &Txn| txn.reads.iter().any(|&(_, value)| !written[value as usize]);
        let impossible = |call: &Call<Txn>| call.action.broken || from_nowhere(&call.action);
        calls.iter().any(|call| call.certain() && impossible(call)).then_some(false)
    }

    fn drop_useless(&self, calls: &mut Vec<Call<Txn>>) {
        loop {
            let read: FxHashSet<u32> =
                calls.iter().flat_map(|call| call.action.reads.iter().map(|&(_, value)| value)).collect();
            let before = calls.len();
            calls.retain(|call| {
                call.certain() || call.action.writes.iter().any(|(_, value)| read.contains(value))
            });
            if calls.len() == before {
                return;
            }
        }
    }
}

/// The registers' values as the search goes on, and what of the history is still to come.
///
/// With [`Ahead::Yes`] a value that no later read looks for is forgotten, and no transaction may overwrite
/// one that a read still needs and no transaction writes again.
pub(in super::super) struct Registers<'a> {
    subject: &'a MultiRegister<'a>,
    transactions: &'a [Txn],
    ahead: bool,
    states: Vec<Arc<[u32]>>,
    numbers: FxHashMap<Arc<[u32]>, u32>,
    /// By value: transactions that certainly happened and have yet to read it.
    readers: Vec<u32>,
    /// By value: whether a transaction reads it that may not have happened.
    may_be_read: Vec<bool>,
    /// By value: transactions that have yet to write it.
    writers: Vec<u32>,
}

impl<'a> Registers<'a> {
    fn new(subject: &'a MultiRegister<'a>, classes: &Classes<'a, Txn>, ahead: Ahead) -> Self {
        let values = subject.values.len();
        let (mut readers, mut writers) = (vec![0; values], vec![0; values]);
        let mut may_be_read = vec![false; values];
        for (txn, &(certain, optional)) in classes.actions.iter().zip(&classes.counts) {
            for &(_, value) in txn.reads.iter() {
                readers[value as usize] += certain;
                may_be_read[value as usize] |= optional > 0;
            }
            for &(_, value) in txn.writes.iter() {
                writers[value as usize] += certain + optional;
            }
        }
        let ahead = ahead == Ahead::Yes;
        let (states, numbers) = (Vec::new(), FxHashMap::default());
        Self { subject, transactions: classes.actions, ahead, states, numbers, readers, may_be_read, writers }
    }

    fn number(&mut self, state: Vec<u32>) -> u32 {
        if let Some(&number) = self.numbers.get(state.as_slice()) {
            return number;
        }
        let (state, number) = (Arc::from(state), count(self.states.len()));
        self.numbers.insert(Arc::clone(&state), number);
        self.states.push(state);
        number
    }

    /// The state after a transaction; none if it cannot be, or if others could no longer happen.
    fn after(&self, state: &[u32], txn: &Txn, certain: bool) -> Option<Vec<u32>> {
        let finds = |&(register, value): &(u32, u32)| state[register as usize] == value;
        if txn.broken || !txn.reads.iter().all(finds) {
            return None;
        }
        let own = |value: u32| u32::from(certain && txn.reads.iter().any(|part| part.1 == value));
        let yet_to_read = |value: u32| self.readers[value as usize] - own(value);
        let mut next = state.to_vec();
        for &(register, value) in txn.writes.iter() {
            let before = std::mem::replace(&mut next[register as usize], value);
            let lost = before != value && before != FORGOTTEN;
            if self.ahead && lost && self.writers[before as usize] == 0 && yet_to_read(before) > 0 {
                return None;
            }
        }
        if self.ahead {
            for &(register, _) in txn.reads.iter().chain(txn.writes.iter()) {
                let held = &mut next[register as usize];
                if *held != FORGOTTEN && yet_to_read(*held) == 0 && !self.may_be_read[*held as usize] {
                    *held = FORGOTTEN;
                }
            }
        }
        Some(next)
    }
}

impl Object for Registers<'_> {
    fn looks_ahead(&self) -> bool {
        self.ahead
    }

    fn initial(&mut self) -> u32 {
        let mut state: Vec<u32> = (0..count(self.subject.registers.len())).collect();
        if self.ahead {
            for held in &mut state {
                if self.readers[*held as usize] == 0 && !self.may_be_read[*held as usize] {
                    *held = FORGOTTEN;
                }
            }
        }
        self.number(state)
    }

    fn successors(&mut self, state: u32, class: u32, certain: bool, into: &mut Vec<u32>) {
        let state = Arc::clone(&self.states[state as usize]);
        if let Some(next) = self.after(&state, &self.transactions[class as usize], certain) {
            let number = self.number(next);
            into.push(number);
        }
    }

    fn take(&mut self, class: u32, certain: bool) {
        let txn = &self.transactions[class as usize];
        if certain {
            txn.reads.iter().for_each(|&(_, value)| self.readers[value as usize] -= 1);
        }
        txn.writes.iter().for_each(|&(_, value)| self.writers[value as usize] -= 1);
    }

    fn take_back(&mut self, class: u32, certain: bool) {
        let txn = &self.transactions[class as usize];
        if certain {
            txn.reads.iter().for_each(|&(_, value)| self.readers[value as usize] += 1);
        }
        txn.writes.iter().for_each(|&(_, value)| self.writers[value as usize] += 1);
    }

    fn bytes(&self) -> usize {
        self.states.len() * (self.subject.registers.len() * size_of::<u32>() + 64)
    }

    fn show(&self, state: u32) -> String {
        const SHOWN: usize = 8;
        let held = self.states[state as usize].iter().zip(&self.subject.registers);
        let mut shown: Vec<String> = held
            .filter(|&(&value, _)| value != FORGOTTEN && value as usize >= self.subject.registers.len())
            .map(|(&value, register)| format!("{register}: {}", self.subject.values[value as usize].1))
            .collect();
        if shown.len() > SHOWN {
            shown.truncate(SHOWN);
            shown.push("…".to_owned());
        }
        format!("{{{}}}", shown.join(", "))
    }
}
