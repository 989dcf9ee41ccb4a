//! What goes into a check of transactions beside the history, and what comes out of it.

use super::anomaly::{Means, Name, Order};
use super::consistency::Consistency;
use super::findings::Findings;
use super::levels::Levels;
use crate::Answer;
use crate::certificate::transactions::{Mismatch, Moment, Respects, Rules, confirm};
use crate::limits::Limits;
use history::ToOperations;
use std::collections::BTreeMap;
use std::fmt;

/// Stands in a [reason](Verdict::reason) before the anomalies that were found and that the model allows.
pub const ALLOWED: &str = "; allowed by the promise: ";

/// What the micro-operations of the transactions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// `["append", key, value]` adds to the end of a list, `["r", key, list]` reads it whole.
    ListAppend,
    /// `["w", key, value]` replaces a value, `["r", key, value]` reads it; null before the first write.
    RwRegister,
}

/// What to check, and when to give up.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// What the micro-operations do.
    pub workload: Workload,
    /// The model that decides between valid and invalid.
    pub model: Consistency,
    /// How long and how large the check may grow.
    pub limits: Limits<'a>,
    /// Whether an invalid verdict says which weaker models hold.
    pub weaker: bool,
}

impl Options<'static> {
    /// Strict serializability, the usual limits, without weaker models.
    pub fn new(workload: Workload) -> Self {
        Self { workload, model: Consistency::StrictSerializable, limits: Limits::DEFAULT, weaker: false }
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("workload", &self.workload)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// One thing that is wrong with a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// Its name.
    pub name: Name,
    /// The operations it concerns, by their indexes in the slice that was checked. T1, T2, … in the words are
    /// these, in this order.
    pub operations: Vec<usize>,
    /// What happened, in one sentence.
    pub summary: String,
    /// The operations one by one and, of a cycle, each of its edges with its reason.
    pub explanation: Vec<String>,
    /// Of a cycle, its edges: each from the operation at the same position to the next, the last one to the first.
    pub edges: Vec<Dependency>,
}

/// Why one transaction of a cycle had to precede the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// `ww`, `wr`, `rw`, `process` or `real time`.
    pub kind: &'static str,
    /// The reason, in words that call the transactions T1, T2, ….
    pub why: String,
}

/// What a history says about the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the model that was asked for holds.
    pub answer: Answer,
    /// The model that was asked for.
    pub model: Consistency,
    /// How many operations were judged, of every outcome.
    pub transactions: usize,
    /// How many keys they touched.
    pub keys: usize,
    /// The anomalies found: those that the model forbids first, and the worst of them first. Of each name a few.
    pub anomalies: Vec<Anomaly>,
    /// How often each anomaly was found. Of cycles, one is looked for in each strongly connected component of transactions.
    pub counts: BTreeMap<Name, usize>,
    /// The models that the anomalies exclude, weaker ones first.
    pub excluded: Vec<Consistency>,
    /// The weakest of these; the others follow from them.
    pub weakest_excluded: Vec<Consistency>,
    /// The order of the transactions that shows that the model holds, where one was looked for and found.
    pub order: Vec<Moment>,
    /// Why not everything could be looked at; none if it was.
    pub unsure: Option<String>,
    /// The models that this one implies, of an invalid verdict where [`Options::weaker`] asks for them.
    pub weaker: Option<Levels>,
}

impl Verdict {
    pub(super) fn new(
        model: Consistency,
        mut findings: Findings,
        (transactions, keys): (usize, usize),
        unsure: Option<String>,
    ) -> Self {
        let excluded = findings.excluded;
        let answer = if excluded.contains(model) {
            Answer::Invalid
        } else if unsure.is_some() {
            Answer::Unknown
        } else {
            Answer::Valid
        };
        Self {
            answer,
            model,
            transactions,
            keys,
            counts: std::mem::take(&mut findings.counts),
            excluded: excluded.models(),
            weakest_excluded: excluded.weakest(),
            order: std::mem::take(&mut findings.order),
            anomalies: relevant(model, findings.anomalies()),
            unsure,
            weaker: None,
        }
    }

