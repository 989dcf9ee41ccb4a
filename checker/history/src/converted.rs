//! What a converted history has kept of the file it was made of, beside its operations.

use serde::{Deserialize, Serialize};

/// What is not certain about a history that was read from another tool's file. It decides whether an invalid verdict is
/// one, so that it goes with the history from format to format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "each is one thing that the file does not say")]
pub struct Converted {
    /// The format of the first file.
    pub from: String,
    /// Whether the state before the history is not said, so that keys may not have been empty.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unknown_start: bool,
    /// Whether the model is a guess by the names and values of the operations.
    #[serde(default, skip_serializing_if = "is_false")]
    pub guessed_model: bool,
    /// Whether it is a guess that failed compare-and-sets found another value.
    #[serde(default, skip_serializing_if = "is_false")]
    pub guessed_failed_cas: bool,
    /// Whether processes go on at the same times, so that an order was chosen.
    #[serde(default, skip_serializing_if = "is_false")]
    pub chosen_order: bool,
    /// The only client whose operations the file has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lone_client: Option<u64>,
    /// Whether the file ends inside an event.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unfinished: bool,
    /// Whether the cut-off rest of the file may have operations that began before those it has.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut_hides: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(truth: &bool) -> bool {
    !truth
}

impl Converted {
    /// Whether everything is certain.
    pub fn is_certain(&self) -> bool {
        *self == Self { from: self.from.clone(), ..Self::default() }
    }
}
