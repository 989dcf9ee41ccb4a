//! `bench completions`: completions for a shell, on standard output.

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;

/// Prints the completions.
///
/// # Errors
/// When standard output does not take them.
pub(crate) fn run(shell: Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bench", &mut text);
    std::io::stdout()
        .write_all(&text)
        .map_err(|error| Failure::bench("standard output", error.to_string()))?;
    Ok(Exit::Valid)
}
