//! Faults of a replay: they begin and end at the points of a recorded schedule.

use super::{Due, Runner, State};
use crate::plan::{PlannedFault, Trigger};
use crate::schedule::{Given, Moment};
use std::cmp::Reverse;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;

/// The next order of the schedule; never resolves if this is no replay.
pub(super) async fn next(given: &mut Option<UnboundedReceiver<Given>>) -> Option<Given> {
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

    /// Does what the schedule orders.
    pub(super) fn obey(&mut self, given: Given) {
        match given {
            Given::Strike(fault, moment) => self.follow_schedule(fault, moment),
            Given::HoldSyncs => {
                let stage = Arc::clone(&self.stage);
                tokio::spawn(async move {
                    // Without disks in memory nothing is held, and the requests leave at the limit.
                    if stage.testbed.hold_syncs().await.is_ok() {
                        stage.testbed.tape().armed();
                    }
                });
            }
            Given::FreeSyncs => {
                let stage = Arc::clone(&self.stage);
                tokio::spawn(async move { stage.testbed.free_syncs().await });
            }
            Given::Release => {}
        }
    }

    /// Begins or ends a fault whose point is reached.
    fn follow_schedule(&mut self, fault: u32, moment: Moment) {
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
