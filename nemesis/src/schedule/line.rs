//! `schedule.jsonl`: one line for each point of a fault and each message between nodes.

use super::cues::{Cue, Moment};
use super::order::Entry;
use super::window::{Holding, Op, Window};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The version of the format.
const FORMAT: u32 = 1;
/// More clients than any load has; a damaged number must not reserve memory for them.
const CLIENTS_MAX: u32 = 1_000_000;
/// Nanoseconds after the last completion from which on nodes exchange nothing for it any more.
const IDLE: u64 = 3_000_000;
/// A hash belongs to the background if at least one in this many of its messages came while clients were idle.
const BACKGROUND: u64 = 10;

/// The first line: what was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// The version of the format.
    pub schedule: u32,
    /// The version of the bench.
    pub bench: String,
    /// The program of the nodes, in words by which another version is noticed.
    pub program: String,
    /// The network mode.
    pub network: String,
    /// The nodes.
    pub nodes: Vec<String>,
    /// How many syncs the disk of each node had during the load, as far as the disks are in memory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub syncs: BTreeMap<String, u64>,
}

impl Header {
    /// The first line of a run in this version.
    pub fn new(program: String, network: String, nodes: Vec<String>) -> Self {
        let bench = env!("CARGO_PKG_VERSION").to_owned();
        Self { schedule: FORMAT, bench, program, network, nodes, syncs: BTreeMap::new() }
    }
}

/// The beginning or end of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct FaultLine {
    /// Its number in the plan.
    pub(super) fault: u32,
    pub(super) moment: Moment,
    /// In words.
    pub(super) label: String,
    /// Nanoseconds since the start of the load.
    pub(super) at: u64,
    /// Operations that clients had invoked.
    pub(super) invoked: u64,
    /// Operations that had completed.
    pub(super) completed: u64,
    /// Nanoseconds since the last of the invocations.
    pub(super) since: u64,
    /// Nanoseconds since the last of that invocation and all messages.
    pub(super) gap: u64,
    /// Messages on each link since the invocation; links without one are left out.
    pub(super) messages: BTreeMap<String, u64>,
    /// The nodes that it hit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) nodes: Vec<String>,
    /// What it did, with the syncs that it held and the clocks that it shifted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) evidence: Vec<String>,
}

/// A message from node to node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct MessageLine {
    /// Nanoseconds since the start of the load.
    pub(super) at: u64,
    /// `n1>n2`.
    pub(super) link: String,
    pub(super) bytes: u32,
    /// The hash of what does not vary, in hexadecimal digits.
    pub(super) hash: String,
}

/// An event of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct TurnLine {
    /// Nanoseconds since the start of the load.
    pub(super) at: u64,
    pub(super) client: u32,
    pub(super) turn: Turn,
}

impl MessageLine {
    fn hash(&self) -> u64 {
        u64::from_str_radix(&self.hash, 16).expect("it was checked when it was read")
    }
}

/// Messages and turns that were not recorded, because there were too many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct CutLine {
    pub(super) unrecorded: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Fault(FaultLine),
    Message(MessageLine),
    Turn(TurnLine),
    Cut(CutLine),
}

/// What a client did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Turn {
    /// It invoked an operation.
    Invoked,
    /// An operation completed.
    Completed,
}

/// A recorded schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// What was run.
    pub header: Header,
    pub(super) faults: Vec<FaultLine>,
    pub(super) messages: Vec<MessageLine>,
    pub(super) turns: Vec<TurnLine>,
    pub(super) unrecorded: u64,
}

/// An error in a file, with the number of its line.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ScheduleError {
    line: usize,
    what: String,
}

