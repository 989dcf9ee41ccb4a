//! Collects digests of the nodes' states while no client writes.

use super::phases::EventSender;
use crate::recorder::FileRecorder;
use crate::systems::cluster::Cluster;
use crate::terminal::events::RunEventKind;
use history::{Digests, FaultEvent, NodeDigest, Recorder};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use workloads::{DigestTable, StateDigest, StatusTable};

/// Time for nodes to reach one position and agree; after it their last answers count.
const WITHIN: Duration = Duration::from_secs(5);
/// Pause between two rounds of requests.
const EVERY: Duration = Duration::from_millis(200);
/// Time limit of one answer: a node may have to read all its data.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Requests digests of all members until they agree, up to a limit; records and prints the last.
///
/// A node that is behind needs that time, and so does one that reads its position and its hash in sequence.
pub(super) async fn compare(
    cluster: &Cluster,
    recorder: &FileRecorder,
    events: &EventSender,
    halt: &CancellationToken,
) {
    if cluster.digest.is_none() || cluster.member_count() < 2 {
        return;
    }
    let begun = Instant::now();
    let digests = loop {
        let digests = tokio::select! {
            digests = ask(cluster) => digests,
            () = halt.cancelled() => return,
        };
        if begun.elapsed() >= WITHIN || agree(cluster, &digests).await {
            break digests;
        }
        tokio::time::sleep(EVERY).await;
    };
    for difference in report::digest_differences(&digests) {
        events.send(RunEventKind::Broken(difference));
    }
    let silent = digests.nodes.iter().filter_map(|node| Some((&node.node, node.error.as_ref()?)));
    for (node, error) in silent {
        events.send(RunEventKind::Note(format!("{node} gave no digest of its state: {error}")));
    }
    recorder.record(FaultEvent::Digests(digests).into());
}

/// The answers of all members, requested in parallel.
async fn ask(cluster: &Cluster) -> Digests {
    let mut requests = JoinSet::new();
    for (index, (name, address)) in cluster.nodes.iter().enumerate() {
        let Some(table) = cluster.digest.clone().filter(|_| !cluster.is_spare(name)) else { continue };
        let (node, address, status) = (name.clone(), *address, cluster.status_table());
        requests.spawn(async move {
            let answer = match state(&table, status.as_deref(), address).await {
                Ok((position, digest)) => {
                    NodeDigest { node, position: Some(position), digest: Some(digest), error: None }
                }
                Err(error) => NodeDigest { node, error: Some(error), ..NodeDigest::default() },
            };
            (index, answer)
        });
    }
    let mut answers = requests.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    Digests { nodes: answers.into_iter().map(|(_, answer)| answer).collect() }
}

/// The position and the digest of a node's state.
///
/// If the node's status has the position, it is read before and after the digest and must not change.
async fn state(
    table: &DigestTable,
    status: Option<&StatusTable>,
    address: SocketAddr,
) -> Result<(String, String), String> {
    let applied = async || {
        let reported = status?.ask(address, ANSWER_WITHIN).await;
        reported.and_then(|reported| reported.applied)
    };
    let before = if table.has_position() { None } else { applied().await };
    let StateDigest { value, position } = table.ask(address, ANSWER_WITHIN).await?;
    if let Some(position) = position {
        return Ok((position, value));
    }
    match (before, applied().await) {
        (Some(before), Some(after)) if before == after => Ok((before.to_string(), value)),
        (Some(before), Some(after)) => {
            Err(format!("its position changed from {before} to {after} during the request"))
        }
        (None, _) | (_, None) => Err("its status does not have its position".to_owned()),
    }
}

/// Whether all running nodes reported the same position and digest.
async fn agree(cluster: &Cluster, digests: &Digests) -> bool {
    let mut first = None;
    for node in &digests.nodes {
        match (node.state(), first) {
            (Some(state), None) => first = Some(state),
            (Some(state), Some(other)) if state == other => {}
            (Some(_), Some(_)) => return false,
            (None, _) if cluster.testbed.could_answer(&node.node).await => return false,
            (None, _) => {}
        }
    }
    true
}
