//! From the files of a run to its verdict, and from the verdict to the exit code.

use crate::exit::Exit;
use crate::failure::Failure;
use report::{Answer, PictureOptions, RunVerdict};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The folder of a run; `path` is that folder, or the folder of one of its variants.
///
/// # Errors
/// When the folder has no plan of a run.
pub(crate) fn run_folder(path: &Path) -> Result<PathBuf, Failure> {
    [Some(path), path.parent()]
        .into_iter()
        .flatten()
        .find(|folder| folder.join("plan.json").is_file())
        .map(Path::to_owned)
        .ok_or_else(|| {
            Failure::usage(path.display().to_string(), "this is not the folder of a run: it has no plan.json")
                .help("give a folder such as results/latest")
        })
}

/// Judges a run and writes reports where the folder is writable; returns the failed writes.
///
/// # Errors
/// When the plan cannot be read.
pub(crate) fn judge_read_only(
    folder: &Path,
    pictures: &PictureOptions,
) -> Result<(RunVerdict, Option<String>), Failure> {
    let judged = report::judge_read_only(folder, &deadline, pictures);
    let (verdict, unwritten) =
        judged.map_err(|error| Failure::bench(folder.display().to_string(), error.to_string()))?;
    Ok((verdict, unwritten.map(|error| error.to_string())))
}

/// Judges the files of a run, and writes its tables, pictures and report.
///
/// # Errors
/// When a file cannot be read or written, or has invalid content.
pub(crate) fn judge(folder: &Path) -> Result<RunVerdict, Failure> {
    report::judge(folder, &deadline)
        .map_err(|error| Failure::bench(folder.display().to_string(), error.to_string()))
}

/// The same, and writes nothing but where the answer makes the run worth keeping.
///
/// # Errors
/// As [`judge`].
pub(crate) fn judge_and_keep(
    folder: &Path,
    is_kept: impl FnOnce(Answer) -> bool,
) -> Result<RunVerdict, Failure> {
    report::judge_and_keep(folder, &deadline, is_kept)
        .map_err(|error| Failure::bench(folder.display().to_string(), error.to_string()))
}

/// A function that returns whether this time has passed since now.
pub(crate) fn deadline(limit: Duration) -> Box<dyn Fn() -> bool + Sync> {
    let begun = Instant::now();
    Box::new(move || begun.elapsed() >= limit)
}

/// The exit code of an answer.
pub(crate) fn exit_of(answer: Answer) -> Exit {
    match answer {
        Answer::Valid => Exit::Valid,
        Answer::Unknown => Exit::Unknown,
        Answer::Failed => Exit::Failed,
        Answer::Invalid => Exit::Invalid,
    }
}

/// Prints the machine-readable summary on standard output.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print_json(verdict: &RunVerdict, folder: &Path, exit: Exit) -> Result<(), Failure> {
    let mut summary = serde_json::to_value(verdict).expect("our own types can be written as JSON");
    summary["exit"] = json!(exit.code());
    summary["folder"] = json!(folder.to_string_lossy());
    print_value(&summary)
}

/// Prints one JSON value and a line feed on standard output.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print_value(value: &serde_json::Value) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{value}")
        .map_err(|error| Failure::bench("standard output", error.to_string()))
}
