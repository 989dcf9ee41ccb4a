//! Whether the clocks of a run can be shifted.

use super::foreign;

/// Whose clocks a run can shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clocks {
    /// Those of all nodes.
    Shiftable,
    /// Of none, for this reason.
    True(&'static str),
}

impl Clocks {
    /// Those of nodes that read a clock file themselves, or not. The latter is tried, once, by a program that begins
    /// with [`lab_entry`](crate::lab_entry).
    pub fn choose(read_themselves: bool) -> Self {
        if read_themselves {
            return Self::Shiftable;
        }
        foreign::can_be_shifted().map_or_else(Self::True, |()| Self::Shiftable)
    }
}
