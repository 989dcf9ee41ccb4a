//! `bench check` on histories that hang on what their files do not say: such an answer is unknown, and says why.

use crate::edges::{check_all, edn};
use serde_json::{Value, json};

/// A file, the options, the exit code and words of the answer.
type Case<'a> = (String, &'a [&'a str], i32, &'a str);

#[test]
fn objects_of_transactions_are_apart() {
    let txn = |steps: &[&str]| {
        let operations: Vec<_> = steps.iter().map(|step| ("0", "txn", *step, *step)).collect();
        edn(&operations)
    };
    check_all(
        "h.edn",
        &[
            (
                txn(&["[1 [[:w :x 1]]]", "[2 [[:w :x 2]]]", "[1 [[:r :x 1]]]", "[2 [[:r :x 2]]]"]),
                &[],
                0,
                "on 2 keys",
            ),
            (txn(&["[1 [[:w :x 1]]]", "[2 [[:w :x 2]]]", "[1 [[:r :x 2]]]"]), &["--initial", "null"], 1, ""),
            (
                txn(&["[1 [[:append 1 1]]]", "[2 [[:append 1 2]]]", "[1 [[:r 1 [1]]]]", "[2 [[:r 1 [2]]]]"]),
                &[],
                0,
                "on 2 keys",
            ),
        ],
    );
}

#[test]
fn operations_not_understood_may_explain() {
    let did = |f: &'static str, value: &'static str| ("0", f, value, value);
    let read = |found: &'static str| ("0", "read", "nil", found);
    let took = |element: &'static str| ("0", "dequeue", "nil", element);
    let balances = |found: &'static str| ("0", "read", "nil", found);
    let add = || did("add", "1");
    let cases: Vec<Case<'_>> = vec![
        (edn(&[add(), did("remove", "1"), read("[]")]), &["--model", "set-final"], 3, "may explain it"),
        (edn(&[add(), read("[]"), did("remove", "1")]), &["--model", "set-final"], 1, "element 1 is lost"),
        (
            edn(&[add(), read("1"), ("0", "reset", "nil", "nil"), read("0")]),
            &["--model", "counter-bounds"],
            3,
            "may explain it",
        ),
        (
            edn(&[did("enqueue", "1"), took("1"), did("requeue", "1"), took("1")]),
            &["--model", "queue"],
            3,
            "may explain it",
        ),
        (
            edn(&[did("enqueue", "1"), took("1"), took("1"), did("requeue", "1")]),
            &["--model", "queue"],
            1,
            "duplicated",
        ),
        // The total of most reads may be that after the deposit.
        (
            edn(&[balances("{0 5}"), did("deposit", "{:to 0}"), balances("{0 9}"), balances("{0 9}")]),
            &["--model", "bank"],
            3,
            "may explain it",
        ),
        (edn(&[did("write", "1"), read("[1]")]), &["--model", "set-full"], 3, "may explain it"),
    ];
    check_all("h.edn", &cases);
}

#[test]
fn left_out_steps_stand_where_they_were_asked() {
    let txn = |asked: &'static str, answered: &'static str| ("0", "txn", asked, answered);
    let two = "[[:append 1 5] [:append 1 6]]";
    let stale =
        || edn(&[txn("[[:w 1 5]]", "[]"), txn("[[:w 1 6]]", "[]"), txn("[[:r 1 nil]]", "[[:r 1 5]]")]);
    check_all(
        "h.edn",
        &[
            (edn(&[txn("[[:append 1 5] [:r 1 nil]]", "[[:r 1 [5]]]")]), &[], 3, "that answers leave out"),
            (edn(&[txn("[[:w 1 5] [:r 1 nil]]", "[[:r 1 5]]")]), &[], 3, "that answers leave out"),
            (
                edn(&[txn(two, "[[:append 1 6]]"), txn("[[:r 1 nil]]", "[[:r 1 [5 6]]]")]),
                &[],
                3,
                "that answers leave out",
            ),
            (
                edn(&[txn("[[:write 1 5]]", "[]"), txn("[[:read 1 nil]]", "[[:read 1 5]]")]),
                &["--model", "multi-register"],
                3,
                "that answers leave out",
            ),
            (
                edn(&[txn("[[:append 1 5]]", "[[:append 1 5]]"), txn("[[:r 1 nil]]", "[[:r \"1\" [5]]]")]),
                &[],
                3,
                "in another form",
            ),
            (stale(), &[], 1, ""),
        ],
    );
}

