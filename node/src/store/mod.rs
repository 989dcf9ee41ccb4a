//! The replicated state machine: a map from text to text, with each client's last result.

mod anonymous;
mod answer;
mod flat;
pub mod limited;
mod sessions;
mod transaction;

use crate::paxos::membership::{Change, Membership};
use crate::paxos::message::{Command, Slot};
use serde::{Deserialize, Serialize};
use sessions::Sessions;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value, shared by its command, the store, and answers.
pub type Value = Arc<String>;

/// Largest value, in bytes: the most that one request can carry. Appends could make longer ones.
pub const VALUE_MAX: usize = 1 << 20;

/// Largest total of the values in a transaction's answer, in bytes.
pub const ANSWER_MAX: usize = 4 << 20;

/// Largest number of operations in a transaction, commands in a batch, and accounts in a total.
pub const MANY: usize = 1_000;

/// The effect of a command on the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// No effect: fills a gap in the sequence of slots.
    Nothing,
    /// Reads a key.
    Get {
        /// The key.
        key: String,
    },
    /// Sets a key.
    Put {
        /// The key.
        key: String,
        /// Its new value.
        value: Value,
    },
    /// Removes a key.
    Delete {
        /// The key.
        key: String,
    },
    /// Sets a key if it has a given value, or (`from` is none) if it is absent.
    Cas {
        /// The key.
        key: String,
        /// The value it must have.
        from: Option<String>,
        /// Its new value.
        to: String,
    },
    /// Adds text to the end of a key's value; an absent key counts as empty.
    Append {
        /// The key.
        key: String,
        /// The appended text.
        value: String,
    },
    /// Adds to a key's number; an absent key counts as 0.
    Incr {
        /// The key.
        key: String,
        /// The addend; may be negative.
        #[serde(deserialize_with = "crate::json_integer::deserialize")]
        by: i64,
    },
    /// Moves money from one account to another.
    ///
    /// An account is a key with a number. An absent account holds 0, and no account goes below 0.
    Transfer {
        /// The paying account.
        from: String,
        /// The receiving account.
        to: String,
        /// The amount.
        #[serde(deserialize_with = "crate::json_integer::deserialize")]
        amount: u64,
    },
    /// Adds money to an account.
    Deposit {
        /// The account.
        key: String,
        /// The amount.
        #[serde(deserialize_with = "crate::json_integer::deserialize")]
        amount: u64,
    },
    /// Withdraws money from an account.
    Withdraw {
        /// The account.
        key: String,
        /// The amount.
        #[serde(deserialize_with = "crate::json_integer::deserialize")]
        amount: u64,
    },
    /// Reads several accounts atomically.
    Total {
        /// The accounts.
        #[serde(deserialize_with = "limited::deserialize")]
        accounts: Vec<String>,
    },
    /// Applies several operations atomically.
    Transaction {
        /// The operations, in order.
        #[serde(deserialize_with = "flat::operations")]
        operations: Vec<Operation>,
    },
    /// Adds and removes members of the cluster.
    Reconfigure {
        /// The change.
        change: Change,
    },
    /// Drops the configuration before the one that this version of the membership introduced.
    Retire {
        /// The version.
        version: u64,
    },
}

/// The result of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Success.
    Done,
    /// The key's value, or none if it is absent.
    Value(Option<Value>),
    /// The key to be deleted was absent.
    Absent,
    /// The compare-and-set found another value (or none).
    Differs(Option<Value>),
    /// The value is not a number, or the sum does not fit one.
    NotANumber(Value),
    /// The command, or a later one of its client, was applied before; the result is forgotten.
    Forgotten,
    /// The change is decided and takes effect later.
    Reconfigured {
        /// The version of the membership.
        version: u64,
        /// The first slot that the new members decide.
        from: Slot,
    },
    /// The balance of each account, in the order of the request.
    Balances(Vec<(String, i64)>),
    /// The result of each operation of a transaction.
    Results(#[serde(deserialize_with = "flat::deserialize")] Vec<Answer>),
    /// A transaction was aborted, because the operation at this index (from 0) had this result.
    Aborted(usize, #[serde(deserialize_with = "flat::deserialize")] Box<Answer>),
    /// The operation is impossible, for this reason.
    Refused(String),
    /// It was applied before, but its answer was too large to keep.
    NotKept {
        /// Whether it may have changed the store; false if its condition did not hold.
        changed: bool,
    },
    /// No effect, because the answer would exceed [`ANSWER_MAX`] bytes.
    TooLarge,
}

/// One replica's copy of the store.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Store {
    values: BTreeMap<String, Value>,
    sessions: Sessions,
    membership: Membership,
}

impl Store {
    /// An empty store of a cluster with these members.
    pub fn new(membership: Membership) -> Self {
        Self { membership, ..Self::default() }
    }

