//! Turns operations with two times into events in one order.
//!
//! Intervals are closed: at equal times invocations come before completions, so that such operations count as concurrent.

use super::{draft::Draft, fault::Fault, processes::Fresh};
use crate::history::{Event, Kind, Process};
use rustc_hash::FxHashMap;

/// One operation: its invocation, and its completion if there is one. Times are those of the events.
#[derive(Debug)]
pub(super) struct Interval {
    pub(super) line: u32,
    pub(super) begin: Event,
    pub(super) end: Option<Event>,
}

/// An end of an interval: time, whether it is the completion, and which interval.
type Edge = (u64, bool, usize);

/// Adds all events in the order of their times. A process that would be busy, or had ended, gets a new number.
pub(super) fn settle(draft: &mut Draft<'_>, mut intervals: Vec<Interval>) -> Result<(), Fault> {
    let mut edges: Vec<Edge> = Vec::with_capacity(intervals.len() * 2);
    for (place, interval) in intervals.iter().enumerate() {
        edges.push((interval.begin.time, false, place));
        if let Some(end) = &interval.end {
            edges.push((end.time, true, place));
        }
    }
    edges.sort_unstable();
    let mut fresh = Fresh::after(intervals.iter().map(|interval| interval.begin.process));
    let mut current: FxHashMap<Process, (Process, bool)> = FxHashMap::default();
    draft.events.reserve_exact(edges.len());
    draft.lines.reserve_exact(edges.len());
    for (_, completes, place) in edges {
        let interval = &mut intervals[place];
        let event = if completes {
            let Some(mut end) = interval.end.take() else { continue };
            let original = std::mem::replace(&mut end.process, interval.begin.process);
            if let Some((process, busy)) = current.get_mut(&original)
                && *process == end.process
            {
                *busy = end.kind == Kind::Info;
            }
            end
        } else {
            let original = interval.begin.process;
            let (process, busy) = current.entry(original).or_insert((original, false));
            if *busy {
                *process = Process::Client(fresh.next()?);
            }
            *busy = true;
            if let (Process::Client(number), None) = (original, interval.begin.client)
                && *process != original
            {
                interval.begin.client = u32::try_from(number).ok();
            }
            let taken = Event::new(*process, Kind::Invoke, String::new());
            Event { process: *process, ..std::mem::replace(&mut interval.begin, taken) }
        };
        let line = interval.line;
        draft.push_at(line, event);
    }
    Ok(())
}
