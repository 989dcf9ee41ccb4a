//! Settles the order of events: that of the file, or that of their times or indexes where these differ.
//!
//! Most tools write events as they happen, and take the time a little before, so that times may go back by a little.
//! Some write one operation after the other, or one client's after the other's, with true times or indexes. Only then
//! times are used, if every event has one and each process's events are in order, and else indexes.

use super::{draft::Draft, fault::Fault, intervals};
use history::{Event, Kind, Process};
use rustc_hash::FxHashMap;
use std::fmt;

/// What the order of the events is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The order in which the file has them.
    #[default]
    File,
    /// Their times, which the order of the file contradicts.
    Times,
    /// Their indexes, which the order of the file contradicts.
    Indexes,
    /// Each session's own: the file says nothing of real time between sessions.
    Sessions,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "that of the file",
            Self::Times => "that of their times",
            Self::Indexes => "that of their indexes",
            Self::Sessions => "that of each session",
        })
    }
}

/// Orders the events of a draft by their times or indexes where the order of the file contradicts them.
pub(super) fn settle(draft: &mut Draft<'_>) -> Result<(), Fault> {
    let timed = draft.timed.len() == draft.events.len() && draft.timed.iter().all(|timed| *timed);
    let written_by_operation = side_by_side(draft) || one_after_another(draft);
    if draft.times_go_back && timed && written_by_operation && rises(draft, |event| draft.events[event].time)
    {
        intervals::settle(draft)?;
        draft.order = Order::Times;
        draft.notes.push(
            "the order of events is that of their times, which the order of the file contradicts".to_owned(),
        );
        return Ok(());
    }
    if !draft.timed.contains(&true) && by_indexes(draft) {
        draft.order = Order::Indexes;
        draft.notes.push(
            "the order of events is that of their indexes, which the order of the file contradicts"
                .to_owned(),
        );
    }
    if draft.times_go_back {
        // A time that was bent to fit would be a false one, so that events are counted instead.
        (0..).zip(&mut draft.events).for_each(|(number, event)| event.time = number);
        draft.notes.push(
            "the order of events is that of the file, and their times are left out, because some go back"
                .to_owned(),
        );
    }
    Ok(())
}

/// Whether each completion stands right behind its invocation, as no order of overlapping events would have it.
fn side_by_side(draft: &Draft<'_>) -> bool {
    let follows = |pair: &[Event]| pair[0].process == pair[1].process && pair[0].kind == Kind::Invoke;
    let first_invokes = draft.events.first().is_some_and(|event| event.kind == Kind::Invoke);
    first_invokes && draft.events.windows(2).all(|pair| pair[1].kind == Kind::Invoke || follows(pair))
}

/// Whether times go back so far that what follows is another client's file.
fn one_after_another(draft: &Draft<'_>) -> bool {
    let times = || draft.events.iter().map(|event| event.time);
    let span = times().max().unwrap_or(0) - times().min().unwrap_or(0);
    let fall = draft.events.windows(2).map(|pair| pair[0].time.saturating_sub(pair[1].time)).max();
    draft.indexes.is_empty() && fall > Some(span / FAR)
}

/// The part of the whole time that is far.
const FAR: u64 = 10;

/// Whether something never goes down within any process.
fn rises(draft: &Draft<'_>, of: impl Fn(usize) -> u64) -> bool {
    let mut last: FxHashMap<Process, u64> = FxHashMap::default();
    draft.events.iter().enumerate().all(|(index, event)| {
        let now = of(index);
        last.insert(event.process, now).unwrap_or(0) <= now
    })
}

/// Orders the events by the indexes that the file gives them, if all have one, and the file has another order.
fn by_indexes(draft: &mut Draft<'_>) -> bool {
    let indexes = std::mem::take(&mut draft.indexes);
    if indexes.len() != draft.events.len() || indexes.is_sorted() || !rises(draft, |event| indexes[event]) {
        return false;
    }
    let mut order: Vec<usize> = (0..indexes.len()).collect();
    order.sort_by_key(|&event| indexes[event]);
    if order.windows(2).any(|pair| indexes[pair[0]] == indexes[pair[1]]) {
        return false;
    }
    draft.events = order.iter().map(|&event| draft.events[event].clone()).collect();
    draft.lines = order.iter().map(|&event| draft.lines[event]).collect();
    (0..).zip(&mut draft.events).for_each(|(number, event)| event.time = number);
    true
}
