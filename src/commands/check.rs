//! `bench check`: a verdict on history files of any format, or on every history of a run.

use super::check_report::{Bounds, CheckReport, Wanted, judge, property};
use super::file_table::FileTable;
use super::sources::{self, Source};
use crate::cli::{Check, Elements, Reading};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::judge as run_judge;
use crate::spec::explain;
use crate::terminal::{FAINT, STRONG, Screen, summary};
use checker::elements::{self, Kind};
use checker::initial;
use checker::property::Property;
use checker::transactions::UnknownConsistency;
use formats::{self, FailedCas, Format, Options, Read, UnknownFormat};
use history::{Operation, pair, read_jsonl};
use report::Answer;
use report::Check as Verdict;
use serde_json::{Value, json};
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
    let files = sources::sources(&arguments.files)?;
    let screen = Screen::new(arguments.json);
    let bounds = bounds(arguments)?;
    if let [file] = files.as_slice() {
        let checked = one_file(arguments, &bounds, file)?;
        checked.tell(&screen, arguments.explain);
        if arguments.json {
            run_judge::print_value(&checked.row())?;
        }
        return Ok(checked.exit());
    }
    many_files(arguments, &bounds, &screen, &files)
}

/// A table with a line for each file. One that cannot be read does not hide what the others say.
fn many_files(
    arguments: &Check,
    bounds: &Bounds,
    screen: &Screen,
    files: &[Source],
) -> Result<Exit, Failure> {
    let mut worst = Exit::Valid;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    let (mut table, mut explained) = (FileTable::default(), Vec::new());
    for file in files {
        screen.live(file.path.display().to_string());
        match one_file(arguments, bounds, file) {
            Ok(checked) => {
                worst = worst.worse(checked.exit());
                table.add(&checked);
                rows.push(checked.row());
                if arguments.explain {
                    explained.push(checked);
                }
            }
            Err(failure) => {
                worst = worst.worse(failure.exit);
                table.unreadable(&file.path);
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
    if arguments.json {
        run_judge::print_value(&json!({ "exit": worst.code(), "files": rows }))?;
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
        // A history from elsewhere may promise less than real time.
        opening: None,
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
    let transactional = matches!(property, Property::Transactions(_));
    let asked = [
        ("--linearizable", *linearizable, property == Property::Elements(Kind::SetFull), "set-full"),
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
    let screen = Screen::new(arguments.json);
    let (verdict, unwritten) = run_judge::judge_read_only(folder)?;
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
    if arguments.json {
        run_judge::print_json(&verdict, folder, exit)?;
    }
    Ok(exit)
}

/// Whether a check is one of the operations alone, as the check of a file is.
fn is_of_history(check: &Verdict) -> bool {
    ["linearizable", "transactions", "elements"].contains(&check.name)
}

/// A file with its report.
pub(super) struct Checked {
    pub(super) file: PathBuf,
    pub(super) history: History,
    pub(super) property: Property,
    pub(super) report: CheckReport,
}

fn one_file(arguments: &Check, bounds: &Bounds, source: &Source) -> Result<Checked, Failure> {
    let location = source.path.display().to_string();
    let mut history = read(source, &arguments.reading)?;
    let said_by = if arguments.reading.model.is_some() { "--model" } else { location.as_str() };
    let property = property(&history.model, said_by)?;
    refuse_strangers(arguments, property)?;
    if let Some(value) = &arguments.initial {
        history.operations = initial::prepend(std::mem::take(&mut history.operations), property, value)
            .map_err(|error| Failure::usage("--initial", error))?;
        history.notes.push(format!("the history starts from {value}: its first operations write that"));
    }
    let mut report = judge(&history.operations, property, bounds);
    if report.answer == Answer::Invalid && arguments.initial.is_none() && history.format.is_foreign() {
        doubt_initial(&mut report, &history, property, bounds);
    }
    if report.answer == Answer::Valid && !history.unjudged.is_empty() {
        report.reason = format!("{}; not judged: {}", report.reason, history.unjudged.join(", "));
    }
    Ok(Checked { file: source.path.clone(), history, property, report })
}

/// Makes an invalid answer unknown that hangs on what the file does not say: the state before its first operation.
fn doubt_initial(report: &mut CheckReport, history: &History, property: Property, bounds: &Bounds) {
    let values = initial::candidates(&history.operations, property);
    let Some(first) = values.values().next() else { return };
    let said = if values.values().all(|value| value == first) {
        first.clone()
    } else {
        let entries = values.iter().map(|(key, value)| (key.clone().unwrap_or_default(), value.clone()));
        Value::Object(entries.collect())
    };
    let Ok(operations) = initial::prepend(history.operations.clone(), property, &said) else { return };
    if judge(&operations, property, bounds).answer == Answer::Valid {
        report.answer = Answer::Unknown;
        report.reason = format!(
            "{}, unless the history starts from {said}; say --initial '{said}', or --initial null if it starts empty",
            report.reason
        );
    }
}

impl Checked {
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
            "operations": history.operations.len(),
            "unfinished": history.unfinished,
            "file": file.to_string_lossy(),
        });
        if let Some(orders) = &report.orders {
            row["orders"] = orders.clone();
        }
        row
    }

    /// All there is to tell.
    fn tell(&self, screen: &Screen, explain: bool) {
        let Self { history, report, .. } = self;
        for note in &history.notes {
            screen.line(&format!("{FAINT}{note}{FAINT:#}"));
        }
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

/// A history that was read, ready to be checked.
pub(super) struct History {
    name: String,
    format: Format,
    model: String,
    pub(super) operations: Vec<Operation>,
    notes: Vec<String>,
    /// What the file says that no check judges; a clause each.
    unjudged: Vec<String>,
    unfinished: bool,
}

fn read(source: &Source, reading: &Reading) -> Result<History, Failure> {
    let location = source.path.display().to_string();
    let packed = source.bytes()?;
    let bytes = formats::unpack(&packed).map_err(|error| at(&location, &error))?;
    let options = options(reading)?;
    let ours = options.format.is_none_or(|format| format == Format::History);
    // Our own reader also takes what a killed bench has left.
    if ours
        && options.failed_cas.is_none()
        && let Ok(history) = read_jsonl(bytes.as_ref())
    {
        let operations =
            pair(&history.events).map_err(|error| Failure::usage(&location, error.to_string()))?;
        let cut = "the last line is cut off, as a killed bench leaves it; it is left out".to_owned();
        return Ok(History {
            name: history.header.spec,
            format: Format::History,
            model: reading.model.clone().unwrap_or(history.header.model),
            operations,
            notes: if history.unfinished { vec![cut] } else { Vec::new() },
            unjudged: Vec::new(),
            unfinished: history.unfinished,
        });
    }
    let read = foreign(&location, &bytes, &options)?;
    let model = read.model().map_err(|error| Failure::usage(&location, error.message))?.to_owned();
    let operations = read.operations().map_err(|error| at(&location, &error))?;
    let path = &source.path;
    let name = path.file_stem().map_or_else(|| location.clone(), |stem| stem.to_string_lossy().into_owned());
    Ok(History {
        name,
        format: read.format,
        model,
        operations,
        notes: read.notes,
        unjudged: read.unjudged,
        unfinished: read.unfinished,
    })
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
        independent: reading.independent.then_some(true),
        failed_cas: reading.failed_cas.map(FailedCas::from),
        memory: reading.memory,
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