    /// Has the separate verifier execute the order that was found; none where there is no such order.
    pub fn confirm(
        &self,
        operations: &(impl ToOperations + ?Sized),
        workload: Workload,
    ) -> Option<Result<(), Mismatch>> {
        let operations = &*operations.to_operations();
        let (two_moments, first_wins) = match self.model.means()? {
            Means::OneByOne => (false, false),
            Means::Snapshots => (true, true),
            Means::Prefixes => (true, false),
            Means::UpdatesOneByOne | Means::Causes | Means::Updates => return None,
        };
        let respects = match self.model.order() {
            Order::Data => Respects::Data,
            Order::Process => Respects::Processes,
            Order::RealTime => Respects::RealTime,
        };
        let rules = Rules { lists: workload == Workload::ListAppend, two_moments, first_wins, respects };
        (!self.order.is_empty()).then(|| confirm(operations, rules, &self.order))
    }

    /// Why the answer is what it is, in one sentence.
    pub fn reason(&self) -> String {
        let found = |forbidden: bool| {
            let names =
                self.counts.iter().filter(|(name, _)| name.excludes().contains(self.model) == forbidden);
            names.map(|(name, count)| format!("{name} ({count})")).collect::<Vec<_>>().join(", ")
        };
        let allowed = match found(false) {
            names if names.is_empty() => String::new(),
            names => format!("{ALLOWED}{names}"),
        };
        match (self.answer, &self.unsure) {
            (Answer::Invalid, _) => {
                let also = self.also_excluded();
                let holds = self.weaker.as_ref().and_then(Levels::that_hold);
                let holds = holds.map_or_else(String::new, |models| format!("; they still satisfy {models}"));
                format!("the transactions are not {}: {}{also}{holds}{allowed}", self.model, found(true))
            }
            (Answer::Unknown, unsure) => {
                let why = unsure.as_deref().unwrap_or("nothing was decided");
                format!("{why}{allowed}")
            }
            (Answer::Valid, _) => {
                let over = format!("{} transactions on {} keys", self.transactions, self.keys);
                if self.model == Consistency::StrictSerializable {
                    format!("{over} show no anomaly")
                } else {
                    format!("{over} show no anomaly that {} forbids{allowed}", self.model)
                }
            }
        }
    }

    /// The weakest models that fail, in words, where the one that was asked for is not alone; without decided levels, what
    /// the anomalies by themselves exclude.
    fn also_excluded(&self) -> String {
        let names = |models: &[Consistency]| {
            models.iter().map(|model| model.name()).collect::<Vec<_>>().join(" and ")
        };
        let Some(levels) = &self.weaker else {
            return match self.weakest_excluded.as_slice() {
                [model] if *model == self.model => String::new(),
                models => format!("; that excludes {} and all that is stronger", names(models)),
            };
        };
        match levels.weakest_invalid().as_slice() {
            [] => String::new(),
            models => {
                let known = if levels.open().is_empty() { "fail" } else { "are known to fail" };
                format!("; the weakest that {known}: {}", names(models))
            }
        }
    }

    /// The worst anomaly that the model forbids, of those that are put into words.
    pub fn violation(&self) -> Option<&Anomaly> {
        self.anomalies.iter().find(|anomaly| anomaly.name.excludes().contains(self.model))
    }

    /// What shows it, a line each.
    pub fn evidence(&self) -> Vec<String> {
        let mut lines = Vec::new();
        // Where something is forbidden, what is allowed only distracts.
        let invalid = self.answer == Answer::Invalid;
        let shown = |anomaly: &&Anomaly| !invalid || anomaly.name.excludes().contains(self.model);
        for anomaly in self.anomalies.iter().filter(shown) {
            lines.push(format!("{}: {}", anomaly.name, anomaly.summary));
            lines.extend(anomaly.explanation.iter().cloned());
        }
        lines.extend(self.unsure.iter().filter(|_| self.answer == Answer::Invalid).cloned());
        lines
    }
}

/// What the model forbids, and then what it allows.
fn relevant(model: Consistency, anomalies: Vec<Anomaly>) -> Vec<Anomaly> {
    let (mut forbidden, allowed): (Vec<_>, Vec<_>) =
        anomalies.into_iter().partition(|anomaly| anomaly.name.excludes().contains(model));
    forbidden.extend(allowed);
    forbidden
}
