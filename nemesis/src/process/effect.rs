//! What an action did to a process: its evidence, or the reason why there is none.

/// The evidence of an action, or the reason why there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The observations; empty if the action had no effect.
    pub evidence: Vec<String>,
    /// A remark for the reader.
    pub note: Option<String>,
}

impl Effect {
    pub(crate) fn seen(evidence: impl Into<String>) -> Self {
        Self { evidence: vec![evidence.into()], note: None }
    }

    pub(crate) fn none(note: impl Into<String>) -> Self {
        Self { evidence: Vec::new(), note: Some(note.into()) }
    }
}
