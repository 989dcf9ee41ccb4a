//! What each fault cost the clients: first error, outage, recovery, backlog.

use super::faults::FaultRecord;
use super::observed::{Observed, Window, answered};
use history::OutcomeRef;
use serde::Serialize;

/// A send later than this after it was due belongs to a backlog.
pub(crate) const LATE_NS: u64 = 100_000_000;
/// Recovery is judged over this much time.
const SPAN_NS: u64 = 500_000_000;
/// A service is back when it does this share of what it did before the first fault.
const SHARE: f64 = 0.8;

/// What one fault cost. Times are nanoseconds since the run's start.
///
/// A fault is looked at from its start until the next fault starts after its end, or until the measured
/// time is over. Its outage is the longest time between two `ok` completions that touches this window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// The fault's number.
    pub fault: u32,
    /// Its kind.
    pub kind: String,
    /// Its label.
    pub label: String,
    /// The fault in whose row the same outage is counted, where it touches the windows of several: the one that was in
    /// force for most of it. None in that row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<u32>,
    /// The first completion in the window that was an error: unknown, or failed for any reason but the
    /// precondition of a compare-and-set.
    pub first_error_ns: Option<u64>,
    /// The `ok` completion before the outage.
    pub last_ok_before_ns: Option<u64>,
    /// The `ok` completion that ended it; none if none came.
    pub first_ok_after_ns: Option<u64>,
    /// Its length, until the end of the measured time if nothing ended it.
    pub outage_ns: Option<u64>,
    /// From here on, half a second long, the clients got at least 80 % of the `ok` completions a second they
    /// got before the first fault; none if that never came.
    pub recovered_ns: Option<u64>,
    /// The first send after the outage that was on time again (at most 100 ms late) and stayed so until the
    /// window ended; the end of the outage if no send was late; none in a closed loop and if it never came.
    pub backlog_drained_ns: Option<u64>,
}

impl Outage {
    /// How long after its heal the fault was recovered from; 0 where the service had recovered before. None if the
    /// fault was never healed or not recovered from.
    pub(crate) fn time_to_recover_ns(&self, fault: &FaultRecord) -> Option<u64> {
        Some(self.recovered_ns?.saturating_sub(fault.end_ns?))
    }
}

/// The outages of all faults that started.
pub(crate) fn outages(observed: &Observed) -> Vec<Outage> {
    let measured = observed.measured();
    let mut oks: Vec<u64> = observed
        .operations
        .iter()
        .filter(|operation| matches!(operation.outcome, OutcomeRef::Ok(_)))
        .filter_map(|operation| operation.completed_ns)
        .filter(|time| *time <= measured.end)
        .collect();
    oks.sort_unstable();
    let baseline = baseline(observed, &oks, measured);
    let mut outages: Vec<(&FaultRecord, Outage)> = observed
        .faults
        .iter()
        .filter_map(|fault| {
            let window = window_of(fault, &observed.faults, measured)?;
            Some((fault, outage_of(observed, fault, window, &oks, baseline)))
        })
        .collect();
    let same_as: Vec<Option<u32>> = outages.iter().map(|one| same_as(one, &outages)).collect();
    for ((_, outage), same_as) in outages.iter_mut().zip(same_as) {
        outage.same_as = same_as;
    }
    outages.into_iter().map(|(_, outage)| outage).collect()
}

/// Another fault that was in force for more of the same outage, or for as much of it and came first.
fn same_as((fault, own): &(&FaultRecord, Outage), all: &[(&FaultRecord, Outage)]) -> Option<u32> {
    let gap = |outage: &Outage| (outage.last_ok_before_ns, outage.first_ok_after_ns);
    own.outage_ns.filter(|length| *length > 0)?;
    if gap(own) == (None, None) {
        // Without any ok there is no telling where an outage begins and ends.
        return None;
    }
    let (from, to) = (own.last_ok_before_ns.unwrap_or(0), own.first_ok_after_ns.unwrap_or(u64::MAX));
    let in_force = |fault: &FaultRecord| {
        let (start, end) = (fault.start_ns.unwrap_or(u64::MAX), fault.end_ns.unwrap_or(u64::MAX));
        end.min(to).saturating_sub(start.max(from))
    };
    let same = all.iter().filter(|(_, other)| gap(other) == gap(own));
    // Of equals the first one wins.
    let (most, _) = same.rev().max_by_key(|(other, _)| in_force(other))?;
    (most.fault != fault.fault).then_some(most.fault)
}

fn window_of(fault: &FaultRecord, all: &[FaultRecord], measured: Window) -> Option<Window> {
    let start = fault.start_ns?;
    let over = fault.end_ns.unwrap_or(measured.end).max(start);
    let next = all.iter().filter_map(|other| other.start_ns).filter(|other| *other > over).min();
    Some(Window { start, end: next.unwrap_or(measured.end).max(over) })
}

