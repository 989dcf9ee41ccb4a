//! Why a spec's faults were refused.

use crate::refusal::Refusal;
use std::fmt;

/// Why a spec's faults were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    /// Index of the fault among the specs, from 0.
    pub index: usize,
    /// The key in its table.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
    /// What to do.
    pub help: Option<String>,
    /// The word that is wrong, where the value has several.
    pub word: Option<String>,
    /// The words that could stand there instead.
    pub choices: Vec<String>,
}

impl PlanError {
    pub(crate) fn new(index: usize, refusal: Refusal) -> Self {
        let Refusal { field, complaint } = refusal;
        Self {
            index,
            field,
            reason: complaint.reason,
            help: complaint.help,
            word: complaint.word,
            choices: complaint.choices,
        }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {}: `{}`: {}", self.index + 1, self.field, self.reason)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

impl std::error::Error for PlanError {}
