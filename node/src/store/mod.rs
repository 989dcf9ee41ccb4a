//! The replicated state machine: a map from text to text, with each client's last result.

mod flat;
mod sessions;
mod transaction;

use crate::paxos::membership::{Change, Membership};
use crate::paxos::message::Slot;
use serde::{Deserialize, Serialize};
use sessions::Sessions;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a command does to the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// Nothing: fills a gap in the sequence of slots.
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
        value: String,
    },
    /// Removes a key.
    Delete {
        /// The key.
        key: String,
    },
    /// Sets a key if it has a certain value, or (`from` is none) if it is absent.
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
        /// What is added.
        value: String,
    },
    /// Adds to a key's number; an absent key counts as 0.
    Incr {
        /// The key.
        key: String,
        /// What is added; may be negative.
        #[serde(deserialize_with = "crate::whole::deserialize")]
        by: i64,
    },
    /// Moves money from one account to another. An account is a key with a number; an absent one holds 0, and none goes
    /// below 0.
    Transfer {
        /// Whose money.
        from: String,
        /// Who gets it.
        to: String,
        /// How much.
        #[serde(deserialize_with = "crate::whole::deserialize")]
        amount: u64,
    },
    /// Adds money to an account.
    Deposit {
        /// The account.
        key: String,
        /// How much.
        #[serde(deserialize_with = "crate::whole::deserialize")]
        amount: u64,
    },
    /// Takes money from an account.
    Withdraw {
        /// The account.
        key: String,
        /// How much.
        #[serde(deserialize_with = "crate::whole::deserialize")]
        amount: u64,
    },
    /// Reads several accounts at once.
    Total {
        /// The accounts.
        accounts: Vec<String>,
    },
    /// Does several operations at once, all of them or none.
    Transaction {
        /// The operations, in order.
        #[serde(deserialize_with = "flat::deserialize")]
        operations: Vec<Operation>,
    },
    /// Adds and removes members of the cluster.
    Reconfigure {
        /// Whom.
        change: Change,
    },
    /// Lets go of the configuration before the one that this version of the membership brought.
    Retire {
        /// The version.
        version: u64,
    },
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done.
    Done,
    /// The key's value, or none if it is absent.
    Value(Option<String>),
    /// The key to be deleted was absent.
    Absent,
    /// The compare-and-set found another value (or none).
    Differs(Option<String>),
    /// The value is not a number, or the sum does not fit one.
    NotANumber(String),
    /// The client has since named a later command; the result of this one is forgotten.
    Forgotten,
    /// The members will have changed.
    Reconfigured {
        /// The version of the membership.
        version: u64,
        /// The slot from which on the new members decide.
        from: Slot,
    },
    /// What each account holds, in the order in which they were asked for.
    Balances(Vec<(String, i64)>),
    /// What each operation of a transaction came to.
    Results(#[serde(deserialize_with = "flat::deserialize")] Vec<Answer>),
    /// Nothing of a transaction was done, because the operation at this place (from 0) came to this.
    Aborted(usize, #[serde(deserialize_with = "flat::deserialize")] Box<Answer>),
    /// It cannot be done, for this reason.
    Refused(String),
}

/// A copy of the store, as one replica has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Store {
    values: BTreeMap<String, String>,
    sessions: Sessions,
    membership: Membership,
}

impl Store {
    /// An empty store of a cluster with these members.
    pub fn new(membership: Membership) -> Self {
        Self { membership, ..Self::default() }
    }

