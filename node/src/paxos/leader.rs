//! The leader (section 2.3): proposes under a ballot of its own, with scouts and commanders.
//!
//! A leader is waiting, scouting, active, watching or idle. A scout gets its ballot adopted by a majority of
//! acceptors; their answers contain every pvalue that may be chosen. The active leader proposes these again
//! under its own ballot (C2), then other commands, with one commander per slot (C1). A higher ballot preempts
//! it. It then waits (`compete`, section 3: without backoff two leaders can preempt each other for ever). Or it
//! watches the other leader and scouts only when that one is silent (`monitor`).

use super::backoff::Backoff;
use super::commander::{Commanded, Commander};
use super::commanders::Commanders;
use super::detector::Detector;
use super::lease::Lease;
use super::membership::{Group, Roster};
use super::message::{Ballot, Command, Decided, Message, NodeId, NodeSet, PValue, Slot};
use super::progress::Progress;
use super::scout::{Accepted, Scout, Scouted};
use super::step::{Record, Step};
use crate::config::{Leadership, PaxosOptions};
use crate::flaw::Flaw;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The state of a leader.
#[derive(Debug)]
enum State {
    /// It has not started, or was preempted: it tries again at this time.
    Waiting(Duration),
    /// Its scout asks for promises.
    Scouting(Scout),
    /// Its ballot is adopted.
    Active,
    /// It watches the leader that preempted it (`monitor`).
    Watching(Watch),
    /// It is not in the newest configuration.
    Idle,
}

/// The state of a passive leader that watches another one.
#[derive(Debug)]
struct Watch {
    /// None after a restart, when it asks every leader whether it leads.
    leader: Option<NodeId>,
    /// After silence until this time, the watcher scouts itself.
    until: Duration,
    /// The latest `until` that a leader which tries, but does not lead, can obtain.
    limit: Duration,
    next_ping: Duration,
    /// Whether the watcher was paused itself and has extended its limit; a sign of life resets it.
    excused: bool,
}

/// A proposal, and whether its slot is known to be decided.
#[derive(Debug)]
struct Proposal {
    command: Arc<Command>,
    decided: bool,
}

/// A leader with its scout, its commanders, and its policy towards other leaders.
#[derive(Debug)]
pub struct Leader {
    roster: Roster,
    options: PaxosOptions,
    round: u64,
    highest: Option<Ballot>,
    state: State,
    proposals: BTreeMap<Slot, Proposal>,
    commanders: Commanders,
    backoff: Backoff,
    detector: Detector,
    progress: Progress,
    /// Every slot below was collected by an acceptor, and is therefore decided.
    collected: Slot,
    lease: Lease,
    /// Number of its preemptions since the process started.
    pub preemptions: u64,
    /// Number of its adoptions since the process started.
    pub adoptions: u64,
}

impl Leader {
    /// A leader that used rounds up to `round` in earlier lives; starts at the first [`tick`](Self::tick).
    ///
    /// A restarted leader with `monitor` looks for an active leader before it scouts.
    pub fn new(roster: Roster, options: PaxosOptions, seed: u64, round: u64) -> Self {
        let joins = roster.version > 0;
        let state = match options.leadership {
            _ if !roster.leaders.contains(&roster.me) => State::Idle,
            Leadership::Monitor if round > 0 || joins => State::Watching(Watch {
                leader: None,
                until: 2 * options.patience,
                limit: 2 * options.patience,
                next_ping: Duration::ZERO,
                excused: false,
            }),
            Leadership::Monitor | Leadership::Compete => State::Waiting(Duration::ZERO),
        };
        Self {
            backoff: Backoff::new(options.backoff, seed),
            detector: Detector::default(),
            progress: Progress::new(&roster),
            collected: roster.retired(),
            roster,
            options,
            round,
            highest: None,
            state,
            proposals: BTreeMap::new(),
            commanders: Commanders::default(),
            lease: Lease::default(),
            preemptions: 0,
            adoptions: 0,
        }
    }

