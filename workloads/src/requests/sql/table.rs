//! The statements of a load, and what their answers mean.

use super::super::rules::{self, Received, Rules};
use super::super::spec::{ClientSpec, Exchange, Found, Rule};
use super::super::template::{Captures, Template};
use super::super::{check_words, refuse};
use super::link::{Link, Rows, Trouble};
use super::steps::Transactions;
use super::{Dialect, Isolation};
use crate::operation::{Function, Operation};
use crate::outcome::Answer;
use crate::spec::{LoadSpec, SpecError, Workload};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The first words of statements that cannot end the transaction in which they are.
const TAKEN: [&str; 10] =
    ["select", "insert", "update", "delete", "replace", "merge", "with", "values", "table", "set"];

/// How a connection is made.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(all(feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "only the protocols that are built in log in")
)]
pub(super) struct Login {
    pub(super) dialect: Dialect,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: Option<String>,
    pub(super) isolation: Option<Isolation>,
}

/// A table of statements that is fit for a load.
#[derive(Debug)]
pub(crate) struct SqlTable {
    pub(super) login: Login,
    /// Statements on a new connection.
    pub(super) setup: Vec<String>,
    /// The statement that begins a transaction, and those that follow at once.
    pub(super) begin: (String, Vec<String>),
    workload: Workload,
    entries: BTreeMap<Function, Entry>,
    /// How a cas is asked for that expects no value.
    create: Option<Entry>,
    transactions: Option<Transactions>,
    /// What errors mean that are none of a statement of an exchange, by function.
    of_all: BTreeMap<Function, Rules>,
}

/// How one function is asked for: step by step, the deciding one last.
#[derive(Debug)]
struct Entry(Vec<Turn>);

#[derive(Debug)]
struct Turn {
    statement: Statement,
    capture: BTreeMap<String, String>,
    rules: Rules,
}

/// A statement with its parameters.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    parameters: Vec<Template>,
}

/// What the statements of an operation came to, before `COMMIT`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    /// They say this of the operation, once they are committed.
    Done(Answer),
    /// They say this, and cannot be committed, because one of them failed.
    Failed(Answer),
    /// The connection broke.
    Broken,
}

impl Statement {
    /// Reads a statement for a function; `field` is its key.
    pub(super) fn new(
        dialect: Dialect,
        field: &str,
        text: &str,
        function: Function,
        captured: &[&str],
    ) -> Result<(Self, Template), SpecError> {
        let named = |message| SpecError { field: field.to_owned(), message };
        check_first_word(dialect, field, text)?;
        let template = Template::parse(text, function, captured).map_err(named)?;
        let (sql, parameters) = template.statement(|number| dialect.placeholder(number)).map_err(named)?;
        Ok((Self { sql, parameters }, template))
    }

    /// Its parameters for an operation; none of them for null.
    pub(super) fn fill(&self, operation: &Operation, captures: &Captures) -> Vec<Option<String>> {
        self.parameters.iter().map(|word| word.parameter(operation, captures)).collect()
    }
}

/// Refuses statements that could end the transaction, so that nothing would be known of its outcome.
fn check_first_word(dialect: Dialect, field: &str, sql: &str) -> Result<(), SpecError> {
    let text = sql.trim_start().to_ascii_lowercase();
    let word: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    let ends = dialect == Dialect::Mysql && word == "set" && text.contains("autocommit");
    if !TAKEN.contains(&word.as_str()) || ends {
        let what = format!(
            "\"{word}\" might end the transaction in which it is, so that its outcome would be unknown; a statement begins with {}",
            TAKEN.join(", ")
        );
        return refuse(field, what);
    }
    Ok(())
}

