//! Makes a proof that there is no order small: the fewest transactions that contradict each other.

use super::super::anomaly::{Means, Name, Order};
use super::super::consistency::Consistency;
use super::super::findings::Findings;
use super::super::observed::{Observed, Seen};
use super::cases;
use super::encode::Problem;
use super::prune::{Pruned, prune};
use super::search::{Outcome, Search};
use super::start;
use crate::limits::Limits;
use rustc_hash::FxHashSet;

/// Smaller sets that are tried, and conflicts in each.
const TRIALS: usize = 400;
const CONFLICTS: u64 = 2_000;

/// Reports that no order of some transactions, found by a search among all, explains their reads.
pub(super) fn report(
    observed: &Observed<'_, '_>,
    model: Consistency,
    txns: Vec<u32>,
    findings: &mut Findings,
    limits: &Limits<'_>,
) {
    let Some(means) = model.means() else { return };
    let order = model.order();
    let txns = shrink(observed, means, order, txns, limits);
    findings.add_proof(observed.transactions, Name::NoOrder(means, order), || {
        let respects = match order {
            Order::Data => "",
            Order::Process => " and respects the order of each process",
            Order::RealTime => " and respects real time",
        };
        let summary =
            format!("no order of these {}, {}, explains all reads{respects}", txns.len(), means.in_words());
        let among: FxHashSet<u32> = txns.iter().copied().collect();
        let problem = Problem::new(observed, means, order, &|txn| among.contains(&txn));
        (txns, summary, cases::in_words(&problem, observed, order))
    });
}

/// Leaves out transactions as long as the rest contradicts itself.
fn shrink(
    observed: &Observed<'_, '_>,
    means: Means,
    order: Order,
    mut txns: Vec<u32>,
    limits: &Limits<'_>,
) -> Vec<u32> {
    txns.sort_unstable();
    let among: FxHashSet<u32> = txns.iter().copied().collect();
    let reads: Vec<Seen> = observed.reads.iter().filter(|read| among.contains(&read.txn)).copied().collect();
    let mut chunk = txns.len().div_ceil(2);
    let mut trials = TRIALS;
    while chunk > 0 {
        let mut start = 0;
        let mut smaller = false;
        while start < txns.len() {
            if trials == 0 || limits.stopped() {
                return txns;
            }
            trials -= 1;
            let end = (start + chunk).min(txns.len());
            let kept: Vec<u32> = txns[..start].iter().chain(&txns[end..]).copied().collect();
            match contradiction(&Observed { reads: &reads, ..*observed }, means, order, &kept, limits) {
                Some(core) => {
                    smaller = true;
                    // Those before the start that are left were needed.
                    start = core.iter().take_while(|txn| **txn < txns[start]).count();
                    txns = core;
                }
                None => start = end,
            }
        }
        if !smaller || chunk > 1 {
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
    }
    txns
}

/// Those of some transactions that contradict each other, if any do: all of them where that follows only from what all
/// together allow.
pub(super) fn contradiction(
    observed: &Observed<'_, '_>,
    means: Means,
    order: Order,
    txns: &[u32],
    limits: &Limits<'_>,
) -> Option<Vec<u32>> {
    let among: FxHashSet<u32> = txns.iter().copied().collect();
    let reads: Vec<Seen> = observed.reads.iter().filter(|read| among.contains(&read.txn)).copied().collect();
    let observed = &Observed { reads: &reads, ..*observed };
    let problem = || Problem::new(observed, means, order, &|txn| among.contains(&txn));
    match impossible(problem(), observed, limits) {
        None if !observed.choices.is_empty() => {}
        core => return core,
    }
    let mut pruned = problem();
    let impossible = match prune(&mut pruned, observed, order, limits) {
        Pruned::Impossible => true,
        Pruned::Unfit => false,
        Pruned::Done => impossible(pruned, observed, limits).is_some(),
    };
    impossible.then(|| txns.to_vec())
}

/// The transactions of a problem that contradict each other, as far as some conflicts show it.
fn impossible(problem: Problem, observed: &Observed<'_, '_>, limits: &Limits<'_>) -> Option<Vec<u32>> {
    let order = match start::order(&problem, observed) {
        Ok(order) => order,
        Err(cycle) => return Some(problem.txns_of(&cycle)),
    };
    let mut search = Search::new(problem, &order);
    match search.run(CONFLICTS, limits) {
        Outcome::Impossible(core) => Some(search.problem.txns_of(&core)),
        Outcome::Found(_) | Outcome::Open | Outcome::GaveUp => None,
    }
}
