//! The condition of a fault's start.

use crate::point::Point;
use std::time::Duration;

/// The condition of a fault's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Its time.
    Time,
    /// A logical point of the run; it then lasts for this many nanoseconds, or until the load ends.
    When(Point, Option<u64>),
    /// The start of another fault of the plan.
    After {
        /// Its number.
        fault: u32,
        /// The delay, in nanoseconds.
        by: u64,
        /// Its duration in nanoseconds; until the load ends if there is none.
        lasts: Option<u64>,
    },
}

impl Trigger {
    /// A description, unless it is a time: `when n2 decided 500`, `200ms after fault 1`.
    pub fn in_words(&self) -> Option<String> {
        match self {
            Self::Time => None,
            Self::When(point, _) => Some(format!("when {point}")),
            Self::After { fault, by, .. } => {
                Some(format!("{:?} after fault {fault}", Duration::from_nanos(*by)))
            }
        }
    }
}
