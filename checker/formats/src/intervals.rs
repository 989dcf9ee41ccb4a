//! Brings operations with two times into one order of events.
//!
//! Intervals are closed: at equal times invocations come before completions, so that such operations count as
//! concurrent.

use super::{draft::Draft, fault::Fault, processes::Fresh};
use history::{Event, Kind, Process};
use rustc_hash::FxHashMap;

/// Where an event goes: by time, invocations first, then by operation.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    time: u64,
    completes: bool,
    operation: usize,
    index: usize,
}

/// Orders the events of a draft, in which a completion belongs to the last invocation of its process. A process that
/// would be busy, or had ended, gets a new number.
pub(super) fn settle(draft: &mut Draft<'_>) -> Result<(), Fault> {
    let mut operations = 0;
    let mut open: FxHashMap<Process, usize> = FxHashMap::default();
    let mut keys: Vec<Key> = Vec::with_capacity(draft.events.len());
    for (index, event) in draft.events.iter().enumerate() {
        let completes = event.kind != Kind::Invoke;
        if !completes {
            operations += 1;
            open.insert(event.process, operations);
        }
        let operation = open.get(&event.process).copied().unwrap_or(0);
        keys.push(Key { time: event.time, completes, operation, index });
    }
    keys.sort_unstable();
    reorder(&mut draft.events, &mut draft.lines, &keys);
    assign_processes(&mut draft.events, &keys)
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

fn assign_processes(events: &mut [Event], keys: &[Key]) -> Result<(), Fault> {
    let mut fresh = Fresh::after(events.iter().map(|event| event.process));
    // By original process: its present number, and whether that is busy or ended.
    let mut current: FxHashMap<Process, (Process, bool)> = FxHashMap::default();
    // The numbers of operations that run under another one than their own.
    let mut others: FxHashMap<usize, Process> = FxHashMap::default();
    for (event, key) in events.iter_mut().zip(keys) {
        let original = event.process;
        let (present, busy) = current.entry(original).or_insert((original, false));
        if key.completes {
            event.process = others.remove(&key.operation).unwrap_or(original);
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
            others.insert(key.operation, *present);
            event.client = event.client.or(u32::try_from(number).ok());
        }
    }
    Ok(())
}
