//! Pairs events into operations, process by process.

use super::operations::{Builder, Completion, Given, Invocation, Operations, Packer, Steps};
use super::{Event, Kind, Operation, Phase, Process};

/// Why the events are not a history: a process did what no process can do.
///
/// `event` is the index in the order of events, from 0; in a file of ours it stands on line `event + 2`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// A process began an operation while it still had one open.
    #[error(
        "event {event}: process {process} invokes {f} although its operation of event {open} is still open; \
         a process has at most one operation open"
    )]
    Busy {
        /// The second invocation.
        event: usize,
        /// Whose.
        process: u64,
        /// What it invoked.
        f: String,
        /// The invocation that is open.
        open: usize,
    },
    /// A process completed an operation it never began.
    #[error("event {event}: process {process} completes {f}, but has no operation open")]
    NothingOpen {
        /// The completion.
        event: usize,
        /// Whose.
        process: u64,
        /// What it claims to complete.
        f: String,
    },
    /// A process completed another operation than the one it began.
    #[error(
        "event {event}: process {process} completes {completed}, but its open operation (event {open}) is {begun}"
    )]
    Mismatch {
        /// The completion.
        event: usize,
        /// Whose.
        process: u64,
        /// What it completes: function and key.
        completed: String,
        /// The invocation that is open.
        open: usize,
        /// What was begun: function and key.
        begun: String,
    },
    /// A process acted again after one of its operations ended `info`.
    #[error(
        "event {event}: process {process} acts again after its operation ended info at event {ended}; \
         its client should go on under a new process number"
    )]
    AfterInfo {
        /// The event that must not be.
        event: usize,
        /// Whose.
        process: u64,
        /// Where its last operation ended.
        ended: usize,
    },
}

impl PairError {
    /// The index of the event that cannot be, from 0.
    pub fn event(&self) -> usize {
        match self {
            Self::Busy { event, .. }
            | Self::NothingOpen { event, .. }
            | Self::Mismatch { event, .. }
            | Self::AfterInfo { event, .. } => *event,
        }
    }
}

/// What a process is doing.
#[derive(Debug, Clone, Copy)]
enum Doing {
    Nothing,
    /// Holds the index of the operation among the operations.
    Open(u32),
    /// Holds the index of the event that ended it.
    Ended(usize),
}

/// Pairs invocations with completions. Operations come in the order of their invocations; an invocation
/// without a completion is an operation of unknown outcome. Events of the nemesis are skipped. What was
/// written without being said at the invocation (`null`) is taken from the completion.
pub fn pair(events: &[Event]) -> Result<Vec<Operation>, PairError> {
    let mut pairs = Pairs::for_events(events.len());
    for (index, event) in events.iter().enumerate() {
        pairs.add_event(index, event)?;
    }
    Ok(pairs.finish().to_vec())
}

/// Events between two returns of memory.
const RETURNED_AFTER: usize = 1 << 16;

/// As [`pair`], into columns, taking the events: their values move into the operations, and their memory
/// is returned on the way.
pub fn pair_columns(mut events: Vec<Event>) -> Result<Operations, PairError> {
    let mut pairs = Pairs::for_events(events.len());
    events.reverse();
    let mut index = 0;
    while let Some(mut event) = events.pop() {
        let value = std::mem::take(&mut event.value);
        let actual = event.actual.take();
        pairs.add_values(index, &event, Given::Owned(value), actual.map(Given::Owned))?;
        index += 1;
        if index.is_multiple_of(RETURNED_AFTER) {
            events.shrink_to_fit();
        }
    }
    Ok(pairs.finish())
}

/// An event of a client, whose texts stand elsewhere; its fields are those of [`Event`].
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are documented at the event")]
pub struct ClientEvent<'a> {
    pub time: u64,
    pub process: u64,
    pub kind: Kind,
    pub f: &'a str,
    pub key: Option<&'a str>,
    pub value: Given<'a>,
    pub error: Option<&'a str>,
    pub actual: Option<Given<'a>>,
    pub client: Option<u32>,
    pub node: Option<&'a str>,
    pub intended: Option<u64>,
    pub phase: Option<Phase>,
}

/// Operations in columns while their events come in, in their order.
#[derive(Debug)]
pub struct Pairs {
    builder: Builder,
    /// By the number of the process.
    doing: Vec<Doing>,
}

