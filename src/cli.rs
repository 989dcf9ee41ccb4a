//! The command line.

mod doctor;
mod hunt;
mod known;
mod maelstrom;
mod replay;
mod sim;
mod up;

pub(crate) use doctor::Doctor;
pub(crate) use hunt::{Hunt, Shrink};
pub(crate) use known::Known;
pub(crate) use maelstrom::MaelstromCommand;
pub(crate) use replay::{Followed, Replay};
pub(crate) use sim::{Audit, Cause, Sim};
pub(crate) use up::{Kept, Up};

use crate::ci::CiFiles;
use crate::flags::FaultFlags;
use crate::spec::Wishes;
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use report::compare::{Measure, UnknownMeasure};
use report::{PictureOptions, PictureWidth};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// A fault-injection test bench for replicated systems.
///
/// Starts real node processes, pushes concurrent commands at them, hurts them on a schedule, and proves
/// from the recorded history whether the system kept its promise.
#[derive(Debug, Parser)]
#[command(
    name = "bench",
    version,
    after_help = "\
Exit codes: 0 valid, 1 a promise was broken, 2 wrong usage or a bad spec, 3 unknown, 4 the bench itself \
failed, 130 interrupted (the results are written)."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one experiment with all its variants
    Run(Run),
    /// Measure a spec at each value of one key, and compare its variants
    Sweep(Sweep),
    /// Inject chosen faults into a standard load, told as a story in five phases
    Nemesis(Nemesis),
    /// Start the cluster of a spec and keep it, to play with and to hurt
    Up(Up),
    /// Say how the nodes of a cluster are that `bench up` keeps
    Status(Kept),
    /// Stop a cluster that `bench up` keeps
    Down(Kept),
    /// Judge histories of any format, or every history of a run
    Check(Check),
    /// Write a history in another format
    Convert(Convert),
    /// Write a run as a trace for Perfetto or OpenTelemetry
    Export(Export),
    /// Make tables, pictures and report of a run again from its files
    Report(Report),
    /// Say what became worse between two results, beyond noise
    Compare(Compare),
    /// Show the results of a folder in a browser, on this machine only
    Serve(Serve),
    /// List the specs, workloads, faults, flaws and checks there are, or the keys of a spec
    List(List),
    /// Run the experiments on other systems whose outcome is known, and compare
    Known(Known),
    /// Run a spec again and again with faults drawn at random, and make what is found smaller
    Hunt(Hunt),
    /// Repeat a violated run along its recorded schedule, and say how often it is violated again
    Replay(Replay),
    /// Leave out of a violated run what the violation does not need
    Shrink(Shrink),
    /// Run a spec in virtual time with many seeds, each exactly repeatable
    Sim(Sim),
    /// Say which known mistakes of the store a search finds that knows none of them
    Audit(Audit),
    /// Say when a simulated run was decided: how often it breaks its promise if it is drawn anew from each moment on
    Cause(Cause),
    /// Say which faults this machine or these hosts can inject, and what the others need
    Doctor(Doctor),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write one for each command
    Man {
        /// The folder to write them to; the page of bench goes to standard output if not given
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        folder: Option<PathBuf>,
    },
    /// Test a program that was written for Maelstrom, unchanged
    Maelstrom {
        /// What to do.
        #[command(subcommand)]
        command: MaelstromCommand,
    },
    /// Be one node of a cluster (the bench starts these itself)
    Node(Node),
}

/// What `run` and `nemesis` have in common.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunOptions {
    /// Seed of all random choices; drawn and printed if not given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Replace a value of the spec, for example --set load.rate=500 (again
    /// for more; lists count from 1, and the next index adds an entry)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Run only these variants of the spec, for example --only none,monitor
    #[arg(long, value_name = "VARIANT,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Write the results to this folder, which must be empty or absent
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Print one machine-readable summary on standard output, everything else on standard error
    #[arg(long)]
    pub json: bool,
}

/// `bench run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The spec: a TOML file, or the name of a built-in one (see `bench list`)
    #[arg(value_name = "SPEC", value_hint = ValueHint::FilePath)]
    pub spec: PathBuf,
    /// Run each variant N times, in turns; figures are medians with their ranges
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Repeat the run N times with seeds that count up, and say how many failed
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "rounds", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub times: u32,
    /// The options every run has.
    #[command(flatten)]
    pub options: RunOptions,
    /// How pictures are written.
    #[command(flatten)]
    pub pictures: PictureFlags,
    /// Files for other programs.
    #[command(flatten)]
    pub ci: CiFiles,
}