impl ClientSpec {
    /// The table of a load, in the protocol of a database.
    ///
    /// # Errors
    /// What is missing or makes no sense, with its key; keys of this section begin with `client.`.
    pub(crate) fn sql_table(&self, load: &LoadSpec) -> Result<SqlTable, SpecError> {
        let dialect = Dialect::of(self.kind);
        check_load(load)?;
        for (number, sql) in (1..).zip(&self.begin) {
            check_first_word(dialect, &format!("client.begin.{number}"), sql)?;
        }
        let mix =
            load.weights().map_err(|error| SpecError { field: format!("load.{}", error.field), ..error })?;
        let mut functions: Vec<Function> = mix.into_iter().map(|(function, _)| function).collect();
        functions.extend(load.workload.probed());
        match load.workload {
            // The opening of a bank is a transaction.
            Workload::Bank => functions.push(Function::Txn),
            Workload::Echo => {
                let what = format!("statements have no workload {}; use another one", load.workload);
                return refuse("load.workload", what);
            }
            Workload::Register
            | Workload::Kv
            | Workload::Queue
            | Workload::ListAppend
            | Workload::RwRegister
            | Workload::Set
            | Workload::GCounter
            | Workload::PnCounter
            | Workload::UniqueIds
            | Workload::Kafka
            | Workload::Lock => {}
        }
        let of_all = functions
            .iter()
            .map(|function| Ok((*function, Rules::new("client", &[], &self.answers, *function, &[])?)));
        let login = Login {
            dialect,
            user: self.user.clone().unwrap_or_else(|| dialect.usual_user().to_owned()),
            password: self.password.clone(),
            database: self.database.clone(),
            isolation: self.isolation,
        };
        let mut table = SqlTable {
            login,
            setup: self.setup.clone(),
            begin: (dialect.begin(self.isolation), self.begin.clone()),
            workload: load.workload,
            entries: BTreeMap::new(),
            create: None,
            transactions: None,
            of_all: of_all.collect::<Result<_, SpecError>>()?,
        };
        if matches!(load.workload, Workload::ListAppend | Workload::RwRegister | Workload::Bank) {
            table.transactions = Some(Transactions::new(dialect, self.txn.as_ref(), load)?);
            return Ok(table);
        }
        for function in functions {
            let Some((name, exchange)) = self.exchange(function) else {
                let what = format!(
                    "it has no statement for a {function}; add [client.{function}], or leave it out of load.mix"
                );
                return refuse("client", what);
            };
            table.entries.insert(function, Entry::new(self, name, exchange, (function, load.keys))?);
        }
        if table.entries.contains_key(&Function::Cas) {
            let Some(create) = &self.create else {
                // A comparison with null is never true, so the cas would be refused where it should not be.
                let what = "a cas may expect that there is no value; add [client.create], or leave cas out of load.mix";
                return refuse("client", what);
            };
            table.create = Some(Entry::new(self, "create", create, (Function::Cas, load.keys))?);
        }
        Ok(table)
    }
}

impl Entry {
    fn new(
        client: &ClientSpec,
        name: &str,
        exchange: &Exchange,
        (function, keys): (Function, u32),
    ) -> Result<Self, SpecError> {
        let here = format!("client.{name}");
        let (steps, mut captured, mut turns) = (exchange.steps(), Vec::new(), Vec::new());
        let (mut names_key, mut names_value) = (false, false);
        for (index, step) in steps.iter().enumerate() {
            let last = index + 1 == steps.len();
            let here = if last { here.clone() } else { format!("{here}.first.{}", index + 1) };
            let others =
                [("request", &step.request), ("body", &step.body)].map(|(key, text)| (key, text.is_empty()));
            let given = others.into_iter().chain([("command", step.command.is_empty())]);
            if let Some((key, _)) = given.into_iter().find(|(_, absent)| !absent) {
                return refuse(format!("{here}.{key}"), "a database is asked with a statement; use sql");
            }
            if step.sql.is_empty() {
                let what = "say which statement, for example \"select v from items where k = {key}\"";
                return refuse(format!("{here}.sql"), what);
            }
            let (statement, template) = Statement::new(
                Dialect::of(client.kind),
                &format!("{here}.sql"),
                &step.sql,
                function,
                &captured,
            )?;
            names_key |= template.names_key();
            names_value |= template.names_value();
            check_rules(&here, &step.answers)?;
            let rules = Rules::new(&here, &step.answers, &client.answers, function, &captured)?;
            captured.extend(step.capture.keys().map(String::as_str));
            turns.push(Turn { statement, capture: step.capture.clone(), rules });
        }
        let succeeds = turns.iter().any(|turn| turn.rules.have_success());
        check_words((&here, "sql"), (function, keys), names_key, names_value, succeeds)?;
        Ok(Self(turns))
    }
}

/// Refuses what has no meaning in rows.
fn check_rules(here: &str, rules: &[Rule]) -> Result<(), SpecError> {
    for (number, rule) in (1..).zip(rules) {
        if rule.ok == Some(Found::Text) || rule.value_differs == Some(Found::Text) {
            let what = "a statement answers with rows; say where, for example \"/rows/0/0\"";
            return refuse(format!("{here}.answers.{number}"), what);
        }
        if rule.when.status.is_some() {
            return refuse(
                format!("{here}.answers.{number}.when.status"),
                "this is of HTTP; use at = \"/error\"",
            );
        }
    }
    Ok(())
}

