//! One side of a comparison: a run, a sweep, or a folder of them, as groups of rounds.

use super::CompareError;
use super::blocks::Blocks;
use super::measure::Measure;
use crate::observed::Observed;
use crate::plan::{Load, Plan, VariantPlan};
use crate::sweep::{self, MEASUREMENTS, SWEEP, SweepPlan};
use crate::{Answer, ResultsError};
use history::Phase;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// How deep folders of folders are searched.
const DEPTH: usize = 4;

/// What one round measured.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub answer: Option<Answer>,
    figures: Vec<(Measure, f64)>,
    /// The folder of its history, where that is still there.
    history: Option<(PathBuf, VariantPlan)>,
}

impl Round {
    pub(super) fn figure(&self, measure: Measure) -> Option<f64> {
        self.figures.iter().find(|(own, _)| *own == measure).map(|(_, value)| *value)
    }
}

/// What was measured several times under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The spec.
    pub spec: String,
    /// The key and the value, in a sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point: Option<(String, String)>,
    /// The variant.
    pub variant: String,
}

impl Subject {
    /// Its name: `backoff, none`, or `speed, load.clients = 64, put`.
    pub fn name(&self) -> String {
        let point = self.point.as_ref().map(|(key, value)| format!("{key} = {value}, ")).unwrap_or_default();
        format!("{}, {point}{}", self.spec, self.variant)
    }
}

/// All rounds of a subject.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub subject: Subject,
    pub rounds: Vec<Round>,
    /// What the load was, in words, where that was written down.
    pub load: Option<String>,
}

impl Group {
    /// The blocks of time of all rounds; none where a history is gone or cannot be read.
    pub(super) fn blocks(&self) -> Option<Blocks> {
        let mut blocks = Blocks::default();
        for round in &self.rounds {
            let (folder, plan) = round.history.as_ref()?;
            blocks.add(&Observed::read(folder, plan).ok().filter(|observed| observed.history)?);
        }
        Some(blocks)
    }
}

/// One side.
#[derive(Debug, Clone, Default)]
pub(super) struct Side {
    pub groups: Vec<Group>,
    /// The machines that the runs ran on, without repetition.
    pub machines: Vec<String>,
    /// The versions of the bench that ran them, without repetition.
    pub versions: Vec<String>,
}

/// What a comparison needs of `verdict.json`.
#[derive(Deserialize)]
struct StoredVerdict {
    variants: Vec<StoredVariant>,
}

#[derive(Deserialize)]
struct StoredVariant {
    variant: String,
    answer: Answer,
    summary: StoredSummary,
}

#[derive(Deserialize)]
struct StoredSummary {
    seconds: f64,
    throughput_per_s: Option<f64>,
    latency: Option<StoredQuantiles>,
    longest_outage_s: Option<f64>,
    time_to_recover_s: Option<f64>,
}

#[derive(Deserialize)]
#[allow(clippy::struct_field_names, reason = "they are the names of the file")]
struct StoredQuantiles {
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
}

impl Side {
    /// Reads a folder: a run, one variant of it, a sweep, or a folder of these.
    pub(super) fn read(path: &Path) -> Result<Self, CompareError> {
        let mut side = Self::default();
        if !path.is_dir() {
            return Err(CompareError::NoFolder(path.to_owned()));
        }
        side.folder(path, DEPTH)?;
        let parent = path.parent().filter(|parent| parent.join("plan.json").is_file());
        if let Some(run) = parent.filter(|_| side.groups.is_empty()) {
            side.run(run, None, path.file_name().and_then(|name| name.to_str()))?;
        }
        if side.groups.is_empty() { Err(CompareError::NoResults(path.to_owned())) } else { Ok(side) }
    }

    fn folder(&mut self, path: &Path, depth: usize) -> Result<(), CompareError> {
        if path.join(SWEEP).is_file() {
            return self.sweep(path);
        }
        if path.join("plan.json").is_file() {
            return self.run(path, None, None);
        }
        if depth == 0 {
            return Ok(());
        }
        let entries = fs::read_dir(path).map_err(|error| ResultsError::read(path, error))?;
        let mut inside: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        // A link such as `latest` names a run a second time.
        inside.retain(|path| path.is_dir() && !path.is_symlink());
        inside.sort();
        inside.iter().try_for_each(|path| self.folder(path, depth - 1))
    }

