//! Transactions over registers that come in sessions, without times, as many tools write them.

use super::operations::{Atom, Builder, Completion, Given, Invocation, Operations, Packer, StepKind};
use super::{Event, Kind, Process};
use serde_json::{Value, json};

/// A transaction of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterTransaction<'a> {
    /// The session, which is the process of the operation.
    pub session: u64,
    /// Its reads and writes in their order.
    pub steps: &'a [RegisterStep],
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

/// Transactions of sessions in the order of a file, the steps of all of them in one array.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegisterTransactions {
    all: Vec<Bounds>,
    steps: Vec<RegisterStep>,
}

/// A transaction without its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    session: u64,
    /// Where its steps end; they begin where those of the one before it end.
    end: usize,
    committed: bool,
}

impl RegisterTransactions {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds a step to the transaction that is being read.
    pub fn step(&mut self, step: RegisterStep) {
        self.steps.push(step);
    }

    /// Ends the transaction that is being read, unless it has no steps; whether it has some.
    pub fn end(&mut self, session: u64, committed: bool) -> bool {
        let begins = self.all.last().map_or(0, |before| before.end);
        let has_steps = begins < self.steps.len();
        if has_steps {
            self.all.push(Bounds { session, end: self.steps.len(), committed });
        }
        has_steps
    }

    /// Removes the steps of the transaction that is being read.
    pub fn discard(&mut self) {
        self.steps.truncate(self.all.last().map_or(0, |before| before.end));
    }

    /// The transactions in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RegisterTransaction<'_>> {
        let mut begins = 0;
        self.all.iter().map(move |&Bounds { session, end, committed }| {
            let steps = &self.steps[std::mem::replace(&mut begins, end)..end];
            RegisterTransaction { session, steps, committed }
        })
    }

    /// The steps of all transactions.
    pub fn steps_mut(&mut self) -> &mut [RegisterStep] {
        &mut self.steps
    }
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

impl RegisterTransaction<'_> {
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
pub fn register_operations(transactions: &RegisterTransactions) -> Operations {
    let mut builder = Builder::for_operations(transactions.len());
    builder.packer().reserve(transactions.len(), transactions.steps.len());
    for (event, transaction) in (0..).step_by(2).zip(transactions.iter()) {
        let process = builder.process(transaction.session);
        let answer = transaction.committed.then(|| transaction.given(true, &mut builder.packer()));
        // What was asked for stands in the answer, too.
        let packed = matches!(answer, Some(Given::Packed(_)));
        let argument = if packed { Given::Null } else { transaction.given(false, &mut builder.packer()) };
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
        let how = answer.map_or(Completion::Fail { error: None, actual: None }, Completion::Ok);
        builder.complete(operation, Some(event + 1), Some(event as u64 + 1), how);
        if packed {
            builder.argue_without_answers(operation);
        }
    }
    builder.finish()
}

/// The events of the same operations.
pub fn register_events<'a>(transactions: impl IntoIterator<Item = RegisterTransaction<'a>>) -> Vec<Event> {
    let mut events = Vec::new();
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
        let all = [
            (RegisterAccess::Write, true),
            (RegisterAccess::Read, true),
            (RegisterAccess::ReadNothing, true),
            (RegisterAccess::Write, false),
            (RegisterAccess::Read, false),
        ];
        let mut transactions = RegisterTransactions::default();
        for (number, (access, committed)) in (0..).zip(all) {
            transactions.step(RegisterStep { key: number, value: u64::MAX - number, access });
            transactions.step(RegisterStep { key: u64::MAX, value: number << 30, access });
            assert!(transactions.end(number % 2, committed));
        }
        let events = register_events(transactions.iter());
        assert_eq!(register_operations(&transactions).to_vec(), pair(&events).unwrap());
    }

    #[test]
    fn transactions_have_steps() {
        let step = |key| RegisterStep { key, value: 0, access: RegisterAccess::Write };
        let mut transactions = RegisterTransactions::default();
        assert!(!transactions.end(0, true));
        transactions.step(step(1));
        transactions.discard();
        assert!(!transactions.end(1, true));
        transactions.step(step(2));
        assert!(transactions.end(2, false));
        let all: Vec<RegisterTransaction<'_>> = transactions.iter().collect();
        assert_eq!(all, [RegisterTransaction { session: 2, steps: &[step(2)], committed: false }]);
    }
}
