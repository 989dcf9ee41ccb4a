//! Do the transactions of a history fit a consistency model, and if not, why not?
//!
//! [`check`] infers from what reads returned in which order writes took effect, draws the dependencies
//! between transactions from that, and looks for cycles and for results that no order explains. After
//! Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations" (VLDB 2020),
//! whose names of anomalies it uses.
//!
//! Every anomaly reported is one: *invalid* is right. *Valid* is right, too: there is an order that explains
//! the history. With lists the reads show it; with registers they show it only in part, so that where no
//! anomaly is found an order is looked for, and the answer is *unknown* if the limits end the search.
//!
//! ```
//! use history::{pair, read_jsonl};
//! use checker::Answer;
//! use checker::transactions::{Options, Workload, check};
//!
//! let file = r#"{"history":1,"spec":"doc","variant":"main","model":"list-append","seed":1,"started":"2026-11-23T10:00:00Z"}
//! {"time":1,"process":0,"type":"invoke","f":"txn","value":[["r","x",null],["append","y",1]]}
//! {"time":2,"process":1,"type":"invoke","f":"txn","value":[["r","y",null],["append","x",1]]}
//! {"time":3,"process":0,"type":"ok","f":"txn","value":[["r","x",[]],["append","y",1]]}
//! {"time":4,"process":1,"type":"ok","f":"txn","value":[["r","y",[]],["append","x",1]]}
//! "#;
//! let operations = pair(&read_jsonl(file.as_bytes())?.events)?;
//! let verdict = check(&operations, &Options::new(Workload::ListAppend));
//! assert_eq!(verdict.answer, Answer::Invalid);
//! assert_eq!(verdict.anomalies[0].name.name(), "G2-item");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod anomaly;
mod causes;
mod components;
mod consistency;
mod cycles;
mod decide;
mod fan;
mod findings;
mod graph;
mod index;
mod levels;
mod list_append;
mod lists;
mod observed;
mod orders;
mod parse;
mod path;
mod rw_register;
mod time;
mod verdict;
mod view;
mod writers;

pub use anomaly::{Cycle, Means, Name, Order, View};
pub use consistency::{Consistency, UnknownConsistency};
pub use levels::{Level, Levels, check_levels};
pub use verdict::{ALLOWED, Anomaly, Dependency, Options, Verdict, Workload};

use crate::Answer;
use decide::Analysis;
use findings::Findings;
use history::ToOperations;

/// What is wrong with the transactions, and whether the model asked for allows it.
///
/// An operation's argument (and, if it is `ok`, its result) is a list of micro-operations as [`Workload`]
/// describes them. Every key starts empty. Only the order of [`Operation::invoked`](history::Operation::invoked) and
/// [`completed`](history::Operation::completed) matters, and equal ones are concurrent. Of a transaction of unknown outcome
/// that wrote something another transaction read, all writes happened; of another, nothing is concluded.
pub fn check(operations: &(impl ToOperations + ?Sized), options: &Options<'_>) -> Verdict {
    let operations = &*operations.to_operations();
    let mut findings = Findings::default();
    match Analysis::new(operations, options.workload, &mut findings, &options.limits) {
        Ok(mut analysis) => {
            analysis.make_room_for(options.model);
            let unsure = analysis.decide(options.model, &mut findings, &options.limits);
            let excluded = findings.excluded;
            let mut verdict = Verdict::new(options.model, findings, analysis.size(), unsure);
            if options.weaker && verdict.answer == Answer::Invalid {
                verdict.weaker =
                    Some(levels::weaker_than(options.model, &analysis, excluded, &options.limits));
            }
            verdict
        }
        Err(reason) => Verdict::new(options.model, findings, (operations.len(), 0), Some(reason)),
    }
}
