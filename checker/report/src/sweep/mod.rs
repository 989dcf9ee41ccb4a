//! A sweep: the same experiment for each value of one key, measured again and again; its table, picture and page.
//!
//! `sweep.json` says what was asked, `measurements.csv` has a row for each measurement that came to its end. Everything
//! else is made from these two, so that a sweep that was interrupted is reported like one that was not.

mod axis;
mod cells;
mod page;
mod picture;
mod tables;

pub use cells::{Cell, Figures};

use super::files::{read_optional, write_whole};
use super::plot::{self, PictureOptions};
use super::verdict::Answer;
use super::{ResultsError, Summary};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The file that makes a folder that of a sweep.
pub const SWEEP: &str = "sweep.json";
/// A row for each measurement.
pub const MEASUREMENTS: &str = "measurements.csv";

/// `sweep.json`: everything that was decided before a sweep began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SweepPlan {
    /// Version of the bench that made it.
    pub bench: String,
    /// Name of the spec.
    pub spec: String,
    /// What the spec is for, in a sentence.
    pub about: String,
    /// The seed all randomness came from.
    pub seed: u64,
    /// When it began, in UTC (RFC 3339).
    pub started: String,
    /// The machine it ran on, in words.
    pub machine: String,
    /// What clients and nodes were, in words, where all variants and values agree in that.
    pub conditions: Vec<String>,
    /// The key of the spec that was varied, for example `load.clients`.
    pub over: String,
    /// Its values as they were written, in the order in which they were measured.
    pub values: Vec<String>,
    /// The variants, in the order in which they were measured at each value.
    pub variants: Vec<String>,
    /// How often each variant was measured at each value.
    pub rounds: u32,
    /// Which variants are compared: each with the one its throughput is divided by.
    pub compare: BTreeMap<String, String>,
    /// Whether every operation was recorded and judged.
    pub recorded: bool,
    /// The command that does it again in the folder of the sweep.
    pub command: String,
}

impl SweepPlan {
    /// The pairs of variants that are compared, in the order of the variants.
    fn compared(&self) -> impl Iterator<Item = (&str, &str)> {
        let with = |one: &'_ String| self.compare.get_key_value(one);
        self.variants.iter().filter_map(with).map(|(one, with)| (one.as_str(), with.as_str()))
    }
}

/// A row of `measurements.csv`. An empty cell means unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The round, from 1.
    pub round: u32,
    /// The value of the axis, as it was written.
    pub value: String,
    /// The variant.
    pub variant: String,
    /// What the operations were found to be: `valid`, …; none where they were not recorded.
    pub answer: Option<Answer>,
    /// For how long operations were begun.
    pub seconds: f64,
    /// Operations that succeeded.
    pub ok: u64,
    /// Operations that did not, or of unknown outcome.
    pub failed: u64,
    /// Successes a second.
    pub throughput_per_s: Option<f64>,
    /// Half of the operations took no longer, in milliseconds.
    pub p50_ms: Option<f64>,
    /// Nine of ten took no longer.
    pub p90_ms: Option<f64>,
    /// 99 of 100 took no longer.
    pub p99_ms: Option<f64>,
    /// 999 of 1,000 took no longer.
    pub p999_ms: Option<f64>,
    /// The slowest one.
    pub max_ms: Option<f64>,
    /// Processor time of all nodes for each operation that succeeded, in microseconds.
    pub cpu_us: Option<f64>,
    /// The most memory that a node ever had, in bytes.
    pub memory_bytes: Option<u64>,
    /// Leaders preempted by a higher ballot, a second.
    pub preemptions_per_s: Option<f64>,
    /// The longest time around a fault without a success, in seconds.
    pub longest_outage_s: Option<f64>,
    /// The folder of the run it is from, relative to that of the sweep; none where nothing was recorded.
    pub run: Option<String>,
}

impl Measurement {
    /// What a judged variant of a run says.
    pub fn of_run(summary: &Summary, answer: Answer) -> Self {
        let latency = summary.latency;
        Self {
            answer: Some(answer),
            seconds: summary.seconds,
            ok: summary.counts.ok,
            failed: summary.counts.failed() + summary.counts.info,
            throughput_per_s: summary.throughput_per_s,
            p50_ms: latency.map(|quantiles| quantiles.p50_ms),
            p90_ms: latency.map(|quantiles| quantiles.p90_ms),
            p99_ms: latency.map(|quantiles| quantiles.p99_ms),
            p999_ms: latency.map(|quantiles| quantiles.p999_ms),
            max_ms: latency.map(|quantiles| quantiles.max_ms),
            preemptions_per_s: summary.protocol.and_then(|it| it.ballots).map(|it| it.preemptions_per_s),
            longest_outage_s: summary.longest_outage_s,
            ..Self::default()
        }
    }
}

