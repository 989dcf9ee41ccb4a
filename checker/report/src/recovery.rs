//! How each node that a fault silenced came back: what it had before, what it got back and from where, when it was level.

use super::faults::FaultRecord;
use super::observed::Observed;
use super::samples::Sample;
use super::verdict::grouped;
use serde::Serialize;

/// A node that lags behind the furthest by more than what was decided in this time has something to catch up with.
const BEHIND_NS: u64 = 250_000_000;

/// How a node came back from a fault. Times are nanoseconds since the run's start.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Recovery {
    /// The fault's number.
    pub fault: u32,
    /// Its label.
    pub label: String,
    /// The node.
    pub node: String,
    /// Whether it came back as a new process.
    pub restarted: bool,
    /// Slots it had applied when the fault began; none where it does not say.
    pub slots_before: Option<u64>,
    /// Of a new process of the bench's own store: slots whose decisions were in its own snapshot and log.
    pub from_own_log: Option<u64>,
    /// Slots whose decisions came from other nodes until it was level.
    pub from_peers: Option<u64>,
    /// Seconds until it was level with the others: since its start where it is a new process, else since the heal.
    /// None where it was not level by the end, or when the next fault hit it.
    pub level_after_s: Option<f64>,
    /// When it was first seen level.
    pub level_ns: Option<u64>,
    /// Slots it had applied then, or at the end.
    pub slots_after: Option<u64>,
    /// The number of the next fault that hit this node before it was level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit_again_by: Option<u32>,
    /// It all in one sentence.
    pub sentence: String,
}

impl Recovery {
    /// The same with its sentence.
    #[must_use]
    pub fn explained(mut self) -> Self {
        self.sentence = self.in_words();
        self
    }

    fn in_words(&self) -> String {
        let node = &self.node;
        let since = if self.restarted { "after its start" } else { "after the heal" };
        let before =
            self.slots_before.map(|slots| format!("it had applied {} before the fault", grouped(slots)));
        let now = self.slots_after.map(|slots| format!("{} slots applied", grouped(slots)));
        let from = self.from_own_log.zip(self.from_peers).map(|(log, peers)| {
            format!("{} decisions from its own log, {} from its peers", grouped(log), grouped(peers))
        });
        let (opening, got) = match self.level_after_s {
            Some(seconds) => (format!("{node} is level {seconds:.2} s {since}"), from.or(now)),
            None => match self.hit_again_by {
                Some(fault) => (format!("{node} was not level when fault {fault} hit it"), now),
                None => (format!("{node} was not level by the end of the run"), now),
            },
        };
        let got = got.map_or_else(String::new, |got| format!(": {got}"));
        let before = before.map_or_else(String::new, |before| format!("; {before}"));
        format!("{opening}{got}{before}")
    }
}

/// How far a node was, as one sample saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// When.
    pub time_ns: u64,
    /// Slots it had applied; none where it did not answer.
    pub slots: Option<u64>,
}

/// How far a node was over time.
pub(crate) fn levels<'a>(samples: &'a [Sample], node: &'a str) -> impl Iterator<Item = Level> + 'a {
    let of_node = samples.iter().filter(move |sample| sample.node == node);
    of_node.map(|sample| Level { time_ns: sample.time_ns, slots: applied(sample) })
}

fn applied(sample: &Sample) -> Option<u64> {
    sample.slot_out.map(|slot| slot.saturating_sub(1))
}

/// The recoveries of a variant, in the order of its faults.
pub(crate) fn recoveries(observed: &Observed) -> Vec<Recovery> {
    let mut found = Vec::new();
    for fault in &observed.faults {
        let Some(start) = fault.start_ns else { continue };
        for node in fault.nodes.iter().filter(|node| !observed.plan.spares.contains(node)) {
            let others = observed.faults.iter().filter(|other| other.nodes.contains(node));
            let later = others.filter_map(|other| Some((other.start_ns?, other.fault)));
            let next = later.filter(|(other, _)| *other > start).min();
            let one = One { samples: &observed.samples, fault, node, start, next };
            found.extend(one.recovery());
        }
    }
    found
}

