//! Everything one variant left behind, read from its folder and put in order.

use super::digest::{self, DigestRound};
use super::exits::{self, NodeEnd};
use super::logs::Logs;
use super::plan::{Load, PhaseSpan, VariantPlan};
use super::samples::{Protocol, Sample, read_samples};
use super::{FaultRecord, ResultsError, faults};
use history::{
    Event, OperationRef, Operations, OutcomeClass, OutcomeRef, PairError, Phase, Process, ReadError,
    ReadOperationsError, RecordedOperations, pair_columns, read_jsonl, read_operations,
};
use jiff::Timestamp;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Seek};
use std::path::Path;

/// A span of time in nanoseconds since the run's start; the end does not belong to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// Its beginning.
    pub start: u64,
    /// Its end.
    pub end: u64,
}

impl Window {
    /// Nanoseconds in it.
    pub(crate) fn length(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Seconds in it.
    pub(crate) fn seconds(self) -> f64 {
        self.length() as f64 / 1e9
    }

    /// Whether there is no time in it.
    pub(crate) fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Whether a time lies in it.
    pub(crate) fn holds(self, time: u64) -> bool {
        self.start <= time && time < self.end
    }
}

/// One variant: its plan and what was observed of it.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    /// What was decided before.
    pub plan: VariantPlan,
    /// Every operation, in the order of invocation.
    pub operations: Operations,
    /// The faults of the plan with their course, then faults that were not planned.
    pub faults: Vec<FaultRecord>,
    /// Nodes that ended without a fault that explains it.
    pub exits: Vec<NodeEnd>,
    /// Nodes that ended by themselves as a fault allows them, for example because it had damaged their data.
    pub excused: Vec<String>,
    /// Nodes that stay down after everything was healed, for example because their data were damaged.
    pub gone: Vec<String>,
    /// What the search of the logs found.
    pub logs: Logs,
    /// The digests of the nodes' states, each time that they were asked for.
    pub digests: Vec<DigestRound>,
    /// When each phase was, from `load.json` or, without it, from the operations.
    pub phases: Vec<PhaseSpan>,
    /// `load.json`, if the variant came to its end.
    pub load: Option<Load>,
    /// What the nodes said of themselves.
    pub samples: Vec<Sample>,
    /// What that says of the protocol.
    pub protocol: Protocol,
    /// Whether there is a history at all.
    pub history: bool,
    /// What is odd about the history, for example a last line cut off.
    pub notes: Vec<String>,
    /// When the run's clock stood at 0; none where only the second is known, as in older histories.
    pub zero: Option<Timestamp>,
}

/// What was read of a history file.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadHistory {
    /// The events of the nemesis.
    pub nemesis: Vec<Event>,
    /// The operations paired from them.
    pub operations: Operations,
    /// What is odd about it.
    pub notes: Vec<String>,
    /// When the run's clock stood at 0, where that is known to a fraction of a second.
    pub zero: Option<Timestamp>,
}

impl ReadHistory {
    /// Reads and pairs a history; none if there is no such file.
    fn read(path: &Path) -> Result<Option<Self>, ResultsError> {
        let mut file = match File::open(path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ResultsError::read(path, error)),
        };
        let recorded = match read_operations(&mut file) {
            Ok(recorded) => recorded,
            // A bench that was killed at once leaves an empty file: a variant that never ran.
            Err(ReadOperationsError::Read(ReadError::NoHeader)) => return Ok(None),
            // Numbers of more than 64 bits, or something wrong, for which the list of events has the better words.
            Err(_) => {
                file.rewind().map_err(|error| ResultsError::read(path, error))?;
                let history = read_jsonl(file).map_err(|error| ResultsError::history(path, &error))?;
                RecordedOperations::of(history).map_err(|error| ResultsError::history(path, &error))?
            }
        };
        let RecordedOperations { header, operations, nemesis, unfinished } = recorded;
        let mut notes = Vec::new();
        if unfinished {
            notes.push("the last line of history.jsonl was cut off and is left out".to_owned());
        }
        let zero = header.started.parse().ok().filter(|zero: &Timestamp| zero.subsec_nanosecond() != 0);
        Ok(Some(Self { nemesis, operations, notes, zero }))
    }

    /// Pairs events.
    pub(crate) fn of(events: Vec<Event>) -> Result<Self, PairError> {
        let nemesis = events.iter().filter(|event| event.process == Process::Nemesis).cloned().collect();
        Ok(Self { nemesis, operations: pair_columns(events)?, ..Self::default() })
    }
}

impl Observed {
    /// Reads the folder of a variant. A folder that is not there is a variant that never ran.
    pub(crate) fn read(dir: &Path, plan: &VariantPlan) -> Result<Self, ResultsError> {
        let history = ReadHistory::read(&dir.join("history.jsonl"))?;
        let load = Load::read(dir)?;
        let samples = read_samples(dir)?;
        Ok(Self::new(plan.clone(), history, load, samples))
    }

    /// Puts in order what was read.
    pub(crate) fn new(
        plan: VariantPlan,
        history: Option<ReadHistory>,
        load: Option<Load>,
        samples: Vec<Sample>,
    ) -> Self {
        let present = history.is_some();
        let ReadHistory { nemesis, operations, notes, zero } = history.unwrap_or_default();
        let phases = match &load {
            Some(load) if !load.phases.is_empty() => load.phases.clone(),
            Some(_) | None => phases_of(&operations),
        };
        let load_start = start_of(&phases, Phase::Load);
        let faults = faults::records(&plan.faults, &nemesis, load_start);
        let (exits, excused) = (exits::ends(&nemesis), faults::excused(&nemesis));
        let gone = faults::gone(&nemesis);
        let logs = Logs::read(&plan.check, &nemesis);
        let digests = digest::rounds(&nemesis, load_start);
        let protocol = Protocol::from_samples(&samples);
        Self {
            plan,
            operations,
            faults,
            exits,
            excused,
            gone,
            logs,
            digests,
            phases,
            load,
            samples,
            protocol,
            history: present,
            notes,
            zero,
        }
    }

