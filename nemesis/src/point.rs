//! Logical points of a run: a fault may wait for one of them instead of a time.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a node has done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Its name.
    pub node: String,
    /// How many slots it knows the decisions of, from the first on.
    pub decided: u64,
    /// How often its ballot was adopted, or it was elected, since its process started.
    pub adopted: u64,
    /// How often its ballot was preempted since its process started.
    pub preempted: u64,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Decided,
    Adopted,
    Preempted,
}

impl What {
    const ALL: [Self; 3] = [Self::Decided, Self::Adopted, Self::Preempted];

    fn word(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Adopted => "adopted",
            Self::Preempted => "preempted",
        }
    }

    fn of(self, progress: &Progress) -> u64 {
        match self {
            Self::Decided => progress.decided,
            Self::Adopted => progress.adopted,
            Self::Preempted => progress.preempted,
        }
    }
}

/// A logical point: `n2 decided 500`, `leader adopted`, `any preempted 3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// A node; none means whichever is first.
    node: Option<String>,
    what: What,
    count: u64,
}

impl Point {
    /// The node it is about, if it is about one.
    pub(crate) fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// Whether it is reached, given what the nodes had done when the load began. Slots are counted from the first,
    /// everything else from then.
    pub fn is_reached(&self, began: &[Progress], now: &[Progress]) -> bool {
        let before = |node: &str| {
            let before = began.iter().find(|other| other.node == node);
            if self.what == What::Decided { 0 } else { before.map_or(0, |before| self.what.of(before)) }
        };
        now.iter().filter(|one| self.node.as_ref().is_none_or(|node| *node == one.node)).any(|one| {
            let (before, count) = (before(&one.node), self.what.of(one));
            // A process that started anew counts from nothing.
            count.checked_sub(before).unwrap_or(count) >= self.count
        })
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.node.as_deref().unwrap_or(if self.what == What::Decided { "any" } else { "leader" });
        write!(f, "{who} {}", self.what.word())?;
        if self.what == What::Decided || self.count > 1 { write!(f, " {}", self.count) } else { Ok(()) }
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const HOW: &str = "write for example \"n2 decided 500\", \"leader adopted\" or \"any preempted 3\"";
        let mut words = text.split_whitespace();
        let (Some(who), Some(what)) = (words.next(), words.next()) else {
            return Err(format!("`{text}` is no point of a run; {HOW}"));
        };
        let Some(what) = What::ALL.into_iter().find(|known| known.word() == what) else {
            return Err(format!("nothing is known to be `{what}`; {HOW}"));
        };
        let count = match words.next() {
            Some(count) => count.parse().map_err(|_| format!("`{count}` is no number; {HOW}"))?,
            None if what == What::Decided => return Err(format!("it does not say how many slots; {HOW}")),
            None => 1,
        };
        if count == 0 || words.next().is_some() {
            return Err(format!("`{text}` is no point of a run; {HOW}"));
        }
        Ok(Self { node: (!matches!(who, "any" | "leader")).then(|| who.to_owned()), what, count })
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

/// What `after` can be, for the reference of keys.
const AFTER: &str = "a table such as { fault = 1, by = \"200ms\" }";

/// `after = { fault = 1, by = "200ms" }`: so long after another fault was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("title" = AFTER))]
pub struct After {
    /// Which `[[fault]]` of the spec, counted from 1.
    pub fault: u32,
    /// How long after its start; at once when left out.
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
    fn points_are_read_as_they_are_written() {
        for text in
            ["n2 decided 500", "leader adopted", "any decided 7", "n1 preempted 3", "leader adopted 2"]
        {
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
        assert!(
            reached("leader adopted", [progress("n1", 100, 1), progress("n2", 100, 1)]),
            "n1 started anew"
        );
    }
}
