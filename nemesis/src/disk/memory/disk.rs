//! One node's disk: its files, its faults, and the syncs that wait for their answer.

use super::super::message::{Catch, Condition, DiskCounters, OpenSync};
use super::super::model::{DiskModel, WriteBack};
use super::super::store::{Image, Ino, Loss, Mark, Store};
use crate::claim::Claim;
use crate::delay::Delay;
use fuser::{Errno, ReplyEmpty};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Longest interval between two checks for old changes to write back.
const TICK: Duration = Duration::from_secs(1);

/// Shared by the mount, the timer and the process's request loop.
#[derive(Debug)]
pub(super) struct Disk {
    state: Mutex<State>,
    /// Signals that a sync is held.
    held: Condvar,
}

/// The state behind the lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) store: Store,
    /// Number of lookups of each file by the kernel.
    pub(super) lookups: HashMap<Ino, u64>,
    pub(super) counters: DiskCounters,
    /// Rises with each mount; requests through an older mount are refused.
    pub(super) generation: u64,
    model: DiskModel,
    /// The last change at recent instants, for the age of unsynced data.
    moments: VecDeque<(Instant, u64)>,
    conditions: BTreeMap<Claim, Condition>,
    /// Whether the bench itself works on it, while the node is down.
    maintained: bool,
    /// The syncs that it holds for a fault that strikes while they are open.
    armed: Option<Catch>,
    /// The faults that wait for a sync, each with the number of syncs that are still to begin.
    awaited: BTreeMap<Claim, Arc<AtomicU64>>,
    /// Whether its processes were killed: until the next mount it holds and delays no sync.
    deserted: bool,
    /// The oldest first.
    waiting: Vec<Held>,
    rng: ChaCha8Rng,
    /// The hashes of the states that power losses left so far.
    images: BTreeSet<u64>,
}

/// A sync without an answer so far.
#[derive(Debug)]
struct Held {
    ino: Ino,
    mark: Mark,
    reply: ReplyEmpty,
    since: Instant,
    /// The end of its delay. A disk that is armed or that holds its syncs answers later.
    due: Instant,
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
            armed: None,
            awaited: BTreeMap::new(),
            deserted: false,
            waiting: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            images: BTreeSet::new(),
        };
        let disk = Arc::new(Self { state: Mutex::new(state), held: Condvar::new() });
        let theirs = Arc::clone(&disk);
        std::thread::Builder::new().name("disk-timer".to_owned()).spawn(move || theirs.keep_time())?;
        Ok(disk)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers each late sync when it is due, and writes old changes back, until the process ends.
    fn keep_time(&self) -> ! {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            state.answer_due(now);
            let next = state.waiting.iter().filter(|held| !state.holds(held)).map(|held| held.due).min();
            let tick = state.write_back(now);
            let patience = next.map_or(tick, |due| due.saturating_duration_since(now).min(tick));
            state = self.held.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Handles a sync of a program.
    pub(super) fn sync(&self, state: &mut State, ino: Ino, reply: ReplyEmpty) {
        if state.maintained {
            let mark = state.store.mark(ino);
            state.store.sync(ino, mark);
            return reply.ok();
        }
        state.counters.syncs += 1;
        let mark = state.store.mark(ino);
        let awaits = mark.commits() && state.meet_awaited();
        let catches = awaits || state.catches(ino, mark);
        if !catches && state.conditions.values().any(|condition| *condition == Condition::SyncError) {
            state.counters.failed += 1;
            state.store.fail_sync(ino);
            return reply.error(Errno::EIO);
        }
        let holds = state.holds_syncs() && mark.commits();
        let delay = state.delay();
        if state.deserted || !catches && !holds && delay.is_zero() {
            state.store.sync(ino, mark);
            return reply.ok();
        }
        state.counters.held += u64::from(holds);
        state.counters.delayed += u64::from(!delay.is_zero());
        let since = Instant::now();
        state.waiting.push(Held { ino, mark, reply, since, due: since + delay });
        self.held.notify_one();
    }
}

/// Whether the sync has begun for which a fault waits.
fn is_met(left: &Arc<AtomicU64>) -> bool {
    left.load(Ordering::Relaxed) == 0
}

impl State {
    /// Whether the disk refuses further writes; counts each refusal.
    pub(super) fn is_full(&mut self) -> bool {
        let full =
            !self.maintained && self.conditions.values().any(|condition| *condition == Condition::Full);
        self.counters.refused += u64::from(full);
        full
    }

    /// Makes changes durable that are older than the model allows, unless a fault prevents it.
    ///
    /// Returns the time until the next check.
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

    /// Additional delay of a sync, summed over all faults.
    fn delay(&mut self) -> Duration {
        let slow: Vec<Delay> = self
            .conditions
            .values()
            .filter_map(|condition| match condition {
                Condition::DelaySyncs(delay) => Some(*delay),
                Condition::Full | Condition::SyncError | Condition::HoldSyncs => None,
            })
            .collect();
        slow.into_iter().map(|delay| delay.draw(&mut self.rng)).sum()
    }

    pub(super) fn apply(&mut self, claim: Claim, condition: Condition) {
        self.conditions.insert(claim, condition);
    }