    /// The membership after the applied commands.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// The result of a command that was applied before.
    ///
    /// None if it was not, or if it only reads and may be applied again.
    pub fn result(&self, command: &Command) -> Option<Answer> {
        self.sessions.result(command)
    }

    /// Stores the result of a client's command, so that a retry gets it and is not applied again.
    pub fn remember(&mut self, command: &Command, answer: &Answer) {
        self.sessions.remember(command, answer);
    }

    /// The flaw `snapshot-forgets-results`: the same values without results of clients.
    #[must_use]
    pub fn without_results(&self) -> Self {
        Self { values: self.values.clone(), membership: self.membership.clone(), ..Self::default() }
    }

    /// Applies an operation; a change of the members would take effect at slot `from`.
    pub fn apply(&mut self, operation: &Operation, from: Slot) -> Answer {
        match operation {
            Operation::Nothing => Answer::Done,
            Operation::Get { key } => Answer::Value(self.values.get(key).cloned()),
            Operation::Put { key, value } => {
                match self.values.get_mut(key) {
                    Some(old) => *old = Arc::clone(value),
                    None => drop(self.values.insert(key.clone(), Arc::clone(value))),
                }
                Answer::Done
            }
            Operation::Delete { key } => self.values.remove(key).map_or(Answer::Absent, |_| Answer::Done),
            Operation::Cas { key, from, to } => {
                let actual = self.values.get(key);
                if actual.map(|actual| actual.as_str()) != from.as_deref() {
                    return Answer::Differs(actual.cloned());
                }
                self.values.insert(key.clone(), Arc::new(to.clone()));
                Answer::Done
            }
            Operation::Append { key, value } => self.append(key, value),
            Operation::Incr { key, by } => self.increment(key, *by),
            Operation::Deposit { key, amount } => self.move_money(None, Some(key), *amount),
            Operation::Withdraw { key, amount } => self.move_money(Some(key), None, *amount),
            Operation::Transfer { from, to, amount } => self.move_money(Some(from), Some(to), *amount),
            Operation::Total { accounts } => self.total(accounts),
            Operation::Transaction { operations } => self.transact(operations, from),
            Operation::Reconfigure { change } => match self.membership.change(from, change) {
                Ok(()) => Answer::Reconfigured { version: self.membership.version, from },
                Err(reason) => Answer::Refused(reason),
            },
            Operation::Retire { version } => {
                self.membership.retire(*version);
                Answer::Done
            }
        }
    }

    fn append(&mut self, key: &str, more: &str) -> Answer {
        let has = self.values.get(key).map_or(0, |value| value.len());
        if has + more.len() > VALUE_MAX {
            return Answer::Refused(format!(
                "a value may have {VALUE_MAX} bytes at most, but this one has {has}"
            ));
        }
        match self.values.get_mut(key) {
            Some(value) => Arc::make_mut(value).push_str(more),
            None => drop(self.values.insert(key.to_owned(), Arc::new(more.to_owned()))),
        }
        Answer::Done
    }

