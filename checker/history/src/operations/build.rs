//! Fills the columns, operation by operation.

use super::texts::TextIndex;
use super::values::{Given, ValueIndex, packed_number, packed_start};
use super::{
    ASKED_FOR_RESULT, Call, FAIL, HAS_ACTUAL, HAS_DUE, HAS_END, HAS_ERROR, NONE, OK, OperationRef,
    Operations, Origin, OutcomeRef, Packer, small,
};
use crate::Phase;
use rustc_hash::FxHashMap;

impl Operations {
    /// The columns that have a number for each operation.
    fn columns(&mut self) -> [&mut Vec<u32>; 6] {
        [
            &mut self.process,
            &mut self.call,
            &mut self.argument,
            &mut self.result,
            &mut self.invoked,
            &mut self.completed,
        ]
    }
}

/// Columns, with what finds texts and values that are there already.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    operations: Operations,
    texts: TextIndex,
    values: ValueIndex,
    processes: FxHashMap<u64, u32>,
    calls: FxHashMap<Call, u32>,
    origins: FxHashMap<Origin, u32>,
    last: Last,
}

/// What the last operation had; the next one often has the same.
#[derive(Debug, Default)]
struct Last {
    call: Option<(Call, u32)>,
    origin: Option<(Origin, u32)>,
}

/// How an operation begins.
#[derive(Debug)]
pub(crate) struct Invocation<'a> {
    pub(crate) event: usize,
    /// The number of the process, from [`Builder::process`].
    pub(crate) process: u32,
    pub(crate) client: Option<u32>,
    pub(crate) f: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) argument: Given<'a>,
    pub(crate) intended_ns: Option<u64>,
    pub(crate) ns: u64,
    pub(crate) node: Option<&'a str>,
    pub(crate) phase: Option<Phase>,
}

