//! The options of `bench known`.

use crate::ci::CiFiles;
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// `bench known`.
#[derive(Debug, Args)]
pub(crate) struct Known {
    /// Specs with a section `known`; all of `bench list` that have one if none is given
    #[arg(value_name = "SPEC", value_hint = ValueHint::FilePath)]
    pub specs: Vec<PathBuf>,
    /// Seed of all random choices of each run; that of its spec if not given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Write the table to this file too, as Markdown
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub table: Option<PathBuf>,
    /// Files for other programs.
    #[command(flatten)]
    pub ci: CiFiles,
}
