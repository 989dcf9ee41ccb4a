//! The faults of a flaky link on frames, and shares of frames in specs. Pure.

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// A share of frames, in millionths. In specs `"1%"` or a fraction, for example `0.01`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

/// The values of a share, for messages and for the reference of keys.
pub(crate) const SHARE: &str = "a share such as \"1%\" or 0.01";

/// All of them.
const ALL: u32 = 1_000_000;

impl Share {
    /// A share in millionths, at most all.
    pub fn of_millionths(millionths: u32) -> Self {
        Self(millionths.min(ALL))
    }

    /// The number of millionths.
    pub fn millionths(self) -> u32 {
        self.0
    }

    /// The combined share of two independent shares.
    pub(crate) fn or(self, other: Self) -> Self {
        let neither = u64::from(ALL - self.0) * u64::from(ALL - other.0) / u64::from(ALL);
        Self(ALL - u32::try_from(neither).expect("a part of a million is below a million"))
    }

    fn read(fraction: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a million")]
        (0.0..=1.0).contains(&fraction).then(|| Self((fraction * f64::from(ALL)).round() as u32))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 10_000.0)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PercentOrFraction;
        impl Visitor<'_> for PercentOrFraction {
            type Value = Share;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(SHARE)
            }

            fn visit_f64<E: de::Error>(self, fraction: f64) -> Result<Share, E> {
                Share::read(fraction)
                    .ok_or_else(|| E::custom("a share is from 0 to 1, or \"0%\" to \"100%\""))
            }

            fn visit_i64<E: de::Error>(self, integer: i64) -> Result<Share, E> {
                self.visit_f64(integer as f64)
            }

            fn visit_u64<E: de::Error>(self, integer: u64) -> Result<Share, E> {
                self.visit_f64(integer as f64)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Share, E> {
                let percent = text.strip_suffix('%').and_then(|text| text.trim().parse::<f64>().ok());
                let percent = percent.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))?;
                self.visit_f64(percent / 100.0)
            }
        }
        deserializer.deserialize_any(PercentOrFraction)
    }
}

/// Shares of a link's frames, by fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flaky {
    /// Never arrive.
    pub loss: Share,
    /// Arrive twice.
    pub duplicate: Share,
    /// Arrive 1 to 10 ms late, so that others overtake them.
    pub reorder: Share,
    /// Have a flipped bit that does not match their checksum: the receiver's kernel drops them.
    pub corrupt: Share,
    /// Have a flipped bit in the payload and a matching checksum: the program reads it.
    pub garble: Share,
}

impl Flaky {
    /// Whether all shares are 0.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The largest of the shares.
    pub(crate) fn largest(self) -> Share {
        [self.loss, self.duplicate, self.reorder, self.corrupt, self.garble]
            .into_iter()
            .max()
            .unwrap_or_default()
    }

    /// The key of the first share greater than 0.
    pub(crate) fn first_named(self) -> &'static str {
        let keys = [
            ("loss", self.loss),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("corrupt", self.corrupt),
        ];
        keys.into_iter().find(|(_, share)| *share > Share::default()).map_or("garble", |(key, _)| key)
    }

    /// The combination of two faults on the same link.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            loss: self.loss.or(other.loss),
            duplicate: self.duplicate.or(other.duplicate),
            reorder: self.reorder.or(other.reorder),
            corrupt: self.corrupt.or(other.corrupt),
            garble: self.garble.or(other.garble),
        }
    }
}

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            ("loss", self.loss),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("corrupt", self.corrupt),
            ("garble", self.garble),
        ];
        let some = all.iter().filter(|(_, share)| *share > Share::default());
        let words: Vec<_> = some.map(|(word, share)| format!("{word} {share}")).collect();
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percents_or_fractions() {
        for text in ["\"2.5%\"", "\"2.5 %\"", "0.025"] {
            assert_eq!(serde_json::from_str::<Share>(text).unwrap(), Share(25_000), "{text}");
        }
        assert_eq!(serde_json::from_str::<Share>("1").unwrap(), Share(ALL));
        for text in ["\"101%\"", "-0.1", "7", "\"much\"", "\"5\""] {
            assert!(serde_json::from_str::<Share>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::to_string(&Share(25_000)).unwrap(), "\"2.5%\"");
    }

    #[test]
    fn shares_of_two_faults_strike_independently() {
        assert_eq!(Share(500_000).or(Share(500_000)), Share(750_000));
        assert_eq!(Share(0).or(Share(10)), Share(10));
        assert_eq!(Share(ALL).or(Share(10)), Share(ALL));
    }
}