#[test]
fn every_model_may_have_started_elsewhere() {
    let did = |f: &'static str, value: &'static str| ("0", f, value, value);
    let got = |f: &'static str, found: &'static str| ("0", f, "nil", found);
    let cases: Vec<Case<'_>> = vec![
        (edn(&[got("dequeue", "7"), did("enqueue", "1")]), &["--model", "fifo-queue"], 3, "--initial '[7]'"),
        (edn(&[did("enqueue", "1"), got("drain", "[7 1]")]), &[], 3, "--initial '[7]'"),
        (edn(&[did("push", "1"), got("pop", "1"), got("pop", "7")]), &[], 3, "--initial '[7]'"),
        (
            edn(&[got("read", "[1]"), did("remove", "1"), got("read", "[]")]),
            &["--model", "set"],
            3,
            "--initial '[1]'",
        ),
        (edn(&[("0", "contains", "1", "true"), did("add", "2")]), &[], 3, "--initial '[1]'"),
        (
            edn(&[got("read", "0"), did("write", "1"), got("read", "1")]),
            &["--model", "sequential-register"],
            3,
            "--initial '0'",
        ),
        (
            edn(&[
                did("write", "[[:w 1 1]]"),
                ("1", "read", "[[:r 1 nil] [:r 2 nil]]", "[[:r 1 1] [:r 2 0]]"),
                did("write", "[[:w 2 1]]"),
            ]),
            &["--model", "long-fork"],
            3,
            "--initial '0'",
        ),
        // What was put in is not there from the start.
        (
            edn(&[did("enqueue", "1"), got("dequeue", "1"), got("dequeue", "1")]),
            &["--model", "fifo-queue"],
            1,
            "",
        ),
        (edn(&[did("add", "1"), got("read", "[]")]), &["--model", "set"], 1, ""),
    ];
    check_all("h.edn", &cases);
    let rows = "{:val 6 :sts 6 :proc 0}";
    let before = "[{:val 5 :sts 5 :proc 0} {:val 6 :sts 6 :proc 0}]";
    let text = edn(&[("0", "add", "nil", rows), ("0", "read", "nil", before)]);
    check_all("h.edn", &[(text, &["--model", "monotonic"], 3, "unless the history starts from")]);
}

#[test]
fn initial_values_may_be_written_again() {
    let event = |process: u8, kind: &str, f: &str, value: &str| {
        format!("{{:process {process}, :type :{kind}, :f :{f}, :value {value}}}\n")
    };
    let swaps = [
        event(3, "invoke", "write", "0"),
        event(0, "invoke", "cas", "[0 1]"),
        event(0, "ok", "cas", "[0 1]"),
        event(0, "invoke", "cas", "[0 3]"),
        event(0, "ok", "cas", "[0 3]"),
        event(3, "ok", "write", "0"),
    ];
    let sums = [
        event(2, "invoke", "add", "1"),
        event(1, "invoke", "read", "nil"),
        event(1, "ok", "read", "6"),
        event(2, "ok", "add", "1"),
        event(1, "invoke", "read", "nil"),
        event(1, "ok", "read", "6"),
    ];
    let twice = [
        event(0, "invoke", "write", "0"),
        event(0, "ok", "write", "0"),
        event(0, "invoke", "cas", "[0 1]"),
        event(0, "ok", "cas", "[0 1]"),
        event(0, "invoke", "cas", "[0 3]"),
        event(0, "ok", "cas", "[0 3]"),
    ];
    check_all(
        "h.edn",
        &[
            (swaps.concat(), &[], 3, "say --initial '0'"),
            (sums.concat(), &["--model", "counter"], 3, "say --initial '5'"),
            (twice.concat(), &[], 1, ""),
        ],
    );
    let of_key = |key: &str, f: &str, argument: &str, result: &str| {
        edn(&[("0", f, argument, result)]).replace('}', &format!(", :key \"{key}\"}}"))
    };
    let append = |key: &str| of_key(key, "append", "\"b\"", "\"b\"");
    check_all(
        "h.edn",
        &[
            (append("k") + &of_key("k", "get", "nil", "\"ab\""), &[], 3, "say --initial '{\"k\":\"a\"}'"),
            (append("j") + &of_key("k", "get", "nil", "\"z\""), &[], 3, "say --initial '{\"k\":\"z\"}'"),
            (append("k") + &append("k") + &of_key("k", "get", "nil", "\"b\""), &[], 1, ""),
        ],
    );
}

