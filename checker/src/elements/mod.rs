//! Checks that ask what became of each element, instead of searching for an order of all operations.
//!
//! Sets, counters, queues, ids and accounts have promises that can be settled element by element: what was
//! acknowledged must be there, what is there must have been asked for. That is weaker than linearizability, is what a
//! system that is only eventually consistent can promise too, and takes near-linear time whatever the concurrency.
//! The definitions stand in the documentation of each [`Kind`]; they are those of Jepsen's `checker.clj`, `tests/bank.clj`
//! and Maelstrom's `pn_counter.clj`, and where they differ, it says so.
//!
//! Common to all:
//! - *Before* and *after* are the order of events, never times. An operation is *acknowledged* if it completed `ok`.
//! - What `fail`ed certainly did not happen; what is `info` may happen at any moment from its invocation on.
//! - A read of `null` found nothing there: the empty set, the counter at 0. Numbers may be text, as in `"17"`.
//! - Operations with keys are judged key by key.
//! - What is not understood makes the answer unknown, unless something is proven to be broken that it cannot explain:
//!   what it changes shows from its invocation on, on its key. So does a history in which nothing could have been broken.
//!
//! ```
//! use checker::Answer;
//! use checker::elements::{Class, Kind, check};
//! use history::{pair, read_jsonl};
//!
//! let file = r#"{"history":1,"spec":"a lost add","variant":"main","model":"set","seed":1,"started":"2026-11-23T10:00:00Z"}
//! {"time":1,"process":0,"type":"invoke","f":"add","value":7}
//! {"time":2,"process":0,"type":"ok","f":"add","value":7}
//! {"time":3,"process":0,"type":"invoke","f":"read"}
//! {"time":4,"process":0,"type":"ok","f":"read","value":[]}
//! "#;
//! let operations = pair(&read_jsonl(file.as_bytes())?.events)?;
//! let verdict = check(Kind::SetFinal, &operations);
//! assert_eq!(verdict.answer, Answer::Invalid);
//! assert_eq!((verdict.findings[0].class, verdict.findings[0].value.as_i64()), (Class::Lost, Some(7)));
//! for line in verdict.evidence(&operations) {
//!     println!("{line}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adya_g2;
mod balances;
mod bank;
mod bounds;
mod causal_reverse;
mod convergence;
mod counting;
mod echo;
mod kafka;
mod kind;
mod ledger;
mod long_fork;
mod monotonic;
mod presence;
mod queue;
mod queueing;
mod set;
mod set_full;
mod sums;
mod total_queue;
mod unique_ids;
mod values;
mod verdict;

pub use kind::{Kind, UnknownKind};
pub use verdict::{Class, Finding, Latencies, Verdict};

use history::{Operations, ToOperations};
use ledger::Ledger;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// What a check needs to know beside the history. The default is what the history alone can say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// [`Kind::SetFull`]: an element that a read missed after it was known to be there makes the history invalid.
    /// [`Kind::Monotonic`]: rows of different processes must count up in the order of their timestamps, too.
    pub linearizable: bool,
    /// [`Kind::SetFinal`]: an element that a final read has more than once makes the history invalid.
    pub once: bool,
    /// [`Kind::Bank`]: the names of all accounts, numbers by their digits. Without it, the accounts are those that
    /// transfers name, and those that more than half of the reads have.
    pub accounts: Option<BTreeSet<String>>,
    /// [`Kind::Bank`]: what all accounts hold together. Without it, what most reads say.
    pub total: Option<i64>,
    /// [`Kind::Bank`]: whether an account may hold less than nothing.
    pub negative_balances: bool,
    /// [`Kind::Bank`]: what every account held at first, where transfers and reads keep to real time. Then each balance that
    /// is read must be one that the transfers before it, and some of those around it, lead to.
    pub opening: Option<i64>,
}

/// Checks a history with the default [`Options`]. Operations may come in any order; findings name them by their
/// index in the slice.
pub fn check(kind: Kind, operations: &(impl ToOperations + ?Sized)) -> Verdict {
    let operations = &*operations.to_operations();
    check_with(kind, operations, &Options::default())
}

/// Checks a history.
pub fn check_with(kind: Kind, operations: &(impl ToOperations + ?Sized), options: &Options) -> Verdict {
    let operations = &*operations.to_operations();
    let mut ledger = Ledger::new(kind, operations);
    if kind == Kind::AdyaG2 && !operations.is_empty() {
        // Its keys are so small that only all of them together prove anything.
        adya_g2::judge(&(0..operations.len()).collect::<Vec<_>>(), &mut ledger);
        return ledger.close();
    }
    let mut ordered = false;
    for (key, own) in by_key(operations) {
        ledger.turn_to(key);
        match kind {
            Kind::SetFinal => set::judge(&own, options.once, &mut ledger),
            Kind::SetFull => set_full::judge(&own, options.linearizable, &mut ledger),
            Kind::CounterBounds => bounds::judge(&own, &mut ledger),
            Kind::GCounter => convergence::judge(&own, true, &mut ledger),
            Kind::PnCounter => convergence::judge(&own, false, &mut ledger),
            Kind::Queue => queue::judge(&own, &mut ledger),
            Kind::TotalQueue => total_queue::judge(&own, false, &mut ledger),
            Kind::ExactlyOnceQueue => total_queue::judge(&own, true, &mut ledger),
            Kind::UniqueIds => unique_ids::judge(&own, &mut ledger),
            Kind::Bank => bank::judge(&own, options, &mut ledger),
            Kind::Monotonic => monotonic::judge(&own, options.linearizable, &mut ledger),
            Kind::CausalReverse => ordered |= causal_reverse::judge(&own, &mut ledger),
            Kind::LongFork => long_fork::judge(&own, &mut ledger),
            Kind::Kafka => kafka::judge(&own, &mut ledger),
            Kind::Echo => echo::judge(&own, &mut ledger),
            Kind::AdyaG2 => {}
        }
    }
    if kind == Kind::CausalReverse && !ordered && !operations.is_empty() {
        ledger.turn_to(None);
        ledger.doubt(
            "no read shows a write that began after another was over, so no order could have been broken",
        );
    }
    ledger.close()
}

/// The indexes of the operations of each key, keys in the order of their first operation.
fn by_key(operations: &Operations) -> Vec<(Option<&str>, Vec<usize>)> {
    let mut indexes: FxHashMap<Option<&str>, usize> = FxHashMap::default();
    let mut keys: Vec<(Option<&str>, Vec<usize>)> = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        let key = operation.key;
        let slot = *indexes.entry(key).or_insert_with(|| {
            keys.push((key, Vec::new()));
            keys.len() - 1
        });
        keys[slot].1.push(index);
    }
    keys
}