impl ScheduleError {
    /// The number of the line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// What is wrong with it.
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl Schedule {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// At the first line that is not as this version writes it.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let wrong = |line: usize, what: String| ScheduleError { line, what };
        let mut lines = text.lines().enumerate();
        let first = lines.next().ok_or_else(|| wrong(1, "the file is empty".to_owned()))?.1;
        let header: Header = serde_json::from_str(first)
            .map_err(|error| wrong(1, format!("this is no first line of a schedule: {error}")))?;
        if header.schedule != FORMAT {
            let what =
                format!("the format is version {}; this bench reads version {FORMAT}", header.schedule);
            return Err(wrong(1, what));
        }
        let (mut faults, mut messages, mut turns) = (Vec::new(), Vec::new(), Vec::new());
        let mut unrecorded = 0;
        for (index, line) in lines {
            let known = |name: &str| header.nodes.iter().any(|node| node == name);
            let is_link =
                |link: &str| link.split_once('>').is_some_and(|(from, to)| known(from) && known(to));
            let stranger =
                |link: &str| wrong(index + 1, format!("`{link}` is no link between nodes of the first line"));
            match serde_json::from_str(line) {
                Ok(Line::Fault(fault)) => {
                    if let Some(link) = fault.messages.keys().find(|link| !is_link(link)) {
                        return Err(stranger(link));
                    }
                    if fault.since > fault.at {
                        return Err(wrong(index + 1, "`since` is longer than `at`".to_owned()));
                    }
                    faults.push(fault);
                }
                Ok(Line::Message(message)) => {
                    if !is_link(&message.link) {
                        return Err(stranger(&message.link));
                    }
                    if u64::from_str_radix(&message.hash, 16).is_err() {
                        return Err(wrong(index + 1, format!("`{}` is no hash", message.hash)));
                    }
                    messages.push(message);
                }
                Ok(Line::Turn(turn)) if turn.client >= CLIENTS_MAX => {
                    return Err(wrong(index + 1, format!("there is no client {}", turn.client)));
                }
                Ok(Line::Turn(turn)) => turns.push(turn),
                Ok(Line::Cut(cut)) => unrecorded = cut.unrecorded,
                Err(_) => {
                    let what = "this is no point of a fault, no message and no turn of a client".to_owned();
                    return Err(wrong(index + 1, what));
                }
            }
        }
        Ok(Self { header, faults, messages, turns, unrecorded })
    }

    /// The text of the file.
    ///
    /// # Panics
    /// Never: its values can be written as JSON.
    pub fn to_text(&self) -> String {
        let json = |line: &Line| serde_json::to_string(line).expect("lines are plain values");
        let mut text = serde_json::to_string(&self.header).expect("a header is a plain value");
        text.push('\n');
        let faults = self.faults.iter().map(|fault| (fault.at, Line::Fault(fault.clone())));
        let messages = self.messages.iter().map(|message| (message.at, Line::Message(message.clone())));
        let turns = self.turns.iter().map(|turn| (turn.at, Line::Turn(*turn)));
        let mut lines: Vec<(u64, Line)> = faults.chain(turns).chain(messages).collect();
        lines.sort_by_key(|(at, _)| *at);
        for (_, line) in &lines {
            let _ = writeln!(text, "{}", json(line));
        }
        if self.unrecorded > 0 {
            let _ = writeln!(text, "{}", json(&Line::Cut(CutLine { unrecorded: self.unrecorded })));
        }
        text
    }

    /// The recorded messages in the order of time: nanoseconds since the start of the load, sender, receiver and bytes.
    pub fn exchanges(&self) -> impl Iterator<Item = (u64, &str, &str, u32)> {
        self.messages.iter().filter_map(|message| {
            let (from, to) = message.link.split_once('>')?;
            Some((message.at, from, to, message.bytes))
        })
    }

    /// The points of faults in the order of time: nanoseconds since the start of the load, which point, and its label.
    pub fn points(&self) -> impl Iterator<Item = (u64, Moment, &str)> {
        self.faults.iter().map(|fault| (fault.at, fault.moment, fault.label.as_str()))
    }

    /// Number of recorded points of faults.
    pub fn faults(&self) -> usize {
        self.faults.len()
    }

    /// Number of recorded turns of clients.
    pub fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Number of recorded messages.
    pub fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Number of messages and turns that were not recorded, because there were too many.
    pub fn unrecorded(&self) -> u64 {
        self.unrecorded
    }

    /// Completions just before a fault that a holding moves to the fault, by the number of the turn, with the time of the fault.
    ///
    /// Their requests wait for every invocation before the fault, so none of these may wait for them.
    fn moved(&self, holding: Holding) -> BTreeMap<usize, u64> {
        let mut held: BTreeMap<Op, u64> = BTreeMap::new();
        for line in self.faults.iter().filter(|line| line.moment == Moment::Start) {
            let window = Window::at(&self.turns, line.at).under(holding, &self.turns, line.at);
            held.extend(window.ops.iter().filter(|(_, op)| !op.open).map(|(op, _)| (*op, line.at)));
        }
        let mut invoked: BTreeMap<u32, u64> = BTreeMap::new();
        let mut moved = BTreeMap::new();
        for (index, turn) in self.turns.iter().enumerate() {
            let number = invoked.entry(turn.client).or_default();
            match turn.turn {
                Turn::Invoked => *number += 1,
                Turn::Completed => moved.extend(held.get(&(turn.client, *number)).map(|at| (index, *at))),
            }
        }
        moved
    }