/// How an operation ends.
#[derive(Debug)]
pub(crate) enum Completion<'a> {
    /// It happened, with this result.
    Ok(Given<'a>),
    /// It certainly did not happen.
    Fail { error: Option<&'a str>, actual: Option<Given<'a>> },
    /// The outcome is unknown.
    Info { error: Option<&'a str> },
}

impl Builder {
    /// A builder with room for this many operations.
    pub(crate) fn for_operations(count: usize) -> Self {
        let mut builder = Self::default();
        let all = &mut builder.operations;
        for column in all.columns() {
            column.reserve_exact(count);
        }
        all.marks.reserve_exact(count);
        builder
    }

    /// What packs micro-operations into these columns.
    pub(crate) fn packer(&mut self) -> Packer<'_> {
        Packer::new(&mut self.operations.store, &mut self.values)
    }

    /// The number of an argument or a result.
    fn value(&mut self, given: Given<'_>) -> u32 {
        let packed = given.whole().and_then(|value| self.packer().pack(value));
        packed.map_or_else(|| self.values.number(&mut self.operations.store.values, given), packed_number)
    }

    /// The number of a result, and the mark that goes with it. It is that of the argument if both are the same, or if the
    /// argument has only null where the result has what reads returned.
    fn result(&mut self, argument: u32, given: Given<'_>) -> (u32, u8) {
        let all = &self.operations;
        if packed_start(argument).is_none() && given.is(all.value(argument)) {
            return (argument, 0);
        }
        let number = self.value(given);
        let store = &mut self.operations.store;
        let [Some(asked), Some(answered)] = [argument, number].map(packed_start) else { return (number, 0) };
        if store.run(asked) == store.run(answered) {
            store.take_back(answered);
            return (argument, 0);
        }
        if store.answer(asked, answered) { (argument, ASKED_FOR_RESULT) } else { (number, 0) }
    }

    /// Forgets what no operation has, as far as it is in the columns already.
    pub(crate) fn discard(&mut self, given: &Given<'_>) {
        if let Given::Packed(start) = *given {
            self.operations.store.take_back(start);
        }
    }

    pub(crate) fn operations(&self) -> &Operations {
        &self.operations
    }

    /// The number of a process that has one.
    pub(crate) fn known_process(&self, process: u64) -> Option<u32> {
        self.processes.get(&process).copied()
    }

    /// The number of a process.
    pub(crate) fn process(&mut self, process: u64) -> u32 {
        let next = small(self.operations.processes.len());
        let number = *self.processes.entry(process).or_insert(next);
        if number == next {
            self.operations.processes.push(process);
        }
        number
    }

    /// Adds an operation that has not completed, and returns its index.
    pub(crate) fn begin(&mut self, invocation: Invocation<'_>) -> u32 {
        let Invocation { event, process, client, f, key, argument, intended_ns, ns, node, phase } =
            invocation;
        let index = self.operations.len();
        let key = self.text(key);
        let call = Call { f: self.texts.number(&mut self.operations.texts, f), key };
        let call = self.call(call);
        let node = self.text(node);
        let origin = self.origin(Origin { client, node, phase });
        let argument = self.value(argument);
        let all = &mut self.operations;
        all.process.push(process);
        all.call.push(call);
        all.argument.push(argument);
        all.marks.push(if intended_ns.is_some() { HAS_DUE } else { 0 });
        all.result.push(0);
        all.invoked.push(small(event));
        all.completed.push(NONE);
        all.origin.set(index, origin);
        all.invoked_ns.set(index, ns);
        all.intended_ns.set(index, intended_ns.unwrap_or_default());
        small(index)
    }

    /// Completes an operation. `event` is the index of its completion, none where its outcome is unknown.
    pub(crate) fn complete(
        &mut self,
        index: u32,
        event: Option<usize>,
        ns: Option<u64>,
        how: Completion<'_>,
    ) {
        let row = index as usize;
        let mut marks = self.operations.marks[row] & HAS_DUE;
        if let Some(ns) = ns {
            marks |= HAS_END;
            self.operations.completed_ns.set(row, ns);
        }
        self.operations.completed[row] = event.map_or(NONE, small);
        let error = match how {
            Completion::Ok(result) => {
                let (number, mark) = self.result(self.operations.argument[row], result);
                self.operations.result[row] = number;
                marks |= OK | mark;
                None
            }
            Completion::Fail { error, actual } => {
                marks |= FAIL;
                if let Some(actual) = actual {
                    marks |= HAS_ACTUAL;
                    let all = &mut self.operations;
                    let actual = self.values.number(&mut all.store.values, actual);
                    all.actual.set(row, actual);
                }
                error
            }
            Completion::Info { error } => error,
        };
        let all = &mut self.operations;
        if let Some(error) = error {
            marks |= HAS_ERROR;
            all.result[row] = self.texts.number(&mut all.texts, error);
        }
        all.marks[row] = marks;
    }

    /// Takes the result of an operation for its argument too.
    pub(crate) fn argue(&mut self, index: u32) {
        let all = &mut self.operations;
        all.argument[index as usize] = all.result[index as usize];
    }

    /// Takes the result of an operation, without what its reads returned, for its argument.
    pub(crate) fn argue_without_answers(&mut self, index: u32) {
        self.argue(index);
        self.operations.marks[index as usize] |= ASKED_FOR_RESULT;
    }

    /// Says that another node answered an operation.
    pub(crate) fn answered_by(&mut self, index: u32, node: &str) {
        let row = index as usize;
        let node = self.text(Some(node));
        let origin = self.operations.origins[self.operations.origin.get(row) as usize];
        if origin.node != node {
            let origin = self.origin(Origin { node, ..origin });
            self.operations.origin.set(row, origin);
        }
    }

    /// Adds an operation with its outcome.
    pub(super) fn push(&mut self, operation: OperationRef<'_>) {
        let process = self.process(operation.process);
        let index = self.begin(Invocation {
            event: operation.invoked,
            process,
            client: operation.client,
            f: operation.f,
            key: operation.key,
            argument: Given::Borrowed(operation.argument),
            intended_ns: operation.intended_ns,
            ns: operation.invoked_ns,
            node: operation.node,
            phase: operation.phase,
        });
        let how = match operation.outcome {
            OutcomeRef::Ok(value) => Completion::Ok(Given::Borrowed(value)),
            OutcomeRef::Fail { error, actual } => {
                Completion::Fail { error, actual: actual.map(Given::Borrowed) }
            }
            OutcomeRef::Info { error } => Completion::Info { error },
        };
        self.complete(index, operation.completed, operation.completed_ns, how);
    }

    /// The operations, without what only served to build them.
    pub(crate) fn finish(self) -> Operations {
        let mut all = self.operations;
        for column in all.columns() {
            column.shrink_to_fit();
        }
        all.marks.shrink_to_fit();
        all.store.shrink();
        all.origin.shrink();
        all.actual.shrink();
        all.intended_ns.shrink();
        all.invoked_ns.shrink();
        all.completed_ns.shrink();
        all
    }

    fn text(&mut self, text: Option<&str>) -> u32 {
        text.map_or(NONE, |text| self.texts.number(&mut self.operations.texts, text))
    }

    fn call(&mut self, call: Call) -> u32 {
        if let Some((known, number)) = self.last.call
            && known == call
        {
            return number;
        }
        let next = small(self.operations.calls.len());
        let number = *self.calls.entry(call).or_insert(next);
        if number == next {
            self.operations.calls.push(call);
        }
        self.last.call = Some((call, number));
        number
    }

    fn origin(&mut self, origin: Origin) -> u32 {
        if let Some((known, number)) = self.last.origin
            && known == origin
        {
            return number;
        }
        let none = Origin { client: None, node: NONE, phase: None };
        if self.operations.origins.is_empty() {
            self.operations.origins.push(none);
            self.origins.insert(none, 0);
        }
        let next = small(self.operations.origins.len());
        let number = *self.origins.entry(origin).or_insert(next);
        if number == next {
            self.operations.origins.push(origin);
        }
        self.last.origin = Some((origin, number));
        number
    }
}
