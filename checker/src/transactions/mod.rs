//! Do the transactions of a history fit a consistency model, and if not, why not?
//!
//! [`check`] infers from what reads returned in which order writes took effect, draws the dependencies
//! between transactions from that, and looks for cycles and for results that no order explains. After
//! Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations" (VLDB 2020),
//! whose names of anomalies it uses.
//!
//! Every anomaly reported is one: *invalid* is right. *Valid* is right, too: there is an order that explains
//! the history. With lists the reads show it; with registers they show it only in part, so that where no
//! anomaly is found an order is looked for, and the answer is *unknown* if none was found in time.
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
mod components;
mod consistency;
mod cycles;
mod fan;
mod findings;
mod graph;
mod list_append;
mod parse;
mod path;
mod rw_register;
mod time;
mod verdict;

pub use anomaly::{Cycle, Means, Name, Order};
pub use consistency::{Consistency, UnknownConsistency};
pub use verdict::{ALLOWED, Anomaly, Dependency, Options, Verdict, Workload};

use crate::Answer;
use findings::Findings;
use history::Operation;

/// What is wrong with the transactions, and whether the model asked for allows it.
///
/// An operation's argument (and, if it is `ok`, its result) is a list of micro-operations as [`Workload`]
/// describes them. Every key starts empty. Only the order of [`Operation::invoked`] and
/// [`Operation::completed`] matters, and equal ones are concurrent. Of a transaction of unknown outcome
/// that wrote something another transaction read, all writes happened; of another, nothing is concluded.
pub fn check(operations: &[Operation], options: &Options<'_>) -> Verdict {
    let transactions = match parse::parse(operations, options.workload) {
        Ok(transactions) => transactions,
        Err(reason) => return verdict(options, Findings::default(), (operations.len(), 0), Some(reason)),
    };
    let size = (operations.len(), transactions.keys.len());
    if transactions.committed().next().is_none() {
        let reason = "no transaction is known to have happened, so nothing is proven".to_owned();
        return verdict(options, Findings::default(), size, Some(reason));
    }
    let mut findings = Findings::default();
    let (finished, ambiguity) = match options.workload {
        Workload::ListAppend => {
            list_append::check(transactions, options.model, &mut findings, &options.limits)
        }
        Workload::RwRegister => {
            rw_register::check(transactions, options.model, &mut findings, &options.limits)
        }
    };
    let unsure = if finished {
        ambiguity
    } else {
        Some("time was up before every anomaly had been looked for".to_owned())
    };
    verdict(options, findings, size, unsure)
}

fn verdict(
    options: &Options<'_>,
    findings: Findings,
    (transactions, keys): (usize, usize),
    unsure: Option<String>,
) -> Verdict {
    let answer = if findings.excluded.contains(options.model) {
        Answer::Invalid
    } else if unsure.is_some() {
        Answer::Unknown
    } else {
        Answer::Valid
    };
    let mut anomalies = findings.anomalies;
    anomalies.sort_by_key(|anomaly| anomaly.name);
    Verdict {
        answer,
        model: options.model,
        transactions,
        keys,
        anomalies,
        counts: findings.counts,
        excluded: findings.excluded.models(),
        weakest_excluded: findings.excluded.weakest(),
        unsure,
    }
}
