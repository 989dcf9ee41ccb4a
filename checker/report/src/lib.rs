//! From a run's folder to its answer: reads what a run left, judges it, and writes tables, pictures and a page.
//!
//! Everything is made from the files of the folder, so that a run that was killed is reported like one that
//! came to its end. What is in which file is said in `results/README.md`.

mod agreement;
mod checks;
pub mod compare;
mod csv_files;
pub mod curves;
mod digest;
mod disks;
mod evidence;
mod exits;
mod explain;
pub mod export;
mod faults;
mod files;
mod gone;
mod headline;
mod html;
mod invariants;
mod json;
mod lanes;
mod linearizable;
mod liveness;
mod logs;
mod obligations;
mod observed;
mod outages;
mod plan;
mod plot;
mod properties;
mod queues;
pub mod rates;
mod recovery;
mod rounds;
mod samples;
mod sentences;
mod set_up;
mod sources;
mod statistics;
pub mod sweep;
mod threads;
mod touched;
mod tries;
mod verdict;
mod violation;
mod warnings;

#[cfg(test)]
mod tests;

pub use csv_files::{FAULTS_COLUMNS, OUTAGES_COLUMNS, RECOVERIES_COLUMNS, SUMMARY_COLUMNS, medians_columns};
pub use digest::{DigestRound, differences as digest_differences};
pub use evidence::brief as brief_evidence;
pub use faults::FaultRecord;
pub use files::ResultsError;
pub use json::readable_json;
pub use lanes::lanes;
pub use logs::{LogPattern, SeenLine};
pub use obligations::Obligation;

pub use outages::Outage;
pub use plan::{CheckPlan, FaultPlan, Helpers, Invariants, Load, PhaseSpan, Plan, VariantPlan};
pub use plot::{PICTURES, PictureOptions, PictureWidth, fault_colour};
pub use recovery::Recovery;
pub use rounds::{Figure, Spread, VariantMedians};
pub use samples::{Sample, read_samples};
pub use statistics::{BallotFigures, Counts, ProtocolFigures, Quantiles, Summary};
pub use threads::Threads;
pub use verdict::{Answer, Check, RunVerdict, VariantVerdict};
pub use warnings::Warning;

use history::Event;
use observed::Observed;
use std::path::Path;
use std::time::Duration;

/// Starts a deadline: called with the time a search may take when it begins, it returns what says whether
/// that time is up. This crate reads no clock itself.
pub type Deadline<'a> = &'a dyn Fn(Duration) -> Box<dyn Fn() -> bool + Sync>;

/// Judges the run in a folder and writes `operations.csv`, `faults.csv`, `outages.csv` and `recoveries.csv`
/// of each variant, `summary.csv`, `verdict.json`, the [`PICTURES`] and `report.html`. Each file appears whole or not at all.
///
/// What the run did not come to is missing from the answer, which is then unknown at best. A variant whose
/// files cannot be read is `failed`; an error is returned only if there is no plan or nothing can be written.
pub fn judge(dir: &Path, deadline: Deadline<'_>) -> Result<RunVerdict, ResultsError> {
    match judge_read_only(dir, deadline, &PictureOptions::default())? {
        (verdict, None) => Ok(verdict),
        (_, Some(error)) => Err(error),
    }
}

/// The same where nothing need be written: gives the first file that could not be, if there is one.
pub fn judge_read_only(
    dir: &Path,
    deadline: Deadline<'_>,
    options: &PictureOptions,
) -> Result<(RunVerdict, Option<ResultsError>), ResultsError> {
    let (plan, observed, verdict) = judge_files(dir, deadline)?;
    let written = write(dir, &plan, observed, &verdict, options);
    Ok((verdict, written.err()))
}

/// The same, and writes nothing but where the answer makes the run worth keeping. Pictures take longer than a small run's verdict.
pub fn judge_and_keep(
    dir: &Path,
    deadline: Deadline<'_>,
    is_kept: impl FnOnce(Answer) -> bool,
) -> Result<RunVerdict, ResultsError> {
    let (plan, observed, verdict) = judge_files(dir, deadline)?;
    if is_kept(verdict.answer) {
        write(dir, &plan, observed, &verdict, &PictureOptions::default())?;
    }
    Ok(verdict)
}

