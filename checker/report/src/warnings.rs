//! What makes a valid answer weaker than it looks: one line each, in `verdict.json`, on the page and in the terminal.
//!
//! A warning changes no answer. `results/README.md` lists them all.

use super::faults::FaultRecord;
use super::obligations::{self, last_heal};
use super::observed::{Observed, answered};
use super::sentences::listed;
use super::verdict::many;
use history::{OperationRef, OutcomeRef, Phase};
use serde::Serialize;
use std::collections::BTreeMap;

/// Fewer successful operations than this in the load hardly meet a fault.
const FEW: u64 = 50;
/// Fewer operations than this after the last heal hardly show what it left behind.
const FOLLOWING: usize = 10;
/// Of more tries of a kind than these, one should succeed.
const MANY: u64 = 20;

/// A reason to look twice at a valid answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The variant it is about.
    pub variant: String,
    /// Its name, for example `short-fault`.
    pub name: &'static str,
    /// What was seen, and what to change.
    pub text: String,
}

/// Every warning about a variant.
pub(crate) fn of(observed: &Observed) -> Vec<Warning> {
    if !observed.history || observed.operations.is_empty() {
        return Vec::new();
    }
    let mut texts: Vec<(&'static str, String)> = Vec::new();
    texts.extend(clients(observed));
    texts.extend(few(observed));
    texts.extend(failing(observed));
    texts.extend(lost_kinds(observed));
    texts.extend(unasked(observed));
    texts.extend(short(observed));
    texts.extend(weak(observed));
    texts.extend(nothing_follows(observed));
    texts.extend(excused(observed));
    texts.extend(unobserved(observed));
    texts.extend(absent_logs(observed));
    texts.extend(helpers(observed));
    let variant = &observed.plan.name;
    texts.into_iter().map(|(name, text)| Warning { variant: variant.clone(), name, text }).collect()
}

fn clients(observed: &Observed) -> Option<(&'static str, String)> {
    let text =
        "there is one client, so no two operations overlap and few orders can be wrong; raise load.clients";
    (observed.plan.clients == 1).then(|| ("one-client", text.to_owned()))
}

fn few(observed: &Observed) -> Option<(&'static str, String)> {
    let ok = |operation: &OperationRef<'_>| {
        matches!(operation.phase, Some(Phase::Load) | None) && matches!(operation.outcome, OutcomeRef::Ok(_))
    };
    let count = observed.operations.iter().filter(ok).count() as u64;
    let text = || {
        format!(
            "{} succeeded in the load, which hardly meet a fault; raise load.rate or load.duration",
            many(count, "operation")
        )
    };
    (count < FEW).then(|| ("few-operations", text()))
}

/// Operations that failed while no fault was in force: they were hardly a test.
fn failing(observed: &Observed) -> Option<(&'static str, String)> {
    let calm = |operation: &OperationRef<'_>| {
        operation.phase == Some(Phase::Load)
            && !observed.faults.iter().any(|fault| overlaps(operation, fault))
    };
    let (mut all, mut failed) = (0_u64, 0_u64);
    for operation in observed.operations.iter().filter(calm) {
        all += 1;
        failed += u64::from(!answered(operation.outcome));
    }
    let text = || {
        format!(
            "{failed} of {} failed or had no answer while no fault was in force; operations.csv names their errors",
            many(all, "operation")
        )
    };
    (all >= FEW && 2 * failed > all).then(|| ("failing-load", text()))
}

/// Kinds of operations that succeeded before the last heal and never after it.
fn lost_kinds(observed: &Observed) -> Vec<(&'static str, String)> {
    let Some(healed) = last_heal(observed) else { return Vec::new() };
    let mut kinds: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for operation in observed.operations.iter().filter(|operation| operation.phase != Some(Phase::Final)) {
        let (before, tried, after) = kinds.entry(operation.f).or_default();
        let ok = u64::from(matches!(operation.outcome, OutcomeRef::Ok(_)));
        if operation.invoked_ns < healed {
            *before += ok;
        } else {
            *tried += 1;
            *after += ok;
        }
    }
    let lost =
        kinds.into_iter().filter(|(_, (before, tried, after))| *before > 0 && *tried >= MANY && *after == 0);
    lost.map(|(kind, (_, tried, _))| {
        (
            "lost-kind",
            format!(
                "{kind} was tried {tried} times after the last heal and never succeeded, as it had before"
            ),
        )
    })
    .collect()
}

fn unasked(observed: &Observed) -> Option<(&'static str, String)> {
    let nodes = obligations::unasked_before(observed);
    let when = if observed.faults.is_empty() { "in the run" } else { "before the first fault" };
    let text = || {
        format!(
            "no operation is recorded at {} {when}; raise load.clients, unless clients are redirected from there",
            listed(&nodes)
        )
    };
    (!nodes.is_empty()).then(|| ("unasked-nodes", text()))
}

/// Whether a fault has its effect when it begins, so that its length does not matter.
fn is_instant(fault: &FaultRecord) -> bool {
    fault.restarts() || fault.kind == "reset"
}

