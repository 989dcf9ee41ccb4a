//! `bench maelstrom test`: a program that was written for Maelstrom, under the options of Maelstrom.

use crate::cli::RunOptions;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::maelstrom::flags::Test;
use crate::maelstrom::test_spec;
use crate::run::{self, Destination, OutputStyle};
use crate::spec;
use crate::terminal::Screen;

/// Makes a spec of the options and runs it.
///
/// # Errors
/// When the options are wrong (exit code 2), or the bench cannot do its work (4).
pub(crate) fn run(test: &Test) -> Result<Exit, Failure> {
    let document = test_spec::document(test)?;
    if test.print_spec {
        anstream::print!("{}", document.text);
        return Ok(Exit::Valid);
    }
    let options = RunOptions {
        seed: test.seed,
        sets: test.sets.clone(),
        only: Vec::new(),
        out: test.out.clone(),
        json: test.json,
    };
    let loaded = spec::load(document, &options.wishes())?;
    let destination = Destination { ci: &test.ci, spec: None, pictures: test.pictures.options() };
    let screen = Screen::new(options.json);
    if test.times > 1 {
        return run::times::run(&loaded, &options, test.times, &screen, destination);
    }
    run::run(&loaded, &options, 1, &screen, OutputStyle::Lines, destination)
}
