//! `bench check`: a verdict on history files of any format, or on every history of a run.

use super::check_doubts::{self, Doubts};
use super::check_report::{Bounds, CheckReport, Wanted, judge, judge_by, property};
use super::exec_model::{self, ExecModel};
use super::file_cases;
use super::file_doubts;
use super::file_table::FileTable;
use super::sources::{self, Found, Source};
use crate::ci::{Results, Suite};
use crate::cli::{Check, Elements, Reading};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::judge as run_judge;
use crate::spec::explain;
use crate::terminal::{FAINT, STRONG, Screen, summary};
use checker::elements::{self, Kind};
use checker::initial;
use checker::property::Property;
use checker::transactions::{Consistency, UnknownConsistency};
use checker::words;
use formats::{self, FailedCas, Format, Options, Order, Read, UnknownFormat, Unpacked};
use history::{Converted, Operations, RecordedOperations, read_jsonl};
use report::Answer;
use report::Check as Verdict;
use report::PictureOptions;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Judges files and folders.
///
/// # Errors
/// When there is nothing to judge, or something is not a history (exit code 2).
pub(crate) fn run(arguments: &Check) -> Result<Exit, Failure> {
    if let [folder] = arguments.files.as_slice()
        && folder.is_dir()
        && run_judge::run_folder(folder).is_ok_and(|run| run == *folder)
    {
        return whole_run(arguments, folder);
    }
    arguments.ci.check()?;
    let Found { sources: files, skipped } = sources::sources(&arguments.files)?;
    let screen = Screen::new(arguments.json);
    let bounds = bounds(arguments)?;
    if let [file] = files.as_slice() {
        let checked = one_file(arguments, &bounds, file)?;
        checked.tell(&screen, arguments.explain);
        sources::say_skipped(&screen, &skipped);
        arguments.ci.write(|| file_cases::results(vec![checked.suite()], checked.exit()))?;
        if arguments.json {
            let mut row = checked.row();
            if !skipped.is_empty() {
                row["skipped"] = sources::names(&skipped);
            }
            run_judge::print_value(&row)?;
        }
        return Ok(checked.exit());
    }
    many_files(arguments, &bounds, &screen, &files, &skipped)
}

/// A table with a line for each file. One that cannot be read does not hide what the others say.
fn many_files(
    arguments: &Check,
    bounds: &Bounds,
    screen: &Screen,
    files: &[Source],
    skipped: &[PathBuf],
) -> Result<Exit, Failure> {
    let mut worst = Exit::Valid;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    let (mut table, mut explained) = (FileTable::default(), Vec::new());
    let mut suites = Vec::new();
    for file in files {
        screen.live(file.path.display().to_string());
        match one_file(arguments, bounds, file) {
            Ok(checked) => {
                worst = worst.worse(checked.exit());
                table.add(&checked);
                suites.push(checked.suite());
                rows.push(checked.row());
                if arguments.explain {
                    explained.push(checked);
                }
            }
            Err(failure) => {
                worst = worst.worse(failure.exit);
                table.unreadable(&file.path);
                suites.push(file_cases::unreadable(&file.path, &failure.what));
                rows.push(json!({ "file": file.path.to_string_lossy(), "exit": failure.exit.code(), "error": failure.what }));
                failures.push(failure);
            }
        }
    }
    screen.clear();
    table.print(screen);
    for checked in &explained {
        screen.line(&format!("{STRONG}{}{STRONG:#}", checked.file.display()));
        checked.tell(screen, true);
    }
    for failure in &failures {
        failure.print();
    }
    sources::say_skipped(screen, skipped);
    table.say_exit(screen, worst);
    arguments.ci.write(|| file_cases::results(suites, worst))?;
    if arguments.json {
        let skipped = sources::names(skipped);
        run_judge::print_value(&json!({ "exit": worst.code(), "files": rows, "skipped": skipped }))?;
    }
    Ok(worst)
}

/// What the command line says of the checks to make.
fn bounds(arguments: &Check) -> Result<Bounds, Failure> {
    let elements = elements::Options {
        linearizable: arguments.elements.linearizable,
        accounts: arguments.elements.accounts.as_ref().map(|names| names.iter().cloned().collect()),
        total: arguments.elements.total,
        negative_balances: arguments.elements.negative_balances,
        // A history from elsewhere may promise less than real time, or may list elements more than once.
        opening: None,
        once: false,
    };
    Ok(Bounds {
        timeout: arguments.timeout,
        memory: arguments.reading.memory,
        consistency: consistency(arguments)?,
        elements,
        certify: arguments.certify,
        explain: arguments.explain,
    })
}

