//! `bench report`: tables, pictures and report of a run or a sweep, made again from its files.

use crate::cli::Report;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::judge;
use crate::sweep;
use crate::terminal::{Screen, summary};

/// Judges the folder again and prints the summary.
///
/// # Errors
/// When the folder holds no run (exit code 2), or its files cannot be read or written (4).
pub(crate) fn run(arguments: &Report) -> Result<Exit, Failure> {
    let screen = Screen::new(arguments.json);
    if sweep::is_sweep(&arguments.folder) {
        return sweep::report(&arguments.folder, &screen, arguments.json);
    }
    let folder = judge::run_folder(&arguments.folder)?;
    let verdict = judge::judge(&folder)?;
    summary::print(&screen, &verdict, &folder);
    let exit = judge::exit_of(verdict.answer);
    if arguments.json {
        judge::print_json(&verdict, &folder, exit)?;
    }
    Ok(exit)
}
