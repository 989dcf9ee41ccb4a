//! The table from what happened to a request to the outcome of its operation.
//!
//! The rule behind it: `ok` and `fail` need proof. Where the request may have reached the system and no
//! definite answer came back, the outcome is unknown; so is everything that the table does not list.

use crate::operation::{Function, Operation};
use history::Outcome;
use serde_json::Value;

/// The error of an operation whose answer has no value where it should stand.
pub const NO_VALUE: &str = "no-value";

/// What happened to the request of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// The connection was refused.
    Refused,
    /// The operation's time ran out before there was a connection.
    ConnectTimeout,
    /// There was no connection for another reason.
    Unreachable,
    /// The connection ended before a byte of the request was written.
    NotSent,
    /// The time ran out after bytes may have left.
    Timeout,
    /// The connection was reset after bytes may have left.
    Reset,
    /// The connection ended before the answer was complete.
    Closed,
    /// What came back is not HTTP.
    Garbled,
    /// The exchange broke in another way after bytes may have left.
    Broken,
    /// The helper ended after bytes may have left.
    HelperExited,
    /// The helper wrote something that is no answer to the request.
    HelperNonsense,
    /// The run was interrupted after bytes may have left.
    Cancelled,
    /// An answer came back.
    Answered(Answer),
}

impl Happened {
    /// In words, for messages.
    pub fn in_words(&self) -> &'static str {
        match self {
            Self::Refused => "the connection was refused",
            Self::ConnectTimeout => "there was no connection in time",
            Self::Unreachable => "it cannot be reached",
            Self::NotSent => "the connection had ended before",
            Self::Timeout => "there was no answer in time",
            Self::Reset => "the connection was reset",
            Self::Closed => "the connection ended before the answer did",
            Self::Garbled => "what came back is not HTTP, or too long",
            Self::Broken => "the connection broke",
            Self::HelperExited => "the helper ended",
            Self::HelperNonsense => "the helper wrote something that is no answer",
            Self::Cancelled => "the run was interrupted",
            Self::Answered(_) => "it answered",
        }
    }
}

/// What an answer says, in no system's words; an [`Adapter`](crate::Adapter) translates.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The operation was applied.
    Applied,
    /// The key holds this value; null: it is absent.
    Value(Value),
    /// A `cas` was refused because the key holds this value; null: it is absent.
    Precondition(Value),
    /// A `cas` was refused because the key holds another value than expected; which one is not said. An `acquire`, because
    /// somebody has the lock; a `release`, because the client does not.
    Differs,
    /// It certainly was not applied and never will be.
    NotApplied,
    /// The same, because this node stands by for another and takes no commands of clients.
    Standby,
    /// The same, and another node takes it, which is named, by its address, a URL or its name.
    Elsewhere(String),
    /// The request itself was refused, as malformed or too large.
    Rejected,
    /// The body is not what such an answer has.
    Unreadable,
    /// What it has where the value should stand is none that a client can have written.
    NoValue,
    /// An HTTP status to which the system gives no definite meaning for this operation.
    Unlisted(u16),
    /// A helper says that it certainly was not applied and never will be, with its word for the reason.
    Failed(String),
    /// A helper does not know whether it was applied, with its word for the reason.
    Unknown(String),
}

impl Answer {
    /// Whether it settles the command even if earlier attempts under the same name may have been applied:
    /// a store that knows the name answers those with the first result.
    pub(crate) fn is_last_word(&self, maybe_applied: bool) -> bool {
        match self {
            Self::Applied | Self::Value(_) | Self::Precondition(_) | Self::Differs => true,
            Self::Rejected => !maybe_applied,
            Self::NotApplied
            | Self::Standby
            | Self::Elsewhere(_)
            | Self::Unreadable
            | Self::NoValue
            | Self::Unlisted(_)
            | Self::Failed(_)
            | Self::Unknown(_) => false,
        }
    }
}

/// The outcome of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// As the history has it.
    pub outcome: Outcome,
    /// Whether the client should go to another replica.
    pub move_on: bool,
}

