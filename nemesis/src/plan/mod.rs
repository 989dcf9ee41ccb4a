//! Decides everything about the faults of a run from the seed, before it starts. Pure.
//!
//! Each spec draws from two streams of its own (times, targets), so a fault that is added to a spec does not
//! change what the others draw. Only who leads is left open.

mod check;
mod members;
mod scope;
mod times;

pub use scope::{Hit, Scope};

use crate::budget::{AtMost, Hurt};
use crate::clock::{ClockFault, Clocks};
use crate::disk::{Condition, Damage, DiskMode, Harm};
use crate::flaky::Share;
use crate::network::{LinkFault, Mode};
use crate::point::{After, Point};
use crate::select::by_name;
use crate::spec::{CutManner, FaultSpec, MemberChange};
use crate::topology::Topology;
use crate::vocabulary::Kind;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOptions {
    /// The network the run uses; it decides which faults there are.
    pub mode: Mode,
    /// Where the nodes have their data.
    pub disk: DiskMode,
    /// Whose clocks can be shifted.
    pub clocks: Clocks,
    /// Length of the phase `load`. Every fault starts and ends within it.
    pub duration: Duration,
    /// How many nodes may be down or cut off at once; without it faults overlap as they come.
    pub at_most: Option<AtMost>,
    /// Whether the bench can change the members of this system.
    pub reconfigurable: bool,
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
    /// When it starts, in nanoseconds since the start of the phase `load`; at the earliest, where only the run tells.
    pub start: u64,
    /// When it is healed, in nanoseconds since the start of the phase `load`; at the latest, where only the run tells.
    pub end: u64,
    /// When the load ends, which is the latest that it may be healed, on the same clock.
    #[serde(skip)]
    pub latest: u64,
    /// What makes it start.
    #[serde(skip)]
    pub trigger: Trigger,
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

/// What makes a fault start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Its time.
    Time,
    /// A logical point of the run; it then lasts for so many nanoseconds, or until the load ends.
    When(Point, Option<u64>),
    /// The start of another fault of the plan.
    After {
        /// Its number.
        fault: u32,
        /// How much later, in nanoseconds.
        by: u64,
        /// For how many nanoseconds it lasts then; until the load ends where there is none.
        lasts: Option<u64>,
    },
}

impl Trigger {
    /// In words, where it is not a time: `when n2 decided 500`, `200ms after fault 1`.
    pub fn in_words(&self) -> Option<String> {
        match self {
            Self::Time => None,
            Self::When(point, _) => Some(format!("when {point}")),
            Self::After { fault, by, .. } => {
                Some(format!("{:?} after fault {fault}", Duration::from_nanos(*by)))
            }
        }
    }
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL at the start, restarted at the end.
    Kill,
    /// SIGTERM at the start, restarted at the end.
    Stop,
    /// SIGKILL at the start and everything it stored removed, restarted at the end.
    LoseNode,
    /// SIGTERM to one node after another, each restarted before the next.
    Roll,
    /// SIGSTOP at the start, SIGCONT at the end.
    Pause,
    /// SIGKILL and damage to its files at the start, restarted at the end.
    Damage(Damage),
    /// SIGSTOP and SIGCONT in turn, from start to end.
    Slow(Duty),
    /// SIGKILL, and started on the data of one another at once; on their own again at the end.
    SwapDisks,
    /// SIGKILL and the loss of all that was not synced at the start, restarted at the end.
    PowerLoss {
        /// Whether it waits for a write, of which a part is there.
        torn: bool,
    },
    /// Something about disks, from start to end.
    Disk(Condition),
    /// Something about clocks, from start to end.
    Clock(ClockFault),
    /// Something about links, from start to end.
    Links(LinkFault),
    /// The links between two nodes after those between two others are cut, and healed in another order.
    Swizzle {
        /// Seed of both orders.
        chance: u64,
    },
    /// Open connections are reset; over at once.
    Reset,
    /// The members of the cluster are others from start to end.
    Reconfigure {
        /// Whether those it is aimed at come, go, or make room.
        change: MemberChange,
        /// Those who make room are replaced by these.
        instead: Vec<String>,
    },
}

/// How long it takes from one turn to the next of what comes and goes by itself, where a spec does not say.
const PERIOD: Duration = Duration::from_millis(100);

/// How long something stands still and how long it goes on, in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duty {
    /// How long it stands still.
    pub still: Duration,
    /// How long it goes on.
    pub running: Duration,
}

