//! The stage of a golden script: roles in nodes of their own, and the messages between them in plain sight.

#![allow(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]

use goldenscript::{Command as Line, Context, Runner};
use node::config::{Backoff, BackoffKind, Leadership, Member, PaxosOptions, Read, Role};
use node::paxos::acceptor::Acceptor;
use node::paxos::leader::Leader;
use node::paxos::membership::{Change, Membership, Roster};
use node::paxos::message::{Ballot, Command, Decided, Message, NodeId, PValue};
use node::paxos::replica::Replica;
use node::paxos::step::{Record, Step, Ticket};
use node::store::{Answer, Operation};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

/// One node with one role, by its name's first letter.
enum Actor {
    Replica(Box<Replica>),
    Leader(Box<Leader>),
    Acceptor(Acceptor),
}

/// A message on its way.
struct Flight {
    from: String,
    to: String,
    message: Message,
    /// The version of the membership that its sender knew.
    version: u64,
}

/// Roles, messages on their way, and the time.
#[derive(Default)]
pub(super) struct Stage {
    actors: BTreeMap<String, Actor>,
    names: Vec<String>,
    rosters: BTreeMap<String, Roster>,
    flights: Vec<Flight>,
    tickets: BTreeMap<Ticket, String>,
    now: Duration,
}

impl Runner for Stage {
    type Command = Line;

    fn run(&mut self, line: &Line, _context: &Context) -> Result<String, Box<dyn Error>> {
        let mut output = String::new();
        match line.name.as_str() {
            "cluster" => self.cluster(line)?,
            "request" => self.request(line, &mut output)?,
            "reconfigure" => self.reconfigure(line, &mut output)?,
            "deliver" => self.deliver(line, &mut output)?,
            "drop" => self.drop_some(line, &mut output)?,
            "tick" => self.tick(line, &mut output)?,
            "stored" => self.stored(line, &mut output)?,
            "status" => self.status(&mut output),
            name => return Err(format!("there is no command {name}").into()),
        }
        Ok(output)
    }
}

impl Stage {
    /// `cluster replicas=1 leaders=2 acceptors=3 leadership=compete backoff=none window=10`
    fn cluster(&mut self, line: &Line) -> Result<(), Box<dyn Error>> {
        let mut arguments = line.consume_args();
        let mut options = PaxosOptions { leadership: Leadership::Compete, ..PaxosOptions::default() };
        options.backoff = Backoff { kind: BackoffKind::None, jitter: false, ..Backoff::default() };
        if arguments.take_key("leadership") == Some("monitor") {
            options.leadership = Leadership::Monitor;
        }
        if arguments.take_key("backoff") == Some("exponential") {
            options.backoff.kind = BackoffKind::Exponential;
        }
        match arguments.take_key("read") {
            Some("quorum") => options.read = Read::Quorum,
            Some("lease") => options.read = Read::Lease,
            Some(_) | None => {}
        }
        options.window = arguments.take_key("window").map_or(Ok(10), str::parse)?;
        options.keep_bytes = arguments.take_key("keep").map_or(Ok(options.keep_bytes), str::parse)?;
        let mut members = Vec::new();
        for (letter, key, role) in [
            ("r", "replicas", Role::Replica),
            ("l", "leaders", Role::Leader),
            ("a", "acceptors", Role::Acceptor),
        ] {
            for number in 1..=arguments.take_key(key).map_or(Ok(1), str::parse::<u8>)? {
                let address = ([127, 0, 0, 1], 1).into();
                members.push(Member { name: format!("{letter}{number}"), address, roles: [role].into() });
            }
        }
        arguments.reject_next()?;
        *self = Self::default();
        for Member { name, roles, .. } in &members {
            let roster = Roster::new(&members, name, options.window).unwrap();
            let actor = match roles.first().unwrap() {
                Role::Replica => Actor::Replica(Box::new(Replica::new(roster, options.clone(), 1))),
                Role::Leader => Actor::Leader(Box::new(Leader::new(roster, options.clone(), 1, 0))),
                Role::Acceptor => Actor::Acceptor(Acceptor::new(&roster, &[])),
            };
            self.rosters.insert(name.clone(), Roster::new(&members, name, options.window).unwrap());
            self.actors.insert(name.clone(), actor);
        }
        self.names = members.into_iter().map(|member| member.name).collect();
        Ok(())
    }

