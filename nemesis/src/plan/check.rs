//! Refuses faults that make no sense before anything is drawn for them.

use super::{Duty, PlanOptions, Refusal};
use crate::network::Mode;
use crate::partition::CLIENTS;
use crate::spec::{Delay, FaultSpec};
use crate::vocabulary::Kind;
use jiff::SignedDuration;
use std::time::Duration;

/// A process cannot be seen to stop and go on faster than this.
const SHORTEST_TURN: Duration = Duration::from_millis(1);

/// Refuses what this network and disk cannot do, keys the kind does not take, and numbers that make no fault.
pub(super) fn check(spec: &FaultSpec, options: &PlanOptions) -> Result<(), Refusal> {
    spec.kind.available(options).map_err(|reason| Refusal::new("kind", reason))?;
    let clients = spec.groups.iter().flatten().flatten().any(|name| name == CLIENTS);
    if clients && options.mode != Mode::Lab {
        let reason = "clients reach the nodes directly here; their links can be cut with network = \"lab\"";
        return Err(Refusal::new("groups", reason));
    }
    let keys: [(&'static str, bool, &[Kind]); 21] = [
        ("target", spec.target.is_some() && takes_no_target(spec.kind), &[]),
        ("shape", spec.shape.is_some(), &[Kind::Partition]),
        ("groups", spec.groups.is_some(), &[Kind::Partition]),
        ("from", spec.from.is_some(), &[Kind::OneWay]),
        ("to", spec.to.is_some(), &[Kind::OneWay]),
        ("how", spec.how.is_some(), &[Kind::Partition, Kind::OneWay]),
        ("still", spec.still.is_some(), &[Kind::Slow]),
        ("period", spec.period.is_some(), &[Kind::Slow, Kind::Strobe]),
        ("change", spec.change.is_some(), &[Kind::Reconfigure]),
        ("by", spec.by.is_some(), &[Kind::Jump, Kind::Strobe]),
        ("speed", spec.speed.is_some(), &[Kind::Drift]),
        ("delay", spec.delay.is_some(), &[Kind::Delay, Kind::SlowSync]),
        ("rate", spec.rate.is_some(), &[Kind::Rate]),
        ("loss", spec.loss.is_some(), &[Kind::Flaky]),
        ("duplicate", spec.duplicate.is_some(), &[Kind::Flaky]),
        ("reorder", spec.reorder.is_some(), &[Kind::Flaky]),
        ("corrupt", spec.corrupt.is_some(), &[Kind::Flaky]),
        ("garble", spec.garble.is_some(), &[Kind::Flaky]),
        ("file", spec.file.is_some(), &[Kind::BitFlip, Kind::Truncate]),
        ("bits", spec.bits.is_some(), &[Kind::BitFlip]),
        ("bytes", spec.bytes.is_some(), &[Kind::Truncate]),
    ];
    for (key, given, kinds) in keys {
        if given && !kinds.contains(&spec.kind) {
            let hint = match (key, spec.kind) {
                ("target", Kind::OneWay) => "; it takes `from` and `to`",
                ("target", _) => "; it is about all nodes",
                (_, _) => "",
            };
            return Err(Refusal::new(key, format!("`{}` does not take it{hint}", spec.kind)));
        }
    }
    if spec.bits == Some(0) || spec.bytes == Some(0) {
        let key = if spec.bits == Some(0) { "bits" } else { "bytes" };
        return Err(Refusal::new(key, "none at all is no fault; give at least 1"));
    }
    match (spec.kind, spec.delay, spec.rate) {
        (Kind::Delay | Kind::SlowSync, None, _) => {
            Err(Refusal::new("delay", "say how much, for example delay = \"50ms\""))
        }
        (Kind::Delay | Kind::SlowSync, Some(delay), _) => check_delay(delay),
        (Kind::Rate, _, None) => Err(Refusal::new("rate", "say how much, for example rate = \"64KiB\"")),
        (Kind::Rate, _, Some(rate)) if rate.0 == 0 => {
            Err(Refusal::new("rate", "no bytes at all is a partition; use kind = \"partition\""))
        }
        (Kind::Rate, _, Some(rate)) if rate.0 >= LARGEST_RATE => Err(Refusal::new(
            "rate",
            "the nodes send far less than that, so it would slow nothing; give less than 100MB",
        )),
        (Kind::Jump | Kind::Drift | Kind::Strobe, _, _) => check_clock(spec),
        (Kind::Slow, _, _) => check_duty(Duty::of(spec)),
        (Kind::Flaky, _, _) if spec.flaky().is_nothing() => Err(Refusal::new(
            "loss",
            "say what happens to which share of the packets: loss, duplicate, reorder, corrupt or garble = \"1%\"",
        )),
        (Kind::Flaky, _, _) if spec.flaky().largest().millionths() < LEAST_SHARE => Err(Refusal::new(
            spec.flaky().first_named(),
            "it would hit less than one frame in ten thousand, so most likely none; give at least \"0.01%\"",
        )),
        (_, _, _) => Ok(()),
    }
}

/// What a link of a gigabit carries, in bytes a second.
const LARGEST_RATE: u64 = 100_000_000;
/// In millionths of the frames.
const LEAST_SHARE: u32 = 100;
/// Less than this cannot be told from what scheduling takes.
const LEAST_DELAY: Duration = Duration::from_micros(100);

fn takes_no_target(kind: Kind) -> bool {
    matches!(kind, Kind::OneWay | Kind::RestartAll | Kind::RollingRestart)
}

fn check_duty(duty: Duty) -> Result<(), Refusal> {
    if duty.still < SHORTEST_TURN {
        let reason =
            format!("it would stand still for {:?} at a time; it should be at least 1 ms", duty.still);
        return Err(Refusal::new("still", reason));
    }
    if duty.running < SHORTEST_TURN {
        let reason =
            format!("it would go on for {:?} at a time; use kind = \"pause\" for that", duty.running);
        return Err(Refusal::new("still", reason));
    }
    Ok(())
}

/// A clock that is off by less could not be told from one that is read a little late.
const LEAST_SHIFT: Duration = Duration::from_millis(10);
/// Ten years; what is further off does not fit everywhere.
const LARGEST_SHIFT: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Half of the time a strobe is ahead, and each half must be seen.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);
const LEAST_DRIFT: f64 = 0.01;
const FASTEST: f64 = 1000.0;