    /// Who the members are, as far as commands are applied.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&String> {
        self.values.get(key)
    }

    /// The result of a command that was applied before; none if it was not.
    pub fn result(&self, client: &str, sequence: u64) -> Option<Answer> {
        self.sessions.result(client, sequence)
    }

    /// Keeps the result of a client's command, so that a retry is answered and not applied.
    pub fn remember(&mut self, client: &Arc<str>, sequence: u64, answer: Answer) {
        self.sessions.remember(client, sequence, answer);
    }

    /// The flaw `snapshot-forgets-results`: the same values, and no client's result.
    #[must_use]
    pub fn without_results(&self) -> Self {
        Self { values: self.values.clone(), membership: self.membership.clone(), ..Self::default() }
    }

    /// Applies an operation; new members would decide from slot `from` on.
    pub fn apply(&mut self, operation: &Operation, from: Slot) -> Answer {
        match operation {
            Operation::Nothing => Answer::Done,
            Operation::Get { key } => Answer::Value(self.values.get(key).cloned()),
            Operation::Put { key, value } => {
                match self.values.get_mut(key) {
                    Some(old) => old.clone_from(value),
                    None => drop(self.values.insert(key.clone(), value.clone())),
                }
                Answer::Done
            }
            Operation::Delete { key } => self.values.remove(key).map_or(Answer::Absent, |_| Answer::Done),
            Operation::Cas { key, from, to } => {
                let actual = self.values.get(key);
                if actual != from.as_ref() {
                    return Answer::Differs(actual.cloned());
                }
                self.values.insert(key.clone(), to.clone());
                Answer::Done
            }
            Operation::Append { key, value } => {
                self.values.entry(key.clone()).or_default().push_str(value);
                Answer::Done
            }
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

    fn increment(&mut self, key: &str, by: i64) -> Answer {
        let old = self.values.get(key).map_or("0", String::as_str);
        let Some(sum) = old.parse::<i64>().ok().and_then(|old| old.checked_add(by)) else {
            return Answer::NotANumber(old.to_owned());
        };
        self.values.insert(key.to_owned(), sum.to_string());
        Answer::Value(Some(sum.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_does_what_it_says() {
        let mut store = Store::default();
        let key = || "k".to_owned();
        let mut apply = |operation| store.apply(&operation, 1);
        assert_eq!(apply(Operation::Get { key: key() }), Answer::Value(None));
        assert_eq!(apply(Operation::Cas { key: key(), from: None, to: "1".into() }), Answer::Done);
        let cas = Operation::Cas { key: key(), from: None, to: "2".into() };
        assert_eq!(apply(cas), Answer::Differs(Some("1".into())));
        assert_eq!(apply(Operation::Incr { key: key(), by: -3 }), Answer::Value(Some("-2".into())));
        assert_eq!(apply(Operation::Append { key: key(), value: "x".into() }), Answer::Done);
        assert_eq!(apply(Operation::Incr { key: key(), by: 1 }), Answer::NotANumber("-2x".into()));
        assert_eq!(apply(Operation::Delete { key: key() }), Answer::Done);
        assert_eq!(apply(Operation::Delete { key: key() }), Answer::Absent);
        assert_eq!(apply(Operation::Put { key: key(), value: i64::MAX.to_string() }), Answer::Done);
        assert_eq!(apply(Operation::Incr { key: key(), by: 1 }), Answer::NotANumber(i64::MAX.to_string()));
    }

    #[test]
    fn money_is_moved_but_never_made_and_no_account_goes_below_zero() {
        let mut store = Store::default();
        let name = |key: &str| key.to_owned();
        let mut apply = |operation| store.apply(&operation, 1);
        assert_eq!(
            apply(Operation::Deposit { key: name("a"), amount: 10 }),
            Answer::Value(Some("10".into()))
        );
        assert_eq!(apply(Operation::Transfer { from: name("a"), to: name("b"), amount: 7 }), Answer::Done);
        let transfer = Operation::Transfer { from: name("a"), to: name("b"), amount: 4 };
        assert!(matches!(apply(transfer), Answer::Refused(_)));
        assert_eq!(apply(Operation::Transfer { from: name("b"), to: name("b"), amount: 7 }), Answer::Done);
        assert_eq!(apply(Operation::Withdraw { key: name("b"), amount: 7 }), Answer::Value(Some("0".into())));
        let total = Operation::Total { accounts: vec![name("a"), name("b"), name("c")] };
        assert_eq!(apply(total), Answer::Balances(vec![(name("a"), 3), (name("b"), 0), (name("c"), 0)]));
        apply(Operation::Put { key: name("b"), value: name("rich") });
        let transfer = Operation::Transfer { from: name("a"), to: name("b"), amount: 1 };
        assert_eq!(apply(transfer), Answer::NotANumber("rich".into()));
        assert_eq!(apply(Operation::Get { key: name("a") }), Answer::Value(Some("3".into())));
    }

    #[test]
    fn a_transaction_happens_as_a_whole_or_not_at_all() {
        let mut store = Store::default();
        let (key, other) = (|| "k".to_owned(), || "o".to_owned());
        let put = |value: &str| Operation::Put { key: key(), value: value.into() };
        let operations = vec![
            put("1"),
            Operation::Append { key: key(), value: "2".into() },
            Operation::Get { key: key() },
        ];
        let results = Answer::Results(vec![Answer::Done, Answer::Done, Answer::Value(Some("12".into()))]);
        assert_eq!(store.apply(&Operation::Transaction { operations }, 1), results);
        let cas = Operation::Cas { key: other(), from: Some("x".into()), to: "y".into() };
        let delete = Operation::Delete { key: key() };
        let operations = vec![put("9"), Operation::Incr { key: other(), by: 1 }, delete, cas];
        let aborted = Answer::Aborted(3, Box::new(Answer::Differs(Some("1".into()))));
        assert_eq!(store.apply(&Operation::Transaction { operations }, 1), aborted);
        assert_eq!((store.get("k").map(String::as_str), store.get("o")), (Some("12"), None));
    }
}