    /// `request r1 c1 1 put x 5`: client, sequence, operation.
    fn request(&mut self, line: &Line, output: &mut String) -> Result<(), Box<dyn Error>> {
        let mut arguments = line.consume_args();
        let words: Vec<_> = std::iter::from_fn(|| arguments.next_pos()).collect();
        let (replica, client, sequence, operation) = match words.as_slice() {
            [replica, client, sequence, "put", key, value] => (
                replica,
                client,
                sequence,
                Operation::Put { key: (*key).into(), value: value.to_string().into() },
            ),
            [replica, client, sequence, "append", key, value] => {
                (replica, client, sequence, Operation::Append { key: (*key).into(), value: (*value).into() })
            }
            [replica, client, sequence, "get", key] => {
                (replica, client, sequence, Operation::Get { key: (*key).into() })
            }
            _ => return Err("request REPLICA CLIENT SEQUENCE put|append|get KEY [VALUE]".into()),
        };
        let command = Command { client: (*client).into(), sequence: sequence.parse()?, operation };
        self.ask(replica, command, output)
    }

    /// `reconfigure r1 c1 1 remove=a3 add=a4`: the letter of a new name is its role.
    fn reconfigure(&mut self, line: &Line, output: &mut String) -> Result<(), Box<dyn Error>> {
        let mut arguments = line.consume_args();
        let mut change = Change::default();
        if let Some(name) = arguments.take_key("add") {
            let role = match name.chars().next() {
                Some('r') => Role::Replica,
                Some('l') => Role::Leader,
                _ => Role::Acceptor,
            };
            let address = ([127, 0, 0, 1], 1).into();
            change.add.push(Member { name: name.to_owned(), address, roles: [role].into() });
        }
        change.remove.extend(arguments.take_key("remove").map(str::to_owned));
        let words: Vec<_> = std::iter::from_fn(|| arguments.next_pos()).collect();
        let [replica, client, sequence] = words.as_slice() else {
            return Err("reconfigure REPLICA CLIENT SEQUENCE add=NAME remove=NAME".into());
        };
        let operation = Operation::Reconfigure { change };
        let command = Command { client: (*client).into(), sequence: sequence.parse()?, operation };
        self.ask(replica, command, output)
    }

    fn ask(&mut self, replica: &str, command: Command, output: &mut String) -> Result<(), Box<dyn Error>> {
        let ticket = Ticket(self.tickets.len() as u64);
        self.tickets.insert(ticket, format!("{}.{}", command.client, command.sequence));
        let mut step = Step::default();
        // The leader that bears the replica's number stands beside it.
        let leased = match self.actors.get_mut(&replica.replace('r', "l")) {
            Some(Actor::Leader(leader)) => leader.lease(self.now),
            Some(Actor::Replica(_) | Actor::Acceptor(_)) | None => None,
        };
        let Some(Actor::Replica(actor)) = self.actors.get_mut(replica) else {
            return Err("no such replica".into());
        };
        assert!(actor.request(self.now, ticket, command, (None, leased), &mut step));
        self.carry_out(replica, step, output);
        Ok(())
    }

    /// `deliver`, `deliver from=l1 to=a1 kind=p1a`: all that is on its way and matches, in order.
    fn deliver(&mut self, line: &Line, output: &mut String) -> Result<(), Box<dyn Error>> {
        for Flight { from, to, message, version } in self.take(line)? {
            let _ = writeln!(output, "{from} → {to} {}", self.show(&message));
            if self.is_of_the_membership(&to, &from, version, &message, output) {
                continue;
            }
            let sender = NodeId(u8::try_from(self.names.iter().position(|name| *name == from).unwrap())?);
            let mut step = Step::default();
            match self.actors.get_mut(&to).unwrap() {
                Actor::Replica(replica) => replica.handle(self.now, sender, message, &mut step),
                Actor::Leader(leader) => leader.handle(self.now, sender, message, &mut step),
                Actor::Acceptor(acceptor) => acceptor.handle(self.now, sender, message, &mut step),
            }
            self.carry_out(&to, step, output);
        }
        Ok(())
    }

