//! Carries out a plan: starts and ends each fault at its time, proves both, records both, and heals whatever happens.

mod act;
mod background;
mod clocks;
mod disks;
mod evidence;
mod members;
mod points;

use crate::budget::{AtMost, Hurt};
use crate::plan::{PlannedFault, Trigger};
use crate::point::Progress;
use crate::testbed::Testbed;
use crate::vocabulary::Kind;
use history::{FaultChange, FaultEvent, Recorder};
use serde::Serialize;
use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Knows who leads. Asked when a fault on the leader starts, and again for a moment if nobody seems to.
pub trait Directory: Send + Sync {
    /// The name of the node that leads now.
    fn leader(&self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>>;

    /// What a node's clock says, in nanoseconds since 1970; none if it does not tell. Asked where a node
    /// [reads its clock file itself](crate::ProcessClock::Itself).
    fn clock<'a>(&'a self, node: &'a str) -> Pin<Box<dyn Future<Output = Option<i64>> + Send + 'a>>;

    /// Who the members of the cluster are, as it says itself; none if nobody tells.
    fn members(&self) -> Pin<Box<dyn Future<Output = Option<Members>> + Send + '_>> {
        Box::pin(async { None })
    }

    /// Asks the cluster to take these nodes in and to let those go, in one step. The error says why it did not, or that
    /// nobody knows whether it did; it may be asked again.
    fn change_members<'a>(
        &'a self,
        _add: &'a [String],
        _remove: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async { Err("nobody here can change the members".to_owned()) })
    }

    /// What every node has done so far, of those that say so. Asked again and again while a fault waits for a point.
    fn progress(&self) -> Pin<Box<dyn Future<Output = Vec<Progress>> + Send + '_>>;
}

/// Who the members of a cluster are, as the cluster says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// Their names.
    pub names: Vec<String>,
    /// Whether the members before a change are still needed.
    pub under_way: bool,
    /// The number of the configuration, which rises with each change.
    pub version: u64,
    /// Which configuration this is and who says so, in words.
    pub said: String,
}

/// What became of a planned fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FaultRecord {
    /// Its number in the plan.
    pub fault: u32,
    /// What happened.
    pub kind: Kind,
    /// What people read, with the nodes that were found: `kill leader (n2)`.
    pub label: String,
    /// The nodes it hit.
    pub nodes: Vec<String>,
    /// When it was in force, in nanoseconds since the run's start; none if it never was.
    pub started: Option<u64>,
    /// When it was healed, in nanoseconds since the run's start; none if it never started.
    pub ended: Option<u64>,
    /// What proves that it took effect; empty if nothing does.
    pub evidence: Vec<String>,
    /// What was seen when it was healed.
    pub healing: Vec<String>,
    /// Whether the healing was seen to work.
    pub healed: bool,
    /// Whether anything that the system under test did met it, known at its end; none where it shows by itself.
    pub met: Option<bool>,
    /// Whether it was not healed because what it would take is gone for good, such as a majority whose data were damaged.
    pub beyond_help: bool,
    /// What a reader should know besides, such as why there is no evidence.
    pub notes: Vec<String>,
}

impl FaultRecord {
    /// A fault that nothing of the system met has no evidence; one that something did has.
    fn judge(&mut self, met: Option<evidence::Met>) {
        self.met = met.as_ref().map(Result::is_ok);
        match met {
            Some(Ok(lines)) if self.evidence.is_empty() => self.evidence = lines,
            None | Some(Ok(_)) => {}
            Some(Err(reason)) => {
                self.evidence.clear();
                self.notes.push(reason);
            }
        }
    }
}

/// What every task of a run needs.
struct Stage {
    testbed: Arc<Testbed>,
    directory: Arc<dyn Directory>,
    recorder: Arc<dyn Recorder>,
    /// When the load started, in nanoseconds since the run's start.
    load_start_ns: u64,
    /// What the changes of members in force want.
    changes: Mutex<members::Changes>,
    /// How many faults other than changes of members are in force, and since when.
    others: Mutex<(usize, Instant)>,
}

/// A planned fault and how far it has come.
struct ScheduledFault {
    fault: PlannedFault,
    state: State,
    record: Option<FaultRecord>,
    /// Whom it keeps from serving while it is in force.
    hurt: Hurt,
}

