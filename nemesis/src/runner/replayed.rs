//! Faults of a replay: they begin and end at the points of a recorded schedule.

use super::{Due, Runner, State};
use crate::plan::{PlannedFault, Trigger};
use crate::schedule::Moment;
use std::cmp::Reverse;
use tokio::sync::mpsc::UnboundedReceiver;

/// The next fault whose point is reached; never resolves if this is no replay.
pub(super) async fn next(given: &mut Option<UnboundedReceiver<(u32, Moment)>>) -> Option<(u32, Moment)> {
    match given {
        Some(given) => given.recv().await,
        None => std::future::pending().await,
    }
}

impl Runner {
    /// Whether a recorded point decides when a fault begins or ends.
    pub(super) fn is_decided(&self, fault: &PlannedFault, moment: Moment) -> bool {
        self.stage.testbed.tape().decides(fault.fault, moment)
    }

    /// Begins or ends a fault whose point is reached.
    pub(super) fn follow_schedule(&mut self, fault: u32, moment: Moment) {
        let Some(index) = self.faults.iter().position(|scheduled| scheduled.fault.fault == fault) else {
            return;
        };
        if moment == Moment::End {
            return self.proceed(Due::End, index);
        }
        if !matches!(self.faults[index].state, State::Waiting) {
            return;
        }
        let (now, ends_by_point) = (self.now(), self.is_decided(&self.faults[index].fault, Moment::End));
        let fault = &mut self.faults[index].fault;
        let lasts = match fault.trigger {
            Trigger::Time => Some(fault.end - fault.start),
            Trigger::When(_, lasts) | Trigger::After { lasts, .. } => lasts,
        };
        let end = lasts.map_or(fault.latest, |lasts| now.saturating_add(lasts).min(fault.latest.max(now)));
        (fault.start, fault.end) = (now, end);
        // The end of the load ends it in any case.
        let ends = if ends_by_point { fault.latest.max(end) } else { end };
        self.due.push(Reverse((ends, Due::End, index)));
        self.proceed(Due::Start, index);
    }
}