impl Duty {
    /// Half of the time where nothing is said, ten times a second.
    fn of(spec: &FaultSpec) -> Self {
        let period = spec.period.unwrap_or(PERIOD);
        let share = spec.still.unwrap_or(Share::of_millionths(500_000));
        let still = period.mul_f64(f64::from(share.millionths()) / 1e6);
        Self { still, running: period.saturating_sub(still) }
    }
}

impl Action {
    /// Whether it keeps processes from answering.
    fn holds_processes(&self) -> bool {
        match self {
            Self::Kill
            | Self::Stop
            | Self::LoseNode
            | Self::Roll
            | Self::Pause
            | Self::Damage(_)
            | Self::PowerLoss { .. }
            | Self::SwapDisks
            | Self::Slow(_) => true,
            Self::Disk(_)
            | Self::Clock(_)
            | Self::Links(_)
            | Self::Swizzle { .. }
            | Self::Reset
            | Self::Reconfigure { .. } => false,
        }
    }
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

/// Plans the faults of a run: one entry for each time that each of them comes, sorted by
/// start, and those of which only the run tells when they start last.
pub fn plan(
    specs: &[FaultSpec],
    topology: &Topology,
    options: &PlanOptions,
) -> Result<Vec<PlannedFault>, PlanError> {
    let mut occurrences = Vec::new();
    let mut streams = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        check::check(spec, options).map_err(|refusal| refusal.of(index))?;
        let times = times::times(spec, options.duration, &mut stream(options.seed, 2 * index));
        let times = times.map_err(|refusal| refusal.of(index))?;
        streams.push(stream(options.seed, 2 * index + 1));
        if spec.after.is_none() {
            // Those of which only the run tells when they start come last.
            let order = |start| if spec.when.is_some() { u64::MAX } else { start };
            occurrences.extend(times.into_iter().map(|(start, end)| (order(start), (start, end), index)));
        }
    }
    occurrences.sort_unstable();

    let mut table = Table { topology, specs, options, streams, planned: Vec::new(), from: Vec::new() };
    for (_, window, index) in occurrences {
        let trigger = match &specs[index].when {
            Some(point) => Trigger::When(point.clone(), lasts(&specs[index])),
            None => Trigger::Time,
        };
        table.add(index, window, trigger).map_err(|refusal| refusal.of(index))?;
    }
    table.add_followers((0, times::ns(options.duration)))?;
    Ok(table.planned)
}

/// For how many nanoseconds a fault lasts once it has started; none is until the load ends.
fn lasts(spec: &FaultSpec) -> Option<u64> {
    if spec.kind.is_over_at_once() { Some(0) } else { spec.lasts.map(times::ns) }
}

/// A plan in the making.
struct Table<'a> {
    topology: &'a Topology,
    specs: &'a [FaultSpec],
    options: &'a PlanOptions,
    streams: Vec<ChaCha8Rng>,
    planned: Vec<PlannedFault>,
    /// Which spec each of them comes from.
    from: Vec<usize>,
}

impl Table<'_> {
    /// Draws what is left open about one time that a fault comes.
    fn add(&mut self, index: usize, (start, end): (u64, u64), trigger: Trigger) -> Result<(), Refusal> {
        let spec = &self.specs[index];
        if let Trigger::When(point, _) = &trigger
            && let Some(node) = point.node()
        {
            by_name(&[node.to_owned()], self.topology).map_err(|reason| Refusal::new("when", reason))?;
        }
        let (action, aim) = if spec.kind == Kind::Reconfigure {
            let others = members::Others::of(&self.planned, start, end);
            members::aim(spec, self.topology, &mut self.streams[index], &others)?
        } else {
            let action = action(spec, &mut self.streams[index]);
            let busy = busy(&action, &self.planned, start, end);
            let aim = scope::aim(spec, &action, self.topology, &mut self.streams[index], &busy)?;
            (action, aim)
        };
        if let Some(at_most) = self.options.at_most {
            let hurt = Hurt::of(&action, aim.scope.resolve(self.topology, None).ok().as_ref());
            at_most.allows(self.topology, &hurt).map_err(|excess| {
                let reason = format!("it takes away {excess} with at-most = {at_most} in [budget]");
                Refusal::new("kind", reason)
            })?;
        }
        self.planned.push(PlannedFault {
            fault: u32::try_from(self.planned.len() + 1).expect("a plan has fewer than four billion faults"),
            kind: spec.kind,
            label: aim.label,
            target: aim.target,
            nodes: aim.nodes,
            start,
            end,
            latest: times::ns(self.options.duration),
            trigger,
            action,
            scope: aim.scope,
        });
        self.from.push(index);
        Ok(())
    }

    /// Adds the faults that start after others: once for each time that the other comes.
    fn add_followers(&mut self, window: (u64, u64)) -> Result<(), PlanError> {
        let specs = self.specs;
        let mut open: Vec<(usize, After)> =
            specs.iter().enumerate().filter_map(|(index, spec)| Some((index, spec.after?))).collect();
        while !open.is_empty() {
            let before = open.len();
            let mut rest = Vec::new();
            for (index, after) in open {
                let leader = (after.fault as usize).checked_sub(1).filter(|leader| *leader < specs.len());
                let Some(leader) = leader else {
                    let reason = format!("there is no fault {}; they are counted from 1", after.fault);
                    return Err(Refusal::new("after", reason).of(index));
                };
                let leads = self.planned.iter().zip(&self.from).filter(|(_, from)| **from == leader);
                let numbers: Vec<u32> = leads.map(|(fault, _)| fault.fault).collect();
                if numbers.is_empty() {
                    rest.push((index, after));
                }
                for fault in numbers {
                    let (by, lasts) = (times::ns(after.by), lasts(&specs[index]));
                    let added = self.add(index, window, Trigger::After { fault, by, lasts });
                    added.map_err(|refusal| refusal.of(index))?;
                }
            }
            if rest.len() == before {
                let reason = "it waits for itself, so it would never start; let the first one have a time";
                return Err(Refusal::new("after", reason).of(rest[0].0));
            }
            open = rest;
        }
        Ok(())
    }
}

