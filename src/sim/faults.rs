//! The faults of a plan on a simulated cluster: started and ended at their times, each with its evidence.

use super::moments::Moments;
use history::{FaultChange, FaultEvent};
use nemesis::{
    CLIENTS, Delay, FaultEffect, Flaky, Hit, LinkFault, PlannedFault, Progress, Share, Topology, Trigger,
};
use node::sim::{Cluster, LinkCondition, LinkCounters, Seen, Travel};
use rand::rngs::ChaCha8Rng;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

/// How often points of the run are looked at.
const POLL: Duration = Duration::from_millis(5);
/// How long a fault on the leader waits for somebody to lead: half of its own time, and at least so long.
const LEADER_PATIENCE: Duration = Duration::from_secs(1);
const LEADER_PAUSE: Duration = Duration::from_millis(20);
/// How long a torn write waits for a write, and how often it looks.
const WRITE_PATIENCE: Duration = Duration::from_millis(100);
const WRITE_PAUSE: Duration = Duration::from_micros(100);

/// What is due at a time; ends come before starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    End(usize),
    Start {
        fault: usize,
        since: Duration,
    },
    /// A process that stands still and goes on in turn stands still again.
    Still(usize),
    Points,
}

/// How far a fault has come.
enum State {
    Waiting,
    InForce { hit: Hit, before: Vec<u64> },
    Over,
}

