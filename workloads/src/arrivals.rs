//! The due times of the operations of an open loop, and the thread that deals them to clients.

use crate::spec::Arrivals;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The moments at which operations are due, counted from the start of the phase. Never ends.
#[derive(Debug)]
pub(crate) struct DueTimes {
    arrivals: Arrivals,
    rate: f64,
    rng: ChaCha8Rng,
    index: u64,
    seconds: f64,
}

impl DueTimes {
    /// `rate` operations a second.
    pub(crate) fn new(arrivals: Arrivals, rate: f64, rng: ChaCha8Rng) -> Self {
        Self { arrivals, rate, rng, index: 0, seconds: 0.0 }
    }
}

impl Iterator for DueTimes {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let seconds = match self.arrivals {
            Arrivals::Even => self.index as f64 / self.rate,
            Arrivals::Poisson => {
                let uniform: f64 = self.rng.random();
                self.seconds -= (1.0 - uniform).ln() / self.rate;
                self.seconds
            }
        };
        self.index += 1;
        Some(Duration::from_secs_f64(seconds))
    }
}

/// A thread that deals due operations to the clients in turn, each at its time.
///
/// It is a thread because the timers of an async runtime tick in milliseconds, which would show as
/// latency of the system under test. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Pacer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    /// Starts to deal what is due before `duration` is over to this number of clients. Each gets a queue of due
    /// times (since `start`) that ends with the phase.
    pub(crate) fn start(
        start: Instant,
        duration: Duration,
        times: DueTimes,
        clients: u32,
    ) -> std::io::Result<(Self, Vec<UnboundedReceiver<Duration>>)> {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..clients).map(|_| unbounded_channel()).unzip();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("pacer".to_owned()).spawn({
            let stop = Arc::clone(&stop);
            move || deal(start, times.take_while(|due| *due < duration), &senders, &stop)
        })?;
        Ok((Self { stop, thread: Some(thread) }, receivers))
    }
}

/// Sends each due time to the next client when it is reached; what is late is sent at once.
fn deal(
    start: Instant,
    times: impl Iterator<Item = Duration>,
    clients: &[UnboundedSender<Duration>],
    stop: &AtomicBool,
) {
    for (due, client) in times.zip(clients.iter().cycle()) {
        loop {
            if stop.load(Ordering::Acquire) {
                return;
            }
            match (start + due).checked_duration_since(Instant::now()) {
                Some(wait) if !wait.is_zero() => thread::park_timeout(wait),
                Some(_) | None => break,
            }
        }
        if client.send(due).is_err() {
            return;
        }
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It runs no code of others and so cannot have panicked; there is nothing to report.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_arrivals_are_multiples_of_the_gap() {
        let times = DueTimes::new(Arrivals::Even, 500.0, crate::seed::arrivals(1, 0));
        let due: Vec<_> = times.take(4).map(|due| due.as_millis()).collect();
        assert_eq!(due, [0, 2, 4, 6]);
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_are_seeded() {
        let times = |seed| DueTimes::new(Arrivals::Poisson, 1000.0, crate::seed::arrivals(seed, 0));
        let tenth = times(1).nth(10_000).expect("the times never end").as_secs_f64();
        assert!((9.5..10.5).contains(&tenth), "10,000 arrivals at 1,000/s took {tenth} s");
        assert!(times(1).zip(times(1).skip(1)).take(1000).all(|(earlier, later)| earlier <= later));
        assert_eq!(times(2).nth(99), times(2).nth(99));
        assert_ne!(times(2).nth(99), times(3).nth(99));
    }

    #[test]
    fn pacer_deals_in_turn_until_phase_ends() {
        let times = DueTimes::new(Arrivals::Even, 1000.0, crate::seed::arrivals(1, 0));
        let (pacer, mut queues) =
            Pacer::start(Instant::now(), Duration::from_millis(9), times, 2).expect("a thread starts");
        let mut dealt = Vec::new();
        for queue in &mut queues {
            let mut own = Vec::new();
            while let Some(due) = queue.blocking_recv() {
                own.push(due.as_millis());
            }
            dealt.push(own);
        }
        drop(pacer);
        assert_eq!(dealt, [vec![0, 2, 4, 6, 8], vec![1, 3, 5, 7]]);
    }
}
