//! One client in one phase.

use crate::client::{Client, When};
use crate::operation::{Function, Operation};
use crate::serving::is_served;
use crate::spec::{LoadSpec, Workload};
use history::{Outcome, Phase};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::select;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long a client of a closed loop rests after an error, lest it spin on a node that refuses.
pub(crate) const REST: Duration = Duration::from_millis(10);
/// How long final reads that failed wait before they are tried again.
pub(crate) const RETRY: Duration = Duration::from_millis(50);
/// How long final reads try to get the next answer from a replica.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A closed loop: one operation after the other until the time is over.
pub(crate) async fn closed_loop(
    client: &mut Client,
    phase: Phase,
    until: Instant,
    cancel: &CancellationToken,
) {
    let mut interrupt = pin!(cancel.cancelled());
    while Instant::now() < until && !cancel.is_cancelled() {
        let erred = client.next_operation(When { phase, intended: None }, interrupt.as_mut()).await;
        if erred {
            select! {
                () = interrupt.as_mut() => {}
                () = sleep(REST) => {}
            }
        }
    }
}

/// An open loop: each operation when it is due, or as soon after as the client is free. Returns how many
/// were due but never sent. `start_ns` is the phase's start on the run's clock.
pub(crate) async fn open_loop(
    client: &mut Client,
    phase: Phase,
    start_ns: u64,
    until: Instant,
    mut queue: UnboundedReceiver<Duration>,
    cancel: &CancellationToken,
) -> u64 {
    let mut interrupt = pin!(cancel.cancelled());
    let mut unsent = 0;
    while !cancel.is_cancelled() {
        let due = select! {
            biased;
            () = interrupt.as_mut() => None,
            due = queue.recv() => due,
        };
        let Some(due) = due else { break };
        if Instant::now() >= until {
            unsent += 1;
            continue;
        }
        let intended = Some(start_ns + nanoseconds(due));
        client.next_operation(When { phase, intended }, interrupt.as_mut()).await;
    }
    queue.close();
    while queue.try_recv().is_ok() {
        unsent += 1;
    }
    unsent
}

/// A duration as the history counts it.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("a phase is shorter than 500 years")
}

/// When final reads belong in a run.
const FINAL: When = When { phase: Phase::Final, intended: None };

/// A final read: the key and the replica, by number.
pub(crate) type Pair = (u32, usize);

/// The final reads of one client, in order. All clients together read every key through every replica, and first each
/// key through one of them: if the time runs out, it runs out on second looks.
pub(crate) fn share(client: u32, clients: u32, targets: usize, keys: &[u32]) -> VecDeque<Pair> {
    let (client, clients) = (client as usize, clients as usize);
    let own: Vec<usize> =
        if clients < targets { (client..targets).step_by(clients).collect() } else { vec![client % targets] };
    let (rank, peers) = if clients < targets {
        (0, 1)
    } else {
        (client / targets, (client % targets..clients).step_by(targets).count())
    };
    let mut pairs = VecDeque::new();
    for pass in 0..targets {
        for (index, key) in keys.iter().enumerate().filter(|(index, _)| index / targets % peers == rank) {
            let target = (index + pass) % targets;
            if own.contains(&target) {
                pairs.push_back((*key, target));
            }
        }
    }
    pairs
}

/// What one client's final reads came to.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    pub(crate) read: u64,
    /// Elements that came out of queues.
    pub(crate) taken: u64,
    /// What could not be read.
    pub(crate) missing: Vec<Pair>,
}

