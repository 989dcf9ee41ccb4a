//! Every fault the bench has a word for, what it needs, and whether this build can do it.

use crate::clock::Clocks;
use crate::disk::DiskMode;
use crate::network::Mode;
use crate::plan::PlanOptions;
use crate::topology::nearest;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The kind of a fault: the word after `kind =` in a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// SIGKILL, then a restart on the same data.
    Kill,
    /// SIGSTOP, then SIGCONT.
    Pause,
    /// Paused on a duty cycle.
    Slow,
    /// SIGTERM, then a restart.
    Stop,
    /// Killed, then restarted with an empty disk.
    LoseNode,
    /// Links between groups of nodes are cut in both directions.
    Partition,
    /// Links are cut in one direction: of dialling with proxies, of packets in a lab.
    OneWay,
    /// Loss, duplication, reordering or corruption of packets.
    Flaky,
    /// Messages take longer.
    Delay,
    /// Links carry fewer bytes a second.
    Rate,
    /// Open connections are reset.
    Reset,
    /// Links are cut one by one and healed in another order.
    Swizzle,
    /// Killed, and what was not synced is gone.
    PowerLoss,
    /// The last write is half there.
    TornWrite,
    /// Bits of the data folder are flipped.
    BitFlip,
    /// The end of a file is cut off.
    Truncate,
    /// No space is left.
    Full,
    /// Syncs take longer.
    SlowSync,
    /// Syncs fail.
    SyncError,
    /// The wall clock jumps.
    Jump,
    /// The wall clock runs at another speed.
    Drift,
    /// The wall clock jumps to and fro.
    Strobe,
    /// The wall clock stands still.
    Freeze,
    /// Members are added, removed or replaced.
    Reconfigure,
    /// All nodes are restarted at once.
    RestartAll,
    /// All nodes are restarted one after another.
    RollingRestart,
    /// Nodes restart with one another's disks.
    DiskSwap,
}

/// What a fault acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Processes.
    Process,
    /// Links between nodes.
    Network,
    /// Data folders.
    Disk,
    /// The nodes' clocks.
    Clock,
    /// The cluster as a whole.
    Cluster,
}

/// A line of the vocabulary, for `bench list` and `bench doctor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The kind.
    pub kind: Kind,
    /// Its word in specs.
    pub name: &'static str,
    /// What it acts on.
    pub family: Family,
    /// What it does, in one line.
    pub about: &'static str,
    /// What shows that it took effect.
    pub evidence: &'static str,
    /// The network modes in which it can be done.
    pub modes: &'static [Mode],
    /// Whether it needs a disk of the bench's own, `disk = "memory"`.
    pub memory_disk: bool,
}

const ANY: &[Mode] = &[Mode::Lab, Mode::Proxy, Mode::Host];
const LINKS: &[Mode] = &[Mode::Lab, Mode::Proxy];
const FRAMES: &[Mode] = &[Mode::Lab];

const fn can(
    kind: Kind,
    name: &'static str,
    family: Family,
    about: &'static str,
    evidence: &'static str,
    modes: &'static [Mode],
) -> Entry {
    Entry { kind, name, family, about, evidence, modes, memory_disk: false }
}

/// A fault of disks in memory, which there are in a lab only.
const fn disk(kind: Kind, name: &'static str, about: &'static str, evidence: &'static str) -> Entry {
    Entry { kind, name, family: Family::Disk, about, evidence, modes: FRAMES, memory_disk: true }
}