impl RunOptions {
    /// What these options ask of a spec.
    pub(crate) fn wishes(&self) -> Wishes<'_> {
        Wishes { sets: &self.sets, only: &self.only, ..Wishes::default() }
    }
}

/// How pictures are written.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Pictures")]
pub(crate) struct PictureFlags {
    /// Width of the pictures in pixels or on paper, for example 1200px, 178mm or 7in; 1800px if not given
    #[arg(long, value_name = "LENGTH", value_parser = width)]
    pub width: Option<PictureWidth>,
    /// Dots an inch; 300 for a width on paper if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(50..=2400))]
    pub dpi: Option<u32>,
    /// Write an SVG beside each PNG
    #[arg(long)]
    pub svg: bool,
}

impl PictureFlags {
    /// As the report takes them.
    pub(crate) fn options(self) -> PictureOptions {
        PictureOptions { width: self.width, dpi: self.dpi, svg: self.svg }
    }
}

/// A width: from what can be read to what fits the memory.
fn width(text: &str) -> Result<PictureWidth, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let wrong = || "write a width from 200px to 12000px or from 20mm to 1000mm, for example 178mm".to_owned();
    let number: f64 = digits.trim().parse().map_err(|_| wrong())?;
    let width = match &text[digits.len()..] {
        "" | "px" => PictureWidth::Pixels(digits.trim().parse().map_err(|_| wrong())?),
        "mm" => PictureWidth::Metres(number / 1e3),
        "cm" => PictureWidth::Metres(number / 1e2),
        "in" => PictureWidth::Metres(number * 0.0254),
        _ => return Err(wrong()),
    };
    let fits = match width {
        PictureWidth::Pixels(pixels) => (200..=12_000).contains(&pixels),
        PictureWidth::Metres(metres) => (0.02..=1.0).contains(&metres),
    };
    if fits { Ok(width) } else { Err(wrong()) }
}

/// `bench sweep`.
#[derive(Debug, Args)]
pub(crate) struct Sweep {
    /// The spec: a TOML file, or the name of a built-in one (see `bench list`)
    #[arg(value_name = "SPEC", value_hint = ValueHint::FilePath)]
    pub spec: PathBuf,
    /// The key to vary and its values, for example --over load.clients=1,64,256; that of the spec's section sweep if not
    /// given
    #[arg(long, value_name = "KEY=VALUE,…")]
    pub over: Option<String>,
    /// How often everything is measured, in turns; figures are medians
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: Option<u32>,
    /// The options every run has.
    #[command(flatten)]
    pub options: RunOptions,
    /// How pictures are written.
    #[command(flatten)]
    pub pictures: PictureFlags,
    /// Files for other programs.
    #[command(flatten)]
    pub ci: CiFiles,
}

/// `bench nemesis`.
#[derive(Debug, Args)]
pub(crate) struct Nemesis {
    /// The faults.
    #[command(flatten)]
    pub faults: FaultFlags,
    /// Hurt the cluster that `bench up` keeps in this folder, at once, in place of one of its own
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub attach: Option<PathBuf>,
    /// How long each fault lasts, for example 10s; 4s if not given
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub lasts: Option<Duration>,
    /// The options every run has.
    #[command(flatten)]
    pub options: RunOptions,
    /// How pictures are written.
    #[command(flatten)]
    pub pictures: PictureFlags,
    /// Files for other programs.
    #[command(flatten)]
    pub ci: CiFiles,
}

/// `bench check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Histories, folders of them, or the folder of a run or of one of its variants; unfinished ones too; - for standard
    /// input. With several, the exit code is 2 if one cannot be read, also if others are invalid
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath, required = true)]
    pub files: Vec<PathBuf>,
    /// How to read them.
    #[command(flatten)]
    pub reading: Reading,
    /// What transactions must fit, for example serializable or snapshot-isolation, or all for the strongest
    /// that hold and the weakest that fail; strict-serializable if not given
    #[arg(long, value_name = "MODEL")]
    pub consistency: Option<String>,
    /// The state before the history begins, as JSON: a value for every key, for example 0, or one for each
    /// key, for example '{"x":0,"y":0}'; without it, keys start empty
    #[arg(long, value_name = "JSON", value_parser = json, allow_negative_numbers = true)]
    pub initial: Option<Value>,
    /// What else the model should know.
    #[command(flatten)]
    pub elements: Elements,
    /// Have an order that proves a valid verdict confirmed by a separate verifier
    #[arg(long)]
    pub certify: bool,
    /// Say how the answer can be followed: of a valid history an order that explains every result, of an
    /// invalid one a picture of the operations that contradict each other, and all the evidence
    #[arg(long)]
    pub explain: bool,
    /// How long the search may take for each file, for example 30s; beyond it the answer is unknown
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = duration)]
    pub timeout: Duration,
    /// Print the verdict as JSON
    #[arg(long)]
    pub json: bool,
    /// Files for other programs.
    #[command(flatten)]
    pub ci: CiFiles,
}

