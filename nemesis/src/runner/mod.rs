//! Executes a plan: starts and ends faults on time, collects evidence, records, and always heals.

mod act;
mod points;
mod record;
mod replayed;

pub use record::FaultRecord;

use crate::budget::{AtMost, Hurt};
use crate::directory::Directory;
use crate::fault::{Stage, settle};
use crate::plan::{PlannedFault, Trigger};
use crate::schedule::{Moment, Tape};
use crate::testbed::Testbed;
use history::Recorder;
use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// A planned fault with its state.
struct ScheduledFault {
    fault: PlannedFault,
    state: State,
    record: Option<FaultRecord>,
    /// The nodes and links that it keeps from serving while in force.
    hurt: Hurt,
}

enum State {
    Waiting,
    /// Its time has come but the budget forbids it.
    ///
    /// Since when, in nanoseconds since the start of the load, and why.
    Held {
        since: u64,
        excess: String,
    },
    Starting {
        end_is_due: bool,
    },
    InForce(act::InForce),
    Ending,
    Over,
}

/// The result of a task for the fault at this index of the plan.
enum Done {
    Started(usize, act::Started),
    Ended(usize, FaultRecord),
}

/// Runs the faults of a plan until all have ended; returns the records in the order of the plan.
///
/// `load_start` is the start of the phase `load`. A fault that would exceed `at_most` waits until others are
/// healed. When `cancel` completes, no further fault starts, and those in force are healed in reverse order.
/// The nodes must be running.
pub async fn run(
    plan: &[PlannedFault],
    testbed: Arc<Testbed>,
    directory: Arc<dyn Directory>,
    recorder: Arc<dyn Recorder>,
    load_start: Instant,
    at_most: Option<AtMost>,
    cancel: impl Future<Output = ()>,
) -> Vec<FaultRecord> {
    let since_start = u64::try_from(load_start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let load_start_ns = recorder.now_ns().saturating_sub(since_start);
    let (changes, others) = (Mutex::default(), Mutex::new((0, Instant::now())));
    let stage = Arc::new(Stage { testbed, directory, recorder, load_start_ns, changes, others });
    let mut runner = Runner::new(stage, plan, load_start, at_most);
    let mut given = runner.stage.testbed.tape().take_given();
    let mut points = points::watch(Arc::clone(&runner.stage), plan);
    let over = plan.iter().map(|fault| fault.latest).max().unwrap_or(0);
    let mut cancel = pin!(cancel);
    loop {
        let next = runner.due.peek().map(|Reverse(next)| next.0);
        let waiting = runner.waits_for_the_run();
        if runner.broken.is_some() || next.is_none() && runner.tasks.is_empty() && !waiting {
            break;
        }
        let at = |time| tokio::time::Instant::from_std(load_start + Duration::from_nanos(time));
        tokio::select! {
            () = &mut cancel => break,
            Some(done) = runner.tasks.join_next(), if !runner.tasks.is_empty() => {
                runner.hear(done);
                runner.follow();
                runner.let_go();
            }
            Some(given) = replayed::next(&mut given) => runner.obey(given),
            Some(index) = points.reached(), if waiting => runner.trigger(index, runner.now()),
            () = tokio::time::sleep_until(at(next.unwrap_or(0))), if next.is_some() => {
                if let Some(Reverse((_, due, index))) = runner.due.pop() {
                    runner.proceed(due, index);
                }
            }
            () = tokio::time::sleep_until(at(over)), if waiting => runner.give_up(),
        }
    }
    runner.close().await
}

/// The due action; ends sort before starts at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    End,
    Start,
}

fn due(plan: &[PlannedFault], tape: &Tape) -> BinaryHeap<Reverse<(u64, Due, usize)>> {
    let both = |(index, fault): (usize, &PlannedFault)| {
        [(fault.start, Due::Start, index), (fault.end, Due::End, index)].map(Reverse)
    };
    let timed = plan
        .iter()
        .enumerate()
        .filter(|(_, fault)| fault.trigger == Trigger::Time && !tape.decides(fault.fault, Moment::Start));
    timed.flat_map(both).collect()
}