#[rustfmt::skip]
static VOCABULARY: [Entry; 27] = {
    use Family::{Clock, Cluster, Disk, Network, Process};
    const STRUCK: &str = "frames touched by the rule, per directed link";
    const BYTES: &str = "bytes before and after";
    const READ_BACK: &str = "the node's own clock read back";
    const PIDS: &str = "the old process ended; new pid and incarnation";
    [
        can(Kind::Kill, "kill", Process, "SIGKILL; restarted on the same data at the end", PIDS, ANY),
        can(Kind::Pause, "pause", Process, "SIGSTOP; SIGCONT at the end", "state T of every thread", ANY),
        can(Kind::Slow, "slow", Process, "paused and let go again and again, for a share of the time", "state T of every thread; how often and how long", ANY),
        can(Kind::Stop, "stop", Process, "SIGTERM; restarted on the same data at the end", PIDS, ANY),
        can(Kind::LoseNode, "lose-node", Process, "SIGKILL and its disk emptied; restarted at the end", "the old process ended; what was removed; new pid and incarnation", ANY),
        can(Kind::Partition, "partition", Network, "links between groups of nodes are cut", "a probe through a cut link gets no answer; chunks held or frames dropped", LINKS),
        can(Kind::OneWay, "one-way", Network, "links are cut in one direction", "a probe through a cut link gets no answer; chunks held or frames dropped", LINKS),
        can(Kind::Flaky, "flaky", Network, "packets are lost, doubled, reordered or corrupted", STRUCK, FRAMES),
        can(Kind::Delay, "delay", Network, "messages take longer", "how long a probe took; chunks or frames delayed", LINKS),
        can(Kind::Rate, "rate", Network, "links carry fewer bytes a second", "how long a probe took; chunks or frames delayed", LINKS),
        can(Kind::Reset, "reset", Network, "open connections are closed with RST", "connections reset", LINKS),
        can(Kind::Swizzle, "swizzle", Network, "links are cut one by one and healed in another order", "a probe through a cut link gets no answer; chunks held or frames dropped", LINKS),
        disk(Kind::PowerLoss, "power-loss", "killed, and what was not synced is gone", BYTES),
        disk(Kind::TornWrite, "torn-write", "killed in a write, of which a part is there", BYTES),
        can(Kind::BitFlip, "bit-flip", Disk, "killed, and bits of its data are flipped", BYTES, ANY),
        can(Kind::Truncate, "truncate", Disk, "killed, and the end of a file is cut off", BYTES, ANY),
        disk(Kind::Full, "full", "no space is left", "errors handed out"),
        disk(Kind::SlowSync, "slow-sync", "syncs take longer", "syncs delayed"),
        disk(Kind::SyncError, "sync-error", "syncs fail", "errors handed out"),
        can(Kind::Jump, "jump", Clock, "the wall clock jumps", READ_BACK, ANY),
        can(Kind::Drift, "drift", Clock, "the wall clock runs at another speed", READ_BACK, ANY),
        can(Kind::Strobe, "strobe", Clock, "the wall clock jumps to and fro", READ_BACK, ANY),
        can(Kind::Freeze, "freeze", Clock, "the wall clock stands still", READ_BACK, ANY),
        can(Kind::Reconfigure, "reconfigure", Cluster, "members are added, removed or replaced; brought back at the end", "the configuration read back", ANY),
        can(Kind::RestartAll, "restart-all", Cluster, "SIGKILL to all nodes at once; restarted on the same data at the end", PIDS, ANY),
        can(Kind::RollingRestart, "rolling-restart", Cluster, "SIGTERM to one node after another; each is back before the next", PIDS, ANY),
        can(Kind::DiskSwap, "disk-swap", Cluster, "nodes restart with one another's disks, and get their own back at the end", "whose data each has, and what it did with them", ANY),
    ]
};

/// Words that people use for a kind that has another name.
const ALIASES: &[(&str, Kind)] = &[
    ("loss", Kind::Flaky),
    ("duplicate", Kind::Flaky),
    ("reorder", Kind::Flaky),
    ("corrupt", Kind::Flaky),
    ("clock-jump", Kind::Jump),
    ("clock-drift", Kind::Drift),
    ("clock-strobe", Kind::Strobe),
    ("clock-freeze", Kind::Freeze),
];

/// Every fault there is a word for, by family.
pub fn vocabulary() -> &'static [Entry] {
    &VOCABULARY
}

