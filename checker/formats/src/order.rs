//! Settles the order of events: that of the file, or that of their times or indexes where these differ.
//!
//! Most tools write events as they happen, and take the time a little before, so that times may go back by a little.
//! Some write one operation after the other, or one client's after the other's, with true times or indexes. Indexes are used
//! where no times contradict them; times only in such files, if those of each process are in order.

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
    if by_indexes(draft) {
        draft.order = Order::Indexes;
        draft.notes.push(
            "the order of events is that of their indexes, which the order of the file contradicts"
                .to_owned(),
        );
    }
    let indexed = draft.order == Order::Indexes;
    let side_by_side = side_by_side(draft);
    if let Some(line) = draft.unreadable_time
        && side_by_side
        && !indexed
        && draft.events.iter().any(|event| event.process != draft.events[0].process)
    {
        return Err(Fault::line(
            line as usize,
            1,
            "this time is neither a number nor a date (RFC 3339), and the file is written operation by operation, which is \
             no order of events; write times as whole nanoseconds, or leave :time out if each operation ended before the \
             next began",
        ));
    }
    let written_by_operation = side_by_side || one_after_another(draft);
    if draft.times_go_back && !indexed && written_by_operation && fill_times(draft) {
        intervals::settle(draft, false)?;
        draft.order = Order::Times;
        draft.notes.push(
            "the order of events is that of their times, which the order of the file contradicts".to_owned(),
        );
        return Ok(());
    }
    if draft.times_go_back && !indexed {
        // A time that was bent to fit would be a false one, so that events are counted instead.
        count_events(draft);
        draft.notes.push(
            "the order of events is that of the file, and their times are left out, because some go back"
                .to_owned(),
        );
    }
    Ok(())
}

/// Gives events without a time the widest one: an invocation that of its process's event before it, a completion that of
/// the one behind it. Returns whether all times rise within each process.
fn fill_times(draft: &mut Draft<'_>) -> bool {
    if draft.timed.len() != draft.events.len()
        || !rises(draft, |event| draft.timed[event].then(|| draft.events[event].time))
    {
        return false;
    }
    let missing = draft.timed.iter().filter(|timed| !**timed).count();
    if missing == 0 {
        return true;
    }
    let times =
        || draft.events.iter().zip(&draft.timed).filter(|(_, timed)| **timed).map(|(event, _)| event.time);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return false };
    let mut before: FxHashMap<Process, u64> = FxHashMap::default();
    for (event, timed) in draft.events.iter_mut().zip(&draft.timed) {
        if *timed {
            before.insert(event.process, event.time);
        } else if event.kind == Kind::Invoke {
            event.time = before.get(&event.process).copied().unwrap_or(first);
        }
    }
    let mut behind: FxHashMap<Process, u64> = FxHashMap::default();
    for (event, timed) in draft.events.iter_mut().zip(&draft.timed).rev() {
        if *timed {
            behind.insert(event.process, event.time);
        } else if event.kind != Kind::Invoke {
            event.time = behind.get(&event.process).copied().unwrap_or(last);
        }
    }
    draft
        .unjudged
        .push(format!("the order of {missing} events without a time beside those of other processes"));
    true
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

/// Whether something, where an event has it, never goes down within any process.
fn rises(draft: &Draft<'_>, of: impl Fn(usize) -> Option<u64>) -> bool {
    let mut last: FxHashMap<Process, u64> = FxHashMap::default();
    draft.events.iter().enumerate().all(|(index, event)| match of(index) {
        Some(now) => last.insert(event.process, now).unwrap_or(0) <= now,
        None => true,
    })
}

/// Orders the events by the indexes that the file gives them, if all have one, the file has another order, and no times
/// contradict that of the indexes.
fn by_indexes(draft: &mut Draft<'_>) -> bool {
    let indexes = &draft.indexes;
    if indexes.len() != draft.events.len()
        || indexes.is_sorted()
        || !rises(draft, |event| indexes.get(event).copied())
    {
        return false;
    }
    let mut order: Vec<usize> = (0..indexes.len()).collect();
    order.sort_by_key(|&event| indexes[event]);
    if order.windows(2).any(|pair| indexes[pair[0]] == indexes[pair[1]]) {
        return false;
    }
    let has_time = |event: &&usize| draft.timed.get(**event).copied().unwrap_or(false);
    let times = order.iter().filter(has_time).map(|&event| draft.events[event].time);
    if !times.is_sorted() {
        return false;
    }
    let all_timed = draft.timed.len() == draft.events.len() && draft.timed.iter().all(|timed| *timed);
    draft.events = order.iter().map(|&event| draft.events[event].clone()).collect();
    draft.lines = order.iter().map(|&event| draft.lines[event]).collect();
    if !all_timed {
        count_events(draft);
    }
    true
}

/// Gives each event its number as its time.
fn count_events(draft: &mut Draft<'_>) {
    (0..).zip(&mut draft.events).for_each(|(number, event)| event.time = number);
}
