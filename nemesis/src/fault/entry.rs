//! The words for a kind of fault, and what it needs: what `bench list`, `bench doctor` and `--help` show.

use super::flag::Flag;
use crate::clock::Clocks;
use crate::disk::DiskMode;
use crate::network::Mode;
use crate::plan::PlanOptions;
use crate::process::ByCommand;
use crate::refusal::Complaint;

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

/// What becomes of the processes of the nodes that a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnNodes {
    /// They go on.
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

/// A line of the vocabulary.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a property of a kind that stands by itself")]
pub struct Entry {
    /// Its word in specs.
    pub name: &'static str,
    /// Words that people use for it.
    pub aliases: &'static [&'static str],
    /// What it acts on.
    pub family: Family,
    /// What it does, in one line.
    pub about: &'static str,
    /// What shows that it took effect.
    pub evidence: &'static str,
    /// The keys that it takes besides those that say when.
    pub keys: &'static [&'static str],
    /// Why it takes no `target`, where it takes none.
    pub without_target: &'static str,
    /// The network modes in which it can be done.
    pub modes: &'static [Mode],
    /// Whether it needs a disk of the bench's own, `disk = "memory"`.
    pub memory_disk: bool,
    /// What becomes of the nodes that it hits.
    pub nodes: OnNodes,
    /// How many nodes a cluster must be able to lose to survive it.
    pub loses: usize,
    /// Whether it hits all nodes.
    pub whole_cluster: bool,
    /// Whether it has no end: what it does is done when it has started.
    pub over_at_once: bool,
    /// Whether it changes who the members are, which is healed last.
    pub changes_members: bool,
    /// The options of `bench nemesis` that ask for it.
    pub flags: &'static [Flag],
    /// Keys as in a spec, besides times and `target`, for tests that draw faults of all kinds.
    pub examples: &'static [&'static str],
}

/// All networks.
pub(crate) const ANY: &[Mode] = &[Mode::Lab, Mode::Proxy, Mode::Host, Mode::Messages];
/// The networks in which the bench has the links in its hands.
pub(crate) const LINKS: &[Mode] = &[Mode::Lab, Mode::Proxy, Mode::Messages];
/// The networks in which it has every frame or message.
pub(crate) const FRAMES: &[Mode] = &[Mode::Lab, Mode::Messages];
/// The networks in which nodes have connections that the bench can close.
pub(crate) const CONNECTIONS: &[Mode] = &[Mode::Lab, Mode::Proxy];

impl Entry {
    /// An entry of a kind that takes a `target`, works in every network and leaves processes alone.
    pub(crate) const fn new(name: &'static str, family: Family) -> Self {
        Self {
            name,
            aliases: &[],
            family,
            about: "",
            evidence: "",
            keys: &["target"],
            without_target: "it is about all nodes",
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

    /// Whether it can be done to what the options describe; otherwise why not.
    pub(crate) fn available(&self, options: &PlanOptions) -> Result<(), Complaint> {
        let PlanOptions { mode, disk, clocks, .. } = *options;
        let name = self.name;
        if options.by_command.is_some_and(|by| !by.allows(name)) {
            let complaint = Complaint::new(format!(
                "`{name}` cannot be injected into servers that already run as they are"
            ));
            return Err(complaint.help(ByCommand::remedy(name)));
        }
        if self.changes_members && !options.reconfigurable {
            return Err(Complaint::new(format!(
                "`{name}` cannot be injected into this system: nothing says how its members are changed"
            ))
            .help("say so in a section [members] of the spec or of the file of its system"));
        }
        if let (Family::Clock, Clocks::True(reason)) = (self.family, clocks) {
            let complaint =
                |what: &str| Complaint::new(format!("`{name}` cannot be injected into this program: {what}"));
            return Err(match reason.split_once("; ") {
                Some((what, help)) => complaint(what).help(help),
                None => complaint(reason),
            });
        }
        if self.modes.contains(&mode) && (!self.memory_disk || disk == DiskMode::Memory) {
            return Ok(());
        }
        if self.modes.contains(&mode) {
            let complaint = Complaint::new(format!("`{name}` cannot be injected with disk = \"real\""));
            return Err(complaint.help(
                "it needs disk = \"memory\" in [cluster] (`bench doctor` says whether that works here)",
            ));
        }
        let modes: Vec<_> = self.modes.iter().map(|mode| format!("network = \"{mode}\"")).collect();
        let complaint = Complaint::new(format!("`{name}` cannot be injected with network = \"{mode}\""));
        Err(complaint.help(format!("it needs {}", modes.join(" or "))))
    }
}
