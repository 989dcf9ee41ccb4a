//! The figures that a comparison knows: their names, units and directions.

use crate::sentences::{rate, seconds};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Differences of times below this are not told apart: nodes are sampled and histories are cut at this grain, in seconds.
const GRAIN_S: f64 = 0.05;

/// A figure that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Successful operations a second.
    Throughput,
    /// Half of the answers came within this.
    P50,
    /// Nine of ten answers came within this.
    P90,
    /// 99 of 100 answers came within this.
    P99,
    /// 999 of 1,000 answers came within this.
    P999,
    /// The longest outage around a fault.
    Outage,
    /// The longest time from the heal of a fault to the recovery.
    Recovery,
    /// The time from the start of the load until a violation ended the run.
    Detection,
}

/// Which change of a figure is for the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worse {
    /// A smaller figure.
    Less,
    /// A larger one.
    More,
    /// Neither: whoever compares must know.
    Neither,
}

impl Measure {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Throughput,
        Self::P50,
        Self::P90,
        Self::P99,
        Self::P999,
        Self::Outage,
        Self::Recovery,
        Self::Detection,
    ];

    /// Its name on the command line, in JSON and in CSV.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p999",
            Self::Outage => "outage",
            Self::Recovery => "recovery",
            Self::Detection => "detection",
        }
    }

    /// Its value as people read it. Quantiles are milliseconds, the other times seconds.
    pub fn written(self, value: f64) -> String {
        match self {
            Self::Throughput => format!("{}/s", rate(value)),
            Self::P50 | Self::P90 | Self::P99 | Self::P999 => seconds(value / 1e3),
            Self::Outage | Self::Recovery | Self::Detection => seconds(value),
        }
    }

    /// Its unit in CSV.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Throughput => "per_s",
            Self::P50 | Self::P90 | Self::P99 | Self::P999 => "ms",
            Self::Outage | Self::Recovery | Self::Detection => "s",
        }
    }

    pub(super) fn worse(self) -> Worse {
        match self {
            Self::Throughput => Worse::Less,
            Self::P50 | Self::P90 | Self::P99 | Self::P999 | Self::Outage | Self::Recovery => Worse::More,
            Self::Detection => Worse::Neither,
        }
    }

    /// The share of the answers that a quantile is about; none for the other figures.
    pub(super) fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P99 => Some(0.99),
            Self::P999 => Some(0.999),
            Self::Throughput | Self::Outage | Self::Recovery | Self::Detection => None,
        }
    }

    /// Whether windows of time inside one run have this figure too.
    pub(super) fn is_of_windows(self) -> bool {
        matches!(self, Self::Throughput | Self::P50 | Self::P90 | Self::P99 | Self::P999)
    }

    /// The value that ratios are made of: a time of a whole run is at least as long as the grain of its measurement.
    pub(super) fn floored(self, value: f64) -> f64 {
        if matches!(self, Self::Outage | Self::Recovery) { value.max(GRAIN_S) } else { value }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A name that is no figure's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no figure \"{0}\"; the figures are throughput, p50, p90, p99, p999, outage, recovery and detection"
)]
pub struct UnknownMeasure(String);

impl FromStr for Measure {
    type Err = UnknownMeasure;

    fn from_str(name: &str) -> Result<Self, UnknownMeasure> {
        let found = Self::ALL.into_iter().find(|measure| measure.name() == name);
        found.ok_or_else(|| UnknownMeasure(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for measure in Measure::ALL {
            assert_eq!(measure.name().parse(), Ok(measure));
        }
        let unknown = "p98".parse::<Measure>().unwrap_err().to_string();
        assert!(Measure::ALL.iter().all(|measure| unknown.contains(measure.name())), "{unknown}");
    }
}
