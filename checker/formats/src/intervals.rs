//! Brings operations with two times into one order of events.
//!
//! Intervals are closed: at equal times the invocation of one process comes before the completion of another, so that such
//! operations count as concurrent. Within a process, a completion comes before the next invocation. Where several processes
//! go on to their next operations at one time, no order of events says both; then one is chosen, and the draft says so.

use super::{Ties, draft::Draft, fault::Fault, processes::Fresh};
use history::{Event, Kind, Process};
use rustc_hash::FxHashMap;

/// Where an event goes: by time, then by its place among those of the same time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    time: u64,
    place: Place,
    first: usize,
    second: usize,
    index: usize,
}

/// The place of an event among those of the same time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Invocations before which their process completes nothing at that time.
    Invocations,
    /// Completions and the next invocations of the same process.
    Between,
    /// Completions behind which their process invokes nothing at that time.
    Completions,
}

/// The events of an operation, by their indexes.
struct Span {
    invoked: usize,
    completed: Option<usize>,
}

/// Orders the events of a draft, in which a completion belongs to the last invocation of its process. A process that
/// would be busy, or had ended, gets a new number. With `parts`, operations of one line are parts of one request.
pub(super) fn settle(draft: &mut Draft<'_>, parts: bool) -> Result<(), Fault> {
    let (spans, operation_of) = spans(&draft.events);
    let mut keys: Vec<Key> = draft
        .events
        .iter()
        .enumerate()
        .map(|(index, event)| Key {
            time: event.time,
            place: if event.kind == Kind::Invoke { Place::Invocations } else { Place::Completions },
            first: operation_of[index],
            second: 0,
            index,
        })
        .collect();
    if draft.ties != Ties::Apart {
        draft.ties_chosen = keep_processes_in_order(draft, &spans, &mut keys, parts);
    }
    keys.sort_unstable();
    reorder(&mut draft.events, &mut draft.lines, &keys);
    let operations: Vec<usize> = keys.iter().map(|key| operation_of[key.index]).collect();
    assign_processes(&mut draft.events, &operations)
}

/// The operations, and by event the number of its operation.
fn spans(events: &[Event]) -> (Vec<Span>, Vec<usize>) {
    let mut spans: Vec<Span> = Vec::with_capacity(events.len() / 2 + 1);
    let mut open: FxHashMap<Process, usize> = FxHashMap::default();
    let mut operation_of = Vec::with_capacity(events.len());
    for (index, event) in events.iter().enumerate() {
        if event.kind == Kind::Invoke {
            open.insert(event.process, spans.len());
            operation_of.push(spans.len());
            spans.push(Span { invoked: index, completed: None });
            continue;
        }
        let operation = open.get(&event.process).copied();
        if let Some(span) = operation.and_then(|operation| spans.get_mut(operation)) {
            span.completed = Some(index);
        }
        operation_of.push(operation.unwrap_or(0));
    }
    (spans, operation_of)
}

/// Puts each completion before the next invocation of its process at the same time, where the process has one operation
/// after the other. Returns whether that order was a choice: at one time, more than one process goes on.
fn keep_processes_in_order(draft: &Draft<'_>, spans: &[Span], keys: &mut [Key], parts: bool) -> bool {
    let events = &draft.events;
    let time = |index: usize| events[index].time;
    let times = |span: &Span| (time(span.invoked), span.completed.map_or(u64::MAX, time));
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_unstable_by_key(|&span| {
        let (start, end) = times(&spans[span]);
        (events[spans[span].invoked].process, start, end, span)
    });
    let same_process =
        |a: &usize, b: &usize| events[spans[*a].invoked].process == events[spans[*b].invoked].process;
    let same_request = |a: &usize, b: &usize| {
        let line = |span: usize| draft.lines[spans[span].invoked];
        parts && line(*a) == line(*b) && times(&spans[*a]) == times(&spans[*b])
    };
    let mut between: Vec<u64> = Vec::new();
    let mut own: Vec<usize> = Vec::new();
    for process in order.chunk_by(same_process) {
        own.clear();
        let mut last = 0;
        let sequential = process.chunk_by(same_request).all(|request| {
            let (start, _) = times(&spans[request[0]]);
            own.extend(request.iter().map(|&span| spans[span].invoked));
            own.extend(request.iter().filter_map(|&span| spans[span].completed));
            let end = request.iter().filter_map(|&span| spans[span].completed.map(time)).max();
            let follows = last <= start;
            last = last.max(end.unwrap_or(0));
            follows
        });
        if !sequential {
            continue;
        }
        for tied in own.chunk_by(|&a, &b| time(a) == time(b)) {
            let invokes = |index: &&usize| events[**index].kind == Kind::Invoke;
            let before = tied.iter().take_while(invokes).count();
            let after = tied[before..].iter().rev().take_while(|index| !invokes(index)).count();
            let middle = &tied[before..tied.len() - after];
            let Some(&first) = middle.first() else { continue };
            between.push(time(first));
            let rank = if draft.ties == Ties::Backward { usize::MAX - first } else { first };
            for (second, &index) in middle.iter().enumerate() {
                keys[index] = Key { time: time(index), place: Place::Between, first: rank, second, index };
            }
        }
    }
    between.sort_unstable();
    between.windows(2).any(|pair| pair[0] == pair[1])
}

/// Puts the item that was at `keys[i].index` to index `i`, within the vectors.
fn reorder(events: &mut [Event], lines: &mut [u32], keys: &[Key]) {
    let mut moved = vec![false; keys.len()];
    for start in 0..keys.len() {
        let mut to = start;
        while !std::mem::replace(&mut moved[to], true) {
            let from = keys[to].index;
            if from == start {
                break;
            }
            events.swap(to, from);
            lines.swap(to, from);
            to = from;
        }
    }
}

fn assign_processes(events: &mut [Event], operations: &[usize]) -> Result<(), Fault> {
    let mut fresh = Fresh::after(events.iter().map(|event| event.process));
    // By original process: its present number, and whether that is busy or ended.
    let mut current: FxHashMap<Process, (Process, bool)> = FxHashMap::default();
    // The numbers of operations that run under another one than their own.
    let mut others: FxHashMap<usize, Process> = FxHashMap::default();
    for (event, operation) in events.iter_mut().zip(operations) {
        let original = event.process;
        let (present, busy) = current.entry(original).or_insert((original, false));
        if event.kind != Kind::Invoke {
            event.process = others.remove(operation).unwrap_or(original);
            if event.process == *present {
                *busy = event.kind == Kind::Info;
            }
            continue;
        }
        if *busy {
            *present = Process::Client(fresh.next()?);
        }
        *busy = true;
        event.process = *present;
        if let Process::Client(number) = original
            && *present != original
        {
            others.insert(*operation, *present);
            event.client = event.client.or(u32::try_from(number).ok());
        }
    }
    Ok(())
}
