//! Transactions of one step, for protocols that have none: a read of a list, or an append to it.

use crate::adapter::{Adapter, CommandName, HelperCounts, Performed, Speaker};
use crate::operation::{Function, Operation};
use crate::outcome::{Answer, Happened};
use crate::session::Target;
use serde_json::{Value, json};

/// An adapter that asks for the only step of each transaction.
pub(crate) struct SingleSteps(pub(crate) Box<dyn Adapter>);

impl Adapter for SingleSteps {
    fn speaker(&self) -> Box<dyn Speaker> {
        Box::new(SingleStepSpeaker(self.0.speaker()))
    }

    fn is_described(&self) -> bool {
        self.0.is_described()
    }

    fn helpers(&self) -> Option<HelperCounts> {
        self.0.helpers()
    }
}

struct SingleStepSpeaker(Box<dyn Speaker>);

/// The step as an operation of its own.
fn step(operation: &Operation) -> Operation {
    let [kind, key, value] = [0, 1, 2].map(|part| &operation.argument[0][part]);
    let (function, argument) =
        if kind == "r" { (Function::Read, Value::Null) } else { (Function::Append, value.clone()) };
    Operation { function, key: key.as_str().unwrap_or_default().to_owned(), argument }
}

impl Speaker for SingleStepSpeaker {
    fn perform<'a>(
        &'a mut self,
        target: &'a Target,
        operation: &'a Operation,
        name: Option<&'a CommandName>,
        sent: &'a mut bool,
    ) -> Performed<'a> {
        Box::pin(async move {
            let step = step(operation);
            match self.0.perform(target, &step, name, sent).await {
                Happened::Answered(Answer::Value(list)) => {
                    Happened::Answered(Answer::Value(json!([["r", step.key, list]])))
                }
                Happened::Answered(Answer::Applied) => {
                    Happened::Answered(Answer::Value(operation.argument.clone()))
                }
                happened => happened,
            }
        })
    }

    fn disconnect(&mut self) {
        self.0.disconnect();
    }

    fn unsent(&self) -> Happened {
        self.0.unsent()
    }

    fn last_answer(&self) -> Option<String> {
        self.0.last_answer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_become_reads_and_appends() {
        let txn = |argument| Operation { function: Function::Txn, key: String::new(), argument };
        let read = step(&txn(json!([["r", "k2", null]])));
        assert_eq!((read.function, read.key.as_str(), read.argument), (Function::Read, "k2", Value::Null));
        let append = step(&txn(json!([["append", "k1", 7]])));
        assert_eq!(
            (append.function, append.key.as_str(), append.argument),
            (Function::Append, "k1", json!(7))
        );
    }
}
