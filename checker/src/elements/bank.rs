//! Whether all reads of the accounts add up.

use super::balances::Balances;
use super::ledger::{Ledger, failed};
use super::verdict::Class;
use super::{Options, values};
use crate::words;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value};

/// An acknowledged read.
struct Read<'a> {
    index: usize,
    shown: &'a Value,
    /// None if nothing was there.
    balances: Option<&'a Map<String, Value>>,
}

/// What a read should show.
struct Expected<'a> {
    accounts: FxHashSet<&'a str>,
    total: Option<i128>,
    balances: Option<Balances>,
}

pub(super) fn judge(own: &[usize], options: &Options, ledger: &mut Ledger<'_>) {
    let operations = ledger.operations;
    let mut named: FxHashSet<String> = FxHashSet::default();
    let (mut reads, mut transfers) = (Vec::new(), Vec::new());
    for &index in own {
        let operation = operations.at(index);
        match operation.f {
            "transfer" => {
                let sides = ["from", "to"].map(|side| operation.argument.get(side).and_then(name));
                named.extend(sides.into_iter().flatten());
                transfers.push(operation);
            }
            "read" => reads.extend(read(index, ledger)),
            _ if failed(operation) => {}
            _ => ledger.stranger(index),
        }
    }
    for name in
        ["reads", "unexpected keys", "nil balances", "wrong totals", "negative balances", "wrong balances"]
    {
        ledger.count(name, 0);
    }
    ledger.count("reads", reads.len());
    let accounts = accounts(&reads, &named, options);
    let total = options.total.map(i128::from).or_else(|| usual_total(&reads, &accounts));
    let balances = options.opening.map(|opening| Balances::new(opening, &transfers));
    let expected = Expected { accounts, total, balances };
    let mut added_up = 0;
    for read in &reads {
        added_up += usize::from(judge_read(read, &expected, options, ledger));
    }
    match (expected.total, options.total) {
        (Some(total), Some(_)) if added_up > 0 => ledger.note(format!("the total should be {total}")),
        (Some(total), None) if added_up > 1 => ledger.note(format!("the total of most reads is {total}")),
        (Some(_), None) => ledger.doubt("there is only one total, and nothing to compare it with"),
        (Some(_) | None, _) => ledger.doubt("no read of the accounts adds up to anything"),
    }
}

/// A name of an account: numbers by their digits, as they are keys of objects.
pub(super) fn name(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

fn read<'a>(index: usize, ledger: &mut Ledger<'a>) -> Option<Read<'a>> {
    let (_, shown) = ledger.acknowledged(index)?;
    match shown {
        Value::Null => Some(Read { index, shown, balances: None }),
        Value::Object(balances) => {
            if balances.values().all(|balance| balance.is_null() || values::integer(balance).is_some()) {
                return Some(Read { index, shown, balances: Some(balances) });
            }
            ledger.misread(index, "a balance should be a whole number");
            None
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            ledger.misread(index, "accounts should be read as an object of balances");
            None
        }
    }
}

/// The accounts there are: given, or named by transfers or by more than half of the reads.
fn accounts<'a>(
    reads: &[Read<'a>],
    named: &'a FxHashSet<String>,
    options: &'a Options,
) -> FxHashSet<&'a str> {
    if let Some(given) = &options.accounts {
        return given.iter().map(String::as_str).collect();
    }
    let mut times: FxHashMap<&'a str, usize> = FxHashMap::default();
    for balances in reads.iter().filter_map(|read| read.balances) {
        for account in balances.keys() {
            *times.entry(account).or_default() += 1;
        }
    }
    let usual = times.into_iter().filter(|(_, times)| 2 * times > reads.len()).map(|(account, _)| account);
    usual.chain(named.iter().map(String::as_str)).collect()
}

