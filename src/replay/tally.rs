//! What the runs of a replay came to: `replay.json` and the lines for people.

use super::Way;
use crate::hunt::Share;
use crate::terminal::{BAD, DOUBT, FAINT};
use nemesis::ReplayReport;
use report::curves::wilson;
use serde::Serialize;
use serde_json::{Value, json};

/// One run that was made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Made {
    /// Whether it followed the schedule.
    pub replayed: bool,
    /// Its answer.
    pub answer: String,
    /// Whether the bench failed, so that it does not count.
    #[serde(skip)]
    pub failed: bool,
    /// Whether it was violated in the same way.
    pub again: bool,
    /// Its first violated or open check, or why it failed.
    pub reason: String,
    /// How well it followed the schedule.
    #[serde(skip_serializing_if = "Option::is_none", rename = "followed")]
    pub report: Option<ReplayReport>,
}

/// All runs so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// In the order in which they were made.
    pub runs: Vec<Made>,
}

impl Made {
    /// It for the terminal.
    pub(super) fn line(&self, number: u32) -> String {
        self.line_named(&format!("{} {number}", if self.replayed { "replay" } else { "plain rerun" }))
    }

    /// The same of a replay before the choice of what is held.
    pub(super) fn line_of_choice(&self, way: Way) -> String {
        self.line_named(&format!("holds {way}"))
    }

    fn line_named(&self, name: &str) -> String {
        let style = if self.again { BAD } else { DOUBT };
        let again = if self.again { "violated again" } else { "not violated" };
        let outcome =
            if self.failed { format!("failed: {}", self.reason) } else { format!("{style}{again}{style:#}") };
        let followed = self.report.as_ref().map(|report| format!("  {FAINT}{}{FAINT:#}", in_words(report)));
        format!("  {name}: {outcome}{}", followed.unwrap_or_default())
    }
}

/// How well a schedule was followed, in one line.
fn in_words(report: &ReplayReport) -> String {
    let order = report.order.as_ref();
    let order = order.map(|order| format!("{:.0} % of all events in order", 100.0 * order.share()));
    let points = match report.missed.len() {
        0 => Some(format!("{} points of faults reached", report.points)),
        missed => Some(format!("{missed} of {} points of faults missed", report.points)),
    };
    [points, order].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

impl Tally {
    pub(super) fn add(&mut self, made: Made) {
        self.runs.push(made);
    }

    /// How many replays or plain reruns were violated again. Runs in which the bench failed do not count.
    pub(crate) fn share(&self, replayed: bool) -> Share {
        let runs = self.runs.iter().filter(|run| run.replayed == replayed && !run.failed);
        let mut share = Share::default();
        for run in runs {
            share.of += 1;
            share.seen += u32::from(run.again);
        }
        share
    }

    /// Its rates so far: `violated again in 19 of 20 replays (plain rerun: 3 of 20)`.
    pub(crate) fn line(&self) -> String {
        let (replays, plain) = (self.share(true), self.share(false));
        let line = format!("violated again {replays} replays");
        if plain.of == 0 { line } else { format!("{line} (plain rerun: {} of {})", plain.seen, plain.of) }
    }

    /// The intervals in which the rates lie with a probability of 95 %; none without a run.
    pub(crate) fn intervals(&self) -> Option<String> {
        let interval = |replayed: bool| {
            let share = self.share(replayed);
            (share.of > 0).then(|| {
                let (low, high) = wilson(share.seen.into(), share.of.into());
                let what = if replayed { "replays" } else { "plain reruns" };
                format!("{what} {:.0} to {:.0} %", 100.0 * low, 100.0 * high)
            })
        };
        let both: Vec<_> = [true, false].into_iter().filter_map(interval).collect();
        (!both.is_empty()).then(|| format!("with 95 % confidence: {}", both.join(", ")))
    }

    /// Where replays diverged first, the most frequent reasons first.
    pub(crate) fn divergences(&self) -> Vec<String> {
        let reports = self.runs.iter().filter_map(|run| run.report.as_ref());
        let mut lines = Vec::new();
        for report in reports {
            lines.extend(report.missed.first().cloned());
            if let Some(diverged) = report.order.as_ref().and_then(|order| order.diverged.as_ref()) {
                let at = diverged.at as f64 / 1e9;
                lines
                    .push(format!("at {at:.3} s {} was expected, {} came", diverged.expected, diverged.came));
            }
        }
        lines
    }

    /// `replay.json`.
    pub(crate) fn json(&self, of: &str, class: &str, limit_ms: f64) -> Value {
        let share = |replayed: bool| {
            let share = self.share(replayed);
            let (low, high) = wilson(share.seen.into(), share.of.into());
            json!({"again": share.seen, "of": share.of, "low": low, "high": high})
        };
        json!({
            "bench": env!("CARGO_PKG_VERSION"), "run": of, "class": class, "limit-ms": limit_ms, "exact": false,
            "replays": share(true), "plain": share(false), "runs": self.runs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(replayed: bool, again: bool, failed: bool) -> Made {
        Made { replayed, answer: "invalid".to_owned(), failed, again, reason: String::new(), report: None }
    }

    #[test]
    fn rates_leave_failed_runs_out() {
        let mut tally = Tally::default();
        for (replayed, again, failed) in
            [(true, true, false), (true, true, false), (true, false, true), (false, false, false)]
        {
            tally.add(made(replayed, again, failed));
        }
        assert_eq!(tally.line(), "violated again in 2 of 2 replays (plain rerun: 0 of 1)");
        let intervals = "with 95 % confidence: replays 34 to 100 %, plain reruns 0 to 79 %";
        assert_eq!(tally.intervals().as_deref(), Some(intervals));
        assert_eq!(Tally::default().intervals(), None);
        let json = tally.json("results/x", "linearizable: x", 50.0);
        assert_eq!((&json["replays"]["again"], &json["plain"]["of"]), (&json!(2), &json!(1)));
    }
}
