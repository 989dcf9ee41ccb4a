//! A fault with all random choices made.

use super::effect::FaultEffect;
use super::trigger::Trigger;
use crate::fault::{Fault, Kind};
use crate::scope::Scope;
use serde::Serialize;

/// A fault with all random choices made. Serializes as an element of `faults` in `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedFault {
    /// Its number, from 1, in the order of starts.
    pub fault: u32,
    /// Its kind.
    pub kind: Kind,
    /// The label on plots, for example `kill random (n3)` or `kill leader`.
    pub label: String,
    /// Its target, in the words of the spec.
    pub target: String,
    /// Its nodes; none if they are only known at its start.
    pub nodes: Option<Vec<String>>,
    /// Start, in nanoseconds since the start of the phase `load`.
    ///
    /// It is the earliest time if the fault waits for a point.
    pub start: u64,
    /// End, in nanoseconds since the start of the phase `load`.
    ///
    /// It is the latest time if the fault waits for a point.
    pub end: u64,
    /// The end of the load, which is the latest time of its heal, on the same clock.
    #[serde(skip)]
    pub latest: u64,
    /// The condition of its start.
    #[serde(skip)]
    pub trigger: Trigger,
    /// The fault itself.
    #[serde(skip)]
    pub(crate) action: Fault,
    /// Its nodes or links.
    #[serde(skip)]
    pub scope: Scope,
}

impl PlannedFault {
    /// The largest byte rate that it allows on a link, per second; none if it does not limit the rate.
    pub fn byte_rate(&self) -> Option<u64> {
        self.action.byte_rate()
    }

    /// The effect of the fault, for kinds that a simulator supports.
    pub fn effect(&self) -> Option<FaultEffect> {
        self.action.effect()
    }

    /// The label with the nodes that it found at its start, for example `kill leader (n2)`.
    pub fn label_with(&self, nodes: &[String]) -> String {
        if self.nodes.is_some() {
            self.label.clone()
        } else {
            format!("{} ({})", self.label, nodes.join(" "))
        }
    }
}