/// The sum of the balances, if all of them are of known accounts and none is nil.
fn total(read: &Read<'_>, accounts: &FxHashSet<&str>) -> Option<i128> {
    let balances = read.balances?;
    balances.iter().try_fold(0, |sum, (account, balance)| {
        accounts.contains(account.as_str()).then(|| values::integer(balance)).flatten().map(|more| sum + more)
    })
}

/// The total of most reads, the earliest of them if several are as frequent.
fn usual_total(reads: &[Read<'_>], accounts: &FxHashSet<&str>) -> Option<i128> {
    let mut times: FxHashMap<i128, (usize, usize)> = FxHashMap::default();
    for (index, read) in reads.iter().enumerate() {
        if let Some(total) = total(read, accounts) {
            times.entry(total).or_insert((0, index)).0 += 1;
        }
    }
    let most = times.into_iter().max_by_key(|(_, (times, first))| (*times, std::cmp::Reverse(*first)));
    most.map(|(total, _)| total)
}

/// Judges one read; whether it adds up to something.
fn judge_read(read: &Read<'_>, expected: &Expected<'_>, options: &Options, ledger: &mut Ledger<'_>) -> bool {
    let index = read.index;
    let mut broken = |name, class, text: String| {
        ledger.count(name, 1);
        ledger.breaks(class, read.shown, vec![index], text);
    };
    let Some(balances) = read.balances else {
        broken("nil balances", Class::NilBalance, format!("operation {index} read nothing at all"));
        return false;
    };
    let with = |wanted: &dyn Fn(&str, &Value) -> bool| -> Vec<String> {
        let found = balances.iter().filter(|(account, balance)| wanted(account, balance));
        found.map(|(account, balance)| format!("{account} holds {}", words::shown(balance))).collect()
    };
    let strange = with(&|account, _| !expected.accounts.contains(account));
    let nil = with(&|_, balance| balance.is_null());
    let below = with(&|_, balance| values::integer(balance).is_some_and(|balance| balance < 0));
    if !strange.is_empty() {
        let text = format!("operation {index} read accounts there are not: {}", listed(&strange));
        broken("unexpected keys", Class::UnexpectedKey, text);
    }
    if !nil.is_empty() {
        let text = format!("operation {index} read accounts without a balance: {}", listed(&nil));
        broken("nil balances", Class::NilBalance, text);
    }
    if !below.is_empty() && !options.negative_balances {
        let text = format!("operation {index} read negative balances: {}", listed(&below));
        broken("negative balances", Class::NegativeBalance, text);
    }
    let wrong = expected.balances.as_ref().map(|all| all.impossible(ledger.operations.at(index), balances));
    let absent: Vec<String> = expected
        .accounts
        .iter()
        .filter(|account| options.opening.is_some() && !balances.contains_key(**account))
        .map(|account| format!("{account} is missing"))
        .collect();
    let mut broken = |name, class, text: String| {
        ledger.count(name, 1);
        ledger.breaks(class, read.shown, vec![index], text);
    };
    if !absent.is_empty() {
        let text = format!("operation {index} did not read all accounts: {}", listed(&absent));
        broken("nil balances", Class::NilBalance, text);
    }
    if let Some(wrong) = wrong.filter(|wrong| !wrong.is_empty()) {
        let text =
            format!("operation {index} read what no order of the transfers leads to: {}", listed(&wrong));
        broken("wrong balances", Class::WrongBalance, text);
    }
    let total = total(read, &expected.accounts);
    if let (Some(total), Some(right)) = (total, expected.total)
        && total != right
    {
        let whose = if options.total.is_some() { "it should be" } else { "most reads have" };
        let text = format!("operation {index} read balances of {total} in total, {whose} {right}");
        broken("wrong totals", Class::WrongTotal, text);
    }
    total.is_some()
}

/// A few of many.
fn listed(all: &[String]) -> String {
    const SHOWN: usize = 4;
    let words = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(SHOWN) {
        0 => words,
        more => format!("{words} and {more} more"),
    }
}
