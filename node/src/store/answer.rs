//! What can be said of an answer without knowing the operation: its size, and whether something was done.

use super::Answer;

/// Bytes that an answer takes beyond its texts, about; the same on every machine, because replicas count with it.
const PART: usize = 40;

impl Answer {
    /// Whether the operation found what it needs; if not, nothing was changed.
    pub(super) fn succeeded(&self) -> bool {
        match self {
            Self::Done
            | Self::Value(_)
            | Self::Absent
            | Self::Balances(_)
            | Self::Results(_)
            | Self::Reconfigured { .. } => true,
            Self::NotKept { changed } => *changed,
            Self::Differs(_)
            | Self::NotANumber(_)
            | Self::Aborted(..)
            | Self::Forgotten
            | Self::Refused(_)
            | Self::TooLarge => false,
        }
    }

    /// Its size in memory and on the wire, roughly, in bytes; 0 where it has no parts and no text.
    pub fn size(&self) -> usize {
        match self {
            Self::Done
            | Self::Value(None)
            | Self::Differs(None)
            | Self::Absent
            | Self::Forgotten
            | Self::Reconfigured { .. }
            | Self::NotKept { .. }
            | Self::TooLarge => 0,
            Self::Value(Some(value)) | Self::Differs(Some(value)) | Self::NotANumber(value) => {
                value.len() + PART
            }
            Self::Balances(balances) => balances.iter().map(|(account, _)| account.len() + PART).sum(),
            Self::Results(answers) => answers.iter().map(|answer| answer.size() + PART).sum(),
            Self::Aborted(_, answer) => answer.size() + PART,
            Self::Refused(reason) => reason.len(),
        }
    }

    /// What stands for it where there is no room for it.
    #[must_use]
    pub fn left_out(&self) -> Self {
        Self::NotKept { changed: self.succeeded() }
    }
}
