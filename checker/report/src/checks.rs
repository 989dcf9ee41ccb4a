//! What every variant is checked for beyond linearizability and agreement: that enough happened, and that
//! the faults took effect.

use super::evidence::brief;
use super::faults::FaultRecord;
use super::observed::{Observed, answered};
use super::plan::Load;
use super::statistics::Summary;
use super::verdict::{Answer, Check, grouped, many};
use history::Phase;

/// Whether the variant came to its end. Where another check has told of the violation that ended it, it need not be told
/// again.
pub(crate) fn complete(observed: &Observed, told: bool) -> Check {
    const NAME: &str = "complete";
    match &observed.load {
        Some(load) if load.failure.is_some() => {
            let why = load.failure.clone().unwrap_or_default();
            Check::new(NAME, Answer::Failed, format!("the bench failed in this variant: {why}"))
        }
        Some(Load { unserved: Some(why), .. }) => Check::new(
            NAME,
            Answer::Unknown,
            format!("the load never began, for the system never served: {why}"),
        ),
        Some(Load { stopped: Some(_), .. }) if told => {
            Check::new(NAME, Answer::Unknown, "the variant was stopped at its first violation")
        }
        Some(Load { stopped: Some(why), .. }) => Check::new(
            NAME,
            Answer::Unknown,
            format!("the variant was stopped at its first violation: {why}"),
        ),
        Some(load) if load.complete && observed.notes.is_empty() => {
            Check::new(NAME, Answer::Valid, "every phase was run to its end")
        }
        Some(load) if load.complete => {
            let reason = "every phase was run to its end, but the history does not have all of them any more";
            Check::new(NAME, Answer::Unknown, reason)
        }
        Some(_) => Check::new(NAME, Answer::Unknown, "the run was interrupted before its end"),
        None if observed.history => Check::new(
            NAME,
            Answer::Unknown,
            "the run ended before load.json was written: it was interrupted",
        ),
        None => Check::new(NAME, Answer::Unknown, "this variant never ran"),
    }
    .with(observed.notes.clone())
}

/// Whether the load was real: there were enough operations that succeeded. Which kinds did is an obligation.
pub(crate) fn load(observed: &Observed, summary: &Summary) -> Check {
    const NAME: &str = "load";
    let counts = summary.by_function.iter().map(|(f, counts)| {
        let [ok, fail, info] = [counts.ok, counts.failed(), counts.info].map(grouped);
        let refused = match counts.refused {
            0 => String::new(),
            refused => format!("{} refused (found another value), ", grouped(refused)),
        };
        format!("{f}: {ok} ok, {refused}{fail} fail, {info} info")
    });
    let counts: Vec<String> = counts.collect();
    let rate = summary.load_throughput_per_s.unwrap_or(0.0);
    let wanted = observed.plan.minimum_rate;
    let check = if observed.operations.is_empty() {
        Check::new(NAME, Answer::Unknown, "no operation was recorded")
    } else if rate < wanted {
        let reason =
            format!("{rate:.1} ok operations a second in the load are fewer than the {wanted} asked for");
        Check::new(NAME, Answer::Unknown, reason)
    } else {
        Check::new(NAME, Answer::Valid, format!("{rate:.1} ok operations a second in the load"))
    };
    check.with(counts).tried(summary.counts.all(), "operation")
}

/// Whether as many requests of the load were answered as the system promises; none where it promises no share.
pub(crate) fn availability(observed: &Observed) -> Option<Check> {
    const NAME: &str = "availability";
    let promised = observed.plan.check.availability?;
    let in_load = observed.operations.iter().filter(|operation| operation.phase == Some(Phase::Load));
    let asked: Vec<_> = in_load.collect();
    if asked.is_empty() {
        return Some(Check::new(NAME, Answer::Unknown, "nothing was asked in the load"));
    }
    let got = asked.iter().filter(|operation| answered(operation.outcome)).count();
    let share = got as f64 / asked.len() as f64;
    let all = many(asked.len() as u64, "request");
    let reason = format!(
        "{} of {all} in the load were answered ({:.2}%), and {:.2}% is promised",
        grouped(got as u64),
        share * 1e2,
        promised * 1e2
    );
    // Of a load that was cut short, what was open did not fail.
    let complete = observed.load.as_ref().is_some_and(|load| load.complete);
    let answer = match (share >= promised, complete) {
        (true, _) => Answer::Valid,
        (false, true) => Answer::Invalid,
        (false, false) => Answer::Unknown,
    };
    Some(Check::new(NAME, answer, reason).tried(asked.len() as u64, "request"))
}

/// Whether every planned fault took effect.
pub(crate) fn faults(observed: &Observed) -> Check {
    const NAME: &str = "faults";
    let faults = &observed.faults;
    let without: Vec<&FaultRecord> = faults.iter().filter(|fault| !fault.took_effect()).collect();
    let lines = faults.iter().map(|fault| {
        let what = match (fault.start_ns, fault.evidence.is_empty()) {
            (None, _) => "never started".to_owned(),
            (Some(_), true) => match &fault.why_none {
                Some(why) => format!("started, but nothing shows that it took effect: {why}"),
                None => "started, but nothing shows that it took effect".to_owned(),
            },
            (Some(_), false) => brief(&fault.evidence),
        };
        format!("fault {}, {}: {what}", fault.fault, fault.label)
    });
    let check = match (faults.len(), without.len()) {
        (0, _) => Check::new(NAME, Answer::Valid, "none was planned"),
        (1, 0) => Check::new(NAME, Answer::Valid, "the fault took effect"),
        (all, 0) => Check::new(NAME, Answer::Valid, format!("all {all} took effect")),
        (all, missing) => {
            let reason = format!("{missing} of {} left no evidence", many(all as u64, "fault"));
            Check::new(NAME, Answer::Unknown, reason)
        }
    };
    check.with(lines).tried(faults.len() as u64, "fault")
}
