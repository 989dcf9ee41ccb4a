//! `bench known`: runs the experiments whose outcome is known, and compares.

use super::list;
use crate::ci::{Case, Results, State, Suite};
use crate::cli::Known as Arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::folder::{Latest, RunFolder};
use crate::run::{interrupt, lab, point};
use crate::spec::known::{Known, Verdict};
use crate::spec::promise::Promise;
use crate::spec::{self, Experiment, Loaded, Wishes, source};
use crate::systems::foreign;
use crate::terminal::layout::Figures;
use crate::terminal::{BAD, GOOD, STRONG, Screen};
use jiff::Timestamp;
use report::{Answer, RunVerdict};
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// The headings of the table.
const HEADER: [&str; 8] = ["experiment", "variant", "system", "promise", "expected", "found", "s", "seed"];

/// The line of one variant in the table.
#[derive(Debug)]
struct Row {
    file: PathBuf,
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

/// Runs every spec that says what is known of it.
///
/// # Errors
/// When a spec is wrong, or one that was named has no section `known` (exit code 2); when the table cannot be written (4).
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    arguments.ci.check()?;
    let specs = chosen(&arguments.specs)?;
    for spec in &specs {
        if let Ok(loaded) = &spec.loaded
            && lab::is_needed(loaded)?
        {
            return lab::enter();
        }
    }
    let screen = Screen::new(false);
    let started = Timestamp::now();
    let seed = arguments.seed.unwrap_or_default();
    let folder = RunFolder::create(None, "known", started, seed, Latest::Left)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::bench("runtime", format!("cannot be started: {error}")))?;
    let (rows, interrupted) = runtime.block_on(async {
        let interrupt = interrupt::listen(&screen)?;
        let mut rows = Vec::new();
        for spec in &specs {
            screen.line(&format!("{STRONG}{}{STRONG:#}", spec.path.display()));
            let new = spec.rows(arguments.seed, &folder.path, &screen, &interrupt).await;
            if interrupt.is_cancelled() {
                break;
            }
            for row in &new {
                screen.line(&format!("  {}", row.line()));
            }
            rows.extend(new);
        }
        Ok::<_, Failure>((rows, interrupt.is_cancelled()))
    })?;
    print(&screen, &rows);
    screen.line(&format!("\n  {}", folder.shown().display()));
    if let Some(file) = arguments.table.as_ref().filter(|_| !interrupted) {
        std::fs::write(file, markdown(&rows)).map_err(|error| Failure::io(file, &error))?;
    }
    let exit = match interrupted {
        true => Exit::Interrupted,
        false if rows.iter().any(Row::differs) => Exit::Invalid,
        false if rows.iter().all(Row::did_not_run) => Exit::Unknown,
        false => Exit::Valid,
    };
    arguments.ci.write(|| results(&rows, &folder.shown(), exit))?;
    Ok(exit)
}

/// A suite for each experiment, with a case for each variant.
fn results(rows: &[Row], folder: &Path, exit: Exit) -> Results {
    let suite = |rows: &[Row]| Suite {
        name: rows[0].spec.clone(),
        file: rows[0].file.display().to_string(),
        line: 1,
        seconds: rows[0].seconds.parse().unwrap_or(0.0),
        cases: rows.iter().map(Row::case).collect(),
        remarks: vec![format!("source: {}", rows[0].source)],
    };
    Results {
        name: "known experiments".to_owned(),
        answer: counts(rows),
        sentence: "Each experiment has an outcome that is known; it passes if that is found.".to_owned(),
        started: None,
        suites: rows.chunk_by(|one, other| one.file == other.file).map(suite).collect(),
        properties: vec![("folder", folder.display().to_string())],
        figures: (HEADER.to_vec(), rows.iter().map(Row::cells).collect()),
        exit: exit.code(),
    }
}

/// A spec with what is known of it.
struct KnownSpec {
    path: PathBuf,
    known: Known,
    /// The spec, or why it cannot be run here.
    loaded: Result<Loaded, String>,
}

impl KnownSpec {
    /// Reads a spec; none if it does not say what is known of it.
    ///
    /// # Errors
    /// When it cannot be read, or what is known does not fit its variants.
    fn read(path: PathBuf) -> Result<Option<Self>, Failure> {
        let document = source::open(&path)?;
        let wrong = |what: String| Failure::usage(format!("{}: [known]", document.name), what);
        let table: toml::Table =
            document.text.parse().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
        let Some(known) = table.get("known").cloned() else { return Ok(None) };
        let known = Known::deserialize(known).map_err(|error| wrong(error.message().to_owned()))?;
        let loaded = spec::load(document.clone(), &Wishes::default()).map_err(|failure| failure.what);
        if let Ok(loaded) = &loaded {
            let variants: Vec<&str> = loaded.experiments.iter().map(|one| one.variant.as_str()).collect();
            known.check(&variants).map_err(wrong)?;
        }
        Ok(Some(Self { path, known, loaded }))
    }

