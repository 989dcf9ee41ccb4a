//! Says why one transaction precedes another.

use super::super::cycles::Edge;
use super::super::graph::kind;
use super::super::parse::{Access, NONE};
use super::Lists;

/// Why the transaction called `a` precedes the one called `b`.
pub(super) fn because(lists: &Lists<'_>, edge: &Edge, a: &str, b: &str) -> String {
    match edge.kind {
        kind::WW => written_after(lists, edge, a, b),
        kind::WR => {
            let key = lists.transactions.shown_key(lists.transactions.elements[edge.why as usize].key);
            let value = lists.shown(edge.why);
            format!("{b} read {value} in key {key}, which {a} appended")
        }
        _ => missed(lists, edge, a, b),
    }
}

fn written_after(lists: &Lists<'_>, edge: &Edge, a: &str, b: &str) -> String {
    let key = lists.transactions.elements[edge.why as usize].key;
    if let Some(before) = before_in_fork(lists, edge, key) {
        let (key, value) = (lists.transactions.shown_key(key), lists.shown(edge.why));
        let before = lists.shown(before);
        return format!(
            "a read shows {value} of key {key}, which {b} appended, right behind {before}, which {a} appended"
        );
    }
    let position = lists.position[edge.why as usize];
    let before = own(lists, edge.from, key)
        .filter(|element| lists.position[*element as usize] < position)
        .max_by_key(|element| lists.position[*element as usize]);
    let (key, value) = (lists.transactions.shown_key(key), lists.shown(edge.why));
    let before = before.map_or_else(|| "its own".to_owned(), |element| lists.shown(element));
    if position == NONE {
        format!(
            "{a} appended {before} to key {key}, where it was read, and {b} appended {value}, which no read shows up to there"
        )
    } else {
        format!("{b} appended {value} to key {key} after {a} had appended {before}")
    }
}

/// The append of the first transaction that stands before that of the second in one list of a forked key.
fn before_in_fork(lists: &Lists<'_>, edge: &Edge, key: u32) -> Option<u32> {
    if lists.position[edge.why as usize] != NONE {
        return None;
    }
    lists.forks.get(&key)?.iter().find_map(|branch| {
        let index = branch.iter().position(|element| *element == edge.why)?;
        branch[..index]
            .iter()
            .rev()
            .copied()
            .find(|element| lists.is_live(lists.writer(*element)))
            .filter(|element| lists.writer(*element) == edge.from)
    })
}

fn missed(lists: &Lists<'_>, edge: &Edge, a: &str, b: &str) -> String {
    let key = edge.why;
    let mut written: Vec<u32> = own(lists, edge.to, key).collect();
    written.sort_by_key(|element| lists.position[*element as usize]);
    let order = lists.order[key as usize].len();
    let read = lists.steps(edge.from).find_map(|step_index| {
        let step = &lists.transactions.steps[step_index];
        let Access::Read(read) = step.access() else { return None };
        let version = lists.version[step_index];
        if step.key() != key || version as usize > order {
            return None;
        }
        let missing = written.iter().find(|element| lists.position[**element as usize] >= version)?;
        Some((read, *missing))
    });
    let key = lists.transactions.shown_key(key);
    match read {
        Some((list, missing)) => {
            let (list, missing) = (lists.transactions.shown_read(list), lists.shown(missing));
            format!("{a} read key {key} as {list}, without {missing}, which {b} appended")
        }
        None => format!("{a} read key {key} without what {b} appended to it"),
    }
}

/// The appends of a transaction to a key.
fn own<'l>(lists: &'l Lists<'_>, txn: u32, key: u32) -> impl Iterator<Item = u32> + 'l {
    lists.transactions.steps_of(txn).iter().filter(move |step| step.key() == key).filter_map(
        |step| match step.access() {
            Access::Write(element) => Some(element),
            Access::Read(_) => None,
        },
    )
}
