//! Transactions step by step: reads, appends and writes of several keys, and the transfers of a bank.

use super::super::found::push_elements;
use super::super::refuse;
use super::super::template::Captures;
use super::link::{Link, Rows, Trouble};
use super::table::Statement;
use super::{Dialect, TransactionSpec};
use crate::operation::{Function, Operation};
use crate::outcome::Answer;
use crate::paxos::value;
use crate::spec::{LoadSpec, SpecError, Workload};
use serde_json::{Map, Value, json};

/// The statements for the steps of a workload.
#[derive(Debug)]
pub(super) struct Transactions {
    workload: Workload,
    read: Statement,
    /// The append or the write.
    write: Statement,
    /// The accounts of a bank; empty for other workloads.
    accounts: Vec<String>,
}

/// An answer, or the error of a statement.
type Stepped<T> = Result<T, Trouble>;

impl Transactions {
    pub(super) fn new(
        dialect: Dialect,
        spec: Option<&TransactionSpec>,
        load: &LoadSpec,
    ) -> Result<Self, SpecError> {
        let lists = load.workload == Workload::ListAppend;
        let usual = TransactionSpec::default();
        let spec = spec.unwrap_or(&usual);
        let (name, text, function) = if lists {
            ("append", &spec.append, Function::Append)
        } else {
            ("write", &spec.write, Function::Write)
        };
        let statement = |name: &str, text: &str, function: Function| {
            let field = format!("client.txn.{name}");
            if text.is_empty() {
                return refuse(field, format!("the workload {} needs this statement", load.workload));
            }
            let (statement, template) = Statement::new(dialect, &field, text, function, &[])?;
            if !template.names_key() || (function != Function::Read && !template.names_value()) {
                let words = if function == Function::Read { "{key}" } else { "{key} and {value}" };
                return refuse(field, format!("it must say what it is about: put {words} into it"));
            }
            Ok(statement)
        };
        let accounts = if load.workload == Workload::Bank { load.keys } else { 0 };
        Ok(Self {
            workload: load.workload,
            read: statement("read", &spec.read, Function::Read)?,
            write: statement(name, text, function)?,
            accounts: (0..accounts).map(LoadSpec::key_name).collect(),
        })
    }

    /// Carries out all steps of an operation.
    pub(super) async fn body(
        &self,
        link: &mut dyn Link,
        operation: &Operation,
        last: &mut Option<Value>,
    ) -> Stepped<Answer> {
        match operation.function {
            Function::Transfer => self.transfer(link, &operation.argument, last).await,
            Function::Total => {
                let mut balances = Map::new();
                for account in &self.accounts {
                    let Some(found) = self.read(link, account, last).await? else {
                        return Ok(Answer::Unreadable);
                    };
                    balances.insert(account.clone(), found);
                }
                Ok(Answer::Value(Value::Object(balances)))
            }
            _ => self.steps(link, &operation.argument, last).await,
        }
    }

    async fn steps(&self, link: &mut dyn Link, steps: &Value, last: &mut Option<Value>) -> Stepped<Answer> {
        let mut done = Vec::new();
        for step in steps.as_array().into_iter().flatten() {
            let key = step[1].as_str().unwrap_or_default();
            if step[0] == "r" {
                let Some(found) = self.read(link, key, last).await? else { return Ok(Answer::Unreadable) };
                done.push(json!(["r", key, found]));
            } else if self.write(link, key, &step[2], last).await? {
                done.push(step.clone());
            } else {
                return Ok(nothing_written());
            }
        }
        Ok(Answer::Value(Value::Array(done)))
    }

    /// Reads both accounts, and writes both, unless there is too little in the first. The writes are in the order of the
    /// accounts' names: two transfers in opposite directions would otherwise wait for one another's locks, and
    /// PostgreSQL looks for such a deadlock only after a second.
    async fn transfer(
        &self,
        link: &mut dyn Link,
        transfer: &Value,
        last: &mut Option<Value>,
    ) -> Stepped<Answer> {
        let account = |end: &str| transfer[end].as_str().unwrap_or_default().to_owned();
        let (from, to, amount) = (account("from"), account("to"), transfer["amount"].as_i64().unwrap_or(0));
        let held = [self.read(link, &from, last).await?, self.read(link, &to, last).await?];
        let [Some(has), Some(gets)] = held.map(|held| held.and_then(|held| held.as_i64())) else {
            return Ok(Answer::Unreadable);
        };
        if has < amount {
            return Ok(Answer::Precondition(Value::Null));
        }
        if from == to {
            return Ok(Answer::Applied);
        }
        let mut balances = [(from, has - amount), (to, gets + amount)];
        balances.sort_unstable();
        for (account, balance) in balances {
            if !self.write(link, &account, &json!(balance), last).await? {
                return Ok(nothing_written());
            }
        }
        Ok(Answer::Applied)
    }

