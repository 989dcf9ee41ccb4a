//! Faults of the nodes' stored data.
//!
//! A disk in memory records which data was synced, so it can lose its power, be full, be slow or fail. The
//! files of any disk can be damaged while their node is down.

mod condition;
mod image;

pub(crate) use image::CrashImage;

use super::entry::{Entry, FRAMES, Family, OnNodes};
use super::fault_kind::FaultKind;
use super::flag::{aimed, flag, read, target};
use super::in_sync::{self, strike_during};
use super::network;
use super::process::restart;
use super::proof::{Met, Proof, each};
use super::stage::{State, Strike};
use crate::budget::Hurt;
use crate::disk::{Condition, Damage, Harm};
use crate::parameters::{Delay, During, Parameters, Target};
use crate::plan::{Aim, FaultEffect, Planning};
use crate::process::Excuse;
use crate::refusal::Refusal;
use crate::scope::Hit;
use futures_util::future::join_all;
use std::time::Duration;

/// The evidence of changed data.
const BYTES: &str = "bytes before and after";

/// Kills a node and discards its unsynced data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PowerLoss {
    target: Option<Target>,
    during: Option<During>,
}

impl FaultKind for PowerLoss {
    const ENTRY: Entry = Entry {
        about: "killed, and unsynced data is lost",
        evidence: BYTES,
        keys: &["target", "during"],
        modes: FRAMES,
        memory_disk: true,
        nodes: OnNodes::Restarted,
        examples: &["", "during = \"sync\"\n"],
        flags: &[flag(
            "power-loss",
            "TARGET",
            "all",
            "Kill nodes and discard their unsynced data; they start again on the rest",
            aimed,
        )],
        ..Entry::new("power-loss", Family::Disk)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone(), during: parameters.during })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Down { power: true, writing: self.during.is_some() })
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        let cut = async || {
            let proof = each(strike.nodes(), |node| strike.testbed().lose_power(node, strike.claim, false));
            let proof = proof.await;
            (strike.now_ns(), proof)
        };
        strike_during(self.during, strike, cut).await
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        restart(strike).await
    }
}

/// Kills a node during a write, a part of which survives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TornWrite {
    target: Option<Target>,
}

impl FaultKind for TornWrite {
    const ENTRY: Entry = Entry {
        about: "killed during a write, a part of which survives",
        evidence: BYTES,
        modes: FRAMES,
        memory_disk: true,
        nodes: OnNodes::Restarted,
        flags: &[flag(
            "torn-write",
            "TARGET",
            "minority",
            "The same during a write, a part of which survives",
            aimed,
        )],
        ..Entry::new("torn-write", Family::Disk)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Down { power: true, writing: true })
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        // All nodes are caught in a sync before the first is killed, so that they lose their power together.
        join_all(strike.nodes().iter().map(|node| strike.testbed().catch_sync(node))).await;
        let proof = each(strike.nodes(), |node| strike.testbed().lose_power(node, strike.claim, true)).await;
        (strike.now_ns(), proof)
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        restart(strike).await
    }
}

/// Kills a node and flips bits of its data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BitFlip {
    target: Option<Target>,
    bits: u32,
    /// Only files whose name contains this.
    file: Option<String>,
}

