//! The due times of the operations of an open loop, and the task that deals them to clients.

use crate::alarm::Alarm;
use crate::spec::Arrivals;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::io;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

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

/// A task that deals due operations to the clients in turn, each at its time. Dropping it stops it.
///
/// It shares the thread of the clients, because to wake another thread for each operation would cost more than the
/// operation.
#[derive(Debug)]
pub(crate) struct Pacer(AbortHandle);

impl Pacer {
    /// Starts to deal what is due before `duration` is over to this number of clients. Each gets a queue of due
    /// times (since `start`) that ends with the phase.
    ///
    /// # Errors
    /// When the system gives no timer.
    pub(crate) fn start(
        start: Instant,
        duration: Duration,
        times: DueTimes,
        clients: u32,
        runtime: &Handle,
    ) -> io::Result<(Self, Vec<UnboundedReceiver<Duration>>)> {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..clients).map(|_| unbounded_channel()).unzip();
        let alarm = {
            let _entered = runtime.enter();
            Alarm::new()?
        };
        let times = times.take_while(move |due| *due < duration);
        let task = runtime.spawn(deal(start, times, senders, alarm));
        Ok((Self(task.abort_handle()), receivers))
    }
}

/// Sends each due time to the next client when it is reached; what is late is sent at once.
async fn deal(
    start: Instant,
    times: impl Iterator<Item = Duration>,
    clients: Vec<UnboundedSender<Duration>>,
    mut alarm: Alarm,
) {
    for (due, client) in times.zip(clients.iter().cycle()) {
        // One that has just been late may be due already.
        while let Some(wait) =
            (start + due).checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
        {
            alarm.after(wait).await;
        }
        if client.send(due).is_err() {
            return;
        }
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.0.abort();
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

    #[tokio::test]
    async fn pacer_deals_in_turn_until_phase_ends() {
        let times = DueTimes::new(Arrivals::Even, 1000.0, crate::seed::arrivals(1, 0));
        let duration = Duration::from_millis(9);
        let (pacer, mut queues) =
            Pacer::start(Instant::now(), duration, times, 2, &Handle::current()).expect("there is a timer");
        let mut dealt = Vec::new();
        for queue in &mut queues {
            let mut own = Vec::new();
            while let Some(due) = queue.recv().await {
                own.push(due.as_millis());
            }
            dealt.push(own);
        }
        drop(pacer);
        assert_eq!(dealt, [vec![0, 2, 4, 6, 8], vec![1, 3, 5, 7]]);
    }
}