fn judge_files(
    dir: &Path,
    deadline: Deadline<'_>,
) -> Result<(Plan, Vec<Observed>, RunVerdict), ResultsError> {
    let plan = Plan::read(dir)?;
    let mut observed = Vec::with_capacity(plan.variants.len());
    let mut variants = Vec::with_capacity(plan.variants.len());
    for variant in &plan.variants {
        let folder = dir.join(&variant.name);
        let (seen, unreadable) = match Observed::read(&folder, variant) {
            Ok(seen) => (seen, None),
            Err(error) => (Observed::new(variant.clone(), None, None, Vec::new()), Some(error)),
        };
        let mut verdict = judge_variant(&folder, &seen, deadline)?;
        if let Some(error) = unreadable {
            let check = Check::new("files", Answer::Failed, format!("{error}"));
            verdict.checks.insert(0, check);
            verdict.answer = Answer::Failed;
        }
        observed.push(seen);
        variants.push(verdict);
    }
    let verdict = combine(&plan, variants);
    Ok((plan, observed, verdict))
}

/// Judges the only variant of a run that lies in memory: its events and what `load.json` would say. Nothing is read or
/// written, so no check can be made that needs more files than those two.
pub fn judge_in_memory(
    plan: &Plan,
    events: Vec<Event>,
    load: Load,
    deadline: Deadline<'_>,
) -> Result<RunVerdict, ResultsError> {
    let variant = plan.variants.first().expect("a run in memory has one variant");
    let history = observed::ReadHistory::of(events)
        .map_err(|error| ResultsError::history(Path::new("history.jsonl"), &error))?;
    let seen = Observed::new(variant.clone(), Some(history), Some(load), Vec::new());
    let verdict = judge_variant(Path::new(""), &seen, deadline)?;
    Ok(combine(plan, vec![verdict]))
}

/// The round of each variant that the pictures show, in the order of the spec.
fn shown_rounds(mut observed: Vec<Observed>, medians: &[VariantMedians]) -> Vec<Observed> {
    let order = |seen: &Observed| medians.iter().position(|medians| medians.shown == seen.plan.name);
    observed.retain(|seen| order(seen).is_some());
    observed.sort_by_key(|seen| order(seen));
    observed
}

fn judge_variant(
    folder: &Path,
    observed: &Observed,
    deadline: Deadline<'_>,
) -> Result<VariantVerdict, ResultsError> {
    let outages = outages::outages(observed);
    let summary = Summary::new(observed, &outages);
    let mut checks = Vec::new();
    if observed.plan.check.linearizable {
        let stop = deadline(observed.plan.check.timeout);
        checks.push(linearizable(observed, &*stop));
    }
    if observed.plan.check.agreement {
        checks.push(excused(agreement::check(folder, observed)?, observed));
    }
    checks.extend(invariants::check(observed).map(|check| excused(check, observed)));
    checks.extend(digest::check(observed).map(|check| excused(check, observed)));
    checks.push(gone::excuse(exits::processes(observed), observed));
    checks.extend(logs::check(observed));
    checks.extend(liveness::check(observed));
    checks.push(checks::faults(observed));
    checks.push(checks::load(observed, &summary));
    checks.extend(checks::availability(observed));
    let obligations = obligations::of(observed);
    checks.extend(obligations::check(observed, &obligations));
    let told = checks.iter().any(|check| check.violation.is_some());
    checks.push(checks::complete(observed, told));
    Ok(VariantVerdict {
        variant: observed.plan.name.clone(),
        of: observed.plan.of.clone(),
        backoff: observed.plan.backoff.clone(),
        disk: observed.plan.disk.clone(),
        promise: observed.plan.check.promise,
        answer: Answer::combined(checks.iter().map(|check| check.answer)),
        checks,
        obligations,
        warnings: warnings::of(observed),
        logs: observed.logs.patterns.clone(),
        digests: observed.digests.clone(),
        helpers: observed.load.as_ref().and_then(|load| load.helpers),
        summary,
        faults: observed.faults.clone(),
        outages,
        recoveries: recovery::recoveries(observed),
        notes: observed.notes.clone(),
    })
}

