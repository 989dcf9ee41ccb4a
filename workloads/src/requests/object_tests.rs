//! Tables of sets, counters, ids, lists, locks and logs.

use super::*;

const SPEC: &str = r#"
kind = "http"
[read]
request = "GET /all"
answers = [{ when.status = 200, ok = "/all" }]
[add]
request = "POST /all"
body    = "{value}"
answers = [{ when.status = 201, ok = true }]
[generate]
request = "POST /ids"
answers = [{ when.status = 201, ok = "/id" }]
[acquire]
request = "POST /locks/{key}?owner={owner}"
answers = [{ when.status = 201, ok = true }, { when.status = 409, value-differs = true }]
[release]
request = "DELETE /locks/{key}?owner={owner}"
answers = [{ when.status = 200, ok = true }, { when.status = 409, value-differs = true }]
[send]
request = "POST /logs/{key}"
body    = "{value}"
answers = [{ when.status = 201, ok = "/offset" }]
[poll]
request = "GET /logs/{key}?from={offset}"
answers = [{ when.status = 200, ok = "/messages" }]
"#;

fn load(workload: &str) -> LoadSpec {
    toml::from_str(&format!("workload = \"{workload}\"")).unwrap()
}

fn table(spec: &str, workload: &str) -> Result<RequestTable, SpecError> {
    toml::from_str::<ClientSpec>(spec).unwrap().table(&load(workload))
}

/// What an answer says of an operation on k1, and what was asked for.
fn said(workload: &str, function: Function, argument: Value, answer: (u16, &str)) -> (String, Answer) {
    let table = table(SPEC, workload).unwrap();
    let operation = Operation { function, key: "k1".to_owned(), argument };
    let host = HeaderValue::from_static("10.0.0.1:80");
    let asked = table.request(&operation, None, &host, &Dialogue::default()).unwrap();
    let response = Response::builder().status(answer.0).body(Bytes::from(answer.1.to_owned())).unwrap();
    let Reply::Said(said) = table.reply(&operation, &response, &mut Dialogue::default()) else {
        panic!("there is one step")
    };
    (asked.uri().to_string(), said)
}

#[test]
fn answers_have_the_shape_of_the_workload() {
    let all = |workload, body| said(workload, Function::Total, Value::Null, (200, body)).1;
    assert_eq!(all("set", r#"{"all":["2",1]}"#), Answer::Value(json!([2, 1])));
    assert_eq!(all("set", r#"{"all":[]}"#), Answer::Value(Value::Null));
    assert_eq!(all("set", r#"{"all":{"a":1}}"#), Answer::Unreadable, "that is no list of integers");
    assert_eq!(all("pn-counter", r#"{"all":-3}"#), Answer::Value(json!(-3)));
    assert_eq!(all("pn-counter", r#"{"all":"gone"}"#), Answer::Unreadable);
    let add = said("set", Function::Add, json!(5), (201, ""));
    assert_eq!(add.1, Answer::Applied);
    let id = said("unique-ids", Function::Generate, Value::Null, (201, r#"{"id":"a-1"}"#));
    assert_eq!(id.1, Answer::Value(json!("a-1")));
}

#[test]
fn locks_and_logs_name_owner_and_offset() {
    let owner = || json!({ "client": 3 });
    let got = said("lock", Function::Acquire, owner(), (201, ""));
    assert_eq!(got, ("/locks/k1?owner=3".to_owned(), Answer::Applied));
    assert_eq!(said("lock", Function::Acquire, owner(), (409, "")).1, Answer::Differs);
    assert_eq!(said("lock", Function::Release, owner(), (500, "")).1, Answer::Unlisted(500));
    let polled = said("kafka", Function::Poll, json!(4), (200, r#"{"messages":[[4,"9"]]}"#));
    assert_eq!(polled, ("/logs/k1?from=4".to_owned(), Answer::Value(json!([[4, 9]]))));
    let sent = said("kafka", Function::Send, json!(9), (201, r#"{"offset":4}"#));
    assert_eq!(sent.1, Answer::Value(json!(4)));
}

#[test]
fn tables_without_their_words_are_refused() {
    for (workload, from, to, says) in [
        ("set", "{value}", "1", "says what is written; put {value}"),
        ("lock", "?owner={owner}", "", "says whose the lock is; put {owner}"),
        ("kafka", "?from={offset}", "", "from where on messages are wanted; put {offset}"),
        ("kafka", "/logs/{key}", "/logs", "which key is meant; put {key}"),
        ("set", "GET /all", "GET /{key}", "a read has no {key}"),
        ("set", "\"/all\"", "true", "finds a value; say where"),
        ("lock", "value-differs = true", "value-differs = \"/by\"", "of a lock it is true"),
        ("set", "[add]", "[put]", "add [client.add]"),
    ] {
        let error = table(&SPEC.replacen(from, to, 1), workload).unwrap_err();
        assert!(error.message.contains(says), "{from}: {error}");
    }
}

#[test]
fn list_append_needs_transactions_of_one_step() {
    let spec = "kind = \"resp\"\n[read]\ncommand = [\"LRANGE\", \"{key}\", \"0\", \"-1\"]\nanswers = [{ ok = \"\" }]\n\
                [append]\ncommand = [\"RPUSH\", \"{key}\", \"{value}\"]\nanswers = [{ ok = true }]";
    let client: ClientSpec = toml::from_str(spec).unwrap();
    let mut load = load("list-append");
    assert_eq!(client.table(&load).unwrap_err().field, "load.txn-length");
    load.txn_length = Some(1);
    assert!(client.table(&load).is_ok());
}
