//! The options of `bench sim`, `bench cause` and `bench audit`.

use super::duration;
use crate::hunt::Search;
use clap::{Args, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

/// `bench sim`.
#[derive(Debug, Args)]
pub(crate) struct Sim {
    /// The spec, whose system must be the bench's own store: a TOML file, or the name of a built-in one (see `bench list`)
    #[arg(value_name = "SPEC", value_hint = ValueHint::FilePath, required_unless_present = "scale")]
    pub spec: Option<PathBuf>,
    /// How many seeds are simulated
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// The first seed; 1 if not given
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Threads that simulate; as many as there are cores if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Measure instead how the protocol scales: acceptors, leaders, latencies and policies of backoff, as a CSV and a picture
    #[arg(long, conflicts_with_all = ["spec", "seeds", "sets", "only", "json"])]
    pub scale: bool,
    /// Replace a value of the spec, as in `bench run`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// The variant of the spec
    #[arg(long, value_name = "VARIANT")]
    pub only: Vec<String>,
    /// Write the run of the first seed that broke a promise to this folder, which must be empty or absent
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Print one machine-readable summary on standard output, everything else on standard error
    #[arg(long)]
    pub json: bool,
}

/// `bench cause`.
#[derive(Debug, Args)]
pub(crate) struct Cause {
    /// The folder of a simulated run whose verdict is invalid
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// The number of moments, from the start of the load to the last event
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(2..))]
    pub moments: u32,
    /// The number of runs that are drawn anew from each moment
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Write cause.csv and cause.png to this folder; to that of the run if not given
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// `bench audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The number of runs for each flaw, and for the sound store
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: u64,
    /// Audit only these, for example --only sound,replica-applies-twice; all flaws and the sound store if not given
    #[arg(long, value_name = "FLAW,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// How faults are drawn, one search or several that are compared with the first, for example random,guided
    #[arg(long, value_name = "SEARCH,…", value_delimiter = ',', value_enum)]
    pub search: Vec<Search>,
    /// Compare searches instead: this many hunts for each flaw with each search, each up to its first violation or --runs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub hunts: Option<u64>,
    /// Start no run of real nodes in a search or hunt that is older than this, for example 20m
    #[arg(long = "for", value_name = "DURATION", requires = "real", value_parser = duration)]
    pub time: Option<Duration>,
    /// Threads that simulate; as many as there are cores if not given
    #[arg(long, value_name = "N", conflicts_with = "real", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Start real nodes instead of simulating them
    #[arg(long)]
    pub real: bool,
    /// Seed of all draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write the results to this folder, which must be empty or absent
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}