/// The run in progress.
struct Runner {
    stage: Arc<Stage>,
    faults: Vec<ScheduledFault>,
    tasks: JoinSet<Done>,
    /// Scheduled starts and ends, the next first.
    due: BinaryHeap<Reverse<(u64, Due, usize)>>,
    load_start: Instant,
    /// Number of nodes that may be down or cut off at once.
    at_most: Option<AtMost>,
    /// Indices of the faults that let others with the same start find the leader first.
    behind: Vec<usize>,
    /// Indices of the faults that were in force, in the order of their starts.
    order: Vec<usize>,
    /// A panic of a task; resumed once everything is healed.
    broken: Option<Box<dyn Any + Send>>,
}

impl Runner {
    fn new(stage: Arc<Stage>, plan: &[PlannedFault], load_start: Instant, at_most: Option<AtMost>) -> Self {
        let faults = plan.iter().map(|fault| ScheduledFault {
            fault: fault.clone(),
            state: State::Waiting,
            record: None,
            hurt: Hurt::default(),
        });
        Self {
            faults: faults.collect(),
            tasks: JoinSet::new(),
            due: due(plan, stage.testbed.tape()),
            stage,
            load_start,
            at_most,
            behind: Vec::new(),
            order: Vec::new(),
            broken: None,
        }
    }

