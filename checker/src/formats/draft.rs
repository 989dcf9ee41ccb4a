//! What a reader builds up: events in the order of the file, the lines they stand on, and notes.

use super::{
    budget::Budget,
    fault::{Fault, newlines},
};
use crate::history::{Event, Header};

/// A history while it is read.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// Present only in our own files.
    pub(super) header: Option<Header>,
    pub(super) events: Vec<Event>,
    /// The line of each event.
    pub(super) lines: Vec<u32>,
    /// What was left out or changed, in words.
    pub(super) notes: Vec<String>,
    /// How many events had times before the event above them.
    times_raised: usize,
    pub(super) budget: Budget,
    bytes: &'a [u8],
    counted_to: usize,
    line: u32,
}

impl<'a> Draft<'a> {
    pub(super) fn new(bytes: &'a [u8], budget: Budget) -> Self {
        Self {
            header: None,
            events: Vec::new(),
            lines: Vec::new(),
            notes: Vec::new(),
            times_raised: 0,
            budget,
            bytes,
            counted_to: 0,
            line: 1,
        }
    }

    /// The line of a place; places may only go forward.
    pub(super) fn line_of(&mut self, offset: usize) -> u32 {
        let passed = &self.bytes[self.counted_to..offset];
        let newlines = newlines(passed);
        self.line = self.line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        self.counted_to = offset;
        self.line
    }

    /// Adds the event that stands at `offset`. Its order is that of the file; a time before the last event's
    /// is raised to it, and a missing one is the next nanosecond.
    pub(super) fn push(&mut self, offset: usize, mut event: Event, time: Option<u64>) -> Result<(), Fault> {
        let last = self.events.last().map(|event| event.time);
        event.time = match (time, last) {
            (Some(time), Some(last)) if time < last => {
                self.times_raised += 1;
                last
            }
            (Some(time), _) => time,
            (None, Some(last)) => last.saturating_add(1),
            (None, None) => 0,
        };
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

    /// Adds a note about `count` things, unless there are none.
    pub(super) fn count_note(&mut self, count: usize, one: &str, many: &str) {
        match count {
            0 => {}
            1 => self.notes.push(format!("1 {one}")),
            _ => self.notes.push(format!("{count} {many}")),
        }
    }

    pub(super) fn note_raised_times(&mut self) {
        let raised = self.times_raised;
        self.count_note(
            raised,
            "time lay before that of the event above it and was raised to it: the order of the file counts",
            "times lay before those of the events above them and were raised to them: the order of the file counts",
        );
    }
}

/// Grows by a quarter instead of doubling, so that memory stays near what the events need.
fn grow<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        items.reserve_exact((items.len() / 4).max(64));
    }
}
