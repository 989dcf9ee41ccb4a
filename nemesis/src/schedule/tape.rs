//! The tape of a running load: counts, records, and in a replay holds back what comes too early.

mod clients;

use super::cues::{Cues, Given, Moment};
use super::line::{FaultLine, Header, MessageLine, Schedule, TurnLine};
use super::order::{Arrival, Entry, Nanos, Order};
use super::report::{self, ReplayReport};
use super::window::Holding;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The most messages, and the most turns of clients, that are recorded: some 12 MB of text.
const EVENTS_MAX: usize = 100_000;
/// Longest sleep of the thread that watches for points; a bound for missed signals only.
const TICK: Duration = Duration::from_millis(100);

/// What a replay follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    /// The recorded schedule.
    pub schedule: Arc<Schedule>,
    /// Whether clients invoke in the recorded order.
    pub operations: bool,
    /// Whether messages keep the recorded order.
    pub messages: bool,
    /// What is held when a fault is about to strike.
    pub holding: Holding,
    /// The longest that one event is held.
    pub limit: Duration,
}

/// Counts, records and holds back; shared by the switch, the runner and the clients.
#[derive(Debug)]
pub struct Tape {
    nodes: Vec<String>,
    base: Instant,
    /// The start of the load, in nanoseconds since `base`.
    begun: AtomicU64,
    /// Whether the load is running, so that events count.
    open: AtomicBool,
    /// Whether this is a replay.
    follows: AtomicBool,
    /// Messages on each link since the load began. The switch counts without the lock of the clients.
    counts: Vec<AtomicU64>,
    /// When the last message passed.
    last: AtomicU64,
    recorded: Mutex<Vec<Message>>,
    unrecorded: AtomicU64,
    /// The nodes that have fallen with what they had sent, one bit each.
    fallen: AtomicU64,
    state: Mutex<State>,
    /// Wakes the thread that watches for points.
    changed: Condvar,
    /// Wakes clients that wait for their turn.
    turn: Notify,
    /// Wakes the switch, which may hold messages.
    bell: OnceLock<Bell>,
}

/// Wakes the switch.
struct Bell(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Bell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bell")
    }
}

#[derive(Debug)]
struct State {
    invoked: u64,
    completed: u64,
    /// The last invocation, and the counts then.
    anchor: (Nanos, Vec<u64>),
    turns: Vec<TurnLine>,
    /// How many operations each client has invoked.
    numbers: BTreeMap<u32, u64>,
    faults: Vec<FaultLine>,
    /// The syncs of each node: until the load began, and after its end during the load.
    syncs: BTreeMap<String, u64>,
    followed: Option<Follower>,
}

#[derive(Debug)]
struct Follower {
    cues: Cues,
    /// Of operations and messages.
    order: Order,
    operations: bool,
    messages: bool,
    /// The hashes of messages that are neither counted nor held.
    background: BTreeSet<u64>,
    given: UnboundedSender<Given>,
    /// Taken by the runner of the faults.
    receiver: Option<UnboundedReceiver<Given>>,
}

/// A message in memory, a third of its line.
#[derive(Debug, Clone, Copy)]
struct Message {
    at: Nanos,
    link: usize,
    bytes: u32,
    hash: u64,
}

/// The position of a held event in the recorded order, and the end of its wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    position: usize,
    until: Nanos,
}

fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Tape {
    /// The tape of a cluster with these nodes.
    pub(crate) fn new(nodes: Vec<String>) -> Arc<Self> {
        let links = nodes.len() * nodes.len();
        let state = State {
            invoked: 0,
            completed: 0,
            anchor: (0, vec![0; links]),
            turns: Vec::new(),
            numbers: BTreeMap::new(),
            faults: Vec::new(),
            syncs: BTreeMap::new(),
            followed: None,
        };
        Arc::new(Self {
            nodes,
            base: Instant::now(),
            begun: AtomicU64::new(0),
            follows: AtomicBool::new(false),
            counts: std::iter::repeat_with(AtomicU64::default).take(links).collect(),
            last: AtomicU64::new(0),
            recorded: Mutex::default(),
            unrecorded: AtomicU64::new(0),
            fallen: AtomicU64::new(0),
            open: AtomicBool::new(false),
            state: Mutex::new(state),
            changed: Condvar::new(),
            turn: Notify::new(),
            bell: OnceLock::new(),
        })
    }

    /// Follows a recorded schedule. Must be called before the load begins.
    ///
    /// # Errors
    /// When the system gives no thread to watch for the points.
    pub fn follow(self: &Arc<Self>, following: &Following) -> std::io::Result<()> {
        let limit = nanos(following.limit);
        let schedule = &following.schedule;
        let link = |link: &str| self.link_named(link);
        let holding = following.holding;
        let cues = schedule.cues(holding, self.links(), link);
        let followed = (following.operations, following.messages, holding);
        let entries = schedule.order(followed, self.links(), link);
        let (given, receiver) = unbounded_channel();
        self.lock().followed = Some(Follower {
            cues: Cues::new(cues, limit, holding),
            order: Order::new(entries, limit),
            operations: following.operations,
            messages: following.messages,
            background: schedule.background(),
            given,
            receiver: Some(receiver),
        });
        self.follows.store(true, Relaxed);
        let watched = Arc::downgrade(self);
        std::thread::Builder::new().name("points".to_owned()).spawn(move || watch(&watched)).map(drop)
    }

    /// The load begins, after as many syncs of each node.
    pub(crate) fn begin(&self, syncs: BTreeMap<String, u64>) {
        let state = &mut *self.lock();
        state.syncs = syncs;
        self.begun.store(nanos(self.base.elapsed()), Relaxed);
        self.last.store(0, Relaxed);
        self.counts.iter().for_each(|count| count.store(0, Relaxed));
        (state.invoked, state.completed, state.anchor) = (0, 0, (0, self.counted()));
        self.messages().clear();
        state.turns.clear();
        state.numbers.clear();
        if let Some(followed) = &mut state.followed {
            followed.cues.invoked(0, &state.anchor.1, 0);
        }
        self.open.store(true, Relaxed);
        self.changed.notify_all();
    }

    /// The load has ended, after as many syncs of each node: nothing is counted or held any more.
    pub(crate) fn end(&self, syncs: &BTreeMap<String, u64>) {
        let before = std::mem::take(&mut self.lock().syncs);
        let during = |(node, now): (&String, &u64)| {
            let before = before.get(node).copied().unwrap_or_default();
            (node.clone(), now.saturating_sub(before))
        };
        self.lock().syncs = syncs.iter().map(during).collect();
        self.open.store(false, Relaxed);
        self.turn.notify_waiters();
        self.ring();
    }

    /// Whether a message may pass a link now. In a run that is no replay each passes.
    pub(crate) fn passes(
        &self,
        from: usize,
        to: usize,
        (bytes, hash): (usize, u64),
        ticket: &mut Option<Ticket>,
    ) -> bool {
        if !self.open.load(Relaxed) {
            return true;
        }
        let link = from * self.nodes.len() + to;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let now = self.now();
        if self.follows.load(Relaxed) {
            let state = &mut *self.lock();
            let Some(followed) = &mut state.followed else { return true };
            let count = self.counts[link].load(Relaxed);
            let held = followed.cues.holds_link(link, count, self.nodes.len(), now);
            let held = held && (followed.cues.loses_messages() || !followed.background.contains(&hash));
            if !held && followed.background.contains(&hash) {
                self.keep(Message { at: now, link, bytes, hash });
                return true;
            }
            let held = held || followed.messages && !asks(&mut followed.order, link, hash, ticket, now);
            if held {
                return false;
            }
            self.count(link, now);
            self.changed.notify_all();
            if followed.messages && followed.operations {
                self.turn.notify_waiters();
            }
        } else {
            self.count(link, now);
        }
        self.keep(Message { at: now, link, bytes, hash });
        true
    }

    /// Records a message that passes.
    fn keep(&self, message: Message) {
        let mut messages = self.messages();
        if messages.len() < EVENTS_MAX {
            messages.push(message);
        } else {
            self.unrecorded.fetch_add(1, Relaxed);
        }
    }

    /// The time until a held message must be asked for again.
    pub(crate) fn waits_for(&self, ticket: Option<Ticket>) -> Duration {
        let now = self.now();
        let until = ticket.map_or(now + 5_000_000, |ticket| ticket.until);
        Duration::from_nanos(until.saturating_sub(now))
    }

    /// A fault begins to act on these nodes.
    pub(crate) fn acts(&self, fault: u32, moment: Moment, label: &str, nodes: &[String]) {
        if !self.open.load(Relaxed) {
            return;
        }
        let state = &mut *self.lock();
        let now = self.now();
        let counted = self.counted();
        let since = counted.iter().zip(&state.anchor.1).map(|(count, before)| count - before);
        let messages: BTreeMap<String, u64> = since
            .enumerate()
            .filter(|(_, count)| *count > 0)
            .map(|(link, count)| (self.link_name(link), count))
            .collect();
        state.faults.push(FaultLine {
            fault,
            moment,
            label: label.to_owned(),
            at: now,
            invoked: state.invoked,
            completed: state.completed,
            since: now - state.anchor.0,
            gap: now - state.anchor.0.max(self.last.load(Relaxed)).min(now),
            messages,
            nodes: nodes.to_vec(),
            evidence: Vec::new(),
        });
        if let Some(followed) = &mut state.followed {
            followed.cues.acts(fault, moment, now);
            self.changed.notify_all();
        }
    }

    /// A fault has acted; these nodes ended with it.
    pub(crate) fn acted(&self, fault: u32, moment: Moment, ended: &[String]) {
        if !self.open.load(Relaxed) {
            return;
        }
        let state = &mut *self.lock();
        let now = self.now();
        let Some(followed) = &mut state.followed else { return };
        if followed.cues.loses_messages() {
            let bit = |name| {
                self.nodes
                    .iter()
                    .position(|node| node == name)
                    .and_then(|node| 1_u64.checked_shl(u32::try_from(node).ok()?))
            };
            let ended = ended.iter().filter_map(bit).fold(0, |all, bit| all | bit);
            self.fallen.fetch_or(ended, Relaxed);
        }
        followed.cues.acted(fault, moment, now);
        self.changed.notify_all();
        self.ring();
    }

    /// The nodes that have fallen with what they had sent since this was asked last, one bit each.
    pub(crate) fn take_fallen(&self) -> u64 {
        if self.fallen.load(Relaxed) == 0 { 0 } else { self.fallen.swap(0, Relaxed) }
    }

    /// The disks hold all syncs.
    pub(crate) fn armed(&self) {
        if let Some(followed) = &mut self.lock().followed {
            followed.cues.armed();
            self.changed.notify_all();
        }
    }

    /// Adds what a fault did to its last point.
    pub(crate) fn add_evidence(&self, fault: u32, moment: Moment, label: &str, evidence: &[String]) {
        let state = &mut *self.lock();
        let mut lines = state.faults.iter_mut().rev();
        if let Some(line) = lines.find(|line| (line.fault, line.moment) == (fault, moment)) {
            label.clone_into(&mut line.label);
            line.evidence = evidence.to_vec();
        }
    }

    /// Whether the point of a fault decides when it begins or ends.
    pub(crate) fn decides(&self, fault: u32, moment: Moment) -> bool {
        self.lock().followed.as_ref().is_some_and(|followed| followed.cues.has(fault, moment))
    }

    /// Whether a recorded schedule is followed.
    pub(crate) fn is_replay(&self) -> bool {
        self.follows.load(Relaxed)
    }

    /// The faults whose points are reached, as they are; none if this is no replay.
    pub(crate) fn take_given(&self) -> Option<UnboundedReceiver<Given>> {
        self.lock().followed.as_mut()?.receiver.take()
    }

    /// Wakes the switch by this.
    pub(crate) fn set_bell(&self, ring: impl Fn() + Send + Sync + 'static) {
        // A testbed has one switch.
        let _ = self.bell.set(Bell(Box::new(ring)));
    }

    /// What was recorded.
    pub fn schedule(&self, program: String, network: String) -> Schedule {
        let state = self.lock();
        let message = |message: &Message| MessageLine {
            at: message.at,
            link: self.link_name(message.link),
            bytes: message.bytes,
            hash: format!("{:x}", message.hash),
        };
        Schedule {
            header: Header {
                syncs: state.syncs.clone(),
                ..Header::new(program, network, self.nodes.clone())
            },
            faults: state.faults.clone(),
            messages: self.messages().iter().map(message).collect(),
            turns: state.turns.clone(),
            unrecorded: self.unrecorded.load(Relaxed),
        }
    }

    /// How well the schedule was followed; none if this is no replay.
    pub fn report(&self) -> Option<ReplayReport> {
        let state = self.lock();
        let followed = state.followed.as_ref()?;
        let links = self.links();
        let words = |entry: Entry| match entry.lane.checked_sub(links) {
            None => format!("a message {} ({:x})", self.link_name(entry.lane), entry.hash),
            Some(lane) if lane % 2 == 0 => format!("an invocation of client {}", lane / 2),
            Some(lane) => format!("a completion of client {}", lane / 2),
        };
        let order = report::part(&followed.order, words);
        let order = (followed.operations || followed.messages).then_some(order);
        Some(report::of(&followed.cues, order, |link| self.link_name(link)))
    }

    /// Gives faults whose points are reached; returns how long nothing is due.
    fn look(&self, state: &mut State) -> Duration {
        if !self.open.load(Relaxed) {
            return TICK;
        }
        let now = self.now();
        let (counts, last) = (self.counted(), self.last.load(Relaxed));
        let Some(followed) = &mut state.followed else { return TICK };
        let mut moves = false;
        if let Some(over) = followed.cues.proceed(now) {
            let _ = followed.given.send(over);
            moves = true;
        }
        while let Some(given) = followed.cues.due(&counts, last, now) {
            // The runner is gone when all faults are over.
            let _ = followed.given.send(given);
            moves = true;
        }
        if moves {
            self.turn.notify_waiters();
            self.ring();
        }
        let wakes = followed.cues.wakes(&counts, last);
        wakes.map_or(TICK, |time| Duration::from_nanos(time.saturating_sub(now)).min(TICK))
    }

    fn ring(&self) {
        if let Some(Bell(ring)) = self.bell.get() {
            ring();
        }
    }

    fn count(&self, link: usize, now: Nanos) {
        self.counts[link].fetch_add(1, Relaxed);
        self.last.store(now, Relaxed);
    }

    fn counted(&self) -> Vec<u64> {
        self.counts.iter().map(|count| count.load(Relaxed)).collect()
    }

    fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nanoseconds since the load began.
    fn now(&self) -> Nanos {
        nanos(self.base.elapsed()).saturating_sub(self.begun.load(Relaxed))
    }

    fn links(&self) -> usize {
        self.nodes.len() * self.nodes.len()
    }

    fn link_name(&self, link: usize) -> String {
        format!("{}>{}", self.nodes[link / self.nodes.len()], self.nodes[link % self.nodes.len()])
    }

    fn link_named(&self, name: &str) -> Option<usize> {
        let (from, to) = name.split_once('>')?;
        let index = |name: &str| self.nodes.iter().position(|node| node == name);
        Some(index(from)? * self.nodes.len() + index(to)?)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an event passes, given its ticket if it was held before.
fn asks(order: &mut Order, lane: usize, hash: u64, ticket: &mut Option<Ticket>, now: Nanos) -> bool {
    match *ticket {
        Some(Ticket { position, until }) => order.releases(position, until, now),
        None => match order.arrive(lane, hash, now) {
            Arrival::Pass => true,
            Arrival::Hold { position, until } => {
                *ticket = Some(Ticket { position, until });
                false
            }
        },
    }
}

/// Watches for the points of faults while the tape exists.
fn watch(watched: &Weak<Tape>) {
    while let Some(tape) = watched.upgrade() {
        let mut state = tape.lock();
        let patience = tape.look(&mut state);
        // It wakes up when something changes, or when something is due.
        drop(tape.changed.wait_timeout(state, patience));
    }
}
