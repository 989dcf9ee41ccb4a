//! Doubts about how a file was read: what it leaves open is read in the other way too.
//!
//! A file may be cut, may have equal times, or may mean another thing by a failed compare-and-set. Where the other reading
//! has the other answer, the file does not say which is right, and the answer is unknown.

use super::check::{Checked, End};
use super::check_report::CheckReport;
use formats::{FailedCas, Options, Ties};
use history::{OperationRef, Operations, OutcomeRef};
use report::Answer;
use serde_json::Value;

/// Reads and judges the same file again, with other options; none if it cannot be read so.
pub(super) type Again<'a> = &'a dyn Fn(&Options) -> Option<Checked>;

/// Makes an answer unknown that hangs on what the file leaves open.
pub(super) fn settle(checked: &mut Checked, options: &Options, again: Again<'_>) {
    match checked.report.answer {
        Answer::Valid if checked.history.end == End::OpenLine => {
            let whole = again(&Options { whole_last_line: true, ..options.clone() });
            if whole.is_some_and(|whole| whole.report.answer == Answer::Invalid) {
                doubt(
                    &mut checked.report,
                    "but with the last line it is invalid: it has no line feed, so that it may be cut off; end it with one \
                     if it is whole",
                );
            }
        }
        Answer::Invalid => invalid(checked, options, again),
        Answer::Valid | Answer::Unknown | Answer::Failed => {}
    }
}

fn invalid(checked: &mut Checked, options: &Options, again: Again<'_>) {
    let file = &checked.history.converted;
    if file.cut_hides {
        doubt(
            &mut checked.report,
            "unless what is cut off explains it: the file ends early, and operations behind its end may have begun before \
             others in it",
        );
        return;
    }
    if file.chosen_order {
        let reading = |ties| again(&Options { ties, ..options.clone() });
        if checked.history.reorders
            && let Some(other) = reading(Ties::Backward).filter(|other| other.report.answer == Answer::Valid)
        {
            *checked = other;
            return;
        }
        let apart = if checked.history.reorders { reading(Ties::Apart) } else { None };
        // Where all of them may be concurrent and nothing explains the history, no order does.
        if apart.is_none_or(|apart| apart.report.answer != Answer::Invalid) {
            doubt(
                &mut checked.report,
                "unless events of the same time came in another order: several processes complete an operation and begin the \
                 next at one time; write finer times",
            );
            return;
        }
    }
    if file.guessed_failed_cas {
        let other = again(&Options { failed_cas: Some(FailedCas::DidNotHappen), ..options.clone() });
        if other.is_some_and(|other| other.report.answer != Answer::Invalid) {
            doubt(
                &mut checked.report,
                "unless a failed compare-and-set says only that it did not happen; say --failed-cas did-not-happen or \
                 --failed-cas value-differed",
            );
        }
    }
}

fn doubt(report: &mut CheckReport, why: &str) {
    report.answer = Answer::Unknown;
    report.reason = format!("{}, {why}", report.reason);
}

/// Why an initial state with keys does not fit operations that have none; nothing if it may.
pub(super) fn stranger_keys(model: &str, operations: &Operations, initial: &Value) -> Option<&'static str> {
    let one_object = ["register", "cas-register", "sequential-register"].contains(&model);
    let maps = |operation: OperationRef<'_>| {
        operation.key.is_some()
            || operation.argument.is_object()
            || matches!(operation.outcome, OutcomeRef::Ok(value) if value.is_object())
    };
    let stranger =
        one_object && initial.is_object() && !operations.is_empty() && !operations.iter().any(maps);
    stranger.then_some("it has a value for each key, and the operations have no keys; give one value")
}
