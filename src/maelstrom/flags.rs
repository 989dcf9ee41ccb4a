//! The options of `bench maelstrom test`: those of Maelstrom, by their names there, and a few more.

use crate::ci::CiFiles;
use crate::cli::PictureFlags;
use clap::{Args, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// `bench maelstrom test`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Test {
    /// What the clients ask for
    #[arg(short, long, value_enum, value_name = "NAME", default_value = "lin-kv")]
    pub workload: Name,
    /// The program of a node
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub bin: PathBuf,
    /// How many nodes; they are n1, n2, …; 5 if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50))]
    pub node_count: Option<u32>,
    /// The names of the nodes, which are n1, n2, … and no others
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub nodes: Vec<String>,
    /// How long the load lasts, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = positive)]
    pub time_limit: f64,
    /// Requests a second, of all clients together
    #[arg(long, value_name = "N", default_value_t = 5.0, value_parser = positive)]
    pub rate: f64,
    /// How many clients: a number, or a multiple of the nodes such as 2n
    #[arg(long, value_name = "N", default_value = "1n")]
    pub concurrency: String,
    /// Faults to inject, with commas: partition; and what Maelstrom lacks: kill, pause
    #[arg(long, value_enum, value_name = "FAULT,…", value_delimiter = ',')]
    pub nemesis: Vec<Trouble>,
    /// How long each fault lasts, and how long the time between two is, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = positive)]
    pub nemesis_interval: f64,
    /// The mean latency between nodes, in milliseconds
    #[arg(long, value_name = "MILLIS", default_value_t = 0)]
    pub latency: u32,
    /// How latencies are spread: all the same, or evenly from 0 to twice the mean
    #[arg(long, value_enum, value_name = "TYPE", default_value = "constant")]
    pub latency_dist: Spread,
    /// The share of messages between nodes that are lost during the whole load, for example 5%
    #[arg(long, value_name = "SHARE")]
    pub loss: Option<String>,
    /// The share of messages between nodes that others overtake, for example 10%
    #[arg(long, value_name = "SHARE")]
    pub reorder: Option<String>,
    /// The share of messages between nodes that arrive twice, for example 10%
    #[arg(long, value_name = "SHARE")]
    pub duplicate: Option<String>,
    /// The share of requests that must be answered: total, or a number from 0 to 1
    #[arg(long, value_name = "EXPECTED")]
    pub availability: Option<String>,
    /// What transactions must fit, for example read-committed; strict-serializable if not given
    #[arg(long, value_name = "MODEL")]
    pub consistency_models: Option<String>,
    /// How many keys
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub key_count: Option<u32>,
    /// The most operations of a transaction; this bench draws one to four
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=4))]
    pub max_txn_length: Option<u32>,
    /// Workloads txn-list-append and txn-rw-register: the most writes of a key
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_writes_per_key: Option<u32>,
    /// Workload broadcast: which nodes are neighbours; grid if not given
    #[arg(long, value_enum, value_name = "SHAPE")]
    pub topology: Option<Shape>,
    /// Accepted and without effect: what nodes print on standard error is always in the results, in the folder nodes
    #[arg(long)]
    pub log_stderr: bool,
    /// How long a request may take, in milliseconds
    #[arg(long, value_name = "MILLIS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: u32,
    /// Seed of all random choices; drawn and printed if not given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Repeat the test N times with seeds that count up, and say how many failed
    #[arg(long, alias = "test-count", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub times: u32,
    /// Replace a value of the spec that these options make, for example --set load.recovery=5s
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Print the spec that these options make, and run nothing
    #[arg(long)]
    pub print_spec: bool,
    /// Write the results to this folder, which must be empty or absent
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Print one machine-readable summary on standard output, everything else on standard error
    #[arg(long)]
    pub json: bool,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARGUMENT")]
    pub arguments: Vec<OsString>,
    /// How pictures are written.
    #[command(flatten)]
    pub pictures: PictureFlags,
    /// Files for other programs.
    #[command(flatten)]
    pub ci: CiFiles,
}

/// Maelstrom's workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Words come back as they were said
    Echo,
    /// Ids are unique
    UniqueIds,
    /// Messages reach all nodes
    Broadcast,
    /// A set that grows
    GSet,
    /// A counter that grows
    GCounter,
    /// A counter that goes up and down
    PnCounter,
    /// Linearizable registers
    LinKv,
    /// Transactions on lists
    TxnListAppend,
    /// Transactions on registers
    TxnRwRegister,
    /// Logs with offsets
    Kafka,
}

/// What can be done to the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Trouble {
    /// Nodes are cut off from each other
    Partition,
    /// A node is killed and started again on the folder in the variable `BENCH_DATA`
    Kill,
    /// A node stands still for a while
    Pause,
}

/// How latencies are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spread {
    /// All the same
    Constant,
    /// Evenly from 0 to twice the mean
    Uniform,
}

/// Neighbours of the workload broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// A grid
    Grid,
    /// One after the other
    Line,
    /// All of all
    Total,
    /// A tree with two children for each node
    Tree2,
    /// A tree with three
    Tree3,
    /// A tree with four
    Tree4,
}

/// A number above 0.
fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|_| "write a number, for example 20".to_owned())?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("it must be above 0".to_owned()) }
}