impl SqlTable {
    fn entry(&self, operation: &Operation) -> &Entry {
        let creates = operation.function == Function::Cas && operation.argument[0].is_null();
        match &self.create {
            Some(create) if creates => create,
            Some(_) | None => &self.entries[&operation.function],
        }
    }

    /// Carries out the statements of an operation. `last` becomes the last answer.
    pub(super) async fn body(
        &self,
        link: &mut dyn Link,
        operation: &Operation,
        last: &mut Option<Value>,
    ) -> Body {
        if let Some(transactions) = &self.transactions {
            return match transactions.body(link, operation, last).await {
                Ok(answer) => Body::Done(answer),
                Err(trouble) => self.failed(operation, &trouble),
            };
        }
        let mut captures = Captures::new();
        // The last statement decides, so without a rule for its answer nothing is known.
        for turn in &self.entry(operation).0 {
            let parameters = turn.statement.fill(operation, &captures);
            let result = link.run(&turn.statement.sql, parameters).await;
            let json = last.insert(result.as_ref().map_or_else(Trouble::json, Rows::json)).clone();
            let text = json.to_string();
            let received = received(&json, &text);
            let rule = turn.rules.of(&received, operation, &captures);
            let said = rule.map(|rule| rules::meaning(self.workload, rule, operation.function, &received));
            match (result, said) {
                (Ok(_), Some(answer)) => return Body::Done(answer),
                (Ok(_), None) => {}
                (Err(trouble), said) => return failed(&trouble, said),
            }
            for (word, pointer) in &turn.capture {
                let Some(found @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) =
                    json.pointer(pointer)
                else {
                    return Body::Done(no_rule());
                };
                captures.insert(word.clone(), found.clone());
            }
        }
        Body::Done(no_rule())
    }

    /// What an error means that came before `COMMIT`, and not from a statement with rules of its own.
    pub(super) fn failed(&self, operation: &Operation, trouble: &Trouble) -> Body {
        failed(trouble, self.rule_of_all(operation, &trouble.json()))
    }

    fn rule_of_all(&self, operation: &Operation, json: &Value) -> Option<Answer> {
        let text = json.to_string();
        let received = received(json, &text);
        let rules = self.of_all.get(&operation.function)?;
        let rule = rules.of(&received, operation, &Captures::new())?;
        Some(rules::meaning(self.workload, rule, operation.function, &received))
    }

    /// What an error means with which the server refused `COMMIT`: only what is certain is a failure.
    pub(super) fn refused_at_commit(&self, operation: &Operation, code: &str, message: &str) -> Answer {
        let json = json!({ "error": code, "message": message, "during": "commit" });
        match self.rule_of_all(operation, &json) {
            Some(said @ (Answer::NotApplied | Answer::Standby | Answer::Elsewhere(_))) => said,
            None if self.login.dialect.is_rolled_back(code) => Answer::Failed(code.to_owned()),
            Some(_) | None => Answer::Unknown(code.to_owned()),
        }
    }
}

/// Refuses what statements cannot do.
fn check_load(load: &LoadSpec) -> Result<(), SpecError> {
    if load.retry.is_some() {
        let what = "a database that knows no names of commands would apply one twice; remove it";
        return refuse("load.retry", what);
    }
    if !load.record {
        return refuse("load.record", "statements are for loads that are recorded; remove it");
    }
    Ok(())
}

/// What is unknown because no rule fits.
fn no_rule() -> Answer {
    Answer::Unknown("no-rule".to_owned())
}

fn received<'a>(json: &Value, text: &'a str) -> Received<'a> {
    Received { status: None, text, json: Some(json.clone()), location: None, is_error: false }
}

/// What an error of a statement means, with what a rule says of it. It can be no success: nothing of it is committed.
fn failed(trouble: &Trouble, said: Option<Answer>) -> Body {
    match (trouble, said) {
        (Trouble::Broken(_), _) => Body::Broken,
        (_, Some(Answer::Applied | Answer::Value(_))) => {
            Body::Failed(Answer::Unknown("rolled-back".to_owned()))
        }
        (_, Some(answer)) => Body::Failed(answer),
        (Trouble::Refused { code, .. }, None) => Body::Failed(Answer::Failed(code.clone())),
        (Trouble::Unreadable(_), None) => Body::Failed(Answer::Unreadable),
    }
}
