//! A fault with everything decided.

use super::effect::FaultEffect;
use super::trigger::Trigger;
use crate::fault::{Fault, Kind};
use crate::scope::Scope;
use serde::Serialize;

/// A fault with everything decided. Serializes as an element of `faults` in `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedFault {
    /// Its number, from 1, in the order of starts.
    pub fault: u32,
    /// What happens.
    pub kind: Kind,
    /// What people read on plots, for example `kill random (n3)` or `kill leader`.
    pub label: String,
    /// Whom it was aimed at, in the words of the spec.
    pub target: String,
    /// The nodes it hits; none where they are only found when it starts.
    pub nodes: Option<Vec<String>>,
    /// When it starts, in nanoseconds since the start of the phase `load`; at the earliest, where only the run tells.
    pub start: u64,
    /// When it is healed, in nanoseconds since the start of the phase `load`; at the latest, where only the run tells.
    pub end: u64,
    /// When the load ends, which is the latest that it may be healed, on the same clock.
    #[serde(skip)]
    pub latest: u64,
    /// What makes it start.
    #[serde(skip)]
    pub trigger: Trigger,
    /// What is done to the nodes or links of `scope`.
    #[serde(skip)]
    pub(crate) action: Fault,
    /// Whom it is done to.
    #[serde(skip)]
    pub scope: Scope,
}

impl PlannedFault {
    /// The most bytes a second that it lets a link carry; none if it does not limit that.
    pub fn byte_rate(&self) -> Option<u64> {
        self.action.byte_rate()
    }

    /// What it does, where a simulator can do it too.
    pub fn effect(&self) -> Option<FaultEffect> {
        self.action.effect()
    }

    /// The label with the nodes that were found when it started, for example `kill leader (n2)`.
    pub fn label_with(&self, nodes: &[String]) -> String {
        if self.nodes.is_some() {
            self.label.clone()
        } else {
            format!("{} ({})", self.label, nodes.join(" "))
        }
    }
}
