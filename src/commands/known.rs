//! `bench known`: runs the experiments whose outcome is known, and compares.

use super::list;
use crate::cli::Known as Arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::spec::known::Known;
use crate::spec::promise::Promise;
use crate::spec::{self, Experiment, Loaded, Wishes, source};
use crate::systems::foreign;
use crate::terminal::layout::Figures;
use crate::terminal::{BAD, GOOD, STRONG, Screen};
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use workloads::Workload;

/// The line of one variant in the table.
#[derive(Debug)]
struct Row {
    spec: String,
    variant: String,
    system: String,
    promise: String,
    expected: String,
    found: Found,
    seconds: String,
    seed: u64,
    source: String,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// This verdict, with its reason.
    Verdict(String, String),
    /// It could not be run, because of this.
    NotRun(String),
}

/// What `bench run --json` prints, as far as it is needed.
#[derive(Debug, Deserialize)]
struct Summary {
    variants: Vec<VariantSummary>,
}

#[derive(Debug, Deserialize)]
struct VariantSummary {
    variant: String,
    answer: String,
    checks: Vec<CheckSummary>,
}

#[derive(Debug, Deserialize)]
struct CheckSummary {
    answer: String,
    reason: String,
}

impl VariantSummary {
    /// Its verdict, with the reason of the first check that says the same. Where the bench failed, nothing was found.
    fn found(&self, failed: bool) -> Found {
        let deciding = self.checks.iter().find(|check| check.answer == self.answer && self.answer != "valid");
        let reason = deciding.map_or(String::new(), |check| check.reason.clone());
        match self.answer.as_str() {
            "failed" => Found::NotRun(reason),
            "unknown" if failed => Found::NotRun("the bench failed before".to_owned()),
            _ => Found::Verdict(self.answer.clone(), reason),
        }
    }
}

/// Runs every spec that says what is known of it.
///
/// # Errors
/// When a spec is wrong, or one that was named has no section `known` (exit code 2); when the table cannot be written (4).
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let screen = Screen::new(false);
    let specs = chosen(&arguments.specs)?;
    let mut rows = Vec::new();
    for (path, known) in &specs {
        screen.line(&format!("{STRONG}{}{STRONG:#}", path.display()));
        let seed = arguments.seed.unwrap_or(known.seed);
        let (new, interrupted) = experiment(path, known, seed);
        for row in &new {
            screen.line(&format!("  {}", row.line()));
        }
        rows.extend(new);
        if interrupted {
            print(&screen, &rows);
            return Ok(Exit::Interrupted);
        }
    }
    print(&screen, &rows);
    if let Some(file) = &arguments.table {
        std::fs::write(file, markdown(&rows)).map_err(|error| Failure::io(file, &error))?;
    }
    Ok(if rows.iter().any(Row::differs) { Exit::Invalid } else { Exit::Valid })
}

/// The specs that were named, or all that say what is known.
fn chosen(named: &[PathBuf]) -> Result<Vec<(PathBuf, Known)>, Failure> {
    if named.is_empty() {
        let mut all = Vec::new();
        for path in list::specs().into_keys().map(PathBuf::from) {
            all.extend(known_of(&path)?.map(|known| (path, known)));
        }
        return Ok(all);
    }
    let of = |path: &PathBuf| match known_of(path)? {
        Some(known) => Ok((path.clone(), known)),
        None => Err(Failure::usage(path.display().to_string(), "nothing is known of its outcome")
            .help("add a section [known], for example with expect = \"invalid\" and source = \"…\"")),
    };
    named.iter().map(of).collect()
}

/// What a spec says is known of its outcome; a spec that cannot run here is asked too.
fn known_of(path: &Path) -> Result<Option<Known>, Failure> {
    let document = source::open(path)?;
    let failed = |error: &dyn std::fmt::Display| Failure::usage(document.name.clone(), error.to_string());
    let table: toml::Table =
        document.text.parse().map_err(|error: toml::de::Error| failed(&error.message()))?;
    let known = table.get("known").cloned().map(Known::deserialize).transpose();
    known.map_err(|error| failed(&format!("[known]: {}", error.message())))
}

/// Runs a spec, and says whether it was interrupted.
fn experiment(path: &Path, known: &Known, seed: u64) -> (Vec<Row>, bool) {
    let document = match source::open(path) {
        Ok(document) => document,
        Err(failure) => return (vec![Row::of_none(path, known, seed, &failure.what)], false),
    };
    let loaded = match spec::load(document, &Wishes::default()) {
        Ok(loaded) => loaded,
        Err(failure) => return (vec![Row::of_none(path, known, seed, &failure.what)], false),
    };
    let begun = Instant::now();
    let (summary, code) = match carried_out(path, seed) {
        Ok(done) => done,
        Err(reason) => return (vec![Row::of_none(path, known, seed, &reason)], false),
    };
    let seconds = format!("{:.0}", begun.elapsed().as_secs_f64());
    let rows = loaded.experiments.iter().map(|one| {
        let of_variant = |summary: &Summary| {
            let variant = summary.variants.iter().find(|variant| variant.variant == one.variant)?;
            Some(variant.found(code == i32::from(Exit::Failed.code())))
        };
        let found = summary.as_ref().and_then(of_variant);
        Row {
            variant: one.variant.clone(),
            expected: known.of(&one.variant).map_or("not said", |verdict| verdict.word()).to_owned(),
            found: found.unwrap_or_else(|| Found::NotRun(format!("the bench ended with code {code}"))),
            seconds: seconds.clone(),
            ..Row::about(&loaded, &one.variant, known, seed)
        }
    });
    (rows.collect(), code == i32::from(Exit::Interrupted.code()))
}

