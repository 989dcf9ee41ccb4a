//! `bench export`: a run as a trace for Perfetto or OpenTelemetry.

use super::writable;
use crate::cli::{Export, TraceFormat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::judge::run_folder;
use report::export::{self, ExportError};
use std::fs::File;
use std::io::{BufWriter, Write};

/// Writes the trace to a file or to standard output.
///
/// # Errors
/// When the folder holds no run with a history (exit code 2), or the trace cannot be written (4).
pub(crate) fn run(arguments: &Export) -> Result<Exit, Failure> {
    let run = run_folder(&arguments.folder)?;
    let name = arguments.folder.file_name().and_then(|name| name.to_str());
    let only = if run == arguments.folder { None } else { name };
    let format = match arguments.to {
        TraceFormat::ChromeTrace => export::TraceFormat::Chrome,
        TraceFormat::OtlpJson => export::TraceFormat::Otlp,
    };
    let out: Box<dyn Write> = match &arguments.output {
        Some(path) => {
            writable(path)?;
            Box::new(File::create(path).map_err(|error| Failure::io(path, &error))?)
        }
        None => Box::new(std::io::stdout().lock()),
    };
    export::export(&run, only, format, BufWriter::new(out)).map_err(|error| match &error {
        ExportError::Results(_) | ExportError::NoHistory => {
            Failure::usage(arguments.folder.display().to_string(), error.to_string())
        }
        ExportError::Write(_) => {
            let to = arguments
                .output
                .as_ref()
                .map_or("standard output".to_owned(), |path| path.display().to_string());
            Failure::bench(to, error.to_string())
        }
    })?;
    Ok(Exit::Valid)
}
