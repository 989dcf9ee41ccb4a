//! `bench convert`: a history in another format.

use super::check::{foreign, options, parse_format};
use crate::cli::Convert;
use crate::exit::Exit;
use crate::failure::Failure;
use formats::Order;
use std::io::Write;

/// Reads a history of any format and writes it in another, to a file or to standard output.
///
/// # Errors
/// When the input does not parse, or the other format cannot express it (exit code 2).
pub(crate) fn run(arguments: &Convert) -> Result<Exit, Failure> {
    let location = arguments.input.display().to_string();
    let to = parse_format("--to", &arguments.to)?;
    let bytes = std::fs::read(&arguments.input)
        .map_err(|error| Failure::usage(&location, format!("cannot be read: {error}")))?;
    let read = foreign(&location, &bytes, &options(&arguments.reading)?)?;
    if read.order == Order::Sessions {
        let what = format!(
            "{} says nothing of real time, and every format that is written would make some up",
            read.format
        );
        return Err(Failure::usage(&location, what).help("`bench check` judges the file as it is"));
    }
    for note in &read.notes {
        anstream::eprintln!("{note}");
    }
    let written = formats::write(&read.events, &read.header, to)
        .map_err(|error| Failure::usage(&location, format!("cannot be written as {to}: {error}")))?;
    match &arguments.output {
        Some(path) => std::fs::write(path, written).map_err(|error| Failure::io(path, &error))?,
        None => std::io::stdout()
            .write_all(&written)
            .map_err(|error| Failure::bench("standard output", error.to_string()))?,
    }
    Ok(Exit::Valid)
}