    /// Nanoseconds since the start of the load.
    fn now(&self) -> u64 {
        u64::try_from(self.load_start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Whether a fault waits for a point or another fault.
    fn waits_for_the_run(&self) -> bool {
        self.faults.iter().any(|scheduled| match scheduled.state {
            State::Waiting => {
                scheduled.fault.trigger != Trigger::Time || self.is_decided(&scheduled.fault, Moment::Start)
            }
            State::Held { .. } => true,
            State::Starting { .. } | State::InForce(..) | State::Ending | State::Over => false,
        })
    }

    /// Schedules a fault that waited for a point or another fault.
    fn trigger(&mut self, index: usize, start: u64) {
        let scheduled = &mut self.faults[index];
        let lasts = match scheduled.fault.trigger {
            Trigger::Time => return,
            Trigger::When(_, lasts) | Trigger::After { lasts, .. } => lasts,
        };
        let end =
            lasts.map_or(scheduled.fault.end, |lasts| start.saturating_add(lasts).min(scheduled.fault.end));
        // Too late: `give_up` records it when the load ends.
        if start <= end && start < scheduled.fault.end {
            (scheduled.fault.start, scheduled.fault.end) = (start, end);
            self.due.extend([(start, Due::Start, index), (end, Due::End, index)].map(Reverse));
        }
    }

    /// Schedules the faults that wait for this one.
    fn trigger_followers(&mut self, fault: u32, started: u64) {
        let since_load = started.saturating_sub(self.stage.load_start_ns);
        for index in 0..self.faults.len() {
            if let Trigger::After { fault: other, by, .. } = self.faults[index].fault.trigger
                && other == fault
                && !self.is_decided(&self.faults[index].fault, Moment::Start)
            {
                self.trigger(index, since_load + by);
            }
        }
    }

    /// Records the faults that did not start before the load ended.
    fn give_up(&mut self) {
        let tape = Arc::clone(self.stage.testbed.tape());
        for scheduled in &mut self.faults {
            let reason = match (&scheduled.state, scheduled.fault.trigger.in_words()) {
                (State::Waiting, Some(waited)) => {
                    Some(format!("it should start {waited}, but the load ended before"))
                }
                (State::Waiting, None) if tape.decides(scheduled.fault.fault, Moment::Start) => {
                    Some("its recorded point was not reached before the load ended".to_owned())
                }
                (State::Held { excess, .. }, _) => {
                    Some(format!("the budget delayed it until the load ended: {excess}"))
                }
                (_, _) => None,
            };
            if let Some(reason) = reason {
                scheduled.record = Some(act::without_target(&self.stage, &scheduled.fault, reason).record);
                scheduled.state = State::Over;
            }
        }
    }

    fn proceed(&mut self, due: Due, index: usize) {
        let waits = due == Due::Start && matches!(self.faults[index].state, State::Waiting);
        if waits && self.lets_others_go_first(index) {
            self.behind.push(index);
            return;
        }
        let scheduled = &mut self.faults[index];
        match (due, &mut scheduled.state) {
            (Due::Start, State::Waiting) => match self.excess(index) {
                None => self.start(index, None),
                Some(excess) => self.hold(index, excess),
            },
            (Due::End, State::Starting { end_is_due }) => *end_is_due = true,
            (Due::End, State::InForce(..)) => self.end(index),
            // A fault without a duration has its end before its start, which then marks it as due.
            (Due::End, State::Waiting | State::Held { .. } | State::Ending | State::Over)
            | (
                Due::Start,
                State::Held { .. }
                | State::Starting { .. }
                | State::InForce(..)
                | State::Ending
                | State::Over,
            ) => {}
        }
    }

    /// Whether another fault with the same start needs the leader, which this one could take down first.
    fn lets_others_go_first(&self, index: usize) -> bool {
        let own = &self.faults[index].fault;
        !own.scope.needs_leader()
            && self.faults.iter().any(|scheduled| {
                let looks = matches!(scheduled.state, State::Waiting | State::Starting { .. });
                let same = scheduled.fault.trigger == Trigger::Time && scheduled.fault.start == own.start;
                looks && same && scheduled.fault.scope.needs_leader()
            })
    }

    /// Starts the faults that let others go first, with their full duration.
    fn follow(&mut self) {
        for index in std::mem::take(&mut self.behind) {
            if self.lets_others_go_first(index) {
                self.behind.push(index);
                continue;
            }
            let (now, fault) = (self.now(), &mut self.faults[index].fault);
            if now >= fault.end && fault.start < fault.end {
                fault.end = (now + (fault.end - fault.start)).min(fault.latest.max(now));
                self.due.push(Reverse((fault.end, Due::End, index)));
            }
            self.proceed(Due::Start, index);
        }
    }

    fn start(&mut self, index: usize, note: Option<String>) {
        let scheduled = &mut self.faults[index];
        scheduled.state = State::Starting { end_is_due: scheduled.fault.start == scheduled.fault.end };
        let (stage, fault) = (Arc::clone(&self.stage), scheduled.fault.clone());
        scheduled.hurt = hurt_by(&stage, &fault);
        self.tasks.spawn(async move { Done::Started(index, act::start(&stage, &fault, note).await) });
    }

    /// The excess over the budget if this fault started now.
    fn excess(&self, index: usize) -> Option<String> {
        let at_most = self.at_most?;
        let own = hurt_by(&self.stage, &self.faults[index].fault);
        if own.is_empty() {
            return None;
        }
        let ended = Hurt::gone(self.stage.testbed.gone());
        let together = self.faults.iter().fold(own.and(&ended), |sum, scheduled| sum.and(&scheduled.hurt));
        at_most.allows(self.stage.testbed.topology(), &together).err()
    }

    /// Delays a fault until others are healed.
    fn hold(&mut self, index: usize, excess: String) {
        self.due.retain(|Reverse((_, _, other))| *other != index);
        self.faults[index].state = State::Held { since: self.now(), excess };
    }

    /// Starts delayed faults that fit into the budget again, with their full duration.
    fn let_go(&mut self) {
        for index in 0..self.faults.len() {
            let State::Held { since, .. } = self.faults[index].state else { continue };
            let (now, fault) = (self.now(), &self.faults[index].fault);
            if now >= fault.latest || self.excess(index).is_some() {
                continue;
            }
            let end = (now + (fault.end - fault.start)).min(fault.latest);
            let waited = Duration::from_nanos(now - since).as_secs_f64();
            let fault = &mut self.faults[index].fault;
            (fault.start, fault.end) = (now, end);
            self.due.push(Reverse((end, Due::End, index)));
            self.start(index, Some(format!("delayed for {waited:.2} s by the budget")));
        }
    }

    fn end(&mut self, index: usize) {
        let scheduled = &mut self.faults[index];
        let State::InForce(in_force) = std::mem::replace(&mut scheduled.state, State::Ending) else {
            unreachable!("only a fault in force is ended");
        };
        let (stage, fault) = (Arc::clone(&self.stage), scheduled.fault.clone());
        let record = scheduled.record.clone().expect("a fault in force has a record");
        self.tasks.spawn(async move { Done::Ended(index, act::end(&stage, &fault, in_force, record).await) });
    }

    fn hear(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Started(index, started)) => {
                let scheduled = &mut self.faults[index];
                let end_is_due = matches!(scheduled.state, State::Starting { end_is_due: true });
                let (fault, at) = (started.record.fault, started.record.started);
                scheduled.record = Some(started.record);
                if let Some(at) = at {
                    self.trigger_followers(fault, at);
                }
                let scheduled = &mut self.faults[index];
                match started.in_force {
                    None => (scheduled.state, scheduled.hurt) = (State::Over, Hurt::default()),
                    Some(in_force) => {
                        scheduled.hurt = scheduled.fault.action.hurt(Some(&in_force.hit));
                        count(&self.stage, &scheduled.fault, true);
                        scheduled.state = State::InForce(in_force);
                        self.order.push(index);
                        if end_is_due {
                            self.end(index);
                        }
                    }
                }
            }
            Ok(Done::Ended(index, record)) => {
                let scheduled = &mut self.faults[index];
                (scheduled.state, scheduled.hurt, scheduled.record) =
                    (State::Over, Hurt::default(), Some(record));
                count(&self.stage, &scheduled.fault, false);
            }
            Err(error) => {
                self.broken = error.try_into_panic().ok();
                // A member change must not wait for a fault that never ends.
                *self.stage.others() = (0, Instant::now());
            }
        }
    }

