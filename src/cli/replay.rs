//! The options of `bench replay`.

use clap::{Args, ValueEnum, ValueHint};
use nemesis::Holding;
use std::path::PathBuf;

/// `bench replay`.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The folder of a run whose verdict is invalid, or of a finding of a hunt
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// How many replays are made
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub times: u32,
    /// How many plain reruns are made for comparison; as many as replays if not given
    #[arg(long, value_name = "N", conflicts_with = "no_plain")]
    pub plain: Option<u32>,
    /// Make no plain reruns
    #[arg(long)]
    pub no_plain: bool,
    /// The longest that an event waits for its recorded predecessors, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub limit: u64,
    /// What follows the schedule besides the faults; if not given, the order of the operations of
    /// clients, or nothing where that brings the violation back more often
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',')]
    pub follow: Vec<Followed>,
    /// What is held until a fault strikes: point (nothing), requests, times, answers, syncs=MS,
    /// messages=N, sent=N or received=N; what brings
    /// the violation back most often in replays before the counted ones, if not given
    #[arg(long, value_name = "WHAT")]
    pub hold: Option<Holding>,
    /// The most replays that are made to choose what is held
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "hold")]
    pub tune: u32,
    /// Write the results to this folder, which must be empty or absent
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Print one machine-readable summary on standard output, everything else on standard error
    #[arg(long)]
    pub json: bool,
}

/// What follows a schedule besides the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Followed {
    /// Nothing but the faults
    Nothing,
    /// The order of the operations of clients
    Operations,
    /// The order of messages between nodes, in a lab
    Messages,
}