    /// Runs it, and says what came of each variant.
    async fn rows(
        &self,
        seed: Option<u64>,
        folder: &Path,
        screen: &Screen,
        interrupt: &CancellationToken,
    ) -> Vec<Row> {
        let seed = seed.unwrap_or(self.known.seed);
        let loaded = match &self.loaded {
            Ok(loaded) => loaded,
            Err(reason) => return vec![Row::of_none(&self.path, &self.known, seed, reason)],
        };
        let begun = Instant::now();
        let judged = point(loaded, seed, folder.join(&loaded.spec.name), screen, interrupt).await;
        screen.clear();
        let seconds = format!("{:.0}", begun.elapsed().as_secs_f64());
        let row = |experiment: &Experiment| Row {
            found: found(&judged, &experiment.variant),
            seconds: seconds.clone(),
            ..Row::about(&self.path, loaded, experiment, &self.known, seed)
        };
        loaded.experiments.iter().map(row).collect()
    }
}

/// The verdict of a variant, with the reason of the first check that says the same. Where the bench failed, nothing was found.
fn found(judged: &Result<RunVerdict, Failure>, variant: &str) -> Found {
    let verdict = match judged {
        Ok(verdict) => verdict,
        Err(failure) => return Found::NotRun(format!("{}: {}", failure.location, failure.what)),
    };
    let Some(variant) = verdict.variants.iter().find(|one| one.variant == variant) else {
        return Found::NotRun("it has no verdict".to_owned());
    };
    let deciding = variant.checks.iter().find(|check| check.answer == variant.answer);
    let reason = deciding.filter(|_| variant.answer != Answer::Valid).map(|check| check.reason.clone());
    Found::Verdict(variant.answer.word().to_owned(), reason.unwrap_or_default())
}

/// The specs that were named, or all that say what is known.
fn chosen(named: &[PathBuf]) -> Result<Vec<KnownSpec>, Failure> {
    if named.is_empty() {
        let all = list::specs().into_keys().map(|path| KnownSpec::read(path.into()));
        return all.filter_map(Result::transpose).collect();
    }
    let of = |path: &PathBuf| {
        KnownSpec::read(path.clone())?.ok_or_else(|| {
            Failure::usage(path.display().to_string(), "it does not say which outcome is known")
                .help("add a section [known], for example with expect = \"invalid\" and source = \"…\"")
        })
    };
    named.iter().map(of).collect()
}

impl Row {
    /// What is known before the run.
    fn about(file: &Path, loaded: &Loaded, experiment: &Experiment, known: &Known, seed: u64) -> Self {
        let cluster = &experiment.spec.cluster;
        let name = known.system.as_deref().unwrap_or(cluster.system.name());
        let version = foreign::version(cluster).unwrap_or_default();
        Self {
            file: file.to_owned(),
            spec: loaded.spec.name.clone(),
            variant: experiment.variant.clone(),
            system: format!("{name} {version}").trim_end().to_owned(),
            promise: promise(experiment),
            expected: known.of(&experiment.variant).map_or("", Verdict::word).to_owned(),
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
            file: path.to_owned(),
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

    fn did_not_run(&self) -> bool {
        matches!(self.found, Found::NotRun(_))
    }

    fn found(&self) -> &str {
        match &self.found {
            Found::Verdict(verdict, _) => verdict,
            Found::NotRun(_) => "not run",
        }
    }

    /// As a case for other programs: it passes if what is known was found.
    fn case(&self) -> Case {
        let (state, reason) = match &self.found {
            Found::Verdict(verdict, _) if !self.differs() => {
                (State::Passed, format!("{verdict}, as expected"))
            }
            Found::Verdict(verdict, reason) => {
                (State::Failed, format!("{verdict}, expected {}: {reason}", self.expected))
            }
            Found::NotRun(reason) => (State::Skipped, reason.clone()),
        };
        let name = if self.variant.is_empty() { "all variants" } else { &self.variant };
        Case { name: name.to_owned(), check: "known".to_owned(), state, reason, evidence: Vec::new() }
    }

    /// Its cells of the table.
    fn cells(&self) -> Vec<String> {
        let words = [&self.spec, &self.variant, &self.system, &self.promise, &self.expected, self.found()];
        let figures = [self.seconds.clone(), self.seed.to_string()];
        words.map(str::to_owned).into_iter().chain(figures).collect()
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
    let spec = &experiment.spec;
    spec.check.promise.map_or_else(|| Promise::usual(spec.load.workload), Promise::name).to_owned()
}

/// Prints the table, and what it comes to.
fn print(screen: &Screen, rows: &[Row]) {
    let rows_of_cells = rows.iter().map(Row::cells).collect();
    let figures = Figures { header: HEADER.to_vec(), rows: rows_of_cells, words: 6, names: 2 };
    screen.line(&format!("\n{}\n", figures.text(screen.columns())));
    screen.line(&counts(rows));
}

/// How many were found as expected.
fn counts(rows: &[Row]) -> String {
    let not_run = rows.iter().filter(|row| row.did_not_run()).count();
    let differ = rows.iter().filter(|row| row.differs()).count();
    let ran = rows.len() - not_run;
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