    fn increment(&mut self, key: &str, by: i64) -> Answer {
        let old = self.values.get(key).map_or("0", |value| value.as_str());
        let Some(sum) = old.parse::<i64>().ok().and_then(|old| old.checked_add(by)) else {
            return Answer::NotANumber(Arc::new(old.to_owned()));
        };
        let sum = Arc::new(sum.to_string());
        self.values.insert(key.to_owned(), Arc::clone(&sum));
        Answer::Value(Some(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Arc::new(text.to_owned())
    }

    #[test]
    fn each_operation_gives_its_answer() {
        let mut store = Store::default();
        let key = || "k".to_owned();
        let mut apply = |operation| store.apply(&operation, 1);
        assert_eq!(apply(Operation::Get { key: key() }), Answer::Value(None));
        assert_eq!(apply(Operation::Cas { key: key(), from: None, to: "1".into() }), Answer::Done);
        let cas = Operation::Cas { key: key(), from: None, to: "2".into() };
        assert_eq!(apply(cas), Answer::Differs(Some(value("1"))));
        assert_eq!(apply(Operation::Incr { key: key(), by: -3 }), Answer::Value(Some(value("-2"))));
        assert_eq!(apply(Operation::Append { key: key(), value: "x".into() }), Answer::Done);
        assert_eq!(apply(Operation::Incr { key: key(), by: 1 }), Answer::NotANumber(value("-2x")));
        assert_eq!(apply(Operation::Delete { key: key() }), Answer::Done);
        assert_eq!(apply(Operation::Delete { key: key() }), Answer::Absent);
        assert_eq!(apply(Operation::Put { key: key(), value: value(&i64::MAX.to_string()) }), Answer::Done);
        assert_eq!(
            apply(Operation::Incr { key: key(), by: 1 }),
            Answer::NotANumber(value(&i64::MAX.to_string()))
        );
    }

    #[test]
    fn transfers_preserve_the_total_and_overdraw_nothing() {
        let mut store = Store::default();
        let name = |key: &str| key.to_owned();
        let mut apply = |operation| store.apply(&operation, 1);
        assert_eq!(
            apply(Operation::Deposit { key: name("a"), amount: 10 }),
            Answer::Value(Some(value("10")))
        );
        assert_eq!(apply(Operation::Transfer { from: name("a"), to: name("b"), amount: 7 }), Answer::Done);
        let transfer = Operation::Transfer { from: name("a"), to: name("b"), amount: 4 };
        assert!(matches!(apply(transfer), Answer::Refused(_)));
        assert_eq!(apply(Operation::Transfer { from: name("b"), to: name("b"), amount: 7 }), Answer::Done);
        assert_eq!(apply(Operation::Withdraw { key: name("b"), amount: 7 }), Answer::Value(Some(value("0"))));
        let total = Operation::Total { accounts: vec![name("a"), name("b"), name("c")] };
        assert_eq!(apply(total), Answer::Balances(vec![(name("a"), 3), (name("b"), 0), (name("c"), 0)]));
        apply(Operation::Put { key: name("b"), value: value("rich") });
        let transfer = Operation::Transfer { from: name("a"), to: name("b"), amount: 1 };
        assert_eq!(apply(transfer), Answer::NotANumber(value("rich")));
        assert_eq!(apply(Operation::Get { key: name("a") }), Answer::Value(Some(value("3"))));
    }

    #[test]
    fn transaction_is_atomic() {
        let mut store = Store::default();
        let (key, other) = (|| "k".to_owned(), || "o".to_owned());
        let put = |text: &str| Operation::Put { key: key(), value: value(text) };
        let operations = vec![
            put("1"),
            Operation::Append { key: key(), value: "2".into() },
            Operation::Get { key: key() },
        ];
        let results = Answer::Results(vec![Answer::Done, Answer::Done, Answer::Value(Some(value("12")))]);
        assert_eq!(store.apply(&Operation::Transaction { operations }, 1), results);
        let cas = Operation::Cas { key: other(), from: Some("x".into()), to: "y".into() };
        let delete = Operation::Delete { key: key() };
        let operations = vec![put("9"), Operation::Incr { key: other(), by: 1 }, delete, cas];
        let aborted = Answer::Aborted(3, Box::new(Answer::Differs(Some(value("1")))));
        assert_eq!(store.apply(&Operation::Transaction { operations }, 1), aborted);
        assert_eq!((store.get("k").map(|value| value.as_str()), store.get("o")), (Some("12"), None));
    }

    #[test]
    fn appends_stop_at_the_longest_value() {
        let mut store = Store::default();
        let mut append = |bytes| {
            let value = "x".repeat(bytes);
            store.apply(&Operation::Append { key: "k".into(), value }, 1)
        };
        assert_eq!(append(VALUE_MAX - 1), Answer::Done);
        assert!(matches!(append(2), Answer::Refused(_)));
        assert_eq!(append(1), Answer::Done);
        assert_eq!(store.get("k").map(|value| value.len()), Some(VALUE_MAX));
    }

    #[test]
    fn transactions_with_huge_answers_change_nothing() {
        let mut store = Store::default();
        let (big, other) = ("big".to_owned(), "other".to_owned());
        store.apply(&Operation::Put { key: big.clone(), value: Arc::new("x".repeat(VALUE_MAX - 100)) }, 1);
        let mut operations = vec![Operation::Put { key: other.clone(), value: value("1") }];
        operations.extend((0..ANSWER_MAX / VALUE_MAX).map(|_| Operation::Get { key: big.clone() }));
        assert!(matches!(
            store.apply(&Operation::Transaction { operations: operations.clone() }, 1),
            Answer::Results(_)
        ));
        store.apply(&Operation::Delete { key: other.clone() }, 1);
        operations.push(Operation::Get { key: big });
        assert_eq!(store.apply(&Operation::Transaction { operations }, 1), Answer::TooLarge);
        assert_eq!(store.get(&other), None);
    }

    #[test]
    fn lists_end_at_the_limit() {
        let list = |count: usize| {
            let operations = vec![r#"{"get":{"key":"a"}}"#; count].join(",");
            serde_json::from_str::<Operation>(&format!(
                r#"{{"transaction":{{"operations":[{operations}]}}}}"#
            ))
        };
        assert!(list(MANY).is_ok());
        let error = list(MANY + 1).unwrap_err().to_string();
        assert!(error.contains("at most 1000"), "{error}");
    }
}
