//! Waits until the system serves; its requests are in no history.

use crate::client::{self, Shared};
use crate::operation::{Function, Operation};
use crate::outcome::{Ending, NO_VALUE, ending};
use crate::spec::{LoadSpec, Workload};
use history::Outcome;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// The key that is written to see whether the system serves; no workload has it.
pub const PROBE_KEY: &str = "bench-probe";

/// The element that is put into the queue of that key. No load has it: their elements begin at 1.
const PROBE_ELEMENT: u64 = 0;

/// The first value that is written to that key; each attempt writes the next one. A constant answer is unlikely to be it.
const PROBE_VALUE: u64 = 730_211;

/// What every account of a bank holds at first.
pub const OPENING: u64 = 100;

/// How long to wait before the next attempt.
const RETRY: Duration = Duration::from_millis(20);

/// How long a value is looked for before another one is written.
const ROUND: Duration = Duration::from_secs(1);

/// How long the load waits for nodes that answer later than the first.
const ALL_WITHIN: Duration = Duration::from_secs(5);

/// How long it waits for nodes that do not have yet what was written. A new copy of Redis begins to copy after 5 s.
const COPIED_WITHIN: Duration = Duration::from_secs(20);

/// Why the system does not serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// These replicas do not accept connections.
    #[error("no connection to {} in {after:?}; what they printed may say why", .nodes.join(", "))]
    NotListening {
        /// How long it was tried.
        after: Duration,
        /// Their names, each with the address that was tried.
        nodes: Vec<String>,
    },
    /// They listen, but do not do what they are asked.
    #[error("no node {what} in {after:?}: {}", .answers.join("; "))]
    NotServing {
        /// How long it was tried.
        after: Duration,
        /// What none of them did.
        what: &'static str,
        /// What each of them said or did first, in words.
        answers: Vec<String>,
    },
    /// They answer reads, but not with what was written.
    #[error(
        "no {read} of the key {key} gave back in {after:?} what the {write} before had written: {}",
        .answers.join("; "),
        key = PROBE_KEY
    )]
    NotReadBack {
        /// How long it was tried.
        after: Duration,
        /// The function that reads.
        read: Function,
        /// The function that had succeeded.
        write: Function,
        /// What each of them said first, in words.
        answers: Vec<String>,
    },
}

/// Returns when every replica accepts connections, one of them has applied a write, and one has read it back; then
/// waits some seconds for the others to answer a read too, since a client that meets a node too early leaves it.
///
/// A replica that answers reads must read back what was written: before any fault, other answers are a mistake of the
/// set-up, such as a rule that takes a page of an error for a value, and no evidence about the system. A system that loses
/// writes now and then does not stop here: another value is written after each second.
pub(crate) async fn wait(shared: &Shared, workload: Workload, limit: Duration) -> Result<(), ServeError> {
    let start = Instant::now();
    listening(shared, start, limit).await?;
    let left = || limit.saturating_sub(start.elapsed());
    let mut probe =
        Probe { workload, attempts: 0, keys: shared.keys, described: shared.adapter.is_described() };
    probe.write(shared, left()).await.map_err(|unserved| unserved.after(limit))?;
    loop {
        let read = |_| Operation::reading(workload, PROBE_KEY.to_owned());
        let read_back = |found: &Value| probe.reads_back(found);
        let time = left().min(ROUND);
        match served(shared, "read", "answered a read", time, read, read_back).await {
            Ok(()) => break,
            Err(_) if start.elapsed() < limit => {}
            Err(Unserved { wrong, .. }) if !wrong.is_empty() => {
                return Err(probe.not_read_back(shared, limit, wrong));
            }
            Err(unserved) => return Err(unserved.after(limit)),
        }
        // The write before may be lost; if this one fails, that may still be read.
        drop(probe.write(shared, left().min(ROUND)).await);
    }
    all_answer(shared, &mut probe, left().min(ALL_WITHIN)).await
}

/// What was written before the load.
struct Probe {
    workload: Workload,
    /// How many values were written, one after the other.
    attempts: u64,
    /// The accounts of a bank.
    keys: u32,
    /// Whether somebody describes what answers mean.
    described: bool,
}

impl Probe {
    /// Writes values until one is applied.
    async fn write(&mut self, shared: &Shared, limit: Duration) -> Result<(), Unserved> {
        let (workload, before) = (self.workload, self.attempts);
        let operation = |attempt| write(shared, workload, before + attempt);
        let mut asked = 0;
        let counted = |attempt| {
            asked = attempt + 1;
            operation(attempt)
        };
        let done = served(shared, "write", "applied a write", limit, counted, |_| true).await;
        self.attempts += asked;
        done
    }