    fn drop_some(&mut self, line: &Line, output: &mut String) -> Result<(), Box<dyn Error>> {
        for Flight { from, to, message, .. } in self.take(line)? {
            let _ = writeln!(output, "{from} ✗ {to} {}", self.show(&message));
        }
        Ok(())
    }

    fn take(&mut self, line: &Line) -> Result<Vec<Flight>, Box<dyn Error>> {
        let mut arguments = line.consume_args();
        let mut wanted = |key| arguments.take_key(key).map(str::to_owned);
        let (from, to, kind) = (wanted("from"), wanted("to"), wanted("kind"));
        arguments.reject_next()?;
        let is =
            |wanted: &Option<String>, actual: &str| wanted.as_ref().is_none_or(|wanted| wanted == actual);
        let (taken, left) = std::mem::take(&mut self.flights).into_iter().partition(|flight| {
            is(&from, &flight.from) && is(&to, &flight.to) && is(&kind, kind_of(&flight.message))
        });
        self.flights = left;
        Ok(taken)
    }

    /// `tick l1 r1 at=200ms`: the time becomes that, and these do what is due.
    fn tick(&mut self, line: &Line, output: &mut String) -> Result<(), Box<dyn Error>> {
        let mut arguments = line.consume_args();
        if let Some(at) = arguments.take_key("at") {
            self.now = Duration::from_millis(at.trim_end_matches("ms").parse()?);
        }
        while let Some(name) = arguments.next_pos() {
            let mut step = Step::default();
            match self.actors.get_mut(name) {
                Some(Actor::Replica(replica)) => replica.tick(self.now, &mut step),
                Some(Actor::Leader(leader)) => leader.tick(self.now, &mut step),
                Some(Actor::Acceptor(acceptor)) => acceptor.tick(self.now, &mut step),
                None => return Err(format!("there is no {name}").into()),
            }
            step.send.retain(|(_, message)| !matches!(message, Message::Progress { .. }));
            self.carry_out(name, step, output);
        }
        Ok(())
    }

    /// `stored r1 at=200ms`: what it applied is on disk now, and it says so.
    fn stored(&mut self, line: &Line, output: &mut String) -> Result<(), Box<dyn Error>> {
        let mut arguments = line.consume_args();
        if let Some(at) = arguments.take_key("at") {
            self.now = Duration::from_millis(at.trim_end_matches("ms").parse()?);
        }
        let name = arguments.next_pos().ok_or("stored REPLICA at=TIME")?;
        let Some(Actor::Replica(replica)) = self.actors.get_mut(name) else {
            return Err("no such replica".into());
        };
        let mut step = Step::default();
        replica.stored(replica.slot_out());
        replica.tick(self.now, &mut step);
        step.send.retain(|(_, message)| matches!(message, Message::Progress { .. }));
        self.carry_out(name, step, output);
        Ok(())
    }

    fn status(&self, output: &mut String) {
        for name in &self.names {
            let _ = match &self.actors[name] {
                Actor::Replica(replica) => {
                    writeln!(output, "{name} slot_in={} slot_out={}", replica.slot_in(), replica.slot_out())
                }
                Actor::Leader(leader) => writeln!(
                    output,
                    "{name} round={} active={} preemptions={} adoptions={} backoff={:?}",
                    leader.round(),
                    leader.is_active(),
                    leader.preemptions,
                    leader.adoptions,
                    leader.backoff()
                ),
                Actor::Acceptor(acceptor) => {
                    let promised = acceptor.promised().map_or("⊥".to_owned(), |ballot| self.ballot(ballot));
                    let collected = acceptor.collected();
                    let collected =
                        if collected > 1 { format!(" collected={collected}") } else { String::new() };
                    writeln!(output, "{name} promised={promised}{collected}")
                }
            };
        }
    }

