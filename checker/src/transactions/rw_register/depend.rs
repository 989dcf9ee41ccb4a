//! The dependencies between transactions, as far as the order of the versions is known.
//!
//! There are no `ww` edges: where a version is known to follow another, its writer read that other, and
//! their `wr` edge says as much and rests on less.

use super::super::fan::Fan;
use super::super::graph::{Builder, Graph, kind};
use super::super::observed::Seen;
use super::super::parse::{Access, Element, Fate, NONE, small};
use super::super::time;
use super::Registers;
use std::ops::Range;

/// By element: the moments between which a version certainly was the one.
#[derive(Debug)]
pub(super) struct Times {
    /// None where real time says nothing.
    spans: Vec<Span>,
}

/// When a version certainly was the one.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// When it had certainly been written: the first completion of its writer or of a reader; [`NONE`] if never.
    earliest: u32,
    /// When it certainly was still to be seen, or still to be written: the last invocation of those.
    latest: u32,
}

impl Times {
    /// Whether real time alone says that the first version came before the second.
    pub(super) fn before(&self, first: u32, second: u32) -> bool {
        first != second && self.spans[first as usize].earliest < self.spans[second as usize].latest
    }
}

/// The graph of all dependencies.
pub(super) fn graph(registers: &Registers<'_>) -> (Graph, Times) {
    let mut graph = Builder::new(registers.live.len());
    graph.reserve(registers.seen.len() + 2 * registers.live.len());
    let mut times = times(registers);
    let mut keys = Keys::new(registers, &times);
    for seen in &registers.seen {
        if seen.version == NONE && !seen.first() {
            continue;
        }
        if seen.version == NONE {
            let all = 0..keys.by_version[seen.key() as usize].len();
            keys.missed_versions(registers, &mut graph, seen, all);
            continue;
        }
        let element = &registers.transactions.elements[seen.version as usize];
        if !registers.is_live(element.writer) || element.writer == seen.txn {
            continue;
        }
        graph.edge(element.writer, seen.txn, kind::WR, seen.version);
        if !seen.first() {
            continue;
        }
        let Group { start, end } = keys.group[seen.version as usize];
        keys.missed_versions(registers, &mut graph, seen, start as usize..end as usize);
        if element.is_last() {
            keys.missed_in_time(registers, &mut graph, seen, &times);
        }
    }
    if keys.by_time.is_empty() {
        times.spans = Vec::new();
    }
    drop(keys);
    time::add(&mut graph, &registers.transactions, &registers.live);
    (graph.finish(), times)
}

fn times(registers: &Registers<'_>) -> Times {
    let transactions = &registers.transactions;
    let mut spans = vec![Span { earliest: NONE, latest: 0 }; transactions.elements.len()];
    let mut note = |element: u32, txn: u32| {
        let span = &mut spans[element as usize];
        if transactions.fate(txn) == Fate::Committed {
            span.earliest = span.earliest.min(transactions.completed(txn));
        }
        span.latest = span.latest.max(transactions.invoked(txn));
    };
    for (index, element) in (0..).zip(&transactions.elements) {
        if registers.is_live(element.writer) {
            note(index, element.writer);
        }
    }
    for seen in registers.seen.iter().filter(|seen| seen.version != NONE) {
        note(seen.version, seen.txn);
    }
    Times { spans }
}

/// The indexes of some writers of a key.
#[derive(Debug, Clone, Copy)]
struct Group {
    start: u32,
    end: u32,
}

/// The final writes to each key, in two orders.
struct Keys {
    /// By key: the writers, those that follow the same version side by side.
    by_version: Vec<Fan>,
    /// By key: the writers by the last moment at which their version was certainly to be seen.
    by_time: Vec<Fan>,
    /// By key: those moments.
    moments: Vec<Vec<u32>>,
    /// By element: its index in each of the two.
    version_indexes: Vec<u32>,
    time_indexes: Vec<u32>,
    /// By element: the indexes in `by_version` of the writers that follow it.
    group: Vec<Group>,
}