    /// Whether a read found what was written. A system may have one queue only, from which the first read takes it.
    fn reads_back(&self, found: &Value) -> bool {
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let written = |value: &Value| {
            number(value).is_some_and(|number| (PROBE_VALUE..PROBE_VALUE + self.attempts).contains(&number))
        };
        match self.workload {
            _ if !self.described => true,
            Workload::Register | Workload::Kv => written(found),
            Workload::ListAppend => found[0][2].as_array().is_some_and(|list| list.iter().any(written)),
            Workload::RwRegister => written(&found[0][2]),
            Workload::Queue => *found == PROBE_ELEMENT,
            // Copies of these may follow as late as they like, and what is made anew has nothing to read back.
            Workload::Set
            | Workload::GCounter
            | Workload::PnCounter
            | Workload::UniqueIds
            | Workload::Echo
            | Workload::Kafka
            | Workload::Lock => true,
            Workload::Bank => {
                (0..self.keys).all(|key| number(&found[LoadSpec::key_name(key)]) == Some(OPENING))
            }
        }
    }

    /// Whether an answer to a read is as wrong as only a mistake of the set-up makes it.
    fn is_wrong(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Ok(found) => self.workload != Workload::Queue && !self.reads_back(found),
            Outcome::Info { error } => error.as_deref() == Some(NO_VALUE),
            Outcome::Fail { .. } => false,
        }
    }

    fn not_read_back(&self, shared: &Shared, after: Duration, answers: Vec<String>) -> ServeError {
        let read = Operation::reading(self.workload, String::new()).function;
        ServeError::NotReadBack { after, read, write: write(shared, self.workload, 0).function, answers }
    }
}

/// Returns when every replica has read back what was written or said that it stands by, or when the limit is reached;
/// then one that never answered a read is left to the load, and one that read something else is an error.
async fn all_answer(shared: &Shared, probe: &mut Probe, limit: Duration) -> Result<(), ServeError> {
    let start = Instant::now();
    let mut left: Vec<usize> = (0..shared.members()).collect();
    let mut wrong: BTreeMap<usize, String> = BTreeMap::new();
    let (mut attempt, mut written) = (0_u64, start);
    loop {
        let mut still_left = Vec::new();
        for target in left {
            let operation = Operation::reading(probe.workload, PROBE_KEY.to_owned());
            let name = shared.command_name(format_args!("probe-all{attempt}"));
            attempt += 1;
            let time = limit.saturating_sub(start.elapsed()).max(RETRY).min(shared.timeout);
            let probed = client::probe(shared, target, &operation, &name, time).await;
            let outcome = ending(&operation, probed.happened).outcome;
            if probe.is_wrong(&outcome) {
                wrong.entry(target).or_insert_with(|| probed.answer.unwrap_or_default());
                still_left.push(target);
            } else {
                wrong.remove(&target);
                still_left.extend(Some(target).filter(|_| !is_served(&outcome)));
            }
        }
        left = still_left;
        // A copy may follow late, however little time is left.
        let limit = if wrong.is_empty() { limit } else { COPIED_WITHIN };
        if !wrong.is_empty() && written.elapsed() >= ROUND {
            drop(probe.write(shared, ROUND).await);
            written = Instant::now();
        }
        if left.is_empty() || start.elapsed() >= limit {
            break;
        }
        sleep(RETRY).await;
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let named = wrong.into_iter().map(|(target, said)| format!("{} {said}", shared.targets[target].name));
    Err(probe.not_read_back(shared, COPIED_WITHIN, named.collect()))
}

/// A dequeue of a load that took out what a probe had put in, because the system has one queue only, took none of the
/// load's elements. It says nothing about them, not even that there are none.
pub(crate) fn without_probes(operation: &Operation, ended: Ending) -> Ending {
    let of_probe = matches!(&ended.outcome, Outcome::Ok(element) if *element == PROBE_ELEMENT);
    if operation.function == Function::Dequeue && of_probe {
        let outcome = Outcome::Info { error: Some("probe-element".to_owned()) };
        return Ending { outcome, move_on: false };
    }
    ended
}

/// Whether a replica did what it should: it answered, refused for a reason, or said that it stands by.
pub(crate) fn is_served(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Ok(_) => true,
        // A lock that another client has is an answer too.
        Outcome::Fail { error, .. } => matches!(error.as_deref(), Some("standby" | "precondition")),
        Outcome::Info { .. } => false,
    }
}

/// Returns when every replica accepts connections.
async fn listening(shared: &Shared, start: Instant, limit: Duration) -> Result<(), ServeError> {
    let left = || limit.saturating_sub(start.elapsed()).min(shared.timeout);
    let mut silent: Vec<_> = shared.targets.iter().filter(|target| !target.spare).collect();
    loop {
        let mut still_silent = Vec::new();
        for target in silent {
            let connected = timeout(left(), TcpStream::connect(target.address)).await;
            if !matches!(connected, Ok(Ok(_))) {
                still_silent.push(target);
            }
        }
        silent = still_silent;
        if silent.is_empty() {
            return Ok(());
        }
        if start.elapsed() >= limit {
            let nodes =
                silent.into_iter().map(|target| format!("{} ({})", target.name, target.address)).collect();
            return Err(ServeError::NotListening { after: limit, nodes });
        }
        sleep(RETRY).await;
    }
}

