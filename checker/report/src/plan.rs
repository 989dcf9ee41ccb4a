//! What was asked of a run and what really ran: `plan.json`, and each variant's `load.json`.

use super::ResultsError;
use checker::transactions::Consistency;
use history::Phase;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// `plan.json`: everything that was decided before the start of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// Version of the bench that made it.
    pub bench: String,
    /// Name of the spec, for example `backoff`.
    pub spec: String,
    /// What the spec is for, in a sentence.
    #[serde(default)]
    pub about: String,
    /// The seed all randomness came from.
    pub seed: u64,
    /// When the run began, in UTC (RFC 3339).
    pub started: String,
    /// The machine it ran on, in words: `2 cores, Linux 6.18`.
    #[serde(default)]
    pub machine: String,
    /// The command that does the run again, as it can be typed in its folder; empty where it was not written down.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub again: String,
    /// The variants in the order in which they run; each has a folder of this name.
    pub variants: Vec<VariantPlan>,
}

/// One variant of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VariantPlan {
    /// Its name, which is also the name of its folder: `main` where the spec has no variants.
    pub name: String,
    /// The variant of the spec that it is one round of, where each runs several times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Which round of that, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
    /// The model its operations speak of, for example `register` or `kv`.
    pub model: String,
    /// The system under test, for example `paxos`.
    pub system: String,
    /// How the nodes are connected, for example `proxy`.
    pub network: String,
    /// All nodes.
    pub nodes: Vec<String>,
    /// Those of them that are no members at first, and perhaps never.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spares: Vec<String>,
    /// The nodes that host a replica, and so have a `decisions.jsonl`.
    #[serde(default)]
    pub replicas: Vec<String>,
    /// Number of clients.
    pub clients: u32,
    /// Operations a second over all clients (open loop); none: closed loop.
    pub rate: Option<f64>,
    /// Which node clients ask next, where that is not the usual: `pinned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Below this many `ok` operations a second in the phase `load`, the run proves nothing.
    #[serde(default)]
    pub minimum_rate: f64,
    /// Number of keys.
    pub keys: u32,
    /// What every account of a bank holds at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<i64>,
    /// Whether the spec describes what answers mean, so that a mistake in that may look like one of the system.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub described: bool,
    /// The kinds of operation of the mix, by name; empty where the plan does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<String>,
    /// After how long an operation without an answer is of unknown outcome.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional"
    )]
    pub timeout: Option<Duration>,
    /// The seed of each client.
    #[serde(default)]
    pub client_seeds: Vec<u64>,
    /// How competing leaders wait, in words, where the system has that: `none`, `exponential, 10ms to 2s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<String>,
    /// What a power loss may take from its disks, in words, where they are the bench's own: `folders ordered, …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    /// What is to be checked.
    pub check: CheckPlan,
    /// The faults, by number.
    #[serde(default)]
    pub faults: Vec<FaultPlan>,
}

/// What is to be checked of a variant beyond what always is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CheckPlan {
    /// Whether the history must be linearizable.
    pub linearizable: bool,
    /// How long that search may take; after it the answer is unknown.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timeout: Duration,
    /// What the system promised about its transactions, where that is less than strict serializability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<Consistency>,
    /// Whether the replicas' decisions must agree slot by slot.
    pub agreement: bool,
    /// The share of the written keys that may stay unread after the last heal, from 0 to 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unobserved: f64,
    /// The share of the requests in the load that must be answered, from 0 to 1; none where any will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<f64>,
    /// Regular expressions that no line of a log may match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<String>,
    /// Regular expressions of which each must match a line of a log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sometimes: Vec<String>,
    /// Whether the spec itself has a section `[digest]`, so that digests of at least two nodes must be compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub digest: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(share: &f64) -> bool {
    *share <= 0.0
}

/// One planned fault. Times are nanoseconds since the start of the phase `load`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FaultPlan {
    /// Its number, from 1.
    pub fault: u32,
    /// The word of the vocabulary, for example `kill`.
    pub kind: String,
    /// What people read on plots: `kill leader`.
    pub label: String,
    /// Whom it was aimed at, in the words of the spec: `leader`, `n2`, `random`.
    pub target: String,
    /// The nodes it hits; none where they are only found when it starts.
    pub nodes: Option<Vec<String>>,
    /// When it starts, in nanoseconds since the start of the phase `load`; none where only the run tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// When it is healed, in nanoseconds since the start of the phase `load`; none where only the run tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
    /// What it waits for, where that is not a time: `when n2 decided 500`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Why it hardly matters, as far as that is known before the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// `load.json` of a variant: when its phases really were, written when they are over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Load {
    /// The phases in order. Those that were never reached are missing.
    pub phases: Vec<PhaseSpan>,
    /// Operations of the open loop that were due and never sent, because no client was free.
    #[serde(default)]
    pub unsent: u64,
    /// False when the variant was interrupted.
    pub complete: bool,
    /// Why the variant was ended before its time, if it was: the violation that was found while it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// How long the system took from its start until it served, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_after: Option<u64>,
    /// Why there was no load, if there was none: what the system answered instead of serving.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unserved: Option<String>,
    /// Why the bench itself failed in this variant, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What became of the helpers, where clients are helpers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helpers: Option<Helpers>,
    /// What was seen of the bench's own store, where the run was simulated or its nodes wrote traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invariants: Option<Invariants>,
}

