//! What a command found, as suites of cases.

use crate::failure::Failure;
use report::sweep::SweepReport;
use report::{Answer, Figure, RunVerdict, VariantVerdict};
use std::path::Path;

/// What came of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is as it should be.
    Passed,
    /// A promise was broken, or something else was found than expected.
    Failed,
    /// Nothing is proved, because of the evidence or of the bench.
    Error(Answer),
    /// It was not run.
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
    /// The word for it.
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
    /// Its name; that of the check where it is one.
    pub name: String,
    /// The check, which is what a violation breaks.
    pub check: String,
    pub state: State,
    pub reason: String,
    pub evidence: Vec<String>,
}

/// The checks of one variant, value or file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Suite {
    pub name: String,
    /// The file that a violation is about: the spec, or the history.
    pub file: String,
    /// The line in it.
    pub line: usize,
    pub seconds: f64,
    pub cases: Vec<Case>,
    /// Remarks: what makes an answer weaker than it looks.
    pub remarks: Vec<String>,
}

/// All there is to tell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Results {
    /// The spec, or the command.
    pub name: String,
    /// The answer in a word.
    pub answer: String,
    /// The answer in a sentence.
    pub sentence: String,
    /// When it began (RFC 3339), where that is known.
    pub started: Option<String>,
    pub suites: Vec<Suite>,
    /// What else is known, by its name: seed, machine, folder.
    pub properties: Vec<(&'static str, String)>,
    /// A table of figures: headings, and rows.
    pub figures: (Vec<&'static str>, Vec<Vec<String>>),
    /// How the command ends.
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
    /// A run that was judged. `spec` is the file that describes it.
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

    /// A sweep: a suite for each value.
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
                Some(None) => (State::Passed, "it was measured; nothing was recorded".to_owned()),
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

    /// How many cases there are of a state.
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

/// The bench could not do its work: that is no check of the system, but nobody should take it for success.
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

/// The line of a spec in which a variant has its name; that of the name of the spec where it has no variants.
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

/// A figure of a table: whole from a hundred on.
fn number(value: f64) -> String {
    if value.abs() >= 100.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
