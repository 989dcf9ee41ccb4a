//! The clients of a load in virtual time: the same operations, routes, timeouts and events as those of a session.
//!
//! A [`Session`](crate::Session) waits for sockets and timers. A [`SimulatedLoad`] is a state machine that is told what time it
//! is and what happened to each request, and says which requests to send next. The same seed gives the same load.

mod finals;

use crate::arrivals::DueTimes;
use crate::client::{ERROR_PAUSE, When, completion, invocation, learned};
use crate::generator::{Choices, Generator};
use crate::operation::Operation;
use crate::outcome::{Answer, Happened, ending};
use crate::phase::{REST, nanoseconds};
use crate::route::{LeaderReport, Route, Router, Targets};
use crate::seed;
use crate::serving::without_probes;
use crate::session::PhaseReport;
use crate::spec::{LoadSpec, SpecError};
use finals::Finals;
use history::{Event, Outcome, Phase};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the system is asked who leads.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// A request that leaves a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its number, by which [`SimulatedLoad::happened`] knows it.
    pub handle: u64,
    /// The target it goes to.
    pub target: usize,
    /// What is asked for.
    pub operation: Operation,
    /// The client id of the command's name.
    pub client: Arc<str>,
    /// The sequence number of the command's name.
    pub sequence: u64,
}

/// What is due at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// An operation of the open loop goes to the next client.
    Arrival(Duration),
    /// A client has rested.
    Rested(usize),
    /// An operation has waited long enough for any answer.
    TimedOut { client: usize, operation: u64 },
    /// An attempt has waited long enough for its answer.
    Retry { client: usize, handle: u64 },
    /// The next attempt of an operation.
    Attempt { client: usize, operation: u64 },
    /// The system is asked who leads.
    AskLeader,
}

/// An operation between its invocation and its completion.
struct Open {
    number: u64,
    /// The number of its key, where it was drawn.
    key: Option<u32>,
    operation: Operation,
    phase: Phase,
    /// The attempt that is waited for; none between two.
    handle: Option<u64>,
    /// Whether a request may have reached the system.
    sent: bool,
}

struct Client {
    generator: Generator,
    router: Router,
    number: u32,
    process: u64,
    name: Arc<str>,
    sequence: u64,
    target: usize,
    /// The target that the operation was sent to first.
    asked: usize,
    observed: HashMap<u32, Value>,
    written: BTreeSet<u32>,
    /// Operations of the open loop that are due, since the start of the phase.
    queue: VecDeque<Duration>,
    open: Option<Open>,
    finals: Finals,
}

/// The phase that runs.
struct Running {
    phase: Phase,
    start: Duration,
    until: Duration,
    unsent: u64,
    times: Option<DueTimes>,
    length: Duration,
}

/// All clients of one run.
pub struct SimulatedLoad {
    spec: LoadSpec,
    seed: u64,
    targets: Vec<String>,
    clients: Vec<Client>,
    leaders: watch::Sender<LeaderReport>,
    due: BinaryHeap<Reverse<(Duration, u64, Due)>>,
    /// The number of the last entry, operation or attempt.
    last: u64,
    /// The client of each attempt that is waited for.
    handles: HashMap<u64, usize>,
    running: Option<Running>,
    /// The number of phases that began.
    runs: u64,
    /// The client that gets the next operation of the open loop.
    turn: usize,
    now: Duration,
    attempts: Vec<Attempt>,
    events: Vec<Event>,
}

