//! Logical points of a run, for which a fault may wait instead of a time.

use crate::plan::Reported;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The progress of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Its name.
    pub node: String,
    /// Number of consecutive decided slots that it knows, from the first on.
    pub decided: u64,
    /// Number of adoptions of its ballot, or of its elections, since its process started.
    pub adopted: u64,
    /// Number of preemptions of its ballot since its process started.
    pub preempted: u64,
}

/// The counted event.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Counted {
    Decided,
    Adopted,
    Preempted,
    Seen(Sight),
}

impl Counted {
    fn of(&self, progress: &Progress) -> Option<u64> {
        match self {
            Self::Decided => Some(progress.decided),
            Self::Adopted => Some(progress.adopted),
            Self::Preempted => Some(progress.preempted),
            Self::Seen(_) => None,
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decided => "decided",
            Self::Adopted => "adopted",
            Self::Preempted => "preempted",
            Self::Seen(Sight::Syncs) => "syncs",
            Self::Seen(Sight::Starts) => "starts",
            Self::Seen(Sight::Sends(kind)) => return write!(f, "sends {kind}"),
        })
    }
}

/// An event at a node that is seen from outside it at the instant at which it happens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// It begins a sync.
    Syncs,
    /// Its process starts.
    Starts,
    /// It sends a message of this kind.
    Sends(String),
}

/// A logical point: `n2 decided 500`, `leader adopted`, `any preempted 3`, `n2 syncs 40`, `any starts`; in simulated runs also
/// `n1 sends p1a 2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// A node; none means any node.
    node: Option<String>,
    event: Counted,
    count: u64,
}

impl Point {
    /// The node, if it names one.
    pub(crate) fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// The event that must be seen at the instant at which it happens, and how often it must have happened since the start of
    /// the load; none if the progress of the nodes tells.
    pub fn sight(&self) -> Option<(&Sight, u64)> {
        match &self.event {
            Counted::Seen(sight) => Some((sight, self.count)),
            Counted::Decided | Counted::Adopted | Counted::Preempted => None,
        }
    }

    /// Whether the nodes report what it counts.
    pub(crate) fn is_reported(&self, reported: Reported) -> bool {
        match self.event {
            Counted::Decided => reported.decided,
            Counted::Adopted => reported.adopted,
            Counted::Preempted => reported.preempted,
            Counted::Seen(_) => false,
        }
    }

    /// Whether it counts the events of a node.
    pub fn is_of(&self, node: &str) -> bool {
        self.node.as_ref().is_none_or(|own| own == node)
    }

    /// Whether the point is reached, given the progress at the start of the load.
    ///
    /// Decided slots are counted from the first slot, adoptions and preemptions from the start of the load.
    pub fn is_reached(&self, began: &[Progress], now: &[Progress]) -> bool {
        let before = |node: &str| {
            let before = began.iter().find(|other| other.node == node);
            if self.event == Counted::Decided {
                None
            } else {
                before.and_then(|before| self.event.of(before))
            }
        };
        now.iter().filter(|one| self.is_of(&one.node)).any(|one| {
            let (before, Some(count)) = (before(&one.node).unwrap_or_default(), self.event.of(one)) else {
                return false;
            };
            // A restarted process counts from zero.
            count.checked_sub(before).unwrap_or(count) >= self.count
        })
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = matches!(self.event, Counted::Decided | Counted::Seen(_));
        let who = self.node.as_deref().unwrap_or(if any { "any" } else { "leader" });
        write!(f, "{who} {}", self.event)?;
        if self.event == Counted::Decided || self.count > 1 { write!(f, " {}", self.count) } else { Ok(()) }
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const HOW: &str = "write for example \"n2 decided 500\", \"leader adopted\" or \"any preempted 3\"";
        let mut words = text.split_whitespace();
        let (Some(who), Some(event)) = (words.next(), words.next()) else {
            return Err(format!("`{text}` is no point of a run; {HOW}"));
        };
        let event = match event {
            "decided" => Counted::Decided,
            "adopted" => Counted::Adopted,
            "preempted" => Counted::Preempted,
            "syncs" => Counted::Seen(Sight::Syncs),
            "starts" => Counted::Seen(Sight::Starts),
            "sends" => match words.next() {
                Some(kind) => Counted::Seen(Sight::Sends(kind.to_owned())),
                None => return Err(format!("the kind of the messages is missing; {HOW}")),
            },
            _ => return Err(format!("`{event}` is no event that is counted; {HOW}")),
        };
        let count = match words.next() {
            Some(count) => count.parse().map_err(|_| format!("`{count}` is no number; {HOW}"))?,
            None if event == Counted::Decided => {
                return Err(format!("the number of slots is missing; {HOW}"));
            }
            None => 1,
        };
        if count == 0 || words.next().is_some() {
            return Err(format!("`{text}` is no point of a run; {HOW}"));
        }
        Ok(Self { node: (!matches!(who, "any" | "leader")).then(|| who.to_owned()), event, count })
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The values of `after`, for the reference of keys.
const AFTER: &str = "a table such as { fault = 1, by = \"200ms\" }";

/// `after = { fault = 1, by = "200ms" }`: this long after another fault took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("title" = AFTER))]
pub struct After {
    /// The number of the other `[[fault]]` in the spec, from 1.
    pub fault: u32,
    /// The delay after its start; none when left out.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration")]
    pub by: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(node: &str, decided: u64, adopted: u64) -> Progress {
        Progress { node: node.to_owned(), decided, adopted, preempted: 0 }
    }

    #[test]
    fn points_round_trip_as_text() {
        for text in [
            "n2 decided 500",
            "leader adopted",
            "any decided 7",
            "n1 preempted 3",
            "n2 syncs 4",
            "any sends p1a 2",
            "n1 starts",
        ] {
            assert_eq!(text.parse::<Point>().unwrap().to_string(), text);
        }
        for wrong in
            ["n2", "n2 decided", "n2 decidde 5", "n2 decided many", "leader adopted 0", "n2 decided 5 6"]
        {
            assert!(wrong.parse::<Point>().unwrap_err().contains("n2 decided 500"), "{wrong}");
        }
    }

    #[test]
    fn slots_and_adoptions_count_from_their_start() {
        let began = [progress("n1", 100, 4), progress("n2", 100, 1)];
        let reached =
            |point: &str, now: [Progress; 2]| point.parse::<Point>().unwrap().is_reached(&began, &now);
        assert!(reached("n2 decided 150", [progress("n1", 100, 4), progress("n2", 150, 1)]));
        assert!(!reached("n2 decided 150", [progress("n1", 150, 4), progress("n2", 149, 1)]));
        assert!(!reached("leader adopted", began.clone()));
        assert!(reached("leader adopted", [progress("n1", 100, 4), progress("n2", 100, 2)]));
        assert!(reached("leader adopted", [progress("n1", 100, 1), progress("n2", 100, 1)]), "n1 restarted");
    }
}
