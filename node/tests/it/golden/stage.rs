//! The stage of a golden script: the cores of some nodes, and the visible messages between them.
//!
//! The stage is a shell like the driver and the simulator. Its disk is instantaneous, and its network delivers
//! the messages that the script selects.

#![allow(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]

use goldenscript::{Command as Line, Context, Runner};
use node::config::{Backoff, BackoffKind, Leadership, Member, NodeConfig, PaxosOptions, Read, Role};
use node::core::{Core, Input, Notice, Output, Reply, Saved, joined, known_roster};
use node::log::{LogEvent, LogOrder, Recovered};
use node::paxos::membership::{Change, Membership, Roster};
use node::paxos::message::{Ballot, Command, Decided, Message, NodeId, PValue};
use node::paxos::packet::Packet;
use node::paxos::step::Record;
use node::store::{Answer, Operation};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

/// A node: its core, and the last `Dial` of that.
struct Node {
    core: Core<String>,
    greeting: Option<Message>,
    others: BTreeMap<NodeId, String>,
}

/// A message on its way, with the greeting of its sender.
struct Flight {
    from: String,
    to: String,
    greeting: Option<Message>,
    message: Message,
}

/// Nodes, messages on their way, and the time.
#[derive(Default)]
pub(super) struct Stage {
    options: PaxosOptions,
    members: Vec<Member>,
    nodes: BTreeMap<String, Node>,
    /// The nodes in the order in which the script named them.
    names: Vec<String>,
    flights: Vec<Flight>,
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

/// The roles of a node, by the first letter of its name; `n` is a replica with a leader.
fn roles_of(name: &str) -> &'static [Role] {
    match name.chars().next() {
        Some('r') => &[Role::Replica],
        Some('l') => &[Role::Leader],
        Some('n') => &[Role::Replica, Role::Leader],
        Some(_) | None => &[Role::Acceptor],
    }
}

