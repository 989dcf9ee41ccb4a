//! The answer of a check.

use serde::Serialize;

/// The answer of a check. Where answers are combined, the greatest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// The history has the property, as far as the check looks.
    Valid,
    /// The history does not decide it, or the limits ended the check.
    Unknown,
    /// The history contradicts the property.
    Invalid,
}
