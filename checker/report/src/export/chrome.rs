//! Chrome's trace events: a process for each variant, a thread for each client, and a track for each fault.
//!
//! The format is described in "Trace Event Format" (Google, 2016): `ts` and `dur` are microseconds, `ph` is the kind of
//! event. Complete events (`X`) of one thread must nest, which operations of one client do, since it has one open at a
//! time, or else they get another thread. Faults overlap, so they are asynchronous (`b`, `e`).

use super::{Traced, outcome, phase};
use checker::words;
use history::{OperationRef, OutcomeRef};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Threads before those of the clients: phases.
const PHASES: u64 = 1;
const CLIENTS: u64 = 10;

pub(super) fn write(variants: &[Traced], out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n")?;
    let mut events = Events { out, first: true };
    for (variant, pid) in variants.iter().zip(1..) {
        write_variant(&mut events, variant, pid)?;
    }
    out.write_all(b"\n]}\n")
}

/// The list of events, with commas between them.
struct Events<'a, W: Write> {
    out: &'a mut W,
    first: bool,
}

impl<W: Write> Events<'_, W> {
    fn add(&mut self, event: &Value) -> io::Result<()> {
        if !std::mem::take(&mut self.first) {
            self.out.write_all(b",\n")?;
        }
        serde_json::to_writer(&mut *self.out, event).map_err(io::Error::from)
    }
}

fn microseconds(ns: u64) -> Value {
    json!(ns as f64 / 1e3)
}

fn write_variant<W: Write>(events: &mut Events<'_, W>, variant: &Traced, pid: u64) -> io::Result<()> {
    let observed = &variant.observed;
    let name = |what: &str, tid: u64, name: &str| json!({"ph": "M", "pid": pid, "tid": tid, "name": what, "args": {"name": name}});
    let title = format!("{}: {}", variant.spec, observed.plan.name);
    events.add(&name("process_name", 0, &title))?;
    events.add(&name("thread_name", PHASES, "phases"))?;
    for (index, span) in observed.phases.iter().enumerate() {
        // Readers complain of events of a thread that overlap, be it by what is lost when fractions are added.
        let next = observed.phases.get(index + 1).map_or(u64::MAX, |next| next.start.saturating_sub(1));
        let end = span.end.min(next).max(span.start);
        events
            .add(&json!({"ph": "X", "pid": pid, "tid": PHASES, "cat": "phase", "name": phase(span.phase),
            "ts": microseconds(span.start), "dur": microseconds(end - span.start)}))?;
    }
    for (fault, start, end) in variant.faults() {
        let event = |ph: &str, time: u64, evidence: &[String]| {
            json!({"ph": ph, "pid": pid, "tid": PHASES, "cat": "fault", "id": format!("{pid}.{}", fault.fault), "name": fault.label,
                "ts": microseconds(time), "args": {"nodes": fault.nodes, "evidence": evidence}})
        };
        events.add(&event("b", start, &fault.evidence))?;
        events.add(&event("e", end, &fault.healed))?;
    }
    let mut threads = Threads::default();
    let end = variant.end_ns();
    for operation in &observed.operations {
        let client = operation.client.map_or(operation.process, u64::from);
        let over = operation.completed_ns.unwrap_or(end);
        let (tid, is_new) = threads.of(client, operation.invoked_ns, over);
        if is_new {
            events.add(&name("thread_name", tid, &format!("client {client}")))?;
            events.add(&json!({"ph": "M", "pid": pid, "tid": tid, "name": "thread_sort_index",
                "args": {"sort_index": client}}))?;
        }
        events.add(&complete(&operation, pid, tid, over))?;
    }
    for sample in observed.samples.iter().filter(|sample| sample.up) {
        let Some(slot) = sample.slot_out else { continue };
        events.add(&json!({"ph": "C", "pid": pid, "name": format!("{} applied", sample.node),
            "ts": microseconds(sample.time_ns), "args": {"slots": slot.saturating_sub(1)}}))?;
    }
    Ok(())
}

/// A thread for each client, and another where an operation that never ended is still open.
#[derive(Default)]
struct Threads {
    /// The threads of each client: their numbers, and until when each is taken.
    of: BTreeMap<u64, Vec<(u64, u64)>>,
    count: u64,
}

impl Threads {
    /// The thread for an operation, and whether it is a new one. Operations come in the order of their invocation.
    fn of(&mut self, client: u64, start: u64, over: u64) -> (u64, bool) {
        let own = self.of.entry(client).or_default();
        if let Some((tid, until)) = own.iter_mut().find(|(_, until)| *until <= start) {
            *until = over;
            return (*tid, false);
        }
        let tid = CLIENTS + self.count;
        self.count += 1;
        own.push((tid, over));
        (tid, true)
    }
}

fn complete(operation: &OperationRef<'_>, pid: u64, tid: u64, over: u64) -> Value {
    let start = operation.invoked_ns;
    let over = over.max(start);
    let (word, error) = outcome(operation.outcome);
    let key = operation.key.map_or_else(String::new, |key| format!(" {key}"));
    let mut event = json!({"ph": "X", "pid": pid, "tid": tid, "cat": format!("operation,{word}"),
        "name": format!("{}{key}", operation.f), "ts": microseconds(start), "dur": microseconds(over - start),
        "args": {"outcome": word, "in short": words::in_short(operation), "node": operation.node,
            "argument": operation.argument}});
    match operation.outcome {
        OutcomeRef::Ok(value) => event["args"]["result"] = value.clone(),
        OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => event["args"]["error"] = json!(error),
    }
    event
}
