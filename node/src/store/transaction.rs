//! Operations on several keys: transactions, and the bank (section 4.6, exercise 3).

use super::{ANSWER_MAX, Answer, Operation, Store, Value};
use crate::paxos::message::Slot;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Approximate overhead of a transaction's operation or a total's account, in bytes.
const PART: usize = 80;

impl Operation {
    /// The keys whose values it may change.
    fn changes(&self) -> Vec<&str> {
        match self {
            Self::Nothing
            | Self::Get { .. }
            | Self::Total { .. }
            | Self::Reconfigure { .. }
            | Self::Retire { .. } => Vec::new(),
            Self::Put { key, .. }
            | Self::Delete { key }
            | Self::Cas { key, .. }
            | Self::Append { key, .. }
            | Self::Incr { key, .. }
            | Self::Deposit { key, .. }
            | Self::Withdraw { key, .. } => vec![key],
            Self::Transfer { from, to, .. } => vec![from, to],
            Self::Transaction { operations } => operations.iter().flat_map(Self::changes).collect(),
        }
    }

    /// The keys that it names.
    pub fn keys(&self) -> Vec<&str> {
        match self {
            Self::Get { key } => vec![key],
            Self::Total { accounts } => accounts.iter().map(String::as_str).collect(),
            Self::Nothing
            | Self::Put { .. }
            | Self::Delete { .. }
            | Self::Cas { .. }
            | Self::Append { .. }
            | Self::Incr { .. }
            | Self::Deposit { .. }
            | Self::Withdraw { .. }
            | Self::Transfer { .. }
            | Self::Transaction { .. }
            | Self::Reconfigure { .. }
            | Self::Retire { .. } => self.changes(),
        }
    }

    /// Approximate size in memory and on the wire, in bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Get { key } | Self::Delete { key } => key.len(),
            Self::Put { key, value } => key.len() + value.len(),
            Self::Append { key, value } => key.len() + value.len(),
            Self::Cas { key, from, to } => key.len() + from.as_ref().map_or(0, String::len) + to.len(),
            Self::Incr { key, .. } | Self::Deposit { key, .. } | Self::Withdraw { key, .. } => key.len() + 8,
            Self::Transfer { from, to, .. } => from.len() + to.len() + 8,
            Self::Total { accounts } => accounts.iter().map(|account| account.len() + PART).sum(),
            Self::Transaction { operations } => {
                operations.iter().map(|operation| operation.size() + PART).sum()
            }
            Self::Reconfigure { change } => {
                let names = change.add.iter().map(|member| &member.name).chain(&change.remove);
                names.map(|name| name.len() + 100).sum()
            }
            Self::Retire { .. } => 8,
        }
    }

    /// Whether it never changes a key, so that it may be applied again.
    pub fn only_reads(&self) -> bool {
        match self {
            Self::Get { .. } | Self::Total { .. } => true,
            Self::Transaction { operations } => operations.iter().all(Self::only_reads),
            Self::Nothing
            | Self::Put { .. }
            | Self::Delete { .. }
            | Self::Cas { .. }
            | Self::Append { .. }
            | Self::Incr { .. }
            | Self::Transfer { .. }
            | Self::Deposit { .. }
            | Self::Withdraw { .. }
            | Self::Reconfigure { .. }
            | Self::Retire { .. } => false,
        }
    }

    /// Whether a transaction may contain it.
    pub fn fits_a_transaction(&self) -> bool {
        match self {
            Self::Nothing | Self::Transaction { .. } | Self::Reconfigure { .. } | Self::Retire { .. } => {
                false
            }
            Self::Get { .. }
            | Self::Put { .. }
            | Self::Delete { .. }
            | Self::Cas { .. }
            | Self::Append { .. }
            | Self::Incr { .. }
            | Self::Transfer { .. }
            | Self::Deposit { .. }
            | Self::Withdraw { .. }
            | Self::Total { .. } => true,
        }
    }
}

impl Store {
    /// Applies several operations, or none if one fails.
    pub(super) fn transact(&mut self, operations: &[Operation], from: Slot) -> Answer {
        let mut before: BTreeMap<String, Option<Value>> = BTreeMap::new();
        let mut results = Vec::with_capacity(operations.len());
        let mut bytes = 0;
        for (index, operation) in operations.iter().enumerate() {
            for key in operation.changes() {
                if !before.contains_key(key) {
                    before.insert(key.to_owned(), self.values.get(key).cloned());
                }
            }
            let answer = self.apply(operation, from);
            bytes += answer.size();
            if !answer.succeeded() {
                self.take_back(before);
                return Answer::Aborted(index, Box::new(answer));
            }
            if bytes > ANSWER_MAX {
                self.take_back(before);
                return Answer::TooLarge;
            }
            results.push(answer);
        }
        Answer::Results(results)
    }

    fn take_back(&mut self, before: BTreeMap<String, Option<Value>>) {
        for (key, value) in before {
            match value {
                Some(value) => self.values.insert(key, value),
                None => self.values.remove(&key),
            };
        }
    }

    fn balance(&self, account: &str) -> Result<i64, Answer> {
        let text = self.values.get(account).map_or("0", |value| value.as_str());
        text.parse().map_err(|_| Answer::NotANumber(Arc::new(text.to_owned())))
    }

    /// Moves money from one account, or from outside, to another, or to outside.
    pub(super) fn move_money(&mut self, from: Option<&str>, to: Option<&str>, amount: u64) -> Answer {
        self.try_move(from, to, amount).unwrap_or_else(|refused| refused)
    }

    fn try_move(&mut self, from: Option<&str>, to: Option<&str>, amount: u64) -> Result<Answer, Answer> {
        let too_much = || Answer::Refused("the amount does not fit a balance of 64 bits".to_owned());
        let amount = i64::try_from(amount).map_err(|_| too_much())?;
        let less = match from {
            Some(from) => {
                let has = self.balance(from)?;
                let reason = || Answer::Refused(format!("{from} has {has}, and that is less than {amount}"));
                Some((from, has.checked_sub(amount).filter(|left| *left >= 0).ok_or_else(reason)?))
            }
            None => None,
        };
        let more = match to.filter(|_| from != to) {
            Some(to) => Some((to, self.balance(to)?.checked_add(amount).ok_or_else(too_much)?)),
            None => None,
        };
        if from != to {
            for (account, balance) in [less, more].into_iter().flatten() {
                self.values.insert(account.to_owned(), Arc::new(balance.to_string()));
            }
        }
        Ok(match (less, more) {
            (Some((_, balance)), None) | (None, Some((_, balance))) if from != to => {
                Answer::Value(Some(Arc::new(balance.to_string())))
            }
            _ => Answer::Done,
        })
    }

    pub(super) fn total(&self, accounts: &[String]) -> Answer {
        let balance = |account: &String| Ok((account.clone(), self.balance(account)?));
        accounts.iter().map(balance).collect::<Result<_, _>>().map_or_else(|answer| answer, Answer::Balances)
    }
}
