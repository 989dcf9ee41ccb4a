//! Faults of processes: kill, stop, pause, slow down, and loss of the data.

use super::background::{Background, Over};
use super::entry::{EVERYWHERE, Entry, Family, OnNodes};
use super::fault_kind::FaultKind;
use super::flag::{aimed, flag};
use super::in_sync::strike_during;
use super::proof::{Proof, each};
use super::stage::{State, Strike};
use crate::flaky::Share;
use crate::parameters::{During, Parameters, Target};
use crate::plan::{Aim, FaultEffect, Planning};
use crate::refusal::Refusal;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The evidence of a restarted node.
pub(crate) const PIDS: &str = "the old process ended; new pid and incarnation";

/// Kills a node with SIGKILL; the end restarts it on the same data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kill {
    target: Option<Target>,
    during: Option<During>,
}

impl FaultKind for Kill {
    const ENTRY: Entry = Entry {
        about: "SIGKILL; restarted on the same data at the end",
        evidence: PIDS,
        keys: &["target", "during"],
        nodes: OnNodes::Restarted,
        loses: 1,
        examples: &["", "during = \"sync\"\n"],
        flags: &[
            flag(
                "kill-replica",
                "",
                "",
                "End a replica with kill -9, and start it again on the same data",
                |_| aimed("random-replica"),
            ),
            flag("kill-leader", "", "", "End the active leader with kill -9, and start it again", |_| {
                aimed("leader")
            }),
            flag("kill-acceptor", "", "", "End an acceptor with kill -9, and start it again", |_| {
                aimed("random-acceptor")
            }),
            flag(
                "kill",
                "TARGET",
                "minority",
                "kill -9 for these nodes: n2, random, minority, leader, all, any-acceptor, or several: n1,n3",
                aimed,
            ),
        ],
        modes: EVERYWHERE,
        ..Entry::new("kill", Family::Process)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone(), during: parameters.during })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Down { power: false, writing: self.during.is_some() })
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        strike_during(self.during, strike, async || kill(strike).await).await
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        restart(strike).await
    }
}

/// Sends SIGKILL to every target node.
pub(crate) async fn kill(strike: &Strike<'_>) -> (u64, Proof) {
    let proof = each(strike.nodes(), |node| strike.testbed().kill(node, strike.claim)).await;
    (strike.now_ns(), proof)
}

/// Restarts every target node.
pub(crate) async fn restart(strike: &Strike<'_>) -> (u64, Proof) {
    let proof = each(strike.nodes(), |node| strike.testbed().restart(node, strike.claim)).await;
    (strike.now_ns(), proof)
}

/// Pauses a node with SIGSTOP; the end resumes it with SIGCONT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pause {
    target: Option<Target>,
}

impl FaultKind for Pause {
    const ENTRY: Entry = Entry {
        about: "SIGSTOP; SIGCONT at the end",
        evidence: "state T of every thread",
        nodes: OnNodes::Silent,
        loses: 1,
        flags: &[
            flag("pause-replica", "", "", "Stop a replica (SIGSTOP), and let it go on later", |_| {
                aimed("random-replica")
            }),
            flag("pause", "TARGET", "n2", "Stop nodes (SIGSTOP), and let them go on later", aimed),
        ],
        modes: EVERYWHERE,
        ..Entry::new("pause", Family::Process)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Still { duty: None })
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        let proof = each(strike.nodes(), |node| strike.testbed().pause(node, strike.claim)).await;
        (strike.now_ns(), proof)
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        resume(strike).await
    }
}

async fn resume(strike: &Strike<'_>) -> (u64, Proof) {
    let proof = each(strike.nodes(), |node| strike.testbed().resume(node, strike.claim)).await;
    (strike.now_ns(), proof)
}

/// Pauses and resumes a node repeatedly, for a share of the time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Slow {
    target: Option<Target>,
    duty: Duty,
}

/// The duration of each pause and of each run, in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Duty {
    still: Duration,
    running: Duration,
}

/// Default duration of one turn.
pub(crate) const PERIOD: Duration = Duration::from_millis(100);
/// Faster stops and continuations of a process cannot be observed.
const SHORTEST_TURN: Duration = Duration::from_millis(1);

