//! Every schedule of a small configuration: two leaders and three acceptors, the real roles, breadth first.
//!
//! A state is the roles and the messages on their way. A step delivers any of these messages, lets a waiting leader scout, or
//! restarts an acceptor. A message that is never delivered is a lost one, so losses, delays and every order are covered;
//! repeated messages are not. States with the same debug text are one state. Answers that a leader ignores for ever are dropped.
//!
//! `stateright` would do the same. It wants states that can be cloned and compared, which roles are not, for they hold a generator
//! of random numbers, and it brings a web server and a second `rand`. Here a role is made again from its inputs instead.

use node::config::{Backoff, BackoffKind, Leadership, Member, PaxosOptions, Role};
use node::flaw::Flaw;
use node::paxos::acceptor::Acceptor;
use node::paxos::leader::Leader;
use node::paxos::membership::Roster;
use node::paxos::message::{Ballot, Command, Decided, Message, NodeId, PValue, Slot};
use node::paxos::step::{Record, Step};
use node::store::Operation;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt::{self, Debug, Write};
use std::hash::Hasher;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const LEADERS: usize = 2;
const ACCEPTORS: usize = 3;
/// No answer is waited for so long, so nothing is sent twice.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// What is explored.
#[derive(Clone, Copy)]
struct Bounds {
    /// The slots for which each leader has a proposal.
    slots: [Slot; LEADERS],
    /// The highest round of a ballot.
    rounds: u64,
    /// How often an acceptor restarts.
    restarts: u8,
    flaw: Option<Flaw>,
}

struct Hashing(DefaultHasher);

impl Write for Hashing {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

fn hash(value: &impl Debug) -> u64 {
    let mut hashing = Hashing(DefaultHasher::new());
    write!(hashing, "{value:?}").unwrap();
    hashing.0.finish()
}

/// A message on its way: a hash by which messages are sorted, sender, receiver, and what it says.
type Sent = (u64, NodeId, NodeId, Rc<Message>);

/// What a role is given.
#[derive(Clone)]
enum Input {
    Message(NodeId, Rc<Message>),
    /// A leader scouts at this time.
    Tick(Duration),
    /// An acceptor starts again on its records.
    Restart,
}

/// A role: its inputs, from which it can be made again, and what matters of the state to which they lead.
#[derive(Clone)]
struct Known {
    inputs: Rc<Vec<Input>>,
    hash: u64,
    /// Of a leader: its own round, the highest one that it knows, whether it is active, and when it does something.
    leader: Option<(u64, u64, bool, Duration)>,
    has_records: bool,
}

#[derive(Clone)]
struct State {
    roles: [Known; LEADERS + ACCEPTORS],
    sent: Vec<Sent>,
    decided: BTreeMap<Slot, Arc<Command>>,
    restarts: u8,
}

struct Explorer {
    bounds: Bounds,
    rosters: Vec<Roster>,
    options: PaxosOptions,
}

impl Explorer {
    fn new(bounds: Bounds) -> Self {
        let names = ["l1", "l2", "a1", "a2", "a3", "r1"];
        let member = |name: &str| Member {
            name: name.to_owned(),
            address: ([127, 0, 0, 1], 1).into(),
            roles: [match &name[..1] {
                "l" => Role::Leader,
                "a" => Role::Acceptor,
                _ => Role::Replica,
            }]
            .into(),
        };
        let members: Vec<_> = names.iter().map(|name| member(name)).collect();
        let rosters: Vec<_> = names.iter().map(|name| Roster::new(&members, name, 10).unwrap()).collect();
        assert!((0..).zip(&rosters).all(|(index, roster)| roster.me.0 == index), "numbered in their order");
        let base = Duration::from_secs(1);
        let backoff = Backoff { kind: BackoffKind::Exponential, base, jitter: false, ..Backoff::default() };
        let options = PaxosOptions {
            leadership: Leadership::Compete,
            backoff,
            resend: NEVER,
            flaw: bounds.flaw.into_iter().collect(),
            ..PaxosOptions::default()
        };
        Self { bounds, rosters, options }
    }

    fn first(&self) -> State {
        let role = |index| self.play(index, Rc::default()).0;
        let roles = std::array::from_fn(role);
        State { roles, sent: Vec::new(), decided: BTreeMap::new(), restarts: 0 }
    }

