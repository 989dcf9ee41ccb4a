//! The state of the progress line: phase, time, operations, and the faults in force.

use super::{Screen, human};
use crate::recorder::{FileRecorder, Tally};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Interval of redraws.
const REDRAW: Duration = Duration::from_millis(200);

/// The content of the live line. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    variant: String,
    phase: Option<(String, Instant, Option<Duration>)>,
    faults: BTreeMap<u64, String>,
    /// The history up to this time is linearizable, in nanoseconds since the start of the load.
    valid_until_ns: Option<u64>,
}

impl Progress {
    /// Sets the current variant.
    pub(crate) fn variant(&self, name: &str) {
        self.with(|state| name.clone_into(&mut state.variant));
    }

    /// Sets the current phase, with its expected length if known.
    pub(crate) fn phase(&self, name: &str, length: Option<Duration>) {
        self.with(|state| state.phase = Some((name.to_owned(), Instant::now(), length)));
    }

    /// Adds a fault in force.
    pub(crate) fn fault_began(&self, number: u64, label: &str) {
        self.with(|state| drop(state.faults.insert(number, label.to_owned())));
    }

    /// Removes a healed fault.
    pub(crate) fn fault_ended(&self, number: u64) {
        self.with(|state| drop(state.faults.remove(&number)));
    }

    /// Sets the time up to which the history is known to be valid.
    pub(crate) fn valid_until(&self, ns: u64) {
        self.with(|state| state.valid_until_ns = Some(ns));
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The live line with these counts.
    fn text(&self, tally: Tally, per_second: f64) -> String {
        self.with(|state| {
            let phase = match &state.phase {
                None => "starting".to_owned(),
                Some((name, since, None)) => format!("{name} {}", human(since.elapsed())),
                Some((name, since, Some(length))) => {
                    format!("{name} {:.0}/{:.0} s", since.elapsed().as_secs_f64(), length.as_secs_f64())
                }
            };
            let faults: Vec<&str> = state.faults.values().map(String::as_str).collect();
            let faults =
                if faults.is_empty() { String::new() } else { format!(" · now: {}", faults.join(", ")) };
            let valid = state
                .valid_until_ns
                .map_or_else(String::new, |ns| format!(" · valid up to {:.1} s", ns as f64 / 1e9));
            format!(
                "{} · {phase} · {per_second:.0} ops/s · ok {} refused {} fail {} info {}{valid}{faults}",
                state.variant,
                tally.ok,
                tally.precondition,
                tally.fail.saturating_sub(tally.precondition),
                tally.info
            )
        })
    }

    /// Draws the live line until the returned guard is dropped; no effect without a live line.
    pub(crate) fn draw(&self, screen: &Screen, recorder: &Arc<FileRecorder>) -> Drawing {
        if !screen.is_live() {
            return Drawing(None);
        }
        let (progress, screen, recorder) = (self.clone(), screen.clone(), Arc::clone(recorder));
        Drawing(Some(tokio::spawn(async move {
            let mut tick = tokio::time::interval(REDRAW);
            let mut before = recorder.tally();
            let mut rate = 0.0;
            loop {
                tick.tick().await;
                let tally = recorder.tally();
                let now = tally.since(before).total() as f64 / REDRAW.as_secs_f64();
                // Smoothed, so that the number is readable.
                rate = 0.7 * rate + 0.3 * now;
                before = tally;
                screen.live(progress.text(tally, rate));
            }
        })))
    }
}

/// Draws the live line during its lifetime.
pub(crate) struct Drawing(Option<tokio::task::JoinHandle<()>>);

impl Drop for Drawing {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
