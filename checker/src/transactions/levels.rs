//! Every model at once: the strongest that hold, and the first that fail.

use super::consistency::Consistency;
use super::decide::Analysis;
use super::findings::Findings;
use super::verdict::{Anomaly, Workload};
use crate::Answer;
use crate::limits::Limits;
use history::Operation;

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

/// Decides every model, stronger ones first, since each that holds decides those it implies.
pub fn check_levels(operations: &[Operation], workload: Workload, limits: &Limits<'_>) -> Levels {
    let mut findings = Findings::default();
    let analysis = Analysis::new(operations, workload, &mut findings, limits);
    let mut levels: Vec<Level> = Vec::new();
    for model in Consistency::ALL.into_iter().rev() {
        let proven = |level: &Level| level.answer == Answer::Valid && level.model.implies(model);
        let unsure = match &analysis {
            _ if levels.iter().any(proven) => None,
            Ok(analysis) => analysis.decide(model, &mut findings, limits),
            Err(reason) => Some(reason.clone()),
        };
        let answer = if unsure.is_some() { Answer::Unknown } else { Answer::Valid };
        let excluded = findings.excluded.contains(model);
        levels.push(Level { model, answer: if excluded { Answer::Invalid } else { answer }, unsure });
    }
    levels.reverse();
    // What a weaker model shows decides stronger ones that were open.
    for level in levels.iter_mut().filter(|level| findings.excluded.contains(level.model)) {
        (level.answer, level.unsure) = (Answer::Invalid, None);
    }
    Levels { levels, anomalies: findings.anomalies() }
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

    /// The models that are open.
    pub fn open(&self) -> Vec<Consistency> {
        self.with(Answer::Unknown)
    }

    fn with(&self, answer: Answer) -> Vec<Consistency> {
        self.levels.iter().filter(|level| level.answer == answer).map(|level| level.model).collect()
    }
}