/// The faults of one run.
pub(super) struct Faults<'a> {
    plan: Vec<PlannedFault>,
    topology: &'a Topology,
    names: Vec<&'a str>,
    /// The delay of every link while no fault acts on it.
    base: Delay,
    states: Vec<State>,
    due: BinaryHeap<Reverse<(Duration, Due)>>,
    load_start: Duration,
    /// The faults that wait for an event.
    moments: Moments,
    /// What the nodes had done when the load began.
    began: Vec<Progress>,
    /// The faults that hold each node down.
    down: Vec<BTreeSet<usize>>,
    /// How many faults cut the clients off each node.
    unreachable: Vec<u32>,
    events: Vec<FaultEvent>,
    /// Nodes whose processes were ended and whose clients do not know yet.
    ended: Vec<usize>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(plan: Vec<PlannedFault>, topology: &'a Topology, base: Delay) -> Self {
        let names: Vec<&str> = topology.names().collect();
        Self {
            states: plan.iter().map(|_| State::Waiting).collect(),
            down: vec![BTreeSet::new(); names.len()],
            unreachable: vec![0; names.len()],
            plan,
            topology,
            names,
            base,
            due: BinaryHeap::new(),
            load_start: Duration::ZERO,
            moments: Moments::default(),
            began: Vec::new(),
            events: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// Gives every link its delay.
    pub(super) fn begin(&mut self, cluster: &mut Cluster) {
        if !self.base.is_zero() {
            self.set_links(cluster);
        }
    }

    /// The load begins.
    pub(super) fn start(&mut self, now: Duration, cluster: &Cluster) {
        (self.load_start, self.began) = (now, self.progress(cluster));
        let mut points = false;
        for (index, fault) in self.plan.iter().enumerate() {
            match fault.trigger {
                Trigger::Time => {
                    let (start, end) = (now + nanos(fault.start), now + nanos(fault.end));
                    self.due.push(Reverse((start, Due::Start { fault: index, since: start })));
                    self.due.push(Reverse((end, Due::End(index))));
                }
                Trigger::When(ref point, _) => points |= point.sight().is_none(),
                Trigger::After { .. } => {}
            }
        }
        if points {
            self.due.push(Reverse((now + POLL, Due::Points)));
        }
        self.moments = Moments::of(&self.plan, &self.names);
    }

    /// Lets the faults come that waited for these events.
    pub(super) fn see(&mut self, events: &[Seen], now: Duration) {
        for event in events {
            for index in self.moments.see(*event) {
                if let Trigger::When(_, lasts) = self.plan[index].trigger {
                    self.come(index, now, lasts);
                }
            }
        }
    }

    /// The names of the nodes, by index.
    pub(super) fn names(&self) -> &[&'a str] {
        &self.names
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((time, _))| *time)
    }

    pub(super) fn take_events(&mut self) -> Vec<FaultEvent> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn take_ended(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.ended)
    }

    /// Whether a fault cuts the clients off a node.
    pub(super) fn cuts_clients(&self, node: usize) -> bool {
        self.unreachable[node] > 0
    }

    /// Does what is due at this time.
    pub(super) fn advance(&mut self, now: Duration, cluster: &mut Cluster) {
        while let Some(Reverse((time, _))) = self.due.peek()
            && *time <= now
            && let Some(Reverse((_, due))) = self.due.pop()
        {
            match due {
                Due::End(fault) => self.end_one(fault, now, cluster),
                Due::Start { fault, since } => self.start_one(fault, since, now, cluster),
                Due::Still(fault) => self.stand_still(fault, now, cluster),
                Due::Points => self.look_at_points(now, cluster),
            }
        }
    }

    /// Ends every fault in force, the last one first; those that never started are given up.
    pub(super) fn end_all(&mut self, now: Duration, cluster: &mut Cluster) {
        for index in (0..self.plan.len()).rev() {
            if matches!(self.states[index], State::Waiting) {
                let waited = self.plan[index].trigger.in_words().unwrap_or_default();
                self.nothing(index, now, &format!("it was to start {waited}, and the load ended before"));
            }
            self.end_one(index, now, cluster);
        }
        self.due.clear();
    }

    fn progress(&self, cluster: &Cluster) -> Vec<Progress> {
        let of = |(index, name): (usize, &&str)| {
            let (decided, adopted, preempted) = cluster.progress(index)?;
            Some(Progress { node: (*name).to_owned(), decided, adopted, preempted })
        };
        self.names.iter().enumerate().filter_map(of).collect()
    }

    fn look_at_points(&mut self, now: Duration, cluster: &Cluster) {
        let progress = self.progress(cluster);
        let mut waiting = false;
        for index in 0..self.plan.len() {
            let Trigger::When(point, lasts) = &self.plan[index].trigger else { continue };
            if point.sight().is_some() || !matches!(self.states[index], State::Waiting) {
                continue;
            }
            if point.is_reached(&self.began, &progress) {
                let lasts = *lasts;
                self.come(index, now, lasts);
            } else {
                waiting = true;
            }
        }
        if waiting {
            self.due.push(Reverse((now + POLL, Due::Points)));
        }
    }

    /// Lets a fault come that waited for the run.
    fn come(&mut self, index: usize, start: Duration, lasts: Option<u64>) {
        let latest = self.load_start + nanos(self.plan[index].end);
        let end = lasts.map_or(latest, |lasts| (start + nanos(lasts)).min(latest));
        if start < latest {
            let fault = &mut self.plan[index];
            let since = |time: Duration| {
                u64::try_from(time.saturating_sub(self.load_start).as_nanos()).unwrap_or(u64::MAX)
            };
            (fault.start, fault.end) = (since(start), since(end));
            self.due.push(Reverse((start, Due::Start { fault: index, since: start })));
            self.due.push(Reverse((end, Due::End(index))));
        }
    }

    fn start_one(&mut self, index: usize, since: Duration, now: Duration, cluster: &mut Cluster) {
        if !matches!(self.states[index], State::Waiting) {
            return;
        }
        let fault = &self.plan[index];
        let hit = match fault.scope.resolve(self.topology, cluster.leader()) {
            Ok(hit) => hit,
            Err(reason) => {
                let patience = LEADER_PATIENCE.max(nanos(fault.end - fault.start) / 2);
                if fault.scope.needs_leader() && now < since + patience {
                    self.due.push(Reverse((now + LEADER_PAUSE, Due::Start { fault: index, since })));
                } else {
                    self.nothing(index, now, &reason);
                }
                return;
            }
        };
        let writing = matches!(fault.effect(), Some(FaultEffect::Down { writing: true, .. }));
        let writes = |name: &String| self.index(name).is_some_and(|node| cluster.is_writing(node));
        if writing && now < since + WRITE_PATIENCE && !hit.nodes.iter().any(writes) {
            self.due.push(Reverse((now + WRITE_PAUSE, Due::Start { fault: index, since })));
            return;
        }
        let before = self.counts(index, &hit, cluster);
        self.states[index] = State::InForce { hit: hit.clone(), before };
        let evidence = self.strike(index, &hit, now, cluster);
        self.record(index, Some(&hit), now, Moment::Start { evidence, note: None });
        let number = self.plan[index].fault;
        for follower in 0..self.plan.len() {
            if let Trigger::After { fault, by, lasts } = self.plan[follower].trigger
                && fault == number
            {
                self.come(follower, now + nanos(by), lasts);
            }
        }
    }

    /// Does what a fault does at its start; returns the evidence that there is at once.
    fn strike(&mut self, index: usize, hit: &Hit, now: Duration, cluster: &mut Cluster) -> Vec<String> {
        let nodes: Vec<usize> = hit.nodes.iter().filter_map(|name| self.index(name)).collect();
        let mut evidence = Vec::new();
        match self.plan[index].effect() {
            Some(FaultEffect::Down { power, .. }) => {
                for node in nodes {
                    self.down[node].insert(index);
                    let ran = cluster.kill(node, power);
                    self.ended.extend(ran.then_some(node));
                    let how = if ran { "its process ended" } else { "it was down already" };
                    let lost = if power { ", and what was not synced is gone" } else { "" };
                    evidence.push(format!("{}: {how}{lost}", self.names[node]));
                }
            }
            Some(FaultEffect::Still { .. }) => {
                let up = nodes.iter().filter(|node| cluster.is_up(**node));
                evidence.extend(up.map(|node| format!("{}: its process stands still", self.names[*node])));
                self.stand_still(index, now, cluster);
            }
            Some(FaultEffect::Links(_)) => {
                self.count_clients(hit, 1);
                self.set_links(cluster);
            }
            Some(FaultEffect::Reset) => {
                for (from, to) in self.links_of(hit) {
                    cluster.reset(from, to);
                }
                evidence.push(format!("{} links reset", hit.links.len()));
            }
            Some(FaultEffect::Syncs(_)) => self.set_syncs(cluster),
            None => unreachable!("the plan has only faults that can be simulated"),
        }
        evidence
    }

    /// Lets processes stand still, for the rest of the fault or for a part of it.
    fn stand_still(&mut self, index: usize, now: Duration, cluster: &mut Cluster) {
        let (State::InForce { hit, .. }, Some(FaultEffect::Still { duty })) =
            (&self.states[index], self.plan[index].effect())
        else {
            return;
        };
        let end = self.load_start + nanos(self.plan[index].end);
        let until = duty.map_or(end, |(still, _)| (now + still).min(end));
        for node in hit.nodes.iter().filter_map(|name| self.index(name)) {
            if cluster.is_up(node) {
                cluster.pause(node, until);
            }
        }
        if let Some((still, running)) = duty
            && now + still + running < end
        {
            self.due.push(Reverse((now + still + running, Due::Still(index))));
        }
    }

    fn end_one(&mut self, index: usize, now: Duration, cluster: &mut Cluster) {
        if !matches!(self.states[index], State::InForce { .. }) {
            return;
        }
        let State::InForce { hit, before } = std::mem::replace(&mut self.states[index], State::Over) else {
            return;
        };
        let counted = self.counts(index, &hit, cluster).iter().sum::<u64>() - before.iter().sum::<u64>();
        let mut met = None;
        let mut evidence = Vec::new();
        match self.plan[index].effect() {
            Some(FaultEffect::Down { .. }) => {
                let nodes: Vec<usize> = hit.nodes.iter().filter_map(|name| self.index(name)).collect();
                for node in nodes {
                    self.down[node].remove(&index);
                    if self.down[node].is_empty() {
                        cluster.restart(node);
                        evidence.push(format!("{}: started again", self.names[node]));
                    }
                }
            }
            Some(FaultEffect::Links(_)) => {
                self.count_clients(&hit, -1);
                self.set_links(cluster);
                (met, evidence) = (Some(counted > 0), vec![format!("{counted} packets met it")]);
            }
            Some(FaultEffect::Syncs(_)) => {
                self.set_syncs(cluster);
                (met, evidence) = (Some(counted > 0), vec![format!("{counted} syncs took longer")]);
            }
            Some(FaultEffect::Still { .. } | FaultEffect::Reset) | None => {}
        }
        self.record(index, Some(&hit), now, Moment::End { evidence, met, note: None });
    }

    /// Records a fault that could not be.
    fn nothing(&mut self, index: usize, now: Duration, reason: &str) {
        self.states[index] = State::Over;
        let note = Some(reason.to_owned());
        self.record(index, None, now, Moment::Start { evidence: Vec::new(), note: note.clone() });
        self.record(index, None, now, Moment::End { evidence: Vec::new(), met: None, note });
    }

    fn record(&mut self, index: usize, hit: Option<&Hit>, now: Duration, moment: Moment) {
        let fault = &self.plan[index];
        let hit_nodes = || hit.map(|hit| hit.nodes.clone()).unwrap_or_default();
        let targets = fault.nodes.clone().unwrap_or_else(hit_nodes);
        let planned = if matches!(moment, Moment::Start { .. }) { fault.start } else { fault.end };
        let at = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let change = FaultChange {
            kind: fault.kind.name().to_owned(),
            fault: fault.fault,
            label: Some(if targets.is_empty() { fault.label.clone() } else { fault.label_with(&targets) }),
            targets,
            planned: Some(u64::try_from((self.load_start + nanos(planned)).as_nanos()).unwrap_or(u64::MAX)),
            at: Some(at),
            ..FaultChange::default()
        };
        self.events.push(match moment {
            Moment::Start { evidence, note } => FaultEvent::Start(FaultChange { evidence, note, ..change }),
            Moment::End { evidence, met, note } => {
                FaultEvent::End(FaultChange { evidence, met, note, healed: Some(true), ..change })
            }
        });
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| *other == name)
    }

    /// The links between nodes that a fault hits, as indices.
    fn links_of(&self, hit: &Hit) -> Vec<(usize, usize)> {
        let ends = |link: &nemesis::Link| Some((self.index(&link.from)?, self.index(&link.to)?));
        hit.links.iter().filter_map(ends).collect()
    }

    /// Counts the cuts between clients and nodes.
    fn count_clients(&mut self, hit: &Hit, more: i32) {
        for link in &hit.links {
            let node = [(&link.from, &link.to), (&link.to, &link.from)];
            let node =
                node.into_iter().find(|(one, _)| *one == CLIENTS).and_then(|(_, node)| self.index(node));
            if let Some(node) = node {
                self.unreachable[node] = self.unreachable[node].saturating_add_signed(more);
            }
        }
    }

    /// What counts as evidence of a fault so far, by link or node.
    fn counts(&self, index: usize, hit: &Hit, cluster: &Cluster) -> Vec<u64> {
        let of_link = |count: fn(LinkCounters) -> u64| {
            let links = self.links_of(hit);
            links.into_iter().map(|(from, to)| count(cluster.link_counters(from, to))).collect()
        };
        match self.plan[index].effect() {
            Some(FaultEffect::Links(LinkFault::Stall | LinkFault::Refuse)) => of_link(|link| link.cut),
            Some(FaultEffect::Links(LinkFault::Flaky(_))) => of_link(|link| link.struck),
            Some(FaultEffect::Links(_)) => of_link(|link| link.delayed),
            Some(FaultEffect::Syncs(_)) => {
                let nodes = hit.nodes.iter().filter_map(|name| self.index(name));
                nodes.map(|node| cluster.slowed_syncs(node)).collect()
            }
            Some(FaultEffect::Down { .. } | FaultEffect::Still { .. } | FaultEffect::Reset) | None => {
                Vec::new()
            }
        }
    }

    /// The faults in force with their hits.
    fn in_force(&self) -> impl Iterator<Item = (FaultEffect, &Hit)> {
        self.plan.iter().zip(&self.states).filter_map(|(fault, state)| match state {
            State::InForce { hit, .. } => Some((fault.effect()?, hit)),
            State::Waiting | State::Over => None,
        })
    }

    /// Sets what every link does now, all faults in force taken together.
    fn set_links(&self, cluster: &mut Cluster) {
        let size = self.names.len();
        let mut faults: Vec<Vec<LinkFault>> = vec![Vec::new(); size * size];
        for (effect, hit) in self.in_force() {
            let FaultEffect::Links(fault) = effect else { continue };
            for (from, to) in self.links_of(hit) {
                faults[from * size + to].push(fault);
            }
        }
        for (link, faults) in faults.iter().enumerate().filter(|(link, _)| link / size != link % size) {
            cluster.set_link(link / size, link % size, condition(self.base, faults));
        }
    }

    /// Sets how long the syncs of every node take now.
    fn set_syncs(&self, cluster: &mut Cluster) {
        for (node, name) in self.names.iter().enumerate() {
            let hits = |hit: &Hit| hit.nodes.iter().any(|other| other == name);
            let delays = self.in_force().filter_map(|(effect, hit)| match effect {
                FaultEffect::Syncs(delay) if hits(hit) => Some(delay),
                _ => None,
            });
            cluster.slow_syncs(node, travel(delays.collect()));
        }
    }
}

