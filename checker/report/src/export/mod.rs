//! A run as a trace for other programs: operations, faults and phases on one time axis.

mod chrome;
mod otlp;

#[cfg(test)]
mod tests;

use super::observed::Observed;
use super::plan::{Plan, VariantPlan};
use super::{FaultRecord, ResultsError};
use history::{Header, OutcomeRef, Phase};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

/// A format of traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceFormat {
    /// The JSON object format of Chrome's trace events, which Perfetto reads.
    Chrome,
    /// `ExportTraceServiceRequest` of OTLP as JSON.
    Otlp,
}

/// Why a run was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Its files cannot be read.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// No variant has a history.
    #[error("no variant has a history")]
    NoHistory,
    /// The trace cannot be written.
    #[error(transparent)]
    Write(#[from] std::io::Error),
}

/// One variant, ready to be written.
struct Traced {
    observed: Observed,
    /// When its clock stood at 0, in nanoseconds since 1970.
    epoch_ns: u64,
    seed: u64,
    spec: String,
    bench: String,
}

/// Writes the variants of a run; only one where `only` names it.
///
/// # Errors
/// When a file cannot be read, there is no history, or the trace cannot be written.
pub fn export(
    dir: &Path,
    only: Option<&str>,
    format: TraceFormat,
    mut out: impl Write,
) -> Result<(), ExportError> {
    let plan = Plan::read(dir)?;
    let chosen = plan.variants.iter().filter(|variant| only.is_none_or(|only| only == variant.name));
    let mut variants = Vec::new();
    for variant in chosen {
        variants.extend(traced(dir, &plan, variant)?);
    }
    if variants.is_empty() {
        return Err(ExportError::NoHistory);
    }
    match format {
        TraceFormat::Chrome => chrome::write(&variants, &mut out)?,
        TraceFormat::Otlp => otlp::write(&variants, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

fn traced(dir: &Path, plan: &Plan, variant: &VariantPlan) -> Result<Option<Traced>, ResultsError> {
    let folder = dir.join(&variant.name);
    let observed = Observed::read(&folder, variant)?;
    if !observed.history {
        return Ok(None);
    }
    let mut line = String::new();
    let read =
        File::open(folder.join("history.jsonl")).and_then(|file| BufReader::new(file).read_line(&mut line));
    let header: Option<Header> = read.ok().and_then(|_| serde_json::from_str(&line).ok());
    let started = header.map_or_else(|| plan.started.clone(), |header| header.started);
    let epoch_ns = started.parse::<jiff::Timestamp>().ok().map_or(0, jiff::Timestamp::as_nanosecond);
    Ok(Some(Traced {
        observed,
        epoch_ns: u64::try_from(epoch_ns).unwrap_or(0),
        seed: plan.seed,
        spec: plan.spec.clone(),
        bench: plan.bench.clone(),
    }))
}

impl Traced {
    /// The end of everything that is in the history, in nanoseconds since the run's start.
    fn end_ns(&self) -> u64 {
        let observed = &self.observed;
        let phases = observed.phases.iter().map(|span| span.end);
        let operations = observed
            .operations
            .iter()
            .map(|operation| operation.completed_ns.unwrap_or(operation.invoked_ns));
        let faults = observed.faults.iter().filter_map(|fault| fault.end_ns.or(fault.start_ns));
        phases.chain(operations).chain(faults).max().unwrap_or(0)
    }

    /// The faults that started, with their spans.
    fn faults(&self) -> impl Iterator<Item = (&FaultRecord, u64, u64)> {
        let end = self.end_ns();
        self.observed.faults.iter().filter_map(move |fault| {
            let start = fault.start_ns?;
            Some((fault, start, fault.end_ns.unwrap_or(end).max(start)))
        })
    }
}

/// The word for an outcome, and why it is not ok.
fn outcome(outcome: OutcomeRef<'_>) -> (&'static str, Option<&str>) {
    match outcome {
        OutcomeRef::Ok(_) => ("ok", None),
        OutcomeRef::Fail { error, .. } => ("fail", error),
        OutcomeRef::Info { error } => ("info", error),
    }
}

/// The name of a phase.
fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Warmup => "warm-up",
        Phase::Load => "load",
        Phase::Recovery => "recovery",
        Phase::Final => "final reads",
    }
}
