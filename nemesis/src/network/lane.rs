//! One directed link of a switch or of a router of messages: its faults, its random numbers, and the fate of each frame. Pure.

use super::condition::{Condition, Faults};
use super::counters::{Counters, add};
use crate::delay::Delay;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Capacity of the queue of a limited link; longer waiting frames are dropped, as by a full router.
const QUEUE: Duration = Duration::from_secs(2);
/// Additional delay of a reordered frame.
const REORDER_NS: std::ops::RangeInclusive<u64> = 1_000_000..=10_000_000;

/// Nanoseconds since the switch or router started.
pub(super) type Nanos = u64;

/// One directed link.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) counters: Counters,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    faults: Faults,
    condition: Condition,
    rng: ChaCha8Rng,
    /// Time at which it has sent all queued frames, at its rate.
    free_at: Nanos,
    /// Due time of the last frame in order; later frames are not due before it.
    last_due: Nanos,
}

/// The fate of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Dropped.
    Gone,
    /// Dropped; its sender gets a reset.
    Refused,
    /// Forwarded.
    Sent(Sent),
}

/// The way in which a frame is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) due: Nanos,
    pub(super) twice: bool,
    /// The draw for the bit to flip, without a new checksum.
    pub(super) corrupt: Option<u64>,
    /// The draw for the bit to flip, with a new checksum.
    pub(super) garble: Option<u64>,
}

impl Fate {
    /// The effect of the bench on the frame, in words; empty if none.
    pub(super) fn in_words(self, now: Nanos) -> String {
        let sent = match self {
            Self::Gone => return "bench: dropped".to_owned(),
            Self::Refused => return "bench: dropped and answered with a reset".to_owned(),
            Self::Sent(sent) => sent,
        };
        let late = sent.due.saturating_sub(now);
        let late = (late > 0).then(|| format!("{:.3} ms late", late as f64 / 1e6));
        let words = [
            late,
            sent.twice.then(|| "doubled".to_owned()),
            sent.corrupt.map(|_| "corrupted".to_owned()),
            sent.garble.map(|_| "garbled".to_owned()),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        if words.is_empty() { String::new() } else { format!("bench: {}", words.join(", ")) }
    }
}

impl Lane {
    /// A link with the delay `base`; `number` gives it random numbers of its own.
    pub(super) fn new(base: Delay, seed: u64, number: u64) -> Self {
        let faults = Faults::new(base);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        let condition = faults.condition();
        let state = State { faults, condition, rng, free_at: 0, last_due: 0 };
        Self { counters: Counters::default(), state: Mutex::new(state) }
    }

    /// Changes the faults; returns the latest due time of the frames that wait now.
    pub(super) fn change<T>(&self, now: Nanos, change: impl FnOnce(&mut Faults) -> T) -> (T, Nanos) {
        let mut state = self.lock();
        let result = change(&mut state.faults);
        state.condition = state.faults.condition();
        let queue = if state.condition.rate.is_some() { QUEUE } else { Duration::ZERO };
        let latest = now.saturating_add(nanos(state.condition.delay.longest() + queue));
        state.last_due = state.last_due.min(latest);
        state.free_at = state.free_at.min(latest);
        (result, latest)
    }

    pub(super) fn with_faults<T>(&self, look: impl FnOnce(&Faults) -> T) -> T {
        look(&self.lock().faults)
    }

    /// Whether frames must be single segments, as on the wire.
    pub(super) fn wants_segments(&self) -> bool {
        let condition = self.lock().condition;
        condition.rate.is_some() || !condition.flaky.is_empty()
    }

    /// Decides the fate of a frame of this length of the system under test, and counts it.
    pub(super) fn judge(&self, bytes: usize, now: Nanos) -> Fate {
        self.decide(bytes, now, &self.counters)
    }

    /// Decides the fate of a frame of the bench's own probes, which is no evidence about the system.
    pub(super) fn judge_own(&self, bytes: usize, now: Nanos) -> Fate {
        self.decide(bytes, now, &Counters::default())
    }

    /// Whether no frame passes it now.
    pub(super) fn is_shut(&self) -> bool {
        let condition = self.lock().condition;
        condition.stalled || condition.refused
    }

