//! Decides everything about the faults of a run from the seed, before it starts. Pure.
//!
//! Each spec draws from two streams of its own (times, targets), so a fault that is added to a spec does not
//! change what the others draw. Only who leads is left open.

mod scope;
mod times;

pub use scope::{Hit, Scope};

use crate::disk::{Damage, Harm};
use crate::network::{CLIENTS, LinkFault, Mode};
use crate::spec::{CutManner, Delay, FaultSpec};
use crate::topology::Topology;
use crate::vocabulary::Kind;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOptions {
    /// The network the run uses; it decides which faults there are.
    pub mode: Mode,
    /// Length of the phase `load`. Every fault starts and ends within it.
    pub duration: Duration,
    /// Seed of every draw.
    pub seed: u64,
}

/// A fault with everything decided. Serializes as an element of `faults` in `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedFault {
    /// Its number, from 1, in the order of starts.
    pub fault: u32,
    /// What happens.
    pub kind: Kind,
    /// What people read on plots, for example `kill random (n3)` or `kill leader`.
    pub label: String,
    /// Whom it was aimed at, in the words of the spec.
    pub target: String,
    /// The nodes it hits; none where they are only found when it starts.
    pub nodes: Option<Vec<String>>,
    /// When it starts, in nanoseconds since the start of the phase `load`.
    pub start: u64,
    /// When it is healed, in nanoseconds since the start of the phase `load`.
    pub end: u64,
    /// What is done to the nodes or links of `scope`.
    #[serde(skip)]
    pub action: Action,
    /// Whom it is done to.
    #[serde(skip)]
    pub scope: Scope,
}

impl PlannedFault {
    /// The label with the nodes that were found when it started, for example `kill leader (n2)`.
    pub fn label_with(&self, nodes: &[String]) -> String {
        if self.nodes.is_some() {
            self.label.clone()
        } else {
            format!("{} ({})", self.label, nodes.join(" "))
        }
    }
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL at the start, restarted at the end.
    Kill,
    /// SIGSTOP at the start, SIGCONT at the end.
    Pause,
    /// SIGKILL and damage to its files at the start, restarted at the end.
    Damage(Damage),
    /// Something about links, from start to end.
    Links(LinkFault),
    /// Open connections are reset; over at once.
    Reset,
}

/// Why a spec's faults were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fault {}: `{field}`: {reason}", index + 1)]
pub struct PlanError {
    /// Place of the fault among the specs, from 0.
    pub index: usize,
    /// The key in its table.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

/// A refusal that does not know yet which fault it belongs to.
pub(crate) struct Refusal {
    field: &'static str,
    reason: String,
}

impl Refusal {
    pub(crate) fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }

    fn of(self, index: usize) -> PlanError {
        PlanError { index, field: self.field, reason: self.reason }
    }
}

/// Plans the faults of a run: one entry for each time that each of them comes, sorted by start.
pub fn plan(
    specs: &[FaultSpec],
    topology: &Topology,
    options: &PlanOptions,
) -> Result<Vec<PlannedFault>, PlanError> {
    let mut occurrences = Vec::new();
    let mut streams = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        check(spec, options.mode).map_err(|refusal| refusal.of(index))?;
        let times = times::times(spec, options.duration, &mut stream(options.seed, 2 * index));
        occurrences.extend(times.map_err(|refusal| refusal.of(index))?.into_iter().map(|when| (when, index)));
        streams.push(stream(options.seed, 2 * index + 1));
    }
    occurrences.sort_unstable();

    let mut planned: Vec<PlannedFault> = Vec::new();
    for ((start, end), index) in occurrences {
        let spec = &specs[index];
        let busy = busy(spec.kind, &planned, start, end);
        let aim = scope::aim(spec, topology, &mut streams[index], &busy);
        let aim = aim.map_err(|refusal| refusal.of(index))?;
        planned.push(PlannedFault {
            fault: u32::try_from(planned.len() + 1).expect("a plan has fewer than four billion faults"),
            kind: spec.kind,
            label: aim.label,
            target: aim.target,
            nodes: aim.nodes,
            start,
            end,
            action: action(spec),
            scope: aim.scope,
        });
    }
    Ok(planned)
}

fn stream(seed: u64, number: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number as u64);
    rng
}

/// Nodes whose process another fault holds in this window. Drawing them would hide one fault behind the other.
fn busy(kind: Kind, planned: &[PlannedFault], start: u64, end: u64) -> BTreeSet<String> {
    if !holds_process(kind) {
        return BTreeSet::new();
    }
    let holds = |fault: &&PlannedFault| holds_process(fault.kind);
    let overlaps = |fault: &&PlannedFault| fault.start <= end && start <= fault.end;
    planned
        .iter()
        .filter(holds)
        .filter(overlaps)
        .flat_map(|fault| fault.nodes.clone().unwrap_or_default())
        .collect()
}

fn holds_process(kind: Kind) -> bool {
    matches!(kind, Kind::Kill | Kind::Pause | Kind::BitFlip | Kind::Truncate)
}

