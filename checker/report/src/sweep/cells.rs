//! Medians over the rounds of a sweep, the table of them, and what they say in sentences.

use super::{Measurement, SweepPlan};
use crate::Answer;
use crate::sentences::{rate, seconds};
use serde::Serialize;
use std::fmt::Write;

/// What was measured of one variant at one value: the median of its rounds, each figure for itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// The value of the axis, as it was written.
    pub value: String,
    /// The variant.
    pub variant: String,
    /// How many rounds were measured.
    pub rounds: usize,
    /// The worst answer of the rounds; none where nothing was recorded.
    pub answer: Option<Answer>,
    /// Medians.
    pub median: Figures,
    /// The smallest throughput of a round.
    pub throughput_min: Option<f64>,
    /// The largest throughput of a round.
    pub throughput_max: Option<f64>,
    /// Operations of all rounds that did not succeed, or of unknown outcome.
    pub failed: u64,
    /// Successes a second as a multiple of the variant it is compared with.
    pub times: Option<f64>,
}

impl Cell {
    /// [`times`](Self::times) for people: with two digits that say something, or more.
    pub fn multiple(&self) -> Option<String> {
        self.times.map(|times| if times < 1.0 { format!("{times:.2}") } else { format!("{times:.1}") })
    }
}

/// The figures of a cell; what they are is said at [`Measurement`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "they are those of a measurement")]
pub struct Figures {
    pub throughput_per_s: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p90_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub p999_ms: Option<f64>,
    pub max_ms: Option<f64>,
    pub cpu_us: Option<f64>,
    pub memory_bytes: Option<f64>,
    pub preemptions_per_s: Option<f64>,
    pub longest_outage_s: Option<f64>,
}