fn member(name: &str) -> Member {
    let roles = roles_of(name).iter().copied().collect();
    Member { name: name.to_owned(), address: ([127, 0, 0, 1], 1).into(), roles }
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
        for (letter, key, count) in
            [("n", "pairs", 0), ("r", "replicas", 1), ("l", "leaders", 1), ("a", "acceptors", 1)]
        {
            let count = arguments.take_key(key).map_or(Ok(count), str::parse::<u8>)?;
            members.extend((1..=count).map(|number| member(&format!("{letter}{number}"))));
        }
        arguments.reject_next()?;
        *self = Self { options, members, ..Self::default() };
        for Member { name, .. } in self.members.clone() {
            let config = self.config(&name, false);
            let roster = known_roster(&config, &Recovered::default(), None)?.unwrap();
            self.start(config, &roster, &mut String::new());
        }
        Ok(())
    }

    fn config(&self, name: &str, join: bool) -> NodeConfig {
        NodeConfig {
            name: name.to_owned(),
            listen: ([127, 0, 0, 1], 1).into(),
            enclosed: false,
            secret: None,
            data: name.into(),
            clock: None,
            trace: None,
            seed: 1,
            members: self.members.clone(),
            routes: BTreeMap::new(),
            join,
            join_after: None,
            hosts: Vec::new(),
            paxos: self.options.clone(),
        }
    }

    fn start(&mut self, config: NodeConfig, roster: &Roster, output: &mut String) {
        let (name, mut outputs) = (config.name.clone(), Vec::new());
        let core = Core::new(config, roster, 1, (Recovered::default(), 0), &mut outputs);
        self.names.push(name.clone());
        self.nodes.insert(name.clone(), Node { core, greeting: None, others: BTreeMap::new() });
        self.carry_out(&name, outputs, &|_| true, output);
        self.turn(&name, Vec::new(), &|_| true, output);
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
        change.add.extend(arguments.take_key("add").map(member));
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
        if !self.nodes.contains_key(replica) {
            return Err("no such replica".into());
        }
        let client = format!("{}.{}", command.client, command.sequence);
        self.turn(replica, vec![Input::Request { command, read: None, client }], &|_| true, output);
        Ok(())
    }

    /// `deliver`, `deliver from=l1 to=a1 kind=p1a`: delivers all matching messages in transit, in order.
    fn deliver(&mut self, line: &Line, output: &mut String) -> Result<(), Box<dyn Error>> {
        for Flight { from, to, greeting, message } in self.take(line)? {
            let _ = writeln!(output, "{from} → {to} {}", self.show(&message));
            let packets = greeting.into_iter().chain([message]).map(Packet::One).collect();
            let packets = Input::Packets { from: from.into(), packets };
            self.turn(&to, vec![packets], &|_| true, output);
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
        let (delivered, left) = std::mem::take(&mut self.flights).into_iter().partition(|flight| {
            is(&from, &flight.from) && is(&to, &flight.to) && is(&kind, kind_of(&flight.message))
        });
        self.flights = left;
        Ok(delivered)
    }

    fn set_time(&mut self, at: Option<&str>) -> Result<(), Box<dyn Error>> {
        if let Some(at) = at {
            self.now = Duration::from_millis(at.trim_end_matches("ms").parse()?);
        }
        Ok(())
    }

    /// `tick l1 r1 at=200ms`: sets the time, and these nodes act on it. The network loses progress reports.
    fn tick(&mut self, line: &Line, output: &mut String) -> Result<(), Box<dyn Error>> {
        let mut arguments = line.consume_args();
        self.set_time(arguments.take_key("at"))?;
        while let Some(name) = arguments.next_pos() {
            if !self.nodes.contains_key(name) {
                return Err(format!("there is no {name}").into());
            }
            let travels = |message: &Message| !matches!(message, Message::Progress { .. });
            self.turn(name, vec![Input::Tick], &travels, output);
        }
        Ok(())
    }

    /// `stored r1 at=200ms`: the node writes its applied slots and reports its progress.
    ///
    /// The network loses everything else.
    fn stored(&mut self, line: &Line, output: &mut String) -> Result<(), Box<dyn Error>> {
        let mut arguments = line.consume_args();
        self.set_time(arguments.take_key("at"))?;
        let name = arguments.next_pos().ok_or("stored REPLICA at=TIME")?;
        let travels = |message: &Message| matches!(message, Message::Progress { .. });
        self.turn(name, Vec::new(), &travels, output);
        self.turn(name, vec![Input::Tick], &travels, output);
        Ok(())
    }

    fn status(&self, output: &mut String) {
        for name in &self.names {
            let core = &self.nodes[name].core;
            if let Some(replica) = core.replica() {
                let _ =
                    writeln!(output, "{name} slot_in={} slot_out={}", replica.slot_in(), replica.slot_out());
            }
            if let Some(leader) = core.leader() {
                let _ = writeln!(
                    output,
                    "{name} round={} active={} preemptions={} adoptions={} backoff={:?}",
                    leader.round(),
                    leader.is_active(),
                    leader.preemptions,
                    leader.adoptions,
                    leader.backoff()
                );
            }
            if let Some(acceptor) = core.acceptor() {
                let promised = acceptor.promised().map_or("⊥".to_owned(), |ballot| self.ballot(ballot));
                let collected = acceptor.collected();
                let collected = if collected > 1 { format!(" collected={collected}") } else { String::new() };
                let _ = writeln!(output, "{name} promised={promised}{collected}");
            }
        }
    }

    /// One turn of a node: some inputs, then its end.
    ///
    /// Afterwards only messages that `travels` accepts are in transit.
    fn turn(
        &mut self,
        name: &str,
        inputs: Vec<Input<String>>,
        travels: &dyn Fn(&Message) -> bool,
        output: &mut String,
    ) {
        for input in inputs.into_iter().chain([Input::Flush]) {
            self.step(name, input, travels, output);
        }
    }

    fn step(
        &mut self,
        name: &str,
        input: Input<String>,
        travels: &dyn Fn(&Message) -> bool,
        output: &mut String,
    ) {
        let mut outputs = Vec::new();
        self.nodes.get_mut(name).unwrap().core.step(self.now, input, &mut outputs);
        self.carry_out(name, outputs, travels, output);
    }

    fn carry_out(
        &mut self,
        name: &str,
        outputs: Vec<Output<String>>,
        travels: &dyn Fn(&Message) -> bool,
        output: &mut String,
    ) {
        for it in outputs {
            let node = self.nodes.get_mut(name).unwrap();
            match it {
                Output::Send(to, message) => {
                    let (Some(to), true) = (node.others.get(&to).cloned(), travels(&message)) else {
                        continue;
                    };
                    let (from, greeting) = (name.to_owned(), node.greeting.clone());
                    let _ = writeln!(output, "  {name} → {to} {}", self.show(&message));
                    self.flights.push(Flight { from, to, greeting, message });
                }
                Output::Reply(client, Reply::Applied(answer, slot)) => {
                    let _ =
                        writeln!(output, "  {name} answers {client}: {} (slot {slot})", show_answer(answer));
                }
                Output::Reply(client, reply) => {
                    let _ = writeln!(output, "  {name} answers {client}: {reply:?}");
                }
                Output::Log(order) => {
                    let event = self.write(name, order, output);
                    self.step(name, Input::Log(event), travels, output);
                }
                Output::Snapshot { index, slot_out, payload } => {
                    let _ = writeln!(output, "  {name} saves a snapshot before slot {slot_out}");
                    let saved = Saved { index, slot_out, bytes: payload.len() as u64 };
                    self.step(name, Input::Saved(saved), travels, output);
                }
                Output::Dial { greeting, others } => {
                    node.greeting = Some(greeting);
                    node.others = others.into_iter().map(|it| (it.id, it.name.to_string())).collect();
                }
                Output::Notice(Notice::Members(membership)) => {
                    let _ = writeln!(output, "  {name} knows version {}", membership.version);
                    self.add_new(&membership, output);
                }
                Output::Notice(notice) => {
                    let _ = writeln!(output, "  {name} reports: {notice}");
                }
            }
        }
    }

    /// Executes an order to the log of a node.
    fn write(&self, name: &str, order: LogOrder, output: &mut String) -> LogEvent {
        match order {
            LogOrder::Append { number, batch, .. } => {
                for record in batch.records() {
                    let _ = writeln!(output, "  {name} saves {}", self.record(&record));
                }
                LogEvent::Synced { number, log_bytes: 0 }
            }
            LogOrder::Sync(number) => LogEvent::Synced { number, log_bytes: 0 },
            LogOrder::Rotate => LogEvent::Rotated(1),
            LogOrder::RemoveBefore(_) => LogEvent::Removed(0),
        }
    }

    /// Starts the missing nodes of a membership.
    fn add_new(&mut self, membership: &Membership, output: &mut String) {
        let names: Vec<_> = membership.nodes().map(|node| node.name.clone()).collect();
        for name in names.into_iter().filter(|name| !self.nodes.contains_key(name)).collect::<Vec<_>>() {
            let config = self.config(&name, true);
            let roster = joined(&config, membership.clone()).unwrap();
            self.start(config, &roster, output);
        }
    }

    fn name_of(&self, id: NodeId) -> String {
        let known = self.nodes.values().find_map(|node| node.core.membership().name_of(id));
        known.map_or_else(|| format!("#{}", id.0), str::to_owned)
    }

    fn ballot(&self, ballot: Ballot) -> String {
        format!("({},{})", ballot.round, self.name_of(ballot.leader))
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

fn show_answer(answer: Answer) -> String {
    match answer {
        Answer::Done => "done".to_owned(),
        Answer::Reconfigured { version, from } => format!("version {version} from slot {from} on"),
        Answer::Value(value) => value.map_or("absent".to_owned(), |value| format!("value {value}")),
        other => format!("{other:?}"),
    }
}
