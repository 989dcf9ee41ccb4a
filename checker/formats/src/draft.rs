//! What a reader builds up: events in the order of the file, the lines they stand on, and notes.

use super::order::Order;
use super::stamp::Stamp;
use super::{
    Ties,
    budget::Budget,
    clients::{Clients, Who},
    fault::{Fault, newlines},
};
use history::{Converted, Event, Header, RegisterTransactions};
use serde_json::Value;

/// An event with what the file says of its place.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) event: Event,
    pub(super) time: Stamp,
    pub(super) index: Option<u64>,
    pub(super) who: Who,
    /// Whether its key, if it has one, is a text.
    pub(super) text_key: bool,
}

/// What is missing at the end of a file.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Whether the file ends inside an event.
    pub(super) unfinished: bool,
    /// Whether the last line has no end, so that it may be cut inside a value.
    pub(super) open: bool,
    /// Whether operations that began before the end may be missing.
    pub(super) hides: bool,
}

/// A history while it is read.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// Present only in our own files.
    pub(super) header: Option<Header>,
    /// What a table of ours says of the file that it was converted from.
    pub(super) converted: Option<Converted>,
    /// The state before the history that a table of ours says.
    pub(super) initial: Option<Value>,
    pub(super) events: Vec<Event>,
    /// The transactions of a file that has sessions of them, and no events.
    pub(super) transactions: RegisterTransactions,
    /// The line of each event.
    pub(super) lines: Vec<u32>,
    /// What was left out or changed, in words.
    pub(super) notes: Vec<String>,
    /// What the verdict leaves out, a clause each; it becomes part of the verdict's sentence.
    pub(super) unjudged: Vec<String>,
    /// What is missing at the end of the file.
    pub(super) end: End,
    /// The client of a file that has the operations of one client, and may lack those of others.
    pub(super) lone_client: Option<u64>,
    /// Processes with a name, or without one.
    pub(super) clients: Clients,
    /// Whether an event has a time before that of an event above it.
    pub(super) times_go_back: bool,
    /// Times that are no whole nanoseconds, by event.
    pub(super) odd_times: Vec<(usize, i128)>,
    /// The line of the first time that cannot be read.
    pub(super) unreadable_time: Option<u32>,
    /// How processes that go on at one time are ordered, and whether that made a difference.
    pub(super) ties: Ties,
    pub(super) ties_chosen: bool,
    /// By event: whether its key is a text, if it has one.
    pub(super) text_keys: Vec<bool>,
    /// Invocations that were added, by event.
    pub(super) added: Vec<usize>,
    /// By event: whether it has a time of its own.
    pub(super) timed: Vec<bool>,
    /// By event: the index that the file gives it; empty where an event has none.
    pub(super) indexes: Vec<u64>,
    /// What the order of the events is taken from.
    pub(super) order: Order,
    pub(super) budget: Budget,
    bytes: &'a [u8],
    counted_to: usize,
    line: u32,
}

impl<'a> Draft<'a> {
    pub(super) fn new(bytes: &'a [u8], budget: Budget) -> Self {
        Self {
            header: None,
            converted: None,
            initial: None,
            events: Vec::new(),
            transactions: RegisterTransactions::default(),
            lines: Vec::new(),
            notes: Vec::new(),
            unjudged: Vec::new(),
            end: End::default(),
            lone_client: None,
            clients: Clients::default(),
            times_go_back: false,
            odd_times: Vec::new(),
            unreadable_time: None,
            ties: Ties::default(),
            ties_chosen: false,
            text_keys: Vec::new(),
            added: Vec::new(),
            timed: Vec::new(),
            indexes: Vec::new(),
            order: Order::File,
            budget,
            bytes,
            counted_to: 0,
            line: 1,
        }
    }

    /// The line of a byte offset; offsets only grow from call to call.
    pub(super) fn line_of(&mut self, offset: usize) -> u32 {
        let passed = &self.bytes[self.counted_to..offset];
        let newlines = newlines(passed);
        self.line = self.line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        self.counted_to = offset;
        self.line
    }

    /// Adds the event of a process that stands at `offset`. One without a time gets the next nanosecond; the order of
    /// times is [settled](super::order::settle) at the end.
    pub(super) fn push(&mut self, offset: usize, placed: Placed) -> Result<(), Fault> {
        let Placed { mut event, time, index, who, text_key } = placed;
        self.text_keys.push(text_key);
        if self.indexes.len() == self.events.len() {
            self.indexes.extend(index);
        }
        let last = self.events.last().map(|event| event.time);
        let time = match time {
            Stamp::Nanoseconds(time) => Some(time),
            Stamp::Other(stamp) => {
                self.odd_times.push((self.events.len(), stamp));
                None
            }
            Stamp::Unreadable => {
                let line = self.line_of(offset);
                self.unreadable_time.get_or_insert(line);
                None
            }
            Stamp::Missing => None,
        };
        self.timed.push(time.is_some());
        self.times_go_back |= time < last && time.is_some();
        event.time = time.unwrap_or_else(|| last.map_or(0, |last| last.saturating_add(1)));
        event.process = self.clients.process(who);
        self.push_as_is(offset, event)
    }

    /// Adds the event that stands at `offset` with the time it has.
    pub(super) fn push_as_is(&mut self, offset: usize, event: Event) -> Result<(), Fault> {
        self.budget.spend_event(offset, &event)?;
        let line = self.line_of(offset);
        grow(&mut self.events);
        grow(&mut self.lines);
        self.events.push(event);
        self.lines.push(line);
        Ok(())
    }

    /// Notes that the file ends inside an event.
    pub(super) fn note_cut(&mut self) {
        self.end.unfinished = true;
        self.notes
            .push("the file ends inside an event, which is left out: the history is unfinished".to_owned());
    }

    /// Notes that the last line has no end, so that its last value may be cut off; it is left out.
    pub(super) fn note_open_end(&mut self) {
        self.end.unfinished = true;
        self.end.open = true;
        self.notes.push(
            "the last line has no line feed and may be cut off: what it says is left out, and the history is unfinished"
                .to_owned(),
        );
    }

    /// Adds a note about `count` things, unless there are none.
    pub(super) fn count_note(&mut self, count: usize, one: &str, many: &str) {
        match count {
            0 => {}
            1 => self.notes.push(format!("1 {one}")),
            _ => self.notes.push(format!("{count} {many}")),
        }
    }
}

/// Grows by a quarter instead of doubling, so that memory stays near what the events need.
fn grow<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        items.reserve_exact((items.len() / 4).max(64));
    }
}
