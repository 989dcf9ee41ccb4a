//! Searches side by side: how many runs each needs to the first detection of a flaw, and the ratio to the first search.
//!
//! *Problem*: hunts end at a detection or at their last run, so a mean of their lengths is too low for what is rare.
//!
//! *Idea*: runs per detection, all runs by all detections, is the maximum-likelihood estimate for waiting times that end early. The
//! ratio of two searches has a 95 % interval from the bootstrap (Efron 1979): hunts drawn again with replacement. So has
//! the geometric mean of the ratios of several flaws, with the hunts of each flaw drawn again.

use super::{Run, name_of};
use crate::failure::Failure;
use crate::hunt::Search;
use node::flaw::Flaw;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Bootstrap samples.
const SAMPLES: usize = 2_000;
/// Detections of a sample of hunts that has none: half a detection, so that its ratio is a number.
const NONE: f64 = 0.5;

/// The hunts for one flaw with one search.
#[derive(Debug, Clone)]
pub(crate) struct Hunts {
    /// The flaw; none of the sound store.
    pub flaw: Option<Flaw>,
    /// The search.
    pub search: Search,
    /// The runs and seconds of each hunt, and whether its last run is a detection.
    each: Vec<(u64, f64, bool)>,
    unknown: u64,
    checks: BTreeMap<String, u64>,
}

impl Hunts {
    /// The hunts with these runs.
    ///
    /// # Errors
    /// The first failure of a run.
    pub(super) fn of(
        flaw: Option<Flaw>,
        search: Search,
        hunts: Vec<Result<Vec<Run>, Failure>>,
    ) -> Result<Self, Failure> {
        let mut all = Self { flaw, search, each: Vec::new(), unknown: 0, checks: BTreeMap::new() };
        for runs in hunts {
            let runs = runs?;
            let seconds = runs.iter().map(|run| run.seconds).sum();
            let last = runs.last().filter(|run| run.is_detection());
            all.each.push((runs.len() as u64, seconds, last.is_some()));
            all.unknown += runs.iter().filter(|run| run.answer == report::Answer::Unknown).count() as u64;
            if let Some(check) = last.and_then(|run| run.check.clone()) {
                *all.checks.entry(check).or_default() += 1;
            }
        }
        Ok(all)
    }

    /// How many hunts detected it.
    pub(crate) fn detected(&self) -> u64 {
        self.each.iter().map(|(.., found)| u64::from(*found)).sum()
    }

    /// All runs.
    pub(crate) fn runs(&self) -> u64 {
        self.each.iter().map(|(runs, ..)| runs).sum()
    }

    /// How many hunts there were.
    pub(crate) fn count(&self) -> usize {
        self.each.len()
    }

    /// Runs per detection; none without a detection.
    pub(crate) fn runs_each(&self) -> Option<f64> {
        (self.detected() > 0).then(|| self.runs() as f64 / self.detected() as f64)
    }

    /// The median of the runs to a detection; none if fewer than half of the hunts detected it.
    fn median(&self) -> Option<(u64, f64)> {
        let mut sorted: Vec<(u64, f64)> = self
            .each
            .iter()
            .map(|(runs, seconds, found)| if *found { (*runs, *seconds) } else { (u64::MAX, f64::MAX) })
            .collect();
        sorted.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
        sorted.get(sorted.len() / 2).copied().filter(|(runs, _)| *runs < u64::MAX)
    }

    /// Runs per detection of hunts that are drawn again.
    fn drawn(&self, rng: &mut ChaCha8Rng) -> f64 {
        let (mut runs, mut detected) = (0, 0);
        for _ in 0..self.each.len() {
            let (own, _, found) = self.each[rng.random_range(0..self.each.len())];
            runs += own;
            detected += u64::from(found);
        }
        runs as f64 / if detected == 0 { NONE } else { detected as f64 }
    }

    fn estimate(&self) -> f64 {
        self.runs_each().unwrap_or(self.runs() as f64 / NONE)
    }
}

/// A ratio with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    /// The ratio.
    pub value: f64,
    /// The interval.
    pub interval: (f64, f64),
}