/// Refuses what the model does not know, instead of passing over it.
fn refuse_strangers(arguments: &Check, property: Property) -> Result<(), Failure> {
    let Elements { linearizable, total, accounts, negative_balances } = &arguments.elements;
    let bank = Property::Elements(Kind::Bank);
    let ordered = matches!(property, Property::Elements(Kind::SetFull | Kind::Monotonic));
    let transactional = matches!(property, Property::Transactions(_));
    let asked = [
        ("--linearizable", *linearizable, ordered, "set-full or monotonic"),
        ("--total", total.is_some(), property == bank, "bank"),
        ("--accounts", accounts.is_some(), property == bank, "bank"),
        ("--negative-balances", *negative_balances, property == bank, "bank"),
        ("--consistency", arguments.consistency.is_some(), transactional, "list-append or rw-register"),
    ];
    let stranger = asked.into_iter().find(|(_, said, known, _)| *said && !known);
    stranger.map_or(Ok(()), |(option, .., models)| {
        let what = format!("the model {property} knows nothing of it");
        Err(Failure::usage(option, what).help(format!("it belongs to --model {models}")))
    })
}

/// Every check of every variant, as after the run.
fn whole_run(arguments: &Check, folder: &Path) -> Result<Exit, Failure> {
    if arguments.reading.model.is_some() || arguments.reading.format.is_some() {
        return Err(Failure::usage("--model, --format", "a run's folder says both itself")
            .help("give one history.jsonl to judge it by another model"));
    }
    arguments.ci.check()?;
    let screen = Screen::new(arguments.json);
    let (verdict, unwritten) = run_judge::judge_read_only(folder, &PictureOptions::default())?;
    if let Some(reason) = unwritten {
        screen.line(&format!("{FAINT}tables and pictures stay as they were: {reason}{FAINT:#}"));
    }
    summary::say_verdict(&screen, &verdict);
    let mut exit = run_judge::exit_of(verdict.answer);
    if arguments.explain || arguments.certify {
        for variant in verdict.variants.iter().filter(|variant| variant.checks.iter().any(is_of_history)) {
            let file = folder.join(&variant.variant).join("history.jsonl");
            if file.is_file() {
                let checked = one_file(arguments, &bounds(arguments)?, &Source::file(file))?;
                screen.line(&format!("{STRONG}{}{STRONG:#}", variant.variant));
                checked.tell(&screen, arguments.explain);
                exit = exit.worse(checked.exit());
            }
        }
    }
    let spec = folder.join("spec.toml");
    arguments.ci.write(|| Results::of_run(&verdict, &spec, folder, None, exit.code()))?;
    if arguments.json {
        run_judge::print_json(&verdict, folder, exit)?;
    }
    Ok(exit)
}

/// Whether a check is one of the operations alone, as the check of a file is.
fn is_of_history(check: &Verdict) -> bool {
    ["linearizable", "sequential", "transactions", "elements"].contains(&check.name)
}

/// A file with its report.
pub(super) struct Checked {
    pub(super) file: PathBuf,
    pub(super) history: History,
    pub(super) report: CheckReport,
}

/// Judges a file, in each way in which it can be read.
fn one_file(arguments: &Check, bounds: &Bounds, source: &Source) -> Result<Checked, Failure> {
    let options = Options { initial: arguments.initial.is_some(), ..options(&arguments.reading)? };
    let mut checked = read_in_one_way(arguments, bounds, source, &options)?;
    let again = |options: &Options| read_in_one_way(arguments, bounds, source, options).ok();
    file_doubts::settle(&mut checked, &options, &again);
    Ok(checked)
}

