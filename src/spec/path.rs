//! The path of a key in a spec: `fault.1.at` as text and as steps into a parsed document.

use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Into a table, by key.
    Key(String),
    /// Into an array, counted from 0; people count from 1.
    Item(usize),
}

/// The path of a value in a spec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeyPath(pub Vec<Step>);

impl KeyPath {
    /// Reads `cluster.paxos.backoff.kind` or `fault.1.at`; a number is an index into a list, counted from 1.
    pub(crate) fn parse(dotted: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        for part in dotted.split('.') {
            steps.push(match part.parse::<usize>() {
                Ok(0) => return Err("the entries of a list are counted from 1".to_owned()),
                Ok(number) => Step::Item(number - 1),
                Err(_) if part.is_empty() => return Err(format!("\"{dotted}\" has an empty part")),
                Err(_) => Step::Key(part.to_owned()),
            });
        }
        Ok(Self(steps))
    }

    /// The path serde was at when it failed.
    pub(crate) fn from_serde(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment;
        Self(
            path.iter()
                .filter_map(|segment| match segment {
                    Segment::Seq { index } => Some(Step::Item(*index)),
                    Segment::Map { key } => Some(Step::Key(key.clone())),
                    Segment::Enum { .. } | Segment::Unknown => None,
                })
                .collect(),
        )
    }

    /// This path and one more key.
    #[must_use]
    pub(crate) fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    /// This path and one more list index (from 0).
    #[must_use]
    pub(crate) fn item(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Item(index));
        Self(steps)
    }

    /// Whether `other` is this entry or stands inside it.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, step) in self.0.iter().enumerate() {
            if depth > 0 {
                f.write_str(".")?;
            }
            match step {
                Step::Key(key) => f.write_str(key)?,
                Step::Item(index) => write!(f, "{}", index + 1)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyPath, Step};

    #[test]
    fn path_counts_list_entries_from_one() {
        let path = KeyPath::parse("fault.2.at").unwrap();
        assert_eq!(path.0[1], Step::Item(1));
        assert_eq!(path.to_string(), "fault.2.at");
        assert!(KeyPath::parse("fault.0.at").is_err());
        assert!(KeyPath::parse("fault..at").is_err());
    }
}