/// Whether the history is linearizable. What was broken before anything excused it stays broken.
fn linearizable(observed: &Observed, stop: &(dyn Fn() -> bool + Sync)) -> Check {
    let check = linearizable::check(observed, stop);
    let Some(from) = [gone::since(observed), exits::since(observed)].into_iter().flatten().min() else {
        return check;
    };
    if check.answer != Answer::Invalid {
        return check;
    }
    let before = linearizable::check(&observed.until(from), stop);
    if before.answer == Answer::Invalid { before } else { excused(check, observed) }
}

/// A check of what the system promises, with what it cannot be blamed for.
fn excused(check: Check, observed: &Observed) -> Check {
    exits::excuse(gone::excuse(check, observed), observed)
}

fn combine(plan: &Plan, variants: Vec<VariantVerdict>) -> RunVerdict {
    let answer = Answer::combined(variants.iter().map(|variant| variant.answer));
    let medians = rounds::medians(&variants);
    let reading = if sentences::differ_in_backoff(plan) { sentences::reading(&medians) } else { None };
    RunVerdict {
        answer,
        sentence: headline::sentence(answer, &variants, plan) + &disks::remark(answer, &variants),
        reading,
        warnings: variants.iter().flat_map(|variant| variant.warnings.clone()).collect(),
        spec: plan.spec.clone(),
        about: plan.about.clone(),
        seed: plan.seed,
        started: plan.started.clone(),
        machine: plan.machine.clone(),
        again: plan.command(),
        bench: plan.bench.clone(),
        checker: env!("CARGO_PKG_VERSION").to_owned(),
        rounds: plan.rounds(),
        medians,
        variants,
    }
}

fn write(
    dir: &Path,
    plan: &Plan,
    observed: Vec<Observed>,
    verdict: &RunVerdict,
    options: &PictureOptions,
) -> Result<(), ResultsError> {
    for (seen, verdict) in observed.iter().zip(&verdict.variants).filter(|(seen, _)| seen.history) {
        let folder = dir.join(&seen.plan.name);
        csv_files::operations(&folder.join("operations.csv"), seen)?;
        csv_files::faults(&folder.join("faults.csv"), &verdict.faults)?;
        csv_files::outages(&folder.join("outages.csv"), &verdict.outages)?;
        csv_files::recoveries(&folder.join("recoveries.csv"), &verdict.recoveries)?;
    }
    csv_files::summary(&dir.join("summary.csv"), &verdict.variants)?;
    if verdict.rounds > 1 {
        csv_files::medians(&dir.join("medians.csv"), &verdict.medians)?;
    }
    files::write_whole(&dir.join("verdict.json"), readable_json(verdict).as_bytes())?;
    let timelines = html::timelines(dir, &observed, verdict);
    let shown = shown_rounds(observed, &verdict.medians);
    let drawn = plot::pictures(plan, &shown, verdict, options);
    // The page has a width of its own.
    let usual = PictureOptions::default();
    let differs = (PictureOptions { svg: false, ..*options }) != usual;
    let of_page = differs.then(|| plot::pictures(plan, &shown, verdict, &usual));
    // Pictures take much memory, and the operations are in them now.
    drop(shown);
    let mut files = plot::write_all(dir, &drawn, options)?;
    let of_page = of_page.inspect(|of_page| files = plot::encode(of_page, &usual)).unwrap_or(drawn);
    let embedded = of_page.into_iter().zip(files);
    let mut pictures: Vec<_> = embedded
        .map(|((name, canvas), (_, png))| (name, plot::embedded(&canvas, html::page::caption(name), png)))
        .collect();
    if let Ok(curve) = std::fs::read(dir.join(plot::CAUSE)) {
        pictures.insert(0, (plot::CAUSE, plot::Embedded::Png(curve)));
    }
    let page = html::report(plan, verdict, &timelines, &pictures).into_string();
    files::write_whole(&dir.join("report.html"), page.as_bytes())
}
