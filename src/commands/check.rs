//! `bench check`: a verdict on a history file, or on every history of a run.

use crate::cli::Check;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::judge;
use crate::spec::explain;
use crate::terminal::{FAINT, Screen, summary};
use checker::history::{History, Operation, Outcome, pair, read_jsonl};
use checker::linearizability::{self, Limits, Model, Verdict, Witness};
use checker::results::Answer;
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

/// How long the search may take; a run's folder says this itself.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Configurations a search may hold at once; one takes about 100 bytes.
const CONFIGURATIONS: usize = 4_000_000;

/// Judges a file or a folder.
///
/// # Errors
/// When there is nothing to judge, or it is not a history (exit code 2).
pub(crate) fn run(arguments: &Check) -> Result<Exit, Failure> {
    let path = &arguments.file;
    let place = path.display().to_string();
    if !path.exists() {
        return Err(Failure::usage(place, "there is no such file or folder")
            .help("give a history.jsonl, or the folder of a run such as results/latest"));
    }
    if path.is_dir() && !path.join("history.jsonl").is_file() {
        if arguments.model.is_some() {
            return Err(Failure::usage("--model", "a run's folder says its models itself")
                .help("give one history.jsonl to judge it by another model"));
        }
        return whole_run(arguments);
    }
    let file = if path.is_dir() { path.join("history.jsonl") } else { path.clone() };
    one_file(arguments, &file)
}

/// Every check of every variant, as after the run.
fn whole_run(arguments: &Check) -> Result<Exit, Failure> {
    let screen = Screen::new(arguments.json);
    let folder = judge::run_folder(&arguments.file)?;
    let verdict = judge::judge(&folder)?;
    summary::say_verdict(&screen, &verdict);
    let exit = judge::exit_of(verdict.answer);
    if arguments.json {
        judge::print_json(&verdict, &folder, exit)?;
    }
    Ok(exit)
}

/// Linearizability of one history.
fn one_file(arguments: &Check, path: &Path) -> Result<Exit, Failure> {
    let screen = Screen::new(arguments.json);
    let place = path.display().to_string();
    let file =
        File::open(path).map_err(|error| Failure::usage(&place, format!("cannot be read: {error}")))?;
    let history = read_jsonl(BufReader::new(file)).map_err(|error| {
        Failure::usage(&place, error.to_string()).help("results/README.md says what a history looks like")
    })?;
    let operations = pair(&history.events).map_err(|error| Failure::usage(&place, error.to_string()))?;
    let model = model(arguments, &history, &place)?;
    let stop = judge::deadline(TIMEOUT);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let limits = Limits { stop: &*stop, configurations: CONFIGURATIONS, threads };
    let verdict = linearizability::check(&operations, model, &limits);
    let told = Told::new(&verdict, &operations, model);
    let exit = judge::exit_of(told.answer);
    if history.unfinished {
        screen.line(&format!(
            "{FAINT}the last line is cut off, as a killed bench leaves it; it is left out{FAINT:#}"
        ));
    }
    summary::say_check(
        &screen,
        &history.header.spec,
        "linearizable",
        told.answer,
        &told.reason,
        &told.evidence,
    );
    if arguments.json {
        judge::print_value(&json!({
            "answer": told.answer,
            "exit": exit.code(),
            "check": "linearizable",
            "model": model.name(),
            "reason": told.reason,
            "evidence": told.evidence,
            "operations": operations.len(),
            "unfinished": history.unfinished,
            "file": path,
        }))?;
    }
    Ok(exit)
}

fn model(arguments: &Check, history: &History, place: &str) -> Result<Model, Failure> {
    let (name, place) = match &arguments.model {
        Some(name) => (name.as_str(), "--model"),
        None => (history.header.model.as_str(), place),
    };
    name.parse().map_err(|error: linearizability::UnknownModel| {
        let explained = explain::own(&error.to_string());
        let mut failure = Failure::usage(place, explained.reason);
        failure.help = explained.help;
        failure
    })
}

/// A verdict in words.
struct Told {
    answer: Answer,
    reason: String,
    evidence: Vec<String>,
}

impl Told {
    fn new(verdict: &Verdict, operations: &[Operation], model: Model) -> Self {
        match verdict {
            Verdict::Valid { keys, operations } => Self {
                answer: Answer::Valid,
                reason: format!("{operations} operations on {keys} keys fit one order ({model})"),
                evidence: Vec::new(),
            },
            Verdict::Unknown { reason } => {
                Self { answer: Answer::Unknown, reason: reason.clone(), evidence: Vec::new() }
            }
            Verdict::Invalid(witness) => Self {
                answer: Answer::Invalid,
                reason: format!("no order of the operations explains them ({model})"),
                evidence: evidence(witness, operations),
            },
        }
    }
}

fn evidence(witness: &Witness, operations: &[Operation]) -> Vec<String> {
    let mut lines = vec![witness.summary.clone()];
    lines.extend(witness.operations.iter().map(|&place| {
        let mark = if place == witness.operation { " ← cannot be explained" } else { "" };
        format!("operation {place}: {}{mark}", in_words(&operations[place]))
    }));
    lines.extend(witness.pending.iter().map(|p| format!("operation {}: {}", p.operation, p.why)));
    lines
}

/// An operation with who, where and when.
fn in_words(operation: &Operation) -> String {
    let result = match &operation.outcome {
        Outcome::Ok(value) => format!("ok {value}"),
        Outcome::Fail { actual: Some(actual), .. } => format!("fail, found {actual}"),
        Outcome::Fail { actual: None, .. } => "fail".to_owned(),
        Outcome::Info { .. } => "unknown".to_owned(),
    };
    let end =
        operation.completed_ns.map_or_else(|| "…".to_owned(), |end| format!("{:.6} s", end as f64 / 1e9));
    format!(
        "process {} {} {} {}: {result}, {:.6} s to {end}",
        operation.process,
        operation.f,
        operation.key.as_deref().unwrap_or(""),
        operation.argument,
        operation.invoked_ns as f64 / 1e9,
    )
}
