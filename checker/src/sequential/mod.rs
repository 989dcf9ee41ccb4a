//! Sequential consistency of registers: one order of all operations, in which those of each process stand as it sent them.
//!
//! Problem: real time does not count, and the promise is not local: two keys that are each in order may contradict each
//! other. So the history is judged as a whole, and there is no zone of a key to look at. In general the problem is NP-complete
//! (Gibbons and Korach 1997), also where it is known which write each read saw.
//! Idea: where each value is written once, a read names its write. Orders that follow from this are added until nothing
//! follows any more (`saturation.rs`); a cycle of them proves a violation. Without one, an order is built write by write, along
//! the times at which writes seem to have happened, with backtracking (`search.rs`).
//! Why it is right: every edge of the saturation holds in each possible order, so a cycle excludes all. The search leaves out
//! nothing but orders that cannot be completed, and steps that change nothing for any other operation. A valid verdict has
//! the order, and [`confirm`] replays it without any of this.
//! Cost: the saturation takes a few rounds over the operations times the processes. The search is exponential where it must
//! backtrack, and ends with *unknown* at its limits.
//!
//! Operations of unknown outcome may happen at any time after the operations before them, or never; what somebody read of
//! them happened. A process is not its client: after an unknown outcome a client goes on as another process.

mod confirm;
mod graph;
mod items;
mod saturation;
mod search;

pub use confirm::{Misplaced, confirm};

use crate::limits::Limits;
use crate::words;
use history::{Operations, ToOperations};
use items::{Encoded, Items};
use saturation::{Edge, Reason, Saturated};
use search::Found;

/// Operations that are written out where a search found no order.
const SHOWN: usize = 12;

/// What a history proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// One order explains every result.
    Valid {
        /// That order: operations by their indexes in the slice. What is left out never happened, or says nothing.
        order: Vec<u32>,
    },
    /// No order does.
    Invalid {
        /// Why, in one sentence without its full stop.
        reason: String,
        /// What contradicts itself, a line each.
        evidence: Vec<String>,
        /// The operations of it, by their indexes in the slice.
        operations: Vec<u32>,
    },
    /// The history does not say, or the limits were reached.
    Unknown {
        /// Why, in one sentence without its full stop.
        reason: String,
    },
}

/// Checks a history of registers, each absent at first: `read` (or `get`), `write` (or `put`) and `cas`. Operations may come in
/// any order.
pub fn check(operations: &(impl ToOperations + ?Sized), limits: &Limits<'_>) -> Verdict {
    let operations = &*operations.to_operations();
    let items = match items::encode(operations) {
        Encoded::Items(items) => items,
        Encoded::Impossible { reason, operation } => {
            return Verdict::Invalid { reason, evidence: Vec::new(), operations: vec![operation] };
        }
        Encoded::NotUnderstood(reason) => return Verdict::Unknown { reason },
    };
    let order = match saturation::saturate(&items, limits) {
        Saturated::Order(edges) => search::search(&items, &edges, limits),
        Saturated::Cycle(cycle) => return contradiction(&items, &cycle, operations),
        Saturated::Stopped(why) => return Verdict::Unknown { reason: why.to_owned() },
    };
    match order {
        Found::Order(order) => {
            let order: Vec<u32> = order.into_iter().map(|item| items.all[item as usize].operation).collect();
            assert_eq!(confirm(operations, &order), Ok(()), "an order that was found explains everything");
            Verdict::Valid { order }
        }
        Found::None { explained, stuck } => {
            let evidence = stuck.iter().take(SHOWN).map(|item| {
                let item = items.all[*item as usize];
                let short = words::in_short(operations.at(item.operation as usize));
                let who = words::who(operations.at(item.operation as usize));
                format!("operation {} of {who}: {short}", item.operation)
            });
            Verdict::Invalid {
                reason: format!(
                    "no order explains all of {} operations; the longest that keeps each process in order explains {explained}, \
                     and none of the next operations fits behind it",
                    items.required
                ),
                evidence: evidence.collect(),
                operations: stuck.iter().map(|item| items.all[*item as usize].operation).collect(),
            }
        }
        Found::Stopped { configurations } => Verdict::Unknown {
            reason: format!(
                "no order was found among {configurations} configurations, and the search was not over"
            ),
        },
    }
}

/// The verdict for a cycle, each edge of which holds in every order.
fn contradiction(items: &Items<'_>, cycle: &[Edge], operations: &Operations) -> Verdict {
    let number = |item: u32| items.all[item as usize].operation;
    let short = |item: u32| {
        let number = number(item);
        format!("operation {number} ({})", words::in_short(operations.at(number as usize)))
    };
    let line = |edge: &Edge| {
        let why = match edge.reason {
            Reason::Process => {
                format!("{} sent it first", words::who(operations.at(number(edge.from) as usize)))
            }
            Reason::ReadsFrom => "the value that it wrote was found there".to_owned(),
            Reason::FoundAbsent => "it found no value yet".to_owned(),
            Reason::BeforeRead { read } => {
                format!("it comes before operation {}, which still found what the other wrote", number(read))
            }
            Reason::AfterWrite { write } => format!(
                "it found what operation {} wrote, and the other comes after that and overwrites it",
                number(write)
            ),
        };
        format!("{} comes before operation {}: {why}", short(edge.from), number(edge.to))
    };
    let mut numbers: Vec<u32> = cycle.iter().map(|edge| number(edge.from)).collect();
    let first = cycle.iter().map(|edge| short(edge.from)).next().unwrap_or_default();
    let reason = format!(
        "{first} would have to come before itself in an order that keeps each process in order: {} operations contradict each \
         other",
        numbers.len()
    );
    numbers.sort_unstable();
    numbers.dedup();
    Verdict::Invalid { reason, evidence: cycle.iter().map(line).collect(), operations: numbers }
}
