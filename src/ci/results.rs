//! The results of a command, as suites of cases.

use crate::failure::Failure;
use report::sweep::SweepReport;
use report::{Answer, Figure, RunVerdict, VariantVerdict};
use std::path::Path;

/// The result of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The expected result.
    Passed,
    /// A broken promise, or another unexpected result.
    Failed,
    /// No proof, because of missing evidence or a failure of the bench.
    Error(Answer),
    /// Not run.
    Skipped,
}

impl From<Answer> for State {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Valid => Self::Passed,
            Answer::Invalid => Self::Failed,
            Answer::Unknown | Answer::Failed => Self::Error(answer),
        }
    }
}

impl State {
    /// Its word in reports.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Passed => "valid",
            Self::Failed => "invalid",
            Self::Error(answer) => answer.word(),
            Self::Skipped => "not run",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// Its name; the check's name if it is one check.
    pub name: String,
    /// The check that a violation breaks.
    pub check: String,
    pub state: State,
    pub reason: String,
    pub evidence: Vec<String>,
}

/// The checks of one variant, value or file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Suite {
    pub name: String,
    /// The file to which a violation refers: the spec, or the history.
    pub file: String,
    /// The line in that file.
    pub line: usize,
    pub seconds: f64,
    pub cases: Vec<Case>,
    /// Remarks that weaken the answer.
    pub remarks: Vec<String>,
}