fn check_clock(spec: &FaultSpec) -> Result<(), Refusal> {
    if spec.kind == Kind::Drift {
        let reason = match spec.speed {
            None => "say how fast it goes, for example speed = 1.5",
            Some(0.0) => "a clock that stands still is kind = \"freeze\"",
            Some(speed) if !(0.0..=FASTEST).contains(&speed) => "it should be between 0 and 1000",
            Some(speed) if (speed - 1.0).abs() < LEAST_DRIFT => {
                "that is hardly a drift; let it be off by 0.01 at least, as in 1.01 or 0.99"
            }
            Some(_) => return Ok(()),
        };
        return Err(Refusal::new("speed", reason));
    }
    let by = spec.by.ok_or_else(|| {
        Refusal::new("by", "say by how much, for example by = \"1h\", or by = \"-1h\" to go back")
    })?;
    if !(LEAST_SHIFT..=LARGEST_SHIFT).contains(&by.unsigned_abs()) {
        return Err(Refusal::new("by", "a clock is put off by 10 ms at least and by ten years at most"));
    }
    if spec.period.is_some_and(|period| period < SHORTEST_PERIOD) {
        return Err(Refusal::new("period", "it should be at least 10 ms, or the jumps could not be seen"));
    }
    Ok(())
}

/// How far a clock is put off, of a spec that was checked.
pub(super) fn nanoseconds(by: Option<SignedDuration>) -> i64 {
    by.map_or(0, |by| i64::try_from(by.as_nanos()).unwrap_or(i64::MAX))
}

fn check_delay(delay: Delay) -> Result<(), Refusal> {
    if delay.is_zero() {
        return Err(Refusal::new("delay", "a delay of nothing is no fault"));
    }
    if delay.mean < LEAST_DELAY {
        let reason = format!("a delay of {:?} could not be told from none; give at least 100us", delay.mean);
        return Err(Refusal::new("delay", reason));
    }
    if delay.jitter > delay.mean {
        let reason = format!("its jitter ({:?}) must not exceed its mean ({:?})", delay.jitter, delay.mean);
        return Err(Refusal::new("delay", reason));
    }
    Ok(())
}