/// What checks of elements need to know beside the history.
#[derive(Debug, Args)]
pub(crate) struct Elements {
    /// With --model set-full: an element that a read missed after it was known to be there is an error too; with
    /// monotonic: rows of different processes must be in order too
    #[arg(long)]
    pub linearizable: bool,
    /// With --model bank: what all accounts hold together; without it, what most reads say
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub total: Option<i64>,
    /// With --model bank: the names of all accounts; without it, those that transfers name and most reads have
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub accounts: Option<Vec<String>>,
    /// With --model bank: an account may hold less than nothing
    #[arg(long)]
    pub negative_balances: bool,
}

/// What may be said about a history file instead of having it guessed.
#[derive(Debug, Args)]
pub(crate) struct Reading {
    /// Judge by this model instead of the one the history names or its operations suggest
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// The file's format: history, operations-csv, jepsen-edn, jepsen-log, porcupine-kv, elle-json, etcd-json,
    /// dbcop, cobra, plume or awdit; found by looking if not given
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Every value is a key and a value, as in Jepsen's independent tests; with =false, none is, whatever the
    /// values look like
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub independent: Option<bool>,
    /// How much memory reading and searching may take, for example 2GiB; beyond it the file is refused, or
    /// the answer unknown
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<usize>,
    /// What a failed compare-and-set says; by default what the format means by it
    #[arg(long, value_name = "MEANING")]
    pub failed_cas: Option<FailedCasMeaning>,
}

/// What a failed compare-and-set says.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum FailedCasMeaning {
    /// Only that it did not happen
    DidNotHappen,
    /// That the value differed
    ValueDiffered,
}

impl From<FailedCasMeaning> for formats::FailedCas {
    fn from(meaning: FailedCasMeaning) -> Self {
        match meaning {
            FailedCasMeaning::DidNotHappen => Self::DidNotHappen,
            FailedCasMeaning::ValueDiffered => Self::ValueDiffered,
        }
    }
}

/// A value as JSON.
fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|_| "write JSON, for example 0, '\"a\"' or '{\"x\":0}'".to_owned())
}

/// A duration as specs write it.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |_: jiff::Error| "write a number and a unit, for example 250ms, 30s or 2m".to_owned();
    let duration: jiff::SignedDuration = text.parse().map_err(wrong)?;
    duration.try_into().map_err(|_| "a duration cannot be negative".to_owned())
}

/// A number of bytes, with or without a unit.
fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => return Err(format!("there is no unit \"{other}\"; use MB, GB, MiB or GiB, as in 512MiB")),
    };
    let bytes = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "write a size such as 512MiB".to_owned())
}

/// `bench convert`.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// A history of any format
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// Where to write it; to standard output if not given
    #[arg(value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// The format to write: the names of --format
    #[arg(long, value_name = "FORMAT")]
    pub to: String,
    /// How to read it.
    #[command(flatten)]
    pub reading: Reading,
}

/// `bench export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The folder of a run, or of one of its variants
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// Where to write it; to standard output if not given
    #[arg(value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// The format
    #[arg(long, value_name = "FORMAT")]
    pub to: TraceFormat,
}

/// A format of traces.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum TraceFormat {
    /// Chrome's trace events, for <https://ui.perfetto.dev>
    ChromeTrace,
    /// A request of OTLP as JSON, for any collector of OpenTelemetry
    OtlpJson,
}

/// `bench report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The folder of a run
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// Print one machine-readable summary on standard output
    #[arg(long)]
    pub json: bool,
    /// How pictures are written.
    #[command(flatten)]
    pub pictures: PictureFlags,
    /// Files for other programs.
    #[command(flatten)]
    pub ci: CiFiles,
}