enum Moment {
    Start { evidence: Vec<String>, note: Option<String> },
    End { evidence: Vec<String>, met: Option<bool>, note: Option<String> },
}

fn nanos(time: u64) -> Duration {
    Duration::from_nanos(time)
}

/// The sum of several delays.
fn travel(delays: Vec<Delay>) -> Option<Travel> {
    if delays.is_empty() {
        return None;
    }
    Some(Arc::new(move |rng: &mut ChaCha8Rng| delays.iter().map(|delay| delay.draw(rng)).sum()))
}

/// What a link does with these faults on it.
fn condition(base: Delay, faults: &[LinkFault]) -> LinkCondition {
    let mut delays: Vec<Delay> = if base.is_zero() { Vec::new() } else { vec![base] };
    let mut condition = LinkCondition::default();
    let both = |one: f64, other: Share| 1.0 - (1.0 - one) * (1.0 - f64::from(other.millionths()) / 1e6);
    for fault in faults {
        match *fault {
            LinkFault::Stall | LinkFault::Refuse => condition.cut = true,
            LinkFault::Delay(delay) => delays.push(delay),
            LinkFault::Flaky(Flaky { loss, duplicate, reorder, corrupt, .. }) => {
                // A corrupt frame is dropped by the kernel that receives it.
                condition.loss = both(both(condition.loss, loss), corrupt);
                condition.duplicate = both(condition.duplicate, duplicate);
                condition.reorder = both(condition.reorder, reorder);
            }
            LinkFault::Rate(_) => unreachable!("a limited rate is not simulated"),
        }
    }
    condition.travel = travel(delays);
    condition
}
