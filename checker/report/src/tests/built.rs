//! Small histories built step by step: three nodes, a kill of n1 from 2 to 3 s, load until 5 s, recovery until 7 s.

use super::fixture::{MS, Made, SECOND, plan};
use crate::Check;
use crate::observed::{Observed, ReadHistory};
use crate::{
    Load, Obligation, PhaseSpan, VariantPlan, Warning, digest, liveness, logs, obligations, warnings,
};
use history::{Event, Kind, Phase, Process, pair_columns};
use serde_json::{Value, json};
use std::time::Duration;

const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// A history in the making. Times are milliseconds.
pub(super) struct Built {
    pub(super) plan: VariantPlan,
    pub(super) load: Load,
    events: Vec<Event>,
    process: u64,
}

/// The position and the digest of a node's state, or why there is none.
pub(super) type State<'a> = Result<(u64, u64), &'a str>;

impl Built {
    /// Nothing but a kill of n1 that took effect.
    pub(super) fn new() -> Self {
        let made = Made { kills: vec![(SECOND, 2 * SECOND)], ..Made::sound("main") };
        let mut plan = plan("test", &[made]).variants.remove(0);
        plan.check.agreement = false;
        plan.functions = ["read", "write"].map(String::from).to_vec();
        (plan.timeout, plan.rate, plan.minimum_rate) = (Some(Duration::from_millis(500)), None, 0.0);
        let span = |(phase, start, end)| PhaseSpan { phase, start: start * MS, end: end * MS, unsent: 0 };
        let phases = [
            (Phase::Warmup, 0, 1000),
            (Phase::Load, 1000, 5000),
            (Phase::Recovery, 5000, 7000),
            (Phase::Final, 7000, 12_000),
        ];
        let load = Load { phases: phases.map(span).to_vec(), complete: true, ..Load::default() };
        let mut built = Self { plan, load, events: Vec::new(), process: 0 };
        built.note(2000, "start", &["n1"]);
        built.note(3000, "end", &["n1"]);
        built
    }

    /// A sound run: every node is asked all the time, and everything succeeds.
    pub(super) fn sound() -> Self {
        let mut built = Self::new();
        built.serve(|_, _| true);
        built
    }

    fn note(&mut self, time: u64, event: &str, nodes: &[&str]) {
        let mut note = Event::new(Process::Nemesis, Kind::Info, "kill");
        note.time = time * MS;
        note.value = json!({"fault": 1, "event": event, "targets": nodes, "evidence": ["pid 7 ended"]});
        self.events.push(note);
    }

    /// A line of the log of n1 that matched a pattern.
    pub(super) fn log(&mut self, at: u64, rule: &str, pattern: &str, line: &str) {
        let mut note = Event::new(Process::Nemesis, Kind::Info, "log");
        note.time = (at + 90) * MS;
        note.value = json!({"event": "log", "targets": ["n1"], "rule": rule, "pattern": pattern,
            "file": "output.log", "line": line, "at": at * MS});
        self.events.push(note);
    }

    /// The counts at the end of the search of the logs.
    pub(super) fn logs(&mut self, counts: &[(&str, &str, u64)]) {
        let mut note = Event::new(Process::Nemesis, Kind::Info, "logs");
        note.time = 12_000 * MS;
        let counts = counts
            .iter()
            .map(|(rule, pattern, count)| json!({"rule": rule, "pattern": pattern, "count": count}));
        note.value = json!({"event": "logs", "patterns": counts.collect::<Vec<_>>()});
        self.events.push(note);
    }

