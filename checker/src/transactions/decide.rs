//! The steps of a check: analyze a history once, then decide any number of models.

use super::anomaly::{Means, Name, Order, View};
use super::consistency::{Consistency, Decides};
use super::cycles::{self, Edge};
use super::findings::Findings;
use super::graph::{Graph, Link, kind};
use super::observed::Observed;
use super::parse::{NONE, Transactions, parse};
use super::verdict::Workload;
use super::view::{self, Extent, Missed};
use super::{list_append, orders, rw_register};
use crate::limits::Limits;
use history::Operations;

/// What is known of a history before a model is asked for.
#[derive(Debug)]
pub(super) enum Analysis<'a> {
    Lists(list_append::Analysis<'a>),
    Registers(rw_register::Analysis<'a>),
}

impl<'a> Analysis<'a> {
    /// Finds every anomaly that known dependencies show.
    ///
    /// # Errors
    /// Why nothing can be decided.
    pub(super) fn new(
        operations: &'a Operations,
        workload: Workload,
        findings: &mut Findings,
        limits: &Limits<'_>,
    ) -> Result<Self, String> {
        let transactions = parse(operations, workload)?;
        if transactions.committed().next().is_none() {
            return Err("no transaction is known to have happened, so nothing is proven".to_owned());
        }
        let analysis = match workload {
            Workload::ListAppend => list_append::analyze(transactions, findings, limits).map(Self::Lists),
            Workload::RwRegister => rw_register::analyze(transactions, findings, limits).map(Self::Registers),
        };
        analysis.ok_or_else(|| "time was up before every anomaly had been looked for".to_owned())
    }

    /// Transactions and keys.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.transactions().len(), self.transactions().keys.len())
    }

    fn transactions(&self) -> &Transactions<'a> {
        match self {
            Self::Lists(lists) => lists.transactions(),
            Self::Registers(registers) => registers.transactions(),
        }
    }

    fn graph(&self) -> &Graph {
        match self {
            Self::Lists(lists) => lists.graph(),
            Self::Registers(registers) => registers.graph(),
        }
    }

    /// Frees the memory of the known dependencies, if a search for an order decides the model: it makes its own.
    pub(super) fn make_room_for(&mut self, model: Consistency) {
        if matches!(model.decides(), Decides::Search(_)) {
            match self {
                Self::Lists(lists) => lists.forget_graph(),
                Self::Registers(registers) => registers.forget_graph(),
            }
        }
    }

    fn because(&self, edge: &Edge, from: &str, to: &str) -> String {
        match self {
            Self::Lists(lists) => lists.because(edge, from, to),
            Self::Registers(registers) => registers.because(edge, from, to),
        }
    }

    /// Adds what is wrong under a model; says why it remains open, if it does.
    pub(super) fn decide(
        &self,
        model: Consistency,
        findings: &mut Findings,
        limits: &Limits<'_>,
    ) -> Option<String> {
        if findings.excluded.contains(model) {
            return None;
        }
        if let Some(ambiguity) = self.transactions().ambiguity() {
            // A search chooses among those that may have written a value.
            let Self::Registers(registers) = self else { return Some(ambiguity) };
            let open = orders::prove(&registers.observed(), model, findings, limits);
            let searched = model.means().is_some_and(Means::may_choose);
            return open.map(|open| if searched { format!("{open}; {ambiguity}") } else { ambiguity });
        }
        match (model.decides(), self) {
            // Under serializability the order of appends that no read shows does not matter, and all others are known.
            (Decides::Cycles, _) | (Decides::Search(Means::OneByOne), Self::Lists(_)) => None,
            (decides, Self::Lists(lists)) => {
                let observations = lists.observations();
                self.search(&observations.observed(), decides, model, findings, limits)
            }
            (decides, Self::Registers(registers)) => {
                self.search(&registers.observed(), decides, model, findings, limits)
            }
        }
    }

    fn search(
        &self,
        observed: &Observed<'_, '_>,
        decides: Decides,
        model: Consistency,
        findings: &mut Findings,
        limits: &Limits<'_>,
    ) -> Option<String> {
        match decides {
            Decides::Cycles => None,
            Decides::Search(_) => orders::prove(observed, model, findings, limits),
            Decides::View(view) => {
                let finished = self.look(observed, view, model.order(), findings, limits);
                (!finished).then(|| format!("the limits ended the search for what {model} forbids"))
            }
        }
    }

    /// Looks for transactions that do not see what a view must show; false if the limits ended it.
    fn look(
        &self,
        observed: &Observed<'_, '_>,
        view: View,
        order: Order,
        findings: &mut Findings,
        limits: &Limits<'_>,
    ) -> bool {
        let beside = if view::is_ordered(view, order) { kind::PROCESS } else { 0 };
        let kinds = kind::WW | kind::WR | beside;
        let mut missed = Vec::new();
        if view::has_known_pairs(view) {
            let Some(news) = view::missed(observed, view, Extent::News, limits) else { return false };
            let mut found = news.iter().any(|missed| missed.instead == NONE);
            let finished = self.look_for_cycles(kinds, &news, limits, &mut |_| found = true);
            if !found {
                return finished;
            }
            missed = news;
        }
        match view::missed(observed, view, Extent::All, limits) {
            Some(all) => missed = all,
            // What was found is wrong without the others, too.
            None if !missed.is_empty() => {}
            None => return false,
        }
        let name = Name::NoView(view, order);
        for missed in missed.iter().filter(|missed| missed.instead == NONE) {
            let read = observed.reads[missed.read as usize];
            let words = || (vec![read.txn, missed.writer], words(observed, view, missed, "T2", "T1"));
            findings.add(observed.transactions, name, words);
        }
        self.look_for_cycles(kinds, &missed, limits, &mut |edges| {
            findings.add_cycle(observed.transactions, name, edges, &|edge, from, to| match edge.kind {
                kind::VIEW => words(observed, view, &missed[edge.why as usize], from, to),
                _ => self.because(edge, from, to),
            });
        })
    }

    /// Looks for cycles of edges of some kinds and of pairs; false if the limits ended it.
    fn look_for_cycles(
        &self,
        kinds: u8,
        missed: &[Missed],
        limits: &Limits<'_>,
        report: &mut dyn FnMut(&[Edge]),
    ) -> bool {
        let links = links(missed);
        // Each of these cycles has a pair.
        if links.is_empty() {
            return !limits.stopped();
        }
        cycles::find_with(&self.graph().with(kinds, links), kind::VIEW, limits, report)
    }
}

