//! The CSV files of a run. The columns are the same for every spec; RFC 4180, times in nanoseconds since
//! the run's start, an empty cell where there is nothing to say.

use super::faults::FaultRecord;
use super::files::{stream_whole, write_whole};
use super::observed::Observed;
use super::outages::Outage;
use super::recovery::Recovery;
use super::rounds::{VariantMedians, names};
use super::verdict::VariantVerdict;
use super::{ResultsError, statistics::Quantiles};
use formats::OPERATIONS_COLUMNS;
use history::{Kind, OperationRef, OutcomeClass, OutcomeRef, Phase};
use serde_json::Value;
use std::fmt::{Display, Write as _};
use std::path::Path;

/// The columns of `faults.csv`. `nodes` and `evidence` are joined with `;`.
pub const FAULTS_COLUMNS: [&str; 11] = [
    "fault",
    "kind",
    "label",
    "target",
    "nodes",
    "planned_start_ns",
    "planned_end_ns",
    "start_ns",
    "end_ns",
    "took_effect",
    "evidence",
];
/// The columns of `outages.csv`; what each means is said at [`Outage`].
pub const OUTAGES_COLUMNS: [&str; 10] = [
    "fault",
    "kind",
    "label",
    "first_error_ns",
    "last_ok_before_ns",
    "first_ok_after_ns",
    "outage_ns",
    "recovered_ns",
    "backlog_drained_ns",
    "same_as",
];
/// The columns of `recoveries.csv`; what each means is said at [`Recovery`].
pub const RECOVERIES_COLUMNS: [&str; 11] = [
    "fault",
    "label",
    "node",
    "restarted",
    "slots_before",
    "from_own_log",
    "from_peers",
    "level_after_s",
    "level_ns",
    "slots_after",
    "sentence",
];
/// The columns of `summary.csv`; what each means is said at [`Summary`](super::Summary).
pub const SUMMARY_COLUMNS: [&str; 24] = [
    "variant",
    "verdict",
    "operations",
    "ok",
    "refused",
    "fail",
    "info",
    "unsent",
    "throughput_per_s",
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "p999_ms",
    "max_ms",
    "decided",
    "decided_per_s",
    "preemptions",
    "preemptions_per_s",
    "adoptions",
    "adoptions_per_s",
    "longest_without_decision_s",
    "longest_outage_s",
    "time_to_recover_s",
    "load_start_ns",
];

/// A table in memory. Writing there cannot fail, so neither can a row of the right length.
struct Table(csv::Writer<Vec<u8>>);

impl Table {
    fn new(columns: &[impl AsRef<[u8]>]) -> Self {
        let mut table =
            Self(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new()));
        table.row(columns);
        table
    }

    fn row<T: AsRef<[u8]>>(&mut self, cells: &[T]) {
        self.0.write_record(cells).expect("every row has as many cells as the header");
    }

    fn write(self, path: &Path) -> Result<(), ResultsError> {
        let bytes = self.0.into_inner().expect("a table in memory can be flushed");
        write_whole(path, &bytes)
    }
}

fn cell<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Writes `operations.csv`, row by row.
pub(crate) fn operations(path: &Path, observed: &Observed) -> Result<(), ResultsError> {
    stream_whole(path, |file| {
        let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(file);
        table.write_record(OPERATIONS_COLUMNS)?;
        let mut row = Row::default();
        for (index, operation) in observed.operations.iter().enumerate() {
            row.fill(index, &operation, &observed.faults);
            table.write_byte_record(&row.cells)?;
        }
        table.flush()
    })
}

/// A row of `operations.csv`; its memory is used again for the next one.
#[derive(Default)]
struct Row {
    cells: csv::ByteRecord,
    text: String,
}

impl Row {
    fn fill(&mut self, index: usize, operation: &OperationRef<'_>, faults: &[FaultRecord]) {
        let (result, error) = result_and_error(operation);
        self.cells.clear();
        self.shown(Some(index));
        self.shown(operation.client);
        self.shown(Some(operation.process));
        self.cells.push_field(operation.f.as_bytes());
        self.cells.push_field(operation.key.unwrap_or_default().as_bytes());
        self.shown(Some(operation.argument).filter(|argument| !argument.is_null()));
        self.shown(result);
        self.cells.push_field(outcome_word(operation.outcome.kind()).as_bytes());
        self.shown(Some(OutcomeClass::of(operation.outcome) == OutcomeClass::Refused));
        self.cells.push_field(error.unwrap_or_default().as_bytes());
        self.shown(operation.intended_ns);
        self.shown(Some(operation.invoked_ns));
        self.shown(operation.completed_ns);
        self.cells.push_field(operation.node.unwrap_or_default().as_bytes());
        self.cells.push_field(operation.phase.map_or("", phase_word).as_bytes());
        self.text.clear();
        for fault in faults.iter().filter(|fault| fault.in_force(operation.invoked_ns)) {
            let separator = if self.text.is_empty() { "" } else { ";" };
            write!(self.text, "{separator}{}", fault.fault).expect("memory can be written");
        }
        self.cells.push_field(self.text.as_bytes());
    }

    /// Adds a cell with a value as text; an empty one without a value.
    fn shown(&mut self, value: Option<impl Display>) {
        self.text.clear();
        if let Some(value) = value {
            write!(self.text, "{value}").expect("memory can be written");
        }
        self.cells.push_field(self.text.as_bytes());
    }
}

fn result_and_error<'a>(operation: &OperationRef<'a>) -> (Option<&'a Value>, Option<&'a str>) {
    match operation.outcome {
        OutcomeRef::Ok(value) => (Some(value), None),
        OutcomeRef::Fail { error, actual } => (actual, error),
        OutcomeRef::Info { error } => (None, error),
    }
}