    /// The rounds of a run, at a point of a sweep if it belongs to one; only one variant's if one is named.
    fn run(
        &mut self,
        path: &Path,
        point: Option<&(String, String)>,
        only: Option<&str>,
    ) -> Result<(), CompareError> {
        let plan = Plan::read(path)?;
        let file = path.join("verdict.json");
        if !file.is_file() {
            return Err(CompareError::NotJudged(path.to_owned()));
        }
        let text = fs::read(&file).map_err(|error| ResultsError::read(&file, error))?;
        let verdict: StoredVerdict = serde_json::from_slice(&text)
            .map_err(|error| ResultsError::malformed(&file, error.line(), &error))?;
        self.note(&plan.machine, &plan.bench);
        for variant in verdict.variants.iter().filter(|variant| variant.summary.seconds > 0.0) {
            let planned = plan.variants.iter().find(|planned| planned.name == variant.variant);
            let Some(planned) = planned.filter(|planned| only.is_none_or(|only| only == planned.name)) else {
                continue;
            };
            let folder = path.join(&planned.name);
            let round = Round {
                answer: Some(variant.answer),
                figures: figures(&variant.summary, detection(&folder)),
                history: folder.join("history.jsonl").is_file().then(|| (folder, planned.clone())),
            };
            let variant = if only.is_some() { &planned.name } else { planned.in_spec() };
            let subject =
                Subject { spec: plan.spec.clone(), point: point.cloned(), variant: variant.to_owned() };
            self.add(subject, round, Some(load(planned)));
        }
        Ok(())
    }

    fn sweep(&mut self, path: &Path) -> Result<(), CompareError> {
        let plan = sweep::read_plan(&path.join(SWEEP))?;
        let rows = sweep::read_measurements(&path.join(MEASUREMENTS))?;
        self.note(&plan.machine, &plan.bench);
        let point = |value: &str| (plan.over.clone(), value.to_owned());
        let mut runs: Vec<(&str, &str)> =
            rows.iter().filter_map(|row| Some((row.run.as_deref()?, row.value.as_str()))).collect();
        runs.dedup();
        for (run, value) in runs {
            self.run(&path.join(run), Some(&point(value)), None)?;
        }
        for row in rows.iter().filter(|row| row.run.is_none()) {
            let subject = Subject {
                spec: plan.spec.clone(),
                point: Some(point(&row.value)),
                variant: row.variant.clone(),
            };
            let figures = [
                (Measure::Throughput, row.throughput_per_s),
                (Measure::P50, row.p50_ms),
                (Measure::P90, row.p90_ms),
                (Measure::P99, row.p99_ms),
                (Measure::P999, row.p999_ms),
                (Measure::Outage, row.longest_outage_s),
            ];
            let figures = figures.into_iter().filter_map(|(measure, value)| Some((measure, value?)));
            let round = Round { answer: row.answer, figures: figures.collect(), history: None };
            self.add(subject, round, conditions(&plan));
        }
        Ok(())
    }

    fn note(&mut self, machine: &str, version: &str) {
        for (list, word) in [(&mut self.machines, machine), (&mut self.versions, version)] {
            if !word.is_empty() && !list.iter().any(|own| own == word) {
                list.push(word.to_owned());
            }
        }
    }

    fn add(&mut self, subject: Subject, round: Round, load: Option<String>) {
        match self.groups.iter_mut().find(|group| group.subject == subject) {
            Some(group) => group.rounds.push(round),
            None => self.groups.push(Group { subject, rounds: vec![round], load }),
        }
    }
}

fn figures(summary: &StoredSummary, detection: Option<f64>) -> Vec<(Measure, f64)> {
    let latency = |pick: fn(&StoredQuantiles) -> f64| summary.latency.as_ref().map(pick);
    [
        (Measure::Throughput, summary.throughput_per_s),
        (Measure::P50, latency(|quantiles| quantiles.p50_ms)),
        (Measure::P90, latency(|quantiles| quantiles.p90_ms)),
        (Measure::P99, latency(|quantiles| quantiles.p99_ms)),
        (Measure::P999, latency(|quantiles| quantiles.p999_ms)),
        (Measure::Outage, summary.longest_outage_s),
        (Measure::Recovery, summary.time_to_recover_s),
        (Measure::Detection, detection),
    ]
    .into_iter()
    .filter_map(|(measure, value)| Some((measure, value?)))
    .collect()
}

/// How long after the start of the load a violation ended the run, in seconds; none where none did.
fn detection(folder: &Path) -> Option<f64> {
    let load = Load::read(folder).ok()??;
    load.stopped.as_ref()?;
    let start = load.phases.iter().find(|span| span.phase == Phase::Load)?.start;
    let end = load.phases.iter().filter(|span| span.phase != Phase::Final).map(|span| span.end).max()?;
    Some(end.saturating_sub(start) as f64 / 1e9)
}

fn load(plan: &VariantPlan) -> String {
    let rate =
        plan.rate.map_or_else(|| "closed loop".to_owned(), |rate| format!("{rate} operations a second"));
    format!("{} clients, {rate}, {} keys", plan.clients, plan.keys)
}

fn conditions(plan: &SweepPlan) -> Option<String> {
    (!plan.conditions.is_empty()).then(|| plan.conditions.join(", "))
}
