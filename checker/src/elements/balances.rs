//! Whether each balance that was read is one that the transfers around the read allow.
//!
//! Problem: with the right total, money may still be in the wrong accounts: a store that throws every transfer away adds up.
//! Idea: a transfer that completed before a read began is in its balances, one that began after the read ended is not, and
//! any other may be. So each balance lies between a lower and an upper bound. Why it is right: every order that respects
//! real time puts a read between those two groups, so a balance outside of the bounds has no order; one inside may still
//! have none. Cost: sorting the transfers of an account, and a binary search for each balance.

use super::values;
use history::{OperationRef, OutcomeRef};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

/// The transfers of one account.
#[derive(Debug, Default)]
struct Account {
    /// Certain ones by completion, and any by invocation.
    certain: Sums,
    possible: Sums,
}

/// Changes in order of time, summed up: what came in, and what went out.
#[derive(Debug, Default)]
struct Sums {
    changes: Vec<(usize, i128)>,
    /// Before each change, and at the end.
    sums: Vec<(i128, i128)>,
}

impl Sums {
    fn close(&mut self) {
        self.changes.sort_unstable();
        let mut sum = (0, 0);
        self.sums = vec![sum];
        for (_, change) in &self.changes {
            sum = (sum.0 + (*change).max(0), sum.1 + (*change).min(0));
            self.sums.push(sum);
        }
    }

    /// What came in and what went out by changes whose time is wanted, which are the first ones.
    fn until(&self, wanted: impl Fn(usize) -> bool) -> (i128, i128) {
        self.sums[self.changes.partition_point(|(time, _)| wanted(*time))]
    }
}

/// What the transfers of a history do to each account.
#[derive(Debug)]
pub(super) struct Balances {
    opening: i128,
    accounts: FxHashMap<String, Account>,
}

impl Balances {
    /// From the transfers of a history; every account held `opening` at first.
    pub(super) fn new(opening: i64, transfers: &[OperationRef<'_>]) -> Self {
        let mut accounts: FxHashMap<String, Account> = FxHashMap::default();
        for transfer in
            transfers.iter().filter(|transfer| !matches!(transfer.outcome, OutcomeRef::Fail { .. }))
        {
            let Some(amount) = transfer.argument.get("amount").and_then(values::integer) else { continue };
            for (side, change) in [("from", -amount), ("to", amount)] {
                let Some(name) = transfer.argument.get(side).and_then(super::bank::name) else { continue };
                let account = accounts.entry(name).or_default();
                account.possible.changes.push((transfer.invoked, change));
                if let (OutcomeRef::Ok(_), Some(completed)) = (transfer.outcome, transfer.completed) {
                    account.certain.changes.push((completed, change));
                }
            }
        }
        for account in accounts.values_mut() {
            account.certain.close();
            account.possible.close();
        }
        Self { opening: opening.into(), accounts }
    }

    /// The balances of a read that no order explains, each in words.
    pub(super) fn impossible(&self, read: OperationRef<'_>, balances: &Map<String, Value>) -> Vec<String> {
        let outside = |(name, balance): (&String, &Value)| {
            let (least, most) = self.bounds(name, read);
            let balance = values::integer(balance)?;
            let bounds = if least == most { least.to_string() } else { format!("{least} to {most}") };
            (balance < least || balance > most)
                .then(|| format!("{name} holds {balance} and should hold {bounds}"))
        };
        balances.iter().filter_map(outside).collect()
    }

    fn bounds(&self, name: &str, read: OperationRef<'_>) -> (i128, i128) {
        let Some(account) = self.accounts.get(name) else { return (self.opening, self.opening) };
        let done = account.certain.until(|completed| completed < read.invoked);
        let begun = account.possible.until(|invoked| read.completed.is_none_or(|end| invoked <= end));
        let base = self.opening + done.0 + done.1;
        (base + begun.1 - done.1, base + begun.0 - done.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{Operation, Outcome};
    use serde_json::json;

    fn operation(f: &str, argument: Value, outcome: Outcome, invoked: usize, completed: usize) -> Operation {
        Operation {
            process: 0,
            client: None,
            f: f.to_owned(),
            key: None,
            argument,
            outcome,
            invoked,
            completed: Some(completed),
            intended_ns: None,
            invoked_ns: 0,
            completed_ns: None,
            node: None,
            phase: None,
        }
    }

    fn transfer(amount: i64, outcome: Outcome, invoked: usize, completed: usize) -> Operation {
        operation("transfer", json!({"from": "a", "to": "b", "amount": amount}), outcome, invoked, completed)
    }

    fn wrong(balances: &Balances, at: (usize, usize), a: i64, b: i64) -> usize {
        let read = operation("read", Value::Null, Outcome::Ok(Value::Null), at.0, at.1);
        balances.impossible((&read).into(), json!({"a": a, "b": b}).as_object().unwrap()).len()
    }

    #[test]
    fn acknowledged_transfers_are_in_later_reads() {
        let done = transfer(10, Outcome::Ok(Value::Null), 0, 1);
        let balances = Balances::new(100, &[(&done).into()]);
        assert_eq!(wrong(&balances, (2, 3), 90, 110), 0);
        assert_eq!(wrong(&balances, (2, 3), 100, 100), 2, "the transfer was thrown away");
        assert_eq!(wrong(&balances, (2, 3), 90, 100), 1);
    }

    #[test]
    fn concurrent_unknown_and_failed_transfers_leave_room() {
        let open = transfer(10, Outcome::Ok(Value::Null), 0, 5);
        let balances = Balances::new(100, &[(&open).into()]);
        assert_eq!(wrong(&balances, (2, 3), 90, 110), 0);
        assert_eq!(wrong(&balances, (2, 3), 100, 100), 0);
        assert_eq!(wrong(&balances, (2, 3), 89, 111), 2);
        let unknown = transfer(10, Outcome::Info { error: None }, 0, 1);
        let failed = transfer(50, Outcome::Fail { error: None, actual: None }, 0, 1);
        let balances = Balances::new(100, &[(&unknown).into(), (&failed).into()]);
        assert_eq!(wrong(&balances, (2, 3), 90, 110) + wrong(&balances, (2, 3), 100, 100), 0);
        assert_eq!(wrong(&balances, (2, 3), 50, 150), 2);
        let later = transfer(10, Outcome::Ok(Value::Null), 4, 5);
        assert_eq!(
            wrong(&Balances::new(100, &[(&later).into()]), (2, 3), 90, 110),
            2,
            "it comes from the future"
        );
    }
}