impl Pairs {
    /// No operation yet, with room for those of this many events.
    pub fn for_events(count: usize) -> Self {
        Self { builder: Builder::for_operations(count / 2 + 1), doing: Vec::new() }
    }

    /// The operations; those without a completion have an unknown outcome.
    pub fn finish(self) -> Operations {
        self.builder.finish()
    }

    /// What packs the micro-operations of the next event.
    pub fn packer(&mut self) -> Packer<'_> {
        self.builder.packer()
    }

    /// The index of the operation that a process has open.
    pub fn open(&self, process: u64) -> Option<usize> {
        let number = self.builder.known_process(process)?;
        match self.doing.get(number as usize) {
            Some(Doing::Open(open)) => Some(*open as usize),
            Some(Doing::Nothing | Doing::Ended(_)) | None => None,
        }
    }

    /// The key of the operation at an index, if it has one.
    pub fn key(&self, index: usize) -> Option<&str> {
        self.builder.operations().key(index)
    }

    /// Whether a value equals the argument of the operation at an index.
    pub fn is_argument(&self, index: usize, value: &Given<'_>) -> bool {
        self.builder.operations().is_argument(index, value)
    }

    /// Adds any event, also one of the nemesis.
    pub(crate) fn add_event(&mut self, index: usize, event: &Event) -> Result<(), PairError> {
        self.add_values(
            index,
            event,
            Given::Borrowed(&event.value),
            event.actual.as_ref().map(Given::Borrowed),
        )
    }

    fn add_values(
        &mut self,
        index: usize,
        event: &Event,
        value: Given<'_>,
        actual: Option<Given<'_>>,
    ) -> Result<(), PairError> {
        let Process::Client(process) = event.process else { return Ok(()) };
        self.add(
            index,
            ClientEvent {
                time: event.time,
                process,
                kind: event.kind,
                f: &event.f,
                key: event.key.as_deref(),
                value,
                error: event.error.as_deref(),
                actual,
                client: event.client,
                node: event.node.as_deref(),
                intended: event.intended,
                phase: event.phase,
            },
        )
    }

    /// Adds the event of a client; `index` is its own in the order of events.
    ///
    /// # Errors
    /// When the process did what no process can do.
    pub fn add(&mut self, index: usize, event: ClientEvent<'_>) -> Result<(), PairError> {
        let process = event.process;
        let number = self.builder.process(process);
        if number as usize == self.doing.len() {
            self.doing.push(Doing::Nothing);
        }
        let doing = self.doing[number as usize];
        self.doing[number as usize] = match (doing, event.kind) {
            (Doing::Ended(ended), _) => return Err(PairError::AfterInfo { event: index, process, ended }),
            (Doing::Open(open), Kind::Invoke) => {
                let open = self.builder.operations().invoked(open as usize);
                return Err(PairError::Busy { event: index, process, f: event.f.to_owned(), open });
            }
            (Doing::Nothing, Kind::Invoke) => Doing::Open(self.builder.begin(Invocation {
                event: index,
                process: number,
                client: event.client,
                f: event.f,
                key: event.key,
                argument: event.value,
                intended_ns: event.intended,
                ns: event.time,
                node: event.node,
                phase: event.phase,
            })),
            (Doing::Nothing, Kind::Ok | Kind::Fail | Kind::Info) => {
                return Err(PairError::NothingOpen { event: index, process, f: event.f.to_owned() });
            }
            (Doing::Open(open), Kind::Ok | Kind::Fail | Kind::Info) => {
                let ends = event.kind == Kind::Info;
                self.complete(open, index, event)?;
                if ends { Doing::Ended(index) } else { Doing::Nothing }
            }
        };
        Ok(())
    }

    fn complete(&mut self, open: u32, index: usize, event: ClientEvent<'_>) -> Result<(), PairError> {
        // It has not ended, so that its steps are those of its argument.
        let operation = self.builder.operations().transaction(open as usize);
        let same_key = event.key.is_none() || event.key == operation.key;
        if event.f != operation.f || !same_key {
            return Err(PairError::Mismatch {
                event: index,
                process: operation.process,
                completed: name(event.f, event.key),
                open: operation.invoked,
                begun: name(operation.f, operation.key),
            });
        }
        let update = matches!(operation.f, "write" | "put" | "append" | "enqueue" | "push");
        let says_nothing = matches!(operation.steps, Steps::Other(argument) if argument.is_null());
        let argues = update && says_nothing && event.kind == Kind::Ok;
        if event.kind != Kind::Ok {
            self.builder.discard(&event.value);
        }
        let how = match event.kind {
            Kind::Ok => Completion::Ok(event.value),
            Kind::Fail => Completion::Fail { error: event.error, actual: event.actual },
            Kind::Info | Kind::Invoke => Completion::Info { error: event.error },
        };
        let ended = (event.kind != Kind::Info).then_some(index);
        self.builder.complete(open, ended, Some(event.time), how);
        if argues {
            self.builder.argue(open);
        }
        if let Some(node) = event.node {
            self.builder.answered_by(open, node);
        }
        Ok(())
    }
}

