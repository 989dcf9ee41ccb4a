//! What a run must have shown before it can be called valid: one line per obligation, with counts.
//!
//! Problem: a check that finds no violation proves nothing where a violation could not have been seen. A store that
//! loses everything and then refuses every read passes each check for linearizability.
//! Idea: each check states what must have been seen, on which keys or nodes, and after which moment. All of it is
//! computed from the history and the fault events, and a variant with an obligation that is not met is unknown.
//! `results/README.md` lists them all.

mod keys;
mod kinds;
mod nodes;
mod queues;

use super::digest;
use super::observed::Observed;
use super::verdict::{Answer, Check, many};
use history::Phase;
use serde::Serialize;

pub(crate) use keys::unread_keys;
pub(crate) use nodes::{excused, unasked_before};
pub(crate) use queues::undrained;

/// The check that sums up the table.
pub(crate) const NAME: &str = "obligations";
/// How many missing keys or nodes are named.
const NAMED: usize = 8;

/// Something that must have been seen before the answer of a check counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obligation {
    /// The check that needs it: `load`, `linearizable`, `liveness`, `faults`, `logs`, `digest` or `check`.
    pub check: &'static str,
    /// Its name, for example `keys-read-again`.
    pub name: &'static str,
    /// What must have been seen, and where.
    pub what: String,
    /// After when, in nanoseconds since the run's start; none where any time counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_ns: Option<u64>,
    /// How often, or on how many keys, nodes or faults, it was seen.
    pub counted: u64,
    /// How many are needed.
    pub required: u64,
    /// Whether that many were seen.
    pub met: bool,
    /// What is missing, in words; the first of them where there are many.
    pub missing: Vec<String>,
}

impl Obligation {
    fn new(check: &'static str, name: &'static str, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { check, name, what, after_ns: None, counted: 0, required: 1, met: false, missing: Vec::new() }
    }

    fn after(mut self, after_ns: Option<u64>) -> Self {
        self.after_ns = after_ns;
        self
    }

    fn count(mut self, counted: u64, required: u64) -> Self {
        (self.counted, self.required, self.met) = (counted, required, counted >= required);
        self
    }

    /// Names what is missing; nothing where it is met.
    fn missing(mut self, all: impl IntoIterator<Item = String>) -> Self {
        if self.met {
            return self;
        }
        let all: Vec<String> = all.into_iter().collect();
        let more = all.len().saturating_sub(NAMED);
        self.missing = all.into_iter().take(NAMED).collect();
        if more > 0 {
            self.missing.push(format!("and {}", many(more as u64, "other")));
        }
        self
    }

    /// It in one line, for people.
    pub fn line(&self) -> String {
        let missing = if self.missing.is_empty() {
            String::new()
        } else {
            format!("; missing: {}", self.missing.join(", "))
        };
        format!("{}: {}: {} of {}{missing}", self.check, self.what, self.counted, self.required)
    }
}

/// When the last fault was healed; none where none started. A fault whose end was not recorded counts until the load is
/// over, for then everything is healed.
pub(crate) fn last_heal(observed: &Observed) -> Option<u64> {
    let over = [Phase::Recovery, Phase::Final]
        .into_iter()
        .find_map(|phase| Some(observed.phase(phase)?.start))
        .unwrap_or_else(|| observed.measured().end);
    let started = observed.faults.iter().filter(|fault| fault.start_ns.is_some());
    started.map(|fault| fault.end_ns.unwrap_or(over)).max()
}

