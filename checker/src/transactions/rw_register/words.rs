//! Says why one transaction precedes another.

use super::super::cycles::Edge;
use super::super::graph::kind;
use super::super::parse::NONE;
use super::Registers;
use super::depend::{Times, final_write};
use super::versions::value_of;

/// Why the transaction called `a` precedes the one called `b`.
pub(super) fn because(registers: &Registers<'_>, times: &Times, edge: &Edge, a: &str, b: &str) -> String {
    let transactions = &registers.transactions;
    if edge.kind == kind::WR {
        let key = transactions.shown_key(transactions.elements[edge.why as usize].key);
        return format!("{b} read key {key} as {}, which {a} wrote", value_of(transactions, edge.why));
    }
    let seen =
        registers.seen.iter().find(|seen| seen.first() && seen.txn == edge.from && seen.key() == edge.why);
    let written = final_write(registers, edge.to, edge.why).unwrap_or(NONE);
    let Some(seen) = seen else { return format!("{a} read what {b} replaced") };
    let [read, wrote] = [seen.version, written].map(|version| value_of(transactions, version));
    let key = transactions.shown_key(edge.why);
    if seen.version == NONE {
        format!("{a} read key {key} as {read}, as it was before {b} wrote {wrote}")
    } else if edge.kind == kind::RW_IN_TIME && written != NONE && times.before(seen.version, written) {
        format!(
            "{a} read key {key} as {read}, and {b} wrote {wrote}, which was still being written or read when \
             {read} had been"
        )
    } else {
        format!("{a} read key {key} as {read}, which {b} read, too, and replaced by {wrote}")
    }
}