/// A figure with the name of its column.
type Column = (&'static str, fn(&Figures) -> Option<f64>);

/// The columns of `sweep.csv` after the first ones.
const COLUMNS: [Column; 10] = [
    ("throughput_per_s", |it| it.throughput_per_s),
    ("p50_ms", |it| it.p50_ms),
    ("p90_ms", |it| it.p90_ms),
    ("p99_ms", |it| it.p99_ms),
    ("p999_ms", |it| it.p999_ms),
    ("max_ms", |it| it.max_ms),
    ("cpu_us", |it| it.cpu_us),
    ("memory_bytes", |it| it.memory_bytes),
    ("preemptions_per_s", |it| it.preemptions_per_s),
    ("longest_outage_s", |it| it.longest_outage_s),
];

/// The middle one of these values, the mean of the two in the middle where their number is even.
fn median(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut values: Vec<f64> = values.flatten().collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// The cells that were measured, in the order of the plan.
pub(super) fn cells(plan: &SweepPlan, measurements: &[Measurement]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    for value in &plan.values {
        for variant in &plan.variants {
            let rows: Vec<_> =
                measurements.iter().filter(|row| row.value == *value && row.variant == *variant).collect();
            if !rows.is_empty() {
                cells.push(cell(value, variant, &rows));
            }
        }
    }
    let throughput = |cells: &[Cell], value: &str, variant: &str| {
        let cell = cells.iter().find(|cell| cell.value == value && cell.variant == variant)?;
        cell.median.throughput_per_s.filter(|rate| *rate > 0.0)
    };
    for index in 0..cells.len() {
        let Some(with) = plan.compare.get(&cells[index].variant) else { continue };
        let base = throughput(&cells, &cells[index].value, with);
        cells[index].times = cells[index].median.throughput_per_s.zip(base).map(|(own, base)| own / base);
    }
    cells
}

fn cell(value: &str, variant: &str, rows: &[&Measurement]) -> Cell {
    let of = |figure: fn(&Measurement) -> Option<f64>| median(rows.iter().map(|row| figure(row)));
    let throughputs = || rows.iter().filter_map(|row| row.throughput_per_s);
    Cell {
        value: value.to_owned(),
        variant: variant.to_owned(),
        rounds: rows.len(),
        answer: rows.iter().filter_map(|row| row.answer).max(),
        median: Figures {
            throughput_per_s: of(|row| row.throughput_per_s),
            p50_ms: of(|row| row.p50_ms),
            p90_ms: of(|row| row.p90_ms),
            p99_ms: of(|row| row.p99_ms),
            p999_ms: of(|row| row.p999_ms),
            max_ms: of(|row| row.max_ms),
            cpu_us: of(|row| row.cpu_us),
            memory_bytes: of(|row| row.memory_bytes.map(|bytes| bytes as f64)),
            preemptions_per_s: of(|row| row.preemptions_per_s),
            longest_outage_s: of(|row| row.longest_outage_s),
        },
        throughput_min: throughputs().reduce(f64::min),
        throughput_max: throughputs().reduce(f64::max),
        failed: rows.iter().map(|row| row.failed).sum(),
        times: None,
    }
}

/// `sweep.csv`: a row for each cell; the first column has the name of the key that was varied.
pub(super) fn csv(plan: &SweepPlan, cells: &[Cell]) -> Vec<u8> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let rounded = |value: f64| ((value * 1e3).round() / 1e3).to_string();
    let number = |value: Option<f64>| value.map_or_else(String::new, rounded);
    let first =
        [plan.over.as_str(), "variant", "rounds", "times", "throughput_min", "throughput_max", "failed"];
    let header = first.into_iter().chain(COLUMNS.map(|(name, _)| name));
    csv.write_record(header).expect("a row can be written to memory");
    for cell in cells {
        let first = [
            cell.value.clone(),
            cell.variant.clone(),
            cell.rounds.to_string(),
            number(cell.times),
            number(cell.throughput_min),
            number(cell.throughput_max),
            cell.failed.to_string(),
        ];
        let figures = COLUMNS.map(|(_, figure)| number(figure(&cell.median)));
        csv.write_record(first.into_iter().chain(figures)).expect("a row can be written to memory");
    }
    csv.into_inner().expect("rows can be written to memory")
}

/// A sentence for each pair of variants that are compared; without any, one on who served most.
pub(super) fn reading(plan: &SweepPlan, cells: &[Cell]) -> Vec<String> {
    let mut sentences = Vec::new();
    for (variant, with) in plan.compared() {
        let pairs = cells.iter().filter(|cell| cell.variant == variant).filter_map(|cell| {
            let other = cells.iter().find(|other| other.value == cell.value && other.variant == with)?;
            Some((cell, other, cell.multiple()?))
        });
        let mut text = String::new();
        for (cell, other, times) in pairs {
            let between = if text.is_empty() { "" } else { ", " };
            // A `String` takes every write.
            let _ = write!(text, "{between}{times} times as much at {} {}", short(&plan.over), cell.value);
            if let (Some(own), Some(its)) = (cell.median.p99_ms, other.median.p99_ms) {
                let _ = write!(text, " (99 % within {}, not {})", seconds(own / 1e3), seconds(its / 1e3));
            }
        }
        if !text.is_empty() {
            sentences.push(format!("{variant} beside {with}: {text}."));
        }
    }
    let most = cells.iter().filter_map(|cell| Some((cell, cell.median.throughput_per_s?)));
    let most = most.max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((cell, throughput)) = most.filter(|_| sentences.is_empty()) {
        let (what, where_) = (short(&plan.over), &cell.value);
        let who = if plan.variants.len() > 1 { format!(" with {}", cell.variant) } else { String::new() };
        sentences.push(format!(
            "Most was done at {what} {where_}{who}: {} operations a second.",
            rate(throughput)
        ));
    }
    sentences
}

/// The last part of a key, which is what people call it.
pub(super) fn short(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_value_in_the_middle_of_those_there_are() {
        assert_eq!(median([Some(3.0), None, Some(1.0), Some(2.0)].into_iter()), Some(2.0));
        assert_eq!(median([Some(3.0), Some(1.0)].into_iter()), Some(2.0));
        assert_eq!(median([None].into_iter()), None);
    }
}