/// The geometric mean of the ratios of runs per detection, one search against another, over pairs of hunts.
pub(crate) fn ratio(pairs: &[(&Hunts, &Hunts)]) -> Ratio {
    let mean = |of: &mut dyn FnMut(&Hunts) -> f64| {
        let logs: f64 = pairs.iter().map(|(one, other)| (of(one) / of(other)).ln()).sum();
        (logs / pairs.len().max(1) as f64).exp()
    };
    let value = mean(&mut |hunts| hunts.estimate());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut samples: Vec<f64> = (0..SAMPLES).map(|_| mean(&mut |hunts| hunts.drawn(&mut rng))).collect();
    samples.sort_by(f64::total_cmp);
    Ratio { value, interval: (samples[SAMPLES / 40], samples[SAMPLES - 1 - SAMPLES / 40]) }
}

/// The pairs of a search and the first one, for every flaw that took the first one more than a number of runs per detection.
fn pairs(all: &[Hunts], search: Search, more_than: f64) -> Vec<(&Hunts, &Hunts)> {
    let first = all.first().map_or(Search::Random, |hunts| hunts.search);
    let of = |flaw, search| all.iter().find(|hunts| hunts.flaw == flaw && hunts.search == search);
    let bases = all.iter().filter(|base| base.search == first && base.flaw.is_some());
    let bases = bases.filter(|base| base.runs_each().is_some_and(|runs| runs > more_than));
    bases.filter_map(|base| Some((of(base.flaw, search)?, base))).collect()
}

/// Sentences about every search but the first: its ratio over all flaws, and over those that are not easy for the first.
pub(crate) fn sentences(all: &[Hunts]) -> Vec<String> {
    let mut searches: Vec<Search> = all.iter().map(|hunts| hunts.search).collect();
    searches.sort_unstable();
    searches.dedup();
    let Some(first) = all.first().map(|hunts| hunts.search) else { return Vec::new() };
    let mut sentences = Vec::new();
    for search in searches.into_iter().filter(|search| *search != first) {
        for (more_than, whom) in
            [(0.0, "all flaws that it found"), (2.0, "those that took it more than 2 runs")]
        {
            let pairs = pairs(all, search, more_than);
            if pairs.is_empty() {
                continue;
            }
            let Ratio { value, interval: (low, high) } = ratio(&pairs);
            sentences.push(format!(
                "{} needed {value:.2} times the runs of {} ({low:.2} to {high:.2}), geometric mean of {whom}: {}",
                search.word(),
                first.word(),
                pairs.len()
            ));
        }
    }
    sentences
}

/// Writes `hunts.csv` and `hunts.md`.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn write(folder: &Path, all: &[Hunts]) -> Result<(), Failure> {
    for (name, text) in [("hunts.csv", csv(all)), ("hunts.md", markdown(all))] {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| Failure::io(&path, &error))?;
    }
    Ok(())
}

fn csv(all: &[Hunts]) -> String {
    let mut csv = "flaw,search,hunts,detected,runs,unknown,runs_per_detection,median_runs,median_seconds,ratio,low,high,checks,lengths\n"
        .to_owned();
    for hunts in all {
        let base = all.iter().find(|base| base.flaw == hunts.flaw);
        let compared = base.filter(|base| base.search != hunts.search && base.detected() > 0);
        let compared = compared.map(|base| ratio(&[(hunts, base)]));
        let ratio = compared.map_or(",,".to_owned(), |Ratio { value, interval: (low, high) }| {
            format!("{value:.4},{low:.4},{high:.4}")
        });
        let checks: Vec<_> = hunts.checks.iter().map(|(check, count)| format!("{check} {count}")).collect();
        let median = hunts.median();
        let length =
            |(runs, _, found): &(u64, f64, bool)| if *found { runs.to_string() } else { format!("{runs}+") };
        let lengths: Vec<_> = hunts.each.iter().map(length).collect();
        writeln!(
            csv,
            "{},{},{},{},{},{},{},{},{},{ratio},{},{}",
            name_of(hunts.flaw),
            hunts.search.word(),
            hunts.count(),
            hunts.detected(),
            hunts.runs(),
            hunts.unknown,
            hunts.runs_each().map_or(String::new(), |runs| format!("{runs:.2}")),
            median.map_or(String::new(), |(runs, _)| runs.to_string()),
            median.map_or(String::new(), |(_, seconds)| format!("{seconds:.3}")),
            checks.join(" + "),
            lengths.join(" ")
        )
        .expect("a text takes every line");
    }
    csv
}