    /// Whether its ballot is adopted, and it has not been preempted since.
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Active)
    }

    /// The node of the active leader, as far as known, itself included; only with `monitor`.
    pub fn leads(&self) -> Option<NodeId> {
        match (&self.state, self.options.leadership) {
            (State::Active, Leadership::Monitor) => Some(self.roster.me),
            (State::Watching(watch), Leadership::Monitor) => watch.leader,
            (State::Active | State::Watching(_), Leadership::Compete)
            | (
                State::Waiting(_) | State::Scouting(_) | State::Idle,
                Leadership::Monitor | Leadership::Compete,
            ) => None,
        }
    }

    /// For a read by lease: the slot below which the replica must apply all, if the leader holds a lease.
    ///
    /// Otherwise an active leader requests a lease at its next [`tick`](Self::tick).
    pub fn lease(&mut self, now: Duration) -> Option<Slot> {
        let keeps = self.options.flaw.contains(&Flaw::LeaderKeepsLease) && self.lease.was_held();
        let held = self.lease.want(now, self.options.lease) || keeps;
        (held && self.is_active()).then(|| self.lease.from().max(self.floor()))
    }

    /// The round of its ballot.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// The highest ballot it has seen, its own included.
    pub fn highest(&self) -> Option<Ballot> {
        self.highest
    }

    /// The current wait after a preemption, without jitter.
    pub fn backoff(&self) -> Duration {
        self.backoff.wait()
    }

    fn ballot(&self) -> Ballot {
        Ballot { round: self.round, leader: self.roster.me }
    }

    /// Every slot below is decided and on the disks of enough replicas (section 4.2).
    fn floor(&self) -> Slot {
        self.progress.floor().max(self.collected)
    }

    /// Whether these acceptors are a majority of the group's acceptors.
    fn is_quorum(options: &PaxosOptions, group: &Group, answered: &NodeSet) -> bool {
        if options.flaw.contains(&Flaw::CommanderMinorityQuorum) {
            let count = group.acceptors.iter().filter(|&&acceptor| answered.contains(acceptor)).count();
            return count >= (group.acceptors.len() / 2).max(1);
        }
        answered.has_majority_of(&group.acceptors)
    }

    /// Handles a change of the members.
    ///
    /// New acceptors have promised nothing yet, so the ballot must be adopted again.
    pub fn take_up(&mut self, now: Duration, roster: Roster, step: &mut Step) {
        let grows =
            roster.groups.last().map(|group| group.from) != self.roster.groups.last().map(|group| group.from);
        self.roster = roster;
        self.lease.give_up();
        self.progress.take_up(&self.roster);
        self.collected = self.collected.max(self.roster.retired());
        self.forget();
        let others_lead = |leader: &NodeId| self.roster.leaders.contains(leader);
        if !self.roster.leaders.contains(&self.roster.me) {
            self.commanders.clear();
            self.proposals.clear();
            self.state = State::Idle;
            return;
        }
        let first = self.roster.leaders.first() == Some(&self.roster.me);
        match &mut self.state {
            State::Active | State::Scouting(_) if grows => {
                self.commanders.clear();
                self.scout(now, step);
            }
            State::Idle => self.state = State::Waiting(now + self.options.patience),
            State::Watching(watch) if !watch.leader.as_ref().is_none_or(others_lead) => {
                let wait = if first { Duration::ZERO } else { self.options.patience };
                watch.until = now + wait;
            }
            State::Waiting(_) | State::Watching(_) | State::Active | State::Scouting(_) => {}
        }
    }

    /// Handles a message from a replica, an acceptor, or another leader.
    pub fn handle(&mut self, now: Duration, from: NodeId, message: Message, step: &mut Step) {
        if matches!(message, Message::Ping | Message::Pong { .. }) {
            self.detector.heard(now, from, &self.options);
        }
        match message {
            Message::Propose(proposal) => self.propose(now, from, proposal, step),
            Message::P1b { scout, promised, collected, from: first, accepted: pvalues, next } => {
                let accepted = Accepted { collected, from: first, pvalues, next };
                self.scouted(now, from, (scout, promised), accepted, step);
            }
            Message::P2b { commander, slot, promised } => {
                self.commanded(now, from, (commander, promised), slot, step);
            }
            Message::Progress { slot_out } => self.progressed(from, slot_out),
            Message::Leased { ballot, number } => self.leased(from, ballot, number),
            Message::Ping => step.send.push((from, self.pong(now))),
            Message::Pong { leads, tries } => self.watched(now, from, leads, tries),
            Message::P1a { .. }
            | Message::P2a(_)
            | Message::Decision(_)
            | Message::Request(_)
            | Message::Learn { .. }
            | Message::Learned { .. }
            | Message::State { .. }
            | Message::Fetch { .. }
            | Message::Ask { .. }
            | Message::Lease { .. }
            | Message::Highest { .. }
            | Message::Knows { .. }
            | Message::Who
            | Message::Members(_) => {}
        }
    }

    fn propose(&mut self, now: Duration, from: NodeId, proposal: Decided, step: &mut Step) {
        if let State::Watching(Watch { leader: Some(active), .. }) = &self.state
            && from == self.roster.me
        {
            step.send.push((*active, Message::Propose(proposal)));
            return;
        }
        let Decided { slot, command } = proposal;
        if slot < self.floor() || matches!(self.state, State::Idle) {
            return;
        }
        if let Some(known) = self.proposals.get(&slot) {
            if known.decided {
                let command = Arc::clone(&known.command);
                step.send.push((from, Message::Decision(PValue { ballot: self.ballot(), slot, command })));
            }
            return;
        }
        self.proposals.insert(slot, Proposal { command: Arc::clone(&command), decided: false });
        if self.is_active() {
            self.command(now, slot, command, step);
        }
    }

    fn command(&mut self, now: Duration, slot: Slot, command: Arc<Command>, step: &mut Step) {
        let commanded = self.commanders.get_mut(slot).map(|commander| commander.pvalue().ballot);
        assert!(
            commanded < Some(self.ballot()),
            "C1: a second commander for slot {slot} under {commanded:?}"
        );
        let again = now + self.commanders.patience(self.options.resend);
        let new = Commander::new(self.ballot(), slot, command, now, again);
        let acceptors = &self.roster.group(slot).acceptors;
        step.broadcast(acceptors, &Message::P2a(new.pvalue().clone()));
        self.commanders.insert(new);
    }

    /// Starts a scout with a round above every ballot it has seen, its own earlier ones included.
    fn scout(&mut self, now: Duration, step: &mut Step) {
        let before = self.highest;
        self.round = self.highest.map_or(0, |highest| highest.round).max(self.round) + 1;
        self.highest = Some(self.ballot());
        assert!(self.highest > before, "L1: ballot {:?} after {before:?}", self.highest);
        step.save.push(Record::Round(self.round));
        let mut scout = Scout::new(self.ballot(), self.floor(), now + self.options.resend);
        scout.lowest = self.options.flaw.contains(&Flaw::ScoutTakesLowestBallot);
        scout.sound = self.options.flaw.is_empty();
        step.send.extend(self.roster.acceptors.iter().map(|&acceptor| (acceptor, scout.request(acceptor))));
        self.lease.give_up();
        self.state = State::Scouting(scout);
    }

    fn scouted(
        &mut self,
        now: Duration,
        from: NodeId,
        (ballot, promised): (Ballot, Ballot),
        accepted: Accepted,
        step: &mut Step,
    ) {
        if ballot != self.ballot() {
            return;
        }
        let (options, roster, floor) = (&self.options, &self.roster, self.floor());
        let enough = |answered: &NodeSet| {
            roster.groups_from(floor).all(|group| Self::is_quorum(options, group, answered))
        };
        let outcome = match &mut self.state {
            State::Scouting(scout) => scout.answered(from, promised, accepted, enough),
            State::Active if promised > ballot => Scouted::Preempted(promised),
            State::Waiting(_) | State::Active | State::Watching(_) | State::Idle => Scouted::Waiting,
        };
        match outcome {
            Scouted::Waiting => {}
            Scouted::Part => {
                if let State::Scouting(scout) = &mut self.state {
                    scout.again = now + self.options.resend;
                    step.send.push((from, scout.request(from)));
                }
            }
            Scouted::Preempted(by) => self.preempted(now, by, step),
            Scouted::Adopted { collected, pvalues } => {
                self.collected = self.collected.max(collected);
                self.forget();
                self.adopted(now, pvalues, step);
            }
        }
    }

    /// Proposes possibly chosen pvalues of lower ballots again (C2), then all other undecided commands.
    fn adopted(&mut self, now: Duration, pvalues: BTreeMap<Slot, (Ballot, Arc<Command>)>, step: &mut Step) {
        self.state = State::Active;
        self.adoptions += 1;
        self.backoff.adopted();
        let floor = self.floor();
        self.lease.reaches(pvalues.last_key_value().map_or(floor, |(slot, _)| slot + 1));
        let fills_gaps = self.options.flaw.contains(&Flaw::LeaderFillsGaps);
        if !self.options.flaw.contains(&Flaw::ScoutIgnoresPvalues) {
            for (slot, (_, mut command)) in pvalues.into_iter().filter(|(slot, _)| *slot >= floor) {
                if fills_gaps && !self.proposals.contains_key(&slot) {
                    command = Arc::new(Command::no_op());
                }
                let proposal = self
                    .proposals
                    .entry(slot)
                    .or_insert_with(|| Proposal { command: Arc::clone(&command), decided: false });
                // A majority accepted the decisions that this leader knows, so the scout must have found them.
                assert!(
                    !self.options.flaw.is_empty() || !proposal.decided || proposal.command == command,
                    "C2: slot {slot} was decided as {:?}, and an acceptor reports {command:?}",
                    proposal.command
                );
                proposal.command = command;
            }
        }
        let undecided = self.proposals.range(floor..).filter(|(_, proposal)| !proposal.decided);
        let undecided: Vec<_> =
            undecided.map(|(&slot, proposal)| (slot, Arc::clone(&proposal.command))).collect();
        for (slot, command) in undecided {
            self.command(now, slot, command, step);
        }
    }

    fn commanded(
        &mut self,
        now: Duration,
        from: NodeId,
        (ballot, promised): (Ballot, Ballot),
        slot: Slot,
        step: &mut Step,
    ) {
        if ballot != self.ballot() || !self.is_active() {
            return;
        }
        let Some(commander) = self.commanders.get_mut(slot) else {
            if promised > ballot {
                self.preempted(now, promised, step);
            }
            return;
        };
        let (options, group) = (&self.options, self.roster.group(slot));
        let enough = |accepted: &NodeSet| Self::is_quorum(options, group, accepted);
        match commander.answered(from, promised, enough) {
            Commanded::Waiting => {}
            Commanded::Preempted(by) => self.preempted(now, by, step),
            Commanded::Chosen => {
                let decision = Message::Decision(commander.pvalue().clone());
                self.commanders.remove(slot);
                self.lease.reaches(slot + 1);
                if let Some(proposal) = self.proposals.get_mut(&slot) {
                    proposal.decided = true;
                }
                step.broadcast(&self.roster.replicas, &decision);
            }
        }
    }

    fn preempted(&mut self, now: Duration, by: Ballot, step: &mut Step) {
        self.highest = self.highest.max(Some(by));
        self.commanders.clear();
        self.lease.give_up();
        self.preemptions += 1;
        let wait = self.backoff.preempted(by.leader > self.ballot().leader);
        match self.options.leadership {
            Leadership::Compete if wait.is_zero() => self.scout(now, step),
            Leadership::Compete => self.state = State::Waiting(now + wait),
            // A restarted leader does not know the ballots of the leader it watched.
            Leadership::Monitor if self.detector.outlives(by.leader) => self.scout(now, step),
            Leadership::Monitor => self.watch(now, by.leader, wait),
        }
    }

    /// Starts to watch another leader, which may initially be silent for `longer` than usual.
    fn watch(&mut self, now: Duration, leader: NodeId, longer: Duration) {
        self.detector.turn();
        let patience = self.detector.patience(&self.options);
        let until = now + patience + longer;
        let limit = until + patience;
        self.state =
            State::Watching(Watch { leader: Some(leader), until, limit, next_ping: now, excused: false });
    }

    /// Handles an acceptor's grant of a lease.
    fn leased(&mut self, from: NodeId, ballot: Ballot, number: u64) {
        if ballot == self.ballot() && self.is_active() {
            let (options, roster, floor) = (&self.options, &self.roster, self.floor());
            let enough = |granted: &NodeSet| {
                roster.groups_from(floor).all(|group| Self::is_quorum(options, group, granted))
            };
            self.lease.granted(from, number, options.lease, enough);
        }
    }

    /// Handles a broken connection from a node.
    ///
    /// The connection breaks when the process ends. If that node's leader is watched, it must give a sign of
    /// life soon over a new connection.
    pub fn lost(&mut self, now: Duration, node: NodeId) {
        if let State::Watching(watch) = &mut self.state
            && watch.leader == Some(node)
        {
            self.detector.lost();
            watch.until = watch.until.min(now + 2 * self.options.ping);
            watch.next_ping = watch.next_ping.min(now + self.options.ping / 2);
        }
    }

    fn pong(&self, now: Duration) -> Message {
        let stuck = |commander: &Commander| now > commander.since + 4 * self.options.patience;
        let leads = self.is_active() && !self.commanders.first().is_some_and(stuck);
        let tries = matches!(self.state, State::Scouting(_) | State::Waiting(_));
        Message::Pong { leads, tries }
    }

    fn watched(&mut self, now: Duration, from: NodeId, leads: bool, tries: bool) {
        if matches!(&self.state, State::Watching(watch) if watch.leader == Some(from)) {
            self.detector.answered(now);
        }
        let patience = self.detector.patience(&self.options);
        if let State::Watching(watch) = &mut self.state
            && (watch.leader == Some(from) || watch.leader.is_none() && leads)
        {
            if leads {
                watch.leader = Some(from);
                watch.until = now + patience;
                watch.limit = watch.until + patience;
                watch.excused = false;
            } else if tries {
                watch.until = (now + patience).min(watch.limit).max(watch.until);
            }
        }
    }

    fn progressed(&mut self, from: NodeId, slot_out: Slot) {
        self.progress.heard(from, slot_out);
        self.forget();
    }

    /// Forgets the proposals for collected slots.
    fn forget(&mut self) {
        let floor = self.floor();
        if self.proposals.first_key_value().is_some_and(|(&slot, _)| slot < floor) {
            self.proposals = self.proposals.split_off(&floor);
            self.commanders.forget(floor);
        }
    }

    /// The time at which [`tick`](Self::tick) has work.
    pub fn wake(&self) -> Duration {
        match &self.state {
            State::Waiting(until) => *until,
            State::Scouting(scout) => scout.again,
            State::Active => self.commanders.wake().min(self.lease.wake()),
            State::Watching(watch) => watch.until.min(watch.next_ping),
            State::Idle => Duration::MAX,
        }
    }

    /// Acts on expired timers: starts a scout, asks silent acceptors again, pings.
    pub fn tick(&mut self, now: Duration, step: &mut Step) {
        let (again, ping) = (now + self.options.resend, self.options.ping);
        match &mut self.state {
            State::Waiting(until) if *until <= now => self.scout(now, step),
            State::Watching(watch)
                if watch.until <= now && (watch.excused || now < watch.next_ping + ping) =>
            {
                self.detector.give_up(now, watch.leader);
                self.scout(now, step);
            }
            State::Watching(watch) if watch.next_ping <= now => {
                if watch.until <= now {
                    // This leader's own pings are late, so answers may still be on their way.
                    watch.until = now + 2 * ping;
                    watch.excused = true;
                }
                watch.next_ping = now + ping;
                if watch.leader.is_some() {
                    self.detector.pinged(now);
                }
                let others = self.roster.leaders.iter().filter(|&&leader| leader != self.roster.me);
                let pinged = others.filter(|&&leader| watch.leader.is_none_or(|watched| watched == leader));
                step.send.extend(pinged.map(|&leader| (leader, Message::Ping)));
            }
            State::Scouting(scout) if scout.again <= now => {
                scout.again = again;
                let silent = self.roster.acceptors.iter().filter(|&&acceptor| !scout.has_answer_of(acceptor));
                step.send.extend(silent.map(|&acceptor| (acceptor, scout.request(acceptor))));
            }
            State::Active => {
                if self.lease.wake() <= now {
                    let ballot = Ballot { round: self.round, leader: self.roster.me };
                    self.lease.ask(now, ballot, self.options.lease, &self.roster.acceptors, step);
                }
                self.commanders.ask_again(now, self.options.resend, &self.roster, step);
            }
            State::Waiting(_) | State::Watching(_) | State::Scouting(_) | State::Idle => {}
        }
    }
}

#[cfg(test)]
mod tests;
