//! Asks the nodes for digests of their states while no client writes.

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

/// How long nodes may take until they are at one position and agree, before their answers are taken as they are.
const WITHIN: Duration = Duration::from_secs(5);
/// How long to wait until they are asked again.
const EVERY: Duration = Duration::from_millis(200);
/// How long a node may take to answer: it may have to read all its data.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Asks every member again and again until all that run agree, or for a short while; records and prints the last answers.
/// A node that is behind needs that time, and so does one that reads its position and its hash one after the other.
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

/// What every member answers, all asked at once.
async fn ask(cluster: &Cluster) -> Digests {
    let mut asked = JoinSet::new();
    for (index, (name, address)) in cluster.nodes.iter().enumerate() {
        let Some(table) = cluster.digest.clone().filter(|_| !cluster.is_spare(name)) else { continue };
        let (node, address, status) = (name.clone(), *address, cluster.status_table());
        asked.spawn(async move {
            let answer = match state(&table, status.as_deref(), address).await {
                Ok((position, digest)) => {
                    NodeDigest { node, position: Some(position), digest: Some(digest), error: None }
                }
                Err(error) => NodeDigest { node, error: Some(error), ..NodeDigest::default() },
            };
            (index, answer)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    Digests { nodes: answers.into_iter().map(|(_, answer)| answer).collect() }
}

/// The position and the digest of a node's state. Where the status of the node has the position, that is asked before and
/// after the digest and must be the same.
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
            Err(format!("it went on from position {before} to {after} while it was asked"))
        }
        (None, _) | (_, None) => Err("its status does not say what it applied".to_owned()),
    }
}

/// Whether every node that runs gave the same position and digest as the others.
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