    fn decide(&self, bytes: usize, now: Nanos, counters: &Counters) -> Fate {
        add(&counters.chunks, &counters.bytes, bytes);
        let state = &mut *self.lock();
        let condition = state.condition;
        if condition.stalled || condition.refused {
            add(&counters.dropped, &counters.dropped_bytes, bytes);
            return if condition.stalled { Fate::Gone } else { Fate::Refused };
        }
        let flaky = condition.flaky;
        // Every frame uses the same draws, so a change of one share leaves the others unchanged.
        let mut struck =
            |share: crate::flaky::Share| state.rng.random_range(0..1_000_000) < share.millionths();
        let [lost, twice, late, corrupt, garble] =
            [flaky.loss, flaky.duplicate, flaky.reorder, flaky.corrupt, flaky.garble].map(&mut struck);
        let (bit, lateness) = (state.rng.random(), state.rng.random_range(REORDER_NS));
        if lost {
            counters.lost.fetch_add(1, Relaxed);
            return Fate::Gone;
        }
        let mut sent_at = now;
        if let Some(rate) = condition.rate {
            let takes = nanos(Duration::from_secs_f64(bytes as f64 / rate as f64));
            let free_at = state.free_at.max(now).saturating_add(takes);
            if free_at - now > nanos(QUEUE).max(takes) {
                counters.overflowed.fetch_add(1, Relaxed);
                return Fate::Gone;
            }
            state.free_at = free_at;
            sent_at = free_at;
        }
        let drawn = sent_at.saturating_add(nanos(condition.delay.draw(&mut state.rng)));
        let mut due = drawn.max(state.last_due);
        state.last_due = due;
        if late {
            due = due.saturating_add(lateness);
        }
        for (struck, counter) in [
            (twice, &counters.duplicated),
            (late, &counters.reordered),
            (corrupt || garble, &counters.corrupted),
        ] {
            counter.fetch_add(u64::from(struck), Relaxed);
        }
        if condition.slowed {
            add(&counters.delayed_chunks, &counters.delayed_bytes, bytes);
        }
        Fate::Sent(Sent {
            due,
            twice,
            corrupt: corrupt.then_some(bit),
            garble: (garble && !corrupt).then_some(bit),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A duration in nanoseconds, at most five centuries.
fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flaky::{Flaky, Share};
    use crate::network::LinkFault;

    fn lane() -> Lane {
        Lane::new(Delay::default(), 7, 3)
    }

    fn with(fault: LinkFault) -> Lane {
        let lane = lane();
        lane.change(0, |faults| faults.apply(1, fault));
        lane
    }

    fn due(fate: Fate) -> Option<Nanos> {
        match fate {
            Fate::Sent(sent) => Some(sent.due),
            Fate::Gone | Fate::Refused => None,
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn frame_fates_follow_seed_and_link() {
        let share = Share::of_millionths(100_000);
        let fault = LinkFault::Flaky(Flaky { loss: share, duplicate: share, ..Flaky::default() });
        let fates = |number| {
            let lane = Lane::new(Delay { jitter: ms(2), mean: ms(5), ..Delay::default() }, 7, number);
            lane.change(0, |faults| faults.apply(1, fault));
            (0..500).map(|at| lane.judge(100, at)).collect::<Vec<_>>()
        };
        assert_eq!(fates(1), fates(1));
        assert_ne!(fates(1), fates(2));
    }

    #[test]
    fn shares_hold_within_one_percent() {
        let share = Share::of_millionths(50_000);
        let fault = LinkFault::Flaky(Flaky {
            loss: share,
            duplicate: share,
            reorder: share,
            corrupt: share,
            garble: share,
        });
        let lane = with(fault);
        for at in 0..20_000 {
            lane.judge(100, at);
        }
        let counters = lane.counters.read();
        for counted in [counters.lost, counters.duplicated, counters.reordered] {
            assert!(counted.abs_diff(1_000) < 200, "{counters:?}");
        }
        assert!(counters.corrupted.abs_diff(1_950) < 250, "{counters:?}");
    }

    #[test]
    fn only_reordering_lets_frames_overtake() {
        let lane = Lane::new(Delay { mean: ms(5), jitter: ms(5), ..Delay::default() }, 7, 0);
        let dues: Vec<_> = (0..1_000).filter_map(|at| due(lane.judge(100, at * 1_000))).collect();
        assert!(dues.len() == 1_000 && dues.is_sorted());
        let reorder = Share::of_millionths(100_000);
        lane.change(0, |faults| faults.apply(1, LinkFault::Flaky(Flaky { reorder, ..Flaky::default() })));
        let dues: Vec<_> = (0..1_000).filter_map(|at| due(lane.judge(100, at * 1_000))).collect();
        assert!(!dues.is_sorted());
    }

    #[test]
    fn rate_spaces_and_drops_frames() {
        let lane = with(LinkFault::Rate(1_000));
        let dues: Vec<_> = (0..5).map(|_| due(lane.judge(500, 0))).collect();
        let half = 500_000_000;
        assert_eq!(dues, [Some(half), Some(2 * half), Some(3 * half), Some(4 * half), None]);
        assert_eq!(lane.counters.read().overflowed, 1);
    }

    #[test]
    fn healed_delay_holds_no_frames() {
        let lane = with(LinkFault::Delay(Delay { mean: ms(3_600_000), ..Delay::default() }));
        assert_eq!(due(lane.judge(100, 0)), Some(3_600_000_000_000));
        let (had, latest) = lane.change(5, |faults| faults.release(1));
        assert!(had && latest == 5);
        assert_eq!(due(lane.judge(100, 6)), Some(6));
    }

    #[test]
    fn own_frames_meet_faults_uncounted() {
        let lane = with(LinkFault::Stall);
        assert_eq!(lane.judge_own(100, 0), Fate::Gone);
        assert_eq!(lane.counters.read(), Counters::default().read());
    }

    #[test]
    fn cut_drops_and_refusal_answers() {
        let lane = with(LinkFault::Stall);
        assert_eq!(lane.judge(100, 0), Fate::Gone);
        let counters = lane.counters.read();
        assert_eq!((counters.dropped, counters.dropped_bytes), (1, 100));
        assert_eq!(with(LinkFault::Refuse).judge(100, 0), Fate::Refused);
    }
}