/// Runs this program again for one spec; what it prints is its summary, and how it ended.
fn carried_out(path: &Path, seed: u64) -> Result<(Option<Summary>, i32), String> {
    let own = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
    let mut command = Command::new(own);
    command.arg("run").arg(path).args(["--json", "--seed", &seed.to_string()]);
    let done =
        command.stdin(Stdio::null()).stderr(Stdio::null()).output().map_err(|error| error.to_string())?;
    let summary = serde_json::from_slice(&done.stdout).ok();
    Ok((summary, done.status.code().unwrap_or(i32::from(Exit::Failed.code()))))
}

impl Row {
    /// What is known before the run.
    fn about(loaded: &Loaded, variant: &str, known: &Known, seed: u64) -> Self {
        let experiment = loaded.experiments.iter().find(|one| one.variant == variant);
        let cluster = experiment.map(|one| &one.spec.cluster);
        let name = cluster.map_or("", |cluster| cluster.system.name());
        let version = cluster.and_then(foreign::version).unwrap_or_default();
        let name = known.system.as_deref().unwrap_or(name);
        Self {
            spec: loaded.spec.name.clone(),
            variant: variant.to_owned(),
            system: format!("{name} {version}").trim_end().to_owned(),
            promise: experiment.map_or_else(String::new, promise),
            expected: String::new(),
            found: Found::NotRun(String::new()),
            seconds: String::new(),
            seed,
            source: known.source.clone(),
        }
    }

    /// A spec that cannot be run.
    fn of_none(path: &Path, known: &Known, seed: u64, reason: &str) -> Self {
        let spec = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Self {
            spec,
            variant: String::new(),
            system: String::new(),
            promise: String::new(),
            expected: known.in_words(),
            found: Found::NotRun(reason.to_owned()),
            seconds: String::new(),
            seed,
            source: known.source.clone(),
        }
    }

    /// Whether it ran and something else was found than expected.
    fn differs(&self) -> bool {
        matches!(&self.found, Found::Verdict(verdict, _) if *verdict != self.expected)
    }

    fn found(&self) -> &str {
        match &self.found {
            Found::Verdict(verdict, _) => verdict,
            Found::NotRun(_) => "not run",
        }
    }

    /// What came of it, for the terminal.
    fn line(&self) -> String {
        let style = if self.differs() { BAD } else { GOOD };
        let variant = if self.variant.is_empty() { String::new() } else { format!("{}: ", self.variant) };
        match &self.found {
            Found::Verdict(verdict, reason) => {
                let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                format!("{variant}{style}{verdict}{style:#}, expected {}{reason}", self.expected)
            }
            Found::NotRun(reason) => format!("{variant}not run: {reason}"),
        }
    }
}

/// What a system is judged by.
fn promise(experiment: &Experiment) -> String {
    let usual = match experiment.spec.load.workload {
        Workload::Register | Workload::Kv => "linearizable",
        Workload::ListAppend | Workload::RwRegister => "strict-serializable",
        Workload::Bank => "balances",
    };
    experiment.spec.check.promise.map_or(usual, Promise::name).to_owned()
}

/// Prints the table, and what it comes to.
fn print(screen: &Screen, rows: &[Row]) {
    let cells = |row: &Row| {
        [
            &row.spec,
            &row.variant,
            &row.system,
            &row.promise,
            &row.expected,
            row.found(),
            &row.seconds,
            &row.seed.to_string(),
        ]
        .map(str::to_owned)
        .to_vec()
    };
    let header = vec!["experiment", "variant", "system", "promise", "expected", "found", "s", "seed"];
    let figures = Figures { header, rows: rows.iter().map(cells).collect(), words: 6, names: 2 };
    screen.line(&format!("\n{}\n", figures.text(screen.columns())));
    screen.line(&counts(rows));
}

/// How many were found as expected.
fn counts(rows: &[Row]) -> String {
    let ran = rows.iter().filter(|row| matches!(row.found, Found::Verdict(..))).count();
    let differ = rows.iter().filter(|row| row.differs()).count();
    let not_run = rows.len() - ran;
    let not_run = if not_run > 0 { format!("; {not_run} not run") } else { String::new() };
    format!("{} of {ran} as expected{not_run}", ran - differ)
}

/// The table as Markdown.
fn markdown(rows: &[Row]) -> String {
    let mut text = "# What is known, and what the bench found\n\n`bench known --table results/known.md` writes this table.\n\n\
                    | experiment | system | promise | expected | found | seconds | seed | source |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for row in rows {
        let name = if row.variant.is_empty() || row.variant == spec::ONLY_VARIANT {
            row.spec.clone()
        } else {
            format!("{}, {}", row.spec, row.variant)
        };
        let found = match &row.found {
            Found::Verdict(verdict, _) if row.differs() => format!("**{verdict}**"),
            Found::Verdict(verdict, _) => verdict.clone(),
            Found::NotRun(reason) => format!("not run: {}", reason.replace('|', "\\|")),
        };
        let Row { system, promise, expected, seconds, seed, source, .. } = row;
        // A `String` takes every write.
        let _ = writeln!(
            text,
            "| {name} | {system} | {promise} | {expected} | {found} | {seconds} | {seed} | {source} |"
        );
    }
    let _ = writeln!(text, "\n{}", counts(rows));
    text
}
