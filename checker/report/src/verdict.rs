//! The answer of a run: per check, per variant, and combined.

use super::digest::DigestRound;
use super::faults::FaultRecord;
use super::logs::LogPattern;
use super::obligations::Obligation;
use super::outages::Outage;
use super::plan::Helpers;
use super::recovery::Recovery;
use super::rounds::VariantMedians;
use super::statistics::Summary;
use super::violation::Violation;
use super::warnings::Warning;
use checker::transactions::Consistency;
use serde::{Deserialize, Serialize};

/// What a check, a variant or a run says. The order is the order of combination: the greatest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Every promise was kept, and enough happened to say so.
    Valid,
    /// There is not enough evidence, or the search gave up.
    Unknown,
    /// The bench itself failed.
    Failed,
    /// A promise was broken.
    Invalid,
}

impl Answer {
    /// The word that files and people use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
        }
    }

    /// Invalid beats failed beats unknown beats valid. Nothing at all is unknown.
    pub fn combined(answers: impl IntoIterator<Item = Self>) -> Self {
        answers.into_iter().max().unwrap_or(Self::Unknown)
    }
}

impl From<checker::Answer> for Answer {
    fn from(answer: checker::Answer) -> Self {
        match answer {
            checker::Answer::Valid => Self::Valid,
            checker::Answer::Unknown => Self::Unknown,
            checker::Answer::Invalid => Self::Invalid,
        }
    }
}

/// One check: what it says and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name: `linearizable`, `agreement`, `digest`, `load`, `faults`, `processes`, `liveness`,
    /// `logs`, `obligations` or `complete`.
    pub name: &'static str,
    /// What it says.
    pub answer: Answer,
    /// Why, in one sentence.
    pub reason: String,
    /// What shows it, a line each: violated operations, figures, names of files.
    pub evidence: Vec<String>,
    /// How often it could have failed, and the noun of what was looked at; none where that is no number.
    #[serde(skip)]
    pub(crate) tried: Option<(u64, &'static str)>,
    /// The violation step by step, for the page.
    #[serde(skip)]
    pub(crate) violation: Option<Box<Violation>>,
}

impl Check {
    pub(crate) fn new(name: &'static str, answer: Answer, reason: impl Into<String>) -> Self {
        Self { name, answer, reason: reason.into(), evidence: Vec::new(), tried: None, violation: None }
    }

    pub(crate) fn with(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    pub(crate) fn violated(mut self, violation: Option<Violation>) -> Self {
        self.violation = violation.map(Box::new);
        self
    }

    /// Says how often it could have failed, in so many of what the noun names.
    pub(crate) fn tried(mut self, count: u64, noun: &'static str) -> Self {
        self.tried = Some((count, noun));
        self
    }
}

/// The answer about one variant, with its figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantVerdict {
    /// Its name, which is that of its folder.
    pub variant: String,
    /// The variant of the spec that it is one round of, where each runs several times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// How competing leaders wait, in words, where the plan says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<String>,
    /// What a power loss may take from its disks, in words, where they are the bench's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    /// What the system promised about its transactions, where that is less than strict serializability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promise: Option<Consistency>,
    /// The combined answer.
    pub answer: Answer,
    /// Every check.
    pub checks: Vec<Check>,
    /// What must have been seen before the checks count, with counts.
    pub obligations: Vec<Obligation>,
    /// What makes the answer weaker than it looks; in the file they stand together at its top.
    #[serde(skip)]
    pub warnings: Vec<Warning>,
    /// Each pattern that was looked for in the logs, with the lines that matched it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogPattern>,
    /// The digests of the nodes' states, each time that they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<DigestRound>,
    /// How many helpers were started and given up, where clients are helpers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helpers: Option<Helpers>,
    /// The figures of `summary.csv`.
    pub summary: Summary,
    /// Each fault with its course.
    pub faults: Vec<FaultRecord>,
    /// What each fault cost.
    pub outages: Vec<Outage>,
    /// How each node came back that a fault had silenced.
    pub recoveries: Vec<Recovery>,
    /// What is odd about the files it was judged from.
    pub notes: Vec<String>,
}

impl VariantVerdict {
    /// Its name in the spec.
    pub fn of(&self) -> &str {
        self.of.as_deref().unwrap_or(&self.variant)
    }

    /// The violation that was found first, also where something excuses the system.
    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.checks.iter().find_map(|check| check.violation.as_deref())
    }
}

/// The answer of a whole run: `verdict.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunVerdict {
    /// The combined answer.
    pub answer: Answer,
    /// The answer in one plain sentence.
    pub sentence: String,
    /// What the run shows, where variants differ in how competing leaders wait: livelock or not, and what it costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<String>,
    /// What makes the answer weaker than it looks, over all variants.
    pub warnings: Vec<Warning>,
    /// Name of the spec.
    pub spec: String,
    /// What the spec is for.
    pub about: String,
    /// The seed.
    pub seed: u64,
    /// When it began, in UTC (RFC 3339).
    pub started: String,
    /// The machine it ran on.
    pub machine: String,
    /// The command that does it again, as it can be typed in its folder.
    pub again: String,
    /// Version of the bench that ran it.
    pub bench: String,
    /// Version of the checker that judged it.
    pub checker: String,
    /// How often each variant ran.
    pub rounds: u32,
    /// Each variant of the spec: medians over its rounds, with their ranges.
    pub medians: Vec<VariantMedians>,
    /// Each variant (each round of each, where there are several), in the order of the plan.
    pub variants: Vec<VariantVerdict>,
}

impl RunVerdict {
    /// Whether competing leaders are what the run is about: its variants differ in backoff and a leader was preempted,
    /// or there was a preemption for each ten decisions.
    pub(crate) fn leaders_compete(&self) -> bool {
        let figures = || self.variants.iter().filter_map(|variant| variant.summary.protocol.as_ref());
        self.reading.is_some()
            && self.differ_in_backoff()
            && figures().any(|figures| figures.preemptions() > 0)
            || figures().any(|figures| figures.preemptions() * 10 > figures.decided)
    }

    /// Whether the variants differ in how their leaders wait.
    pub(crate) fn differ_in_backoff(&self) -> bool {
        self.variants.windows(2).any(|pair| pair[0].backoff != pair[1].backoff)
    }

    /// The checks that are not valid, each with the name of its variant, worst first.
    pub fn complaints(&self) -> Vec<(&str, &Check)> {
        let mut all: Vec<_> = self
            .variants
            .iter()
            .flat_map(|variant| variant.checks.iter().map(|check| (variant.variant.as_str(), check)))
            .filter(|(_, check)| check.answer != Answer::Valid)
            .collect();
        all.sort_by_key(|(_, check)| std::cmp::Reverse(check.answer));
        all
    }
}

/// The text with a capital letter at its beginning.
pub(crate) fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A count with its noun: `1 fault`, `12,345 operations`.
pub(crate) fn many(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// A number with commas between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