enum State {
    Waiting,
    /// It is time, and the budget has no room for it; when that was, in nanoseconds since the start of the load, and why.
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

/// What a task has done to the fault of this place in the plan.
enum Done {
    Started(usize, act::Started),
    Ended(usize, FaultRecord),
}

/// Runs the faults of a plan, and returns when all of them are over, in the order of the plan.
///
/// `load_start` is when the phase `load` began. A fault that would exceed `at_most` waits until others are healed. When `cancel` completes, no further fault starts and those in force
/// are healed, the last one first. The nodes' processes must have been started.
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
            Some(place) = points.reached(), if waiting => runner.trigger(place, runner.now()),
            () = tokio::time::sleep_until(at(next.unwrap_or(0))), if next.is_some() => {
                if let Some(Reverse((_, what, place))) = runner.due.pop() {
                    runner.go_on(what, place);
                }
            }
            () = tokio::time::sleep_until(at(over)), if waiting => runner.give_up(),
        }
    }
    runner.close().await
}

/// What is due, sorted; ends come before starts at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    End,
    Start,
}

fn due(plan: &[PlannedFault]) -> BinaryHeap<Reverse<(u64, Due, usize)>> {
    let both = |(place, fault): (usize, &PlannedFault)| {
        [(fault.start, Due::Start, place), (fault.end, Due::End, place)].map(Reverse)
    };
    let timed = plan.iter().enumerate().filter(|(_, fault)| fault.trigger == Trigger::Time);
    timed.flat_map(both).collect()
}

/// The run in progress.
struct Runner {
    stage: Arc<Stage>,
    faults: Vec<ScheduledFault>,
    tasks: JoinSet<Done>,
    /// What comes at its time, the next first.
    due: BinaryHeap<Reverse<(u64, Due, usize)>>,
    load_start: Instant,
    /// How many nodes may be down or cut off at once.
    at_most: Option<AtMost>,
    /// Places of the faults that let others of the same time find the leader first.
    behind: Vec<usize>,
    /// Places of the faults that took hold, in the order in which they did.
    order: Vec<usize>,
    /// A mistake of our own in one of the tasks; it goes on once everything is healed.
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
            stage,
            faults: faults.collect(),
            tasks: JoinSet::new(),
            due: due(plan),
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

    /// Whether a fault waits for something other than its time.
    fn waits_for_the_run(&self) -> bool {
        self.faults.iter().any(|scheduled| match scheduled.state {
            State::Waiting => scheduled.fault.trigger != Trigger::Time,
            State::Held { .. } => true,
            State::Starting { .. } | State::InForce(..) | State::Ending | State::Over => false,
        })
    }

    /// Lets a fault that waited for the run come at this time.
    fn trigger(&mut self, place: usize, start: u64) {
        let scheduled = &mut self.faults[place];
        let lasts = match scheduled.fault.trigger {
            Trigger::Time => return,
            Trigger::When(_, lasts) | Trigger::After { lasts, .. } => lasts,
        };
        let end =
            lasts.map_or(scheduled.fault.end, |lasts| start.saturating_add(lasts).min(scheduled.fault.end));
        // Too late to be a fault: it is given up when the load ends.
        if start <= end && start < scheduled.fault.end {
            (scheduled.fault.start, scheduled.fault.end) = (start, end);
            self.due.extend([(start, Due::Start, place), (end, Due::End, place)].map(Reverse));
        }
    }

    /// Lets the faults come that wait for this one.
    fn trigger_followers(&mut self, fault: u32, started: u64) {
        let since_load = started.saturating_sub(self.stage.load_start_ns);
        for place in 0..self.faults.len() {
            if let Trigger::After { fault: other, by, .. } = self.faults[place].fault.trigger
                && other == fault
            {
                self.trigger(place, since_load + by);
            }
        }
    }

    /// Records the faults that the load ended without.
    fn give_up(&mut self) {
        for scheduled in &mut self.faults {
            let reason = match (&scheduled.state, scheduled.fault.trigger.in_words()) {
                (State::Waiting, Some(waited)) => {
                    Some(format!("it was to start {waited}, and the load ended before"))
                }
                (State::Held { excess, .. }, _) => Some(format!(
                    "the budget held it back until the load ended: it would have taken away {excess}"
                )),
                (_, _) => None,
            };
            if let Some(reason) = reason {
                scheduled.record = Some(act::nothing_to_hit(&self.stage, &scheduled.fault, reason).record);
                scheduled.state = State::Over;
            }
        }
    }