fn outcome_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Ok => "ok",
        Kind::Fail => "fail",
        Kind::Info | Kind::Invoke => "info",
    }
}

/// The word files use for a phase.
pub(crate) fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Warmup => "warmup",
        Phase::Load => "load",
        Phase::Recovery => "recovery",
        Phase::Final => "final",
    }
}

/// Writes `faults.csv`.
pub(crate) fn faults(path: &Path, faults: &[FaultRecord]) -> Result<(), ResultsError> {
    let mut table = Table::new(&FAULTS_COLUMNS);
    for fault in faults {
        table.row(&[
            fault.fault.to_string(),
            fault.kind.clone(),
            fault.label.clone(),
            fault.target.clone(),
            fault.nodes.join(";"),
            cell(fault.planned_start_ns),
            cell(fault.planned_end_ns),
            cell(fault.start_ns),
            cell(fault.end_ns),
            fault.took_effect().to_string(),
            fault.evidence.join(";"),
        ]);
    }
    table.write(path)
}

/// Writes `outages.csv`.
pub(crate) fn outages(path: &Path, outages: &[Outage]) -> Result<(), ResultsError> {
    let mut table = Table::new(&OUTAGES_COLUMNS);
    for outage in outages {
        table.row(&[
            outage.fault.to_string(),
            outage.kind.clone(),
            outage.label.clone(),
            cell(outage.first_error_ns),
            cell(outage.last_ok_before_ns),
            cell(outage.first_ok_after_ns),
            cell(outage.outage_ns),
            cell(outage.recovered_ns),
            cell(outage.backlog_drained_ns),
            cell(outage.same_as),
        ]);
    }
    table.write(path)
}

/// Writes `recoveries.csv`.
pub(crate) fn recoveries(path: &Path, recoveries: &[Recovery]) -> Result<(), ResultsError> {
    let mut table = Table::new(&RECOVERIES_COLUMNS);
    for recovery in recoveries {
        table.row(&[
            recovery.fault.to_string(),
            recovery.label.clone(),
            recovery.node.clone(),
            recovery.restarted.to_string(),
            cell(recovery.slots_before),
            cell(recovery.from_own_log),
            cell(recovery.from_peers),
            decimal(recovery.level_after_s),
            cell(recovery.level_ns),
            cell(recovery.slots_after),
            recovery.sentence.clone(),
        ]);
    }
    table.write(path)
}

/// The columns of `medians.csv`: of each figure its median, least and greatest value.
pub fn medians_columns() -> Vec<String> {
    let words = ["variant", "verdict", "rounds", "shown", "livelocks"].map(str::to_owned);
    let figures = names().flat_map(|name| [name.to_owned(), format!("{name}_min"), format!("{name}_max")]);
    words.into_iter().chain(figures).collect()
}

/// Writes `medians.csv`.
pub(crate) fn medians(path: &Path, variants: &[VariantMedians]) -> Result<(), ResultsError> {
    let mut table = Table::new(&medians_columns());
    for variant in variants {
        let words = [
            variant.variant.clone(),
            variant.answer.word().to_owned(),
            variant.rounds.len().to_string(),
            variant.shown.clone(),
            variant.livelocks.to_string(),
        ];
        let figures = names().flat_map(|name| {
            let spread = variant.figure(name);
            [spread.map(|it| it.median), spread.map(|it| it.min), spread.map(|it| it.max)].map(decimal)
        });
        table.row(&words.into_iter().chain(figures).collect::<Vec<_>>());
    }
    table.write(path)
}

/// Writes `summary.csv`.
pub(crate) fn summary(path: &Path, variants: &[VariantVerdict]) -> Result<(), ResultsError> {
    let mut table = Table::new(&SUMMARY_COLUMNS);
    for variant in variants {
        let summary = &variant.summary;
        let latency = |figure: fn(&Quantiles) -> f64| decimal(summary.latency.as_ref().map(figure));
        let protocol = summary.protocol.as_ref();
        let ballots = protocol.and_then(|figures| figures.ballots);
        table.row(&[
            variant.variant.clone(),
            variant.answer.word().to_owned(),
            summary.counts.all().to_string(),
            summary.counts.ok.to_string(),
            summary.counts.refused.to_string(),
            summary.counts.fail.to_string(),
            summary.counts.info.to_string(),
            summary.unsent.to_string(),
            decimal(summary.throughput_per_s),
            latency(|quantiles| quantiles.p50_ms),
            latency(|quantiles| quantiles.p90_ms),
            latency(|quantiles| quantiles.p99_ms),
            latency(|quantiles| quantiles.p999_ms),
            latency(|quantiles| quantiles.max_ms),
            cell(protocol.map(|figures| figures.decided)),
            decimal(protocol.map(|figures| figures.decided_per_s)),
            cell(ballots.map(|figures| figures.preemptions)),
            decimal(ballots.map(|figures| figures.preemptions_per_s)),
            cell(ballots.map(|figures| figures.adoptions)),
            decimal(ballots.map(|figures| figures.adoptions_per_s)),
            decimal(protocol.map(|figures| figures.longest_without_decision_s)),
            decimal(summary.longest_outage_s),
            decimal(summary.time_to_recover_s),
            summary.load_start_ns.to_string(),
        ]);
    }
    table.write(path)
}

fn decimal(figure: Option<f64>) -> String {
    figure.map_or_else(String::new, |figure| format!("{figure:.3}"))
}