/// Reads each pair until it is read: what fails is tried again after the others. A replica from which nothing comes for
/// [`PATIENCE`] is given up, and everything is once `until` has come. A queue is read when it is empty: until then, elements are
/// taken out. In the `first` round, logs are read from their beginning through each replica. A lock is acquired and given back.
pub(crate) async fn final_reads(
    client: &mut Client,
    workload: Workload,
    first: bool,
    mut pairs: VecDeque<Pair>,
    until: Instant,
    cancel: &CancellationToken,
) -> Reads {
    let mut reads = Reads::default();
    let mut failed: BTreeSet<Pair> = BTreeSet::new();
    // The nodes whose logs it has begun to read.
    let (anew, mut begun) = (workload == Workload::Kafka && first, BTreeSet::new());
    // Since when nothing has come from a replica.
    let mut silent: BTreeMap<usize, Instant> = BTreeMap::new();
    if workload == Workload::Lock {
        let mut interrupt = pin!(cancel.cancelled());
        client.let_go(FINAL, interrupt.as_mut()).await;
    }
    while let Some((key, target)) = pairs.pop_front() {
        let now = Instant::now();
        let given_up = now >= *silent.entry(target).or_insert(now) + PATIENCE;
        if given_up || now >= until || cancel.is_cancelled() {
            reads.missing.push((key, target));
            continue;
        }
        client.turn_to(target);
        if anew && begun.insert(target) {
            client.begin_anew();
        }
        match read(client, workload, key, cancel).await {
            FinalAnswer::Whole => {
                reads.read += 1;
                silent.insert(target, Instant::now());
            }
            FinalAnswer::More => {
                reads.taken += 1;
                silent.insert(target, Instant::now());
                pairs.push_front((key, target));
            }
            FinalAnswer::None => {
                pairs.push_back((key, target));
                if !failed.insert((key, target)) {
                    let mut interrupt = pin!(cancel.cancelled());
                    select! {
                        () = interrupt.as_mut() => {}
                        () = sleep(RETRY) => {}
                    }
                }
            }
        }
    }
    reads
}

/// What a replica answered to a final read.
pub(crate) enum FinalAnswer {
    /// What it should: the value, that the queue is empty, or that it stands by.
    Whole,
    /// An element of a queue, of which there may be more.
    More,
    /// Nothing that counts.
    None,
}

/// Reads one key, or takes one element out of a queue.
async fn read(client: &mut Client, workload: Workload, key: u32, cancel: &CancellationToken) -> FinalAnswer {
    let mut operation = Operation::reading(workload, LoadSpec::key_name(key));
    match workload {
        Workload::Lock => operation.function = Function::Acquire,
        Workload::Kafka if client.reads_from_beginning() => {
            operation.argument = json!([["poll", "from-beginning"]]);
        }
        _ => {}
    }
    let operation = client.as_owner(operation);
    let mut interrupt = pin!(cancel.cancelled());
    let outcome = client.perform(&operation, FINAL, interrupt.as_mut()).await.outcome;
    if workload == Workload::Lock && matches!(outcome, Outcome::Ok(_)) {
        let release = Operation { function: Function::Release, ..operation };
        client.perform(&release, FINAL, interrupt.as_mut()).await;
    }
    FinalAnswer::of(workload, &outcome)
}

impl FinalAnswer {
    /// What an outcome means for a final read.
    pub(crate) fn of(workload: Workload, outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Ok(element) if workload == Workload::Queue && !element.is_null() => Self::More,
            Outcome::Ok(polled) if workload == Workload::Kafka && has_messages(polled) => Self::More,
            outcome if is_served(outcome) => Self::Whole,
            Outcome::Ok(_) | Outcome::Fail { .. } | Outcome::Info { .. } => Self::None,
        }
    }
}

/// Whether a poll, as the history has it, returned anything.
fn has_messages(polled: &Value) -> bool {
    let mut logs = polled[0][1].as_object().into_iter().flatten();
    logs.any(|(_, found)| found.as_array().is_some_and(|found| !found.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn final_reads_cover_keys_through_every_replica(
            clients in 1_u32..20, targets in 1_usize..6, keys in 1_u32..30,
        ) {
            let mut pairs = Vec::new();
            for client in 0..clients {
                pairs.extend(share(client, clients, targets, &(0..keys).collect::<Vec<_>>()));
            }
            pairs.sort_unstable();
            let all: Vec<_> =
                (0..keys).flat_map(|key| (0..targets).map(move |target| (key, target))).collect();
            prop_assert_eq!(pairs, all);
        }
    }
}
