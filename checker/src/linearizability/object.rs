//! The object behind registers and key-value stores: one value, seen and changed by a few actions.

use super::values::Values;

/// What one operation does to the value. Values are numbers given by [`Values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Finds this value.
    Read(u32),
    /// Finds any other value.
    Not(u32),
    /// Leaves this value, whatever was there.
    Write(u32),
    /// Finds the first value and leaves the second, which differs.
    Cas(u32, u32),
    /// Adds this suffix, numbered by [`Values`].
    Append(u32),
}

impl Action {
    /// Whether it changes nothing.
    pub(super) fn is_observation(self) -> bool {
        match self {
            Self::Read(_) | Self::Not(_) => true,
            Self::Write(_) | Self::Cas(..) | Self::Append(_) => false,
        }
    }

    /// The value afterwards; none where the action cannot happen.
    pub(super) fn apply(self, value: u32, values: &Values) -> Option<u32> {
        match self {
            Self::Read(found) => (value == found).then_some(value),
            Self::Not(missed) => (value != missed).then_some(value),
            Self::Write(written) => Some(written),
            Self::Cas(from, to) => (value == from).then_some(to),
            Self::Append(suffix) => Some(values.append(value, suffix)),
        }
    }
}
