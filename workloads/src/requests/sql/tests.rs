//! Transactions against a database that does what a script says.

use super::SqlClients;
use super::link::{Connect, Link, Pending, Rows, Trouble};
use super::table::SqlTable;
use crate::adapter::Adapter as _;
use crate::operation::{Function, Operation};
use crate::outcome::{Happened, ending};
use crate::requests::ClientSpec;
use crate::session::Target;
use crate::spec::{LoadSpec, SpecError, Workload};
use history::Outcome;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;

/// What the database does with one statement.
#[derive(Debug, Clone)]
enum Act {
    Rows(Value, u64),
    Refuse(&'static str),
    Break,
    Hang,
}

/// The script of all connections, and what was sent: `connect`, or a statement with its parameters.
#[derive(Default)]
struct Script {
    acts: VecDeque<Act>,
    seen: Vec<String>,
}

type Shared = Arc<Mutex<Script>>;

struct Scripted(Shared);

impl Scripted {
    /// Does what the script says next; success where it is over.
    async fn act(&self, said: String) -> Result<Rows, Trouble> {
        let act = {
            let mut script = self.0.lock().unwrap();
            script.seen.push(said);
            script.acts.pop_front().unwrap_or(Act::Rows(json!([]), 1))
        };
        match act {
            Act::Rows(rows, count) => Ok(Rows { rows: serde_json::from_value(rows).unwrap(), count }),
            Act::Refuse(code) => {
                Err(Trouble::Refused { code: code.to_owned(), message: "because".to_owned() })
            }
            Act::Break => Err(Trouble::Broken(Happened::Reset)),
            Act::Hang => std::future::pending().await,
        }
    }
}

impl Link for Scripted {
    fn run<'a>(
        &'a mut self,
        sql: &'a str,
        parameters: Vec<Option<String>>,
    ) -> Pending<'a, Result<Rows, Trouble>> {
        let given = parameters.into_iter().map(|text| text.unwrap_or_else(|| "null".to_owned()));
        let said = [sql.to_owned()].into_iter().chain(given).collect::<Vec<_>>().join("|");
        Box::pin(self.act(said))
    }

    fn command<'a>(&'a mut self, sql: &'a str) -> Pending<'a, Result<(), Trouble>> {
        Box::pin(async move { self.act(sql.to_owned()).await.map(drop) })
    }

    fn is_open(&self) -> bool {
        true
    }
}

const CLIENT: &str = r#"
kind = "postgres"
isolation = "serializable"
answers = [{ when = { at = "/error", is = "25006" }, standby = true }]
[read]
sql = "select v from t where k = {key}"
answers = [{ when.at = "/rows/0/0", ok = "/rows/0/0" }, { when.at = "/rows", ok = "absent" }]
[write]
sql = "insert into t values ({key}, {value})"
answers = [{ when = { at = "/count", is = 1 }, ok = true }]
[cas]
sql = "update t set v = {to} where k = {key} and v = {from}"
answers = [{ when = { at = "/count", is = 1 }, ok = true }, { when = { at = "/count", is = 0 }, value-differs = true }]
[create]
sql = "insert into t values ({key}, {to})"
answers = [{ when = { at = "/count", is = 1 }, ok = true }, { when = { at = "/error", is = "23505" }, value-differs = true }]
[txn]
read = "select v from t where k = {key}"
append = "update t set v = v || {value} where k = {key}"
write = "update t set v = {value} where k = {key}"
"#;

fn table(client: &str, load: &LoadSpec) -> Result<SqlTable, SpecError> {
    let client: ClientSpec = toml::from_str(client).expect("the text is a section");
    let load = LoadSpec {
        mix: Some(client.default_mix(load.workload)).filter(|mix| !mix.is_empty()),
        ..load.clone()
    };
    client.sql_table(&load)
}

#[test]
fn mix_of_a_bank_has_transfers() {
    let client: ClientSpec = toml::from_str(CLIENT).unwrap();
    assert_eq!(client.default_mix(Workload::Bank).into_keys().collect::<Vec<_>>(), ["read", "transfer"]);
}

/// Carries operations out one after another by one client, whose statements meet the script. Each has its outcome as kind and
/// error, or result.
fn perform(workload: Workload, acts: &[Act], operations: &[(Function, Value)]) -> (Vec<String>, Vec<String>) {
    let shared = Shared::default();
    shared.lock().unwrap().acts = acts.iter().cloned().collect();
    let script = Arc::clone(&shared);
    let connect: Connect = Box::new(move |_| {
        let script = Arc::clone(&script);
        Box::pin(async move {
            script.lock().unwrap().seen.push("connect".to_owned());
            Ok(Box::new(Scripted(script)) as Box<dyn Link>)
        })
    });
    let load = LoadSpec { workload, keys: 2, ..LoadSpec::default() };
    let clients = SqlClients::over(table(CLIENT, &load).expect("the section is fit"), connect);
    let mut speaker = clients.speaker();
    let target = Target { name: "n1".to_owned(), address: ([127, 0, 0, 1], 5432).into(), spare: false };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let outcomes = operations.iter().map(|(function, argument)| {
        let key = if argument.is_array() && *function == Function::Txn { "" } else { "k1" };
        let operation = Operation { function: *function, key: key.to_owned(), argument: argument.clone() };
        runtime.block_on(async {
            let mut sent = false;
            let asked =
                timeout(Duration::from_millis(50), speaker.perform(&target, &operation, None, &mut sent));
            let happened = match (asked.await, sent) {
                (Ok(happened), _) => happened,
                (Err(_), true) => Happened::Timeout,
                (Err(_), false) => speaker.unsent(),
            };
            match ending(&operation, happened).outcome {
                Outcome::Ok(value) => format!("ok {value}"),
                Outcome::Fail { error, .. } => format!("Fail {}", error.unwrap_or_default()),
                Outcome::Info { error } => format!("Info {}", error.unwrap_or_default()),
            }
        })
    });
    let outcomes = outcomes.collect();
    let seen = shared.lock().unwrap().seen.clone();
    (outcomes, seen)
}