    /// The next fault to end: the latest start, member changes after all others; none when all have ended.
    fn next_to_end(&self) -> Option<usize> {
        let alive = |index: &usize| {
            let state = &self.faults[*index].state;
            matches!(state, State::Starting { .. } | State::InForce(..) | State::Ending)
        };
        (0..self.faults.len()).filter(alive).max_by_key(|index| {
            let scheduled = &self.faults[*index];
            let began = self.order.iter().position(|other| other == index);
            (!scheduled.fault.kind.entry().changes_members, began)
        })
    }

    /// Completes running tasks, heals faults in force in reverse order, and checks that none is left.
    async fn close(mut self) -> Vec<FaultRecord> {
        // The end of a member change waits for all other faults, so these end first.
        while let Some(index) = self.next_to_end() {
            match self.faults[index].state {
                State::InForce(..) => self.end(index),
                _ => match self.tasks.join_next().await {
                    Some(done) => self.hear(done),
                    None => break,
                },
            }
        }
        if self.stage.testbed.tape().is_replay() {
            self.stage.testbed.free_syncs().await;
        }
        let mut left = self.stage.testbed.heal_all().await.map(drop).map_err(|error| error.to_string());
        let nodes_down = !self.stage.testbed.gone().is_empty();
        let of_members = |scheduled: &ScheduledFault| {
            scheduled.fault.kind.entry().changes_members && scheduled.state.took_hold()
        };
        if left.is_ok() && self.broken.is_none() && self.faults.iter().any(of_members) {
            let settled = settle(&self.stage).await;
            // The remaining nodes may have no quorum, which the record of the fault itself states.
            left = if nodes_down { Ok(()) } else { settled };
        }
        if let Some(broken) = self.broken {
            std::panic::resume_unwind(broken);
        }
        let mut records: Vec<_> = self.faults.into_iter().filter_map(|scheduled| scheduled.record).collect();
        if let (Some(last), Err(error)) = (records.last_mut(), left) {
            last.healed = false;
            last.notes.push(format!("not everything could be healed: {error}"));
        }
        records
    }
}

impl State {
    /// Whether the fault is or was in force.
    fn took_hold(&self) -> bool {
        matches!(self, Self::InForce(..) | Self::Ending | Self::Over)
    }
}

/// The nodes and links that a fault will keep from serving, as far as known before its start.
fn hurt_by(stage: &Stage, fault: &PlannedFault) -> Hurt {
    fault.action.hurt(fault.scope.resolve(stage.testbed.topology(), None).ok().as_ref())
}

/// Counts the start or end of a fault, but not of a member change, whose end waits for all others.
fn count(stage: &Stage, fault: &PlannedFault, begins: bool) {
    if !fault.kind.entry().changes_members {
        stage.count_other(begins);
    }
}

#[cfg(test)]
mod tests;