impl SimulatedLoad {
    /// The clients of this load against targets of these names, the members of a cluster.
    ///
    /// # Errors
    /// As [`LoadSpec::validate`].
    ///
    /// # Panics
    /// If there is no target.
    pub fn new(spec: LoadSpec, seed: u64, targets: Vec<String>) -> Result<Self, SpecError> {
        assert!(!targets.is_empty(), "a load needs a replica to send to");
        let choices = Arc::new(Choices::new(&spec)?);
        let (leaders, reports) = watch::channel(LeaderReport::default());
        let count = Targets { all: targets.len(), members: targets.len() };
        let client = |(number, seed): (u32, u64)| {
            let router = Router::new(spec.route, number, spec.clients, count, reports.clone());
            let target = router.first();
            Client {
                generator: Generator::new(Arc::clone(&choices), number, seed),
                router,
                number,
                process: u64::from(number),
                name: name_of(u64::from(number)),
                sequence: 0,
                target,
                asked: target,
                observed: HashMap::new(),
                written: BTreeSet::new(),
                queue: VecDeque::new(),
                open: None,
                finals: Finals::default(),
            }
        };
        let clients = (0..).zip(seed::client_seeds(seed, spec.clients)).map(client).collect();
        Ok(Self {
            spec,
            seed,
            targets,
            clients,
            leaders,
            due: BinaryHeap::new(),
            last: 0,
            handles: HashMap::new(),
            running: None,
            runs: 0,
            turn: 0,
            now: Duration::ZERO,
            attempts: Vec::new(),
            events: Vec::new(),
        })
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((time, ..))| *time)
    }

    /// Takes the requests that have left since the last call.
    pub fn take_attempts(&mut self) -> Vec<Attempt> {
        std::mem::take(&mut self.attempts)
    }

    /// Whether requests wait to be taken.
    pub fn has_attempts(&self) -> bool {
        !self.attempts.is_empty()
    }

    /// The history so far; the caller may add events of its own at the present time.
    pub fn events(&mut self) -> &mut Vec<Event> {
        &mut self.events
    }

    /// Begins a phase of load at this time; `leader` says who leads then.
    pub fn begin(&mut self, now: Duration, phase: Phase, length: Duration, leader: Option<usize>) {
        self.now = now;
        let until = now + length;
        let arrivals = |rate| DueTimes::new(self.spec.arrivals, rate, seed::arrivals(self.seed, self.runs));
        let times = self.spec.rate.map(arrivals);
        self.running = Some(Running { phase, start: now, until, unsent: 0, times, length });
        (self.runs, self.turn) = (self.runs + 1, 0);
        if self.spec.route == Route::Leader {
            self.report_leader(leader);
        }
        if self.spec.rate.is_some() {
            self.next_arrival();
        } else {
            (0..self.clients.len()).for_each(|client| self.next_operation(client, None));
        }
    }

    /// Whether the phase is over: its time is up, and no operation is open.
    pub fn is_over(&self, now: Duration) -> bool {
        let open = |client: &Client| client.open.is_some() || !client.queue.is_empty();
        self.running.as_ref().is_none_or(|running| now >= running.until) && !self.clients.iter().any(open)
    }

    /// When the phase's time is up.
    pub fn until(&self) -> Option<Duration> {
        self.running.as_ref().map(|running| running.until)
    }

    /// Ends a phase that is over.
    pub fn end(&mut self) -> Option<PhaseReport> {
        let Running { phase, start, until, unsent, .. } = self.running.take()?;
        self.due.clear();
        let (start_ns, end_ns) = (nanoseconds(start), nanoseconds(until));
        Some(PhaseReport { phase, start_ns, end_ns, unsent, cancelled: false })
    }

    /// Does what is due at this time; `leader` says who leads.
    pub fn advance(&mut self, now: Duration, leader: Option<usize>) {
        self.now = now;
        while let Some(Reverse((time, ..))) = self.due.peek()
            && *time <= now
            && let Some(Reverse((.., due))) = self.due.pop()
        {
            match due {
                Due::Arrival(due) => self.arrived(due),
                Due::Rested(client) => self.rested(client),
                Due::TimedOut { client, operation } => self.timed_out(client, operation),
                Due::Retry { client, handle } => self.retry(client, handle),
                Due::Attempt { client, operation } => {
                    if self.clients[client].open.as_ref().is_some_and(|open| open.number == operation) {
                        self.attempt(client);
                    }
                }
                Due::AskLeader => self.report_leader(leader),
            }
        }
    }

    /// Something happened to the request of an attempt.
    pub fn happened(&mut self, now: Duration, handle: u64, happened: Happened) {
        self.now = now;
        let Some(client) = self.handles.remove(&handle) else { return };
        let retries = self.spec.retry.is_some();
        let Some(open) = &mut self.clients[client].open else { return };
        if open.handle != Some(handle) {
            return;
        }
        if !retries || open.phase == Phase::Final {
            return self.finish(client, happened);
        }
        match happened {
            // Any other answer is about this attempt, and says nothing of an earlier one.
            Happened::Answered(answer) if answer.is_last_word(open.sent) => {
                self.finish(client, Happened::Answered(answer));
            }
            Happened::Answered(Answer::NotApplied) | Happened::Refused => self.try_again(client),
            _ => {
                open.sent = true;
                self.try_again(client);
            }
        }
    }

    fn at(&mut self, time: Duration, due: Due) {
        self.last += 1;
        self.due.push(Reverse((time, self.last, due)));
    }

    fn report_leader(&mut self, leader: Option<usize>) {
        self.leaders.send_modify(|report| *report = report.next(leader));
        self.at(self.now + ASK_EVERY, Due::AskLeader);
    }

    fn next_arrival(&mut self) {
        let Some(running) = &mut self.running else { return };
        let (start, length) = (running.start, running.length);
        let next = running.times.as_mut().and_then(Iterator::next).filter(|due| *due < length);
        if let Some(due) = next {
            self.at(start + due, Due::Arrival(due));
        }
    }

    fn arrived(&mut self, due: Duration) {
        let client = self.turn;
        self.turn = (self.turn + 1) % self.clients.len();
        self.clients[client].queue.push_back(due);
        self.next_arrival();
        if self.clients[client].open.is_none() {
            self.next_of_queue(client);
        }
    }

    /// Begins the next operation that is due for a client; those that are due too late are not sent.
    fn next_of_queue(&mut self, client: usize) {
        let Some(running) = &mut self.running else { return };
        while let Some(due) = self.clients[client].queue.pop_front() {
            if self.now >= running.until {
                running.unsent += 1;
                continue;
            }
            let intended = Some(nanoseconds(running.start + due));
            return self.next_operation(client, intended);
        }
    }

    /// Draws and begins an operation, unless the phase's time is up.
    fn next_operation(&mut self, client: usize, intended: Option<u64>) {
        let Some(running) = &self.running else { return };
        if self.now >= running.until {
            return;
        }
        let phase = running.phase;
        let one = &mut self.clients[client];
        let draft = one.generator.next().expect("a generator never ends");
        let operation = draft.operation(one.observed.get(&draft.key).unwrap_or(&Value::Null));
        one.target = one.router.before(one.target);
        self.invoke(client, Some(draft.key), operation, When { phase, intended });
    }

    /// Records the invocation of an operation and sends its first request.
    fn invoke(&mut self, client: usize, key: Option<u32>, operation: Operation, when: When) {
        self.last += 1;
        let (number, time) = (self.last, nanoseconds(self.now));
        let one = &mut self.clients[client];
        one.written.extend(operation.written_keys().filter_map(LoadSpec::key_number));
        one.sequence += 1;
        one.asked = one.target;
        let node = self.targets[one.target].clone();
        let event = invocation((one.process, one.number), node, &operation, when);
        one.open = Some(Open { number, key, operation, phase: when.phase, handle: None, sent: false });
        self.events.push(Event { time, ..event });
        self.at(self.now + self.spec.timeout, Due::TimedOut { client, operation: number });
        self.attempt(client);
    }

    /// Sends a request of the open operation to the client's present target.
    fn attempt(&mut self, client: usize) {
        self.last += 1;
        let (handle, retry) = (self.last, self.spec.retry);
        let one = &mut self.clients[client];
        let Some(open) = &mut one.open else { return };
        open.handle = Some(handle);
        self.handles.insert(handle, client);
        self.attempts.push(Attempt {
            handle,
            target: one.target,
            operation: open.operation.clone(),
            client: Arc::clone(&one.name),
            sequence: one.sequence,
        });
        if let Some(pause) = retry.filter(|_| open.phase != Phase::Final) {
            self.at(self.now + pause, Due::Retry { client, handle });
        }
    }

    /// An attempt got no answer in its time.
    fn retry(&mut self, client: usize, handle: u64) {
        if let Some(open) = &mut self.clients[client].open
            && open.handle == Some(handle)
        {
            open.sent = true;
            self.handles.remove(&handle);
            self.try_again(client);
        }
    }

    /// Sends the open operation again, to the next target.
    fn try_again(&mut self, client: usize) {
        let targets = self.targets.len();
        let pause = self.spec.retry.unwrap_or(ERROR_PAUSE).min(ERROR_PAUSE);
        let one = &mut self.clients[client];
        let Some(open) = &mut one.open else { return };
        open.handle = None;
        one.target = (one.target + 1) % targets;
        let operation = open.number;
        self.at(self.now + pause, Due::Attempt { client, operation });
    }

    fn timed_out(&mut self, client: usize, operation: u64) {
        let Some(open) = self.clients[client].open.as_ref().filter(|open| open.number == operation) else {
            return;
        };
        // What was sent last may have reached the system; between two attempts the earlier ones count.
        let sent = open.sent || open.handle.is_some();
        self.finish(client, if sent { Happened::Timeout } else { Happened::ConnectTimeout });
    }

    /// Records how the open operation ended, and goes on.
    fn finish(&mut self, client: usize, happened: Happened) {
        let one = &mut self.clients[client];
        let Some(Open { key, operation, phase, handle, .. }) = one.open.take() else { return };
        if let Some(handle) = handle {
            self.handles.remove(&handle);
        }
        let ended = without_probes(&operation, ending(&operation, happened));
        let answered = self.spec.retry.is_none() || !matches!(ended.outcome, Outcome::Info { .. });
        let elsewhere = answered && one.target != one.asked;
        let node = elsewhere.then(|| self.targets[one.target].clone());
        let event = completion(one.process, &operation, &ended.outcome);
        self.events.push(Event { time: nanoseconds(self.now), node, ..event });
        if matches!(ended.outcome, Outcome::Info { .. }) {
            one.process += u64::from(self.spec.clients);
            one.name = name_of(one.process);
        }
        if phase == Phase::Final {
            return self.final_read_ended(client, &ended.outcome);
        }
        one.target = one.router.after(one.target, &ended, false);
        if let (Some(key), Some(value)) = (key, learned(&operation, ended.outcome)) {
            one.observed.insert(key, value);
        }
        if self.spec.rate.is_some() {
            self.next_of_queue(client);
        } else if ended.move_on {
            self.at(self.now + REST, Due::Rested(client));
        } else {
            self.next_operation(client, None);
        }
    }

    fn rested(&mut self, client: usize) {
        if self.clients[client].open.is_some() {
            return;
        }
        if self.running.as_ref().is_some_and(|running| running.phase == Phase::Final) {
            self.next_final_read(client);
        } else {
            self.next_operation(client, None);
        }
    }
}

/// The client id of a process number.
fn name_of(process: u64) -> Arc<str> {
    format!("sim-{process}").into()
}

#[cfg(test)]
mod tests;
