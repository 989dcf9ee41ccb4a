//! One node's disk: its files, what is wrong with it, and the syncs that wait for their answer.

use super::super::message::{Condition, DiskCounters};
use super::super::model::{DiskModel, WriteBack};
use super::super::store::{Ino, Loss, Mark, Store};
use crate::claim::Claim;
use crate::delay::Delay;
use fuser::{Errno, ReplyEmpty};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How often it is seen to that old changes are written back, at the least.
const TICK: Duration = Duration::from_secs(1);

/// Shared by the mount, the timer and whoever gives orders.
#[derive(Debug)]
pub(super) struct Disk {
    state: Mutex<State>,
    /// A sync was held.
    held: Condvar,
}

/// What is behind the lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) store: Store,
    /// How often the kernel has looked up each file.
    pub(super) lookups: HashMap<Ino, u64>,
    pub(super) counters: DiskCounters,
    /// Rises with each mount; what comes through an older one is refused.
    pub(super) generation: u64,
    model: DiskModel,
    /// The last change at some moments that are not older than what is written back.
    moments: VecDeque<(Instant, u64)>,
    conditions: BTreeMap<Claim, Condition>,
    /// Whether the bench works on it itself, while the node is down.
    maintained: bool,
    armed: bool,
    waiting: Vec<Held>,
    rng: ChaCha8Rng,
}

/// A sync that is not answered yet.
#[derive(Debug)]
struct Held {
    ino: Ino,
    mark: Mark,
    reply: ReplyEmpty,
    /// None where it waits for the power to be lost.
    due: Option<Instant>,
}

impl Disk {
    /// An empty disk, with a thread that answers late syncs.
    pub(super) fn start(seed: u64, model: DiskModel) -> std::io::Result<Arc<Self>> {
        let state = State {
            store: Store::new(model.folders, SystemTime::now()),
            lookups: HashMap::new(),
            counters: DiskCounters::default(),
            generation: 0,
            model,
            moments: VecDeque::new(),
            conditions: BTreeMap::new(),
            maintained: false,
            armed: false,
            waiting: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        };
        let disk = Arc::new(Self { state: Mutex::new(state), held: Condvar::new() });
        let theirs = Arc::clone(&disk);
        std::thread::Builder::new().name("disk-timer".to_owned()).spawn(move || theirs.keep_time())?;
        Ok(disk)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers each late sync when it is due, and writes back what is old, as long as the process lives.
    fn keep_time(&self) -> ! {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            state.answer(|held| held.due.is_some_and(|due| due <= now));
            let next = state.waiting.iter().filter_map(|held| held.due).min();
            let tick = state.write_back(now);
            let patience = next.map_or(tick, |due| due.saturating_duration_since(now).min(tick));
            state = self.held.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A program asks for a sync.
    pub(super) fn sync(&self, state: &mut State, ino: Ino, reply: ReplyEmpty) {
        if state.maintained {
            let mark = state.store.mark(ino);
            state.store.sync(ino, mark);
            return reply.ok();
        }
        state.counters.syncs += 1;
        let catches = state.armed && state.store.is_pending(ino);
        if !catches && state.conditions.values().any(|condition| *condition == Condition::SyncError) {
            state.counters.failed += 1;
            state.store.fail_sync(ino);
            return reply.error(Errno::EIO);
        }
        let mark = state.store.mark(ino);
        let delay = state.delay();
        if !catches && delay.is_zero() {
            state.store.sync(ino, mark);
            return reply.ok();
        }
        state.counters.delayed += u64::from(!catches);
        let due = (!catches).then(|| Instant::now() + delay);
        state.waiting.push(Held { ino, mark, reply, due });
        self.held.notify_one();
    }
}

impl State {
    /// Whether nothing more can be written; counted if so.
    pub(super) fn is_full(&mut self) -> bool {
        let full =
            !self.maintained && self.conditions.values().any(|condition| *condition == Condition::Full);
        self.counters.refused += u64::from(full);
        full
    }

    /// Makes durable what is older than the model says, unless nothing can be. Gives how long it can wait until the
    /// next time.
    fn write_back(&mut self, now: Instant) -> Duration {
        let WriteBack::After(age) = self.model.write_back else { return Duration::from_secs(3600) };
        if self.moments.back().is_none_or(|(_, last)| *last < self.store.sequence()) {
            self.moments.push_back((now, self.store.sequence()));
        }
        let fails = self.conditions.values().any(|condition| *condition == Condition::SyncError);
        while !fails && self.moments.front().is_some_and(|(then, _)| now.duration_since(*then) >= age) {
            if let Some((_, until)) = self.moments.pop_front() {
                self.store.write_back(until);
            }
        }
        TICK.min(age / 4)
    }

    /// How much longer a sync takes, by all faults together.
    fn delay(&mut self) -> Duration {
        let slow: Vec<Delay> = self
            .conditions
            .values()
            .filter_map(|condition| match condition {
                Condition::DelaySyncs(delay) => Some(*delay),
                Condition::Full | Condition::SyncError => None,
            })
            .collect();
        slow.into_iter().map(|delay| delay.draw(&mut self.rng)).sum()
    }

    pub(super) fn apply(&mut self, claim: Claim, condition: Condition) {
        self.conditions.insert(claim, condition);
    }

    /// Ends a fault; syncs that only waited for it are answered.
    pub(super) fn release(&mut self, claim: Option<Claim>) {
        match claim {
            Some(claim) => drop(self.conditions.remove(&claim)),
            None => self.conditions.clear(),
        }
        if !self.conditions.values().any(|condition| matches!(condition, Condition::DelaySyncs(_))) {
            self.answer(|held| held.due.is_some());
        }
    }

    /// From now on no fault meets what is done to the disk, for it is the bench that does it; or again.
    pub(super) fn maintain(&mut self, begin: bool) {
        self.maintained = begin;
    }

    /// From now on the next sync that has something to write is held; or no longer, and all that were are answered.
    pub(super) fn arm(&mut self, armed: bool) {
        self.armed = armed;
        if !armed {
            self.answer(|held| held.due.is_none());
        }
    }

    /// Whether a sync waits for the power to be lost.
    pub(super) fn has_caught(&self) -> bool {
        self.waiting.iter().any(|held| held.due.is_none())
    }

    fn answer(&mut self, is_due: impl Fn(&Held) -> bool) {
        for held in self.waiting.extract_if(.., |held| is_due(held)) {
            self.store.sync(held.ino, held.mark);
            held.reply.ok();
        }
    }

    /// Answers whoever waits, without a sync: they have been killed, and see no answer any more.
    pub(super) fn let_go(&mut self) {
        self.armed = false;
        for held in self.waiting.drain(..) {
            held.reply.error(Errno::EIO);
        }
    }

    /// The power is lost: open files are of no use any more.
    pub(super) fn lose_power(&mut self, tear: Option<u64>) -> Loss {
        self.let_go();
        self.generation += 1;
        self.lookups.clear();
        self.write_back(Instant::now());
        self.moments.clear();
        let mut rng = tear.map(ChaCha8Rng::seed_from_u64);
        self.store.lose_power(rng.as_mut().map(|rng| (self.model.tear, rng)))
    }
}
