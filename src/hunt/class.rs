//! Classes of violations: what two runs have in common that broke the same promise in the same way.

use report::{Answer, RunVerdict};
use serde::{Deserialize, Serialize};

/// The checks that were violated, and how, without keys, values and nodes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Class(String);

impl Class {
    /// The class of a verdict and the reason of its first violated check; none where no promise was broken.
    pub(crate) fn of(verdict: &RunVerdict) -> Option<(Self, String)> {
        let variant = verdict.variants.iter().find(|one| one.answer == Answer::Invalid)?;
        let first = variant.checks.iter().find(|check| check.answer == Answer::Invalid)?;
        Some((Self::new(first.name, &first.reason), first.reason.clone()))
    }

    /// The class of a variant in `verdict.json`.
    pub(crate) fn of_json(variant: &serde_json::Value) -> Option<Self> {
        let checks = variant["checks"].as_array()?;
        let violated = checks.iter().find(|check| check["answer"] == Answer::Invalid.word())?;
        Some(Self::new(violated["name"].as_str()?, violated["reason"].as_str()?))
    }

    fn new(check: &str, reason: &str) -> Self {
        // One flaw shows as one of several sentences, by what was read before.
        let how = match check {
            "linearizable" if reason.contains("returned nothing") => "a write is gone".to_owned(),
            "linearizable" => "an operation fits no order".to_owned(),
            _ => masked(reason),
        };
        Self(format!("{check}: {how}"))
    }

    /// Whether the same check was violated, in whatever way.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.check() == other.check()
    }

    /// The check that was violated.
    pub(crate) fn check(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// Its words.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first clause of a reason with every number as `#`.
fn masked(reason: &str) -> String {
    let clause = reason.split([';', '(']).next().unwrap_or_default().trim();
    let mut text = String::new();
    for letter in clause.chars() {
        match letter {
            '0'..='9' if text.ends_with('#') => {}
            '0'..='9' => text.push('#'),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Class, masked};

    #[test]
    fn numbers_make_no_other_class() {
        let one = masked("replicas say different commands were decided in 6 slots");
        let two = masked("replicas say different commands were decided in 181 slots; see n2");
        assert_eq!(one, two);
    }

    #[test]
    fn lost_writes_and_stale_reads_are_two_classes() {
        let of = |reason| Class::new("linearizable", reason);
        let stale = of("a read of k2 through n2 returned 890 although 918 had been read before it");
        let gone = of("a read of k2 through n2 returned nothing although 918 had been read before it");
        assert_eq!(stale, of("on key k2 no order of the operations explains read k2 → 318"));
        assert_ne!(stale, gone);
        assert!(stale.is_like(&gone));
    }
}
