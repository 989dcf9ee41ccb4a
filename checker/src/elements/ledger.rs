//! What a check writes down while it looks, and how that becomes a verdict.

use super::kind::Kind;
use super::verdict::{Class, Finding, Latencies, Verdict};
use crate::transactions::ALLOWED;
use crate::{Answer, words};
use history::{OperationRef, Operations, OutcomeRef};
use rustc_hash::FxHashMap;
use serde_json::Value;

/// Doubts that are written out; there may be one for every operation.
const DOUBTS_SHOWN: usize = 8;

/// The notes of one check over all keys.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    pub(super) operations: &'a Operations,
    kind: Kind,
    key: Option<&'a str>,
    findings: Vec<Finding>,
    counts: Vec<(&'static str, u64)>,
    taken: Vec<(&'static str, Vec<u64>)>,
    doubts: Vec<String>,
    hidden_doubts: u64,
    /// Where the doubts about the present key begin.
    doubts_of_key: usize,
    /// Operations that are not understood on the present key, by reason: the first, and how many.
    misread: Vec<(&'static str, usize, u64)>,
    /// By key: of the operations that may have done anything to it, the one that was invoked first.
    unclear: FxHashMap<Option<&'a str>, usize>,
    notes: Vec<String>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(kind: Kind, operations: &'a Operations) -> Self {
        Self {
            operations,
            kind,
            key: None,
            findings: Vec::new(),
            counts: Vec::new(),
            taken: Vec::new(),
            doubts: Vec::new(),
            hidden_doubts: 0,
            doubts_of_key: 0,
            misread: Vec::new(),
            unclear: FxHashMap::default(),
            notes: Vec::new(),
        }
    }

    /// Everything from here on concerns this key.
    pub(super) fn turn_to(&mut self, key: Option<&'a str>) {
        self.settle_misread();
        self.doubts_of_key = self.doubts.len();
        self.key = key;
    }

    /// The promise is broken.
    pub(super) fn breaks(&mut self, class: Class, value: &Value, operations: Vec<usize>, text: String) {
        self.find(class, true, value, operations, text);
    }

    /// Worth knowing, but allowed.
    pub(super) fn remarks(&mut self, class: Class, value: &Value, operations: Vec<usize>, text: String) {
        self.find(class, false, value, operations, text);
    }

    pub(super) fn find(
        &mut self,
        class: Class,
        breaks: bool,
        value: &Value,
        operations: Vec<usize>,
        text: String,
    ) {
        let key = self.key.map(str::to_owned);
        self.findings.push(Finding { class, breaks, key, value: value.clone(), operations, text });
    }

    /// Adds to a figure; with 0, it is at least listed.
    pub(super) fn count(&mut self, name: &'static str, more: usize) {
        match self.counts.iter_mut().find(|(other, _)| *other == name) {
            Some((_, count)) => *count += more as u64,
            None => self.counts.push((name, more as u64)),
        }
    }

    /// Records a duration in nanoseconds.
    pub(super) fn took(&mut self, name: &'static str, ns: u64) {
        match self.taken.iter_mut().find(|(other, _)| *other == name) {
            Some((_, all)) => all.push(ns),
            None => self.taken.push((name, vec![ns])),
        }
    }

    /// The history does not say whether the promise was kept, and why.
    pub(super) fn doubt(&mut self, text: impl Into<String>) {
        if self.doubts.len() == DOUBTS_SHOWN {
            self.hidden_doubts += 1;
        } else {
            self.doubts.push(self.on_key(text.into()));
        }
    }

    /// An operation says what this check cannot read.
    pub(super) fn misread(&mut self, index: usize, why: &'static str) {
        match self.misread.iter_mut().find(|(other, ..)| *other == why) {
            Some((_, _, count)) => *count += 1,
            None => self.misread.push((why, index, 1)),
        }
    }

    /// An operation that changes something says what this check cannot read: it may have done anything.
    pub(super) fn unclear(&mut self, index: usize, why: &'static str) {
        self.misread(index, why);
        let operations: &'a Operations = self.operations;
        let first = self.unclear.entry(operations.at(index).key).or_insert(index);
        if operations.at(index).invoked < operations.at(*first).invoked {
            *first = index;
        }
    }

    /// An operation that may have done what a finding shows: it is not understood, and it was invoked before the last
    /// operation of the finding was over.
    fn explains(&self, finding: &Finding) -> Option<usize> {
        // No function puts an element into a set twice.
        if matches!(self.kind, Kind::SetFull | Kind::SetFinal) && finding.class == Class::Duplicated {
            return None;
        }
        let invoked = |index: &usize| self.operations.at(*index).invoked;
        let on = finding.key.as_deref();
        let of_key = self.unclear.iter().filter(|(key, _)| key.is_none() || on.is_none() || **key == on);
        let first = of_key.map(|(_, index)| *index).min_by_key(invoked)?;
        // What most reads show, and what nobody polled, hangs on all operations.
        let hangs_on_all =
            self.kind == Kind::Bank || (self.kind, finding.class) == (Kind::Kafka, Class::Lost);
        let over = |index: &usize| self.operations.at(*index).completed.unwrap_or(usize::MAX);
        let end = finding.operations.iter().map(over).max()?;
        (hangs_on_all || invoked(&first) < end).then_some(first)
    }

    /// Where an operation completed and with what, if it is acknowledged.
    pub(super) fn acknowledged(&mut self, index: usize) -> Option<(usize, &'a Value)> {
        let operations: &'a Operations = self.operations;
        let operation = operations.at(index);
        match (operation.outcome, operation.completed) {
            (OutcomeRef::Ok(value), Some(completed)) => Some((completed, value)),
            (OutcomeRef::Ok(_), None) => {
                self.misread(index, "it is ok, but has no place where it completed");
                None
            }
            (OutcomeRef::Fail { .. } | OutcomeRef::Info { .. }, _) => None,
        }
    }

    /// An operation whose function this check has no meaning for; harmless if it certainly did not happen.
    pub(super) fn stranger(&mut self, index: usize) {
        if !failed(self.operations.at(index)) {
            self.unclear(index, "this check has no meaning for its function");
        }
    }

    /// Something to be said beside.
    pub(super) fn note(&mut self, text: String) {
        if self.notes.len() < DOUBTS_SHOWN {
            let text = self.on_key(text);
            self.notes.push(text);
        }
    }

    fn on_key(&self, text: String) -> String {
        match self.key {
            Some(key) => format!("on key {key}, {text}"),
            None => text,
        }
    }

    /// Puts what was not understood before the key's other doubts, which may well follow from it.
    fn settle_misread(&mut self) {
        for (why, index, count) in std::mem::take(&mut self.misread).into_iter().rev() {
            let odd = words::in_short(self.operations.at(index));
            let more = match count {
                1 => String::new(),
                2 => "; so is another".to_owned(),
                more => format!("; so are {} more", more - 1),
            };
            let text = self.on_key(format!("operation {index} ({odd}) is not understood: {why}{more}"));
            self.doubts.insert(self.doubts_of_key, text);
            if self.doubts.len() > DOUBTS_SHOWN {
                self.doubts.pop();
                self.hidden_doubts += 1;
            }
        }
    }

    /// Takes back what operations may explain that are not understood; says of the first that it is open.
    fn excuse(&mut self) -> Option<String> {
        if self.unclear.is_empty() {
            return None;
        }
        let explain = |finding: &Finding| self.explains(finding).filter(|_| finding.breaks);
        let explained: Vec<Option<usize>> = self.findings.iter().map(explain).collect();
        let mut open: Vec<(Finding, usize)> = Vec::new();
        for (finding, by) in self.findings.iter_mut().zip(explained) {
            if let Some(by) = by {
                open.push((finding.clone(), by));
                finding.breaks = false;
            }
        }
        open.sort_by_key(|(finding, _)| finding.class);
        let by = open.first()?.1;
        let findings: Vec<Finding> = open.into_iter().map(|(finding, _)| finding).collect();
        let odd = words::in_short(self.operations.at(by));
        Some(format!(
            "{}; but operation {by} ({odd}) may explain it, which is not understood",
            complaint(&findings)
        ))
    }

    pub(super) fn close(mut self) -> Verdict {
        self.settle_misread();
        if self.operations.is_empty() {
            self.doubts.push("no operation was recorded".to_owned());
        }
        let excuse = self.excuse();
        self.findings.sort_by_key(|finding| (!finding.breaks, finding.class));
        let broken = self.findings.partition_point(|finding| finding.breaks);
        let excused = broken == 0 && excuse.is_some();
        let (answer, reason) = if broken > 0 {
            (Answer::Invalid, complaint(&self.findings[..broken]))
        } else if let Some(excuse) = excuse {
            (Answer::Unknown, excuse)
        } else if let Some(doubt) = self.doubts.first() {
            (Answer::Unknown, doubt.clone())
        } else {
            (Answer::Valid, self.praise())
        };
        // The first doubt may be the reason already.
        let said = usize::from(answer == Answer::Unknown && !excused);
        let mut notes: Vec<String> = self.doubts.split_off(said.min(self.doubts.len()));
        if self.hidden_doubts > 0 {
            notes.push(format!("and {} more of the like", self.hidden_doubts));
        }
        notes.append(&mut self.notes);
        let latencies = self.taken.into_iter().filter_map(|(name, taken)| Latencies::of(name, taken));
        Verdict {
            kind: self.kind,
            answer,
            reason,
            findings: self.findings,
            counts: self.counts,
            latencies: latencies.collect(),
            notes,
        }
    }

    /// What a valid history showed.
    fn praise(&self) -> String {
        let count =
            |name: &str| self.counts.iter().find(|(other, _)| *other == name).map_or(0, |(_, count)| *count);
        let many = |name: &str, noun: &str| words::counted(count(name), noun, &format!("{noun}s"));
        match self.kind {
            Kind::SetFinal => format!(
                "the final reads have all that was acknowledged before them, and {} in all",
                many("ok", "element")
            ),
            Kind::SetFull => format!(
                "none of {} was lost; {} stayed in all reads, {} of them late",
                many("attempted", "element"),
                count("stable"),
                count("stale")
            ),
            Kind::CounterBounds => format!("{} within what the adds allow", many("reads", "read")),
            Kind::GCounter | Kind::PnCounter => {
                format!("{} with one value, which the adds allow", many("final reads", "final read"))
            }
            Kind::Queue => format!("{} came from an enqueue", many("dequeued", "element")),
            Kind::TotalQueue | Kind::ExactlyOnceQueue => {
                let again = match count("duplicated") {
                    0 => String::new(),
                    _ => format!("{ALLOWED}{}", many("duplicated", "duplicate")),
                };
                format!("all of {} came out{again}", many("acknowledged", "acknowledged element"))
            }
            Kind::UniqueIds => format!("{}, none of them twice", many("acknowledged", "id")),
            Kind::Bank => format!("{} with the right total", many("reads", "read")),
            Kind::Monotonic => format!("{} of rows in the order of their timestamps", many("reads", "read")),
            Kind::CausalReverse => {
                format!(
                    "{} without a write that was over before one they have began missing",
                    many("reads", "read")
                )
            }
            Kind::LongFork => format!("{} see the writes in one order", many("reads", "read")),
            Kind::AdyaG2 => {
                format!("{} with more than one insert, none of which has two", many("contested", "key"))
            }
            Kind::Echo => format!("{}, each with what was said", many("answered", "answer")),
            Kind::Kafka => format!(
                "{} polled, each once and in one order; none of {} was lost",
                many("polled", "message"),
                count("sent")
            ),
        }
    }
}

/// Whether an operation certainly did not happen.
pub(super) fn failed(operation: OperationRef<'_>) -> bool {
    matches!(operation.outcome, OutcomeRef::Fail { .. })
}

/// How much of what is broken, and the first of it.
fn complaint(findings: &[Finding]) -> String {
    let groups = findings.chunk_by(|a, b| a.class == b.class).map(|group| {
        let (one, many) = group[0].class.nouns();
        words::counted(group.len() as u64, one, many)
    });
    let counts = groups.collect::<Vec<_>>().join(", ");
    let first = &findings[0];
    let key = first.key.as_ref().map_or_else(String::new, |key| format!("on key {key}, "));
    let but_one = if findings.len() > 1 { "for one, " } else { "" };
    format!("{counts}: {but_one}{key}{}", first.text)
}
