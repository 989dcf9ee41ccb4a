//! The figures of a variant: counts, throughput, latency quantiles, and what the protocol did.
//!
//! All are about operations *invoked* in the phases load and recovery. Latency is the time from when an
//! operation was due (open loop) or sent (closed loop) to its answer; operations without an answer have none.

use super::observed::{Observed, Window, answered, latency_ns};
use super::outages::Outage;
use super::samples::total;
use hdrhistogram::Histogram;
use history::{OperationRef, OutcomeClass, OutcomeRef, Phase};
use serde::Serialize;
use std::collections::BTreeMap;

/// Operations of one kind by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// It happened.
    pub ok: u64,
    /// Compare-and-sets that found another value: they were answered, though nothing happened.
    pub refused: u64,
    /// It certainly did not happen, and not because a compare-and-set found another value.
    pub fail: u64,
    /// Unknown, also when the history ends before it completed.
    pub info: u64,
}

impl Counts {
    /// All of them.
    pub fn all(self) -> u64 {
        self.ok + self.refused + self.fail + self.info
    }

    /// Those that failed without an answer to what was asked.
    pub fn failed(self) -> u64 {
        self.fail
    }

    fn add(&mut self, outcome: OutcomeRef<'_>) {
        match OutcomeClass::of(outcome) {
            OutcomeClass::Ok => self.ok += 1,
            OutcomeClass::Refused => self.refused += 1,
            OutcomeClass::Fail => self.fail += 1,
            OutcomeClass::Info => self.info += 1,
        }
    }
}

/// Quantiles of the latency of all answered operations, in milliseconds. Answered is what was `ok`, and a
/// compare-and-set whose precondition did not hold. Quantiles are exact to three digits, the slowest answer exactly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half of the answers came within this.
    pub p50_ms: f64,
    /// Nine of ten came within this.
    pub p90_ms: f64,
    /// 99 of 100 came within this.
    pub p99_ms: f64,
    /// 999 of 1,000 came within this.
    pub p999_ms: f64,
    /// The slowest answer.
    pub max_ms: f64,
}

/// What the nodes counted in the phases load and recovery, by their samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ProtocolFigures {
    /// Slots decided and applied by the furthest replica (no-ops included).
    pub decided: u64,
    /// The same a second.
    pub decided_per_s: f64,
    /// What became of ballots; none where the system does not say.
    #[serde(flatten)]
    pub ballots: Option<BallotFigures>,
    /// The longest time in which no sample saw a new decision, in seconds.
    pub longest_without_decision_s: f64,
    /// The share of the time that standstills take, from 0 to 1: times of 200 ms or longer without a decision.
    pub standstill_share: f64,
}

/// What the leaders counted in the phases load and recovery, by their samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BallotFigures {
    /// Leaders preempted by a higher ballot.
    pub preemptions: u64,
    /// The same a second.
    pub preemptions_per_s: f64,
    /// Leaders adopted by a majority.
    pub adoptions: u64,
    /// The same a second.
    pub adoptions_per_s: f64,
}

impl ProtocolFigures {
    /// How often leaders were preempted; 0 where the system does not say.
    pub(crate) fn preemptions(&self) -> u64 {
        self.ballots.map_or(0, |ballots| ballots.preemptions)
    }
}

/// The figures of one variant: a row of `summary.csv`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// By outcome, over all kinds.
    pub counts: Counts,
    /// By outcome, for each kind of operation.
    pub by_function: BTreeMap<String, Counts>,
    /// Operations of the phases load and recovery that were due and never sent.
    pub unsent: u64,
    /// When the load began, in nanoseconds since the run's start: the origin of the times that people read.
    pub load_start_ns: u64,
    /// Seconds of the phases load and recovery.
    pub seconds: f64,
    /// `ok` operations a second; none if no time was measured.
    pub throughput_per_s: Option<f64>,
    /// `ok` operations a second in the phase load alone.
    pub load_throughput_per_s: Option<f64>,
    /// Operations that were answered.
    pub answered: u64,
    /// Latency of those; none if there were none.
    pub latency: Option<Quantiles>,
    /// What the protocol did; none if no node was sampled.
    pub protocol: Option<ProtocolFigures>,
    /// The longest outage of any fault, in seconds; none without a fault.
    pub longest_outage_s: Option<f64>,
    /// Over all faults, the longest time from the heal to the recovery, in seconds: 0 where the service had
    /// recovered before the heal. None if there was no fault or one was not recovered from.
    pub time_to_recover_s: Option<f64>,
}