/// The outcome of an operation to whose request this happened.
pub fn ending(operation: &Operation, happened: Happened) -> Ending {
    match happened {
        Happened::Refused => fail("connection-refused"),
        Happened::ConnectTimeout => fail("connect-timeout"),
        Happened::Unreachable => fail("unreachable"),
        Happened::NotSent => fail("not-sent"),
        Happened::Timeout => info("timeout"),
        Happened::Reset => info("reset"),
        Happened::Closed => info("closed"),
        Happened::Garbled => info("garbled"),
        Happened::Broken => info("broken"),
        Happened::HelperExited => info("helper-exited"),
        Happened::HelperNonsense => info("helper-nonsense"),
        Happened::Cancelled => info("cancelled"),
        Happened::Answered(answer) => answered(operation, answer),
    }
}

/// The part of the table for answers.
fn answered(operation: &Operation, answer: Answer) -> Ending {
    use Function::{
        Acquire, Add, Append, Cas, Delete, Dequeue, Echo, Enqueue, Generate, Get, Poll, Put, Read, Release,
        Send, Total, Transfer, Txn, Write,
    };
    match (answer, operation.function) {
        (
            Answer::Applied,
            Write | Cas | Put | Delete | Append | Transfer | Enqueue | Add | Acquire | Release,
        ) => ok(operation.argument.clone()),
        (Answer::Value(value), Read | Get | Txn | Total | Dequeue | Generate | Echo | Send | Poll) => {
            ok(value)
        }
        (Answer::Precondition(actual), Cas | Transfer) => Ending {
            outcome: Outcome::Fail { error: Some("precondition".to_owned()), actual: Some(actual) },
            move_on: false,
        },
        (Answer::Differs, Cas | Acquire | Release) => Ending {
            outcome: Outcome::Fail { error: Some("precondition".to_owned()), actual: None },
            move_on: false,
        },
        (Answer::Applied, Read | Get | Txn | Total | Dequeue | Generate | Echo | Send | Poll)
        | (
            Answer::Value(_),
            Write | Cas | Put | Delete | Append | Transfer | Enqueue | Add | Acquire | Release,
        )
        | (
            Answer::Precondition(_),
            Read | Write | Get | Put | Delete | Append | Txn | Total | Enqueue | Dequeue | Add | Generate
            | Echo | Send | Poll | Acquire | Release,
        )
        | (
            Answer::Differs,
            Read | Write | Get | Put | Delete | Append | Txn | Transfer | Total | Enqueue | Dequeue | Add
            | Generate | Echo | Send | Poll,
        ) => info("unexpected"),
        (Answer::NotApplied, _) => fail("unavailable"),
        (Answer::Standby | Answer::Elsewhere(_), _) => fail("standby"),
        (Answer::Rejected, _) => Ending { move_on: false, ..fail("rejected") },
        (Answer::Unreadable, _) => info("garbled"),
        (Answer::NoValue, _) => info(NO_VALUE),
        (Answer::Unlisted(status), _) => info(&format!("http-{status}")),
        (Answer::Failed(error), _) => fail(&error),
        (Answer::Unknown(error), _) => info(&error),
    }
}

/// It happened.
fn ok(result: Value) -> Ending {
    Ending { outcome: Outcome::Ok(result), move_on: false }
}

/// It certainly did not happen.
fn fail(error: &str) -> Ending {
    Ending { outcome: Outcome::Fail { error: Some(error.to_owned()), actual: None }, move_on: true }
}