    /// Visits every state. Returns how many there are, or what was decided differently for one slot.
    fn explore(&self) -> Result<usize, String> {
        let first = self.first();
        let mut seen = HashSet::from([first.key()]);
        let mut open = VecDeque::from([first]);
        while let Some(state) = open.pop_front() {
            for next in self.steps(&state)? {
                if seen.insert(next.key()) {
                    open.push_back(next);
                }
            }
        }
        Ok(seen.len())
    }

    fn steps(&self, state: &State) -> Result<Vec<State>, String> {
        let mut steps = Vec::new();
        for index in 0..state.sent.len() {
            let mut next = state.clone();
            let (_, from, to, message) = next.sent.remove(index);
            steps.push(self.give(next, usize::from(to.0), Input::Message(from, message))?);
        }
        for (index, role) in state.roles.iter().enumerate() {
            match role.leader {
                Some((round, highest, active, due))
                    if !active && due < NEVER && round.max(highest) < self.bounds.rounds =>
                {
                    steps.push(self.give(state.clone(), index, Input::Tick(due))?);
                }
                None if role.has_records && state.restarts < self.bounds.restarts => {
                    let mut next = state.clone();
                    next.restarts += 1;
                    steps.push(self.give(next, index, Input::Restart)?);
                }
                Some(_) | None => {}
            }
        }
        Ok(steps)
    }

    /// Gives one role an input, and sends what it wants to send.
    fn give(&self, mut state: State, index: usize, input: Input) -> Result<State, String> {
        let mut inputs = (*state.roles[index].inputs).clone();
        inputs.push(input);
        let (known, step) = self.play(index, Rc::new(inputs));
        state.roles[index] = known;
        let from = self.rosters[index].me;
        for (to, message) in step.send {
            // The replica only learns.
            if let Message::Decision(PValue { slot, command, .. }) = message {
                state.decide(slot, &command)?;
            } else {
                state.sent.push((hash(&(from, to, &message)), from, to, Rc::new(message)));
            }
        }
        state.drop_ignored();
        Ok(state)
    }

    /// Makes a role from its inputs; returns it with what it did last.
    fn play(&self, index: usize, inputs: Rc<Vec<Input>>) -> (Known, Step) {
        if index < LEADERS { self.play_leader(index, inputs) } else { self.play_acceptor(index, inputs) }
    }

    fn play_leader(&self, index: usize, inputs: Rc<Vec<Input>>) -> (Known, Step) {
        let mut leader = Leader::new(self.rosters[index].clone(), self.options.clone(), 1, 0);
        let mut step = Step::default();
        for slot in 1..=self.bounds.slots[index] {
            let proposal = Decided { slot, command: Arc::new(command(index, slot)) };
            leader.handle(Duration::ZERO, self.rosters[5].me, Message::Propose(proposal), &mut step);
        }
        for input in inputs.iter() {
            step = Step::default();
            match input {
                Input::Message(from, message) => {
                    leader.handle(Duration::ZERO, *from, (**message).clone(), &mut step);
                }
                Input::Tick(now) => leader.tick(*now, &mut step),
                Input::Restart => {}
            }
        }
        let highest = leader.highest().map_or(0, |ballot| ballot.round);
        let facts = Some((leader.round(), highest, leader.is_active(), leader.wake()));
        (Known { inputs, hash: hash(&leader), leader: facts, has_records: false }, step)
    }

    fn play_acceptor(&self, index: usize, inputs: Rc<Vec<Input>>) -> (Known, Step) {
        let mut acceptor = Acceptor::new(&self.rosters[index], &self.options.flaw);
        let (mut step, mut disk) = (Step::default(), Vec::new());
        for input in inputs.iter() {
            step = Step::default();
            match input {
                Input::Message(from, message) => {
                    acceptor.handle(Duration::ZERO, *from, (**message).clone(), &mut step);
                }
                Input::Tick(_) => {}
                Input::Restart => {
                    acceptor = Acceptor::new(&self.rosters[index], &self.options.flaw);
                    for record in &disk {
                        recover(&mut acceptor, record);
                    }
                    if self.options.flaw.contains(&Flaw::AcceptorForgetsPromise) {
                        acceptor.forget_promise();
                    }
                }
            }
            disk.append(&mut step.save);
        }
        let known =
            Known { inputs, hash: hash(&(&acceptor, &disk)), leader: None, has_records: !disk.is_empty() };
        (known, step)
    }
}

fn recover(acceptor: &mut Acceptor, record: &Record) {
    match record {
        Record::Promise(ballot) => acceptor.recover_promise(*ballot),
        Record::Accepted(pvalue) => acceptor.recover_accepted(pvalue.clone()),
        _ => {}
    }
}

impl State {
    fn key(&self) -> u64 {
        let mut hashing = DefaultHasher::new();
        self.roles.iter().for_each(|role| hashing.write_u64(role.hash));
        self.sent.iter().for_each(|(hash, ..)| hashing.write_u64(*hash));
        hashing.write_u64(hash(&self.decided));
        hashing.write_u8(self.restarts);
        hashing.finish()
    }

