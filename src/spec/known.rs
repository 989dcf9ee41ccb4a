//! The section `[known]`: an outcome that is known, for `bench known`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[known]`: an outcome that is known, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Known {
    /// The verdict: valid, invalid or unknown; of a spec with variants a table with that of each.
    pub expect: Expected,
    /// The name of the system, where that of `cluster.system` says little.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Who says so: an address, an issue, a page of the system's documentation.
    pub source: String,
    /// The seed with which it is run.
    #[serde(default = "first_seed")]
    pub seed: u64,
}

fn first_seed() -> u64 {
    1
}

/// The verdict that is expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Expected {
    /// Of every variant.
    One(Verdict),
    /// Of each variant by its name.
    Each(BTreeMap<String, Verdict>),
}

/// A verdict that can be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// The system keeps its promise.
    Valid,
    /// It breaks its promise.
    Invalid,
    /// The run does not prove enough.
    Unknown,
}

impl Verdict {
    /// Its word in reports.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
        }
    }
}

impl Known {
    /// What is expected, of all variants.
    pub(crate) fn in_words(&self) -> String {
        match &self.expect {
            Expected::One(verdict) => verdict.word().to_owned(),
            Expected::Each(verdicts) => {
                let each = verdicts.iter().map(|(variant, verdict)| format!("{variant} {}", verdict.word()));
                each.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// Refuses expectations that do not fit the variants of the spec.
    pub(crate) fn check(&self, variants: &[&str]) -> Result<(), String> {
        let Expected::Each(verdicts) = &self.expect else { return Ok(()) };
        let named = |name: &&str| verdicts.contains_key(*name);
        if let Some(missing) = variants.iter().find(|name| !named(name)) {
            return Err(format!("expect does not say what is known of the variant \"{missing}\""));
        }
        let odd = verdicts.keys().find(|name| !variants.contains(&name.as_str()));
        odd.map_or(Ok(()), |odd| Err(format!("expect names \"{odd}\", and the spec has no such variant")))
    }

    /// The verdict that is expected of a variant; none if it is not said.
    pub(crate) fn of(&self, variant: &str) -> Option<Verdict> {
        match &self.expect {
            Expected::One(verdict) => Some(*verdict),
            Expected::Each(verdicts) => verdicts.get(variant).copied(),
        }
    }
}
