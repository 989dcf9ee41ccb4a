//! The results of an audit as files: `audit.csv`, `audit.md` and `audit.png`.

use super::{Score, name_of};
use crate::failure::Failure;
use report::curves::wilson;
use report::rates::{Rates, Row, draw};
use std::fmt::Write;
use std::path::Path;

/// Where the runs of an audit were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In virtual time.
    Simulated,
    /// In real processes on this machine.
    Real,
}

impl Place {
    /// Its word in tables.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Real => "real",
        }
    }
}

/// Writes the three files.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn write(folder: &Path, place: Place, seed: u64, scores: &[Score]) -> Result<(), Failure> {
    for (name, text) in [("audit.csv", csv(place, scores)), ("audit.md", markdown(place, scores))] {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| Failure::io(&path, &error))?;
    }
    let row = |score: &Score| Row {
        label: name_of(score.flaw).to_owned(),
        shares: vec![(score.detected, score.runs)],
    };
    let rates = Rates {
        title: "Known mistakes found by one search that knows none of them".to_owned(),
        origin: format!("seed {seed}"),
        sentence: "The share of runs that broke a promise, with 95 % intervals; of the sound store it is the rate of false alarms"
            .to_owned(),
        names: vec![place.word().to_owned()],
        rows: scores.iter().map(row).collect(),
    };
    let path = folder.join("audit.png");
    draw(&rates, &path).map_err(|error| Failure::bench(path.display().to_string(), error.to_string()))
}

fn csv(place: Place, scores: &[Score]) -> String {
    let mut csv =
        "flaw,place,runs,detected,rate,low,high,unknown,median_runs,median_seconds,checks\n".to_owned();
    for score in scores {
        let (low, high) = wilson(score.detected, score.runs);
        let checks: Vec<_> = score.checks.iter().map(|(check, count)| format!("{check} {count}")).collect();
        writeln!(
            csv,
            "{},{},{},{},{:.4},{low:.4},{high:.4},{},{},{},{}",
            name_of(score.flaw),
            place.word(),
            score.runs,
            score.detected,
            score.detected as f64 / score.runs.max(1) as f64,
            score.unknown,
            score.median_runs.map_or(String::new(), |runs| runs.to_string()),
            score.median_seconds.map_or(String::new(), |seconds| format!("{seconds:.3}")),
            checks.join(" + ")
        )
        .expect("a text takes every line");
    }
    csv
}

fn markdown(place: Place, scores: &[Score]) -> String {
    let mut table = format!(
        "| flaw | runs that broke a promise ({}) | 95 % interval | median runs | median time | by |\n|---|---|---|---|---|---|\n",
        place.word()
    );
    for score in scores {
        let (low, high) = wilson(score.detected, score.runs);
        let mut checks: Vec<_> = score.checks.iter().collect();
        checks.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let checks: Vec<_> = checks.iter().map(|(check, count)| format!("{check} {count}")).collect();
        writeln!(
            table,
            "| {} | {} of {} | {:.2} to {:.2} % | {} | {} | {} |",
            score.flaw.map_or("none (sound)".to_owned(), |flaw| format!("`{flaw}`")),
            score.detected,
            score.runs,
            low * 100.0,
            high * 100.0,
            score.median_runs.map_or("–".to_owned(), |runs| runs.to_string()),
            score.median_seconds.map_or("–".to_owned(), |seconds| format!("{seconds:.2} s")),
            checks.join(", ")
        )
        .expect("a text takes every line");
    }
    table
}