    fn go_on(&mut self, what: Due, place: usize) {
        let waits = what == Due::Start && matches!(self.faults[place].state, State::Waiting);
        if waits && self.lets_others_go_first(place) {
            self.behind.push(place);
            return;
        }
        let scheduled = &mut self.faults[place];
        match (what, &mut scheduled.state) {
            (Due::Start, State::Waiting) => match self.excess(place) {
                None => self.start(place, None),
                Some(excess) => self.hold(place, excess),
            },
            (Due::End, State::Starting { end_is_due }) => *end_is_due = true,
            (Due::End, State::InForce(..)) => self.end(place),
            // The end of a fault that is over at once comes before its start, which has taken note of it.
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

    /// Whether a fault of the same time looks for a leader, whom this one could take away before.
    fn lets_others_go_first(&self, place: usize) -> bool {
        let own = &self.faults[place].fault;
        !own.scope.needs_leader()
            && self.faults.iter().any(|scheduled| {
                let looks = matches!(scheduled.state, State::Waiting | State::Starting { .. });
                let same = scheduled.fault.trigger == Trigger::Time && scheduled.fault.start == own.start;
                looks && same && scheduled.fault.scope.needs_leader()
            })
    }

    /// Lets those faults come that let others go first, for as long as they were to last.
    fn follow(&mut self) {
        for place in std::mem::take(&mut self.behind) {
            if self.lets_others_go_first(place) {
                self.behind.push(place);
                continue;
            }
            let (now, fault) = (self.now(), &mut self.faults[place].fault);
            if now >= fault.end && fault.start < fault.end {
                fault.end = (now + (fault.end - fault.start)).min(fault.latest.max(now));
                self.due.push(Reverse((fault.end, Due::End, place)));
            }
            self.go_on(Due::Start, place);
        }
    }

    fn start(&mut self, place: usize, note: Option<String>) {
        let scheduled = &mut self.faults[place];
        scheduled.state = State::Starting { end_is_due: scheduled.fault.start == scheduled.fault.end };
        let (stage, fault) = (Arc::clone(&self.stage), scheduled.fault.clone());
        scheduled.hurt = hurt_by(&stage, &fault);
        self.tasks.spawn(async move { Done::Started(place, act::start(&stage, &fault, note).await) });
    }

    /// What would be too much if this fault came now.
    fn excess(&self, place: usize) -> Option<String> {
        let at_most = self.at_most?;
        let own = hurt_by(&self.stage, &self.faults[place].fault);
        if own.is_nothing() {
            return None;
        }
        let gone = Hurt::gone(self.stage.testbed.gone());
        let together = self.faults.iter().fold(own.and(&gone), |sum, scheduled| sum.and(&scheduled.hurt));
        at_most.allows(self.stage.testbed.topology(), &together).err()
    }

    /// Lets a fault wait until others are healed.
    fn hold(&mut self, place: usize, excess: String) {
        self.due.retain(|Reverse((_, _, other))| *other != place);
        self.faults[place].state = State::Held { since: self.now(), excess };
    }

    /// Lets those faults come that there is room for again, for as long as they were to last.
    fn let_go(&mut self) {
        for place in 0..self.faults.len() {
            let State::Held { since, .. } = self.faults[place].state else { continue };
            let (now, fault) = (self.now(), &self.faults[place].fault);
            if now >= fault.latest || self.excess(place).is_some() {
                continue;
            }
            let end = (now + (fault.end - fault.start)).min(fault.latest);
            let waited = Duration::from_nanos(now - since).as_secs_f64();
            let fault = &mut self.faults[place].fault;
            (fault.start, fault.end) = (now, end);
            self.due.push(Reverse((end, Due::End, place)));
            self.start(place, Some(format!("held back for {waited:.2} s by the budget")));
        }
    }

    fn end(&mut self, place: usize) {
        let scheduled = &mut self.faults[place];
        let State::InForce(in_force) = std::mem::replace(&mut scheduled.state, State::Ending) else {
            unreachable!("only a fault in force is ended");
        };
        let (stage, fault) = (Arc::clone(&self.stage), scheduled.fault.clone());
        let record = scheduled.record.clone().expect("a fault in force has a record");
        self.tasks.spawn(async move { Done::Ended(place, act::end(&stage, &fault, in_force, record).await) });
    }

    fn hear(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Started(place, started)) => {
                let scheduled = &mut self.faults[place];
                let end_is_due = matches!(scheduled.state, State::Starting { end_is_due: true });
                let (fault, at) = (started.record.fault, started.record.started);
                scheduled.record = Some(started.record);
                if let Some(at) = at {
                    self.trigger_followers(fault, at);
                }
                let scheduled = &mut self.faults[place];
                match started.in_force {
                    None => (scheduled.state, scheduled.hurt) = (State::Over, Hurt::default()),
                    Some(in_force) => {
                        scheduled.hurt = Hurt::of(&scheduled.fault.action, Some(&in_force.hit));
                        self.stage.count_others(scheduled.fault.kind, true);
                        scheduled.state = State::InForce(in_force);
                        self.order.push(place);
                        if end_is_due {
                            self.end(place);
                        }
                    }
                }
            }
            Ok(Done::Ended(place, record)) => {
                let scheduled = &mut self.faults[place];
                (scheduled.state, scheduled.hurt, scheduled.record) =
                    (State::Over, Hurt::default(), Some(record));
                self.stage.count_others(scheduled.fault.kind, false);
            }
            Err(error) => {
                self.broken = error.try_into_panic().ok();
                // Nobody is to wait for what is never over.
                *self.stage.others() = (0, Instant::now());
            }
        }
    }

