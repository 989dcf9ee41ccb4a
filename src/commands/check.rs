//! `bench check`: a verdict on history files of any format, or on every history of a run.

use super::judged::{Bounds, Judged, judge};
use crate::cli::{Check, Reading};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::judge as run_judge;
use crate::spec::explain;
use crate::terminal::{FAINT, Screen, summary};
use checker::formats::{self, FailedCas, Format, Options, Read, UnknownFormat};
use checker::history::{Operation, pair, read_jsonl};
use checker::transactions::{Consistency, UnknownConsistency};
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
    let files = files(&arguments.files)?;
    let screen = Screen::new(arguments.json);
    let mut worst = Exit::Valid;
    let mut rows = Vec::new();
    for file in &files {
        let (exit, row) = one_file(arguments, &screen, file, files.len() == 1)?;
        worst = worst.worse(exit);
        rows.push(row);
    }
    if arguments.json {
        let one = files.len() == 1;
        run_judge::print_value(&if one {
            rows.remove(0)
        } else {
            json!({ "exit": worst.code(), "files": rows })
        })?;
    }
    Ok(worst)
}

/// Every check of every variant, as after the run.
fn whole_run(arguments: &Check, folder: &Path) -> Result<Exit, Failure> {
    if arguments.reading.model.is_some() || arguments.reading.format.is_some() {
        return Err(Failure::usage("--model, --format", "a run's folder says both itself")
            .help("give one history.jsonl to judge it by another model"));
    }
    let screen = Screen::new(arguments.json);
    let verdict = run_judge::judge(folder)?;
    summary::say_verdict(&screen, &verdict);
    let exit = run_judge::exit_of(verdict.answer);
    if arguments.json {
        run_judge::print_json(&verdict, folder, exit)?;
    }
    Ok(exit)
}

/// The files that are meant: a folder means its history, or else all files in it.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.exists() {
            return Err(Failure::usage(path.display().to_string(), "there is no such file or folder")
                .help("give a history.jsonl, or the folder of a run such as results/latest"));
        }
        let history = path.join("history.jsonl");
        if !path.is_dir() {
            files.push(path.clone());
        } else if history.is_file() {
            files.push(history);
        } else {
            let entries = std::fs::read_dir(path).map_err(|error| Failure::io(path, &error))?;
            let mut inside: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
            inside.retain(|path| path.is_file());
            inside.sort();
            if inside.is_empty() {
                return Err(Failure::usage(path.display().to_string(), "there is no file in this folder"));
            }
            files.extend(inside);
        }
    }
    Ok(files)
}

/// Judges one file; `alone` tells all there is to tell, otherwise a line.
fn one_file(arguments: &Check, screen: &Screen, path: &Path, alone: bool) -> Result<(Exit, Value), Failure> {
    let place = path.display().to_string();
    let History { name, format, model, operations, notes, unfinished } = read(path, &arguments.reading)?;
    let said_by = if arguments.reading.model.is_some() { "--model" } else { place.as_str() };
    let bounds = Bounds {
        timeout: arguments.timeout,
        memory: arguments.reading.memory,
        consistency: consistency(arguments)?,
        certify: arguments.certify,
    };
    let Judged { check, answer, reason, evidence } = judge(&operations, &model, said_by, &bounds)?;
    let exit = run_judge::exit_of(answer);
    if alone {
        for note in &notes {
            screen.line(&format!("{FAINT}{note}{FAINT:#}"));
        }
    }
    let title = if alone { &name } else { &place };
    summary::say_check(screen, title, check, answer, &reason, if alone { &evidence } else { &[] });
    let row = json!({
        "answer": answer,
        "exit": exit.code(),
        "check": check,
        "model": model,
        "format": format.name(),
        "reason": reason,
        "evidence": evidence,
        "notes": notes,
        "operations": operations.len(),
        "unfinished": unfinished,
        "file": path,
    });
    Ok((exit, row))
}

/// The consistency model that was asked for.
fn consistency(arguments: &Check) -> Result<Option<Consistency>, Failure> {
    let parsed = arguments.consistency.as_deref().map(str::parse).transpose();
    parsed.map_err(|error: UnknownConsistency| {
        let explained = explain::own(&error.to_string());
        let mut failure = Failure::usage("--consistency", explained.reason);
        failure.help = explained.help;
        failure
    })
}

/// A history that was read, ready to be judged.
struct History {
    name: String,
    format: Format,
    model: String,
    operations: Vec<Operation>,
    notes: Vec<String>,
    unfinished: bool,
}

fn read(path: &Path, reading: &Reading) -> Result<History, Failure> {
    let place = path.display().to_string();
    let bytes =
        std::fs::read(path).map_err(|error| Failure::usage(&place, format!("cannot be read: {error}")))?;
    let options = options(reading)?;
    let ours = options.format.is_none_or(|format| format == Format::History);
    // Our own reader also takes what a killed bench has left.
    if ours
        && options.failed_cas.is_none()
        && let Ok(history) = read_jsonl(bytes.as_slice())
    {
        let operations = pair(&history.events).map_err(|error| Failure::usage(&place, error.to_string()))?;
        let cut = "the last line is cut off, as a killed bench leaves it; it is left out".to_owned();
        return Ok(History {
            name: history.header.spec,
            format: Format::History,
            model: reading.model.clone().unwrap_or(history.header.model),
            operations,
            notes: if history.unfinished { vec![cut] } else { Vec::new() },
            unfinished: history.unfinished,
        });
    }
    let read = foreign(&place, &bytes, &options)?;
    let model = read.model().map_err(|error| Failure::usage(&place, error.message))?.to_owned();
    let operations = read.operations().map_err(|error| at(&place, &error))?;
    let name = path.file_stem().map_or_else(|| place.clone(), |stem| stem.to_string_lossy().into_owned());
    let mut notes = vec![format!("read as {}: {}", read.format, read.format.about())];
    notes.extend(read.notes);
    Ok(History { name, format: read.format, model, operations, notes, unfinished: false })
}

/// Reads a file of any format.
///
/// # Errors
/// When it does not parse, with line and column.
pub(super) fn foreign(place: &str, bytes: &[u8], options: &Options) -> Result<Read, Failure> {
    formats::read(bytes, place, options).map_err(|error| {
        at(place, &error).help("formats: `bench check --help`; results/README.md says what ours looks like")
    })
}

fn at(place: &str, error: &formats::ReadError) -> Failure {
    if error.line == 0 {
        Failure::usage(place, &error.message)
    } else {
        Failure::usage(format!("{place}:{}:{}", error.line, error.column), &error.message)
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