/// The edges of pairs.
fn links(missed: &[Missed]) -> Vec<(u32, Link)> {
    let pairs = (0..).zip(missed).filter(|(_, missed)| missed.instead != NONE);
    let link = |(why, missed): (u32, &Missed)| (missed.writer, Link::new(missed.instead, kind::VIEW, why));
    pairs.map(link).collect()
}

/// Why a writer's version came before the one that was read instead.
fn words(observed: &Observed<'_, '_>, view: View, missed: &Missed, writer: &str, instead: &str) -> String {
    let transactions = observed.transactions;
    if missed.read == NONE {
        return match view {
            View::ReadsOfWriter => {
                format!("{instead}'s process had read from {writer} when {instead} wrote the same key")
            }
            _ => format!(
                "the process that issued {writer} issued {instead} later, and both wrote the same key"
            ),
        };
    }
    let read = observed.reads[missed.read as usize];
    let key = transactions.shown_key(read.key());
    let had_to = match view {
        View::Monotonic => "had read from it before",
        View::Atomic => "read from it, too",
        View::AtomicOfSession => "read from it, too, or its process had issued it before",
        View::Causes => "depends on it",
        View::OwnWrites => "came after it in the same process",
        View::OwnReads => "came after a read of it in the same process",
        View::WritesOfWriter => "read what the same process wrote later",
        View::ReadsOfWriter => "read what was written after a read of it",
    };
    if missed.instead == NONE {
        format!("{instead} read key {key} as it was at first, which {writer} wrote, and {instead} {had_to}")
    } else {
        let reader = read.txn;
        format!("{writer} wrote key {key}; operation {reader} {had_to}, and read what {instead} wrote")
    }
}
