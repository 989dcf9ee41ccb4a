//! The options of `bench hunt` and `bench shrink`.

use super::duration;
use crate::hunt::Search;
use clap::{Args, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

/// `bench hunt`.
#[derive(Debug, Args)]
pub(crate) struct Hunt {
    /// The spec whose cluster and load are used, or a system of `bench list`; faults of the spec are replaced
    #[arg(value_name = "SPEC", value_hint = ValueHint::FilePath, required_unless_present_any = ["resume", "merge"])]
    pub spec: Option<PathBuf>,
    /// How long new runs are started, for example 8h; 10m if neither this nor --runs is given
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub time: Option<Duration>,
    /// How many runs are made, those of a resumed hunt included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: Option<u64>,
    /// The kinds of faults to draw from; all that can be injected here and that leave synced data alone if not given
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    pub faults: Vec<String>,
    /// Instead of drawn faults: power losses one after another, each of which leaves another legal state of a disk
    #[arg(long, conflicts_with_all = ["resume", "sim", "faults"])]
    pub crash_images: bool,
    /// Simulate the runs in virtual time, as `bench sim` does, instead of starting nodes
    #[arg(long, conflicts_with = "resume")]
    pub sim: bool,
    /// How schedules are drawn
    #[arg(long, value_name = "SEARCH", value_enum, default_value_t, conflicts_with_all = ["resume", "crash_images"])]
    pub search: Search,
    /// Make only a part of the runs, for example 2/4: each machine another part
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<(u64, u64)>,
    /// How often a violation is repeated with its own seed
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub repeats: u32,
    /// How long one violation is made smaller; 0s for not at all
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub shrink_for: Duration,
    /// Go on with the hunt in this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath,
          conflicts_with_all = ["spec", "seed", "sets", "only", "faults", "shard", "out"])]
    pub resume: Option<PathBuf>,
    /// Say what the hunts in these folders, shards of one, found together
    #[arg(long, value_name = "DIR", num_args = 1.., value_hint = ValueHint::DirPath,
          conflicts_with_all = ["spec", "resume", "time", "runs", "seed", "sets", "only", "faults", "shard", "out"])]
    pub merge: Vec<PathBuf>,
    /// Seed of all schedules; drawn and printed if not given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Replace a value of the spec, as in `bench run`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// The variant of the spec
    #[arg(long, value_name = "VARIANT")]
    pub only: Vec<String>,
    /// Write the results to this folder, which must be empty or absent
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Print one machine-readable summary on standard output, everything else on standard error
    #[arg(long)]
    pub json: bool,
}

/// `bench shrink`.
#[derive(Debug, Args)]
pub(crate) struct Shrink {
    /// The folder of a run whose verdict is invalid
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// How long candidates are tried
    #[arg(long = "for", value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub time: Duration,
    /// How often the run is repeated before
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub repeats: u32,
    /// Write the results to this folder, which must be empty or absent
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// A part of a hunt: `2/4`.
fn shard(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/').and_then(|(one, all)| Some((one.parse().ok()?, all.parse().ok()?)));
    parts
        .filter(|(one, all)| (1..=*all).contains(one))
        .ok_or_else(|| "write the part and the number of parts, for example 2/4".to_owned())
}