impl Default for Measurement {
    /// Nothing measured of nothing, to be filled in.
    fn default() -> Self {
        Self {
            round: 1,
            value: String::new(),
            variant: String::new(),
            answer: None,
            seconds: 0.0,
            ok: 0,
            failed: 0,
            throughput_per_s: None,
            p50_ms: None,
            p90_ms: None,
            p99_ms: None,
            p999_ms: None,
            max_ms: None,
            cpu_us: None,
            memory_bytes: None,
            preemptions_per_s: None,
            longest_outage_s: None,
            run: None,
        }
    }
}

/// What a sweep came to.
#[derive(Debug, Clone, Serialize)]
pub struct SweepReport {
    /// What was asked.
    pub plan: SweepPlan,
    /// The worst answer of all measurements that were judged; unknown if a measurement is missing.
    pub answer: Answer,
    /// What came of it, in sentences made of measured figures only.
    pub reading: Vec<String>,
    /// A cell for each value and variant that was measured, in the order of the plan.
    pub cells: Vec<Cell>,
    /// How many measurements there are, and how many there should be.
    pub measured: (usize, usize),
}

/// Reads the two files of a sweep, and writes `sweep.csv`, `sweep.png` and `report.html`.
///
/// # Errors
/// When a file is missing, is not what it should be, or cannot be written.
pub fn report(dir: &Path, options: &PictureOptions) -> Result<SweepReport, ResultsError> {
    let plan = read_plan(&dir.join(SWEEP))?;
    let measurements = read_measurements(&dir.join(MEASUREMENTS))?;
    let report = combine(plan, &measurements);
    write_whole(&dir.join("sweep.csv"), &cells::csv(&report.plan, &report.cells))?;
    let draw = |options: &PictureOptions| {
        picture::draw(&report.plan, &report.cells, options.units(plot::style::NARROWEST))
    };
    plot::write(&dir.join("sweep.png"), &draw(options), options)?;
    let usual = PictureOptions::default();
    let canvas = draw(&usual);
    let page = page::page(&report, &measurements, &canvas).into_string();
    write_whole(&dir.join("report.html"), page.as_bytes())?;
    Ok(report)
}

fn combine(plan: SweepPlan, measurements: &[Measurement]) -> SweepReport {
    let cells = cells::cells(&plan, measurements);
    let wanted = plan.values.len() * plan.variants.len() * plan.rounds as usize;
    let missing = (measurements.len() < wanted).then_some(Answer::Unknown);
    let empty = measurements.iter().any(|row| row.ok == 0 && row.answer.is_none()).then_some(Answer::Unknown);
    let answers = measurements.iter().filter_map(|row| row.answer);
    let answer = Answer::combined(answers.chain(missing).chain(empty).chain([Answer::Valid]));
    let reading = cells::reading(&plan, &cells);
    SweepReport { answer, reading, cells, measured: (measurements.len(), wanted), plan }
}

/// Reads `sweep.json`.
pub(crate) fn read_plan(path: &Path) -> Result<SweepPlan, ResultsError> {
    let text = std::fs::read(path).map_err(|error| ResultsError::read(path, error))?;
    serde_json::from_slice(&text).map_err(|error| ResultsError::malformed(path, error.line(), &error))
}

