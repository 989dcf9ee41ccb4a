//! Points of a simulated run that are met at the instant at which they happen: a sync, a message, the start of a process.

use nemesis::{PlannedFault, Sight, Trigger};
use node::sim::Seen;

/// The faults that wait for an event that is seen.
#[derive(Debug, Default)]
pub(super) struct Moments {
    waiting: Vec<Waiting>,
}

/// A fault, and how often an event must still be seen before it starts.
#[derive(Debug)]
struct Waiting {
    fault: usize,
    sight: Sight,
    /// The index of the node; any if there is none.
    node: Option<usize>,
    left: u64,
}

impl Moments {
    /// The waiting faults of a plan; counts begin now.
    pub(super) fn of(plan: &[PlannedFault], names: &[&str]) -> Self {
        let waits = |(fault, planned): (usize, &PlannedFault)| {
            let Trigger::When(point, _) = &planned.trigger else { return None };
            let (sight, left) = point.sight()?;
            let is_any = names.iter().all(|name| point.is_of(name));
            let node = if is_any { None } else { names.iter().position(|name| point.is_of(name)) };
            Some(Waiting { fault, sight: sight.clone(), node, left })
        };
        Self { waiting: plan.iter().enumerate().filter_map(waits).collect() }
    }

    /// Counts an event; returns the faults whose point is reached by it.
    pub(super) fn see(&mut self, event: Seen) -> Vec<usize> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.is_met_by(event)) {
            waiting.left -= 1;
        }
        let reached = self.waiting.iter().filter(|waiting| waiting.left == 0).map(|waiting| waiting.fault);
        let reached = reached.collect();
        self.waiting.retain(|waiting| waiting.left > 0);
        reached
    }
}

impl Waiting {
    fn is_met_by(&self, event: Seen) -> bool {
        let (node, is_it) = match (event, &self.sight) {
            (Seen::SyncBegins(node), Sight::Syncs) | (Seen::Starts(node), Sight::Starts) => (node, true),
            (Seen::Sent { from, kind, .. }, Sight::Sends(wanted)) => (from, kind == wanted),
            _ => return false,
        };
        is_it && self.node.is_none_or(|own| own == node)
    }
}
