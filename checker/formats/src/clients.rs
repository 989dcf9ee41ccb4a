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

/// Names of what is done to data, and to no network, process or clock.
const ON_DATA: [&str; 20] = [
    "read", "write", "cas", "get", "put", "append", "delete", "txn", "add", "remove", "incr", "decr",
    "enqueue", "dequeue", "drain", "push", "pop", "acquire", "release", "transfer",
];

fn number(draft: &mut Draft<'_>, unnumbered: &FxHashMap<Who, u64>) -> Result<(), Fault> {
    let provisional: FxHashSet<Process> = unnumbered.values().copied().map(Process::Client).collect();
    let missing = unnumbered.get(&Who::Missing).copied().map(Process::Client);
    let alone = draft.events.iter().all(|event| Some(event.process) == missing || event.kind == Kind::Info);
    // What clients do. A nemesis may begin something and note its end, and never answers; what is done to data is a client's.
    let acts = |event: &&Event| match event.kind {
        Kind::Ok | Kind::Fail => true,
        Kind::Invoke => alone || Some(event.process) != missing || ON_DATA.contains(&event.f.as_str()),
        Kind::Info => false,
    };
    let acted: FxHashSet<String> = draft.events.iter().filter(acts).map(|event| event.f.clone()).collect();
    let mut fresh = Fresh::after(
        draft.events.iter().map(|event| event.process).filter(|process| !provisional.contains(process)),
    );
    let mut unnamed: Vec<&Who> = unnumbered.keys().collect();
    unnamed.sort_by_key(|who| std::cmp::Reverse(unnumbered[*who]));
    let mut others = 0;
    let mut named = Vec::new();
    for who in unnamed {
        let process = Process::Client(unnumbered[who]);
        // A nemesis notes what it does and never answers; a client begins or completes something, or notes the unknown
        // outcome of what clients do.
        let begun = |event: &&Event| event.process != process && event.kind == Kind::Invoke;
        let by_others: FxHashSet<String> = match who {
            Who::Name(name) if name.starts_with("nemesis") => {
                draft.events.iter().filter(begun).map(|event| event.f.clone()).collect()
            }
            Who::Name(_) | Who::Number(_) | Who::Missing => FxHashSet::default(),
        };
        let acts = |event: &Event| {
            event.process == process
                && match who {
                    Who::Name(name) if name.starts_with("nemesis") => {
                        event.kind != Kind::Info && by_others.contains(&event.f)
                    }
                    Who::Missing | Who::Name(_) | Who::Number(_) => acted.contains(&event.f),
                }
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
    retain(&mut draft.events, &keep);
    retain(&mut draft.lines, &keep);
    retain(&mut draft.timed, &keep);
    retain(&mut draft.indexes, &keep);
    before - draft.events.len()
}

/// Keeps the items that are marked; a list that is shorter is none of the events'.
fn retain<T>(items: &mut Vec<T>, keep: &[bool]) {
    if items.len() == keep.len() {
        let mut marks = keep.iter();
        items.retain(|_| marks.next().copied().unwrap_or(true));
    } else {
        items.clear();
    }
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
    let mut kinds = draft.events.iter().filter(|event| event.process == process).map(|event| event.kind);
    let alternates = std::iter::repeat([true, false]).flatten();
    if alternates.zip(&mut kinds).all(|(invokes, kind)| invokes == (kind == Kind::Invoke)) {
        let number = fresh.next()?;
        draft.events.iter_mut().filter(own).for_each(|event| event.process = Process::Client(number));
        draft.notes.push(format!(
            "operations that name no process are taken to be those of process {number}, one after the other"
        ));
        return Ok(());
    }
    pair_by_content(draft, process, fresh)
}

/// Pairs overlapping operations without a process by what they do, where that leaves no choice.
fn pair_by_content(draft: &mut Draft<'_>, process: Process, fresh: &mut Fresh) -> Result<(), Fault> {
    let mut open: Vec<usize> = Vec::new();
    for index in 0..draft.events.len() {
        let event = &draft.events[index];
        if event.process != process {
            continue;
        }
        let number = if event.kind == Kind::Invoke {
            open.push(index);
            Process::Client(fresh.next()?)
        } else {
            let fitting = |&at: &usize| completes(&draft.events[at], event);
            let mut fits = (0..open.len()).filter(|&place| fitting(&open[place]));
            let (Some(place), None) = (fits.next(), fits.next()) else {
                return Err(Fault::line(
                    draft.lines[index] as usize,
                    1,
                    "this completion has no process, and it could belong to more than one open operation, or to none; \
                     give each event a :process",
                ));
            };
            draft.events[open.remove(place)].process
        };
        draft.events[index].process = number;
    }
    draft.notes.push(
        "operations that name no process are paired by their values: each is taken for one of a process of its own"
            .to_owned(),
    );
    Ok(())
}

/// Whether an event can be the completion of an invocation, by what both do.
fn completes(begin: &Event, end: &Event) -> bool {
    let same_step =
        |a: &Value, b: &Value| match (a.as_array().map(Vec::as_slice), b.as_array().map(Vec::as_slice)) {
            (Some([f, key, value]), Some([g, other, result])) => {
                f == g && key == other && (value == result || value.is_null())
            }
            _ => a == b,
        };
    let values = match (&begin.value, &end.value) {
        (Value::Null, _) | (_, Value::Null) => true,
        (Value::Array(steps), Value::Array(results)) => {
            steps.len() == results.len() && steps.iter().zip(results).all(|(a, b)| same_step(a, b))
        }
        (value, result) => value == result,
    };
    begin.f == end.f && begin.key == end.key && values
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
            draft.added.push(draft.events.len());
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
