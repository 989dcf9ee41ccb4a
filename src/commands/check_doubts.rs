//! Doubts about an invalid answer: whether it hangs on what the file does not say, and was taken for granted.
//!
//! A history that was read wrongly must not be told as a broken promise. Each doubt is another reading of the same
//! file; where one of them fits the model, the answer is unknown and names the option that settles it.

use super::check_report::{Bounds, CheckReport, judge};
use checker::linearizability::Model;
use checker::property::Property;
use checker::{answers, initial};
use history::Operation;
use report::Answer;

/// What was taken for granted.
pub(super) struct Doubts {
    /// That keys start empty.
    pub(super) initial: bool,
    /// The model, by the names and values of the operations.
    pub(super) model: bool,
    /// That the file has the operations of all clients, though it has those of one.
    pub(super) lone_client: Option<u64>,
}

/// Makes an invalid answer unknown if another reading of the file fits.
pub(super) fn settle(
    report: &mut CheckReport,
    operations: &[Operation],
    property: Property,
    bounds: &Bounds,
    doubts: &Doubts,
) {
    if let Some(client) = doubts.lone_client {
        // The revision of the store counts every change, whoever made it.
        let counted = |operation: &&Operation| operation.key.as_deref() == Some(formats::STORE_REVISION);
        let revisions: Vec<Operation> = operations.iter().filter(counted).cloned().collect();
        if revisions.is_empty() || judge(&revisions, property, bounds).answer != Answer::Invalid {
            doubt(
                report,
                &format!(
                    "unless others wrote as well: the file has only the operations of client {client}; give the folder \
                     with the files of all clients"
                ),
            );
            return;
        }
    }
    if matches!(property, Property::Transactions(_))
        && let Some((completed, first)) = answers::with_left_out_writes(operations)
    {
        let again = judge(&completed, property, bounds);
        if again.answer == Answer::Valid {
            doubt(
                report,
                &format!(
                    "unless the steps took effect that answers leave out, the first of them operation {first}'s; an \
                     answer should have every step of its request"
                ),
            );
            return;
        }
        *report = again;
    }
    if doubts.initial
        && let Some(value) = initial::candidate(operations, property)
        && let Ok(started) = initial::prepend(operations.to_vec(), property, &value)
    {
        let again = judge(&started, property, bounds);
        if again.answer == Answer::Valid {
            doubt(
                report,
                &format!(
                    "unless the history starts from {value}; say --initial '{value}', or --initial null if it starts empty"
                ),
            );
            return;
        }
        if again.answer == Answer::Invalid {
            report.reason =
                format!("{}; a start from {value} does not explain the history either", report.reason);
        }
    }
    if doubts.model && property == Property::Linearizable(Model::Mutex) {
        let other = Property::Linearizable(Model::ReentrantMutex);
        if judge(operations, other, bounds).answer == Answer::Valid {
            doubt(
                report,
                &format!(
                    "but each holder may acquire it again ({other}); say --model mutex or --model {other}"
                ),
            );
        }
    }
}

fn doubt(report: &mut CheckReport, unless: &str) {
    report.answer = Answer::Unknown;
    report.reason = format!("{}, {unless}", report.reason);
}
