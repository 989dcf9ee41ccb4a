//! How well a replay followed its schedule.

use super::cues::{Cues, Missed};
use super::order::{Entry, Order};
use serde::{Deserialize, Serialize};

/// How well one order was followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Part {
    /// Events that passed after all their recorded predecessors.
    pub in_order: u64,
    /// Those of them that had to wait.
    pub held: u64,
    /// Events that passed at their limit, before a recorded predecessor.
    pub late: u64,
    /// Events that were not recorded.
    pub unexpected: u64,
    /// Recorded events that did not come.
    pub skipped: u64,
    /// The first event that passed before a recorded predecessor.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diverged: Option<Diverged>,
}

/// Where an order was left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Diverged {
    /// Nanoseconds since the start of the load.
    pub at: u64,
    /// What was recorded.
    pub expected: String,
    /// What came before it.
    pub came: String,
}

/// How well a schedule was followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReplayReport {
    /// Points of faults that were given.
    pub points: usize,
    /// Points at which the run was not as recorded, in words.
    pub missed: Vec<String>,
    /// The order of operations and messages; none if both were free.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order: Option<Part>,
}

impl Part {
    /// The share of events in the recorded order.
    pub fn share(&self) -> f64 {
        let all = self.in_order + self.late + self.unexpected;
        if all == 0 { 1.0 } else { self.in_order as f64 / all as f64 }
    }
}

/// How well an order was followed, in words.
pub(super) fn part(order: &Order, words: impl Fn(Entry) -> String) -> Part {
    let followed = order.followed();
    Part {
        in_order: followed.in_order,
        held: followed.held,
        late: followed.late,
        unexpected: followed.unexpected,
        skipped: followed.skipped,
        diverged: order.divergence().map(|first| Diverged {
            at: first.at,
            expected: words(first.expected),
            came: words(first.came),
        }),
    }
}

/// The report of a replay.
pub(super) fn of(cues: &Cues, order: Option<Part>, link: impl Fn(usize) -> String) -> ReplayReport {
    let missed = |missed: &Missed| {
        let moment = match missed.moment {
            super::Moment::Start => "start",
            super::Moment::End => "end",
        };
        let why = match missed.link {
            Some((number, count, wanted)) => {
                format!("{} had {count} of {wanted} messages since the last operation", link(number))
            }
            None => "clients had not invoked as many operations".to_owned(),
        };
        format!("{moment} of fault {} at {:.3} s: {why}", missed.fault, missed.at as f64 / 1e9)
    };
    let missed = cues.missed().iter().map(missed).collect();
    ReplayReport { points: cues.given(), missed, order }
}
