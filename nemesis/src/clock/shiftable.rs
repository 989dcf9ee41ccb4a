//! Whether the clocks of a run can be shifted.

use super::foreign;

/// The nodes whose clocks a run can shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clocks {
    /// All nodes.
    Shiftable,
    /// None, for this reason.
    True(&'static str),
}

impl Clocks {
    /// The answer for nodes that read a clock file themselves, or for other programs.
    ///
    /// For other programs it is probed once, by a program that begins with [`lab_entry`](crate::lab_entry).
    pub fn choose(read_themselves: bool) -> Self {
        if read_themselves {
            return Self::Shiftable;
        }
        foreign::can_be_shifted().map_or_else(Self::True, |()| Self::Shiftable)
    }
}
