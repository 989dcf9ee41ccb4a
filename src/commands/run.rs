//! `bench run`: one experiment with all its variants.

use crate::cli::Run;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::{self, Destination, OutputStyle};
use crate::spec;
use crate::spec::source;
use crate::terminal::Screen;
use std::path::PathBuf;

/// Reads the spec, runs it, judges it.
///
/// # Errors
/// When the spec is wrong (exit code 2), or the bench cannot do its work (4).
pub(crate) fn run(arguments: &Run) -> Result<Exit, Failure> {
    let document = source::open(&arguments.spec)?;
    let file = PathBuf::from(&document.name);
    let loaded = spec::load(document, &arguments.options.wishes())?;
    let screen = Screen::new(arguments.options.json);
    let destination =
        Destination { ci: &arguments.ci, spec: Some(&file), pictures: arguments.pictures.options() };
    if arguments.times > 1 {
        return run::times::run(&loaded, &arguments.options, arguments.times, &screen, destination);
    }
    run::run(&loaded, &arguments.options, arguments.rounds, &screen, OutputStyle::Lines, destination)
}
