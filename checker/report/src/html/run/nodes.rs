//! What each node said of itself, shortened to the changes.

use crate::samples::Sample;
use serde::Serialize;

/// Points of a node that a page carries.
const POINTS: usize = 8_000;

/// A node over the run. Times are microseconds since the run's start.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct NodeCourse {
    /// Its name.
    name: String,
    /// From when on which state holds.
    states: Vec<NodeState>,
    /// When slots had been applied, and how many.
    applied: Vec<(u64, u64)>,
}

/// What holds of a node until the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct NodeState {
    at: u64,
    /// `down` (it did not answer), `leader`, `follower`, or `up` where it does not say.
    is: &'static str,
    /// Its round or term.
    #[serde(skip_serializing_if = "Option::is_none")]
    round: Option<u64>,
    /// Whom it takes for the leader.
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
}

/// The course of every node, in the order given. Samples come in order of time.
pub(super) fn courses(nodes: &[String], samples: &[Sample]) -> Vec<NodeCourse> {
    nodes.iter().map(|node| course(node, samples)).collect()
}

fn course(node: &str, samples: &[Sample]) -> NodeCourse {
    let mut states: Vec<NodeState> = Vec::new();
    let mut applied: Vec<(u64, u64)> = Vec::new();
    for sample in samples.iter().filter(|sample| sample.node == node) {
        let at = sample.time_ns / 1000;
        let state = NodeState {
            at,
            is: match (sample.up, sample.active) {
                (false, _) => "down",
                (true, Some(true)) => "leader",
                (true, Some(false)) => "follower",
                (true, None) => "up",
            },
            round: sample.round,
            leader: sample.leader.clone(),
            pid: sample.pid,
        };
        if states.last().is_none_or(|last| NodeState { at, ..last.clone() } != state) {
            states.push(state);
        }
        let slots = sample.slot_out.map(|next| next.saturating_sub(1));
        if let Some(slots) = slots.filter(|slots| applied.last().is_none_or(|(_, last)| last != slots)) {
            applied.push((at, slots));
        }
    }
    thin(&mut states);
    thin(&mut applied);
    NodeCourse { name: node.to_owned(), states, applied }
}

/// Leaves out all but every second, third, … one, and keeps the last.
fn thin<T>(points: &mut Vec<T>) {
    let step = points.len().div_ceil(POINTS).max(1);
    let last = points.len().saturating_sub(1);
    let mut index = 0;
    points.retain(|_| {
        index += 1;
        (index - 1) % step == 0 || index - 1 == last
    });
}
