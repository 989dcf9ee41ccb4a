//! The check that nodes at the same position have the same state, from digests that the nodes themselves give.
//!
//! All nodes are asked at the same time, while no client writes. Digests at different positions cannot be compared: a node
//! that is behind has another state by right. The bench asks again until all agree or its time is up, and records the
//! last answers, so a difference is one that lasted.

use super::faults::fault_events;
use super::observed::Observed;
use super::sentences::{listed, when};
use super::verdict::{Answer, Check};
use history::{Digests, Event, FaultEvent, NodeDigest};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The answers of all nodes that were asked for a digest at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DigestRound {
    /// When, in nanoseconds since the run's start.
    pub time_ns: u64,
    /// When, in words.
    #[serde(skip)]
    pub when: String,
    /// What each node answered.
    pub nodes: Vec<NodeDigest>,
}

/// The nodes with a digest at one position, each with its digest.
type Position<'a> = Vec<(&'a str, &'a str)>;

/// The positions that at least two nodes gave.
fn shared(nodes: &[NodeDigest]) -> BTreeMap<&str, Position<'_>> {
    let mut positions: BTreeMap<&str, Position<'_>> = BTreeMap::new();
    for node in nodes {
        if let Some((position, digest)) = node.state() {
            positions.entry(position).or_default().push((&node.node, digest));
        }
    }
    positions.retain(|_, nodes| nodes.len() > 1);
    positions
}

fn differ(nodes: &Position<'_>) -> bool {
    nodes.iter().any(|(_, digest)| *digest != nodes[0].1)
}

fn names(nodes: &Position<'_>) -> String {
    listed(&nodes.iter().map(|(node, _)| (*node).to_owned()).collect::<Vec<_>>())
}

/// Each position at which nodes have different states, in words.
pub fn differences(digests: &Digests) -> Vec<String> {
    let differing = shared(&digests.nodes).into_iter().filter(|(_, nodes)| differ(nodes));
    differing
        .map(|(position, nodes)| {
            let digests = listed(&nodes.iter().map(|(_, digest)| (*digest).to_owned()).collect::<Vec<_>>());
            format!("{} have different states at position {position}: digests {digests}", names(&nodes))
        })
        .collect()
}

impl DigestRound {
    /// The positions at which nodes have different states.
    pub(crate) fn differing(&self) -> BTreeSet<&str> {
        let differing = shared(&self.nodes).into_iter().filter(|(_, nodes)| differ(nodes));
        differing.map(|(position, _)| position).collect()
    }

    /// Why the digests of its nodes were not compared: a text for each node.
    fn answers(&self) -> impl Iterator<Item = String> + '_ {
        self.nodes.iter().map(|node| match (node.state(), &node.error) {
            (Some((position, _)), _) => format!("{} at position {position}", node.node),
            (None, Some(error)) => format!("{}: {error}", node.node),
            (None, None) => format!("{}: no answer", node.node),
        })
    }
}

/// Each time that the nodes were asked.
pub(crate) fn rounds(events: &[Event], load_start: Option<u64>) -> Vec<DigestRound> {
    let round = |(event, fault_event): (&Event, FaultEvent)| match fault_event {
        FaultEvent::Digests(digests) => Some(DigestRound {
            time_ns: event.time,
            when: when(event.time, load_start),
            nodes: digests.nodes,
        }),
        FaultEvent::Start(_)
        | FaultEvent::End(_)
        | FaultEvent::Exit(_)
        | FaultEvent::Gone(_)
        | FaultEvent::Log(_)
        | FaultEvent::Logs(_)
        | FaultEvent::Restarted(_) => None,
    };
    fault_events(events).filter_map(round).collect()
}

/// The largest number of nodes whose digests were compared at one position.
pub(crate) fn most_compared(rounds: &[DigestRound]) -> u64 {
    let positions = rounds.iter().flat_map(|round| shared(&round.nodes).into_values());
    positions.map(|nodes| nodes.len()).max().unwrap_or(0) as u64
}

/// What each node answered when it was last asked.
pub(crate) fn not_compared(rounds: &[DigestRound]) -> Vec<String> {
    rounds.last().map_or_else(|| vec!["no node was asked".to_owned()], |round| round.answers().collect())
}

/// Whether nodes at the same position have the same state; none where no two were at one and the spec does not ask.
pub(crate) fn check(observed: &Observed) -> Option<Check> {
    const NAME: &str = "digest";
    let rounds = &observed.digests;
    let differing: Vec<(String, &DigestRound)> = rounds
        .iter()
        .flat_map(|round| {
            let differing = differences(&Digests { nodes: round.nodes.clone() });
            differing.into_iter().map(move |text| (text, round))
        })
        .collect();
    if let Some((first, _)) = differing.first() {
        let evidence = differing.iter().map(|(text, round)| format!("{}: {text}", round.when));
        return Some(Check::new(NAME, Answer::Invalid, first.clone()).with(evidence));
    }
    let compared: Vec<String> = rounds
        .iter()
        .flat_map(|round| {
            let shared = shared(&round.nodes).into_iter();
            shared.map(move |(position, nodes)| {
                format!("{} have the same state at position {position}, {}", names(&nodes), round.when)
            })
        })
        .collect();
    match compared.last() {
        Some(last) => {
            let count = compared.len() as u64;
            Some(Check::new(NAME, Answer::Valid, last.clone()).with(compared).tried(count, "comparison"))
        }
        None if observed.plan.check.digest => {
            let said = not_compared(rounds).join("; ");
            let reason = format!("no digests of two nodes at the same position were compared ({said})");
            Some(Check::new(NAME, Answer::Unknown, reason))
        }
        None => None,
    }
}
