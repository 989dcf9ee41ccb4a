//! Refusals of keys of a fault.

/// A refusal of a key, not yet assigned to a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The key in the fault's table.
    pub(crate) field: &'static str,
    /// The reason and the remedy.
    pub(crate) complaint: Complaint,
}

/// The problem with a value, and the remedy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) reason: String,
    /// The remedy.
    pub(crate) help: Option<String>,
    /// The wrong word, if the value has several.
    pub(crate) word: Option<String>,
    /// The valid words.
    pub(crate) choices: Vec<String>,
}

impl Complaint {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn about(mut self, word: &str) -> Self {
        self.word = Some(word.to_owned());
        self
    }

    /// A refusal of this key.
    pub(crate) fn of(self, field: &'static str) -> Refusal {
        Refusal { field, complaint: self }
    }
}

impl Refusal {
    pub(crate) fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Complaint::new(reason).of(field)
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.complaint.help(help).of(self.field)
    }
}