/// The outcome is unknown.
fn info(error: &str) -> Ending {
    Ending { outcome: Outcome::Info { error: Some(error.to_owned()) }, move_on: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::Kind;
    use serde_json::json;

    fn operation(function: Function) -> Operation {
        let argument = if function.is_read() { Value::Null } else { json!([1, 2]) };
        Operation { function, key: "k1".to_owned(), argument }
    }

    /// What the table says, as kind, error and whether the client moves on.
    fn row(function: Function, happened: &Happened) -> (Kind, Option<String>, bool) {
        let Ending { outcome, move_on } = ending(&operation(function), happened.clone());
        let error = match &outcome {
            Outcome::Ok(_) => None,
            Outcome::Fail { error, .. } | Outcome::Info { error } => error.clone(),
        };
        (outcome.kind(), error, move_on)
    }

    #[test]
    fn connection_errors_mean_the_same_for_all() {
        for (happened, kind, error) in [
            (Happened::Refused, Kind::Fail, "connection-refused"),
            (Happened::ConnectTimeout, Kind::Fail, "connect-timeout"),
            (Happened::Unreachable, Kind::Fail, "unreachable"),
            (Happened::NotSent, Kind::Fail, "not-sent"),
            (Happened::Timeout, Kind::Info, "timeout"),
            (Happened::Reset, Kind::Info, "reset"),
            (Happened::Closed, Kind::Info, "closed"),
            (Happened::Garbled, Kind::Info, "garbled"),
            (Happened::Broken, Kind::Info, "broken"),
            (Happened::HelperExited, Kind::Info, "helper-exited"),
            (Happened::HelperNonsense, Kind::Info, "helper-nonsense"),
            (Happened::Cancelled, Kind::Info, "cancelled"),
        ] {
            for function in Function::ALL {
                assert_eq!(row(function, &happened), (kind, Some(error.to_owned()), true), "{function}");
            }
        }
    }

    #[test]
    fn answer_is_definite_only_if_it_fits() {
        for function in Function::ALL {
            let unexpected = || (Kind::Info, Some("unexpected".to_owned()), true);
            let row = |answer| row(function, &Happened::Answered(answer));
            let ok = || (Kind::Ok, None, false);
            let read = function.finds_value() || matches!(function, Function::Txn | Function::Echo);
            assert_eq!(row(Answer::Applied), if read { unexpected() } else { ok() }, "{function}");
            assert_eq!(row(Answer::Value(json!(3))), if read { ok() } else { unexpected() }, "{function}");
            let refused = (Kind::Fail, Some("precondition".to_owned()), false);
            let refusable = matches!(function, Function::Cas | Function::Transfer);
            let expected = if refusable { refused } else { unexpected() };
            assert_eq!(row(Answer::Precondition(Value::Null)), expected, "{function}");
            assert_eq!(row(Answer::NotApplied), (Kind::Fail, Some("unavailable".to_owned()), true));
            assert_eq!(row(Answer::Standby), (Kind::Fail, Some("standby".to_owned()), true));
            let elsewhere = row(Answer::Elsewhere("n2".to_owned()));
            assert_eq!(elsewhere, (Kind::Fail, Some("standby".to_owned()), true));
            assert_eq!(row(Answer::Rejected), (Kind::Fail, Some("rejected".to_owned()), false));
            assert_eq!(row(Answer::Unreadable), (Kind::Info, Some("garbled".to_owned()), true));
            assert_eq!(row(Answer::NoValue), (Kind::Info, Some("no-value".to_owned()), true));
            assert_eq!(row(Answer::Unlisted(500)), (Kind::Info, Some("http-500".to_owned()), true));
            let full = || "disk full".to_owned();
            assert_eq!(row(Answer::Failed(full())), (Kind::Fail, Some(full()), true));
            assert_eq!(row(Answer::Unknown(full())), (Kind::Info, Some(full()), true));
        }
    }

    #[test]
    fn results_are_values_read_or_requested() {
        let outcome = |function, answer| ending(&operation(function), Happened::Answered(answer)).outcome;
        assert_eq!(outcome(Function::Read, Answer::Value(json!(3))), Outcome::Ok(json!(3)));
        assert_eq!(outcome(Function::Write, Answer::Applied), Outcome::Ok(json!([1, 2])));
        let failed = outcome(Function::Cas, Answer::Precondition(Value::Null));
        assert!(matches!(failed, Outcome::Fail { actual: Some(Value::Null), .. }), "{failed:?}");
    }
}