impl Summary {
    pub(crate) fn new(observed: &Observed, outages: &[Outage]) -> Self {
        let measured = observed.measured();
        let seconds = measured.seconds();
        let mut counts = Counts::default();
        let mut by_function: BTreeMap<String, Counts> = BTreeMap::new();
        let (mut answers, mut in_load) = (0, 0);
        for operation in observed.measured_operations() {
            counts.add(operation.outcome);
            if let Some(counts) = by_function.get_mut(operation.f) {
                counts.add(operation.outcome);
            } else {
                by_function.entry(operation.f.to_owned()).or_default().add(operation.outcome);
            }
            answers += u64::from(answered(operation.outcome));
            in_load += u64::from(operation.phase != Some(Phase::Recovery) && is_ok(&operation));
        }
        let per_second = |count: u64, seconds: f64| (seconds > 0.0).then(|| count as f64 / seconds);
        let load_seconds = observed.phase(Phase::Load).map_or(0.0, Window::seconds);
        Self {
            counts,
            by_function,
            unsent: observed.unsent(),
            load_start_ns: measured.start,
            seconds,
            throughput_per_s: per_second(counts.ok, seconds),
            load_throughput_per_s: per_second(in_load, load_seconds),
            answered: answers,
            latency: quantiles(&latencies(observed)),
            protocol: protocol(observed),
            longest_outage_s: outages.iter().filter_map(|outage| outage.outage_ns).max().map(to_seconds),
            time_to_recover_s: time_to_recover(observed, outages),
        }
    }
}

impl Summary {
    /// Whether the leaders were in a livelock: they were preempted more often than anything was decided.
    pub fn is_livelock(&self) -> bool {
        let livelock = |decided, it: BallotFigures| it.preemptions > decided && it.preemptions_per_s >= 1.0;
        self.protocol.is_some_and(|it| it.ballots.is_some_and(|ballots| livelock(it.decided, ballots)))
    }
}

fn is_ok(operation: &OperationRef<'_>) -> bool {
    matches!(operation.outcome, OutcomeRef::Ok(_))
}

fn to_seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Latencies in nanoseconds: their quantiles to three digits, and the slowest exactly.
pub(crate) struct Latencies {
    histogram: Histogram<u64>,
    max: u64,
}

impl Latencies {
    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The slowest; 0 where there are none.
    pub(crate) fn max_ns(&self) -> u64 {
        self.max
    }

    /// A quantile, never above the slowest.
    pub(crate) fn quantile_ns(&self, quantile: f64) -> u64 {
        self.histogram.value_at_quantile(quantile).min(self.max)
    }

    /// Each recorded latency from the fastest on, with how many took no longer.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut until = 0;
        self.histogram.iter_recorded().map(move |step| {
            until += step.count_at_value();
            (step.value_iterated_to().min(self.max), until)
        })
    }
}

/// The latencies of all answered operations of the measured phases.
pub(crate) fn latencies(observed: &Observed) -> Latencies {
    let open_loop = observed.plan.rate.is_some();
    let mut histogram = Histogram::new(3).expect("three digits are a precision that hdrhistogram allows");
    let mut max = 0;
    for operation in observed.measured_operations().filter(|operation| answered(operation.outcome)) {
        if let Some(latency) = latency_ns(&operation, open_loop) {
            histogram.record(latency).expect("the histogram grows by itself");
            max = max.max(latency);
        }
    }
    Latencies { histogram, max }
}

fn quantiles(latencies: &Latencies) -> Option<Quantiles> {
    if latencies.count() == 0 {
        return None;
    }
    let at = |quantile: f64| latencies.quantile_ns(quantile) as f64 / 1e6;
    Some(Quantiles {
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
        max_ms: latencies.max_ns() as f64 / 1e6,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are small and never negative"
)]
fn protocol(observed: &Observed) -> Option<ProtocolFigures> {
    let window = observed.measured();
    let longest = observed.protocol.longest_without_decision(window)?;
    let seconds = window.seconds();
    let decided = total(&observed.protocol.decisions, window);
    Some(ProtocolFigures {
        decided: decided.round() as u64,
        decided_per_s: decided / seconds,
        ballots: observed.protocol.ballots.then(|| ballots(observed, window)),
        longest_without_decision_s: to_seconds(longest),
        standstill_share: observed.protocol.standstill_ns(window) as f64 / window.length().max(1) as f64,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are small and never negative"
)]
fn ballots(observed: &Observed, window: Window) -> BallotFigures {
    let seconds = window.seconds();
    let preemptions = total(&observed.protocol.preemptions, window);
    let adoptions = total(&observed.protocol.adoptions, window);
    BallotFigures {
        preemptions: preemptions.round() as u64,
        preemptions_per_s: preemptions / seconds,
        adoptions: adoptions.round() as u64,
        adoptions_per_s: adoptions / seconds,
    }
}

fn time_to_recover(observed: &Observed, outages: &[Outage]) -> Option<f64> {
    let mut longest = None;
    for outage in outages {
        let fault = observed.faults.iter().find(|fault| fault.fault == outage.fault)?;
        let time = to_seconds(outage.time_to_recover_ns(fault)?);
        longest = Some(longest.map_or(time, |longest: f64| longest.max(time)));
    }
    longest
}
