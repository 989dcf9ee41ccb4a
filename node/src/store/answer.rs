//! Properties of an answer that do not depend on the operation: its size and its success.

use super::Answer;

/// Approximate overhead of an answer, in bytes; equal on every machine, because replicas count with it.
const PART: usize = 40;

impl Answer {
    /// Whether the operation's condition held; otherwise it changed no key.
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

    /// Approximate size in memory and on the wire, in bytes; 0 without parts and text.
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

    /// The answer that replaces it when it is too large to keep.
    #[must_use]
    pub fn left_out(&self) -> Self {
        Self::NotKept { changed: self.succeeded() }
    }
}