/// The outcome of one operation on a new connection.
fn outcome(function: Function, argument: Value, acts: &[Act]) -> String {
    perform(Workload::Register, acts, &[(function, argument)]).0.remove(0)
}

/// One row was changed.
fn done() -> Act {
    Act::Rows(json!([]), 1)
}

#[test]
fn operation_is_a_transaction_with_parameters() {
    let (outcomes, seen) = perform(
        Workload::Register,
        &[done(), Act::Rows(json!([["7"]]), 1), done(), done(), done(), done()],
        &[(Function::Read, Value::Null), (Function::Write, json!(9))],
    );
    assert_eq!(outcomes, ["ok 7", "ok 9"]);
    let begin = "begin isolation level serializable";
    assert_eq!(
        seen,
        [
            "connect",
            begin,
            "select v from t where k = $1|k1",
            "commit",
            begin,
            "insert into t values ($1, $2)|k1|9",
            "commit"
        ]
    );
}

#[test]
fn errors_before_commit_are_failures() {
    let write = |acts: &[Act]| outcome(Function::Write, json!(9), acts);
    for code in ["40001", "40P01", "42P01", "57P01"] {
        assert_eq!(write(&[Act::Refuse(code)]), format!("Fail {code}"), "at BEGIN");
        assert_eq!(write(&[done(), Act::Refuse(code)]), format!("Fail {code}"), "at the statement");
    }
    assert_eq!(write(&[done(), Act::Refuse("25006")]), "Fail standby");
    assert_eq!(write(&[done(), Act::Break]), "Fail uncommitted");
    assert_eq!(write(&[done(), Act::Hang]), "Fail uncommitted");
    assert_eq!(write(&[Act::Hang]), "Fail uncommitted");
}

#[test]
fn errors_at_commit_are_doubts() {
    let write = |act: Act| outcome(Function::Write, json!(9), &[done(), done(), act]);
    for code in ["40001", "40P01"] {
        assert_eq!(write(Act::Refuse(code)), format!("Fail {code}"), "it was rolled back by definition");
    }
    for code in ["40003", "57P01", "53100", "XX000", "08006"] {
        assert_eq!(write(Act::Refuse(code)), format!("Info {code}"));
    }
    assert_eq!(write(Act::Break), "Info reset");
    assert_eq!(write(Act::Hang), "Info timeout");
    let read = |act: Act| outcome(Function::Read, Value::Null, &[done(), Act::Rows(json!([["7"]]), 1), act]);
    assert_eq!(read(Act::Refuse("40001")), "Fail 40001", "what it read may never have been so");
}

#[test]
fn commit_is_never_sent_after_an_error() {
    for acts in [vec![done(), Act::Refuse("40001")], vec![done(), Act::Rows(json!([]), 3)]] {
        let (_, seen) = perform(Workload::Register, &acts, &[(Function::Write, json!(9))]);
        assert_eq!(seen.last().map(String::as_str), Some("rollback"));
        assert!(!seen.contains(&"commit".to_owned()), "{seen:?}");
    }
}

#[test]
fn unlisted_result_is_rolled_back_and_unknown() {
    assert_eq!(outcome(Function::Write, json!(9), &[done(), Act::Rows(json!([]), 0)]), "Info no-rule");
    assert_eq!(
        outcome(Function::Read, Value::Null, &[done(), Act::Rows(json!([[true]]), 1)]),
        "Info garbled"
    );
}

#[test]
fn connection_is_kept_unless_it_broke() {
    let connects = |acts: &[Act]| {
        let twice = [(Function::Write, json!(9)), (Function::Write, json!(10))];
        let (outcomes, seen) = perform(Workload::Register, acts, &twice);
        (outcomes[1].clone(), seen.iter().filter(|said| *said == "connect").count())
    };
    assert_eq!(connects(&[]), ("ok 10".to_owned(), 1));
    assert_eq!(connects(&[done(), Act::Refuse("40001")]), ("ok 10".to_owned(), 1), "after a rollback");
    assert_eq!(connects(&[done(), Act::Refuse("40001"), Act::Break]), ("ok 10".to_owned(), 2));
    assert_eq!(connects(&[done(), done(), Act::Refuse("40001")]), ("ok 10".to_owned(), 2));
    assert_eq!(connects(&[done(), Act::Hang]), ("ok 10".to_owned(), 2));
    let idle = [done(), done(), done(), Act::Break];
    assert_eq!(connects(&idle), ("ok 10".to_owned(), 2), "closed while it was idle");
}