fn action(spec: &FaultSpec) -> Action {
    match spec.kind {
        Kind::Kill => Action::Kill,
        Kind::Pause => Action::Pause,
        Kind::BitFlip | Kind::Truncate => {
            let flip = Harm::Flip { bits: spec.bits.unwrap_or(1) };
            let harm = if spec.kind == Kind::BitFlip { flip } else { Harm::Cut { bytes: spec.bytes } };
            Action::Damage(Damage { harm, file: spec.file.clone() })
        }
        Kind::Reset => Action::Reset,
        Kind::Delay => Action::Links(LinkFault::Delay(spec.delay.unwrap_or_default())),
        Kind::Rate => Action::Links(LinkFault::Rate(spec.rate.map_or(1, |rate| rate.0))),
        Kind::Flaky => Action::Links(LinkFault::Flaky(spec.flaky())),
        Kind::Partition | Kind::OneWay => Action::Links(match spec.how.unwrap_or_default() {
            CutManner::Stall => LinkFault::Stall,
            CutManner::Refuse => LinkFault::Refuse,
        }),
        Kind::Slow
        | Kind::Stop
        | Kind::LoseNode
        | Kind::Swizzle
        | Kind::PowerLoss
        | Kind::TornWrite
        | Kind::Full
        | Kind::SlowSync
        | Kind::SyncError
        | Kind::Jump
        | Kind::Drift
        | Kind::Strobe
        | Kind::Freeze
        | Kind::Reconfigure
        | Kind::RestartAll
        | Kind::RollingRestart
        | Kind::DiskSwap => {
            unreachable!("a kind that no mode can do is refused before its action is asked for")
        }
    }
}

/// Refuses what this mode cannot do, keys the kind does not take, and numbers that make no fault.
fn check(spec: &FaultSpec, mode: Mode) -> Result<(), Refusal> {
    spec.kind.available(mode).map_err(|reason| Refusal::new("kind", reason))?;
    let clients = spec.groups.iter().flatten().flatten().any(|name| name == CLIENTS);
    if clients && mode != Mode::Lab {
        let reason = "clients reach the nodes directly here; their links can be cut with network = \"lab\"";
        return Err(Refusal::new("groups", reason));
    }
    let keys: [(&'static str, bool, &[Kind]); 16] = [
        ("target", spec.target.is_some() && spec.kind == Kind::OneWay, &[]),
        ("shape", spec.shape.is_some(), &[Kind::Partition]),
        ("groups", spec.groups.is_some(), &[Kind::Partition]),
        ("from", spec.from.is_some(), &[Kind::OneWay]),
        ("to", spec.to.is_some(), &[Kind::OneWay]),
        ("how", spec.how.is_some(), &[Kind::Partition, Kind::OneWay]),
        ("delay", spec.delay.is_some(), &[Kind::Delay]),
        ("rate", spec.rate.is_some(), &[Kind::Rate]),
        ("loss", spec.loss.is_some(), &[Kind::Flaky]),
        ("duplicate", spec.duplicate.is_some(), &[Kind::Flaky]),
        ("reorder", spec.reorder.is_some(), &[Kind::Flaky]),
        ("corrupt", spec.corrupt.is_some(), &[Kind::Flaky]),
        ("garble", spec.garble.is_some(), &[Kind::Flaky]),
        ("file", spec.file.is_some(), &[Kind::BitFlip, Kind::Truncate]),
        ("bits", spec.bits.is_some(), &[Kind::BitFlip]),
        ("bytes", spec.bytes.is_some(), &[Kind::Truncate]),
    ];
    for (key, given, kinds) in keys {
        if given && !kinds.contains(&spec.kind) {
            let hint = if key == "target" { "; it takes `from` and `to`" } else { "" };
            return Err(Refusal::new(key, format!("`{}` does not take it{hint}", spec.kind)));
        }
    }
    if spec.bits == Some(0) || spec.bytes == Some(0) {
        let key = if spec.bits == Some(0) { "bits" } else { "bytes" };
        return Err(Refusal::new(key, "none at all is no fault; give at least 1"));
    }
    match (spec.kind, spec.delay, spec.rate) {
        (Kind::Delay, None, _) => Err(Refusal::new("delay", "say how much, for example delay = \"50ms\"")),
        (Kind::Delay, Some(delay), _) => check_delay(delay),
        (Kind::Rate, _, None) => Err(Refusal::new("rate", "say how much, for example rate = \"64KiB\"")),
        (Kind::Rate, _, Some(rate)) if rate.0 == 0 => {
            Err(Refusal::new("rate", "no bytes at all is a partition; use kind = \"partition\""))
        }
        (Kind::Flaky, _, _) if spec.flaky().is_nothing() => Err(Refusal::new(
            "loss",
            "say what happens to which share of the packets: loss, duplicate, reorder, corrupt or garble = \"1%\"",
        )),
        (_, _, _) => Ok(()),
    }
}

fn check_delay(delay: Delay) -> Result<(), Refusal> {
    if delay.is_zero() {
        return Err(Refusal::new("delay", "a delay of nothing is no fault"));
    }
    if delay.jitter > delay.mean {
        let reason = format!("its jitter ({:?}) must not exceed its mean ({:?})", delay.jitter, delay.mean);
        return Err(Refusal::new("delay", reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
