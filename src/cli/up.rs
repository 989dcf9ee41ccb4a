//! The options of `bench up`, `status` and `down`.

use super::RunOptions;
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// `bench up`.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// The spec whose cluster is started, without its load and faults
    #[arg(value_name = "SPEC", value_hint = ValueHint::FilePath, default_value = "workloads/smoke.toml")]
    pub spec: PathBuf,
    /// Return once the cluster is up, and keep it in the background
    #[arg(long)]
    pub detach: bool,
    /// This is the process in the background.
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub in_background: bool,
    /// The options every run has.
    #[command(flatten)]
    pub options: RunOptions,
}

/// `bench status` and `bench down`.
#[derive(Debug, Args)]
pub(crate) struct Kept {
    /// The folder that `bench up` named; the cluster that is up under results/up if not given
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: Option<PathBuf>,
    /// Print the answer as JSON on standard output
    #[arg(long)]
    pub json: bool,
}