impl Kind {
    /// Its line of the vocabulary.
    pub fn entry(self) -> &'static Entry {
        VOCABULARY.iter().find(|entry| entry.kind == self).expect("every kind has a line in the vocabulary")
    }

    /// Its word in specs, for example `one-way`.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Whether it has no end: what it does is done when it has started.
    pub fn is_over_at_once(self) -> bool {
        self == Self::Reset
    }

    /// Whether a node that it hits cannot answer, at least for a while.
    pub fn silences_nodes(self) -> bool {
        let entry = self.entry();
        match entry.family {
            Family::Process => true,
            Family::Cluster => self != Self::Reconfigure,
            Family::Disk => !matches!(self, Self::Full | Self::SlowSync | Self::SyncError),
            Family::Network | Family::Clock => false,
        }
    }

    /// Whether it can be done to what the options describe; otherwise why not, as a sentence.
    pub(crate) fn available(self, options: &PlanOptions) -> Result<(), String> {
        let PlanOptions { mode, disk, clocks, .. } = *options;
        let entry = self.entry();
        if self == Self::Reconfigure && !options.reconfigurable {
            return Err(format!(
                "`{}` cannot be injected into this system: the bench can change the members of its own store only",
                entry.name
            ));
        }
        if let (Family::Clock, Clocks::True(reason)) = (entry.family, clocks) {
            return Err(format!("`{}` cannot be injected into this program: {reason}", entry.name));
        }
        if entry.modes.contains(&mode) && (!entry.memory_disk || disk == DiskMode::Memory) {
            return Ok(());
        }
        if entry.modes.contains(&mode) {
            return Err(format!(
                "`{}` cannot be injected with disk = \"real\"; it needs disk = \"memory\" in [cluster] (`bench doctor` says \
                 whether that works here)",
                entry.name
            ));
        }
        let modes: Vec<_> = entry.modes.iter().map(|mode| format!("network = \"{mode}\"")).collect();
        Err(format!(
            "`{}` cannot be injected with network = \"{mode}\"; it needs {}",
            entry.name,
            modes.join(" or ")
        ))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if let Some(entry) = VOCABULARY.iter().find(|entry| entry.name == word) {
            return Ok(entry.kind);
        }
        if let Some((_, kind)) = ALIASES.iter().find(|(alias, _)| *alias == word) {
            return Ok(*kind);
        }
        let known = || VOCABULARY.iter().map(|entry| entry.name);
        Err(match nearest(word, known()) {
            Some(meant) => format!("there is no fault `{word}`; did you mean `{meant}`?"),
            None => {
                format!("there is no fault `{word}`; there are {}", known().collect::<Vec<_>>().join(", "))
            }
        })
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(mode: Mode, disk: DiskMode, clocks: Clocks) -> PlanOptions {
        let duration = std::time::Duration::from_secs(1);
        PlanOptions { mode, disk, clocks, duration, at_most: None, reconfigurable: true, seed: 7 }
    }

    #[test]
    fn every_line_of_the_vocabulary_is_found_by_its_word_and_can_be_done_somewhere() {
        for entry in vocabulary() {
            assert_eq!(entry.name.parse(), Ok(entry.kind));
            assert!(!entry.modes.is_empty(), "{}", entry.name);
        }
    }

    #[test]
    fn a_misspelt_kind_gets_the_nearest_one() {
        let error = "partion".parse::<Kind>().unwrap_err();
        assert!(error.contains("did you mean `partition`"), "{error}");
    }

    #[test]
    fn a_word_of_packets_is_refused_because_it_needs_the_lab() {
        let reason = "loss"
            .parse::<Kind>()
            .unwrap()
            .available(&options(Mode::Proxy, DiskMode::Real, Clocks::Shiftable))
            .unwrap_err();
        assert!(reason.contains("network = \"lab\""), "{reason}");
    }

    #[test]
    fn faults_that_need_to_know_what_was_synced_are_refused_on_a_real_disk() {
        let reason =
            Kind::PowerLoss.available(&options(Mode::Lab, DiskMode::Real, Clocks::Shiftable)).unwrap_err();
        assert!(reason.contains("disk = \"memory\""), "{reason}");
        assert_eq!(
            Kind::PowerLoss.available(&options(Mode::Lab, DiskMode::Memory, Clocks::Shiftable)),
            Ok(())
        );
        assert_eq!(Kind::BitFlip.available(&options(Mode::Host, DiskMode::Real, Clocks::Shiftable)), Ok(()));
    }

    #[test]
    fn a_clock_that_cannot_be_shifted_is_refused_with_the_reason() {
        let clocks = Clocks::True("tracing is forbidden");
        let reason = Kind::Jump.available(&options(Mode::Host, DiskMode::Real, clocks)).unwrap_err();
        assert!(reason.contains("tracing is forbidden"), "{reason}");
        assert_eq!(Kind::Kill.available(&options(Mode::Host, DiskMode::Real, clocks)), Ok(()));
    }

    #[test]
    fn network_faults_are_refused_where_there_is_no_network_between_the_nodes() {
        let reason =
            Kind::Partition.available(&options(Mode::Host, DiskMode::Real, Clocks::Shiftable)).unwrap_err();
        assert!(reason.contains("network = \"proxy\""), "{reason}");
        assert_eq!(Kind::Kill.available(&options(Mode::Host, DiskMode::Real, Clocks::Shiftable)), Ok(()));
    }

    #[test]
    fn members_that_the_bench_cannot_change_are_refused() {
        let mut options = options(Mode::Host, DiskMode::Real, Clocks::Shiftable);
        assert_eq!(Kind::Reconfigure.available(&options), Ok(()));
        options.reconfigurable = false;
        let reason = Kind::Reconfigure.available(&options).unwrap_err();
        assert!(reason.contains("its own store"), "{reason}");
    }
}
