//! The state of one directed link, shared by its connections and the faults on it.

use crate::delay::Delay;
use crate::network::condition::{Condition, Faults};
use crate::network::counters::Counters;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Longest wait of a reset for its connections to close before it counts them.
const RESET_PATIENCE: Duration = Duration::from_secs(1);

/// The two directions of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// From the node that dialled.
    Forward,
    /// Back to it.
    Backward,
}

/// One directed link.
#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) counters: Counters,
    condition: watch::Sender<Condition>,
    faults: Mutex<Faults>,
    /// For each direction, the time at which the link has sent all queued bytes, at its rate.
    free_at: [Mutex<Instant>; 2],
    /// Local ports of probes on their way here.
    probes: Mutex<BTreeSet<u16>>,
    seed: u64,
    number: u64,
}

impl LinkState {
    pub(super) fn new(base: Delay, seed: u64, number: u64) -> Self {
        let faults = Faults::new(base);
        let now = Instant::now();
        Self {
            counters: Counters::default(),
            condition: watch::Sender::new(faults.condition()),
            faults: Mutex::new(faults),
            free_at: [Mutex::new(now), Mutex::new(now)],
            probes: Mutex::default(),
            seed,
            number,
        }
    }

    /// Changes the faults and notifies the connections.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        let mut faults = lock(&self.faults);
        let result = change(&mut faults);
        let condition = faults.condition();
        if condition.rate != self.condition.borrow().rate {
            for lane in &self.free_at {
                *lock(lane) = Instant::now();
            }
        }
        self.condition.send_replace(condition);
        result
    }

    pub(super) fn faults_on(&self) -> usize {
        lock(&self.faults).count()
    }

    pub(super) fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    /// Resets the open connections. Returns the number of those that closed.
    pub(super) async fn reset(&self) -> u64 {
        let before = self.counters.read();
        self.change(Faults::reset);
        let deadline = Instant::now() + RESET_PATIENCE;
        loop {
            let reset = self.counters.read().reset - before.reset;
            if reset >= before.open || Instant::now() >= deadline {
                return reset;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The time at which `bytes` have left at this rate, after all bytes queued before them.
    pub(super) fn leave(&self, lane: Lane, bytes: usize, rate: u64, now: Instant) -> Instant {
        let mut free_at = lock(&self.free_at[lane as usize]);
        *free_at = (*free_at).max(now) + Duration::from_secs_f64(bytes as f64 / rate as f64);
        *free_at
    }

    /// The random numbers for a connection's jitter: a function of seed, link, connection and direction.
    pub(super) fn rng(&self, connection: u64, lane: Lane) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.number << 40 | connection << 1 | lane as u64);
        rng
    }

    /// Announces a probe from this local port.
    pub(super) fn expect_probe(&self, port: u16) {
        lock(&self.probes).insert(port);
    }

    /// Whether the connection from this port is a probe.
    pub(super) fn is_probe(&self, port: u16) -> bool {
        lock(&self.probes).remove(&port)
    }

    pub(super) fn opened(&self) -> OpenConnection<'_> {
        self.counters.connections.fetch_add(1, Relaxed);
        self.counters.open.fetch_add(1, Relaxed);
        OpenConnection(self)
    }
}

/// Counts a connection as open during its lifetime.
pub(super) struct OpenConnection<'a>(&'a LinkState);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.counters.open.fetch_sub(1, Relaxed);
    }
}

/// A panic leaves no value half changed in any locked section, so poisoning can be ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
