//! What the nodes said of themselves while the run went on: `samples.csv`, and the figures drawn from it.

use super::{ResultsError, observed::Window};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// One row of `samples.csv`: what a node answered when it was asked for its status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Sample {
    /// When it was asked, in nanoseconds since the run's start.
    pub time_ns: u64,
    /// Which node.
    pub node: String,
    /// Whether it answered. Everything below is none if it did not.
    #[serde(deserialize_with = "truth")]
    pub up: bool,
    /// Its process; the counters start at 0 with each.
    pub pid: Option<u32>,
    /// Whether its own leader was active.
    #[serde(deserialize_with = "optional_truth")]
    pub active: Option<bool>,
    /// The round of its own leader's ballot.
    pub round: Option<u64>,
    /// The leader whose ballot is the highest it has seen.
    pub leader: Option<String>,
    /// The next slot its replica would propose for.
    pub slot_in: Option<u64>,
    /// The next slot its replica will apply; all before it are decided.
    pub slot_out: Option<u64>,
    /// How often its leader was preempted.
    pub preemptions: Option<u64>,
    /// How often its leader was adopted.
    pub adoptions: Option<u64>,
    /// What its leader waits after the next preemption, in milliseconds.
    pub backoff_ms: Option<u64>,
    /// Bytes of its log.
    pub log_bytes: Option<u64>,
    /// Slots whose decisions its process found in its own snapshot and log.
    #[serde(default)]
    pub from_log: Option<u64>,
    /// Slots whose decisions came from other nodes until it was level.
    #[serde(default)]
    pub from_peers: Option<u64>,
    /// Microseconds from the start of its process until it was level with the others.
    #[serde(default)]
    pub level_us: Option<u64>,
}

fn parse_truth(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn truth<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_truth(&text).ok_or_else(|| serde::de::Error::custom(format!("\"{text}\" should be true or false")))
}

fn optional_truth<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    parse_truth(&text)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("\"{text}\" should be true, false or empty")))
}

/// Reads `samples.csv` in the folder of a variant; empty if there is none. A last row that was cut off in
/// the middle (the bench was killed) is left out.
pub fn read_samples(dir: &Path) -> Result<Vec<Sample>, ResultsError> {
    let path = dir.join("samples.csv");
    let Some(text) = super::files::read_optional(&path)? else { return Ok(Vec::new()) };
    let complete = text.rfind('\n').map_or("", |end| &text[..=end]);
    let mut samples = Vec::new();
    for row in csv::Reader::from_reader(complete.as_bytes()).deserialize() {
        let sample: Sample = row.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            ResultsError::malformed(&path, usize::try_from(line).unwrap_or(0), &error)
        })?;
        samples.push(sample);
    }
    samples.sort_by_key(|sample| sample.time_ns);
    Ok(samples)
}

/// An amount by which a counter grew between two samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Growth {
    /// The earlier sample.
    pub from_ns: u64,
    /// The later one.
    pub to_ns: u64,
    /// By how much.
    pub amount: u64,
}

/// A time without a decision is a standstill from here on.
pub(crate) const STANDSTILL_NS: u64 = 200_000_000;

/// Picks one counter of a sample.
type Counter = fn(&Sample) -> Option<u64>;

/// What the samples say of the protocol, over all nodes and the whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Protocol {
    /// Leaders preempted.
    pub preemptions: Vec<Growth>,
    /// Leaders adopted.
    pub adoptions: Vec<Growth>,
    /// Slots decided and applied by the furthest replica.
    pub decisions: Vec<Growth>,
    /// Whether any node said how far it had decided.
    pub any: bool,
    /// Whether any node said how often its leader was preempted or adopted; other systems have no ballots.
    pub ballots: bool,
}

