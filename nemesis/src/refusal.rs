//! Why a key of a fault was refused.

/// A refusal that does not know yet which fault it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The key in the fault's table.
    pub(crate) field: &'static str,
    /// What is wrong.
    pub(crate) complaint: Complaint,
}

/// What is wrong with a value, and what would be right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) reason: String,
    /// What to do.
    pub(crate) help: Option<String>,
    /// The word that is wrong, where the value has several.
    pub(crate) word: Option<String>,
    /// The words that could stand there instead.
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

    /// As a refusal of this key.
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