/// An operation of etcd's report: a put, or a read of a key or of a range.
fn etcd(client: u64, at: u64, input: Value, output: Value, revision: i64) -> Value {
    let kind = if input["Conditions"].is_null() { "Range" } else { "Txn" };
    let entry = |value: Value| json!({ "Type": kind.to_lowercase(), kind: value });
    let mut answer = json!({ "Revision": revision });
    answer[kind] = output;
    json!({ "ClientId": client, "Input": entry(input), "Call": at, "Output": answer, "Return": at + 1 })
}

fn put(client: u64, at: u64, key: &str, value: &str, revision: i64) -> Value {
    let step = json!({ "Type": "put-operation", "Put": { "Key": key, "Value": { "Value": value } } });
    let asked = json!({ "Conditions": [], "OperationsOnSuccess": [step] });
    etcd(client, at, asked, json!({ "Failure": false, "Results": [{}] }), revision)
}

fn get(client: u64, at: u64, range: [&str; 2], found: &[(&str, &str, i64)], revision: i64) -> Value {
    let entry = |(key, value, at): &(&str, &str, i64)| json!({ "Key": key, "Value": { "Value": value }, "ModRevision": at });
    let entries: Vec<Value> = found.iter().map(entry).collect();
    let output = json!({ "KVs": entries, "Count": entries.len() });
    etcd(client, at, json!({ "Start": range[0], "End": range[1] }), output, revision)
}

fn lines(entries: &[Value]) -> String {
    entries.iter().flat_map(|entry| [entry.to_string(), "\n".to_owned()]).collect()
}

#[test]
fn lone_client_of_etcd_sees_others() {
    let lone = |second: i64| {
        lines(&[
            put(0, 1, "a", "1", 2),
            put(0, 3, "a", "2", second),
            get(0, 5, ["a", ""], &[("a", "2", second)], second),
        ])
    };
    let other = lines(&[put(0, 1, "a", "1", 2), get(0, 3, ["a", ""], &[("a", "9", 4)], 4)]);
    check_all(
        "operations.json",
        &[
            (lone(3), &[], 0, ""),
            (lone(5), &[], 3, "only the operations of client 0"),
            (other, &[], 3, "only the operations of client 0"),
            (lone(1), &[], 1, ""),
            (lone(2), &[], 1, ""),
            // Each revision is that of a change in the file.
            (lines(&[put(0, 1, "a", "1", 2), get(0, 3, ["a", ""], &[("a", "9", 2)], 2)]), &[], 1, ""),
        ],
    );
}

#[test]
fn reads_of_etcd_show_all_changes_before() {
    let puts = || vec![put(0, 1, "a", "1", 2), put(1, 3, "b", "1", 3)];
    let range = |found: &[(&str, &str, i64)]| get(1, 5, ["a", "z"], found, 3);
    let with = |last: Value| {
        let mut entries = puts();
        entries.push(last);
        lines(&entries)
    };
    let mut limited = range(&[("a", "1", 2)]);
    limited["Input"]["Range"]["Limit"] = json!(1);
    limited["Output"]["Range"]["Count"] = json!(2);
    let lists_twice =
        |name: &str| lines(&[put(0, 1, name, "x", 2), get(1, 3, [name, ""], &[(name, "x", 2)], 2)]);
    check_all(
        "operations.json",
        &[
            (with(range(&[("a", "1", 2), ("b", "1", 3)])), &[], 0, ""),
            (with(range(&[("a", "1", 2)])), &[], 1, "b as of revision 3"),
            (with(range(&[])), &[], 1, "as of revision 3"),
            (with(limited), &[], 0, ""),
            (with(get(1, 5, ["c", "z"], &[], 3)), &[], 0, ""),
            // Keys that have the names of what is derived from keys.
            (lists_twice("revision of the store"), &[], 0, ""),
            (lists_twice("a exists"), &[], 0, ""),
            (lists_twice("a mod revision"), &[], 0, ""),
        ],
    );
}

#[test]
fn reads_before_changes_of_etcd_are_judged() {
    let read = json!({ "Type": "range-operation", "Range": { "Start": "a", "End": "" } });
    let change = json!({ "Type": "put-operation", "Put": { "Key": "a", "Value": { "Value": "2" } } });
    let found =
        |value: &str| json!({ "KVs": [{ "Key": "a", "Value": { "Value": value }, "ModRevision": 2 }] });
    let swap = |value: &str| {
        let asked = json!({ "Conditions": [], "OperationsOnSuccess": [read, change] });
        let answer = json!({ "Failure": false, "Results": [found(value), {}] });
        lines(&[put(0, 1, "a", "1", 2), etcd(1, 3, asked, answer, 3)])
    };
    check_all("operations.json", &[(swap("1"), &[], 0, ""), (swap("9"), &[], 1, "")]);
}
