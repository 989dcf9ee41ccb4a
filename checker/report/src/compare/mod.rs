//! Two sides beside each other: which figures differ by more than noise, and which became worse.
//!
//! Where both sides have enough rounds, rounds are what is drawn again; else blocks of time of the runs. Rounds know the
//! noise between one start and the next, blocks only the noise within a run. Each row says which it was.

mod blocks;
mod interval;
mod measure;
mod picture;
mod rows;
mod side;
mod table;
mod words;

#[cfg(test)]
mod tests;

pub use measure::{Measure, UnknownMeasure};
pub use side::Subject;
pub use words::percent;

use crate::ResultsError;
use crate::plot::PictureOptions;
use serde::Serialize;
use side::{Group, Side};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is drawn again where there are enough rounds.
const ROUNDS: &str = "rounds";

/// Why two sides cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file cannot be read.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// There is no such folder.
    #[error("{}: there is no such folder", .0.display())]
    NoFolder(PathBuf),
    /// There are no results in a folder.
    #[error("{}: there is no run and no sweep in this folder", .0.display())]
    NoResults(PathBuf),
    /// A run has no verdict.
    #[error("{}: this run has no verdict.json; `bench report` writes it", .0.display())]
    NotJudged(PathBuf),
    /// Both sides are about different subjects.
    #[error("the two have nothing in common: the first has {a}, the second has {b}")]
    NothingInCommon {
        /// What the first is about.
        a: String,
        /// What the second is about.
        b: String,
    },
}

/// What to compare, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareOptions {
    /// By how much a figure may become worse, as a share: 0.1 is 10 %.
    pub threshold: f64,
    /// Other thresholds for some figures.
    pub thresholds: BTreeMap<Measure, f64>,
    /// How sure an interval is, as a share.
    pub confidence: f64,
    /// Figures that must be clear for the answer to be that nothing became worse.
    pub required: Vec<Measure>,
    /// The seed of the draws.
    pub seed: u64,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self {
            threshold: 0.1,
            thresholds: BTreeMap::new(),
            confidence: 0.99,
            required: vec![Measure::Throughput, Measure::P50, Measure::P99],
            seed: 0,
        }
    }
}

impl CompareOptions {
    fn threshold(&self, measure: Measure) -> f64 {
        self.thresholds.get(&measure).copied().unwrap_or(self.threshold)
    }
}

/// What the interval of a change says, beside the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// All of it is beyond the threshold, for the worse.
    Worse,
    /// All of it is beyond the threshold, for the better.
    Better,
    /// All of it is within the threshold.
    Same,
    /// None of it is beyond the threshold for the worse.
    NotWorse,
    /// It reaches from one side of the threshold to the other, or there is no interval.
    Unclear,
}

impl Change {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Same => "same",
            Self::NotWorse => "not worse",
            Self::Unclear => "unclear",
        }
    }
}

/// One figure of one subject on both sides. Ratios are B over A.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Which figure.
    pub figure: Measure,
    /// Its value on the side A: the median of the rounds, or that over all blocks.
    pub a: f64,
    /// Its value on the side B.
    pub b: f64,
    /// B over A; none where A is 0.
    pub ratio: Option<f64>,
    /// The interval of that ratio.
    pub interval: Option<(f64, f64)>,
    /// What the interval says.
    pub change: Change,
    /// Why there is no interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it must be clear.
    pub required: bool,
}

/// One subject on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// What it is on the side A.
    pub a: Subject,
    /// What it is on the side B.
    pub b: Subject,
    /// How many rounds each side has.
    pub rounds: (usize, usize),
    /// How often each side has each answer: `5 valid`.
    pub answers: (String, String),
    /// Whether a promise was broken on the side B and on A in no round.
    pub newly_broken: bool,
    /// What was drawn again: `rounds`, or `blocks of 0.5 s`.
    pub drawn: String,
    /// The figures.
    pub rows: Vec<Row>,
}

impl Pair {
    /// The figures that became worse, over rounds. Two runs of the same system differ by more than their blocks do, so that
    /// blocks prove nothing.
    fn worse(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.change == Change::Worse && self.drawn == ROUNDS)
    }

    /// The required figures that are worse by blocks.
    fn seems_worse(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.required && row.change == Change::Worse && self.drawn != ROUNDS)
    }
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing became worse by more than the threshold.
    NoRegression,
    /// Something did, or a promise is broken that was kept.
    Regression,
    /// There is too little data to say so.
    TooLittleData,
}

