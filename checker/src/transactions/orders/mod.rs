//! Decides the models that promise an order: is there one that explains every read?
//!
//! Where values are unique, reads show who wrote what they saw. Open is the order of the writes. [`start`] makes a first
//! one, [`search`] repairs it or proves that there is none, and [`core`] makes such a proof small. Where values were
//! written more than once, it is also open who wrote what a read saw; [`prune`] leaves few of the candidates.

mod cases;
mod core;
mod encode;
mod guide;
mod heap;
mod origins;
mod progress;
mod prune;
mod restarts;
mod search;
mod solver;
mod start;
mod topology;

use super::anomaly::{Means, Order};
use super::consistency::Consistency;
use super::findings::Findings;
use super::observed::Observed;
use crate::certificate::transactions::Moment;
use crate::limits::Limits;
use encode::Problem;
use prune::{Pruned, prune};
use search::{Outcome, Search};

/// Conflicts of the first attempt; each further one may take twice as many.
const CONFLICTS: u64 = 2_000;

/// What was found out about a model.
#[derive(Debug)]
pub(super) enum Proof {
    /// There is an order: when each transaction read and wrote.
    Order(Vec<Moment>),
    /// There is none: the transactions that contradict each other.
    Impossible(Vec<u32>),
    /// The limits ended the search.
    Unknown,
}

/// A model that is searched for.
struct Attempt {
    model: Consistency,
    search: Search,
    /// Whether what it goes by was concluded from all transactions, so that those it names prove nothing alone.
    pruned: bool,
}

impl Attempt {
    /// Whether it has every candidate of every read, although it goes by real time.
    fn is_hopeless(&self) -> bool {
        let open = !self.search.problem.open.is_empty();
        open && !self.pruned && self.model.order() == Order::RealTime
    }

    /// The transactions that contradict each other, of those that the search names.
    fn core(&self, observed: &Observed<'_, '_>, core: &[u32], limits: &Limits<'_>) -> Vec<u32> {
        let txns = self.search.problem.txns_of(core);
        if !self.pruned {
            return txns;
        }
        let (means, order) = (self.model.means().expect("it was searched for"), self.model.order());
        core::contradiction(observed, means, order, &txns, limits)
            .unwrap_or_else(|| self.search.problem.txns.clone())
    }
}

/// Adds what is wrong; says why it remains open, if it does.
pub(super) fn prove(
    observed: &Observed<'_, '_>,
    model: Consistency,
    findings: &mut Findings,
    limits: &Limits<'_>,
) -> Option<String> {
    let mut models = model.stronger_searches();
    if model.means().is_some_and(|means| observed.choices.is_empty() || means.may_choose()) {
        models.insert(0, model);
    }
    orders_first(model, &mut models, !observed.choices.is_empty());
    models.retain(|model| observed.choices.is_empty() || model.means().is_some_and(Means::may_choose));
    match decide(observed, model, models, limits) {
        Proof::Order(order) => {
            findings.order = order;
            None
        }
        Proof::Impossible(txns) => {
            core::report(observed, model, txns, findings, limits);
            None
        }
        Proof::Unknown => Some(format!(
            "no anomaly that {model} forbids was found, but reads show the order of the writes only in part, \
             and no order that explains them was found in time"
        )),
    }
}

/// Puts models with the order of sessions in front of one of the data alone. Sessions say much of the order, and nearly
/// every store respects them: with them an order is found in seconds where the data alone leave it open for minutes.
/// Where it is also open who wrote what a read saw, real time says still more, and comes before both.
fn orders_first(model: Consistency, models: &mut Vec<Consistency>, choices: bool) {
    if model.order() == Order::Data {
        put_first(model, models, Order::Process);
    }
    if choices && model.order() != Order::RealTime {
        put_first(model, models, Order::RealTime);
    }
}

/// Puts the models in front that respect an order and promise as much as serializability or the model asked for.
fn put_first(model: Consistency, models: &mut Vec<Consistency>, order: Order) {
    let respecting = |means: Option<Means>| {
        let found = models.iter().find(|other| other.order() == order && other.means() == means);
        found.copied().filter(|_| means.is_some())
    };
    let first = [respecting(Consistency::Serializable.means()), respecting(model.means())];
    let mut first: Vec<Consistency> = first.into_iter().flatten().collect();
    first.dedup();
    models.retain(|other| !first.contains(other));
    models.splice(0..0, first);
}

/// Searches for an order.
///
/// A stronger model may be easier to prove. So while the model asked for is open, those that imply it get as many
/// conflicts; whatever order one of them has will do.
fn decide(
    observed: &Observed<'_, '_>,
    model: Consistency,
    mut waiting: Vec<Consistency>,
    limits: &Limits<'_>,
) -> Proof {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut conflicts = CONFLICTS;
    loop {
        // Every attempt there is goes on, and a new one begins, until all have begun.
        if !waiting.is_empty() {
            let next = waiting.remove(0);
            match begin(observed, next, limits) {
                // Without candidates that go, real time only adds to what is to be decided.
                Ok(attempt) if next != model && attempt.is_hopeless() => {}
                Ok(attempt) => attempts.push(attempt),
                Err(txns) if next == model => return Proof::Impossible(txns),
                Err(_) => {}
            }
        }
        let mut index = 0;
        while let Some(attempt) = attempts.get_mut(index) {
            match attempt.search.run(conflicts, limits) {
                Outcome::Found(order) => {
                    return Proof::Order(moments(&attempt.search.problem, &order));
                }
                Outcome::Impossible(core) if attempt.model == model => {
                    return Proof::Impossible(attempt.core(observed, &core, limits));
                }
                Outcome::Open => index += 1,
                Outcome::Impossible(_) | Outcome::GaveUp => drop(attempts.remove(index)),
            }
            if limits.stopped() {
                return Proof::Unknown;
            }
        }
        if attempts.is_empty() && waiting.is_empty() {
            return Proof::Unknown;
        }
        if waiting.is_empty() {
            conflicts *= 2;
        }
    }
}

/// A search for a model among all transactions; those that contradict each other if that is known at once.
fn begin(observed: &Observed<'_, '_>, model: Consistency, limits: &Limits<'_>) -> Result<Attempt, Vec<u32>> {
    let means = model.means().expect("only models that promise an order are searched for");
    let mut problem = Problem::new(observed, means, model.order(), &|_| true);
    let mut order = start::order(&problem, observed).map_err(|cycle| problem.txns_of(&cycle))?;
    let mut pruned = false;
    if !problem.open.is_empty() {
        pruned = match prune(&mut problem, observed, model.order(), limits) {
            Pruned::Done => true,
            Pruned::Unfit => false,
            Pruned::Impossible => return Err(problem.txns),
        };
        order = start::order(&problem, observed).map_err(|_| problem.txns.clone())?;
    }
    Ok(Attempt { model, search: Search::new(problem, &order), pruned })
}

/// When each transaction read and wrote, in an order of nodes.
fn moments(problem: &Problem, order: &[u32]) -> Vec<Moment> {
    let of = |node: &u32| {
        let entry = problem.entry(*node)?;
        let operation = problem.txns[entry as usize];
        Some(match (problem.commit, *node == entry) {
            (0, _) => Moment::Whole(operation),
            (_, true) => Moment::Reads(operation),
            (_, false) => Moment::Writes(operation),
        })
    };
    order.iter().filter_map(of).collect()
}
