//! The keys of a `[[fault]]` besides its kind, and the types of their values.

pub use crate::delay::{Delay, Distribution};
use crate::flaky::{Flaky, Share};
use crate::point::{After, Point};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// Every key of a `[[fault]]` besides `kind`.
///
/// The [entry](crate::Entry::keys) of a kind lists the keys that it accepts. The plan checks them, so that it
/// can give the reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Parameters {
    /// The nodes that it hits. For faults of links: the nodes whose links it hits; all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// When it starts, since the start of the load; with `every`: when it first starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<jiff::SignedDuration>")]
    pub at: Option<Duration>,
    /// In place of `at`: the logical point of the run at which it starts, for example `n2 decided 500`, `n2 syncs 40` (in the
    /// 40th sync, with disk = "memory") or `any starts` (the first process), counted since the start of the load. A simulated
    /// run also has `n1 sends p1a 2`: the second message of a kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Point>,
    /// In place of `at`: it starts this long after another fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// It repeats, with this interval from start to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<jiff::SignedDuration>")]
    pub every: Option<Duration>,
    /// With `every`: the largest random delay of each start, drawn uniformly from zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<jiff::SignedDuration>")]
    pub jitter: Option<Duration>,
    /// How long it lasts before it is healed; until the load ends when left out.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<jiff::SignedDuration>")]
    pub lasts: Option<Duration>,
    /// `kill` and `power-loss`: it strikes while each target has a sync open, which the bench's disk holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<During>,
    /// `partition`: a named way to divide the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// `partition`: the groups between which all links are cut. A node in no group keeps all its links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Vec<String>>>,
    /// `one-way`: the nodes whose connections are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Target>,
    /// `one-way`: the nodes to which they were dialled; all the others when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Target>,
    /// `partition` and `one-way`: the behaviour of a cut link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<CutManner>,
    /// `slow`: the share of the time for which the node is paused; half when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub still: Option<Share>,
    /// `slow` and `strobe`: the time from one pause or jump ahead to the next; 100 ms when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<jiff::SignedDuration>")]
    pub period: Option<Duration>,
    /// `delay`: the additional delay of each chunk of bytes, each way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
    /// `rate`: the largest byte rate of a link, in each direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<ByteRate>,
    /// `flaky`: the share of frames that never arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Share>,
    /// `flaky`: the share of frames that arrive twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<Share>,
    /// `flaky`: the share of frames that arrive 1 to 10 ms late, so that others overtake them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reorder: Option<Share>,
    /// `flaky`: the share of frames with a flipped bit that their checksum reveals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrupt: Option<Share>,
    /// `flaky`: the share of frames with a flipped bit that the program reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub garble: Option<Share>,
    /// `reconfigure`: whether members are added, removed or replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<MemberChange>,
    /// `jump` and `strobe`: the offset of the clock; negative means behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::optional")]
    pub by: Option<SignedDuration>,
    /// `drift`: the speed of the clock; a true clock has speed 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// `bit-flip` and `truncate`: only files whose name contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// `bit-flip`: the number of bits; one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// `truncate`: the number of used bytes that are cut off; drawn when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Parameters {
    /// The given keys that only some kinds accept, in the order of the fields.
    pub(crate) fn own_keys(&self) -> impl Iterator<Item = &'static str> {
        let keys = [
            ("target", self.target.is_some()),
            ("during", self.during.is_some()),
            ("shape", self.shape.is_some()),
            ("groups", self.groups.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("how", self.how.is_some()),
            ("still", self.still.is_some()),
            ("period", self.period.is_some()),
            ("change", self.change.is_some()),
            ("by", self.by.is_some()),
            ("speed", self.speed.is_some()),
            ("delay", self.delay.is_some()),
            ("rate", self.rate.is_some()),
            ("loss", self.loss.is_some()),
            ("duplicate", self.duplicate.is_some()),
            ("reorder", self.reorder.is_some()),
            ("corrupt", self.corrupt.is_some()),
            ("garble", self.garble.is_some()),
            ("file", self.file.is_some()),
            ("bits", self.bits.is_some()),
            ("bytes", self.bytes.is_some()),
        ];
        keys.into_iter().filter(|(_, given)| *given).map(|(key, _)| key)
    }

    /// The shares of frames, by fault.
    pub fn flaky(&self) -> Flaky {
        Flaky {
            loss: self.loss.unwrap_or_default(),
            duplicate: self.duplicate.unwrap_or_default(),
            reorder: self.reorder.unwrap_or_default(),
            corrupt: self.corrupt.unwrap_or_default(),
            garble: self.garble.unwrap_or_default(),
        }
    }
}