    /// Ends a fault; answers the syncs that waited only for it.
    pub(super) fn release(&mut self, claim: Option<Claim>) {
        if let Some(claim) = claim {
            self.conditions.remove(&claim);
        } else {
            self.conditions.clear();
            self.awaited.clear();
        }
        let now = Instant::now();
        if !self.conditions.values().any(|condition| matches!(condition, Condition::DelaySyncs(_))) {
            for held in &mut self.waiting {
                held.due = held.due.min(now);
            }
        }
        self.answer_due(now);
    }

    /// Begins or ends maintenance: while the bench itself works on the disk, no fault hits it.
    pub(super) fn maintain(&mut self, begin: bool) {
        self.maintained = begin;
    }

    /// Arms the disk for a fault that strikes while syncs are open; none disarms it and answers them.
    ///
    /// Syncs that wait already stay open too.
    pub(super) fn arm(&mut self, catch: Option<Catch>) {
        self.armed = catch;
        self.answer_due(Instant::now());
    }

    /// Counts the syncs with changes from now on for a fault that waits for one of them; none ends that.
    pub(super) fn wait_for_sync(&mut self, claim: Claim, left: Option<Arc<AtomicU64>>) {
        match left {
            Some(left) => drop(self.awaited.insert(claim, left)),
            None => drop(self.awaited.remove(&claim)),
        }
        self.answer_due(Instant::now());
    }

    /// Counts a sync with changes; whether a fault waits for it.
    fn meet_awaited(&self) -> bool {
        let one_less = |left: u64| Some(left.saturating_sub(1));
        for left in self.awaited.values() {
            // It fails only where the closure returns none.
            let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        }
        self.awaited.values().any(is_met)
    }

    /// The open syncs that it holds for a fault that waits for them, the oldest first.
    pub(super) fn awaited(&self, claim: Claim) -> Vec<OpenSync> {
        if self.awaited.get(&claim).is_some_and(is_met) { self.caught() } else { Vec::new() }
    }

    /// Whether the armed disk holds a sync.
    fn catches(&self, ino: Ino, mark: Mark) -> bool {
        match self.armed {
            Some(Catch::Bytes) => self.store.is_pending(ino),
            Some(Catch::Changes) => mark.commits(),
            None => false,
        }
    }

    /// Whether a fault holds all syncs with changes.
    fn holds_syncs(&self) -> bool {
        self.conditions.values().any(|condition| *condition == Condition::HoldSyncs)
    }

    /// Whether a waiting sync stays open beyond its delay.
    fn holds(&self, held: &Held) -> bool {
        let awaited = || self.holds_syncs() || self.awaited.values().any(is_met);
        self.catches(held.ino, held.mark) || held.mark.commits() && awaited()
    }

    /// The open syncs that the disk holds, the oldest first.
    pub(super) fn caught(&self) -> Vec<OpenSync> {
        let open = |held: &Held| OpenSync {
            path: self.store.path(held.ino),
            open_ms: u64::try_from(held.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes: self.store.pending_bytes(held.ino),
        };
        self.waiting.iter().filter(|held| self.holds(held)).map(open).collect()
    }

    /// Answers the syncs whose delay is over and that no fault holds.
    fn answer_due(&mut self, now: Instant) {
        let waiting = std::mem::take(&mut self.waiting);
        let (later, due): (Vec<Held>, _) =
            waiting.into_iter().partition(|held| held.due > now || self.holds(held));
        self.waiting = later;
        for held in due {
            self.store.sync(held.ino, held.mark);
            held.reply.ok();
        }
    }

    /// Answers held syncs without syncing: the waiting processes have been killed.
    ///
    /// A thread that was about to request a sync cannot die before its answer either, so none waits from now on.
    pub(super) fn let_go(&mut self) {
        self.armed = None;
        self.awaited.retain(|_, left| !is_met(left));
        self.deserted = true;
        for held in self.waiting.drain(..) {
            held.reply.error(Errno::EIO);
        }
    }

    /// A process will use it again.
    pub(super) fn begin_use(&mut self) {
        self.deserted = false;
    }

    /// Loses the power: open files become useless.
    pub(super) fn lose_power(&mut self, tear: Option<u64>) -> Loss {
        self.cut_off();
        let mut rng = tear.map(ChaCha8Rng::seed_from_u64);
        self.store.lose_power(rng.as_mut().map(|rng| (self.model.tear, rng)))
    }

    /// Loses the power and keeps the first state of this instant that no earlier power loss left.
    pub(super) fn leave_image(&mut self, seed: u64) -> Image {
        self.cut_off();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let choices = self.store.choices(&mut rng);
        let of = choices.len() as u64;
        let mut left = None;
        for (choice, position) in choices.iter().zip(1..) {
            let (store, loss) = self.store.after(choice, self.model.tear, &mut rng);
            let hash = store.fingerprint();
            let is_new = self.images.insert(hash);
            if is_new || left.is_none() {
                let kept = self.store.in_words(choice);
                left = Some((store, Image { hash, kept, position: (position, of), is_new, loss }));
            }
            if is_new {
                break;
            }
        }
        let (store, image) = left.expect("a disk has at least the state without its unsynced changes");
        self.store = store;
        image
    }

    /// What every loss of power does: open files become useless, and no sync is answered any more.
    fn cut_off(&mut self) {
        self.let_go();
        self.generation += 1;
        self.lookups.clear();
        self.write_back(Instant::now());
        self.moments.clear();
    }
}
