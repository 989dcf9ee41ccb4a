//! Transactions over registers that come in sessions, without times, as many tools write them.

use super::operations::{Atom, Builder, Completion, Given, Invocation, Operations, Packer, StepKind};
use super::{Event, Kind, Process};
use serde_json::{Value, json};
use std::borrow::Borrow;

/// A transaction of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterTransaction {
    /// The session, which is the process of the operation.
    pub session: u64,
    /// Its reads and writes in their order.
    pub steps: Vec<RegisterStep>,
    /// Whether it took effect; otherwise it certainly did not.
    pub committed: bool,
}

/// A read or a write of one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterStep {
    /// The register.
    pub key: u64,
    /// What was read or written; 0 of a read that found nothing.
    pub value: u64,
    /// What it does.
    pub access: RegisterAccess,
}

/// What a step does to a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterAccess {
    /// It writes the value.
    Write,
    /// It reads the value.
    Read,
    /// It reads that there is no value.
    ReadNothing,
}

impl RegisterStep {
    fn pack(self, answered: bool, start: u32, packer: &mut Packer<'_>) -> Option<()> {
        let writes = self.access == RegisterAccess::Write;
        let kind = if writes { StepKind::Write } else { StepKind::Read };
        let key = packer.natural(self.key)?;
        packer.step(start, kind, key);
        let says = writes || answered && self.access == RegisterAccess::Read;
        let value = if says { packer.natural(self.value)? } else { Atom::NULL };
        packer.one(value);
        Some(())
    }

    fn value(self, answered: bool) -> Value {
        match self.access {
            RegisterAccess::Write => json!(["w", self.key, self.value]),
            RegisterAccess::Read if answered => json!(["r", self.key, self.value]),
            RegisterAccess::Read | RegisterAccess::ReadNothing => json!(["r", self.key, null]),
        }
    }
}

impl RegisterTransaction {
    /// What it asked for, or what it was answered.
    fn value(&self, answered: bool) -> Value {
        self.steps.iter().map(|step| step.value(answered)).collect()
    }

    fn given(&self, answered: bool, packer: &mut Packer<'_>) -> Given<'static> {
        let mark = packer.mark();
        let start = packer.begin().filter(|start| {
            !self.steps.is_empty()
                && self.steps.iter().all(|step| step.pack(answered, *start, packer).is_some())
        });
        if start.is_none() {
            packer.reset(mark);
        }
        start.map_or_else(|| Given::Owned(self.value(answered)), Given::Packed)
    }
}

/// The operations of transactions in columns. Each is invoked and completes before the next one; their times count their
/// events.
pub fn register_operations<T: Borrow<RegisterTransaction>>(
    transactions: impl IntoIterator<Item = T>,
) -> Operations {
    let transactions = transactions.into_iter();
    let mut builder = Builder::for_operations(transactions.size_hint().0);
    for (event, transaction) in (0..).step_by(2).zip(transactions) {
        let transaction = transaction.borrow();
        let process = builder.process(transaction.session);
        let argument = transaction.given(false, &mut builder.packer());
        let operation = builder.begin(Invocation {
            event,
            process,
            client: None,
            f: "txn",
            key: None,
            argument,
            intended_ns: None,
            ns: event as u64,
            node: None,
            phase: None,
        });
        let how = if transaction.committed {
            Completion::Ok(transaction.given(true, &mut builder.packer()))
        } else {
            Completion::Fail { error: None, actual: None }
        };
        builder.complete(operation, Some(event + 1), Some(event as u64 + 1), how);
    }
    builder.finish()
}

/// The events of the same operations.
pub fn register_events(transactions: &[RegisterTransaction]) -> Vec<Event> {
    let mut events = Vec::with_capacity(2 * transactions.len());
    for transaction in transactions {
        let end = if transaction.committed { Kind::Ok } else { Kind::Fail };
        for kind in [Kind::Invoke, end] {
            let mut event = Event::new(Process::Client(transaction.session), kind, "txn");
            event.time = events.len() as u64;
            if kind != Kind::Fail {
                event.value = transaction.value(kind == Kind::Ok);
            }
            events.push(event);
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair;

    #[test]
    fn operations_are_those_of_the_events() {
        let step = |key, value, access| RegisterStep { key, value, access };
        let all = [
            (RegisterAccess::Write, true),
            (RegisterAccess::Read, true),
            (RegisterAccess::ReadNothing, true),
            (RegisterAccess::Write, false),
            (RegisterAccess::Read, false),
        ];
        let transactions: Vec<_> = (0..)
            .zip(all)
            .map(|(number, (access, committed))| RegisterTransaction {
                session: number % 2,
                steps: vec![step(number, u64::MAX - number, access), step(u64::MAX, number << 30, access)],
                committed,
            })
            .collect();
        let events = register_events(&transactions);
        assert_eq!(register_operations(&transactions).to_vec(), pair(&events).unwrap());
    }
}