/// All results of a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Results {
    /// The spec, or the command.
    pub name: String,
    /// The answer in a word.
    pub answer: String,
    /// The answer in a sentence.
    pub sentence: String,
    /// The start time (RFC 3339), if known.
    pub started: Option<String>,
    pub suites: Vec<Suite>,
    /// Further properties by name: seed, machine, folder.
    pub properties: Vec<(&'static str, String)>,
    /// A table of measurements: headings and rows.
    pub figures: (Vec<&'static str>, Vec<Vec<String>>),
    /// The exit code of the command.
    pub exit: u8,
}

/// The columns of figures in a summary.
const FIGURES: [(&str, &str); 7] = [
    ("ok", "ok"),
    ("fail", "fail"),
    ("unknown", "info"),
    ("ok/s", "throughput_per_s"),
    ("p50 ms", "p50_ms"),
    ("p99 ms", "p99_ms"),
    ("outage s", "longest_outage_s"),
];

impl Results {
    /// The results of a judged run. `spec` is the file that describes it.
    pub(crate) fn of_run(
        verdict: &RunVerdict,
        spec: &Path,
        folder: &Path,
        failure: Option<&Failure>,
        exit: u8,
    ) -> Self {
        let text = std::fs::read_to_string(spec).unwrap_or_default();
        let mut suites: Vec<Suite> =
            verdict.variants.iter().map(|variant| suite(verdict, variant, spec, &text)).collect();
        if let Some(failure) = failure {
            suites.push(of_failure(failure, spec));
        }
        let rows = verdict.medians.iter().map(|medians| {
            let figure = |name: &str| {
                let found: Option<&Figure> = medians.figures.iter().find(|figure| figure.name == name);
                found.map_or_else(|| "–".to_owned(), |figure| number(figure.spread.median))
            };
            let words = [medians.variant.clone(), medians.answer.word().to_owned()];
            words.into_iter().chain(FIGURES.iter().map(|(_, name)| figure(name))).collect()
        });
        Self {
            name: verdict.spec.clone(),
            answer: verdict.answer.word().to_owned(),
            sentence: verdict.sentence.clone(),
            started: Some(verdict.started.clone()),
            suites,
            properties: vec![
                ("seed", verdict.seed.to_string()),
                ("bench", verdict.bench.clone()),
                ("machine", verdict.machine.clone()),
                ("folder", folder.display().to_string()),
                ("again", verdict.again.clone()),
            ],
            figures: (
                ["variant", "verdict"].into_iter().chain(FIGURES.map(|(head, _)| head)).collect(),
                rows.collect(),
            ),
            exit,
        }
    }

    /// The results of a sweep: a suite per value.
    pub(crate) fn of_sweep(
        report: &SweepReport,
        spec: &Path,
        folder: &Path,
        failure: Option<&Failure>,
        exit: u8,
    ) -> Self {
        let plan = &report.plan;
        let case = |value: &str, variant: &String| {
            let cell = report.cells.iter().find(|cell| cell.value == value && cell.variant == *variant);
            let (state, reason) = match cell.map(|cell| cell.answer) {
                Some(Some(answer)) => {
                    (State::from(answer), format!("the worst of its rounds is {}", answer.word()))
                }
                Some(None) => (State::Passed, "it was measured without a recorded history".to_owned()),
                None => (State::Error(Answer::Unknown), "it was not measured".to_owned()),
            };
            Case { name: variant.clone(), check: "sweep".to_owned(), state, reason, evidence: Vec::new() }
        };
        let suite = |value: &String| Suite {
            name: format!("{} = {value}", plan.over),
            file: spec.display().to_string(),
            line: 1,
            seconds: 0.0,
            cases: plan.variants.iter().map(|variant| case(value, variant)).collect(),
            remarks: Vec::new(),
        };
        let mut suites: Vec<Suite> = plan.values.iter().map(suite).collect();
        suites.extend(failure.map(|failure| of_failure(failure, spec)));
        let rows = report.cells.iter().map(|cell| {
            let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
            vec![
                cell.value.clone(),
                cell.variant.clone(),
                cell.rounds.to_string(),
                optional(cell.median.throughput_per_s),
                optional(cell.median.p50_ms),
                optional(cell.median.p99_ms),
                optional(cell.times),
            ]
        });
        Self {
            name: plan.spec.clone(),
            answer: report.answer.word().to_owned(),
            sentence: report.reading.join(" "),
            started: Some(plan.started.clone()),
            suites,
            properties: vec![
                ("seed", plan.seed.to_string()),
                ("bench", plan.bench.clone()),
                ("machine", plan.machine.clone()),
                ("folder", folder.display().to_string()),
                ("again", plan.command.clone()),
            ],
            figures: (
                vec!["value", "variant", "rounds", "ok/s", "p50 ms", "p99 ms", "times"],
                rows.collect(),
            ),
            exit,
        }
    }

    /// Number of cases in a state.
    pub(super) fn count(&self, wanted: impl Fn(State) -> bool) -> usize {
        self.suites.iter().flat_map(|suite| &suite.cases).filter(|case| wanted(case.state)).count()
    }
}

fn suite(verdict: &RunVerdict, variant: &VariantVerdict, spec: &Path, text: &str) -> Suite {
    let case = |check: &report::Check| Case {
        name: check.name.to_owned(),
        check: check.name.to_owned(),
        state: check.answer.into(),
        reason: check.reason.clone(),
        evidence: check.evidence.clone(),
    };
    let warnings = verdict.warnings.iter().filter(|warning| warning.variant == variant.variant);
    Suite {
        name: format!("{}.{}", verdict.spec, variant.variant),
        file: spec.display().to_string(),
        line: line_of(text, variant.of()),
        seconds: variant.summary.seconds,
        cases: variant.checks.iter().map(case).collect(),
        remarks: warnings.map(|warning| format!("{}: {}", warning.name, warning.text)).collect(),
    }
}

/// A failure of the bench: no check of the system, but reported so that nobody mistakes it for success.
fn of_failure(failure: &Failure, spec: &Path) -> Suite {
    let case = Case {
        name: "bench".to_owned(),
        check: "bench".to_owned(),
        state: State::Error(Answer::Failed),
        reason: format!("{}: {}", failure.location, failure.what),
        evidence: failure.help.iter().cloned().collect(),
    };
    let file = spec.display().to_string();
    Suite { name: "bench".to_owned(), file, line: 1, seconds: 0.0, cases: vec![case], remarks: Vec::new() }
}

/// The line of a spec with a variant's name, or with the spec's name if there are no variants.
pub(super) fn line_of(text: &str, variant: &str) -> usize {
    let name_at = |line: &str| {
        let value = line.trim().strip_prefix("name")?.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|letter| "\"'".contains(*letter))?;
        value[1..].split(quote).next().map(str::to_owned)
    };
    let lines = || text.lines().zip(1..);
    let own = lines().find(|(line, _)| name_at(line).is_some_and(|name| name == variant));
    own.or_else(|| lines().find(|(line, _)| name_at(line).is_some())).map_or(1, |(_, number)| number)
}

/// A number in a table, without decimals from 100 on.
fn number(value: f64) -> String {
    if value.abs() >= 100.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
