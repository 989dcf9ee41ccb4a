//! The dependencies between transactions, as far as the order of the versions is known.
//!
//! There are no `ww` edges: where a version is known to follow another, its writer read that other, and
//! their `wr` edge says as much and rests on less.

use super::super::fan::Fan;
use super::super::graph::{Builder, Graph, kind};
use super::super::observed::Seen;
use super::super::parse::{Access, Fate, NONE, small};
use super::super::time;
use super::Registers;
use std::ops::Range;

/// By element: the moments between which a version certainly was the one.
#[derive(Debug)]
pub(super) struct Times {
    /// When it had certainly been written: the first completion of its writer or of a reader.
    earliest: Vec<u32>,
    /// When it certainly was still to be seen, or still to be written: the last invocation of those.
    latest: Vec<u32>,
}

impl Times {
    /// Whether real time alone says that the first version came before the second.
    pub(super) fn before(&self, first: u32, second: u32) -> bool {
        first != second && self.earliest[first as usize] < self.latest[second as usize]
    }
}

/// The graph of all dependencies.
pub(super) fn graph(registers: &Registers<'_>) -> (Graph, Times) {
    let mut graph = Builder::new(registers.live.len());
    let times = times(registers);
    let mut keys = Keys::new(registers, &times);
    for seen in &registers.seen {
        if seen.version == NONE && !seen.first {
            continue;
        }
        if seen.version == NONE {
            let all = 0..keys.by_version[seen.key as usize].len();
            keys.missed_versions(registers, &mut graph, seen, all);
            continue;
        }
        let writer = registers.transactions.writer(seen.version);
        if !registers.is_live(writer) || writer == seen.txn {
            continue;
        }
        graph.edge(writer, seen.txn, kind::WR, seen.version);
        if !seen.first {
            continue;
        }
        let (start, end) = keys.group[seen.version as usize];
        keys.missed_versions(registers, &mut graph, seen, start as usize..end as usize);
        if registers.transactions.elements[seen.version as usize].last {
            keys.missed_in_time(registers, &mut graph, seen, &times);
        }
    }
    drop(keys);
    time::add(&mut graph, &registers.transactions, &registers.live);
    (graph.finish(), times)
}

fn times(registers: &Registers<'_>) -> Times {
    let transactions = &registers.transactions;
    let count = transactions.elements.len();
    let mut times = Times { earliest: vec![NONE; count], latest: vec![0; count] };
    let mut note = |element: u32, txn: u32| {
        let txn = &transactions.txns[txn as usize];
        if txn.fate == Fate::Committed {
            let earliest = &mut times.earliest[element as usize];
            *earliest = txn.completed.min(*earliest);
        }
        let latest = &mut times.latest[element as usize];
        *latest = txn.invoked.max(*latest);
    };
    for (index, element) in (0..).zip(&transactions.elements) {
        if registers.is_live(element.writer) {
            note(index, element.writer);
        }
    }
    for seen in registers.seen.iter().filter(|seen| seen.version != NONE) {
        note(seen.version, seen.txn);
    }
    times
}

/// The final writes to each key, in two orders.
struct Keys {
    /// By key: the writers, those that follow the same version side by side.
    by_version: Vec<Fan>,
    /// By key: the writers by the last moment at which their version was certainly to be seen.
    by_time: Vec<Fan>,
    /// By key: those moments.
    moments: Vec<Vec<u32>>,
    /// By element: its indexes in the two.
    indexes: Vec<(u32, u32)>,
    /// By element: the indexes in `by_version` of the writers that follow it.
    group: Vec<(u32, u32)>,
}

impl Keys {
    fn new(registers: &Registers<'_>, times: &Times) -> Self {
        let transactions = &registers.transactions;
        let keys = transactions.keys.len();
        let mut finals: Vec<u32> = (0..)
            .zip(&transactions.elements)
            .filter(|(_, element)| {
                element.last && registers.is_live(element.writer) && !transactions.unclear(element.key)
            })
            .map(|(index, _)| index)
            .collect();
        let mut this = Self {
            by_version: Vec::with_capacity(keys),
            by_time: Vec::with_capacity(keys),
            moments: vec![Vec::new(); keys],
            indexes: vec![(NONE, NONE); transactions.elements.len()],
            group: vec![(0, 0); transactions.elements.len()],
        };
        let mut writers: Vec<Vec<u32>> = vec![Vec::new(); keys];
        finals.sort_by_key(|element| registers.follows[*element as usize]);
        for element in &finals {
            let of_key = &mut writers[transactions.elements[*element as usize].key as usize];
            this.indexes[*element as usize].0 = small(of_key.len());
            let follows = registers.follows[*element as usize];
            if follows != NONE {
                let (start, end) = &mut this.group[follows as usize];
                if start == end {
                    (*start, *end) = (small(of_key.len()), small(of_key.len()));
                }
                *end += 1;
            }
            of_key.push(transactions.writer(*element));
        }
        this.by_version.extend(writers.iter_mut().map(|writers| Fan::new(std::mem::take(writers))));
        finals.sort_by_key(|element| times.latest[*element as usize]);
        for element in &finals {
            let key = transactions.elements[*element as usize].key as usize;
            this.indexes[*element as usize].1 = small(writers[key].len());
            this.moments[key].push(times.latest[*element as usize]);
            writers[key].push(transactions.writer(*element));
        }
        this.by_time.extend(writers.into_iter().map(Fan::new));
        this
    }

    fn missed_versions(
        &mut self,
        registers: &Registers<'_>,
        graph: &mut Builder,
        seen: &Seen,
        range: Range<usize>,
    ) {
        let own = own_write(registers, seen).map(|element| self.indexes[element as usize].0 as usize);
        let fan = &mut self.by_version[seen.key as usize];
        fan.point(graph, (seen.txn, kind::RW, seen.key), range, &mut own.into_iter().collect::<Vec<_>>());
    }

    fn missed_in_time(&mut self, registers: &Registers<'_>, graph: &mut Builder, seen: &Seen, times: &Times) {
        let own = own_write(registers, seen);
        let except = own.into_iter().chain([seen.version]);
        let mut except: Vec<usize> =
            except.map(|element| self.indexes[element as usize].1 as usize).collect();
        let written = times.earliest[seen.version as usize];
        let moments = &self.moments[seen.key as usize];
        let later = moments.partition_point(|moment| *moment <= written)..moments.len();
        let fan = &mut self.by_time[seen.key as usize];
        fan.point(graph, (seen.txn, kind::RW_IN_TIME, seen.key), later, &mut except);
    }
}

/// The reader's own final write to the key it read.
pub(super) fn own_write(registers: &Registers<'_>, seen: &Seen) -> Option<u32> {
    final_write(registers, seen.txn, seen.key)
}

/// A transaction's final write to a key.
pub(super) fn final_write(registers: &Registers<'_>, txn: u32, key: u32) -> Option<u32> {
    registers.transactions.steps_of(txn).iter().rev().find_map(|step| match step.access {
        Access::Write(element) if step.key == key => Some(element),
        Access::Write(_) | Access::Read(_) => None,
    })
}
