//! Waiting until the system serves, outside of every history.

use crate::client::{Shared, probe};
use crate::operation::{Function, Operation};
use crate::outcome::ending;
use crate::spec::{LoadSpec, Workload};
use checker::history::Outcome;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// The key that is written to see whether the system serves; no workload has it.
pub const PROBE_KEY: &str = "bench-probe";

/// What every account of a bank holds at first.
pub const OPENING: u64 = 100;

/// How long to wait before the next attempt.
const RETRY: Duration = Duration::from_millis(20);

/// Why the system does not serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// These replicas do not accept connections.
    #[error("no connection to {} in {after:?}; what they printed may say why", .nodes.join(", "))]
    NotListening {
        /// How long it was tried.
        after: Duration,
        /// Their names.
        nodes: Vec<String>,
    },
    /// They listen, but no write was applied.
    #[error("no replica applied a write in {after:?}; attempts ended with {}", .errors.join(", "))]
    NotServing {
        /// How long it was tried.
        after: Duration,
        /// What the attempts ended with, each in one word of the outcome table.
        errors: Vec<String>,
    },
}

/// Returns when every replica accepts connections and one of them has applied a write.
pub(crate) async fn wait(shared: &Shared, workload: Workload, limit: Duration) -> Result<(), ServeError> {
    let start = Instant::now();
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
            break;
        }
        if start.elapsed() >= limit {
            let nodes = silent.into_iter().map(|target| target.name.clone()).collect();
            return Err(ServeError::NotListening { after: limit, nodes });
        }
        sleep(RETRY).await;
    }
    let mut errors = BTreeSet::new();
    for (attempt, target) in (0_u64..).zip((0..shared.members()).cycle()) {
        let operation = write(shared, workload, attempt);
        let name = shared.command_name(format_args!("probe{attempt}"));
        let happened = probe(shared, target, &operation, &name, left()).await;
        match ending(&operation, happened).outcome {
            Outcome::Ok(_) => break,
            Outcome::Fail { error, .. } | Outcome::Info { error } => errors.extend(error),
        }
        if start.elapsed() >= limit {
            return Err(ServeError::NotServing { after: limit, errors: errors.into_iter().collect() });
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
        Workload::Bank => {
            let accounts = (0..shared.keys).map(|key| json!(["w", LoadSpec::key_name(key), OPENING]));
            Operation { function: Function::Txn, key: String::new(), argument: accounts.collect() }
        }
    }
}
