//! Transactions that append to lists and read them: each read shows the order of the appends before it.

mod depend;
mod observe;
mod order;
mod within;
mod words;

use super::cycles::{self, Edge};
use super::findings::Findings;
use super::graph::Graph;
use super::parse::{Access, NONE, Transactions};
use crate::limits::Limits;
use history::Atom;
use rustc_hash::FxHashMap;
use std::sync::OnceLock;

/// The lists, and what of them all reads agree on.
#[derive(Debug)]
struct Lists<'a> {
    transactions: Transactions<'a>,
    /// By key: the appends in the order in which all reads show them. Appends that are not in it came later.
    order: Vec<Vec<u32>>,
    /// By element: its position in the order of its key, or [`NONE`].
    position: Vec<u32>,
    /// By step: how much of the order a read saw; [`NONE`] where it contradicts others, or is no read.
    version: Vec<u32>,
    /// By transaction: whether it certainly happened.
    live: Vec<bool>,
    /// Lists of keys whose reads fork, each a whole list that some read saw. No order holds all lists of a key, but
    /// each shows the order of its own appends.
    forks: FxHashMap<u32, Vec<Vec<u32>>>,
}

/// What is known of a history of lists.
#[derive(Debug)]
pub(super) struct Analysis<'a> {
    lists: Lists<'a>,
    graph: OnceLock<Graph>,
}

/// Finds what is wrong, as far as the known dependencies show it; none if time was up before the end.
///
/// That decides serializability, which does not depend on the order of appends that no read saw: a read that missed
/// them all says as much of each.
pub(super) fn analyze<'a>(
    transactions: Transactions<'a>,
    findings: &mut Findings,
    limits: &Limits<'_>,
) -> Option<Analysis<'a>> {
    let lists = order::establish(transactions, findings);
    if limits.stopped() {
        return None;
    }
    within::look(&lists, findings);
    if limits.stopped() {
        return None;
    }
    let graph = depend::graph(&lists);
    let analysis = Analysis { lists, graph: graph.into() };
    let finished = cycles::find(analysis.graph(), limits, &mut |name, edges| {
        findings.add_cycle(&analysis.lists.transactions, name, edges, &|edge, from, to| {
            analysis.because(edge, from, to)
        });
    });
    finished.then_some(analysis)
}

impl<'a> Analysis<'a> {
    pub(super) fn transactions(&self) -> &Transactions<'a> {
        &self.lists.transactions
    }

    /// The known dependencies; made again if they were forgotten.
    pub(super) fn graph(&self) -> &Graph {
        self.graph.get_or_init(|| depend::graph(&self.lists))
    }

    /// Frees the memory of the known dependencies.
    pub(super) fn forget_graph(&mut self) {
        self.graph.take();
    }

    /// What the lists say to a search for an order.
    pub(super) fn observations(&self) -> observe::Observations<'_, 'a> {
        observe::Observations::new(&self.lists)
    }

    /// Why one transaction precedes another.
    pub(super) fn because(&self, edge: &Edge, from: &str, to: &str) -> String {
        words::because(&self.lists, edge, from, to)
    }
}

impl Lists<'_> {
    fn writer(&self, element: u32) -> u32 {
        self.transactions.writer(element)
    }

    fn is_live(&self, txn: u32) -> bool {
        txn != NONE && self.live[txn as usize]
    }

    /// The last element a read saw that another transaction wrote, and `counts` accepts.
    fn last_foreign(&self, reader: u32, step: usize, counts: impl Fn(u32) -> bool) -> Option<u32> {
        let at = &self.transactions.steps[step];
        let Access::Read(read) = at.access() else { return None };
        let fits = |element: &u32| self.writer(*element) != reader && counts(*element);
        let order = &self.order[at.key() as usize];
        let version = self.version[step];
        if version != NONE && version as usize <= order.len() {
            return order[..version as usize].iter().copied().rev().find(fits);
        }
        let list = self.transactions.list(read).iter().rev();
        list.filter_map(|value| self.transactions.element(at.key(), *value)).find(fits)
    }

    fn steps(&self, txn: u32) -> std::ops::Range<usize> {
        self.transactions.step_indexes(txn)
    }

    fn value(&self, element: u32) -> Atom {
        self.transactions.elements[element as usize].value
    }

    /// The value of an element in few letters.
    fn shown(&self, element: u32) -> String {
        self.transactions.shown(self.value(element))
    }
}
