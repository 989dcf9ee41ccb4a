//! Proves that a history in which no anomaly was found fits a model, or that it does not.
//!
//! The order of the versions shows only in part. For serializability and for snapshot isolation an order of
//! the transactions is looked for that explains every read. For weaker models nothing is left to do: where
//! no circle of reads of writes was found, the writes can have been in any order that respects these.

use super::super::anomaly::{Means, Name, Order};
use super::super::consistency::Consistency;
use super::super::findings::Findings;
use super::super::parse::{NONE, small};
use super::Registers;
use super::precedence::{self, Precedence};
use super::serialization_search::{self, Outcome, Wanted};
use crate::limits::Limits;

/// The most transactions of a history that is cut down to those that contradict each other.
const CUT_DOWN: usize = 400;
/// Transactions looked at before the precedence is computed: at first, and for each transaction.
const FIRST_LOOKS: u64 = 200_000;
const LOOKS_EACH: u64 = 50;
/// Transactions looked at in the last attempt.
const LOOKS: u64 = 20_000_000;
/// Attempts with the writers in another order: an early mistake may show late.
const ATTEMPTS: u32 = 40;

/// Adds what is wrong; says why it remains open, if it does.
pub(in super::super) fn prove(
    registers: &Registers<'_>,
    model: Consistency,
    findings: &mut Findings,
    limits: &Limits<'_>,
) -> Option<String> {
    let (means, order) = (model.means()?, model.order());
    match decide(registers, means, order, &|_| true, limits) {
        Outcome::Found => None,
        Outcome::Impossible => {
            let txns = core(registers, means, order, limits);
            findings.add(&registers.transactions, Name::NoOrder(means, order), || {
                let count = txns.len();
                let respects = match order {
                    Order::Data => "",
                    Order::Process => " and respects the order of each process",
                    Order::RealTime => " and respects real time",
                };
                let one_by_one = match means {
                    Means::OneByOne => "one after the other",
                    Means::Snapshots => "each reading one snapshot",
                };
                let summary =
                    format!("no order of these {count}, {one_by_one}, explains all reads{respects}");
                (txns, summary)
            });
            None
        }
        Outcome::GaveUp => Some(format!(
            "no anomaly that {model} forbids was found, but reads show the order of the writes only in part, \
             and no order that explains them was found in time"
        )),
    }
}

fn decide(
    registers: &Registers<'_>,
    means: Means,
    order: Order,
    among: &dyn Fn(u32) -> bool,
    limits: &Limits<'_>,
) -> Outcome {
    let looks = FIRST_LOOKS + LOOKS_EACH * registers.live.len() as u64;
    let snapshots = means == Means::Snapshots;
    let wanted = Wanted { order, snapshots, among, pairs: &[], attempt: 0, looks };
    let outcome = serialization_search::search(registers, &wanted, limits);
    if outcome != Outcome::GaveUp || limits.stopped() {
        return outcome;
    }
    let pairs = match precedence::find(registers, means, order, among, limits) {
        Precedence::Cycle => return Outcome::Impossible,
        Precedence::Unknown => Vec::new(),
        Precedence::Pairs(pairs) => pairs,
    };
    let attempts = (0..ATTEMPTS).map(|attempt| Wanted { pairs: &pairs, attempt, ..wanted });
    let last = Wanted { pairs: &pairs, looks: LOOKS, ..wanted };
    let mut outcomes =
        attempts.chain([last]).map(|wanted| serialization_search::search(registers, &wanted, limits));
    outcomes.find(|outcome| *outcome != Outcome::GaveUp || limits.stopped()).unwrap_or(Outcome::GaveUp)
}

/// The transactions that contradict each other, in a small history; all in a large one.
fn core(registers: &Registers<'_>, means: Means, order: Order, limits: &Limits<'_>) -> Vec<u32> {
    let mut kept = registers.live.clone();
    let live = || (0..small(registers.live.len())).filter(|txn| registers.is_live(*txn));
    let mut shorter = live().count() <= CUT_DOWN;
    while std::mem::take(&mut shorter) {
        for txn in live().rev() {
            if !kept[txn as usize] || read_by_others(registers, &kept, txn) {
                continue;
            }
            kept[txn as usize] = false;
            let outcome = decide(registers, means, order, &|txn| kept[txn as usize], limits);
            kept[txn as usize] = outcome != Outcome::Impossible;
            shorter |= !kept[txn as usize];
        }
    }
    live().filter(|txn| kept[*txn as usize]).collect()
}

fn read_by_others(registers: &Registers<'_>, kept: &[bool], txn: u32) -> bool {
    registers.seen.iter().any(|seen| {
        seen.txn != txn
            && kept[seen.txn as usize]
            && seen.version != NONE
            && registers.transactions.writer(seen.version) == txn
    })
}