fn read_in_one_way(
    arguments: &Check,
    bounds: &Bounds,
    source: &Source,
    options: &Options,
) -> Result<Checked, Failure> {
    let location = source.path.display().to_string();
    let mut history = read(source, options)?;
    let said_by = if arguments.reading.model.is_some() { "--model" } else { location.as_str() };
    if let Some(program) = history.model.strip_prefix(exec_model::PREFIX) {
        let report = by_program(arguments, bounds, &history, program)?;
        if let Some(value) = arguments.initial.as_ref().or(history.initial.as_ref()) {
            history.start = Start::From(value.clone());
        }
        return Ok(Checked::new(source, history, report));
    }
    let property = property(&history.model, said_by)?;
    refuse_strangers(arguments, property)?;
    let said = arguments.initial.as_ref().map(|value| ("--initial", value.clone()));
    let said = said.or_else(|| history.initial.clone().map(|value| (location.as_str(), value)));
    let given = said.is_some();
    // Null says that keys start empty, which adds no write.
    let begins = said.as_ref().is_some_and(|(_, value)| !value.is_null());
    if let Some((place, value)) = said {
        if let Some(why) = file_doubts::stranger_keys(&history.model, &history.operations, &value) {
            return Err(Failure::usage(place, why));
        }
        history.operations = initial::prepend(&history.operations, property, &value)
            .map_err(|error| Failure::usage(place, error))?;
        history.start = Start::From(value);
    }
    let sessions = history.order == Order::Sessions;
    let consistency =
        bounds.consistency.or(sessions.then_some(Wanted::Model(Consistency::StrongSessionSerializable)));
    let of_real_time = consistency.is_none_or(is_of_real_time);
    if sessions && (of_real_time || consistency == Some(Wanted::All)) {
        history.unjudged.push("real time, of which the file says nothing".to_owned());
    }
    let transactional = matches!(property, Property::Transactions(_));
    if begins && (transactional && !of_real_time || property == Property::Sequential) {
        // Its writes come first in real time, which this model does not respect.
        history.unjudged.push("that the initial state comes first".to_owned());
    }
    let bounds = &Bounds { consistency, elements: bounds.elements.clone(), ..*bounds };
    let mut report = judge(&history.operations, property, bounds);
    let doubts = Doubts {
        initial: !given && history.converted.unknown_start,
        model: history.guessed,
        lone_client: history.converted.lone_client,
    };
    if report.answer == Answer::Invalid {
        check_doubts::settle(&mut report, &history.operations, property, bounds, &doubts);
    }
    Ok(Checked::new(source, history, report))
}

/// Whether what is asked needs the order of real time, beside that of each session.
fn is_of_real_time(asked: Wanted) -> bool {
    let Wanted::Model(model) = asked else { return false };
    let name = model.name();
    name.starts_with("strict-") || name.starts_with("strong-") && !name.contains("session")
}

/// Judges by a program of one's own.
fn by_program(
    arguments: &Check,
    bounds: &Bounds,
    history: &History,
    program: &str,
) -> Result<CheckReport, Failure> {
    let name = &history.model;
    let Elements { linearizable, total, accounts, negative_balances } = &arguments.elements;
    let elements = *linearizable || total.is_some() || accounts.is_some() || *negative_balances;
    if elements || arguments.consistency.is_some() || arguments.certify {
        return Err(Failure::usage(
            format!("--model {name}"),
            "a program knows no other option than --initial",
        ));
    }
    let initial = arguments.initial.as_ref().or(history.initial.as_ref());
    let model = ExecModel::start(name, program, initial)?;
    let report = judge_by(&history.operations, &model, name, bounds);
    model.failure().map_or(Ok(report), Err)
}

impl Checked {
    /// A valid answer says what it leaves out.
    fn new(source: &Source, history: History, mut report: CheckReport) -> Self {
        if report.answer == Answer::Valid {
            if history.end != End::Whole {
                report.reason.push_str(", up to the cut of an unfinished file");
            }
            if !history.unjudged.is_empty() {
                report.reason = format!("{}; not judged: {}", report.reason, history.unjudged.join(", "));
            }
        }
        Self { file: source.path.clone(), history, report }
    }

    fn exit(&self) -> Exit {
        run_judge::exit_of(self.report.answer)
    }

    fn row(&self) -> Value {
        let Self { file, history, report, .. } = self;
        let mut row = json!({
            "answer": report.answer,
            "exit": self.exit().code(),
            "check": report.check,
            "model": history.model,
            "format": history.format.name(),
            "reason": report.reason,
            "evidence": report.evidence,
            "notes": history.notes,
            "initial": history.start.value(),
            "order": history.order.to_string(),
            "model_guessed": history.guessed,
            "not_judged": history.unjudged,
            "operations": history.operations.len(),
            "unfinished": history.end != End::Whole,
            "file": file.to_string_lossy(),
        });
        if let Some(orders) = &report.orders {
            row["orders"] = orders.clone();
        }
        row
    }

