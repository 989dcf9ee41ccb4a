//! Readings of a clock, and the true time.

use std::time::{SystemTime, UNIX_EPOCH};

/// True nanoseconds since 1970.
pub(crate) fn true_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// A reading of a clock, in nanoseconds since 1970, with bounds of the true time at which it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) says: i64,
    pub(crate) earliest: i64,
    pub(crate) latest: i64,
}

impl Reading {
    /// Estimate of the true time of the reading: the middle of the bounds.
    pub(crate) fn at(self) -> i64 {
        self.earliest + (self.latest - self.earliest) / 2
    }

    /// Offset of the clock from the true time.
    pub(crate) fn ahead(self) -> i64 {
        self.says.saturating_sub(self.at())
    }

    /// Largest error of that offset.
    pub(crate) fn doubt(self) -> i64 {
        (self.latest - self.earliest) / 2 + 1
    }
}