/// All rows that are whole; a last one that was cut off is left out.
pub(crate) fn read_measurements(path: &Path) -> Result<Vec<Measurement>, ResultsError> {
    let text = read_optional(path)?.unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let rows = csv::Reader::from_reader(whole.as_bytes()).into_deserialize();
    rows.enumerate()
        .map(|(index, row)| row.map_err(|error| ResultsError::malformed(path, index + 2, &error)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> SweepPlan {
        SweepPlan {
            bench: "0.1.0".into(),
            spec: "speed".into(),
            about: "How <fast>".into(),
            seed: 7,
            started: "2026-11-23T10:00:00Z".into(),
            machine: "2 cores".into(),
            conditions: vec!["3 nodes".into()],
            over: "load.clients".into(),
            values: ["1", "64"].map(String::from).into(),
            variants: ["ours", "theirs"].map(String::from).into(),
            rounds: 3,
            compare: BTreeMap::from([("ours".into(), "theirs".into())]),
            recorded: false,
            command: "bench sweep spec.toml --seed 7".into(),
        }
    }

    fn row(round: u32, value: &str, variant: &str, throughput: f64) -> Measurement {
        Measurement {
            round,
            value: value.into(),
            variant: variant.into(),
            seconds: 2.0,
            ok: 10,
            throughput_per_s: Some(throughput),
            p50_ms: Some(1.0),
            p99_ms: Some(1e4 / throughput),
            ..Measurement::default()
        }
    }

    /// Three rounds of both variants at both values.
    fn rows() -> Vec<Measurement> {
        let round = |round: u32| {
            let noise = f64::from(round) * 10.0;
            [
                row(round, "1", "ours", 3_000.0 + noise),
                row(round, "1", "theirs", 1_000.0 + noise),
                row(round, "64", "ours", 70_000.0 + noise),
                row(round, "64", "theirs", 7_000.0 - noise),
            ]
        };
        (1..=3).flat_map(round).collect()
    }

    fn write(folder: &Path, rows: &[Measurement], more: &str) {
        std::fs::write(folder.join(SWEEP), serde_json::to_vec(&plan()).unwrap()).unwrap();
        let mut csv = csv::Writer::from_writer(Vec::new());
        for row in rows {
            csv.serialize(row).unwrap();
        }
        let mut text = csv.into_inner().unwrap();
        text.extend_from_slice(more.as_bytes());
        std::fs::write(folder.join(MEASUREMENTS), text).unwrap();
    }

    #[test]
    fn a_sweep_gives_medians_with_their_range_a_picture_and_a_page() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &rows(), "");
        let report = report(folder.path(), &PictureOptions::default()).unwrap();
        assert_eq!((report.answer, report.measured, report.cells.len()), (Answer::Valid, (12, 12), 4));
        let first = &report.cells[0];
        assert_eq!((first.value.as_str(), first.variant.as_str(), first.rounds), ("1", "ours", 3));
        assert_eq!(first.median.throughput_per_s, Some(3_020.0));
        assert_eq!((first.throughput_min, first.throughput_max), (Some(3_010.0), Some(3_030.0)));
        assert!(report.reading[0].contains("10.0 times"), "{:?}", report.reading);
        let less = cells::Cell { times: Some(0.434), ..report.cells[0].clone() };
        assert_eq!(less.multiple().as_deref(), Some("0.43"));
        let csv = std::fs::read_to_string(folder.path().join("sweep.csv")).unwrap();
        assert!(csv.starts_with("load.clients,variant,rounds,times,") && csv.lines().count() == 5, "{csv}");
        assert!(csv.contains("\n64,ours,3,10.0"), "{csv}");
        let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert!(page.contains("How &lt;fast&gt;") && page.contains("<svg class=\"picture\""));
    }

    #[test]
    fn an_interrupted_sweep_is_reported_without_the_row_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &rows()[..5], "2,1,theirs,,2.0,1");
        let report = report(folder.path(), &PictureOptions::default()).unwrap();
        assert_eq!((report.answer, report.measured), (Answer::Unknown, (5, 12)));
        assert_eq!(report.cells.iter().map(|cell| cell.rounds).collect::<Vec<_>>(), [2, 1, 1, 1]);
    }

    #[test]
    fn a_sweep_of_which_nothing_was_measured_still_has_its_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(SWEEP), serde_json::to_vec(&plan()).unwrap()).unwrap();
        let report = report(folder.path(), &PictureOptions::default()).unwrap();
        assert_eq!((report.answer, report.cells.len()), (Answer::Unknown, 0));
        assert!(folder.path().join("sweep.png").exists());
    }

    #[test]
    fn the_worst_answer_is_that_of_the_sweep() {
        let mut rows = rows();
        rows[3].answer = Some(Answer::Invalid);
        assert_eq!(combine(plan(), &rows).answer, Answer::Invalid);
        rows[3].answer = None;
        rows[3].ok = 0;
        assert_eq!(combine(plan(), &rows).answer, Answer::Unknown, "nothing was measured there");
    }
}
