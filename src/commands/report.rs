//! `bench report`: tables, pictures and report of a run or a sweep, made again from its files.

use crate::ci::Results;
use crate::cli::Report;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::{Destination, judge};
use crate::sweep;
use crate::terminal::{Screen, summary};

/// Judges the folder again and prints the summary.
///
/// # Errors
/// When the folder holds no run (exit code 2), or its files cannot be read or written (4).
pub(crate) fn run(arguments: &Report) -> Result<Exit, Failure> {
    let screen = Screen::new(arguments.json);
    arguments.ci.check()?;
    let pictures = arguments.pictures.options();
    let destination = Destination { ci: &arguments.ci, spec: None, pictures };
    if sweep::is_sweep(&arguments.folder) {
        return sweep::report(&arguments.folder, &screen, arguments.json, destination);
    }
    let folder = judge::run_folder(&arguments.folder)?;
    let (verdict, unwritten) = judge::judge_read_only(&folder, &pictures)?;
    if let Some(reason) = unwritten {
        return Err(Failure::bench(folder.display().to_string(), reason));
    }
    summary::print(&screen, &verdict, &folder);
    let exit = judge::exit_of(verdict.answer);
    let spec = folder.join("spec.toml");
    arguments.ci.write(|| Results::of_run(&verdict, &spec, &folder, None, exit.code()))?;
    if arguments.json {
        judge::print_json(&verdict, &folder, exit)?;
    }
    Ok(exit)
}