fn markdown(all: &[Hunts]) -> String {
    let mut searches: Vec<Search> = Vec::new();
    for hunts in all {
        if !searches.contains(&hunts.search) {
            searches.push(hunts.search);
        }
    }
    let mut table = "| flaw |".to_owned();
    for (index, search) in searches.iter().enumerate() {
        let more = if index > 0 { " ratio (95 %) |" } else { "" };
        write!(table, " {}: runs a detection (hunts) |{more}", search.word())
            .expect("a text takes every line");
    }
    let columns = 2 * searches.len();
    writeln!(table, "\n|{}", "---|".repeat(columns)).expect("a text takes every line");
    let mut flaws: Vec<Option<Flaw>> = Vec::new();
    for hunts in all {
        if !flaws.contains(&hunts.flaw) {
            flaws.push(hunts.flaw);
        }
    }
    for flaw in flaws {
        let of = |search| all.iter().find(|hunts| hunts.flaw == flaw && hunts.search == search);
        let mut row = format!("| {} |", flaw.map_or("none (sound)".to_owned(), |flaw| format!("`{flaw}`")));
        let base = searches.first().and_then(|search| of(*search));
        for (index, search) in searches.iter().enumerate() {
            let cell = of(*search).map_or("–".to_owned(), cell);
            write!(row, " {cell} |").expect("a text takes every line");
            if index > 0 {
                let both = of(*search).zip(base.filter(|base| base.detected() > 0));
                let compared = both.map_or("–".to_owned(), |(own, base)| {
                    let Ratio { value, interval: (low, high) } = ratio(&[(own, base)]);
                    format!("{value:.2} ({low:.2} to {high:.2})")
                });
                write!(row, " {compared} |").expect("a text takes every line");
            }
        }
        writeln!(table, "{row}").expect("a text takes every line");
    }
    for sentence in sentences(all) {
        write!(table, "\n{sentence}.\n").expect("a text takes every line");
    }
    table
}

/// `81.0 (18 of 20)`.
fn cell(hunts: &Hunts) -> String {
    let runs =
        hunts.runs_each().map_or_else(|| format!("none in {}", hunts.runs()), |runs| format!("{runs:.1}"));
    format!("{runs} ({} of {})", hunts.detected(), hunts.count())
}

#[cfg(test)]
mod tests {
    use super::{Hunts, ratio, sentences};
    use crate::hunt::Search;
    use node::flaw::Flaw;
    use std::collections::BTreeMap;

    fn hunts(search: Search, hunts: &[(u64, bool)]) -> Hunts {
        Hunts {
            flaw: Some(Flaw::ALL[0]),
            search,
            each: hunts.iter().map(|(runs, found)| (*runs, 1.0, *found)).collect(),
            unknown: 0,
            checks: BTreeMap::new(),
        }
    }

    #[test]
    fn hunts_without_detection_count_their_runs() {
        let one = hunts(Search::Random, &[(10, true), (30, false), (20, true)]);
        assert_eq!((one.runs_each(), one.median().map(|it| it.0)), (Some(30.0), Some(20)));
        assert_eq!(hunts(Search::Random, &[(30, false)]).runs_each(), None);
    }

    #[test]
    fn interval_holds_the_ratio() {
        let slow = hunts(Search::Random, &[(10, true), (30, true), (20, true), (12, true)]);
        let fast = hunts(Search::Guided, &[(2, true), (3, true), (5, true), (8, true)]);
        let compared = ratio(&[(&fast, &slow)]);
        assert!((compared.value - 0.25).abs() < 1e-9);
        assert!(compared.interval.0 < 0.25 && 0.25 < compared.interval.1 && compared.interval.1 < 1.0);
        assert_eq!(sentences(&[slow, fast]).len(), 2);
    }
}