    /// As a case for other programs.
    fn suite(&self) -> Suite {
        let Self { file, report, history, .. } = self;
        file_cases::suite(file, report, history.notes.clone())
    }

    /// All there is to tell.
    fn tell(&self, screen: &Screen, explain: bool) {
        let Self { history, report, .. } = self;
        for note in &history.notes {
            screen.line(&format!("{FAINT}{note}{FAINT:#}"));
        }
        screen.line(&format!(
            "{FAINT}read as {}, judged by {}, {}, in the order {}{FAINT:#}",
            history.format,
            history.model,
            history.start,
            history.order_of()
        ));
        summary::say_check(screen, &history.name, report.check, report.answer, &report.reason);
        if explain {
            for line in report.explanation.iter().chain(&report.evidence) {
                screen.line(&format!("      {line}"));
            }
        } else {
            summary::say_evidence(screen, &report.evidence, "--explain shows all");
        }
    }
}

/// The consistency model that was asked for.
fn consistency(arguments: &Check) -> Result<Option<Wanted>, Failure> {
    let Some(name) = arguments.consistency.as_deref() else { return Ok(None) };
    if name == "all" {
        return Ok(Some(Wanted::All));
    }
    name.parse().map(|model| Some(Wanted::Model(model))).map_err(|error: UnknownConsistency| {
        let explained = explain::own(&error.to_string());
        let mut failure = Failure::usage("--consistency", explained.reason);
        failure.help = explained.help;
        failure
    })
}

/// Where a file ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Behind its last event.
    Whole,
    /// Inside an event, which is left out.
    Cut,
    /// Behind a last line without an end, which is left out.
    OpenLine,
}

/// A history that was read, ready to be checked.
pub(super) struct History {
    name: String,
    format: Format,
    pub(super) model: String,
    pub(super) operations: Operations,
    notes: Vec<String>,
    /// What the file says that no check judges; a clause each.
    unjudged: Vec<String>,
    order: Order,
    /// Whether the model is a guess by the names and values of the operations.
    guessed: bool,
    /// The state before the history that the file's header says.
    initial: Option<Value>,
    start: Start,
    /// What the file does not say for certain.
    pub(super) converted: Converted,
    pub(super) end: End,
    /// Whether another reading can order events of the same time in another way.
    pub(super) reorders: bool,
}

/// The state before the history begins.
enum Start {
    Empty,
    From(Value),
}

impl Start {
    fn value(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::From(value) => value.clone(),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty | Self::From(Value::Null) => f.write_str("starting empty"),
            Self::From(value) => write!(f, "starting from {value}"),
        }
    }
}

impl History {
    /// What the order is that of.
    fn order_of(&self) -> &'static str {
        match self.order {
            Order::File => "of the file",
            Order::Times => "of times",
            Order::Indexes => "of indexes",
            Order::Sessions => "of each session",
        }
    }
}

fn read(source: &Source, options: &Options) -> Result<History, Failure> {
    let location = source.path.display().to_string();
    let plain = options.format.is_none_or(|format| format == Format::History) && options.failed_cas.is_none();
    if let Some(recorded) = plain.then(|| source.recorded()).flatten() {
        return Ok(ours_as(recorded, false, options));
    }
    let in_place = source.open().and_then(|file| formats::read_operations(file, &location, options));
    if let Some(read) = in_place {
        return history_of(source, read, false);
    }
    let packed = source.bytes()?;
    let Unpacked { bytes, cut } = formats::unpack(&packed).map_err(|error| at(&location, &error))?;
    let ours = options.format.is_none_or(|format| format == Format::History) && sources::has_header(&bytes);
    // Our own reader also takes what a killed bench has left.
    if ours
        && options.failed_cas.is_none()
        && let Ok(history) = read_jsonl(formats::with_large_integers_as_text(&bytes).as_ref())
    {
        let recorded =
            RecordedOperations::of(history).map_err(|error| Failure::usage(&location, error.to_string()))?;
        return Ok(ours_as(recorded, cut, options));
    }
    let packed_whole = !cut && matches!(bytes, Cow::Owned(_));
    let in_place = || formats::read_operations(Cursor::new(&bytes), &location, options);
    let in_place = packed_whole.then(in_place).flatten();
    let mut read = in_place.map_or_else(|| foreign(&location, &bytes, options), Ok)?;
    if cut && !read.unfinished {
        read.unfinished = true;
        read.notes.push("the packed file is cut off: the history is unfinished".to_owned());
    }
    drop(bytes);
    drop(packed);
    history_of(source, read, cut)
}