/// One node and one fault, until the next fault that meets this node.
struct One<'a> {
    samples: &'a [Sample],
    fault: &'a FaultRecord,
    node: &'a str,
    start: u64,
    /// When the next fault hits this node, and its number.
    next: Option<(u64, u32)>,
}

impl One<'_> {
    fn of_node(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(|sample| sample.node == self.node && sample.up)
    }

    fn after(&self) -> impl Iterator<Item = &Sample> {
        let end = self.next.map_or(u64::MAX, |(start, _)| start);
        self.of_node().filter(move |sample| (self.start..end).contains(&sample.time_ns))
    }

    fn recovery(&self) -> Option<Recovery> {
        let before = self.of_node().take_while(|sample| sample.time_ns < self.start).last();
        let pid = before.and_then(|before| before.pid);
        let process = self.after().last().and_then(|last| last.pid).filter(|new| Some(*new) != pid);
        let recovery = Recovery {
            fault: self.fault.fault,
            label: self.fault.label.clone(),
            node: self.node.to_owned(),
            slots_before: before.and_then(applied),
            ..Recovery::default()
        };
        let recovery = match process {
            Some(process) => Some(self.restarted(process, recovery)),
            None => self.caught_up(recovery),
        }?;
        let next = self.next.map(|(_, fault)| fault);
        let hit_again_by = if recovery.level_after_s.is_none() { next } else { None };
        Some(Recovery { hit_again_by, ..recovery }.explained())
    }

    /// A new process counts itself what it got from where until it was level.
    fn restarted(&self, process: u32, recovery: Recovery) -> Recovery {
        let own = || self.after().filter(|sample| sample.pid == Some(process));
        let level = own().find(|sample| sample.level_us.is_some());
        let last = level.or_else(|| own().last());
        let recovery = Recovery {
            restarted: true,
            from_own_log: last.and_then(|sample| sample.from_log),
            from_peers: last.and_then(|sample| sample.from_peers),
            slots_after: last.and_then(applied),
            ..recovery
        };
        match level {
            Some(level) => Recovery {
                level_after_s: level.level_us.map(|us| us as f64 / 1e6),
                level_ns: Some(level.time_ns),
                ..recovery
            },
            // Another system than our own does not say, but how far it is can be seen.
            None if recovery.from_own_log.is_none() => {
                let first = own().next().map_or(self.start, |first| first.time_ns);
                self.level_since(first, recovery)
            }
            None => recovery,
        }
    }

    /// A process that lived on, if there was anything to catch up with.
    fn caught_up(&self, recovery: Recovery) -> Option<Recovery> {
        let healed = self.fault.end_ns?;
        let own = self.of_node().take_while(|sample| sample.time_ns <= healed).last().and_then(applied)?;
        // A node that another fault took down is reported with that fault.
        self.after().find(|sample| sample.time_ns >= healed)?;
        let others = self.furthest(healed.saturating_sub(BEHIND_NS));
        (own < others).then(|| self.level_since(healed, recovery))
    }

    /// The same with when the node had what the furthest had at this time.
    fn level_since(&self, since: u64, recovery: Recovery) -> Recovery {
        let goal = self.furthest(since);
        let mut later = self.after().filter(|sample| sample.time_ns >= since);
        let level = later.find(|sample| applied(sample).is_some_and(|slots| slots >= goal));
        let last = level.or_else(|| self.after().last());
        Recovery {
            level_after_s: level.map(|level| (level.time_ns - since) as f64 / 1e9),
            level_ns: level.map(|level| level.time_ns),
            slots_after: last.and_then(applied),
            ..recovery
        }
    }

    /// What the furthest node had applied at this time.
    fn furthest(&self, time_ns: u64) -> u64 {
        let until = self.samples.iter().take_while(|sample| sample.time_ns <= time_ns);
        until.filter_map(applied).max().unwrap_or(0)
    }
}