/// What none of them did.
struct Unserved {
    what: &'static str,
    /// What each of them said first, in words.
    answers: Vec<String>,
    /// What those said that answered, but not rightly.
    wrong: Vec<String>,
}

impl Unserved {
    fn after(self, after: Duration) -> ServeError {
        ServeError::NotServing { after, what: self.what, answers: self.answers }
    }
}

/// How well a node answered before it did what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answered {
    Never,
    /// It refused, or said nothing definite.
    Otherwise,
    Wrongly,
}

/// Returns when one replica has done this rightly; they are asked in turn.
async fn served(
    shared: &Shared,
    kind: &str,
    what: &'static str,
    limit: Duration,
    mut operation: impl FnMut(u64) -> Operation,
    is_right: impl Fn(&Value) -> bool,
) -> Result<(), Unserved> {
    let start = Instant::now();
    // What each node said first, or the first of what says more.
    let mut first: BTreeMap<usize, (Answered, String)> = BTreeMap::new();
    for (attempt, target) in (0_u64..).zip((0..shared.members()).cycle()) {
        let operation = operation(attempt);
        let name = shared.command_name(format_args!("probe-{kind}{attempt}"));
        // Even at the last moment there is some time for an answer.
        let left = limit.saturating_sub(start.elapsed()).max(RETRY).min(shared.timeout);
        let probed = client::probe(shared, target, &operation, &name, left).await;
        let (answered, error) = match ending(&operation, probed.happened).outcome {
            Outcome::Ok(found) if is_right(&found) => return Ok(()),
            Outcome::Info { error } if error.as_deref() == Some(NO_VALUE) => (Answered::Wrongly, error),
            Outcome::Ok(_) => (Answered::Wrongly, None),
            Outcome::Fail { error, .. } | Outcome::Info { error } if probed.answer.is_some() => {
                (Answered::Otherwise, error)
            }
            Outcome::Fail { error, .. } | Outcome::Info { error } => (Answered::Never, error),
        };
        if first.get(&target).is_none_or(|(before, _)| answered > *before) {
            let no_answer = || format!("gave no answer ({})", error.unwrap_or_default());
            first.insert(target, (answered, probed.answer.unwrap_or_else(no_answer)));
        }
        if start.elapsed() >= limit {
            let all = || first.iter().map(|(target, said)| (&shared.targets[*target].name, said));
            let wrongly = |said: &(&String, &(Answered, String))| said.1.0 == Answered::Wrongly;
            let named = |(name, (_, said)): (&String, &(Answered, String))| format!("{name} {said}");
            return Err(Unserved {
                what,
                answers: all().map(named).collect(),
                wrong: all().filter(wrongly).map(named).collect(),
            });
        }
        sleep(RETRY).await;
    }
    Ok(())
}

/// A write to the probe's key; for a bank, the opening of its accounts, which may happen more than once.
fn write(shared: &Shared, workload: Workload, attempt: u64) -> Operation {
    let (key, number) = (PROBE_KEY.to_owned(), PROBE_VALUE + attempt);
    match workload {
        Workload::Register => Operation { function: Function::Write, key, argument: json!(number) },
        Workload::Kv => Operation { function: Function::Put, key, argument: json!(number.to_string()) },
        Workload::ListAppend => Operation {
            function: Function::Txn,
            key: String::new(),
            argument: json!([["append", key, number]]),
        },
        Workload::RwRegister => {
            Operation { function: Function::Txn, key: String::new(), argument: json!([["w", key, number]]) }
        }
        Workload::Queue => Operation { function: Function::Enqueue, key, argument: json!(PROBE_ELEMENT) },
        // It changes nothing.
        Workload::GCounter | Workload::PnCounter => {
            Operation { function: Function::Add, key: String::new(), argument: json!(0) }
        }
        // What is added stays, and every read of the load would have it.
        Workload::Set | Workload::UniqueIds | Workload::Echo => Operation::reading(workload, key),
        Workload::Kafka => Operation {
            function: Function::Send,
            key: String::new(),
            argument: json!([["send", key, PROBE_ELEMENT]]),
        },
        // An attempt without an answer may have got it.
        Workload::Lock if attempt % 2 == 1 => Operation::reading(workload, key),
        Workload::Lock => Operation { function: Function::Acquire, ..Operation::reading(workload, key) },
        Workload::Bank => {
            let accounts = (0..shared.keys).map(|key| json!(["w", LoadSpec::key_name(key), OPENING]));
            Operation { function: Function::Txn, key: String::new(), argument: accounts.collect() }
        }
    }
}
