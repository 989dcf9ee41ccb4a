//! What one client does in one phase.

use crate::client::{Client, When};
use crate::operation::Operation;
use crate::spec::{LoadSpec, Workload};
use checker::history::{Outcome, Phase};
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::select;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long a client of a closed loop rests after an error, lest it spin on a node that refuses.
const REST: Duration = Duration::from_millis(10);
/// How long a final read waits before it is tried again.
const RETRY: Duration = Duration::from_millis(50);
/// How long final reads try to get the next answer from a replica.
const PATIENCE: Duration = Duration::from_secs(5);

/// A closed loop: one operation after the other until the time is over.
pub(crate) async fn closed_loop(
    client: &mut Client,
    phase: Phase,
    until: Instant,
    cancel: &CancellationToken,
) {
    let mut interrupt = pin!(cancel.cancelled());
    while Instant::now() < until && !cancel.is_cancelled() {
        let moved_on = client.next_operation(When { phase, intended: None }, interrupt.as_mut()).await;
        if moved_on {
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

/// Which keys a client reads through which replica, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) target: usize,
    pub(crate) keys: Vec<u32>,
}

/// The final reads of one client, so that all clients together read every key through every replica.
pub(crate) fn shares(client: u32, clients: u32, targets: usize, keys: u32) -> Vec<Share> {
    let (client, clients) = (client as usize, clients as usize);
    if clients < targets {
        let own = (client..targets).step_by(clients);
        return own.map(|target| Share { target, keys: (0..keys).collect() }).collect();
    }
    let target = client % targets;
    let peers = (target..clients).step_by(targets).count();
    let keys = (0..keys).skip(client / targets).step_by(peers).collect();
    vec![Share { target, keys }]
}

/// What one client's final reads came to.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    pub(crate) read: u64,
    /// Pairs of key and replica, by number.
    pub(crate) missing: Vec<(u32, usize)>,
}

/// Reads each key of each share until it is read. A replica from which nothing comes for [`PATIENCE`] is
/// given up, with all that is left of its share.
pub(crate) async fn final_reads(
    client: &mut Client,
    workload: Workload,
    shares: Vec<Share>,
    cancel: &CancellationToken,
) -> Reads {
    let mut reads = Reads::default();
    for Share { target, keys } in shares {
        client.turn_to(target);
        let mut left = keys.iter().copied();
        for key in left.by_ref() {
            if read(client, workload, key, cancel).await {
                reads.read += 1;
            } else {
                reads.missing.push((key, target));
                break;
            }
        }
        reads.missing.extend(left.map(|key| (key, target)));
    }
    reads
}

/// Reads one key, trying again until it is read, the patience is over, or the run is interrupted.
async fn read(client: &mut Client, workload: Workload, key: u32, cancel: &CancellationToken) -> bool {
    let operation = Operation::reading(workload, LoadSpec::key_name(key));
    let when = When { phase: Phase::Final, intended: None };
    let mut interrupt = pin!(cancel.cancelled());
    let give_up = Instant::now() + PATIENCE;
    while !cancel.is_cancelled() {
        match client.perform(&operation, when, interrupt.as_mut()).await.outcome {
            Outcome::Ok(_) => return true,
            Outcome::Fail { .. } | Outcome::Info { .. } => {}
        }
        if Instant::now() >= give_up {
            return false;
        }
        select! {
            () = interrupt.as_mut() => {}
            () = sleep(RETRY) => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_final_reads_cover_every_key_through_every_replica_once(
            clients in 1_u32..20, targets in 1_usize..6, keys in 1_u32..30,
        ) {
            let mut pairs = Vec::new();
            for client in 0..clients {
                for Share { target, keys } in shares(client, clients, targets, keys) {
                    pairs.extend(keys.into_iter().map(|key| (key, target)));
                }
            }
            pairs.sort_unstable();
            let all: Vec<_> =
                (0..keys).flat_map(|key| (0..targets).map(move |target| (key, target))).collect();
            prop_assert_eq!(pairs, all);
        }
    }
}