fn name(f: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => format!("{f} of {key}"),
        None => f.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use serde_json::json;

    fn event(process: u64, kind: Kind, f: &str) -> Event {
        Event::new(Process::Client(process), kind, f)
    }

    #[test]
    fn operations_come_in_the_order_of_their_invocations() {
        let mut events = vec![
            event(0, Kind::Invoke, "write"),
            event(1, Kind::Invoke, "read"),
            Event::new(Process::Nemesis, Kind::Info, "kill"),
            event(1, Kind::Ok, "read"),
            event(0, Kind::Fail, "write"),
            event(1, Kind::Invoke, "read"),
            event(2, Kind::Invoke, "write"),
            event(2, Kind::Info, "write"),
        ];
        for (time, event) in events.iter_mut().enumerate() {
            event.time = time as u64 * 10;
        }
        events[3].value = json!(7);
        events[4].error = Some("unavailable".into());
        events[7].error = Some("timeout".into());
        let operations = pair(&events).unwrap();
        assert_eq!(pair_columns(events).unwrap().to_vec(), operations);
        let indexes: Vec<_> = operations.iter().map(|o| (o.process, o.invoked, o.completed)).collect();
        assert_eq!(indexes, [(0, 0, Some(4)), (1, 1, Some(3)), (1, 5, None), (2, 6, None)]);
        assert_eq!(operations[0].outcome, Outcome::Fail { error: Some("unavailable".into()), actual: None });
        assert_eq!(operations[1].outcome, Outcome::Ok(json!(7)));
        assert_eq!(operations[2].outcome, Outcome::Info { error: None });
        assert_eq!(operations[3].outcome, Outcome::Info { error: Some("timeout".into()) });
        let ends: Vec<_> = operations.iter().map(|o| o.completed_ns).collect();
        assert_eq!(ends, [Some(40), Some(30), None, Some(70)]);
    }

    #[test]
    fn what_an_update_did_may_be_said_only_at_its_end() {
        for (f, argument) in [("write", json!(3)), ("enqueue", json!(3)), ("read", json!(null))] {
            let mut end = event(0, Kind::Ok, f);
            end.value = json!(3);
            let operations = pair(&[event(0, Kind::Invoke, f), end]).unwrap();
            assert_eq!(
                (&operations[0].argument, &operations[0].outcome),
                (&argument, &Outcome::Ok(json!(3)))
            );
        }
    }

    #[test]
    fn a_process_has_at_most_one_operation_open() {
        let error = pair(&[event(4, Kind::Invoke, "read"), event(4, Kind::Invoke, "read")]).unwrap_err();
        assert_eq!(error, PairError::Busy { event: 1, process: 4, f: "read".into(), open: 0 });
    }

    #[test]
    fn a_completion_needs_its_own_invocation() {
        let error = pair(&[event(4, Kind::Ok, "read")]).unwrap_err();
        assert!(matches!(error, PairError::NothingOpen { event: 0, process: 4, .. }));
        let error = pair(&[event(4, Kind::Invoke, "read"), event(4, Kind::Ok, "write")]).unwrap_err();
        assert!(matches!(error, PairError::Mismatch { event: 1, .. }));
        let mut other = event(4, Kind::Ok, "read");
        other.key = Some("k2".into());
        let error = pair(&[event(4, Kind::Invoke, "read"), other]).unwrap_err();
        assert!(error.to_string().contains("read of k2"), "{error}");
    }

    #[test]
    fn a_process_is_over_after_an_unknown_outcome() {
        let events =
            [event(4, Kind::Invoke, "read"), event(4, Kind::Info, "read"), event(4, Kind::Invoke, "read")];
        assert_eq!(pair(&events).unwrap_err(), PairError::AfterInfo { event: 2, process: 4, ended: 1 });
    }
}