fn stream(seed: u64, number: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number as u64);
    rng
}

/// Nodes whose process another fault holds in this window. Drawing them would hide one fault behind the other.
fn busy(action: &Action, planned: &[PlannedFault], start: u64, end: u64) -> BTreeSet<String> {
    if !action.holds_processes() {
        return BTreeSet::new();
    }
    planned
        .iter()
        .filter(|fault| fault.action.holds_processes())
        .filter(|fault| fault.start <= end && start <= fault.end)
        .flat_map(|fault| fault.nodes.clone().unwrap_or_default())
        .collect()
}

fn action(spec: &FaultSpec, rng: &mut ChaCha8Rng) -> Action {
    match spec.kind {
        Kind::Kill | Kind::RestartAll => Action::Kill,
        Kind::Stop => Action::Stop,
        Kind::LoseNode => Action::LoseNode,
        Kind::RollingRestart => Action::Roll,
        Kind::Pause => Action::Pause,
        Kind::BitFlip | Kind::Truncate => {
            let flip = Harm::Flip { bits: spec.bits.unwrap_or(1) };
            let harm = if spec.kind == Kind::BitFlip { flip } else { Harm::Cut { bytes: spec.bytes } };
            Action::Damage(Damage { harm, file: spec.file.clone() })
        }
        Kind::Slow => Action::Slow(Duty::of(spec)),
        Kind::PowerLoss => Action::PowerLoss { torn: false },
        Kind::TornWrite => Action::PowerLoss { torn: true },
        Kind::Full => Action::Disk(Condition::Full),
        Kind::SlowSync => Action::Disk(Condition::SlowSync(spec.delay.unwrap_or_default())),
        Kind::SyncError => Action::Disk(Condition::SyncError),
        Kind::Swizzle => Action::Swizzle { chance: rng.random() },
        Kind::Reset => Action::Reset,
        Kind::Delay => Action::Links(LinkFault::Delay(spec.delay.unwrap_or_default())),
        Kind::Rate => Action::Links(LinkFault::Rate(spec.rate.map_or(1, |rate| rate.0))),
        Kind::Flaky => Action::Links(LinkFault::Flaky(spec.flaky())),
        Kind::Partition | Kind::OneWay => Action::Links(match spec.how.unwrap_or_default() {
            CutManner::Stall => LinkFault::Stall,
            CutManner::Refuse => LinkFault::Refuse,
        }),
        Kind::Jump => Action::Clock(ClockFault::Jump { by: check::nanoseconds(spec.by) }),
        Kind::Drift => Action::Clock(ClockFault::drift(spec.speed.unwrap_or(1.0))),
        Kind::Strobe => {
            let period = spec.period.unwrap_or(PERIOD);
            Action::Clock(ClockFault::Strobe { by: check::nanoseconds(spec.by), period })
        }
        Kind::Freeze => Action::Clock(ClockFault::Freeze),
        Kind::Reconfigure => unreachable!("who comes and who goes is planned together"),
        Kind::DiskSwap => Action::SwapDisks,
    }
}

#[cfg(test)]
mod tests;