impl FaultKind for Slow {
    const ENTRY: Entry = Entry {
        about: "paused and let go again and again, for a share of the time",
        evidence: "state T of every thread; how often and how long",
        keys: &["target", "still", "period"],
        nodes: OnNodes::Silent,
        loses: 1,
        flags: &[flag(
            "slow",
            "TARGET",
            "leader",
            "Let nodes stand still for half of the time, ten times a second",
            aimed,
        )],
        examples: &["", "still = \"30%\"\nperiod = \"60ms\"\n"],
        modes: EVERYWHERE,
        ..Entry::new("slow", Family::Process)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        let period = parameters.period.unwrap_or(PERIOD);
        let share = parameters.still.unwrap_or(Share::of_millionths(500_000));
        let still = period.mul_f64(f64::from(share.millionths()) / 1e6);
        let duty = Duty { still, running: period.saturating_sub(still) };
        if duty.still < SHORTEST_TURN {
            let reason = format!("it would stand still for {:?} at a time", duty.still);
            return Err(Refusal::new("still", reason).help("it must be at least 1 ms"));
        }
        if duty.running < SHORTEST_TURN {
            let reason = format!("it would go on for {:?} at a time", duty.running);
            return Err(Refusal::new("still", reason).help("use kind = \"pause\" for that"));
        }
        Ok(Self { target: parameters.target.clone(), duty })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Still { duty: Some((self.duty.still, self.duty.running)) })
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        let proof = each(strike.nodes(), |node| strike.testbed().pause(node, strike.claim)).await;
        state.background = Some(alternate(strike, self.duty));
        (strike.now_ns(), proof)
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        resume(strike).await
    }
}

/// Resumes and pauses paused nodes in turn.
fn alternate(strike: &Strike<'_>, duty: Duty) -> Background {
    let (stage, nodes, claim) = (Arc::clone(strike.stage), strike.nodes().to_vec(), strike.claim);
    Background::begin(async move |mut over: Over| {
        let began = Instant::now();
        let (mut since, mut still, mut times) = (began, Duration::ZERO, 0_u64);
        loop {
            times += 1;
            let ends = over.comes_before(since + duty.still).await;
            // A failed signal shows at the end of the fault.
            each(&nodes, |node| stage.testbed.resume(node, claim)).await;
            still += since.elapsed();
            if ends || over.comes_before(Instant::now() + duty.running).await {
                break;
            }
            since = Instant::now();
            each(&nodes, |node| stage.testbed.pause(node, claim)).await;
        }
        let all = began.elapsed();
        let share = 100.0 * still.as_secs_f64() / all.as_secs_f64().max(f64::MIN_POSITIVE);
        let word = if times == 1 { "time" } else { "times" };
        let line = format!("stood still {times} {word}, {share:.0} % of {:.2} s", all.as_secs_f64());
        Proof { evidence: vec![line], complete: true, ..Proof::default() }
    })
}

/// Stops a node with the system's stop signal; the end restarts it on the same data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stop {
    target: Option<Target>,
}

impl FaultKind for Stop {
    const ENTRY: Entry = Entry {
        about: "SIGTERM, or the stop-signal of the system; restarted on the same data at the end",
        evidence: PIDS,
        nodes: OnNodes::Restarted,
        loses: 1,
        flags: &[flag("stop", "TARGET", "random", "End nodes with SIGTERM, and start them again", aimed)],
        modes: EVERYWHERE,
        ..Entry::new("stop", Family::Process)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Down { power: false, writing: false })
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        let proof = each(strike.nodes(), |node| strike.testbed().stop_node(node, strike.claim)).await;
        (strike.now_ns(), proof)
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        restart(strike).await
    }
}

/// Kills a node with SIGKILL and empties its disk; the end restarts it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoseNode {
    target: Option<Target>,
}

impl FaultKind for LoseNode {
    const ENTRY: Entry = Entry {
        about: "SIGKILL and its disk emptied; restarted at the end",
        evidence: "the old process ended; removed files and bytes; new pid and incarnation",
        nodes: OnNodes::Restarted,
        loses: 1,
        flags: &[flag(
            "lose-node",
            "TARGET",
            "random",
            "Kill nodes and empty their disks; they start again without data",
            aimed,
        )],
        ..Entry::new("lose-node", Family::Process)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        let proof = each(strike.nodes(), |node| strike.testbed().lose(node, strike.claim)).await;
        (strike.now_ns(), proof)
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        restart(strike).await
    }
}