    /// What is under a key; none if it is no such thing.
    async fn read(&self, link: &mut dyn Link, key: &str, last: &mut Option<Value>) -> Stepped<Option<Value>> {
        let operation = Operation { function: Function::Read, key: key.to_owned(), argument: Value::Null };
        let rows = run(link, &self.read, &operation, last).await?;
        Ok(if self.workload == Workload::ListAppend { list(&rows) } else { single(self.workload, &rows) })
    }

    /// Appends or writes; false if no row was changed.
    async fn write(
        &self,
        link: &mut dyn Link,
        key: &str,
        written: &Value,
        last: &mut Option<Value>,
    ) -> Stepped<bool> {
        let operation =
            Operation { function: Function::Write, key: key.to_owned(), argument: written.clone() };
        Ok(run(link, &self.write, &operation, last).await?.count > 0)
    }
}

async fn run(
    link: &mut dyn Link,
    statement: &Statement,
    operation: &Operation,
    last: &mut Option<Value>,
) -> Stepped<Rows> {
    let result = link.run(&statement.sql, statement.fill(operation, &Captures::new())).await;
    *last = Some(result.as_ref().map_or_else(Trouble::json, Rows::json));
    result
}

/// A statement that should write and changed no row; it is rolled back.
fn nothing_written() -> Answer {
    Answer::Unknown("nothing-written".to_owned())
}

/// The value in the only row; none if there are more, or it is no value.
fn single(workload: Workload, rows: &Rows) -> Option<Value> {
    match rows.rows.as_slice() {
        [] => Some(Value::Null),
        [row] => match row.first()? {
            Value::Null => Some(Value::Null),
            Value::String(text) => Some(value(workload, text.clone())),
            Value::Number(number) if !number.is_f64() => Some(Value::Number(number.clone())),
            Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        },
        _ => None,
    }
}

/// The elements in the first column of all rows, in their order; null if there are none. None if one is no element.
fn list(rows: &Rows) -> Option<Value> {
    let mut elements = Vec::new();
    for row in &rows.rows {
        push_elements(row.first()?, &mut elements)?;
    }
    Some(if elements.is_empty() { Value::Null } else { Value::Array(elements) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[Value]]) -> Rows {
        Rows { rows: rows.iter().map(|row| row.to_vec()).collect(), count: rows.len() as u64 }
    }

    #[test]
    fn lists_are_read_from_one_row_or_several() {
        let three = Some(json!([1, 2, 3]));
        assert_eq!(list(&rows(&[&[json!("1,2,3")]])), three);
        assert_eq!(list(&rows(&[&[json!(",1,2,3")]])), three);
        assert_eq!(list(&rows(&[&[json!([1, 2, 3])]])), three);
        assert_eq!(list(&rows(&[&[json!(1)], &[json!(2)], &[json!("3")]])), three);
        for empty in [&[][..], &[&[Value::Null][..]][..], &[&[json!("")][..]][..]] {
            assert_eq!(list(&rows(empty)), Some(Value::Null));
        }
        for odd in [json!("1,x"), json!(true), json!(1.5), json!({})] {
            assert_eq!(list(&rows(&[&[odd]])), None);
        }
    }

    #[test]
    fn value_is_that_of_the_only_row() {
        let read = |rows: &Rows| single(Workload::RwRegister, rows);
        assert_eq!(read(&rows(&[&[json!("7")]])), Some(json!(7)));
        assert_eq!(read(&rows(&[&[json!(7)]])), Some(json!(7)));
        assert_eq!(read(&rows(&[])), Some(Value::Null));
        assert_eq!(read(&rows(&[&[json!(1)], &[json!(2)]])), None);
        assert_eq!(read(&rows(&[&[json!([1])]])), None);
    }
}