#[test]
fn compare_and_set_is_refused_by_rules_only() {
    let cas = |argument: Value, acts: &[Act]| outcome(Function::Cas, argument, acts);
    assert_eq!(cas(json!([1, 2]), &[]), "ok [1,2]");
    assert_eq!(cas(json!([1, 2]), &[done(), Act::Rows(json!([]), 0)]), "Fail precondition");
    assert_eq!(cas(json!([1, 2]), &[done(), Act::Rows(json!([]), 0), Act::Break]), "Info reset");
    assert_eq!(cas(json!([null, 2]), &[done(), Act::Refuse("23505")]), "Fail precondition");
    let (_, seen) = perform(Workload::Register, &[], &[(Function::Cas, json!([null, 2]))]);
    assert!(seen.contains(&"insert into t values ($1, $2)|k1|2".to_owned()), "{seen:?}");
}

#[test]
fn transactions_read_and_append_in_order() {
    let steps = json!([["r", "k1", null], ["append", "k2", 5], ["r", "k2", null]]);
    let acts = [done(), Act::Rows(json!([["3,4"]]), 1), done(), Act::Rows(json!([]), 0)];
    let (outcomes, seen) = perform(Workload::ListAppend, &acts, &[(Function::Txn, steps.clone())]);
    assert_eq!(outcomes, [r#"ok [["r","k1",[3,4]],["append","k2",5],["r","k2",null]]"#]);
    assert_eq!(seen[3], "update t set v = v || $1 where k = $2|5|k2");
    let none = [done(), Act::Rows(json!([]), 0), Act::Rows(json!([]), 0)];
    let (outcomes, seen) = perform(Workload::ListAppend, &none, &[(Function::Txn, steps)]);
    assert_eq!((outcomes[0].as_str(), seen.last().unwrap().as_str()), ("Info nothing-written", "rollback"));
}

#[test]
fn transfer_moves_only_what_is_there() {
    let transfer = (Function::Transfer, json!({ "from": "k1", "to": "k2", "amount": 5 }));
    let held = |from: u64| [done(), Act::Rows(json!([[from]]), 1), Act::Rows(json!([["10"]]), 1)];
    let (outcomes, seen) = perform(Workload::Bank, &held(7), std::slice::from_ref(&transfer));
    assert!(outcomes[0].starts_with("ok "), "{outcomes:?}");
    assert_eq!(
        seen[4..6],
        ["update t set v = $1 where k = $2|2|k1", "update t set v = $1 where k = $2|15|k2"]
    );
    assert_eq!(perform(Workload::Bank, &held(4), &[transfer]).0, ["Fail precondition"]);
    let total = [done(), Act::Rows(json!([["3"]]), 1), Act::Rows(json!([]), 0)];
    let (outcomes, _) = perform(Workload::Bank, &total, &[(Function::Total, Value::Null)]);
    assert_eq!(outcomes, [r#"ok {"k1":3,"k2":null}"#]);
}

#[test]
fn sections_that_cannot_be_right_are_refused() {
    let refused = |from: &str, to: &str, workload| {
        assert!(CLIENT.contains(from), "{from}");
        let load = LoadSpec { workload, ..LoadSpec::default() };
        table(&CLIENT.replace(from, to), &load).map(drop).expect_err(to).to_string()
    };
    let register = |from: &str, to: &str| refused(from, to, Workload::Register);
    let insert = "\"insert into t values ({key}, {value})\"";
    for (to, said) in [
        ("\"commit\"", "client.write.sql: \"commit\" might end the transaction"),
        ("\"create table {key}\"", "\"create\" might end"),
        ("\"insert into t values ('{key}', {value})\"", "remove the quotation marks"),
        ("\"insert into t values ({key}, 1)\"", "nothing in the sql says what is written"),
        ("\"insert into t values (1, {value})\"", "nothing in the sql says which key"),
        ("\"\"", "client.write.sql: say which statement"),
    ] {
        assert!(register(insert, to).contains(said), "{}", register(insert, to));
    }
    assert!(register("[create]", "[delete]").contains("client: a cas may expect that there is no value"));
    assert!(register("ok = \"/rows/0/0\"", "ok = \"text\"").contains("a statement answers with rows"));
    let lists = refused("append = ", "# ", Workload::ListAppend);
    assert!(lists.starts_with("client.txn.append: the workload list-append needs"), "{lists}");
    let setting = CLIENT.replace("\"postgres\"", "\"mysql\"") + "\n";
    let setting = setting.replace("isolation =", "begin = [\"set autocommit = 1\"]\nisolation =");
    let error = table(&setting, &LoadSpec::default()).map(drop).unwrap_err();
    assert_eq!(error.field, "client.begin.1", "{error}");
}
