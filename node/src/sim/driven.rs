//! A cluster that is driven from outside: requests, replies, faults of processes, links and disks, step by step.

use super::process::Node;
use super::{Cluster, MS};
use crate::config::{Member, PaxosOptions, Read};
use crate::core::{Input, Reply};
use crate::paxos::message::Command;
use crate::paxos::packet::Packet;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

/// Packets that one cut link keeps until it is healed, as the buffers of a connection do.
const HELD_MAX: usize = 500;

/// Draws how much longer something takes.
pub type Travel = Arc<dyn Fn(&mut ChaCha8Rng) -> Duration + Send + Sync>;

/// What a directed link does to packets.
#[derive(Clone, Default)]
pub struct LinkCondition {
    /// Nothing passes.
    pub cut: bool,
    /// How much longer packets take.
    pub travel: Option<Travel>,
    /// The share of packets that never arrive.
    pub loss: f64,
    /// The share of packets that arrive twice.
    pub duplicate: f64,
    /// The share of packets that others overtake.
    pub reorder: f64,
}

/// What has happened to the packets of a directed link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Packets that were sent.
    pub sent: u64,
    /// Those that met a cut.
    pub cut: u64,
    /// Those that were lost, doubled or overtaken by chance.
    pub struck: u64,
    /// Those that took longer.
    pub delayed: u64,
}

/// An event of a cluster that can be seen from outside its processes: at the switch, at the disks, at the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A packet leaves a node.
    Sent {
        /// The index of the sender.
        from: usize,
        /// The index of the receiver.
        to: usize,
        /// The kind of its messages.
        kind: &'static str,
    },
    /// A write of a node begins; it is synced at its end.
    SyncBegins(usize),
    /// A write of a node is synced.
    SyncEnds(usize),
    /// The process of a node starts.
    Starts(usize),
    /// The process of a node ends.
    Ends(usize),
}

#[derive(Clone, Default)]
struct Link {
    condition: LinkCondition,
    counters: LinkCounters,
    /// Whether packets that meet the cut arrive after it; they are lost otherwise.
    holds: bool,
    held: Vec<[Packet; 2]>,
}

/// What a driven cluster has beyond one with clients and faults of its own.
pub(super) struct Driven {
    pub(super) replies: Vec<(u64, Reply)>,
    size: usize,
    links: Vec<Link>,
    /// How much longer the syncs of each node take, and how many did.
    syncs: Vec<(Option<Travel>, u64)>,
    seen: Vec<Seen>,
}

impl Driven {
    fn link(&mut self, from: usize, to: usize) -> &mut Link {
        &mut self.links[from * self.size + to]
    }
}

impl Cluster {
    /// A cluster of these members, without clients and faults. All random choices come from `seed`.
    pub fn driven(members: Vec<Member>, options: &PaxosOptions, seed: u64) -> Self {
        let size = members.len();
        let mut cluster = Self::empty(members.clone(), size, options, seed);
        let (links, syncs) = (vec![Link::default(); size * size], vec![(None, 0); size]);
        cluster.driven = Some(Driven { replies: Vec::new(), size, links, syncs, seen: Vec::new() });
        for Member { name, .. } in members {
            let seed = cluster.rng.random();
            let config = cluster.config(name, seed, false);
            cluster.nodes.push(Node::new(config));
        }
        (0..size).for_each(|index| cluster.start(index));
        cluster
    }

    fn outside(&mut self) -> &mut Driven {
        self.driven.as_mut().expect("only a driven cluster is driven from outside")
    }