/// Two sides beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What it comes to.
    pub outcome: Outcome,
    /// The same in a sentence.
    pub sentence: String,
    /// How sure the intervals are, as a share.
    pub confidence: f64,
    /// By how much a figure may become worse, as a share.
    pub threshold: f64,
    /// The seed of the draws.
    pub seed: u64,
    /// Each subject that both sides have.
    pub pairs: Vec<Pair>,
    /// Subjects of A that B does not have.
    pub only_a: Vec<String>,
    /// Subjects of B that A does not have.
    pub only_b: Vec<String>,
    /// What a reader must know besides, a sentence each.
    pub notes: Vec<String>,
}

/// Compares two folders: runs, variants of runs, sweeps, or folders of these.
///
/// # Errors
/// When a folder has no results, or both have nothing in common.
pub fn compare(a: &Path, b: &Path, options: &CompareOptions) -> Result<Comparison, CompareError> {
    let (a, b) = (Side::read(a)?, Side::read(b)?);
    let pairs = matched(&a, &b)?;
    let unmatched = |side: &Side, is_in: &dyn Fn(&Group) -> bool| -> Vec<String> {
        side.groups.iter().filter(|group| !is_in(group)).map(|group| group.subject.name()).collect()
    };
    let only_a = unmatched(&a, &|group| pairs.iter().any(|pair| std::ptr::eq(pair.0, group)));
    let only_b = unmatched(&b, &|group| pairs.iter().any(|pair| std::ptr::eq(pair.1, group)));
    let notes = words::notes(&a, &b, &pairs);
    let pairs: Vec<Pair> = pairs.into_iter().map(|(a, b)| rows::pair(a, b, options)).collect();
    let outcome = outcome(&pairs, &only_a);
    Ok(Comparison {
        outcome,
        sentence: words::sentence(outcome, &pairs, &only_a, options),
        confidence: options.confidence,
        threshold: options.threshold,
        seed: options.seed,
        pairs,
        only_a,
        only_b,
        notes,
    })
}

impl Comparison {
    /// The comparison as CSV: a row for each figure of each subject.
    pub fn csv(&self) -> Vec<u8> {
        table::csv(self)
    }

    /// The comparison as a picture: the interval of each ratio.
    pub fn png(&self) -> Vec<u8> {
        picture::draw(self).png(&PictureOptions::default())
    }
}

/// The groups of the same subject. Where each side is about one spec, or about one subject, names may differ.
fn matched<'a>(a: &'a Side, b: &'a Side) -> Result<Vec<(&'a Group, &'a Group)>, CompareError> {
    if let ([a], [b]) = (a.groups.as_slice(), b.groups.as_slice()) {
        return Ok(vec![(a, b)]);
    }
    let one_spec =
        |side: &Side| side.groups.windows(2).all(|pair| pair[0].subject.spec == pair[1].subject.spec);
    let any_spec = one_spec(a) && one_spec(b);
    let same = |a: &Subject, b: &Subject| {
        (any_spec || a.spec == b.spec) && a.point == b.point && a.variant == b.variant
    };
    let pairs: Vec<_> = a
        .groups
        .iter()
        .filter_map(|one| Some((one, b.groups.iter().find(|other| same(&one.subject, &other.subject))?)))
        .collect();
    if pairs.is_empty() {
        let names = |side: &Side| {
            let names: Vec<String> = side.groups.iter().map(|group| group.subject.name()).collect();
            names.join("; ")
        };
        return Err(CompareError::NothingInCommon { a: names(a), b: names(b) });
    }
    Ok(pairs)
}

fn outcome(pairs: &[Pair], only_a: &[String]) -> Outcome {
    let rows = || pairs.iter().flat_map(|pair| &pair.rows);
    let missing = |pair: &Pair| !pair.rows.iter().any(|row| row.required);
    if pairs.iter().any(|pair| pair.newly_broken || pair.worse().next().is_some()) {
        Outcome::Regression
    } else if rows().any(|row| row.required && row.change == Change::Unclear)
        || pairs.iter().any(|pair| missing(pair) || pair.seems_worse().next().is_some())
        || !only_a.is_empty()
    {
        Outcome::TooLittleData
    } else {
        Outcome::NoRegression
    }
}