/// `ok` completions a nanosecond before the first fault of the load; none if there was no time for any.
fn baseline(observed: &Observed, oks: &[u64], measured: Window) -> Option<f64> {
    let first = observed.faults.iter().filter_map(|fault| fault.start_ns).min()?;
    let before = Window { start: measured.start, end: first };
    if before.length() < SPAN_NS {
        return None;
    }
    let count = oks.iter().filter(|time| before.holds(**time)).count();
    Some(count as f64 / before.length() as f64)
}

fn outage_of(
    observed: &Observed,
    fault: &FaultRecord,
    window: Window,
    oks: &[u64],
    baseline: Option<f64>,
) -> Outage {
    let gap = longest_gap(oks, window);
    let (last_ok_before_ns, first_ok_after_ns) = gap.map_or((None, None), |gap| (gap.before, gap.after));
    Outage {
        fault: fault.fault,
        kind: fault.kind.clone(),
        label: fault.label.clone(),
        same_as: None,
        first_error_ns: first_error(observed, window),
        last_ok_before_ns,
        first_ok_after_ns,
        outage_ns: gap.map(|gap| gap.length),
        recovered_ns: first_ok_after_ns.and_then(|after| {
            let from =
                if degraded(oks, last_ok_before_ns, baseline) { after } else { held(oks, fault, window) };
            recovered(oks, from, window.end, baseline)
        }),
        backlog_drained_ns: first_ok_after_ns.and_then(|from| drained(observed, from, window)),
    }
}

fn first_error(observed: &Observed, window: Window) -> Option<u64> {
    observed
        .operations
        .iter()
        .filter(|operation| !answered(operation.outcome))
        .filter_map(|operation| operation.completed_ns)
        .filter(|time| window.holds(*time))
        .min()
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    before: Option<u64>,
    after: Option<u64>,
    length: u64,
}

/// The longest time without `ok` that touches the window. Before the first `ok` and after the last one, the
/// window's own edges count.
fn longest_gap(oks: &[u64], window: Window) -> Option<Gap> {
    if window.is_empty() {
        return None;
    }
    let first = oks.partition_point(|time| *time <= window.start);
    let last = oks.partition_point(|time| *time < window.end);
    let mut longest: Option<Gap> = None;
    for index in first..=last {
        let before = index.checked_sub(1).map(|before| oks[before]);
        let after = oks.get(index).copied();
        let length = after.unwrap_or(window.end).saturating_sub(before.unwrap_or(window.start));
        if longest.is_none_or(|longest| length > longest.length) {
            longest = Some(Gap { before, after, length });
        }
    }
    longest
}

/// Completions that the clients must get in the span for the service to be back.
fn wanted(baseline: f64) -> f64 {
    baseline * SHARE * SPAN_NS as f64
}

/// Whether the time without `ok` that begins here took so much of the service that it had to recover. Even a sound service has
/// a longest time between two answers.
fn degraded(oks: &[u64], before: Option<u64>, baseline: Option<f64>) -> bool {
    let (Some(before), Some(baseline)) = (before, baseline) else { return true };
    let count = |time: u64| oks.partition_point(|ok| *ok < time);
    ((count(before + SPAN_NS) - count(before)) as f64) < wanted(baseline)
}

/// The `ok` from which recovery is judged without an outage: the last one before the heal.
fn held(oks: &[u64], fault: &FaultRecord, window: Window) -> u64 {
    let heal = fault.end_ns.unwrap_or(window.start);
    let until = oks.partition_point(|time| *time <= heal);
    until.checked_sub(1).map_or(window.start, |last| oks[last])
}

fn recovered(oks: &[u64], from: u64, end: u64, baseline: Option<f64>) -> Option<u64> {
    let wanted = wanted(baseline.unwrap_or(0.0));
    let first = oks.partition_point(|time| *time < from);
    let mut reach = first;
    for (index, start) in oks.iter().enumerate().skip(first) {
        if start + SPAN_NS > end {
            return None;
        }
        while reach < oks.len() && oks[reach] < start + SPAN_NS {
            reach += 1;
        }
        if (reach - index) as f64 >= wanted {
            return Some(*start);
        }
    }
    None
}

fn drained(observed: &Observed, from: u64, window: Window) -> Option<u64> {
    observed.plan.rate?;
    let mut late = false;
    let mut on_time_since = None;
    for operation in &observed.operations {
        let Some(intended) = operation.intended_ns else { continue };
        let sent = operation.invoked_ns;
        if !window.holds(sent) {
            continue;
        }
        if sent.saturating_sub(intended) > LATE_NS {
            (late, on_time_since) = (true, None);
        } else if on_time_since.is_none() && sent >= from {
            on_time_since = Some(sent);
        }
    }
    if late { on_time_since } else { Some(from) }
}