/// What is judged of a file, which may have been packed and cut.
fn history_of(source: &Source, mut read: Read, cut: bool) -> Result<History, Failure> {
    let location = source.path.display().to_string();
    let model = read.model().map_err(|error| Failure::usage(&location, error.message))?.to_owned();
    let operations = read.take_operations().map_err(|error| at(&location, &error))?;
    let mut converted = read.header.converted.unwrap_or_default();
    let in_order = matches!(
        read.format,
        Format::History | Format::JepsenEdn | Format::JepsenLog | Format::PorcupineKv | Format::ElleJson
    );
    converted.cut_hides |= cut && (!in_order || read.order != Order::File);
    let path = &source.path;
    let name = path.file_stem().map_or_else(|| location.clone(), |stem| stem.to_string_lossy().into_owned());
    let mut unjudged = read.unjudged;
    if !source.beside.is_empty() {
        unjudged.push(words::counted(
            source.beside.len() as u64,
            "file of watch events (watch.json)",
            "files of watch events (watch.json)",
        ));
    }
    Ok(History {
        name,
        format: read.format,
        guessed: converted.guessed_model,
        model,
        operations,
        notes: read.notes,
        unjudged,
        order: read.order,
        initial: read.header.initial,
        start: Start::Empty,
        end: match (read.open_end, read.unfinished || converted.unfinished) {
            (true, _) => End::OpenLine,
            (false, true) => End::Cut,
            (false, false) => End::Whole,
        },
        converted,
        reorders: read.reorders,
    })
}

/// A history of our own format, as a killed bench may have left it.
fn ours_as(history: RecordedOperations, cut: bool, options: &Options) -> History {
    let note = "the last line is cut off, as a killed bench leaves it; it is left out".to_owned();
    let unfinished = history.unfinished || cut;
    let converted = history.header.converted.unwrap_or_default();
    History {
        name: history.header.spec,
        format: Format::History,
        model: options.model.clone().unwrap_or(history.header.model),
        operations: history.operations,
        notes: if unfinished { vec![note] } else { Vec::new() },
        unjudged: Vec::new(),
        order: Order::File,
        guessed: converted.guessed_model && options.model.is_none(),
        initial: history.header.initial,
        start: Start::Empty,
        end: if unfinished || converted.unfinished { End::Cut } else { End::Whole },
        converted,
        reorders: false,
    }
}

/// Reads a file of any format.
///
/// # Errors
/// When it does not parse, with line and column.
pub(super) fn foreign(location: &str, bytes: &[u8], options: &Options) -> Result<Read, Failure> {
    formats::read(bytes, location, options).map_err(|error| {
        at(location, &error)
            .help("formats: `bench check --help`; results/README.md says what ours looks like")
    })
}

fn at(location: &str, error: &formats::ReadError) -> Failure {
    if error.line == 0 {
        Failure::usage(location, &error.message)
    } else {
        Failure::usage(format!("{location}:{}:{}", error.line, error.column), &error.message)
    }
}

/// What the command line says about a file.
///
/// # Errors
/// When it names no format.
pub(super) fn options(reading: &Reading) -> Result<Options, Failure> {
    let format = reading.format.as_deref().map(|name| parse_format("--format", name)).transpose()?;
    Ok(Options {
        format,
        model: reading.model.clone(),
        independent: reading.independent,
        failed_cas: reading.failed_cas.map(FailedCas::from),
        memory: reading.memory,
        ..Options::default()
    })
}

/// A format by its name.
///
/// # Errors
/// When there is none of this name.
pub(super) fn parse_format(argument: &str, name: &str) -> Result<Format, Failure> {
    name.parse().map_err(|error: UnknownFormat| {
        let explained = explain::own(&error.to_string());
        let mut failure = Failure::usage(argument, explained.reason);
        failure.help = explained.help;
        failure
    })
}