/// Every obligation of a variant.
pub(crate) fn of(observed: &Observed) -> Vec<Obligation> {
    let mut all = vec![something_judged(observed)];
    all.extend(kinds::in_the_load(observed));
    all.extend(kinds::values(observed));
    if observed.plan.check.linearizable {
        all.extend(kinds::writes_and_reads(observed));
        all.extend(kinds::contended(observed));
        all.extend(keys::read_again(observed));
        all.extend(queues::drained(observed));
    }
    all.extend(kinds::writes_again(observed));
    all.extend(nodes::before(observed));
    all.extend(nodes::after(observed));
    all.extend(nodes::in_the_end(observed));
    all.extend(nodes::restarted(observed));
    all.extend(faults(observed));
    all.extend(observed.logs.sometimes().map(|pattern| {
        let what = format!("a line of the logs matches \"{}\"", pattern.pattern);
        Obligation::new("logs", "sometimes", what).count(pattern.count, 1)
    }));
    all.extend(digests(observed));
    all
}

/// The answer that follows from the table; none where the run did not come so far that it says anything.
pub(crate) fn check(observed: &Observed, obligations: &[Obligation]) -> Option<Check> {
    let cut = observed
        .load
        .as_ref()
        .is_none_or(|load| load.stopped.is_some() || load.failure.is_some() || load.unserved.is_some());
    if cut || observed.operations.is_empty() {
        return None;
    }
    let unmet: Vec<&Obligation> = obligations.iter().filter(|obligation| !obligation.met).collect();
    let all = many(obligations.len() as u64, "obligation");
    Some(match unmet.split_first() {
        None => Check::new(NAME, Answer::Valid, format!("all of {all} are met"))
            .tried(obligations.len() as u64, "obligation"),
        Some((first, others)) => {
            let more = match others.len() {
                0 => String::new(),
                others => format!("; {} not met either", many(others as u64, "other obligation")),
            };
            let reason = format!("{}{more}", in_a_sentence(first));
            Check::new(NAME, Answer::Unknown, reason).with(unmet.iter().map(|obligation| obligation.line()))
        }
    })
}

/// Why an obligation is not met.
fn in_a_sentence(unmet: &Obligation) -> String {
    let missing = if unmet.missing.is_empty() {
        String::new()
    } else {
        format!(" (missing: {})", unmet.missing.join(", "))
    };
    format!("not met: {}, seen {} of {}{missing}", unmet.what, unmet.counted, unmet.required)
}

fn something_judged(observed: &Observed) -> Obligation {
    let check = &observed.plan.check;
    let judged = [check.linearizable, check.agreement, check.digest, !check.never.is_empty()];
    let judged = judged.into_iter().filter(|on| *on).count() as u64;
    Obligation::new("check", "something-judged", "a check of what the system promises is switched on")
        .count(judged, 1)
        .missing(["[check] linearizable".to_owned()])
}

/// Digests of two nodes at one position were compared, where the spec asks for that.
fn digests(observed: &Observed) -> Option<Obligation> {
    let what = "digests of at least two nodes at the same position were compared";
    observed.plan.check.digest.then(|| {
        Obligation::new("digest", "compared", what)
            .count(digest::most_compared(&observed.digests), 2)
            .missing(digest::not_compared(&observed.digests))
    })
}

/// Every planned fault took effect, and every one that started was healed.
fn faults(observed: &Observed) -> Vec<Obligation> {
    let all = &observed.faults;
    if all.is_empty() {
        return Vec::new();
    }
    let name = |fault: &super::FaultRecord| format!("fault {} ({})", fault.fault, fault.label);
    let effect = all.iter().filter(|fault| fault.took_effect()).count() as u64;
    let without = all.iter().filter(|fault| !fault.took_effect());
    let started = all.iter().filter(|fault| fault.start_ns.is_some()).count() as u64;
    let open =
        all.iter().filter(|fault| fault.start_ns.is_some() && (fault.end_ns.is_none() || fault.unhealed));
    let healed = started - open.clone().count() as u64;
    vec![
        Obligation::new("faults", "took-effect", "every planned fault has evidence that it took effect")
            .count(effect, all.len() as u64)
            .missing(without.map(name)),
        Obligation::new("faults", "healed", "every fault that started was healed")
            .count(healed, started)
            .missing(open.map(name)),
    ]
}
