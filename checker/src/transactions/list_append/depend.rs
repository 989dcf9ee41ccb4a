//! The dependencies between transactions that the orders of the appends show.

use super::super::fan::Fan;
use super::super::graph::{Builder, Graph, kind};
use super::super::parse::{Access, NONE, small};
use super::super::time;
use super::Lists;

/// The graph of all dependencies.
pub(super) fn graph(lists: &Lists<'_>) -> Graph {
    let mut graph = Builder::new(lists.live.len());
    let mut tails = Tails::new(lists);
    for key in 0..lists.order.len() {
        writes_after_writes(lists, &mut graph, key, &tails.appends[key]);
    }
    for (key, branches) in &lists.forks {
        for branch in branches {
            chain(lists, &mut graph, branch);
        }
        reads_of_forks(lists, &mut graph, *key, branches);
    }
    for txn in lists.transactions.committed() {
        for index in lists.steps(txn) {
            let step = &lists.transactions.steps[index];
            if !matches!(step.access(), Access::Read(_)) || lists.transactions.unclear(step.key()) {
                continue;
            }
            if let Some(seen) = lists.last_foreign(txn, index, |element| lists.is_live(lists.writer(element)))
            {
                graph.edge(lists.writer(seen), txn, kind::WR, seen);
            }
            missed_writes(lists, &mut graph, &mut tails, txn, index);
        }
    }
    time::add(&mut graph, &lists.transactions, &lists.live);
    graph.finish()
}

/// The appends that are in no key's order. They happened, and came later than all that are in it.
struct Tails {
    /// By key: each writer once, with its first such append.
    appends: Vec<Vec<(u32, u32)>>,
    fans: Vec<Fan>,
    /// By element: its writer's index in the tail.
    index: Vec<u32>,
}

impl Tails {
    fn new(lists: &Lists<'_>) -> Self {
        let mut appends: Vec<Vec<(u32, u32)>> = vec![Vec::new(); lists.order.len()];
        let mut indexes = vec![NONE; lists.position.len()];
        for txn in (0..small(lists.live.len())).filter(|txn| lists.is_live(*txn)) {
            for step in lists.transactions.steps_of(txn) {
                let Access::Write(element) = step.access() else { continue };
                let ordered = lists.position[element as usize] != NONE;
                if ordered || lists.writer(element) != txn || lists.transactions.unclear(step.key()) {
                    continue;
                }
                let tail = &mut appends[step.key() as usize];
                if tail.last().is_none_or(|(last, _)| *last != txn) {
                    tail.push((txn, element));
                }
                indexes[element as usize] = small(tail.len() - 1);
            }
        }
        let fans = appends.iter().map(|tail| Fan::new(tail.iter().map(|(writer, _)| *writer).collect()));
        Self { fans: fans.collect(), appends, index: indexes }
    }

    /// The indexes of a transaction in a key's tail.
    fn indexes_of(&self, lists: &Lists<'_>, txn: u32, key: u32) -> Option<usize> {
        lists.transactions.steps_of(txn).iter().find_map(|step| match step.access() {
            Access::Write(element) if step.key() == key => {
                let index = self.index[element as usize];
                (index != NONE).then_some(index as usize)
            }
            Access::Write(_) | Access::Read(_) => None,
        })
    }
}

/// Leads from each append of a list to the next; returns the writer of the last.
fn chain(lists: &Lists<'_>, graph: &mut Builder, elements: &[u32]) -> u32 {
    let mut before = NONE;
    for element in elements.iter().copied() {
        let writer = lists.writer(element);
        if !lists.is_live(writer) {
            continue;
        }
        if before != NONE && before != writer {
            graph.edge(before, writer, kind::WW, element);
        }
        before = writer;
    }
    before
}

/// Leads from each read of a forked key to the append that came next in a list that begins with what it saw.
fn reads_of_forks(lists: &Lists<'_>, graph: &mut Builder, key: u32, branches: &[Vec<u32>]) {
    for txn in lists.transactions.committed() {
        for step in lists.transactions.steps_of(txn) {
            let Access::Read(read) = step.access() else { continue };
            if step.key() != key {
                continue;
            }
            let list = lists.transactions.list(read).iter();
            let seen: Option<Vec<u32>> = list.map(|value| lists.transactions.element(key, *value)).collect();
            let Some(seen) = seen else { continue };
            let seen_from = seen.last().map_or(NONE, |element| lists.writer(*element));
            for branch in branches.iter().filter(|branch| branch.starts_with(&seen)) {
                let later = branch[seen.len()..].iter().map(|element| lists.writer(*element));
                let next = later.into_iter().find(|writer| lists.is_live(*writer) && *writer != seen_from);
                if let Some(writer) = next.filter(|writer| *writer != txn && seen_from != txn) {
                    graph.edge(txn, writer, kind::RW, key);
                }
            }
        }
    }
}

fn writes_after_writes(lists: &Lists<'_>, graph: &mut Builder, key: usize, tail: &[(u32, u32)]) {
    let before = chain(lists, graph, &lists.order[key]);
    for (writer, element) in tail.iter().copied().filter(|(writer, _)| before != NONE && before != *writer) {
        graph.edge(before, writer, kind::WW, element);
    }
}

/// Leads from a read to the writers of what came next. What the reader or the writer of the version read
/// appended itself says nothing: the first is in its `ww` edges, the second is an intermediate read.
fn missed_writes(lists: &Lists<'_>, graph: &mut Builder, tails: &mut Tails, reader: u32, index: usize) {
    let key = lists.transactions.steps[index].key();
    let order = &lists.order[key as usize];
    let version = lists.version[index] as usize;
    let Some((seen, later)) = order.split_at_checked(version) else { return };
    let seen_from = seen.last().map_or(NONE, |element| lists.writer(*element));
    if seen_from == reader {
        return;
    }
    let next = later
        .iter()
        .map(|element| lists.writer(*element))
        .find(|writer| lists.is_live(*writer) && *writer != seen_from);
    match next {
        Some(writer) if writer == reader => {}
        Some(writer) => graph.edge(reader, writer, kind::RW, key),
        None => {
            let own = tails.indexes_of(lists, reader, key);
            let seen = if seen_from == NONE { None } else { tails.indexes_of(lists, seen_from, key) };
            let mut except: Vec<usize> = own.into_iter().chain(seen).collect();
            let fan = &mut tails.fans[key as usize];
            let all = 0..fan.len();
            fan.point(graph, (reader, kind::RW, key), all, &mut except);
        }
    }
}