    /// The order of turns, of messages, or of both: lanes below `links` are links, numbered by `link`; then come two for each
    /// client.
    pub(super) fn order(
        &self,
        (with_turns, with_messages, holding): (bool, bool, Holding),
        links: usize,
        link: impl Fn(&str) -> Option<usize>,
    ) -> Vec<Entry> {
        let moved = self.moved(holding);
        let turn = |(index, line): (usize, &TurnLine)| {
            let at = moved.get(&index).map_or(line.at, |at| line.at.max(*at));
            (at, Entry { lane: lane(links, line.client, line.turn), hash: 0 })
        };
        let message =
            |line: &MessageLine| Some((line.at, Entry { lane: link(&line.link)?, hash: line.hash() }));
        let turns = self.turns.iter().enumerate().filter(|_| with_turns).map(turn);
        let background = self.background();
        let messages =
            self.messages.iter().filter(|line| with_messages && !background.contains(&line.hash()));
        let messages = messages.filter_map(message);
        let mut entries: Vec<(u64, Entry)> = turns.chain(messages).collect();
        entries.sort_by_key(|(at, _)| *at);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    /// The hashes of messages that nodes exchange whether or not clients do anything, such as heartbeats.
    ///
    /// They come at times of their own, so they are neither counted nor ordered. A hash is one of them if a share of
    /// [`BACKGROUND`] of its messages came while no operation was open, and none had completed for [`IDLE`].
    pub(super) fn background(&self) -> BTreeSet<u64> {
        let mut seen: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        let (mut open, mut idle_from) = (0_u64, 0);
        let mut turns = self.turns.iter().peekable();
        for message in &self.messages {
            while let Some(turn) = turns.next_if(|turn| turn.at <= message.at) {
                open = if turn.turn == Turn::Invoked { open + 1 } else { open.saturating_sub(1) };
                idle_from = turn.at + IDLE;
            }
            let (idle, all) = seen.entry(message.hash()).or_default();
            *idle += u64::from(open == 0 && message.at >= idle_from);
            *all += 1;
        }
        let background = seen.into_iter().filter(|(_, (idle, all))| idle * BACKGROUND >= *all);
        background.map(|(hash, _)| hash).collect()
    }

    /// The points of its faults, with what a holding holds around them; `link` numbers the links, of which there are `links`.
    pub(super) fn cues(
        &self,
        holding: Holding,
        links: usize,
        link: impl Fn(&str) -> Option<usize>,
    ) -> Vec<Cue> {
        let nodes = &self.header.nodes;
        let numbered = |name: &String| nodes.iter().position(|node| node == name);
        let background = self.background();
        let foreground: Vec<&MessageLine> =
            self.messages.iter().filter(|line| !background.contains(&line.hash())).collect();
        let cue = |line: &FaultLine| {
            let mut messages = vec![0; links];
            let anchor = line.at - line.since;
            let between = foreground.partition_point(|message| message.at <= anchor)
                ..foreground.partition_point(|message| message.at <= line.at);
            let mut last = anchor;
            for message in &foreground[between] {
                if let Some(link) = link(&message.link) {
                    messages[link] += 1;
                    last = message.at;
                }
            }
            // An end comes at its point, whatever its beginning held.
            let holding = if line.moment == Moment::Start { holding } else { Holding::Point };
            Cue {
                fault: line.fault,
                moment: line.moment,
                at: line.at,
                invoked: line.invoked,
                since: line.since,
                gap: line.at - last,
                messages,
                nodes: line.nodes.iter().filter_map(numbered).collect(),
                window: Window::at(&self.turns, line.at).under(holding, &self.turns, line.at),
            }
        };
        self.faults.iter().map(cue).collect()
    }
}

/// The lane of what a client does, behind those of the links.
pub(super) fn lane(links: usize, client: u32, turn: Turn) -> usize {
    links + client as usize * 2 + usize::from(turn == Turn::Completed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> Schedule {
        let nodes = vec!["n1".to_owned(), "n2".to_owned()];
        let message =
            |at, link: &str| MessageLine { at, link: link.to_owned(), bytes: 7, hash: "9f".to_owned() };
        let fault = FaultLine {
            fault: 1,
            moment: Moment::Start,
            label: "kill n1".to_owned(),
            at: 20,
            invoked: 3,
            completed: 2,
            since: 4,
            gap: 1,
            messages: [("n1>n2".to_owned(), 2)].into(),
            nodes: vec!["n1".to_owned()],
            evidence: vec!["pid 7 ended by signal 9".to_owned()],
        };
        Schedule {
            header: Header {
                syncs: [("n1".to_owned(), 7)].into(),
                ..Header::new("own".to_owned(), "lab".to_owned(), nodes)
            },
            faults: vec![fault],
            messages: vec![message(10, "n1>n2"), message(30, "n2>n1")],
            turns: vec![TurnLine { at: 5, client: 1, turn: Turn::Invoked }],
            unrecorded: 5,
        }
    }

    #[test]
    fn file_round_trips_in_order_of_time() {
        let text = schedule().to_text();
        assert_eq!(Schedule::parse(&text).unwrap(), schedule());
        let second = text.lines().nth(3).unwrap();
        assert_eq!(
            second,
            r#"{"fault":1,"moment":"start","label":"kill n1","at":20,"invoked":3,"completed":2,"since":4,"gap":1,"messages":{"n1>n2":2},"nodes":["n1"],"evidence":["pid 7 ended by signal 9"]}"#
        );
    }

    #[test]
    fn order_is_that_of_times() {
        let link = |name: &str| Some(usize::from(name == "n2>n1"));
        let lanes = |with| schedule().order(with, 2, link).iter().map(|one| one.lane).collect::<Vec<_>>();
        assert_eq!(lanes((true, true, Holding::Point)), [4, 0, 1]);
        assert_eq!(lanes((true, false, Holding::Point)), [4]);
        assert_eq!(lanes((false, true, Holding::Point)), [0, 1]);
    }

    #[test]
    fn held_request_keeps_no_invocation_waiting() {
        let turn = |at, client, turn| TurnLine { at, client, turn };
        let turns = vec![turn(5, 1, Turn::Invoked), turn(8, 1, Turn::Completed), turn(12, 2, Turn::Invoked)];
        let schedule = Schedule { turns, ..schedule() };
        let lanes = |holding| {
            let order = schedule.order((true, false, holding), 2, |_| None);
            order.iter().map(|one| one.lane).collect::<Vec<_>>()
        };
        assert_eq!(lanes(Holding::Point), [4, 5, 6]);
        assert_eq!(lanes(Holding::Answers), [4, 6, 5], "the completion comes with the fault at 20");
    }

    #[test]
    fn heartbeats_are_background() {
        let turn = |at, turn| TurnLine { at, client: 0, turn };
        let message = |at, hash: &str| MessageLine { at, link: "n1>n2".into(), bytes: 7, hash: hash.into() };
        let turns = vec![turn(10, Turn::Invoked), turn(20, Turn::Completed)];
        let messages = vec![message(12, "a"), message(15, "b"), message(21, "a"), message(30 + IDLE, "b")];
        let background = Schedule { messages, turns, ..schedule() }.background();
        assert_eq!(background.into_iter().collect::<Vec<_>>(), [0xb]);
    }

    #[test]
    fn damaged_line_is_named_by_number() {
        let text = schedule().to_text();
        let damaged =
            |from: &str, to: &str| Schedule::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert_eq!(
            damaged("\"at\":30", "\"at\":x"),
            "line 5: this is no point of a fault, no message and no turn of a client"
        );
        assert_eq!(damaged("n2>n1", "n2>n9"), "line 5: `n2>n9` is no link between nodes of the first line");
        assert_eq!(damaged("\"9f\"", "\"zz\""), "line 3: `zz` is no hash");
        assert_eq!(damaged("\"since\":4", "\"since\":21"), "line 4: `since` is longer than `at`");
        assert_eq!(damaged("\"client\":1", "\"client\":1000000"), "line 2: there is no client 1000000");
        assert_eq!(
            damaged("\"schedule\":1", "\"schedule\":7"),
            "line 1: the format is version 7; this bench reads version 1"
        );
        assert_eq!(Schedule::parse("").unwrap_err().to_string(), "line 1: the file is empty");
    }
}