    /// The fault that is to be over next: the last that began, changes of members after all others; none when all are over.
    fn next_to_end(&self) -> Option<usize> {
        let alive = |place: &usize| {
            let state = &self.faults[*place].state;
            matches!(state, State::Starting { .. } | State::InForce(..) | State::Ending)
        };
        (0..self.faults.len()).filter(alive).max_by_key(|place| {
            let scheduled = &self.faults[*place];
            let began = self.order.iter().position(|other| other == place);
            (scheduled.fault.kind != Kind::Reconfigure, began)
        })
    }

    /// Lets what was begun finish, heals what is in force, the last one first, and makes sure that nothing is left.
    async fn close(mut self) -> Vec<FaultRecord> {
        // A change of members that ends waits for all others, so these are ended before it is waited for.
        while let Some(place) = self.next_to_end() {
            match self.faults[place].state {
                State::InForce(..) => self.end(place),
                _ => match self.tasks.join_next().await {
                    Some(done) => self.hear(done),
                    None => break,
                },
            }
        }
        let mut left = self.stage.testbed.heal_all().await.map(drop).map_err(|error| error.to_string());
        let gone = !self.stage.testbed.gone().is_empty();
        let of_members = |scheduled: &ScheduledFault| {
            scheduled.fault.kind == Kind::Reconfigure && scheduled.state.took_hold()
        };
        if left.is_ok() && self.broken.is_none() && self.faults.iter().any(of_members) {
            let settled = members::settle(&self.stage).await;
            // Those who are left may be too few to decide, which the fault itself says.
            left = if gone { Ok(()) } else { settled };
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
    /// Whether the fault is over after it was in force, or is in force.
    fn took_hold(&self) -> bool {
        matches!(self, Self::InForce(..) | Self::Ending | Self::Over)
    }
}

/// Whom a fault is going to keep from serving, as far as that is known before it starts.
fn hurt_by(stage: &Stage, fault: &PlannedFault) -> Hurt {
    Hurt::of(&fault.action, fault.scope.resolve(stage.testbed.topology(), None).ok().as_ref())
}

impl Stage {
    fn others(&self) -> MutexGuard<'_, (usize, Instant)> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a fault that begins or is over, unless it is a change of members.
    fn count_others(&self, kind: Kind, begins: bool) {
        if kind != Kind::Reconfigure {
            let mut others = self.others();
            let count = if begins { others.0 + 1 } else { others.0.saturating_sub(1) };
            *others = (count, Instant::now());
        }
    }

    /// For how long no fault has been in force other than changes of members; none if one is.
    fn quiet_for(&self) -> Option<Duration> {
        let (count, since) = *self.others();
        (count == 0).then(|| since.elapsed())
    }

    /// Writes the start or the end of a fault to the history.
    fn record(&self, fault: &PlannedFault, record: &FaultRecord, moment: Moment, at: u64) {
        let (planned, evidence) = match moment {
            Moment::Start => (fault.start, &record.evidence),
            Moment::End => (fault.end, &record.healing),
        };
        let change = FaultChange {
            kind: fault.kind.name().to_owned(),
            fault: fault.fault,
            targets: record.nodes.clone(),
            planned: Some(self.load_start_ns + planned),
            at: Some(at),
            evidence: evidence.clone(),
            label: Some(record.label.clone()),
            note: (!record.notes.is_empty()).then(|| record.notes.join("; ")),
            healed: (moment == Moment::End).then_some(record.healed),
            met: record.met.filter(|_| moment == Moment::End),
        };
        let event = match moment {
            Moment::Start => FaultEvent::Start(change),
            Moment::End => FaultEvent::End(change),
        };
        self.recorder.record(event.into());
    }
}

/// Which event of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Start,
    End,
}

#[cfg(test)]
mod tests;
