//! Finds out which processes of a foreign history are clients: numbers, names, or no process at all.
//!
//! Jepsen numbers its clients and names its nemesis; other tools name their clients too, and Elle's own examples have
//! transactions without a process, and completions without an invocation.

use super::{draft::Draft, fault::Fault, processes::Fresh};
use history::{Event, Kind, Process};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

/// Who did something, as the file says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// A process by its number.
    Number(u64),
    /// A process by its name, which is not that of a nemesis.
    Name(String),
    /// The event names no process.
    Missing,
}

/// Numbers for processes without one, counted down from the largest number until the whole file is known.
#[derive(Debug, Default)]
pub(super) struct Clients {
    numbers: FxHashMap<Who, u64>,
}

impl Clients {
    /// The process of an event; a provisional one where the file has no number.
    pub(super) fn process(&mut self, who: Who) -> Process {
        match who {
            Who::Number(number) => Process::Client(number),
            Who::Name(_) | Who::Missing => {
                let next = u64::MAX - self.numbers.len() as u64;
                Process::Client(*self.numbers.entry(who).or_insert(next))
            }
        }
    }
}

/// Gives the clients among unnumbered processes numbers of their own, leaves the others out, and adds the invocations
/// that the file lacks.
pub(super) fn settle(draft: &mut Draft<'_>) -> Result<(), Fault> {
    let unnumbered = std::mem::take(&mut draft.clients).numbers;
    if !unnumbered.is_empty() {
        number(draft, &unnumbered)?;
    }
    add_invocations(draft);
    Ok(())
}

fn number(draft: &mut Draft<'_>, unnumbered: &FxHashMap<Who, u64>) -> Result<(), Fault> {
    let provisional: FxHashSet<Process> = unnumbered.values().copied().map(Process::Client).collect();
    let invoked: FxHashSet<String> =
        draft.events.iter().filter(|event| event.kind == Kind::Invoke).map(|event| event.f.clone()).collect();
    let mut fresh = Fresh::after(
        draft.events.iter().map(|event| event.process).filter(|process| !provisional.contains(process)),
    );
    let mut unnamed: Vec<&Who> = unnumbered.keys().collect();
    unnamed.sort_by_key(|who| std::cmp::Reverse(unnumbered[*who]));
    let mut others = 0;
    let mut named = Vec::new();
    for who in unnamed {
        let process = Process::Client(unnumbered[who]);
        // A nemesis notes what it does and never answers; a client begins or completes something.
        let acts = |event: &Event| {
            event.process == process
                && (event.kind != Kind::Info || *who == Who::Missing && invoked.contains(&event.f))
        };
        if !draft.events.iter().any(acts) {
            others += remove(draft, |event| event.process == process);
            continue;
        }
        if let Who::Name(name) = who {
            let number = fresh.next()?;
            named.push(format!("{name} is {number}"));
            draft.events.iter_mut().filter(|event| event.process == process).for_each(|event| {
                event.process = Process::Client(number);
            });
        } else {
            others += remove(draft, |event| event.process == process && !acts(event));
            number_missing(draft, process, &mut fresh)?;
        }
    }
    draft.count_note(
        others,
        "event of the nemesis, or of another process that is no client, was left out",
        "events of the nemesis, or of other processes that are no clients, were left out",
    );
    if let Some((first, rest)) = named.split_first() {
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        draft
            .notes
            .push(format!("processes with names are clients with numbers of their own: {first}{more}"));
    }
    Ok(())
}

/// Removes events with their lines; returns how many.
fn remove(draft: &mut Draft<'_>, unwanted: impl Fn(&Event) -> bool) -> usize {
    let before = draft.events.len();
    let keep: Vec<bool> = draft.events.iter().map(|event| !unwanted(event)).collect();
    let (mut of_events, mut of_lines) = (keep.iter(), keep.iter());
    draft.events.retain(|_| of_events.next().copied().unwrap_or(true));
    draft.lines.retain(|_| of_lines.next().copied().unwrap_or(true));
    before - draft.events.len()
}

/// Events without a process: each completion by itself, or one process whose operations follow one another.
fn number_missing(draft: &mut Draft<'_>, process: Process, fresh: &mut Fresh) -> Result<(), Fault> {
    let own = |event: &&mut Event| event.process == process;
    if !draft.events.iter().any(|event| event.process == process && event.kind == Kind::Invoke) {
        for event in draft.events.iter_mut().filter(own) {
            event.process = Process::Client(fresh.next()?);
        }
        draft.notes.push("operations name no process: each is taken for one of its own".to_owned());
        return Ok(());
    }
    let number = fresh.next()?;
    let mut open = false;
    for (event, &line) in
        draft.events.iter_mut().zip(&draft.lines).filter(|(event, _)| event.process == process)
    {
        let invokes = event.kind == Kind::Invoke;
        if invokes == open {
            return Err(Fault::line(
                line as usize,
                1,
                "this operation has no process, and without one it cannot be paired: operations overlap here; \
                 give each event a :process",
            ));
        }
        open = invokes;
        event.process = Process::Client(number);
    }
    draft.notes.push(format!(
        "operations that name no process are taken to be those of process {number}, one after the other"
    ));
    Ok(())
}

/// Adds an invocation for each completion without one: right behind the process's completion before it, or at the
/// start. A process does one operation at a time, so that no real-time order is assumed that may be wrong.
fn add_invocations(draft: &mut Draft<'_>) {
    // Behind which event the invocation of the next operation belongs, and whether one is open.
    let mut processes: FxHashMap<Process, (Option<usize>, bool)> = FxHashMap::default();
    let mut added: Vec<(Option<usize>, usize)> = Vec::new();
    for (index, event) in draft.events.iter().enumerate() {
        if event.process == Process::Nemesis {
            continue;
        }
        let (last, open) = processes.entry(event.process).or_default();
        if event.kind == Kind::Invoke {
            *open = true;
            continue;
        }
        if !*open {
            added.push((*last, index));
        }
        (*last, *open) = (Some(index), false);
    }
    if added.is_empty() {
        return;
    }
    let count = added.len();
    added.sort_unstable();
    let mut behind = added.into_iter().peekable();
    let (events, lines) = (std::mem::take(&mut draft.events), std::mem::take(&mut draft.lines));
    let mut insert = |draft: &mut Draft<'_>, after: Option<usize>, time: u64| {
        while let Some((_, of)) = behind.next_if(|&(index, _)| index == after) {
            let mut event = invocation_of(&events[of]);
            event.time = time;
            draft.events.push(event);
            draft.lines.push(lines[of]);
        }
    };
    insert(draft, None, events.first().map_or(0, |event| event.time));
    for (index, event) in events.iter().enumerate() {
        draft.events.push(event.clone());
        draft.lines.push(lines[index]);
        insert(draft, Some(index), event.time);
    }
    draft.count_note(
        count,
        "completion has no invocation: it is taken to begin right behind its process's operation before it, or at the start",
        "completions have no invocation: each is taken to begin right behind its process's operation before it, or at \
         the start",
    );
}

fn invocation_of(completion: &Event) -> Event {
    let mut event = completion.clone();
    event.kind = Kind::Invoke;
    (event.error, event.actual) = (None, None);
    let steps =
        event.value.as_array().is_some_and(|steps| !steps.is_empty() && steps.iter().all(Value::is_array));
    if matches!(event.f.as_str(), "read" | "get" | "dequeue" | "pop" | "peek" | "generate") && !steps {
        event.value = Value::Null;
    }
    event
}
