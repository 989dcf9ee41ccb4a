//! Waits until the system serves; its requests are in no history.

use crate::client::{Shared, probe};
use crate::operation::{Function, Operation};
use crate::outcome::{Ending, ending};
use crate::spec::{LoadSpec, Workload};
use history::Outcome;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// The key that is written to see whether the system serves; no workload has it.
pub const PROBE_KEY: &str = "bench-probe";

/// The element that is put into the queue of that key. No load has it: their elements begin at 1.
const PROBE_ELEMENT: u64 = 0;

/// What every account of a bank holds at first.
pub const OPENING: u64 = 100;

/// How long to wait before the next attempt.
const RETRY: Duration = Duration::from_millis(20);

/// How long the load waits for nodes that answer later than the first.
const ALL_WITHIN: Duration = Duration::from_secs(5);

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
}

/// Returns when every replica accepts connections, one of them has applied a write, and one has answered a read; then
/// waits some seconds for the others to answer one too, since a client that meets a node too early leaves it.
pub(crate) async fn wait(shared: &Shared, workload: Workload, limit: Duration) -> Result<(), ServeError> {
    let start = Instant::now();
    listening(shared, start, limit).await?;
    let write = |attempt| write(shared, workload, attempt);
    served(shared, "write", "applied a write", (start, limit), write).await?;
    let read = |_| Operation::reading(workload, PROBE_KEY.to_owned());
    served(shared, "read", "answered a read", (start, limit), read).await?;
    all_answer(shared, workload, limit.saturating_sub(start.elapsed()).min(ALL_WITHIN)).await;
    Ok(())
}

/// Returns when every replica has answered a read or said that it stands by, or when the limit is reached.
async fn all_answer(shared: &Shared, workload: Workload, limit: Duration) {
    let start = Instant::now();
    let mut silent: Vec<usize> = (0..shared.members()).collect();
    let mut attempt = 0_u64;
    while !silent.is_empty() && start.elapsed() < limit {
        let mut still_silent = Vec::new();
        for target in silent {
            let operation = Operation::reading(workload, PROBE_KEY.to_owned());
            let name = shared.command_name(format_args!("probe-all{attempt}"));
            attempt += 1;
            let left = limit.saturating_sub(start.elapsed()).max(RETRY).min(shared.timeout);
            let probed = probe(shared, target, &operation, &name, left).await;
            if !is_served(&ending(&operation, probed.happened).outcome) {
                still_silent.push(target);
            }
        }
        silent = still_silent;
        if !silent.is_empty() {
            sleep(RETRY).await;
        }
    }
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

/// Whether a replica did what it should: it answered, or said that it stands by.
pub(crate) fn is_served(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Ok(_) => true,
        Outcome::Fail { error, .. } => error.as_deref() == Some("standby"),
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

/// Returns when one replica has done this; they are asked in turn.
async fn served(
    shared: &Shared,
    kind: &str,
    what: &'static str,
    (start, limit): (Instant, Duration),
    operation: impl Fn(u64) -> Operation,
) -> Result<(), ServeError> {
    // What each node said first, or where it never answered, why not.
    let mut first: BTreeMap<usize, (bool, String)> = BTreeMap::new();
    for (attempt, target) in (0_u64..).zip((0..shared.members()).cycle()) {
        let operation = operation(attempt);
        let name = shared.command_name(format_args!("probe-{kind}{attempt}"));
        // Even at the last moment there is some time for an answer.
        let left = limit.saturating_sub(start.elapsed()).max(RETRY).min(shared.timeout);
        let probed = probe(shared, target, &operation, &name, left).await;
        let (Outcome::Fail { error, .. } | Outcome::Info { error }) =
            ending(&operation, probed.happened).outcome
        else {
            return Ok(());
        };
        let answered = probed.answer.is_some();
        if first.get(&target).is_none_or(|(before, _)| answered && !before) {
            let no_answer = || format!("gave no answer ({})", error.unwrap_or_default());
            first.insert(target, (answered, probed.answer.unwrap_or_else(no_answer)));
        }
        if start.elapsed() >= limit {
            let named = |(target, (_, said)): (usize, (bool, String))| {
                format!("{} {said}", shared.targets[target].name)
            };
            return Err(ServeError::NotServing {
                after: limit,
                what,
                answers: first.into_iter().map(named).collect(),
            });
        }
        sleep(RETRY).await;
    }
    Ok(())
}

/// A write to the probe's key; for a bank, the opening of its accounts, which may happen more than once.
fn write(shared: &Shared, workload: Workload, number: u64) -> Operation {
    let key = PROBE_KEY.to_owned();
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
        Workload::Bank => {
            let accounts = (0..shared.keys).map(|key| json!(["w", LoadSpec::key_name(key), OPENING]));
            Operation { function: Function::Txn, key: String::new(), argument: accounts.collect() }
        }
    }
}
