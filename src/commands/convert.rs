//! `bench convert`: a history in another format.

use super::check::{foreign, options, parse_format};
use super::sources;
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
    let bytes = sources::content(&arguments.input)?;
    let read = foreign(&location, &bytes, &options(&arguments.reading)?)?;
    if read.order == Order::Sessions {
        let what = format!(
            "{} says nothing of real time, and every format that is written would make some up",
            read.format
        );
        return Err(Failure::usage(&location, what).help("`bench check` judges the file as it is"));
    }
    if read.open_end {
        let what = "the last line has no line feed, so that it may be cut off";
        return Err(Failure::usage(&location, what).help("end it with one if it is whole, or take it out"));
    }
    let guessed = read.header.converted.as_ref().is_some_and(|file| file.guessed_failed_cas);
    if guessed && to.is_foreign() && to != read.format {
        let what = format!(
            "{} may mean by a failed compare-and-set that the value differed, or only that it did not happen",
            read.format
        );
        return Err(Failure::usage(&location, what).help("say which with --failed-cas"));
    }
    for note in &read.notes {
        anstream::eprintln!("{note}");
    }
    let written = formats::write(&read.events(), &read.header, to)
        .map_err(|error| Failure::usage(&location, format!("cannot be written as {to}: {error}")))?;
    match &arguments.output {
        Some(path) => std::fs::write(path, written).map_err(|error| Failure::io(path, &error))?,
        None => std::io::stdout()
            .write_all(&written)
            .map_err(|error| Failure::bench("standard output", error.to_string()))?,
    }
    Ok(Exit::Valid)
}
