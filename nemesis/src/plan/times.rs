//! The times of a fault: once or repeated, always entirely within the load.

use crate::refusal::Refusal;
use crate::spec::FaultSpec;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::time::Duration;

/// Occurrences with a shorter gap would act as one long fault.
const CLOSEST: Duration = Duration::from_millis(10);

/// The starts and ends of a fault, in nanoseconds since the start of the load.
pub(super) fn times(
    spec: &FaultSpec,
    duration: Duration,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<(u64, u64)>, Refusal> {
    check(spec, duration)?;
    if spec.when.is_some() || spec.after.is_some() {
        // Any time within the load: it depends on the run.
        return Ok(vec![(0, ns(duration))]);
    }
    let Some(every) = spec.every else {
        let at = spec.at.ok_or_else(|| {
            Refusal::new("at", "set a time: at = \"3s\", every = \"5s\" or when = \"n2 decided 500\"")
        })?;
        let left = duration.saturating_sub(at);
        let lasts = if spec.kind.is_over_at_once() { Duration::ZERO } else { spec.lasts.unwrap_or(left) };
        if lasts > left {
            let reason = format!("it would end {:?} after the start of a load of {duration:?}", at + lasts);
            let help = "make it shorter, or leave it out to heal it when the load ends";
            return Err(Refusal::new("for", reason).help(help));
        }
        return Ok(vec![(ns(at), ns(at + lasts))]);
    };

    let lasts = spec.lasts.unwrap_or_default();
    let jitter = ns(spec.jitter.unwrap_or_default());
    let mut times = Vec::new();
    let mut tick = spec.at.unwrap_or(every);
    while tick + lasts <= duration {
        let start = ns(tick) + rng.random_range(0..=jitter);
        if start + ns(lasts) <= ns(duration) {
            times.push((start, start + ns(lasts)));
        }
        tick += every;
    }
    if times.is_empty() {
        let reason = format!("it never occurs within a load of {duration:?}");
        return Err(Refusal::new("every", reason).help("make it shorter, or the load longer"));
    }
    Ok(times)
}

fn check(spec: &FaultSpec, duration: Duration) -> Result<(), Refusal> {
    if spec.at.is_some_and(|at| at >= duration) {
        let reason = format!("it must be before the end of the load ({duration:?} after its start)");
        return Err(Refusal::new("at", reason));
    }
    if spec.kind.is_over_at_once() && spec.lasts.is_some() {
        return Err(Refusal::new("for", format!("`{}` has no duration", spec.kind)).help("leave it out"));
    }
    if spec.lasts.is_some_and(|lasts| lasts.is_zero()) {
        return Err(Refusal::new("for", "must be greater than 0"));
    }
    let given = [spec.at.is_some() || spec.every.is_some(), spec.when.is_some(), spec.after.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        let field = if spec.when.is_some() { "when" } else { "after" };
        return Err(Refusal::new(field, "give only one of `at` (or `every`), `when` and `after`"));
    }
    if (spec.when.is_some() || spec.after.is_some()) && spec.lasts.is_some_and(|lasts| lasts >= duration) {
        let reason = format!("it must be shorter than the load ({duration:?})");
        return Err(Refusal::new("for", reason));
    }
    let Some(every) = spec.every else {
        return match spec.jitter {
            Some(_) => Err(Refusal::new("jitter", "it needs `every`, which is missing")),
            None => Ok(()),
        };
    };
    if every < CLOSEST {
        return Err(Refusal::new("every", format!("it must be at least {CLOSEST:?}")));
    }
    if spec.lasts.is_none() && !spec.kind.is_over_at_once() {
        return Err(Refusal::new("for", "a repeated fault needs an end, for example for = \"2s\""));
    }
    if spec.lasts.unwrap_or_default() + spec.jitter.unwrap_or_default() >= every {
        let reason = format!(
            "with `jitter` it must be shorter than `every` ({every:?}), or two occurrences would overlap"
        );
        return Err(Refusal::new("for", reason));
    }
    Ok(())
}

pub(super) fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