/// The invariants of the protocol of the bench's own store.
///
/// A simulated run checks them after every step, a real run over the traces of its nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invariants {
    /// Steps after which they held, or events over which they were checked.
    pub steps: u64,
    /// Whether they were checked over traces.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub traced: bool,
    /// Members that left no trace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untraced: Vec<String>,
    /// The first one that was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

/// How many processes of helpers there were, and how many were given up, by the reason. Each that was given up was started again
/// for the next operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Helpers {
    /// Processes that were started, those for the probes before the load among them.
    pub started: u64,
    /// Those that ended.
    pub exited: u64,
    /// Those that wrote a line that is no answer.
    pub nonsense: u64,
    /// Those that owed an answer for three time-outs.
    pub silent: u64,
}

impl Helpers {
    /// Why some were given up, in words; none if none was.
    pub(crate) fn given_up(&self) -> Option<String> {
        let counts = [
            (self.exited, "that ended"),
            (self.nonsense, "with a line that is no answer"),
            (self.silent, "without an answer for three time-outs"),
        ];
        let said = counts.iter().filter(|(count, _)| *count > 0);
        let said: Vec<_> = said.map(|(count, why)| format!("{count} {why}")).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }
}

/// When a phase was, in nanoseconds since the run's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseSpan {
    /// Which one.
    pub phase: Phase,
    /// Its beginning.
    pub start: u64,
    /// Its end.
    pub end: u64,
    /// Operations of the open loop that were due in it and never sent; 0 where that was not written down.
    #[serde(default)]
    pub unsent: u64,
}

impl VariantPlan {
    /// What was promised, where that is not the usual: of transactions in `check`, of other things by the model.
    pub(crate) fn promise(&self) -> Option<&'static str> {
        if !self.check.linearizable {
            return None;
        }
        match self.model.as_str() {
            "sequential-register" => Some("sequential"),
            "exactly-once-queue" => Some("exactly-once"),
            "fifo-queue" | "set" | "counter" => Some("linearizable"),
            _ => self.check.promise.map(Consistency::name),
        }
    }

    /// The usual promise.
    pub(crate) fn usual_promise(&self) -> &'static str {
        match self.model.as_str() {
            "sequential-register" | "register" | "kv" | "owned-mutex" => "linearizable",
            "exactly-once-queue" | "fifo-queue" | "total-queue" => "at-least-once",
            "set-final" | "set" | "counter" | "g-counter" | "pn-counter" => "eventually consistent",
            "unique-ids" => "unique",
            "echo" => "the same again",
            "kafka" => "a log",
            _ => Consistency::StrictSerializable.name(),
        }
    }

    /// Its name in the spec.
    pub fn in_spec(&self) -> &str {
        self.of.as_deref().unwrap_or(&self.name)
    }
}

impl Plan {
    /// How many variants the spec has.
    pub(crate) fn variants_in_spec(&self) -> usize {
        self.variants.iter().filter(|variant| variant.round.unwrap_or(1) == 1).count()
    }

    /// How often each variant runs.
    pub(crate) fn rounds(&self) -> u32 {
        self.variants.iter().filter_map(|variant| variant.round).max().unwrap_or(1)
    }

    /// The command that does the run again, as it can be typed in its folder.
    pub(crate) fn command(&self) -> String {
        if self.again.is_empty() {
            format!("bench run spec.toml --seed {}", self.seed)
        } else {
            self.again.clone()
        }
    }

    /// Reads `plan.json` in the folder of a run.
    pub fn read(dir: &Path) -> Result<Self, ResultsError> {
        let path = dir.join("plan.json");
        let text = std::fs::read_to_string(&path).map_err(|error| ResultsError::read(&path, error))?;
        serde_json::from_str(&text).map_err(|error| ResultsError::malformed(&path, error.line(), &error))
    }
}

impl Load {
    /// Reads `load.json` in the folder of a variant; none if it was never written.
    pub fn read(dir: &Path) -> Result<Option<Self>, ResultsError> {
        let path = dir.join("load.json");
        let Some(text) = super::files::read_optional(&path)? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| ResultsError::malformed(&path, error.line(), &error))
    }
}
