//! The error of a refused `[[fault]]`.

use crate::refusal::Refusal;
use std::fmt;

/// The error of a refused `[[fault]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    /// Index of the fault among the specs, from 0.
    pub index: usize,
    /// The key in its table.
    pub field: &'static str,
    /// The reason.
    pub reason: String,
    /// The remedy.
    pub help: Option<String>,
    /// The wrong word, if the value has several.
    pub word: Option<String>,
    /// The valid words.
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