impl Protocol {
    /// Adds up the growth of every node's counters. A new pid starts at 0 again.
    pub(crate) fn from_samples(samples: &[Sample]) -> Self {
        let mut protocol = Self::default();
        let mut last: BTreeMap<&str, &Sample> = BTreeMap::new();
        let mut furthest: Option<(u64, u64)> = None;
        for sample in samples.iter().filter(|sample| sample.up) {
            protocol.any |= sample.slot_out.is_some();
            protocol.ballots |= sample.preemptions.is_some() || sample.adoptions.is_some();
            let before = last.insert(&sample.node, sample);
            let same = before.filter(|before| before.pid == sample.pid);
            let from_ns = before.map_or(sample.time_ns, |before| before.time_ns);
            let counters: [(Counter, &mut Vec<Growth>); 2] = [
                (|sample| sample.preemptions, &mut protocol.preemptions),
                (|sample| sample.adoptions, &mut protocol.adoptions),
            ];
            for (counter, growths) in counters {
                let base = same.and_then(counter).unwrap_or(0);
                let amount = counter(sample).unwrap_or(base).saturating_sub(base);
                if amount > 0 {
                    growths.push(Growth { from_ns, to_ns: sample.time_ns, amount });
                }
            }
            let Some(slot_out) = sample.slot_out else { continue };
            let (reached, seen_ns) = furthest.unwrap_or((1, sample.time_ns));
            if slot_out > reached {
                let amount = slot_out - reached;
                protocol.decisions.push(Growth { from_ns: seen_ns, to_ns: sample.time_ns, amount });
            }
            furthest = Some((slot_out.max(reached), sample.time_ns));
        }
        protocol
    }

    /// The longest time inside the window in which no sample saw a new decision, in nanoseconds.
    /// It is as exact as the samples are frequent.
    pub(crate) fn longest_without_decision(&self, window: Window) -> Option<u64> {
        if !self.any || window.is_empty() {
            return None;
        }
        self.pauses(window).map(|(from, to)| to - from).max()
    }

    /// The times inside the window between one decision and the next that samples saw, its edges included.
    fn pauses(&self, window: Window) -> impl Iterator<Item = (u64, u64)> {
        let seen = self.decisions.iter().map(|growth| growth.to_ns);
        let mut last = window.start;
        seen.filter(move |time| window.holds(*time)).chain([window.end]).map(move |time| {
            let pause = (last, time);
            last = time;
            pause
        })
    }

    /// The pauses that are standstills: [`STANDSTILL_NS`] or longer.
    pub(crate) fn standstills(&self, window: Window) -> impl Iterator<Item = (u64, u64)> {
        self.pauses(window).filter(|(from, to)| to - from >= STANDSTILL_NS)
    }

    /// How long all standstills are together, in nanoseconds.
    pub(crate) fn standstill_ns(&self, window: Window) -> u64 {
        self.standstills(window).map(|(from, to)| to - from).sum()
    }
}

/// The sum of the growth that was seen inside the window. Growth across its beginning counts by the share
/// of time inside.
pub(crate) fn total(growths: &[Growth], window: Window) -> f64 {
    // The sum of no numbers is negative zero: make it zero.
    growths.iter().map(|growth| share(growth, window.start, window.end)).sum::<f64>() + 0.0
}

/// Growth a second in bins of the window, spread evenly between the two samples that saw it.
pub(crate) fn rates(growths: &[Growth], window: Window, bin_ns: u64) -> Vec<f64> {
    let bins = usize::try_from(window.length().div_ceil(bin_ns.max(1))).unwrap_or(0);
    let mut rates = vec![0.0; bins];
    for growth in growths {
        let first = growth.from_ns.saturating_sub(window.start) / bin_ns;
        let last = growth.to_ns.saturating_sub(window.start) / bin_ns;
        for bin in first..=last {
            let Some(rate) = usize::try_from(bin).ok().and_then(|bin| rates.get_mut(bin)) else { break };
            let start = window.start + bin * bin_ns;
            let end = (start + bin_ns).min(window.end);
            *rate += share(growth, start, end) * 1e9 / (end - start).max(1) as f64;
        }
    }
    rates
}

fn share(growth: &Growth, start: u64, end: u64) -> f64 {
    let whole = growth.to_ns - growth.from_ns;
    if whole == 0 {
        let inside = growth.to_ns >= start && growth.to_ns < end;
        return if inside { growth.amount as f64 } else { 0.0 };
    }
    let overlap = growth.to_ns.min(end).saturating_sub(growth.from_ns.max(start));
    growth.amount as f64 * overlap as f64 / whole as f64
}
