//! Tables of requests: what is sent, what answers mean, what is refused.

use super::*;
use http_body_util::BodyExt;

const ITEMS: &str = r#"
kind = "http"
headers = { authorization = "Bearer t" }

[read]
request = "GET /api/items/{key}"
answers = [
    { when = { status = 200 }, ok = "/val" },
    { when = { status = 404, at = "/error", is = "no such item" }, ok = "absent" },
]

[write]
request = "POST /api/items"
body = '{"id":{key:json},"val":{value}}'
answers = [
    { when = { status = "2xx" }, ok = true },
    { when = { status = [409, 503], body = "not (the )?leader" }, fail = true },
]

[cas]
request = "POST /api/items/{key}/swap?from={from:url}&to={to:url}"
answers = [
    { when = { at = "/swapped", is = true }, ok = true },
    { when = { at = "/swapped", is = false, status = 200 }, value-differs = "/val" },
    { when = { status = 412 }, value-differs = true },
]
"#;

fn client(text: &str) -> ClientSpec {
    toml::from_str(text).unwrap()
}

fn load(text: &str) -> LoadSpec {
    toml::from_str(text).unwrap()
}

fn operation(function: Function) -> Operation {
    let argument = match function {
        Function::Cas => json!([1, 2]),
        Function::Read | Function::Get => Value::Null,
        _ => json!(7),
    };
    Operation { function, key: "k1".to_owned(), argument }
}

fn sent(table: &RequestTable, function: Function) -> (String, String, String) {
    let host = HeaderValue::from_static("10.0.0.1:80");
    let request = table.request(&operation(function), None, &host, &Dialogue::default()).unwrap();
    assert_eq!(request.headers()["host"], "10.0.0.1:80");
    assert_eq!(request.headers()["authorization"], "Bearer t");
    let kind = request.headers().get(CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap()).to_owned();
    let line = format!("{} {}", request.method(), request.uri());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let body = runtime.block_on(request.into_body().collect()).unwrap().to_bytes();
    (line, kind, String::from_utf8(body.to_vec()).unwrap())
}

fn replied(
    table: &RequestTable,
    operation: &Operation,
    status: u16,
    body: &str,
    dialogue: &mut Dialogue,
) -> Reply {
    let response = Response::builder().status(status).header("location", "http://10.0.0.2:80/x");
    table.reply(operation, &response.body(Bytes::from(body.to_owned())).unwrap(), dialogue)
}

fn said(table: &RequestTable, operation: &Operation, status: u16, body: &str) -> Answer {
    match replied(table, operation, status, body, &mut Dialogue::default()) {
        Reply::Said(answer) => answer,
        Reply::Next => panic!("{body}: this has one step"),
    }
}

#[test]
fn requests_are_those_of_the_table() {
    let table = client(ITEMS).table(&load("")).unwrap();
    assert_eq!(sent(&table, Function::Read), ("GET /api/items/k1".into(), String::new(), String::new()));
    let body = r#"{"id":"k1","val":7}"#.to_owned();
    assert_eq!(sent(&table, Function::Write), ("POST /api/items".into(), "application/json".into(), body));
    assert_eq!(sent(&table, Function::Cas).0, "POST /api/items/k1/swap?from=1&to=2");
}