    /// The same as it stood at a time: what was invoked later is not there, and what completed later has an unknown outcome.
    pub(crate) fn until(&self, time_ns: u64) -> Self {
        let mut until = self.clone();
        let before = |operation: &OperationRef<'_>| operation.invoked_ns < time_ns;
        until.operations = self.operations.iter().filter(before).map(|it| as_it_stood(it, time_ns)).collect();
        until
    }

    /// The last moment of which anything is known.
    pub(crate) fn end_ns(&self) -> u64 {
        let operations =
            self.operations.iter().map(|operation| operation.completed_ns.unwrap_or(operation.invoked_ns));
        let faults = self.faults.iter().filter_map(|fault| fault.end_ns.or(fault.start_ns));
        let phases = self.phases.iter().map(|span| span.end);
        operations.chain(faults).chain(phases).max().unwrap_or(0)
    }

    /// When a phase was; none if it never came.
    pub(crate) fn phase(&self, phase: Phase) -> Option<Window> {
        let span = self.phases.iter().find(|span| span.phase == phase)?;
        Some(Window { start: span.start, end: span.end })
    }

    /// The time the figures are about: the phases load and recovery.
    pub(crate) fn measured(&self) -> Window {
        let Some(load) = self.phase(Phase::Load) else { return Window::default() };
        let end = self.phase(Phase::Recovery).map_or(load.end, |recovery| recovery.end.max(load.end));
        Window { start: load.start, end }
    }

    /// The operations the figures are about: those invoked in the phases load and recovery.
    pub(crate) fn measured_operations(&self) -> impl Iterator<Item = OperationRef<'_>> {
        self.operations
            .iter()
            .filter(|operation| matches!(operation.phase, Some(Phase::Load | Phase::Recovery) | None))
    }

    /// The phases that pictures show: all but the final reads, a burst at a rate that the spec does not ask for.
    pub(crate) fn shown_phases(&self) -> impl Iterator<Item = &PhaseSpan> {
        self.phases.iter().filter(|span| span.phase != Phase::Final)
    }

    /// The operations that pictures show, by the same rule.
    pub(crate) fn shown_operations(&self) -> impl Iterator<Item = OperationRef<'_>> {
        self.operations.iter().filter(|operation| operation.phase != Some(Phase::Final))
    }

    /// Operations of the phases load and recovery that were due and never sent.
    pub(crate) fn unsent(&self) -> u64 {
        let Some(load) = &self.load else { return 0 };
        let aside = load.phases.iter().filter(|span| matches!(span.phase, Phase::Warmup | Phase::Final));
        load.unsent.saturating_sub(aside.map(|span| span.unsent).sum())
    }

    /// Nanoseconds since the start of the load turned into a position on an axis of seconds.
    pub(crate) fn axis_seconds(&self, time_ns: u64) -> f64 {
        (time_ns as f64 - self.origin_ns() as f64) / 1e9
    }

    /// The moment that people count from: when the load began, in nanoseconds since the run's start.
    pub(crate) fn origin_ns(&self) -> u64 {
        self.measured().start
    }
}

/// An operation as it stood at a time: without what came later.
fn as_it_stood(operation: OperationRef<'_>, time_ns: u64) -> OperationRef<'_> {
    if operation.completed_ns.is_some_and(|completed| completed < time_ns) {
        return operation;
    }
    let outcome = OutcomeRef::Info { error: None };
    OperationRef { outcome, completed: None, completed_ns: None, ..operation }
}

/// When an operation's latency begins: when it was due in an open loop, when it was sent in a closed one.
pub(crate) fn due_ns(operation: &OperationRef<'_>, open_loop: bool) -> u64 {
    match operation.intended_ns {
        Some(intended) if open_loop => intended.min(operation.invoked_ns),
        Some(_) | None => operation.invoked_ns,
    }
}

/// Whether the system answered: it did what was asked, or said what stood in the way of a compare-and-set.
pub(crate) fn answered(outcome: OutcomeRef<'_>) -> bool {
    matches!(OutcomeClass::of(outcome), OutcomeClass::Ok | OutcomeClass::Refused)
}

/// The latency of an operation in nanoseconds; none while it has not come back.
pub(crate) fn latency_ns(operation: &OperationRef<'_>, open_loop: bool) -> Option<u64> {
    Some(operation.completed_ns?.saturating_sub(due_ns(operation, open_loop)))
}

fn start_of(phases: &[PhaseSpan], phase: Phase) -> Option<u64> {
    phases.iter().find(|span| span.phase == phase).map(|span| span.start)
}

/// Takes the phases from the operations: each begins with its first invocation and ends where the next
/// begins, the last one with the last event.
fn phases_of(operations: &Operations) -> Vec<PhaseSpan> {
    let mut phases: Vec<PhaseSpan> = Vec::new();
    for operation in operations {
        let phase = operation.phase.unwrap_or(Phase::Load);
        let (start, end) = (operation.invoked_ns, operation.completed_ns.unwrap_or(operation.invoked_ns));
        match phases.iter_mut().find(|span| span.phase == phase) {
            Some(span) => {
                span.start = span.start.min(start);
                span.end = span.end.max(end);
            }
            None => phases.push(PhaseSpan { phase, start, end, unsent: 0 }),
        }
    }
    phases.sort_by_key(|span| span.start);
    for next in 1..phases.len() {
        phases[next - 1].end = phases[next].start;
    }
    phases
}