    /// Handles what nodes say of the members, and refuses what comes from somebody who knows more of them.
    fn is_of_the_membership(
        &mut self,
        to: &str,
        from: &str,
        version: u64,
        message: &Message,
        output: &mut String,
    ) -> bool {
        let answer = match message {
            Message::Members(membership) => {
                self.take_up(to, membership.clone(), output);
                return true;
            }
            Message::Who => Message::Members(self.rosters[to].membership.clone()),
            _ if version > self.rosters[to].version => Message::Who,
            _ => return false,
        };
        let _ = writeln!(output, "  {to} → {from} {}", self.show(&answer));
        let version = self.rosters[to].version;
        self.flights.push(Flight { from: to.to_owned(), to: from.to_owned(), message: answer, version });
        true
    }

    fn take_up(&mut self, name: &str, membership: Membership, output: &mut String) {
        if membership.version <= self.rosters[name].version {
            return;
        }
        for node in membership.nodes() {
            let place = usize::from(node.id.0);
            if place >= self.names.len() {
                self.names.resize(place + 1, String::new());
            }
            self.names[place].clone_from(&node.name);
        }
        let roster = self.rosters[name].follow(membership, name);
        self.rosters.insert(name.to_owned(), roster.clone());
        let _ = writeln!(output, "  {name} knows version {}", roster.version);
        let mut step = Step::default();
        match self.actors.get_mut(name).unwrap() {
            Actor::Replica(replica) => replica.take_up(roster),
            Actor::Leader(leader) => leader.take_up(self.now, roster, &mut step),
            Actor::Acceptor(acceptor) => acceptor.take_up(&roster),
        }
        self.carry_out(name, step, output);
    }

    fn add_new_acceptors(&mut self, membership: &Membership) {
        for node in membership.nodes().filter(|node| node.roles.contains(&Role::Acceptor)) {
            if !self.actors.contains_key(&node.name) {
                let roster = Roster::of(membership.clone(), &node.name).unwrap();
                self.actors.insert(node.name.clone(), Actor::Acceptor(Acceptor::new(&roster, &[])));
                self.rosters.insert(node.name.clone(), roster);
            }
        }
    }

    fn carry_out(&mut self, name: &str, step: Step, output: &mut String) {
        if let Some(Actor::Replica(replica)) = self.actors.get(name) {
            let membership = replica.membership().clone();
            if membership.version > self.rosters[name].version {
                self.add_new_acceptors(&membership);
                self.take_up(name, membership.clone(), output);
                for other in self.names.clone().into_iter().filter(|other| other != name) {
                    let message = Message::Members(membership.clone());
                    let version = membership.version;
                    self.flights.push(Flight { from: name.to_owned(), to: other, message, version });
                }
            }
        }
        for record in step.save.iter().chain(&step.note) {
            let _ = writeln!(output, "  {name} saves {}", self.record(record));
        }
        for (to, message) in step.send {
            let to = self.names[usize::from(to.0)].clone();
            let _ = writeln!(output, "  {name} → {to} {}", self.show(&message));
            let version = self.rosters[name].version;
            self.flights.push(Flight { from: name.to_owned(), to, message, version });
        }
        for (ticket, answer, slot) in step.answer {
            let answer = match answer {
                Answer::Done => "done".to_owned(),
                Answer::Reconfigured { version, from } => format!("version {version} from slot {from} on"),
                Answer::Value(value) => value.map_or("absent".to_owned(), |value| format!("value {value}")),
                other => format!("{other:?}"),
            };
            let _ = writeln!(output, "  {name} answers {}: {answer} (slot {slot})", self.tickets[&ticket]);
        }
    }

    fn ballot(&self, ballot: Ballot) -> String {
        format!("({},{})", ballot.round, self.names[usize::from(ballot.leader.0)])
    }

    fn pvalue(&self, PValue { ballot, slot, command }: &PValue) -> String {
        format!("{} slot {slot} {}", self.ballot(*ballot), show_command(command))
    }

    fn record(&self, record: &Record) -> String {
        match record {
            Record::Promise(ballot) => format!("promise {}", self.ballot(*ballot)),
            Record::Accepted(pvalue) => format!("accepted {}", self.pvalue(pvalue)),
            Record::Round(round) => format!("round {round}"),
            Record::Lease(time) => format!("lease of {time:?}"),
            Record::Members(membership) => format!("members, version {}", membership.version),
            Record::Decided { slot, command } => {
                format!(
                    "decided slot {slot} {}",
                    command.as_ref().map_or(String::new(), |command| show_command(command))
                )
            }
        }
    }

