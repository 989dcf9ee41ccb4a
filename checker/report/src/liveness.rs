//! Whether the system served again after everything was healed.
//!
//! A system that is slow to come back has not broken a promise, so *invalid* needs three things: it served in the load
//! before, it was asked after the last heal, and it had enough time. How much is enough follows from the load: five
//! times its time-out, twenty times its slowest ordinary answer, ten operations at its rate, and three times what it
//! took to serve after its first start.

use super::gone;
use super::obligations::last_heal;
use super::observed::{Observed, Window};
use super::verdict::{Answer, Check, grouped, many};
use history::{OperationRef, OutcomeRef, Phase};

const NAME: &str = "liveness";

fn is_ok(operation: &OperationRef<'_>) -> bool {
    matches!(operation.outcome, OutcomeRef::Ok(_))
}

/// When the operations of a phase that succeeded completed.
fn succeeded(observed: &Observed, phase: Phase) -> Vec<u64> {
    let of_phase = observed.operations.iter().filter(|operation| operation.phase == Some(phase));
    of_phase.filter(|operation| is_ok(operation)).filter_map(|operation| operation.completed_ns).collect()
}

/// The check; none where the run asked for no recovery phase.
pub(crate) fn check(observed: &Observed) -> Option<Check> {
    let complete = observed.load.as_ref().is_some_and(|load| load.complete);
    let Some(recovery) = observed.phase(Phase::Recovery) else {
        let reason = "the run ended before the recovery phase began";
        return (!complete).then(|| Check::new(NAME, Answer::Unknown, reason));
    };
    let healed = last_heal(observed).unwrap_or(recovery.start).max(recovery.start);
    let in_recovery = |operation: &OperationRef<'_>| operation.phase == Some(Phase::Recovery);
    let asked = observed.operations.iter().filter(in_recovery).count() as u64;
    let oks = succeeded(observed, Phase::Recovery);
    if let Some(first) = oks.iter().min() {
        let seconds = first.saturating_sub(healed) as f64 / 1e9;
        let reason = format!(
            "{} of {} succeeded in the recovery phase, the first {seconds:.3} s into it",
            grouped(oks.len() as u64),
            many(asked, "operation")
        );
        return Some(Check::new(NAME, Answer::Valid, reason).tried(asked, "operation"));
    }
    if let Some(first) = succeeded(observed, Phase::Final).iter().min() {
        let reason = format!(
            "nothing succeeded in the recovery phase of {:.1} s, but final reads did, the first {:.3} s after the last heal",
            recovery.seconds(),
            first.saturating_sub(healed) as f64 / 1e9
        );
        return Some(Check::new(NAME, Answer::Valid, reason));
    }
    Some(silent(observed, recovery, healed, asked, complete))
}

/// Nothing succeeded after the last heal: what follows from that.
fn silent(observed: &Observed, recovery: Window, healed: u64, asked: u64, complete: bool) -> Check {
    let unknown = |reason: String| Check::new(NAME, Answer::Unknown, reason);
    if asked == 0 {
        return unknown("nothing was asked of the system in the recovery phase".to_owned());
    }
    if !complete {
        return unknown("the run ended in the recovery phase, before anything had succeeded".to_owned());
    }
    let served =
        observed.operations.iter().any(|operation| operation.phase == Some(Phase::Load) && is_ok(&operation));
    if !served {
        return unknown(
            "nothing succeeded after the last heal, but nothing had in the load either".to_owned(),
        );
    }
    if let Some(why) = gone::why_silent(observed) {
        return unknown(format!("nothing succeeded after the last heal, and nothing had to: {why}"));
    }
    let end = observed.phase(Phase::Final).map_or(recovery.end, |last| last.end.max(recovery.end));
    let waited = Window { start: healed, end };
    let enough = enough_ns(observed);
    if waited.length() < enough {
        return unknown(format!(
            "nothing succeeded in {:.1} s after the last heal, which is too short to tell: with this load it takes \
             {:.1} s; make load.recovery longer",
            waited.seconds(),
            enough as f64 / 1e9
        ));
    }
    let reason = format!(
        "it did not serve again after the last heal: none of {} in {:.1} s succeeded, where {:.1} s are enough",
        many(asked, "operation"),
        waited.seconds(),
        enough as f64 / 1e9
    );
    Check::new(NAME, Answer::Invalid, reason)
}

/// How long a system may take to serve again, in nanoseconds.
fn enough_ns(observed: &Observed) -> u64 {
    let timeout = observed.plan.timeout.map_or_else(
        || longest(observed, |_| true),
        |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX),
    );
    let first_fault = observed.faults.iter().filter_map(|fault| fault.start_ns).min().unwrap_or(u64::MAX);
    let ordinary = longest(observed, |operation| is_ok(operation) && operation.invoked_ns < first_fault);
    let between = observed.plan.rate.map_or(0, |rate| nanoseconds(1.0 / rate));
    let start = observed.load.as_ref().and_then(|load| load.served_after).unwrap_or(0);
    timeout
        .saturating_mul(5)
        .max(ordinary.saturating_mul(20))
        .max(between.saturating_mul(10))
        .max(start.saturating_mul(3))
}

/// The longest time that an operation of this kind took.
fn longest(observed: &Observed, wanted: impl Fn(&OperationRef<'_>) -> bool) -> u64 {
    let took = |operation: OperationRef<'_>| operation.completed_ns?.checked_sub(operation.invoked_ns);
    observed.operations.iter().filter(|operation| wanted(operation)).filter_map(took).max().unwrap_or(0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is at least 0.001 a second"
)]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
