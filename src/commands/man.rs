//! `bench man`: the manual pages, made from the definitions of the command line.

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use clap::CommandFactory;
use std::io::Write;
use std::path::Path;

/// Prints the page of `bench`, or writes all pages into a folder.
///
/// # Errors
/// When the folder is not there (exit code 2), or cannot be written (4).
pub(crate) fn run(folder: Option<&Path>) -> Result<Exit, Failure> {
    let command = Cli::command().name("bench");
    let Some(folder) = folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .and_then(|()| std::io::stdout().write_all(&page))
            .map_err(|error| Failure::bench("standard output", error.to_string()))?;
        return Ok(Exit::Valid);
    };
    if !folder.is_dir() {
        return Err(Failure::usage(folder.display().to_string(), "there is no such folder")
            .help("make it first, for example with mkdir -p man/man1"));
    }
    clap_mangen::generate_to(command, folder).map_err(|error| Failure::io(folder, &error))?;
    Ok(Exit::Valid)
}