/// `bench compare`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 no regression, 1 a regression, 2 wrong usage or bad input, 3 too little data to tell.")]
pub(crate) struct Compare {
    /// What was before: a run, one variant of it, a sweep, or a folder of these
    #[arg(value_name = "A", value_hint = ValueHint::DirPath)]
    pub a: PathBuf,
    /// What is compared with it
    #[arg(value_name = "B", value_hint = ValueHint::DirPath)]
    pub b: PathBuf,
    /// By how much a figure may become worse, for example 5%, or p99=25% for one figure (again for more)
    #[arg(long, value_name = "[FIGURE=]PERCENT", default_value = "10%", value_parser = limit)]
    pub threshold: Vec<Limit>,
    /// Figures that must be clear, or the exit code is 3; throughput,p50,p99 if not given
    #[arg(long, value_name = "FIGURE,…", value_delimiter = ',')]
    pub require: Vec<Measure>,
    /// How sure each interval is
    #[arg(long, value_name = "PERCENT", default_value = "99%", value_parser = confidence)]
    pub confidence: f64,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Write the comparison to this file as CSV
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub csv: Option<PathBuf>,
    /// Draw it into this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub png: Option<PathBuf>,
    /// Print it as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// By how much a figure may become worse, or all others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limit {
    /// The figure; all that have no limit of their own if none.
    pub figure: Option<Measure>,
    /// The share.
    pub share: f64,
}

fn limit(text: &str) -> Result<Limit, String> {
    let (figure, share) = match text.split_once('=') {
        Some((figure, share)) => {
            (Some(figure.parse().map_err(|error: UnknownMeasure| error.to_string())?), share)
        }
        None => (None, text),
    };
    let share = percent(share).filter(|share| *share > 0.0 && *share < 1.0);
    share
        .map(|share| Limit { figure, share })
        .ok_or_else(|| "write a share between 0% and 100%, for example 10%".to_owned())
}

fn confidence(text: &str) -> Result<f64, String> {
    let share = percent(text).filter(|share| *share >= 0.5 && *share <= 0.999);
    share.ok_or_else(|| "write a share from 50% to 99.9%, for example 95%".to_owned())
}

/// A share as people write it: `10%`.
fn percent(text: &str) -> Option<f64> {
    Some(text.strip_suffix('%')?.trim().parse::<f64>().ok()? / 100.0)
}

/// `bench serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The folder with the results
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath, default_value = "results")]
    pub folder: PathBuf,
    /// The port on the loopback interface; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 4400)]
    pub port: u16,
}

/// `bench list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print the reference of every key of a spec: type, range, default and meaning
    #[arg(long)]
    pub keys: bool,
}

/// `bench node`.
#[derive(Debug, Args)]
pub(crate) struct Node {
    /// The node's configuration (JSON)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,
    /// End when the process with this id ends
    #[arg(long, value_name = "PID")]
    pub parent: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::{Cli, PictureWidth, width};
    use clap::{CommandFactory, Parser as _};
    use saphyr_parser::{Event, Parser};

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn widths_have_units_and_bounds() {
        assert_eq!(width("1200px"), Ok(PictureWidth::Pixels(1200)));
        assert_eq!(width("178mm"), Ok(PictureWidth::Metres(0.178)));
        for wrong in ["", "mm", "10px", "99999", "-5in", "2m", "infmm", "nanmm"] {
            assert!(width(wrong).is_err(), "{wrong}");
        }
    }

    /// The commands of a workflow: the scalars in which a line begins with `bench`.
    fn commands(file: &str) -> Vec<Vec<String>> {
        let text =
            std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let mut commands = Vec::new();
        for event in Parser::new_from_str(&text) {
            let (event, _) = event.unwrap_or_else(|error| panic!("{file}: {error}"));
            let Event::Scalar(text, ..) = event else { continue };
            let lines = text.lines().filter(|line| line.starts_with("bench "));
            commands.extend(lines.map(|line| {
                let words = line.split_whitespace();
                words.map(|word| word.trim_matches('"').to_owned()).collect::<Vec<_>>()
            }));
        }
        commands
    }

    #[test]
    fn commands_of_workflows_are_understood() {
        for (file, count) in [("workloads/ci/github.yml", 3), ("workloads/ci/gitlab.yml", 3)] {
            let commands = commands(file);
            assert_eq!(commands.len(), count, "{file}: {commands:?}");
            for words in commands {
                Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{file}: {words:?}: {error}"));
            }
        }
    }
}
