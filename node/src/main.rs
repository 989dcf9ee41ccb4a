//! The program `node`: one node of the replicated store, from a configuration file.

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// One node of a replicated key-value store on Paxos.
#[derive(Parser)]
struct Arguments {
    /// Its configuration (JSON): name, listen, data, seed, members, paxos.
    #[arg(long)]
    config: PathBuf,
    /// End when the process with this id ends.
    #[arg(long)]
    parent: Option<u32>,
}

fn main() -> ExitCode {
    let Arguments { config, parent } = Arguments::parse();
    let config = match node::config::NodeConfig::read(&config) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match node::run(config, parent) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ node::NodeError::Config(_)) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}
