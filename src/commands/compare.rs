//! `bench compare`: what became worse between two results, beyond noise.

use crate::cli::Compare as Arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::judge::print_value;
use crate::terminal::Screen;
use crate::terminal::compare as output;
use report::compare::{CompareError, CompareOptions, Comparison, Outcome, compare};
use serde_json::json;
use std::path::Path;

/// Compares, and writes what was asked for.
///
/// # Errors
/// When a side cannot be read or both have nothing in common (exit code 2), or a file cannot be written (4).
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let options = options(arguments)?;
    let screen = Screen::new(arguments.json);
    let comparison = compare(&arguments.a, &arguments.b, &options).map_err(|error| refused(&error))?;
    output::print(&screen, &comparison);
    for (file, bytes) in
        [(&arguments.csv, Comparison::csv as fn(&Comparison) -> Vec<u8>), (&arguments.png, Comparison::png)]
    {
        if let Some(file) = file {
            std::fs::write(file, bytes(&comparison)).map_err(|error| Failure::io(file, &error))?;
            screen.line(&format!("  {}", file.display()));
        }
    }
    let exit = exit_of(comparison.outcome);
    if arguments.json {
        print_json(&comparison, [&arguments.a, &arguments.b], exit)?;
    }
    Ok(exit)
}

/// The exit code of a comparison.
fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::NoRegression => Exit::Valid,
        Outcome::Regression => Exit::Invalid,
        Outcome::TooLittleData => Exit::Unknown,
    }
}

fn options(arguments: &Arguments) -> Result<CompareOptions, Failure> {
    let usual = CompareOptions::default();
    let mut options = CompareOptions {
        confidence: arguments.confidence,
        seed: arguments.seed,
        required: if arguments.require.is_empty() { usual.required } else { arguments.require.clone() },
        ..usual
    };
    for limit in &arguments.threshold {
        match limit.figure {
            Some(figure) => _ = options.thresholds.insert(figure, limit.share),
            None => options.threshold = limit.share,
        }
    }
    for file in [&arguments.csv, &arguments.png].into_iter().flatten() {
        super::writable(file)?;
    }
    Ok(options)
}

fn refused(error: &CompareError) -> Failure {
    let failure = Failure::usage("compare", error.to_string());
    match error {
        CompareError::NothingInCommon { .. } => {
            failure.help("give two runs of the same spec, or the folders of two variants")
        }
        CompareError::NoFolder(_) | CompareError::NoResults(_) => {
            failure.help("give folders of runs or sweeps such as results/latest")
        }
        CompareError::Results(_) | CompareError::NotJudged(_) => failure,
    }
}

fn print_json(comparison: &Comparison, sides: [&Path; 2], exit: Exit) -> Result<(), Failure> {
    let mut value = serde_json::to_value(comparison).expect("our own types can be written as JSON");
    value["exit"] = json!(exit.code());
    for (name, side) in ["folder_a", "folder_b"].into_iter().zip(sides) {
        value[name] = json!(side.to_string_lossy());
    }
    print_value(&value)
}