/// The work of a node in the middle of which a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum During {
    /// A sync of a file or folder with changes that are not durable. It never returns.
    Sync,
}

/// Named ways to divide a cluster. The seed decides on which side each node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Two halves, the smaller one first; with an even number no side has a majority.
    Halves,
    /// One node alone.
    One,
    /// A smallest majority, cut off from the others.
    Majority,
    /// A largest minority, cut off from the others.
    Minority,
    /// The node that leads when the fault starts, alone.
    Leader,
    /// Two halves that only one node of the second half can both reach.
    Bridge,
    /// Every node reaches a majority, and no node reaches all; at least four nodes.
    MajorityRing,
}

impl Shape {
    /// Its name in specs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Halves => "halves",
            Self::One => "one",
            Self::Majority => "majority",
            Self::Minority => "minority",
            Self::Leader => "leader",
            Self::Bridge => "bridge",
            Self::MajorityRing => "majority-ring",
        }
    }
}

/// A change of the cluster's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MemberChange {
    /// Spare nodes become members.
    Add,
    /// Members leave the cluster.
    Remove,
    /// Spare nodes replace members, in one step.
    Replace,
}

impl MemberChange {
    /// Its name in specs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }
}

/// The behaviour of a cut link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CutManner {
    /// Drops everything, like a dead cable.
    ///
    /// With network = "proxy" it accepts connections and holds their data until healed.
    #[default]
    Stall,
    /// Answers every packet and dial with a reset, like a firewall that rejects.
    Refuse,
}

/// The values of a target, for messages and for the reference of keys.
pub(crate) const TARGET: &str = "a target such as \"n1\" or \"random\", or a list of node names";
/// The values of a rate, for messages and for the reference of keys.
pub(crate) const BYTE_RATE: &str = "bytes a second, such as \"64KiB\", \"1MB\" or 65536";

/// The nodes that a fault hits: a word or a list of names.
///
/// A word is a node's name, `leader`, `random-replica`, `minority`, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A node's name, a role, or a word such as `random`, `all` or `leader`.
    Word(String),
    /// These nodes, by name.
    Nodes(Vec<String>),
}

impl From<&str> for Target {
    fn from(word: &str) -> Self {
        Self::Word(word.to_owned())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Nodes(names) => f.write_str(&names.join(" ")),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Word(word) => serializer.serialize_str(word),
            Self::Nodes(names) => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrNames;
        impl<'de> Visitor<'de> for WordOrNames {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(TARGET)
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Target, E> {
                Ok(Target::Word(word.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Target, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element()? {
                    all.push(name);
                }
                Ok(Target::Nodes(all))
            }
        }
        deserializer.deserialize_any(WordOrNames)
    }
}

/// `[cluster.links]`: the properties of every link between nodes without a fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Links {
    /// The delay of each chunk of bytes, each way.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration")]
    pub delay: Duration,
    /// The largest deviation from it; at most the delay.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration")]
    pub jitter: Duration,
}

impl From<Links> for Delay {
    fn from(links: Links) -> Self {
        Self { mean: links.delay, jitter: links.jitter, ..Self::default() }
    }
}

/// Bytes per second.
///
/// In specs a size such as `"64KiB"` (1024 bytes each), `"1MB"` (1000 each) or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteRate(pub u64);

const UNITS: [(&str, u64); 6] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
];

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        match unit {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for ByteRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeOrNumber;
        impl Visitor<'_> for SizeOrNumber {
            type Value = ByteRate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(BYTE_RATE)
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteRate, E> {
                Ok(ByteRate(bytes))
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteRate, E> {
                let bytes = u64::try_from(bytes);
                bytes.map(ByteRate).map_err(|_| E::custom("bytes a second cannot be negative"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteRate, E> {
                let text = text.trim().trim_end_matches("/s");
                let unit = UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
                let (number, size) = unit.unwrap_or((text.trim_end_matches('B'), 1));
                let number: Option<u64> = number.trim().parse().ok();
                let bytes = number.and_then(|number| number.checked_mul(size));
                bytes.map(ByteRate).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(SizeOrNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_sizes_with_units() {
        for (text, bytes) in
            [("\"64KiB\"", 65_536), ("\"1MB/s\"", 1_000_000), ("\"500B\"", 500), ("700", 700)]
        {
            assert_eq!(serde_json::from_str::<ByteRate>(text).unwrap(), ByteRate(bytes), "{text}");
        }
        assert!(serde_json::from_str::<ByteRate>("\"fast\"").is_err());
        assert_eq!(ByteRate(65_536).to_string(), "64KiB");
    }
}