#[test]
fn first_rule_that_fits_decides_and_none_is_unknown() {
    let table = client(ITEMS).table(&load("")).unwrap();
    let answer = |function, status, body: &str| said(&table, &operation(function), status, body);
    assert_eq!(answer(Function::Read, 200, r#"{"val":7}"#), Answer::Value(json!(7)));
    assert_eq!(answer(Function::Read, 200, r#"{"val":"7"}"#), Answer::Value(json!(7)));
    assert_eq!(answer(Function::Read, 200, r#"{"val":null}"#), Answer::Value(Value::Null));
    for odd in ["", "{}", "[]", "ok", r#"{"val":[7]}"#, r#"{"val":true}"#] {
        assert_eq!(answer(Function::Read, 200, odd), Answer::Unreadable, "{odd}");
    }
    assert_eq!(answer(Function::Read, 404, r#"{"error":"no such item"}"#), Answer::Value(Value::Null));
    assert_eq!(answer(Function::Read, 404, "Not Found"), Answer::Unlisted(404), "a 404 of something else");
    assert_eq!(answer(Function::Write, 201, ""), Answer::Applied);
    assert_eq!(answer(Function::Write, 503, "I am not the leader"), Answer::NotApplied);
    assert_eq!(answer(Function::Write, 503, "overloaded"), Answer::Unlisted(503));
    assert_eq!(answer(Function::Cas, 200, r#"{"swapped":true}"#), Answer::Applied);
    assert_eq!(answer(Function::Cas, 200, r#"{"swapped":false,"val":3}"#), Answer::Precondition(json!(3)));
    assert_eq!(answer(Function::Cas, 412, ""), Answer::Differs);
    assert_eq!(answer(Function::Cas, 200, "{}"), Answer::Unlisted(200));
}

#[test]
fn bodies_as_text_are_values() {
    let text = ITEMS.replace("ok = \"/val\"", "ok = \"text\"");
    let read = |workload: &str, body: &str| {
        let table = client(&text).table(&load(workload)).unwrap();
        let function = if workload.contains("kv") { Function::Get } else { Function::Read };
        said(&table, &operation(function), 200, body)
    };
    assert_eq!(read("", "7\n"), Answer::Value(json!(7)));
    assert_eq!(read("workload = \"kv\"\nmix = { get = 1, put = 1 }", "7\n"), Answer::Value(json!("7")));
}

#[test]
fn default_mix_has_only_what_is_described() {
    let without_cas = client(&ITEMS[..ITEMS.find("[cas]").unwrap()]);
    let names = |workload| without_cas.default_mix(workload).into_keys().collect::<Vec<_>>();
    assert_eq!(names(Workload::Register), ["read", "write"]);
    assert_eq!(names(Workload::Kv), ["get", "put"], "a get is a read, and a put is a write");
    let refused = without_cas.table(&load("")).unwrap_err();
    assert_eq!(refused.field, "client");
    assert!(refused.message.contains("ask for cas; add [client.cas]"), "{}", refused.message);
}

#[test]
fn mistakes_are_refused_with_their_key() {
    let refused = |from: &str, to: &str| {
        let text = ITEMS.replacen(from, to, 1);
        assert_ne!(text, ITEMS, "{from}");
        client(&text).table(&load("")).unwrap_err().field
    };
    assert_eq!(refused("GET /api", "GET api"), "client.read.request");
    assert_eq!(refused("GET /api/items/{key}", "GET /api/items"), "client.read.request");
    assert_eq!(refused("GET /api", "G(T /api"), "client.read.request");
    assert_eq!(refused("/items/{key}\"", "/items/{key} x\""), "client.read.request");
    assert_eq!(refused("\"val\":{value}", "\"val\":1"), "client.write.request");
    assert_eq!(refused("{key:json}", "{key:yaml}"), "client.write.body");
    assert_eq!(refused("ok = \"/val\"", "ok = true"), "client.read.answers.1.ok");
    assert_eq!(refused("\"2xx\" }, ok = true", "\"2xx\" }, ok = \"/val\""), "client.write.answers.1.ok");
    assert_eq!(refused("fail = true", "fail = true, info = true"), "client.write.answers.2");
    assert_eq!(refused("fail = true", "value-differs = true"), "client.write.answers.2.value-differs");
    assert_eq!(refused("ok = true", "fail = true"), "client.write.answers");
    assert_eq!(refused("at = \"/error\", ", ""), "client.read.answers.2.when.is");
    assert_eq!(refused("at = \"/error\"", "at = \"error\""), "client.read.answers.2.when.at");
    assert_eq!(refused("not (the )?leader", "not (the"), "client.write.answers.2.when.body");
    assert_eq!(refused("authorization =", "\"autho rization\" ="), "client.headers");
    let field = |text: &str| client(ITEMS).table(&load(text)).unwrap_err().field;
    assert_eq!(field("workload = \"bank\""), "load.workload");
    assert_eq!(field("retry = \"100ms\""), "load.retry");
    assert_eq!(field("mix = { read = 0 }"), "load.mix");
}

#[test]
fn statuses_and_values_are_read_strictly() {
    let rule = |rule: &str| toml::from_str::<Rule>(rule).map_err(|error| error.message().to_owned());
    assert!(rule("when.status = 200\nok = true").is_ok());
    for status in ["99", "\"20x\"", "\"0xx\"", "[]", "2.5", "\"200\""] {
        let error = rule(&format!("when.status = {status}\nok = true")).unwrap_err();
        assert!(error.contains("such as 200"), "{status}: {error}");
    }
    for ok in ["false", "\"val\"", "3"] {
        assert!(rule(&format!("ok = {ok}")).unwrap_err().contains("JSON pointer"), "{ok}");
    }
}

#[test]
fn steps_read_a_version_and_then_set() {
    let table = client(
        r#"
        kind = "http"
        answers = [{ when.status = 421, follow = "location" }, { when.status = 503, standby = true }]
        read = { request = "GET /{key}", answers = [{ when.status = 200, ok = { at = "/v", base64 = true } }] }
        write = { request = "PUT /{key}", body = "{value}", answers = [{ when.status = 200, ok = true }] }
        [cas]
        first = [{ request = "GET /{key}", capture = { rev = "/rev" }, answers = [
            { when = { at = "/v", is-not = "{from}" }, value-differs = "/v" },
            { when = { status = 404 }, value-differs = "absent" },
        ] }]
        request = "PUT /{key}?rev={rev}"
        body    = "{to}"
        answers = [{ when.status = 200, ok = true }, { when.status = 412, value-differs = true }]
        [create]
        request = "PUT /{key}?rev=0"
        body    = "{to}"
        answers = [{ when.status = 200, ok = true }]
        "#,
    )
    .table(&load(""))
    .unwrap();
    let cas = operation(Function::Cas);
    let reply = |dialogue: &mut Dialogue, status, body: &str| replied(&table, &cas, status, body, dialogue);
    let mut dialogue = Dialogue::default();
    assert_eq!(reply(&mut dialogue, 200, r#"{"v":1,"rev":"a/b"}"#), Reply::Next);
    let host = HeaderValue::from_static("h");
    let uri = |dialogue: &Dialogue, cas: &Operation| {
        table.request(cas, None, &host, dialogue).map(|request| request.uri().to_string())
    };
    assert_eq!(uri(&dialogue, &cas).unwrap(), "/k1?rev=a/b");
    assert_eq!(reply(&mut dialogue, 412, ""), Reply::Said(Answer::Differs));
    let first = |status, body: &str| reply(&mut Dialogue::default(), status, body);
    assert_eq!(first(200, r#"{"v":3,"rev":4}"#), Reply::Said(Answer::Precondition(json!(3))));
    assert_eq!(first(404, ""), Reply::Said(Answer::Precondition(Value::Null)));
    assert_eq!(first(200, r#"{"v":1}"#), Reply::Said(Answer::Unlisted(200)), "no version, so no next step");
    assert_eq!(first(421, ""), Reply::Said(Answer::Elsewhere("http://10.0.0.2:80/x".to_owned())));
    assert_eq!(first(503, ""), Reply::Said(Answer::Standby));
    let mut dialogue = Dialogue::default();
    assert_eq!(reply(&mut dialogue, 200, "{\"v\":1,\"rev\":\"a b\\n\"}"), Reply::Next);
    assert_eq!(uri(&dialogue, &cas), None, "what no URL can have is not sent");
    let create = Operation { argument: json!([null, 2]), ..cas.clone() };
    assert_eq!(uri(&Dialogue::default(), &create).unwrap(), "/k1?rev=0");
    assert_eq!(said(&table, &operation(Function::Read), 200, r#"{"v":"Nw=="}"#), Answer::Value(json!(7)));
    assert_eq!(said(&table, &operation(Function::Read), 200, r#"{"v":"7"}"#), Answer::Unreadable);
}

#[test]
fn commands_of_redis_have_rules_for_raw_answers() {
    let text = r#"
        kind = "resp"
        answers = [{ when.body = "^-READONLY", standby = true }, { when.body = "^-(LOADING|OOM)", fail = true }]
        read = { command = ["GET", "{key}"], answers = [{ when.body = '^\$', ok = "" }] }
        write = { command = ["SET", "{key}", "{value}"], answers = [{ when.body = '^\+OK', ok = true }] }
        "#;
    let table = client(text).table(&load("mix = { read = 1, write = 1 }")).unwrap();
    assert!(!table.speaks_http());
    let said = |function, answer: &str| said(&table, &operation(function), 200, answer);
    assert_eq!(said(Function::Read, "$1\r\n7\r\n"), Answer::Value(json!(7)));
    assert_eq!(said(Function::Read, "$-1\r\n"), Answer::Value(Value::Null));
    assert_eq!(said(Function::Write, "+OK\r\n"), Answer::Applied);
    assert_eq!(said(Function::Write, "-READONLY no\r\n"), Answer::Standby);
    assert_eq!(said(Function::Read, "-LOADING\r\n"), Answer::NotApplied);
    assert_eq!(said(Function::Write, "-ERR what\r\n"), Answer::Unreadable);
    let refused = |from: &str, to: &str| {
        client(&text.replacen(from, to, 1)).table(&load("mix = { read = 1, write = 1 }")).unwrap_err().field
    };
    assert_eq!(refused("command = [\"GET\"", "request = \"GET\", command = [\"GET\""), "client.read.request");
    assert_eq!(refused("command = [\"GET\", \"{key}\"]", "command = []"), "client.read.command");
    assert_eq!(refused("kind = \"resp\"", "kind = \"http\""), "client.read.command");
}

/// The table of a built-in system.
fn system(text: &str, workload: &str) -> RequestTable {
    let file: toml::Table = text.parse().unwrap();
    let client: ClientSpec = file["client"].clone().try_into().unwrap();
    client.table(&load(workload)).unwrap()
}

const ETCD: &str = include_str!("../../systems/etcd.toml");
const REDIS: &str = include_str!("../../systems/redis.toml");

fn absent_cas() -> Operation {
    Operation { argument: json!([null, 2]), ..operation(Function::Cas) }
}

#[test]
fn requests_to_etcd_are_base64() {
    let table = system(ETCD, "");
    let body = |operation: &Operation| -> (String, Value) {
        let host = HeaderValue::from_static("h");
        let request = table.request(operation, None, &host, &Dialogue::default()).unwrap();
        let path = request.uri().path().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bytes = runtime.block_on(request.into_body().collect()).unwrap().to_bytes();
        (path, serde_json::from_slice(&bytes).unwrap())
    };
    assert_eq!(body(&operation(Function::Read)), ("/v3/kv/range".to_owned(), json!({"key": "azE="})));
    let write = json!({"key": "azE=", "value": "Nw=="});
    assert_eq!(body(&operation(Function::Write)), ("/v3/kv/put".to_owned(), write));
    let (path, cas) = body(&operation(Function::Cas));
    assert_eq!((path.as_str(), &cas["compare"][0]["value"]), ("/v3/kv/txn", &json!("MQ==")));
    assert_eq!(cas["success"][0]["requestPut"], json!({"key": "azE=", "value": "Mg=="}));
    assert_eq!(body(&absent_cas()).1["compare"][0]["target"], "CREATE");
}

#[test]
fn answers_of_etcd_are_certain_or_unknown() {
    let table = system(ETCD, "");
    let answer =
        |function, status, body: Value| said(&table, &operation(function), status, &body.to_string());
    let found = json!({"header": {}, "kvs": [{"key": "azE=", "value": "Nw=="}], "count": "1"});
    assert_eq!(answer(Function::Read, 200, found.clone()), Answer::Value(json!(7)));
    assert_eq!(answer(Function::Read, 200, json!({"header": {}})), Answer::Value(Value::Null));
    assert_eq!(answer(Function::Write, 200, json!({"header": {}})), Answer::Applied);
    assert_eq!(answer(Function::Cas, 200, json!({"header": {}, "succeeded": true})), Answer::Applied);
    let refused = json!({"header": {}, "responses": [{"response_range": found}]});
    assert_eq!(answer(Function::Cas, 200, refused.clone()), Answer::Precondition(json!(7)));
    assert_eq!(said(&table, &absent_cas(), 200, &refused.to_string()), Answer::Precondition(json!(7)));
    let absent = json!({"header": {}, "responses": [{"response_range": {"header": {}}}]});
    assert_eq!(answer(Function::Cas, 200, absent), Answer::Precondition(Value::Null));
    for function in [Function::Read, Function::Write, Function::Cas] {
        let timed_out = json!({"error": "etcdserver: request timed out"});
        assert_eq!(answer(function, 503, timed_out), Answer::Unlisted(503));
        assert_eq!(answer(function, 200, json!({"error": "?"})), Answer::Unlisted(200));
        assert_eq!(answer(function, 400, json!({"error": "bad key"})), Answer::NotApplied);
    }
    let strange = json!({"header": {}, "kvs": [{"value": "not base64!"}]});
    assert_eq!(answer(Function::Read, 200, strange), Answer::Unreadable);
    let empty = json!({"header": {}, "kvs": [{"key": "azE="}]});
    assert_eq!(answer(Function::Read, 200, empty), Answer::Unlisted(200), "no load writes an empty value");
    assert_eq!(answer(Function::Cas, 200, json!({"header": {}})), Answer::Unlisted(200));
}

#[test]
fn answers_of_redis_have_their_meaning() {
    let table = system(REDIS, "");
    let answer = |function, answer: &str| said(&table, &operation(function), 200, answer);
    assert_eq!(answer(Function::Read, "$2\r\n17\r\n"), Answer::Value(json!(17)));
    assert_eq!(answer(Function::Read, "$-1\r\n"), Answer::Value(Value::Null));
    assert_eq!(answer(Function::Write, "+OK\r\n"), Answer::Applied);
    assert_eq!(answer(Function::Cas, ":1\r\n"), Answer::Applied);
    assert_eq!(answer(Function::Cas, "*1\r\n$1\r\n3\r\n"), Answer::Precondition(json!(3)));
    assert_eq!(answer(Function::Cas, "*1\r\n$-1\r\n"), Answer::Precondition(Value::Null));
    assert_eq!(answer(Function::Cas, "*0\r\n"), Answer::Precondition(Value::Null));
    assert_eq!(answer(Function::Write, "-READONLY You can't write\r\n"), Answer::Standby);
    assert_eq!(answer(Function::Write, "-NOAUTH Authentication required.\r\n"), Answer::NotApplied);
    assert_eq!(said(&table, &absent_cas(), 200, "*1\r\n$1\r\n3\r\n"), Answer::Precondition(json!(3)));
    for unsure in ["-ERR what\r\n", ":1\r\n", "$2\r\n1", "hello"] {
        assert_eq!(answer(Function::Write, unsure), Answer::Unreadable, "{unsure}");
    }
}

#[test]
fn every_workload_of_a_system_has_its_functions() {
    let kv = "workload = \"kv\"\nmix = { get = 1, put = 1, delete = 1, cas = 1 }";
    for text in [ETCD, REDIS] {
        assert_eq!(system(text, kv).entries.len(), 4);
    }
}