impl Keys {
    fn new(registers: &Registers<'_>, times: &Times) -> Self {
        let transactions = &registers.transactions;
        let is_final = |element: &Element| {
            element.is_last() && registers.is_live(element.writer) && !transactions.unclear(element.key)
        };
        let all = (0..).zip(&transactions.elements);
        let finals = all.filter(|(_, element)| is_final(element)).map(|(index, _)| index);
        let follows = |element: &u32| registers.follows[*element as usize];
        let (mut finals, others): (Vec<u32>, Vec<u32>) = finals.partition(|element| follows(element) != NONE);
        finals.sort_by_key(follows);
        finals.extend(others);
        let mut this = Self {
            by_version: Vec::new(),
            by_time: Vec::new(),
            moments: Vec::new(),
            version_indexes: Vec::new(),
            time_indexes: Vec::new(),
            group: Vec::new(),
        };
        this.add_by_version(registers, &finals);
        // Where all begin before any ends, as in sessions without times, real time says nothing.
        let begun = times.spans.iter().map(|span| span.latest).max();
        if times.spans.iter().map(|span| span.earliest).min() < begun {
            finals.sort_by_key(|element| times.spans[*element as usize].latest);
            this.add_by_time(registers, times, &finals);
        }
        this
    }

    fn add_by_version(&mut self, registers: &Registers<'_>, finals: &[u32]) {
        let transactions = &registers.transactions;
        let mut writers: Vec<Vec<u32>> = vec![Vec::new(); transactions.keys.len()];
        self.version_indexes = vec![NONE; transactions.elements.len()];
        self.group = vec![Group { start: 0, end: 0 }; transactions.elements.len()];
        for element in finals {
            let of_key = &mut writers[transactions.elements[*element as usize].key as usize];
            let index = small(of_key.len());
            self.version_indexes[*element as usize] = index;
            let follows = registers.follows[*element as usize];
            if follows != NONE {
                let group = &mut self.group[follows as usize];
                if group.start == group.end {
                    group.start = index;
                }
                group.end = index + 1;
            }
            of_key.push(transactions.writer(*element));
        }
        self.by_version = writers.into_iter().map(Fan::new).collect();
    }

    fn add_by_time(&mut self, registers: &Registers<'_>, times: &Times, finals: &[u32]) {
        let transactions = &registers.transactions;
        let mut writers: Vec<Vec<u32>> = vec![Vec::new(); transactions.keys.len()];
        self.time_indexes = vec![NONE; transactions.elements.len()];
        self.moments = vec![Vec::new(); transactions.keys.len()];
        for element in finals {
            let key = transactions.elements[*element as usize].key as usize;
            self.time_indexes[*element as usize] = small(writers[key].len());
            self.moments[key].push(times.spans[*element as usize].latest);
            writers[key].push(transactions.writer(*element));
        }
        self.by_time = writers.into_iter().map(Fan::new).collect();
    }

    fn missed_versions(
        &mut self,
        registers: &Registers<'_>,
        graph: &mut Builder,
        seen: &Seen,
        range: Range<usize>,
    ) {
        if range.is_empty() {
            return;
        }
        let own = own_write(registers, seen).map(|element| self.version_indexes[element as usize] as usize);
        let fan = &mut self.by_version[seen.key() as usize];
        fan.point(graph, (seen.txn, kind::RW, seen.key()), range, &mut own.into_iter().collect::<Vec<_>>());
    }

    fn missed_in_time(&mut self, registers: &Registers<'_>, graph: &mut Builder, seen: &Seen, times: &Times) {
        let Some(moments) = self.moments.get(seen.key() as usize) else { return };
        let written = times.spans[seen.version as usize].earliest;
        let later = moments.partition_point(|moment| *moment <= written)..moments.len();
        if later.is_empty() {
            return;
        }
        let except = own_write(registers, seen).into_iter().chain([seen.version]);
        let mut except: Vec<usize> =
            except.map(|element| self.time_indexes[element as usize] as usize).collect();
        let fan = &mut self.by_time[seen.key() as usize];
        fan.point(graph, (seen.txn, kind::RW_IN_TIME, seen.key()), later, &mut except);
    }
}

/// The reader's own final write to the key it read.
pub(super) fn own_write(registers: &Registers<'_>, seen: &Seen) -> Option<u32> {
    final_write(registers, seen.txn, seen.key())
}

/// A transaction's final write to a key.
pub(super) fn final_write(registers: &Registers<'_>, txn: u32, key: u32) -> Option<u32> {
    registers.transactions.steps_of(txn).iter().rev().find_map(|step| match step.access() {
        Access::Write(element) if step.key() == key => Some(element),
        Access::Write(_) | Access::Read(_) => None,
    })
}