    fn show(&self, message: &Message) -> String {
        let kind = kind_of(message);
        let rest = match message {
            Message::Request(command) => show_command(command),
            Message::Propose(Decided { slot, command }) => format!("slot {slot} {}", show_command(command)),
            Message::P1a { ballot, from } => format!("{} from slot {from}", self.ballot(*ballot)),
            Message::P1b { promised, collected, accepted, .. } => {
                let accepted: Vec<_> = accepted.iter().map(|pvalue| self.pvalue(pvalue)).collect();
                let collected =
                    if *collected > 1 { format!(" collected below {collected}") } else { String::new() };
                format!("{}{collected} [{}]", self.ballot(*promised), accepted.join(", "))
            }
            Message::P2a(pvalue) | Message::Decision(pvalue) => self.pvalue(pvalue),
            Message::P2b { slot, promised, .. } => format!("{} slot {slot}", self.ballot(*promised)),
            Message::Progress { slot_out } => format!("{slot_out}"),
            Message::Learn { from } => format!("from slot {from}"),
            Message::Learned { decisions, slot_out } => {
                let decisions: Vec<_> = decisions
                    .iter()
                    .map(|decided| format!("slot {} {}", decided.slot, show_command(&decided.command)))
                    .collect();
                format!("[{}] next {slot_out}", decisions.join(", "))
            }
            Message::State { slot_out, offset, part, total } => {
                format!("before slot {slot_out}, bytes {offset} to {} of {total}", offset + part.len() as u64)
            }
            Message::Fetch { slot_out, offset } => format!("before slot {slot_out} from byte {offset}"),
            Message::Ask { number, .. } => format!("question {number}"),
            Message::Highest { number, slot, .. } => format!("question {number}: slot {slot}"),
            Message::Lease { ballot, number, time } => {
                format!("{} question {number}, for {time:?}", self.ballot(*ballot))
            }
            Message::Leased { ballot, number } => format!("{} question {number}", self.ballot(*ballot)),
            Message::Knows { version, .. } => format!("version {version}"),
            Message::Members(membership) => format!("version {}", membership.version),
            Message::Ping | Message::Who => String::new(),
            Message::Pong { leads, tries } => format!("leads={leads} tries={tries}"),
        };
        format!("{kind} {rest}").trim_end().to_owned()
    }
}

fn kind_of(message: &Message) -> &'static str {
    match message {
        Message::Request(_) => "request",
        Message::Propose(_) => "propose",
        Message::P1a { .. } => "p1a",
        Message::P1b { .. } => "p1b",
        Message::P2a(_) => "p2a",
        Message::P2b { .. } => "p2b",
        Message::Decision(_) => "decision",
        Message::Progress { .. } => "progress",
        Message::Learn { .. } => "learn",
        Message::Learned { .. } => "learned",
        Message::State { .. } => "state",
        Message::Fetch { .. } => "fetch",
        Message::Ask { .. } => "ask",
        Message::Highest { .. } => "highest",
        Message::Lease { .. } => "lease",
        Message::Leased { .. } => "leased",
        Message::Ping => "ping",
        Message::Pong { .. } => "pong",
        Message::Knows { .. } => "knows",
        Message::Who => "who",
        Message::Members(_) => "members",
    }
}

fn show_command(command: &Command) -> String {
    let operation = match &command.operation {
        Operation::Put { key, value } => format!("put {key}={value}"),
        Operation::Append { key, value } => format!("append {key}+={value}"),
        Operation::Get { key } => format!("get {key}"),
        Operation::Nothing => return "no-op".to_owned(),
        Operation::Reconfigure { change } => {
            let add: Vec<_> = change.add.iter().map(|member| format!("+{}", member.name)).collect();
            let remove: Vec<_> = change.remove.iter().map(|name| format!("-{name}")).collect();
            format!("members {}", [add, remove].concat().join(" "))
        }
        Operation::Retire { version } => return format!("retire what was before version {version}"),
        other => format!("{other:?}"),
    };
    format!("{}.{}:{operation}", command.client, command.sequence)
}