/// Faults that lasted too short a time, or came when no request was sent.
fn short(observed: &Observed) -> Vec<(&'static str, String)> {
    let between = observed.plan.rate.map_or(0.0, |rate| 1e9 / rate);
    let least = (3.0 * ordinary_ns(observed) as f64).max(3.0 * between);
    let lasting = observed.faults.iter().filter(|fault| !is_instant(fault));
    lasting
        .filter_map(|fault| {
            let length = shortest(fault)?;
            let touched = observed.operations.iter().any(|operation| overlaps(&operation, fault));
            let text = if (length as f64) < least {
                format!(
                    "fault {} ({}) lasted {:.1} ms, less than three ordinary operations ({:.1} ms); make it longer",
                    fault.fault,
                    fault.label,
                    length as f64 / 1e6,
                    least / 1e6
                )
            } else if touched {
                return None;
            } else {
                format!(
                    "no operation was under way while fault {} ({}) was in force; raise load.rate",
                    fault.fault, fault.label
                )
            };
            Some(("short-fault", text))
        })
        .collect()
}

/// The median time that a successful operation took once it was sent, in nanoseconds. How long it waited for its client
/// is left out: behind a fault a client waits long for its turn, however fast the system is.
fn ordinary_ns(observed: &Observed) -> u64 {
    let took = |operation: OperationRef<'_>| operation.completed_ns?.checked_sub(operation.invoked_ns);
    let ok = observed.operations.iter().filter(|operation| matches!(operation.outcome, OutcomeRef::Ok(_)));
    let mut times: Vec<u64> = ok.filter_map(took).collect();
    let middle = times.len() / 2;
    if times.is_empty() { 0 } else { *times.select_nth_unstable(middle).1 }
}

/// Faults of which the plan knew that they hardly matter.
fn weak(observed: &Observed) -> impl Iterator<Item = (&'static str, String)> + '_ {
    observed.plan.faults.iter().filter_map(|fault| {
        let remark = fault.remark.as_ref()?;
        Some(("weak-fault", format!("fault {} ({}): {remark}", fault.fault, fault.label)))
    })
}

/// How long a fault lasted, or was to last where that is less: what the bench took longer is not the fault.
fn shortest(fault: &FaultRecord) -> Option<u64> {
    let lasted = fault.end_ns?.saturating_sub(fault.start_ns?);
    let planned = fault.planned_end_ns.zip(fault.planned_start_ns);
    Some(planned.map_or(lasted, |(end, start)| lasted.min(end.saturating_sub(start))))
}

fn overlaps(operation: &OperationRef<'_>, fault: &FaultRecord) -> bool {
    let start = fault.start_ns.unwrap_or(u64::MAX);
    let end = fault.end_ns.unwrap_or(u64::MAX);
    operation.invoked_ns < end && operation.completed_ns.is_none_or(|completed| completed > start)
}

fn nothing_follows(observed: &Observed) -> Option<(&'static str, String)> {
    let healed = last_heal(observed)?;
    let after = |operation: &OperationRef<'_>| {
        operation.phase != Some(Phase::Final) && operation.invoked_ns >= healed
    };
    let count = observed.operations.iter().filter(after).count();
    let text = || {
        format!(
            "{} besides the final reads followed the last heal; raise load.recovery or end the faults earlier",
            many(count as u64, "operation")
        )
    };
    let complete = observed.load.as_ref().is_some_and(|load| load.complete);
    (complete && count < FOLLOWING).then(|| ("nothing-follows", text()))
}

fn excused(observed: &Observed) -> Option<(&'static str, String)> {
    let nodes = obligations::excused(observed);
    let text = || match nodes[..] {
        [node] => format!("{node} ended by itself, as a fault allows, and did not serve again"),
        _ => {
            format!("{} ended by themselves, as a fault allows, and did not serve again", listed(&nodes))
        }
    };
    (!nodes.is_empty()).then(|| ("excused-node", text()))
}

fn unobserved(observed: &Observed) -> Option<(&'static str, String)> {
    let allowed = observed.plan.check.unobserved;
    if allowed <= 0.0 {
        return None;
    }
    let (unread, all) = obligations::unread_keys(observed);
    let text = || {
        format!(
            "{unread} of {} that were written were never read again; [check] unobserved = \"{}%\" allows it",
            many(all, "key"),
            allowed * 100.0
        )
    };
    (unread > 0).then(|| ("unobserved-keys", text()))
}

fn helpers(observed: &Observed) -> Option<(&'static str, String)> {
    let helpers = observed.load.as_ref()?.helpers?;
    let text = format!(
        "helpers given up: {}, of {} that were started; what they printed is in {}/clients",
        helpers.given_up()?,
        helpers.started,
        observed.plan.name,
    );
    Some(("helpers-given-up", text))
}

fn absent_logs(observed: &Observed) -> impl Iterator<Item = (&'static str, String)> + '_ {
    observed.logs.absent.iter().map(|file| {
        let text = format!("no node had the log file {file} of cluster.logs, so nothing was searched there");
        ("absent-log", text)
    })
}
