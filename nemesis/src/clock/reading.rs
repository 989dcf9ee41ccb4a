//! Readings of a clock, and the true time.

use std::time::{SystemTime, UNIX_EPOCH};

/// True nanoseconds since 1970.
pub(crate) fn true_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// What a clock said, in nanoseconds since 1970, and between which true times it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) says: i64,
    pub(crate) earliest: i64,
    pub(crate) latest: i64,
}

impl Reading {
    /// The true time at which it was read, as well as that is known.
    pub(crate) fn at(self) -> i64 {
        self.earliest + (self.latest - self.earliest) / 2
    }

    /// How far it was ahead.
    pub(crate) fn ahead(self) -> i64 {
        self.says.saturating_sub(self.at())
    }

    /// How wrong that may be.
    pub(crate) fn doubt(self) -> i64 {
        (self.latest - self.earliest) / 2 + 1
    }
}