    /// Draws everything from here on from another seed.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
    }

    /// When the next event happens.
    pub fn next_event(&self) -> Option<Duration> {
        self.events.peek().map(|Reverse((time, ..))| *time)
    }

    /// Lets the next event happen.
    pub fn step(&mut self) {
        if let Some(Reverse((time, _, event))) = self.events.pop() {
            self.take(time, event);
        }
    }

    /// Lets time pass up to a moment before the next event.
    pub fn wait_until(&mut self, time: Duration) {
        assert!(self.next_event().is_none_or(|next| time <= next), "an event comes before");
        self.now = self.now.max(time);
    }

    /// The first broken promise.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// The replies since the last call, with the handles of their requests.
    pub fn take_replies(&mut self) -> Vec<(u64, Reply)> {
        std::mem::take(&mut self.outside().replies)
    }

    /// Whether there are replies to take.
    pub fn has_replies(&self) -> bool {
        self.driven.as_ref().is_some_and(|driven| !driven.replies.is_empty())
    }

    /// Moves what was seen since the last call behind the events of a list.
    pub fn take_seen(&mut self, events: &mut Vec<Seen>) {
        events.append(&mut self.outside().seen);
    }

    /// Notes an event of a driven cluster.
    pub(super) fn see(&mut self, event: Seen) {
        if let Some(driven) = &mut self.driven {
            driven.seen.push(event);
        }
    }

    /// Whether a node's process runs.
    pub fn is_up(&self, index: usize) -> bool {
        self.nodes[index].process.is_some()
    }

    /// Sends a client's command to a node that is up.
    pub fn request(&mut self, index: usize, command: Command, read: Option<Read>, handle: u64) {
        self.input(index, Input::Request { command, read, client: handle });
    }

    /// Ends a node's process, with its power if `power`; it stays down. Returns whether there was one.
    pub fn kill(&mut self, index: usize, power: bool) -> bool {
        let ran = self.end_process(index, power);
        self.nodes[index].paused_until = self.now;
        for other in 0..self.nodes.len() {
            for (from, to) in [(index, other), (other, index)] {
                self.outside().link(from, to).held.clear();
            }
            if ran && other != index && !self.outside().link(index, other).condition.cut {
                let from = self.nodes[index].config.name.as_str().into();
                self.input(other, Input::Lost(from));
            }
        }
        ran
    }

    /// Starts a node that is down on what is on its disk.
    pub fn restart(&mut self, index: usize) {
        if !self.is_up(index) {
            self.start(index);
        }
    }

    /// Lets a node's process stand still until then.
    pub fn pause(&mut self, index: usize, until: Duration) {
        let paused = &mut self.nodes[index].paused_until;
        *paused = until.max(*paused);
    }

    /// Breaks the connection from one node to another: what has not left is lost.
    pub fn reset(&mut self, from: usize, to: usize) {
        self.outside().link(from, to).held.clear();
        self.network.reset(from, to);
        let name = self.nodes[from].config.name.as_str().into();
        self.input(to, Input::Lost(name));
    }

    /// Sets what a directed link does from now on.
    pub fn set_link(&mut self, from: usize, to: usize, condition: LinkCondition) {
        let holds = self.rng.random();
        let link = self.outside().link(from, to);
        if condition.cut && !link.condition.cut {
            link.holds = holds;
        }
        link.condition = condition;
        if !link.condition.cut {
            for packet in std::mem::take(&mut link.held) {
                self.travel(from, to, &packet);
            }
        }
    }

    /// What has happened to the packets of a directed link.
    pub fn link_counters(&self, from: usize, to: usize) -> LinkCounters {
        let driven = self.driven.as_ref().expect("only a driven cluster counts");
        driven.links[from * driven.size + to].counters
    }

    /// Lets the syncs of a node take longer from now on, or no longer.
    pub fn slow_syncs(&mut self, index: usize, travel: Option<Travel>) {
        let heals = travel.is_none();
        self.outside().syncs[index].0 = travel;
        if heals && self.writes_until(index).is_some_and(|due| due > self.now + 2 * MS) {
            self.write_until(index, self.now + MS);
        }
    }

    /// How many syncs of a node took longer.
    pub fn slowed_syncs(&self, index: usize) -> u64 {
        self.driven.as_ref().map_or(0, |driven| driven.syncs[index].1)
    }

    /// Whether a write of a node is under way.
    pub fn is_writing(&self, index: usize) -> bool {
        self.nodes[index].process.as_ref().is_some_and(super::process::Process::is_writing)
    }

    /// The name of the node whose leader is active, with the highest ballot if there are several.
    pub fn leader(&self) -> Option<&str> {
        self.leader_index().map(|index| self.nodes[index].config.name.as_str())
    }

    /// The index of that node.
    pub fn leader_index(&self) -> Option<usize> {
        let leaders = self.nodes.iter().enumerate().filter_map(|(index, node)| {
            let leader = node.process.as_ref()?.core.leader()?;
            leader.is_active().then(|| (leader.highest(), index))
        });
        leaders.max_by_key(|(ballot, _)| *ballot).map(|(_, index)| index)
    }

    /// What a node that runs has done: slots decided, ballots adopted, and preempted, since its process began.
    pub fn progress(&self, index: usize) -> Option<(u64, u64, u64)> {
        let core = &self.nodes[index].process.as_ref()?.core;
        let (adopted, preempted) =
            core.leader().map_or((0, 0), |leader| (leader.adoptions, leader.preemptions));
        Some((core.replica().map_or(0, |replica| replica.slot_out() - 1), adopted, preempted))
    }

    /// How many slots some replica has applied.
    pub fn decided(&self) -> u64 {
        self.decided.len() as u64
    }

    /// How long messages are gathered that leave together.
    pub(super) fn gathering_time(&mut self) -> Duration {
        if self.driven.is_some() {
            return Duration::from_micros(self.rng.random_range(0..200));
        }
        self.milliseconds(0..4)
    }

    /// How long the next sync of a node takes.
    pub(super) fn sync_time(&mut self, index: usize) -> Duration {
        let Some(driven) = &mut self.driven else { return self.milliseconds(0..4) };
        let (slow, count) = &mut driven.syncs[index];
        let usual = Duration::from_micros(self.rng.random_range(100..2_000));
        *count += u64::from(slow.is_some());
        usual + slow.as_ref().map_or(Duration::ZERO, |slow| slow(&mut self.rng))
    }

    /// Sends a packet on a link of a driven cluster.
    pub(super) fn dispatch_on_link(&mut self, from: usize, to: usize, packet: &[Packet; 2]) {
        self.see(Seen::Sent { from, to, kind: packet[1].kind() });
        let link = self.outside().link(from, to);
        link.counters.sent += 1;
        if link.condition.cut {
            link.meet_cut(packet.clone());
        } else {
            self.travel(from, to, packet);
        }
    }

    /// Lets a packet travel over a link that is not cut.
    fn travel(&mut self, from: usize, to: usize, packet: &[Packet; 2]) {
        let Self { driven: Some(driven), rng, .. } = self else { return };
        let Link { condition, counters, .. } = driven.link(from, to);
        if condition.loss > 0.0 && rng.random_bool(condition.loss) {
            counters.struck += 1;
            return;
        }
        let doubled = condition.duplicate > 0.0 && rng.random_bool(condition.duplicate);
        counters.struck += u64::from(doubled);
        let mut pauses = [None, None];
        for pause in &mut pauses[..=usize::from(doubled)] {
            let mut micros = rng.random_range(30..400);
            // Now and then a thread has to wait for the processor.
            if rng.random_range(0..64) == 0 {
                micros += rng.random_range(0..15_000);
            }
            let mut time = Duration::from_micros(micros);
            if let Some(travel) = &condition.travel {
                counters.delayed += 1;
                time += travel(rng);
            }
            if condition.reorder > 0.0 && rng.random_bool(condition.reorder) {
                counters.struck += 1;
                time += MS.mul_f64(rng.random_range(1.0..10.0));
            }
            *pause = Some(time);
        }
        for pause in pauses.into_iter().flatten() {
            self.deliver_after(pause, from, to, packet.clone());
        }
    }

    /// A packet arrives, unless its link was cut meanwhile.
    pub(super) fn through_link(
        &mut self,
        from: usize,
        to: usize,
        packet: [Packet; 2],
    ) -> Option<[Packet; 2]> {
        let Some(driven) = &mut self.driven else { return Some(packet) };
        let link = driven.link(from, to);
        if link.condition.cut {
            link.meet_cut(packet);
            return None;
        }
        Some(packet)
    }
}

impl Link {
    fn meet_cut(&mut self, packet: [Packet; 2]) {
        self.counters.cut += 1;
        if self.holds && self.held.len() < HELD_MAX {
            self.held.push(packet);
        }
    }
}