impl FaultKind for BitFlip {
    const ENTRY: Entry = Entry {
        about: "killed, and bits of its data are flipped",
        evidence: BYTES,
        keys: &["target", "bits", "file"],
        nodes: OnNodes::Restarted,
        flags: &[flag(
            "bit-flip",
            "TARGET",
            "random",
            "Kill nodes and flip a bit of their stored data; they start again on that",
            aimed,
        )],
        ..Entry::new("bit-flip", Family::Disk)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        let bits = parameters.bits.unwrap_or(1);
        if bits == 0 {
            return Err(none_at_all("bits"));
        }
        Ok(Self { target: parameters.target.clone(), bits, file: parameters.file.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        let damage = Damage { harm: Harm::Flip { bits: self.bits }, file: self.file.clone() };
        start_damage(strike, &damage, Self::ENTRY.name).await
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        end_damage(strike).await
    }
}

/// Kills a node and truncates one of its files.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Truncate {
    target: Option<Target>,
    /// Number of bytes; drawn when left out.
    bytes: Option<u64>,
    /// Only files whose name contains this.
    file: Option<String>,
}

impl FaultKind for Truncate {
    const ENTRY: Entry = Entry {
        about: "killed, and the end of a file is cut off",
        evidence: BYTES,
        keys: &["target", "bytes", "file"],
        nodes: OnNodes::Restarted,
        flags: &[flag(
            "truncate",
            "TARGET",
            "random",
            "Kill nodes and truncate one of their files; they start again on that",
            aimed,
        )],
        ..Entry::new("truncate", Family::Disk)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        if parameters.bytes == Some(0) {
            return Err(none_at_all("bytes"));
        }
        Ok(Self { target: parameters.target.clone(), bytes: parameters.bytes, file: parameters.file.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    async fn start(&self, strike: &Strike<'_>, _: &mut State) -> (u64, Proof) {
        let damage = Damage { harm: Harm::Cut { bytes: self.bytes }, file: self.file.clone() };
        start_damage(strike, &damage, Self::ENTRY.name).await
    }

    async fn end(&self, strike: &Strike<'_>, _: &State) -> (u64, Proof) {
        end_damage(strike).await
    }
}

fn none_at_all(field: &'static str) -> Refusal {
    Refusal::new(field, "must be greater than 0").help("give at least 1")
}

/// Kills nodes with SIGKILL and damages their files.
///
/// A node may end by itself later, when it detects the damage.
async fn start_damage(strike: &Strike<'_>, damage: &Damage, kind: &'static str) -> (u64, Proof) {
    let excuse = Excuse { kind, passing: false };
    let hurt = |node| strike.testbed().damage(node, strike.claim, damage, excuse);
    let proof = each(strike.nodes(), hurt).await;
    (strike.now_ns(), proof)
}

/// Starts the nodes on the damaged data and observes whether they run.
async fn end_damage(strike: &Strike<'_>) -> (u64, Proof) {
    let proof = each(strike.nodes(), |node| strike.testbed().restart_damaged(node, strike.claim)).await;
    (strike.now_ns(), proof)
}

/// Fails every write for lack of space.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Full {
    target: Option<Target>,
}

impl FaultKind for Full {
    const ENTRY: Entry = Entry {
        about: "no space is left",
        evidence: "errors handed out",
        modes: FRAMES,
        memory_disk: true,
        flags: &[flag("full", "TARGET", "random", "Let no write of these nodes find space", aimed)],
        ..Entry::new("full", Family::Disk)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        condition::start(
            strike,
            Condition::Full,
            Some(Excuse { kind: Self::ENTRY.name, passing: true }),
            state,
        )
        .await
    }

    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof) {
        condition::end(strike, Condition::Full, state).await
    }

    async fn met(&self, strike: &Strike<'_>, state: &State) -> Option<Met> {
        Some(condition::met(strike, Condition::Full, state).await)
    }
}

/// Delays syncs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SlowSync {
    target: Option<Target>,
    delay: Delay,
}

impl FaultKind for SlowSync {
    const ENTRY: Entry = Entry {
        about: "syncs take longer",
        evidence: "syncs delayed",
        keys: &["target", "delay"],
        modes: FRAMES,
        memory_disk: true,
        flags: &[flag("slow-sync", "TIME", "20ms", "Delay every sync of every node by this", |text| {
            Ok(Parameters { delay: Some(read(text)?), target: Some(target("all")), ..Parameters::default() })
        })],
        examples: &["delay = \"10ms\"\n", "delay = \"80ms\"\n", "delay = \"1h\"\n"],
        ..Entry::new("slow-sync", Family::Disk)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone(), delay: network::delay(parameters)? })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(&format!("{} {} on", Self::ENTRY.name, self.delay), self.target.as_ref())
    }

    fn hurt(&self, _: Option<&Hit>) -> Hurt {
        Hurt::default()
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Syncs(self.delay))
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        condition::start(strike, Condition::DelaySyncs(self.delay), None, state).await
    }

    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof) {
        condition::end(strike, Condition::DelaySyncs(self.delay), state).await
    }

    async fn met(&self, strike: &Strike<'_>, state: &State) -> Option<Met> {
        Some(condition::met(strike, Condition::DelaySyncs(self.delay), state).await)
    }
}

/// A sync that is held takes longer than any load; the end of the fault ends it.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

/// Holds syncs until its end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hold {
    target: Option<Target>,
}

impl FaultKind for Hold {
    const ENTRY: Entry = Entry {
        about: "syncs of files and folders with changes do not return before the end",
        evidence: "syncs held, and the file of each",
        modes: FRAMES,
        memory_disk: true,
        flags: &[flag(
            "hold",
            "TARGET",
            "random",
            "Hold every sync of these nodes until the fault ends",
            aimed,
        )],
        ..Entry::new("hold", Family::Disk)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Syncs(Delay { mean: FOREVER, ..Delay::default() }))
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        let (at, mut proof) = condition::start(strike, Condition::HoldSyncs, None, state).await;
        in_sync::add_held(&mut proof, strike).await;
        (at, proof)
    }

    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof) {
        condition::end(strike, Condition::HoldSyncs, state).await
    }

    async fn met(&self, strike: &Strike<'_>, state: &State) -> Option<Met> {
        Some(condition::met(strike, Condition::HoldSyncs, state).await)
    }
}

/// Fails syncs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SyncError {
    target: Option<Target>,
}

impl FaultKind for SyncError {
    const ENTRY: Entry = Entry {
        about: "syncs fail",
        evidence: "errors handed out",
        modes: FRAMES,
        memory_disk: true,
        flags: &[flag("sync-error", "TARGET", "random", "Let every sync of these nodes fail", aimed)],
        ..Entry::new("sync-error", Family::Disk)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone() })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        planning.on_processes(Self::ENTRY.name, self.target.as_ref())
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        condition::start(
            strike,
            Condition::SyncError,
            Some(Excuse { kind: Self::ENTRY.name, passing: true }),
            state,
        )
        .await
    }

    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof) {
        condition::end(strike, Condition::SyncError, state).await
    }

    async fn met(&self, strike: &Strike<'_>, state: &State) -> Option<Met> {
        Some(condition::met(strike, Condition::SyncError, state).await)
    }
}
