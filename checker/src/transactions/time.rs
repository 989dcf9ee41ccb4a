//! The orders beside the data: each process's own, and real time, in linearly many edges.

use super::graph::{Builder, Node, kind};
use super::parse::{Fate, NONE, Transactions};
use rustc_hash::FxHashMap;

/// Adds both orders among the transactions that may have happened.
pub(super) fn add(graph: &mut Builder, transactions: &Transactions<'_>, live: &[bool]) {
    by_process(graph, transactions, live);
    by_real_time(graph, transactions, live);
}

fn by_process(graph: &mut Builder, transactions: &Transactions<'_>, live: &[bool]) {
    for (before, txn) in processes(transactions, &|txn| live[txn as usize]) {
        graph.edge(before, txn, kind::PROCESS, 0);
    }
}

/// Of some transactions, each with the last that its process had issued before and that is known to have ended.
pub(super) fn processes(transactions: &Transactions<'_>, among: &dyn Fn(u32) -> bool) -> Vec<(u32, u32)> {
    let mut by_invocation: Vec<u32> = transactions.all().filter(|txn| among(*txn)).collect();
    by_invocation.sort_by_key(|txn| transactions.invoked(*txn));
    let mut last: FxHashMap<(u64, u32), u32> = FxHashMap::default();
    let mut pairs = Vec::new();
    for txn in by_invocation {
        let process = transactions.session(txn);
        pairs.extend(last.get(&process).map(|before| (*before, txn)));
        if transactions.fate(txn) == Fate::Committed {
            last.insert(process, txn);
        }
    }
    pairs
}

/// One chain of moments: a completion leads into the present moment, an invocation comes out of it. The next
/// completion after an invocation begins a new moment.
fn by_real_time(graph: &mut Builder, transactions: &Transactions<'_>, live: &[bool]) {
    // At equal times the invocation comes first: such transactions are concurrent.
    let mut events: Vec<(u32, bool, u32)> = Vec::with_capacity(2 * live.len());
    for txn in transactions.all().filter(|txn| live[*txn as usize]) {
        events.push((transactions.invoked(txn), false, txn));
        let completed = transactions.completed(txn);
        if completed != NONE {
            events.push((completed, true, txn));
        }
    }
    events.sort_unstable();
    // Nothing follows what completes behind the last invocation.
    let invoked = events.iter().rposition(|(_, completes, _)| !completes);
    events.truncate(invoked.map_or(0, |last| last + 1));
    let mut moment: Option<u32> = None;
    let mut used = false;
    for (_, completes, txn) in events {
        match (completes, moment) {
            (true, Some(now)) if !used => graph.edge(txn, now, kind::REAL_TIME, 0),
            (true, before) => {
                let now = graph.helper(Node::Moment);
                if let Some(before) = before {
                    graph.edge(before, now, kind::PASS, 0);
                }
                graph.edge(txn, now, kind::REAL_TIME, 0);
                (moment, used) = (Some(now), false);
            }
            (false, Some(now)) => {
                graph.edge(now, txn, kind::PASS, 0);
                used = true;
            }
            (false, None) => {}
        }
    }
}