    fn decide(&mut self, slot: Slot, command: &Arc<Command>) -> Result<(), String> {
        match self.decided.insert(slot, Arc::clone(command)) {
            Some(known) if known != *command => Err(format!("slot {slot}: {known:?} and {command:?}")),
            _ => Ok(()),
        }
    }

    /// Drops answers to ballots that their leader has given up, and those that come too late to matter.
    fn drop_ignored(&mut self) {
        let roles = &self.roles;
        self.sent.retain(|(_, _, to, message)| {
            let Some((round, _, active, due)) = roles[usize::from(to.0)].leader else { return true };
            let own = Ballot { round, leader: *to };
            match &**message {
                Message::P1b { scout, promised, .. } => {
                    *scout == own && (!active && due >= NEVER || active && promised > scout)
                }
                Message::P2b { commander, .. } => *commander == own && active,
                _ => false,
            }
        });
        self.sent.sort_unstable_by_key(|(hash, ..)| *hash);
    }
}

fn command(leader: usize, slot: Slot) -> Command {
    let operation = Operation::Get { key: format!("{leader}-{slot}") };
    Command { client: "c".into(), sequence: slot, operation }
}

fn explored(bounds: Bounds) -> Result<usize, String> {
    Explorer::new(bounds).explore()
}

const TWO_SLOTS: Bounds = Bounds { slots: [2, 2], rounds: 1, restarts: 0, flaw: None };
const TWO_ROUNDS: Bounds = Bounds { slots: [1, 1], rounds: 2, restarts: 0, flaw: None };
const RESTARTS: Bounds = Bounds { slots: [1, 1], rounds: 1, restarts: 1, flaw: None };

#[test]
#[ignore = "takes minutes: `cargo test --release -p node --test it -- --ignored --nocapture two_slots`"]
fn no_schedule_of_two_slots_breaks_agreement() {
    println!("two slots, one round: {} states", explored(TWO_SLOTS).unwrap());
}

#[test]
fn no_schedule_with_a_restart_breaks_agreement() {
    let states = explored(RESTARTS).unwrap();
    println!("one slot, one round, a restart: {states} states");
    assert!(states > 1_000, "{states} states show too little");
}

#[test]
#[ignore = "takes minutes: `cargo test --release -p node --test it -- --ignored --nocapture two_rounds`"]
fn no_schedule_of_two_rounds_breaks_agreement() {
    println!("one slot, two rounds: {} states", explored(TWO_ROUNDS).unwrap());
}

#[test]
fn flaws_have_a_schedule_that_breaks_agreement() {
    let fills = Bounds { slots: [1, 0], ..TWO_SLOTS };
    for (flaw, bounds) in [
        (Flaw::CommanderMinorityQuorum, RESTARTS),
        (Flaw::ScoutIgnoresPvalues, RESTARTS),
        (Flaw::AcceptorAcceptsBelowPromise, RESTARTS),
        (Flaw::AcceptorForgetsPromise, RESTARTS),
        (Flaw::LeaderFillsGaps, fills),
    ] {
        assert_found(flaw, bounds);
    }
}

#[test]
#[ignore = "takes minutes: `cargo test --release -p node --test it -- --ignored --nocapture lowest_ballot`"]
fn lowest_ballot_of_a_scout_breaks_agreement() {
    assert_found(Flaw::ScoutTakesLowestBallot, TWO_ROUNDS);
}

fn assert_found(flaw: Flaw, bounds: Bounds) {
    let broken = explored(Bounds { flaw: Some(flaw), ..bounds });
    assert!(broken.is_err(), "{flaw}: no schedule of {broken:?} states breaks agreement");
}
