//! Every model at once: the strongest that hold, and the first that fail.

use super::consistency::{Consistency, Excluded};
use super::decide::Analysis;
use super::findings::Findings;
use super::verdict::{Anomaly, Workload};
use crate::Answer;
use crate::limits::{Limits, Share};
use history::ToOperations;

/// What was found out about one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// The model.
    pub model: Consistency,
    /// Whether it holds.
    pub answer: Answer,
    /// Why it is open, if it is.
    pub unsure: Option<String>,
}

/// What was found out about every model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// Every model, weaker ones first.
    pub levels: Vec<Level>,
    /// What excludes those that fail.
    pub anomalies: Vec<Anomaly>,
}

/// Decides every model.
pub fn check_levels(
    operations: &(impl ToOperations + ?Sized),
    workload: Workload,
    limits: &Limits<'_>,
) -> Levels {
    let operations = &*operations.to_operations();
    let mut findings = Findings::default();
    let analysis = Analysis::new(operations, workload, &mut findings, limits);
    let levels = decide_each(Consistency::ALL, &mut findings, |model, findings| match &analysis {
        Ok(analysis) => analysis.decide(model, findings, limits),
        Err(reason) => Some(reason.clone()),
    });
    Levels { levels, anomalies: findings.anomalies() }
}

/// Decides the models that an excluded one implies, within a share of the limits.
///
/// `excluded` holds the models that are known to fail.
pub(super) fn weaker_than(
    model: Consistency,
    analysis: &Analysis<'_>,
    excluded: Excluded,
    limits: &Limits<'_>,
) -> Levels {
    let weaker = Consistency::ALL.into_iter().filter(|other| *other != model && model.implies(*other));
    let mut findings = Findings::default();
    findings.excluded = excluded;
    let levels = decide_each(weaker, &mut findings, |model, findings| {
        limits.share(Share::WEAKER_MODEL, |limits| analysis.decide(model, findings, limits))
    });
    Levels { levels, anomalies: findings.anomalies() }
}

/// Decides models that are given weaker ones first. Begins with the strongest, since each that holds decides those it
/// implies.
fn decide_each(
    models: impl IntoIterator<Item = Consistency, IntoIter: DoubleEndedIterator>,
    findings: &mut Findings,
    decide: impl Fn(Consistency, &mut Findings) -> Option<String>,
) -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::new();
    for model in models.into_iter().rev() {
        let proven = |level: &Level| level.answer == Answer::Valid && level.model.implies(model);
        let unsure = if levels.iter().any(proven) { None } else { decide(model, findings) };
        let answer = if unsure.is_some() { Answer::Unknown } else { Answer::Valid };
        let excluded = findings.excluded.contains(model);
        levels.push(Level { model, answer: if excluded { Answer::Invalid } else { answer }, unsure });
    }
    levels.reverse();
    // What a weaker model shows decides stronger ones that were open.
    for level in levels.iter_mut().filter(|level| findings.excluded.contains(level.model)) {
        (level.answer, level.unsure) = (Answer::Invalid, None);
    }
    levels
}

impl Levels {
    /// The answer for a model.
    pub fn answer(&self, model: Consistency) -> Answer {
        self.levels.iter().find(|level| level.model == model).map_or(Answer::Unknown, |level| level.answer)
    }

    /// The models that hold and that no other that holds implies.
    pub fn strongest_valid(&self) -> Vec<Consistency> {
        let valid = self.with(Answer::Valid);
        let implied = |model: &Consistency| valid.iter().any(|other| other != model && other.implies(*model));
        valid.iter().copied().filter(|model| !implied(model)).collect()
    }

    /// The models that fail and that imply no other that fails.
    pub fn weakest_invalid(&self) -> Vec<Consistency> {
        let invalid = self.with(Answer::Invalid);
        let follows =
            |model: &Consistency| invalid.iter().any(|other| other != model && model.implies(*other));
        invalid.iter().copied().filter(|model| !follows(model)).collect()
    }

    /// The strongest models that hold as words: "snapshot-isolation and strong-session-causal"; none if there is none.
    ///
    /// Where a stronger one is open, they hold "at least".
    pub(super) fn that_hold(&self) -> Option<String> {
        let strongest = self.strongest_valid();
        let names: Vec<_> = strongest.iter().map(|model| model.name()).collect();
        let above = |open: &Consistency| strongest.iter().any(|model| open.implies(*model));
        let at_least = if self.open().iter().any(above) { "at least " } else { "" };
        (!names.is_empty()).then(|| format!("{at_least}{}", names.join(" and ")))
    }

    /// The models that are open.
    pub fn open(&self) -> Vec<Consistency> {
        self.with(Answer::Unknown)
    }

    fn with(&self, answer: Answer) -> Vec<Consistency> {
        self.levels.iter().filter(|level| level.answer == answer).map(|level| level.model).collect()
    }
}