    /// What the nodes answered when they were asked for digests: name, position and digest, or an error.
    pub(super) fn digests(&mut self, at: u64, nodes: &[(&str, State<'_>)]) {
        let mut note = Event::new(Process::Nemesis, Kind::Info, "digests");
        note.time = at * MS;
        let nodes = nodes.iter().map(|(node, state)| match state {
            Ok((position, digest)) => {
                json!({"node": node, "position": position.to_string(), "digest": digest.to_string()})
            }
            Err(error) => json!({"node": node, "error": error}),
        });
        note.value = json!({"event": "digests", "nodes": nodes.collect::<Vec<_>>()});
        self.events.push(note);
    }

    pub(super) fn digest_check(&self) -> Option<Check> {
        digest::check(&self.observed())
    }

    pub(super) fn log_check(&self) -> Option<Check> {
        logs::check(&self.observed())
    }

    /// The kind of the fault instead of a kill, and when it ends.
    pub(super) fn fault(&mut self, kind: &str, end: u64) {
        let nemesis = self.events.iter_mut().filter(|event| event.process == Process::Nemesis);
        nemesis.filter(|event| event.value["event"] == "end").for_each(|event| event.time = end * MS);
        self.plan.faults[0].kind = kind.to_owned();
        self.plan.faults[0].end = Some((end - 1000) * MS);
    }

    /// Every 20 ms an operation at each node in turn, on k1 and k2, until the end of the recovery, and then final reads
    /// of both keys. `answers` says which are answered, by node and time; the killed node answers none.
    pub(super) fn serve(&mut self, answers: impl Fn(&str, u64) -> bool) {
        for (number, at) in (0..).zip((0..7000).step_by(20)) {
            let node = NODES[number % 3];
            let f = if number % 2 == 0 { "write" } else { "read" };
            let down = node == "n1" && (2000..3000).contains(&at);
            self.operation(f, &format!("k{}", number / 2 % 2 + 1), node, at, answers(node, at) && !down);
        }
        for (number, at) in (0..6).zip((7000..).step_by(20)) {
            let node = NODES[number % 3];
            self.operation("read", &format!("k{}", number / 3 + 1), node, at, answers(node, at));
        }
    }

    /// One operation; without an answer it times out.
    pub(super) fn operation(&mut self, f: &str, key: &str, node: &str, at: u64, answered: bool) {
        let kind = if answered { Kind::Ok } else { Kind::Info };
        let error = (!answered).then_some("timeout");
        self.ended(f, key, node, (at, if answered { 5 } else { 500 }), (kind, error));
    }

    /// One operation that took so long and ended like this.
    pub(super) fn ended(
        &mut self,
        f: &str,
        key: &str,
        node: &str,
        (at, took): (u64, u64),
        (kind, error): (Kind, Option<&str>),
    ) {
        self.process += 1;
        let mut invoke = Event::new(Process::Client(self.process), Kind::Invoke, f);
        let phase = match at {
            ..1000 => Phase::Warmup,
            1000..5000 => Phase::Load,
            5000..7000 => Phase::Recovery,
            _ => Phase::Final,
        };
        (invoke.time, invoke.key, invoke.phase) = (at * MS, Some(key.to_owned()), Some(phase));
        invoke.node = Some(node.to_owned());
        invoke.value = if f == "read" { Value::Null } else { json!(self.process) };
        let mut done = Event::new(Process::Client(self.process), kind, f);
        (done.time, done.key) = ((at + took) * MS, Some(key.to_owned()));
        (done.value, done.error) = (invoke.value.clone(), error.map(String::from));
        self.events.extend([invoke, done]);
    }

    /// Every operation was due so much earlier than its client could send it.
    pub(super) fn wait(&mut self, late: u64) {
        let sent = self.events.iter_mut().filter(|event| event.kind == Kind::Invoke);
        sent.for_each(|event| event.intended = Some(event.time.saturating_sub(late * MS)));
    }

    /// One operation on a queue: an enqueue of an element, or a dequeue with what came out; none: no answer.
    pub(super) fn queue(&mut self, f: &str, (key, node): (&str, &str), at: u64, element: Option<Value>) {
        self.operation(f, key, node, at, element.is_some());
        let [.., invoke, done] = self.events.as_mut_slice() else { return };
        let value = element.unwrap_or_else(|| json!(at));
        invoke.value = if f == "dequeue" { Value::Null } else { value.clone() };
        done.value = if done.kind == Kind::Ok { value } else { invoke.value.clone() };
    }

    /// The answer and the reason of the check of queues, by this model.
    pub(super) fn queue_check(&self, kind: checker::elements::Kind) -> (crate::Answer, String) {
        let check = crate::properties::by_elements(&self.observed(), kind);
        (check.answer, check.reason)
    }

    pub(super) fn push(&mut self, event: Event) {
        self.events.push(event);
    }

    fn observed(&self) -> Observed {
        let mut events = self.events.clone();
        events.sort_by_key(|event| event.time);
        let operations = pair_columns(events.clone()).unwrap();
        let nemesis = events.into_iter().filter(|event| event.process == Process::Nemesis).collect();
        let history = ReadHistory { nemesis, operations, ..ReadHistory::default() };
        Observed::new(self.plan.clone(), Some(history), Some(self.load.clone()), Vec::new())
    }

    pub(super) fn obligations(&self) -> Vec<Obligation> {
        obligations::of(&self.observed())
    }

    /// The names of the obligations that are not met, each with what is missing.
    pub(super) fn unmet(&self) -> Vec<(&'static str, String)> {
        let unmet = self.obligations().into_iter().filter(|obligation| !obligation.met);
        unmet.map(|obligation| (obligation.name, obligation.missing.join(", "))).collect()
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.unmet().into_iter().map(|(name, _)| name).collect()
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        let observed = self.observed();
        warnings::of(&observed)
    }

    pub(super) fn warned(&self) -> Vec<&'static str> {
        self.warnings().into_iter().map(|warning| warning.name).collect()
    }

    pub(super) fn liveness(&self) -> Option<Check> {
        liveness::check(&self.observed())
    }
}
