//! The program `nemesis`: injects faults into a cluster of `bench up`, for scripts.
//!
//! Prints one JSON value per line.

use clap::{Parser, Subcommand, ValueHint};
use nemesis::{AskError, FaultSpec, Reply, Request, ask, vocabulary};
use serde::Deserialize;
use serde_json::json;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Wrong usage, or a refused request.
const USAGE: u8 = 2;
/// A fault without evidence, or not healed.
const UNKNOWN: u8 = 3;
/// An error, or a node that does not answer.
const FAILED: u8 = 4;

/// Faults for a cluster that `bench up` runs. Prints one JSON value per line.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Exit codes: 0 every fault took effect and was healed (every node answers, the cluster is stopped), 2 wrong usage
or refused, 3 a fault left no evidence, 4 something failed or a node does not answer."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Inject the faults of a file and wait until all of them are healed; prints an event for each start and end
    Inject {
        /// The folder that `bench up` printed
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// [[fault]] tables as in a spec (TOML); standard input if not given
        #[arg(value_hint = ValueHint::FilePath)]
        faults: Option<PathBuf>,
        /// Seed of the random choices; drawn and printed if not given
        #[arg(long)]
        seed: Option<u64>,
        /// How long repeated or waiting faults occur, for example 30s; until the last one ends if not given
        #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
        lasts: Option<Duration>,
    },
    /// Print the state of each node
    Status {
        /// The folder that `bench up` printed
        folder: PathBuf,
    },
    /// Stop the cluster
    Down {
        /// The folder that `bench up` printed
        folder: PathBuf,
    },
    /// Print every kind of fault
    List,
}

/// The faults of a file; other keys of a spec are ignored.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    #[serde(rename = "fault")]
    faults: Vec<FaultSpec>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |_: jiff::Error| "write a number and a unit, for example 250ms, 30s or 2m".to_owned();
    let duration: jiff::SignedDuration = text.parse().map_err(wrong)?;
    duration.try_into().map_err(|_| "a duration cannot be negative".to_owned())
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Inject { folder, faults, seed, lasts } => inject(&folder, faults.as_deref(), seed, lasts),
        Command::Status { folder } => send(&folder, &Request::Status, FAILED),
        Command::Down { folder } => send(&folder, &Request::Down, FAILED),
        Command::List => list(),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err((code, message)) => {
            eprintln!("error: {message}");
            ExitCode::from(code)
        }
    }
}

type Outcome = Result<u8, (u8, String)>;

fn inject(folder: &Path, file: Option<&Path>, seed: Option<u64>, lasts: Option<Duration>) -> Outcome {
    let name = file.map_or("standard input".to_owned(), |file| file.display().to_string());
    let text = if let Some(file) = file {
        std::fs::read_to_string(file)
    } else {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    };
    let text = text.map_err(|error| (USAGE, format!("{name}: {error}")))?;
    let Faults { faults } = toml::from_str(&text).map_err(|error| (USAGE, format!("{name}: {error}")))?;
    let seed = seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    say(&json!({ "seed": seed }))?;
    send(folder, &Request::faults(faults, seed, lasts), UNKNOWN)
}

/// Sends a request and prints the replies; returns `otherwise` unless all went well.
fn send(folder: &Path, request: &Request, otherwise: u8) -> Outcome {
    let mut printed = Ok(());
    let print = |reply| {
        let result = match &reply {
            Reply::Node(node) => say(node),
            Reply::Event { event } => say(event),
            Reply::Done { .. } | Reply::Refused { .. } => Ok(()),
        };
        if printed.is_ok() {
            printed = result;
        }
    };
    let well = ask(folder, request, print).map_err(|error| {
        let code = match error {
            AskError::Absent(_) | AskError::Refused(_) => USAGE,
            AskError::Broken(_) => FAILED,
        };
        (code, format!("{}: {error}", folder.display()))
    })?;
    printed.map(|()| if well { 0 } else { otherwise })
}

fn list() -> Outcome {
    for entry in vocabulary() {
        let modes: Vec<String> = entry.modes.iter().map(ToString::to_string).collect();
        let networks = modes.join(" or ");
        say(
            &json!({ "kind": entry.name, "about": entry.about, "evidence": entry.evidence, "network": networks }),
        )?;
    }
    Ok(0)
}

fn say(value: &impl serde::Serialize) -> Result<(), (u8, String)> {
    let failed = |error: std::io::Error| (FAILED, format!("standard output: {error}"));
    let mut line = serde_json::to_vec(value).map_err(|error| failed(error.into()))?;
    line.push(b'\n');
    // A reader of the pipe needs each line at once.
    let mut out = std::io::stdout().lock();
    out.write_all(&line).and_then(|()| out.flush()).map_err(failed)
}
