//! The description of a fault kind, for `bench list`, `bench doctor` and `--help`.

use super::flag::Flag;
use crate::clock::Clocks;
use crate::disk::DiskMode;
use crate::network::Mode;
use crate::plan::PlanOptions;
use crate::process::ByCommand;
use crate::refusal::Complaint;

/// The kind of object that a fault acts on.
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

/// The effect of a fault on the processes of its target nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnNodes {
    /// They keep running.
    Untouched,
    /// They do not answer for a while.
    Silent,
    /// They end, and are started again.
    Restarted,
}

impl OnNodes {
    /// Whether the nodes cannot answer, at least for a while.
    pub fn are_silent(self) -> bool {
        self != Self::Untouched
    }
}

/// The description of a fault kind.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a property of a kind that stands by itself")]
pub struct Entry {
    /// Its name in specs.
    pub name: &'static str,
    /// Other names that users may write.
    pub aliases: &'static [&'static str],
    /// The kind of object that it acts on.
    pub family: Family,
    /// Its effect, in one line.
    pub about: &'static str,
    /// The evidence that it took effect.
    pub evidence: &'static str,
    /// The keys that it accepts, besides those that set its times.
    pub keys: &'static [&'static str],
    /// Why it accepts no `target`, if so.
    pub without_target: &'static str,
    /// The network modes in which the bench can inject it.
    pub modes: &'static [Mode],
    /// Whether it needs a disk in memory, `disk = "memory"`.
    pub memory_disk: bool,
    /// The effect on its target nodes.
    pub nodes: OnNodes,
    /// Number of lost nodes that a cluster must tolerate to survive it.
    pub loses: usize,
    /// Whether it hits all nodes.
    pub whole_cluster: bool,
    /// Whether it has no end: its whole effect happens at its start.
    pub over_at_once: bool,
    /// Whether it changes the members; such a change is healed last.
    pub changes_members: bool,
    /// The options of `bench nemesis` that inject it.
    pub flags: &'static [Flag],
    /// Keys as in a spec, besides times and `target`, for tests that draw faults of all kinds.
    pub examples: &'static [&'static str],
}

/// All networks of one machine.
pub(crate) const ANY: &[Mode] = &[Mode::Lab, Mode::Proxy, Mode::Host, Mode::Messages];
/// All networks, also of many machines.
pub(crate) const EVERYWHERE: &[Mode] = &[Mode::Lab, Mode::Proxy, Mode::Host, Mode::Hosts, Mode::Messages];
/// The networks in which the bench controls the links.
pub(crate) const LINKS: &[Mode] = &[Mode::Lab, Mode::Proxy, Mode::Hosts, Mode::Messages];
/// The same on one machine.
pub(crate) const RATES: &[Mode] = &[Mode::Lab, Mode::Proxy, Mode::Messages];
/// The networks in which the bench sees every frame or message.
pub(crate) const FRAMES: &[Mode] = &[Mode::Lab, Mode::Hosts, Mode::Messages];
/// The networks in which nodes have connections that the bench can close.
pub(crate) const CONNECTIONS: &[Mode] = &[Mode::Lab, Mode::Proxy];

impl Entry {
    /// An entry of a kind that accepts a `target`, works in every network and leaves processes alone.
    pub(crate) const fn new(name: &'static str, family: Family) -> Self {
        Self {
            name,
            aliases: &[],
            family,
            about: "",
            evidence: "",
            keys: &["target"],
            without_target: "it hits all nodes",
            modes: ANY,
            memory_disk: false,
            nodes: OnNodes::Untouched,
            loses: 0,
            whole_cluster: false,
            over_at_once: false,
            changes_members: false,
            flags: &[],
            examples: &[""],
        }
    }

    /// Checks that the fault can be injected with these options; the error has the reason.
    pub(crate) fn available(&self, options: &PlanOptions) -> Result<(), Complaint> {
        let PlanOptions { mode, disk, clocks, .. } = *options;
        let name = self.name;
        if options.by_command.is_some_and(|by| !by.allows(name)) {
            let complaint =
                Complaint::new(format!("`{name}` cannot be injected into servers that already run"));
            return Err(complaint.help(ByCommand::remedy(name)));
        }
        if self.changes_members && !options.reconfigurable {
            return Err(Complaint::new(format!(
                "`{name}` cannot be injected into this system: it does not define how its members change"
            ))
            .help("add a section [members] to the spec or to the file of its system"));
        }
        if let (Family::Clock, Clocks::True(reason)) = (self.family, clocks) {
            let complaint = |reason: &str| {
                Complaint::new(format!("`{name}` cannot be injected into this program: {reason}"))
            };
            return Err(match reason.split_once("; ") {
                Some((reason, help)) => complaint(reason).help(help),
                None => complaint(reason),
            });
        }
        if self.modes.contains(&mode) && (!self.memory_disk || disk == DiskMode::Memory) {
            return Ok(());
        }
        if self.modes.contains(&mode) {
            let complaint = Complaint::new(format!("`{name}` cannot be injected with disk = \"real\""));
            return Err(complaint.help(
                "it needs disk = \"memory\" in [cluster] (`bench doctor` shows whether that works here)",
            ));
        }
        if mode == Mode::Hosts {
            let why = match self.family {
                Family::Disk => "the disks of the hosts are their own",
                Family::Clock => "the clock of a host belongs to everything on it",
                Family::Cluster => "the members on hosts do not change",
                Family::Process => "the data of a node stay on its host",
                Family::Network => "a host cuts and delays packets, and loses a share of them; nothing more",
            };
            let complaint = Complaint::new(format!("`{name}` cannot be injected into nodes on hosts: {why}"));
            return Err(complaint.help("remove it, or remove `hosts` to run all nodes on this machine"));
        }
        let modes: Vec<_> = self.modes.iter().map(|mode| format!("network = \"{mode}\"")).collect();
        let complaint = Complaint::new(format!("`{name}` cannot be injected with network = \"{mode}\""));
        Err(complaint.help(format!("it needs {}", modes.join(" or "))))
    }
}
