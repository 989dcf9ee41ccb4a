//! `bench check` on files at the edge of what other tools write: one small file a kind, with what is right and why.

use crate::support::{output, program, stderr, stdout};
use std::path::Path;

/// Checks a file; what it said, on both streams.
pub(crate) fn check(folder: &Path, arguments: &[&str], expected: i32) -> String {
    let output = output(folder, &[&["check"], arguments].concat());
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {said}");
    said
}

/// Acknowledged operations in few words, one after the other: process, function, argument, result.
pub(crate) fn edn(operations: &[(&str, &str, &str, &str)]) -> String {
    let line = |(process, f, argument, result): &(&str, &str, &str, &str)| {
        format!(
            "{{:process {process}, :type :invoke, :f :{f}, :value {argument}}}\n{{:process {process}, :type :ok, :f :{f}, \
             :value {result}}}\n"
        )
    };
    operations.iter().map(line).collect()
}

/// Checks each text in a file of this name.
pub(crate) fn check_all(name: &str, cases: &[(String, &[&str], i32, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    for (text, options, expected, part) in cases {
        std::fs::write(folder.path().join(name), text).unwrap();
        let said = check(folder.path(), &[&[name], *options].concat(), *expected);
        assert!(said.contains(part), "no {part:?}: {text}{said}");
    }
}

#[test]
fn values_that_no_write_left_are_asked_about() {
    let write = ("0", "write", "1", "1");
    check_all(
        "h.edn",
        &[
            // Balances: nothing is written, and maps of numbers are read.
            (edn(&[("0", "read", "nil", "{0 40, 1 60}")]), &[], 2, "--model bank or --model register"),
            // Rows: each read returns all that was written.
            (edn(&[write, ("1", "read", "nil", "[1]")]), &[], 2, "causal-reverse"),
            // Versions beside the values.
            (edn(&[("0", "write", "[nil 3]", "[1 3]")]), &[], 2, "versioned-register"),
            (edn(&[("0", "read", "[nil nil]", "[0 nil]"), write]), &[], 2, "have none"),
            // Numbers that come back as text.
            (edn(&[write, ("1", "read", "nil", "\"1\"")]), &[], 2, "values of another kind"),
            // Rows of a monotonic test.
            (
                edn(&[("0", "add", "nil", "{:val 1, :sts 5}"), ("0", "read", "nil", "[{:val 1}]")]),
                &[],
                2,
                "monotonic",
            ),
            // Transactions that only read may find what was there from the start.
            (edn(&[("0", "read", "[[:r 0 nil]]", "[[:r 0 [1]]]")]), &[], 2, "from the start"),
            (
                edn(&[
                    ("0", "txn", "[[:w 0 1]]", "[[:w 0 1]]"),
                    ("1", "txn", "[[:r 0 nil]]", "[[:r 0 [1]]]"),
                ]),
                &[],
                2,
                "no lists",
            ),
            // A register whose reads are all explained is one.
            (edn(&[write, ("1", "read", "nil", "1")]), &[], 0, "judged by register"),
            // A lock that its holder takes twice may be a reentrant one.
            (
                edn(&[("0", "acquire", "nil", "nil"), ("0", "acquire", "nil", "nil")]),
                &[],
                3,
                "reentrant-mutex",
            ),
        ],
    );
}

#[test]
fn initial_state_decides_or_is_asked_for() {
    let register = || edn(&[("0", "read", "nil", "0"), ("1", "cas", "[0 2]", "[0 2]")]);
    let late = || edn(&[("0", "read", "nil", "0"), ("1", "write", "0", "0")]);
    let txn =
        || edn(&[("0", "txn", "[[:r :x nil]]", "[[:r :x 0]]"), ("0", "txn", "[[:w :x 1]]", "[[:w :x 1]]")]);
    let counter = || edn(&[("0", "read", "nil", "10"), ("0", "add", "1", "1"), ("0", "read", "nil", "11")]);
    let stale = || edn(&[("0", "read", "nil", "0"), ("1", "write", "1", "1"), ("2", "read", "nil", "0")]);
    check_all(
        "h.edn",
        &[
            (register(), &[], 3, "say --initial '0'"),
            (register(), &["--initial", "0"], 0, "starting from 0"),
            (register(), &["--initial", "null"], 1, "starting empty"),
            (register(), &["--initial", "7"], 1, "starting from 7"),
            // The value is written, but only after it was read.
            (late(), &[], 3, "say --initial '0'"),
            (txn(), &[], 3, "say --initial '{\":x\":0}'"),
            (txn(), &["--initial", "{\"x\":0}"], 0, ""),
            (counter(), &[], 3, "say --initial '10'"),
            (counter(), &["--initial", "10"], 0, ""),
            // No initial state explains it.
            (stale(), &[], 1, "a start from 0 does not explain the history either"),
            (edn(&[("0", "generate", "nil", "1")]), &["--initial", "1"], 2, "always starts empty"),
        ],
    );
    let header = r#"{"history":1,"spec":"s","variant":"main","model":"register","seed":1,"started":"2026-01-01T00:00:00Z","initial":0}"#;
    let ours = format!(
        "{header}\n{{\"time\":1,\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}}\n{{\"time\":2,\"process\":0,\"type\":\"ok\",\
         \"f\":\"read\",\"value\":0}}\n"
    );
    check_all("history.jsonl", &[(ours, &[], 0, "starting from 0")]);
}

#[test]
fn only_timeouts_of_a_log_are_unknown() {
    let log = |error: &str| {
        format!(
            "0\t:invoke\t:write\t3\n0\t:fail\t:write\t3\t{error}\n1\t:invoke\t:read\tnil\n1\t:ok\t:read\t3\n"
        )
    };
    check_all(
        "history.txt",
        &[
            (log(":timed-out"), &[], 0, "unknown outcome"),
            (log("[:exception \"java.net.SocketTimeoutException: Read timed out\"]"), &[], 0, ""),
            (log("[:runtime-exception \"no leader\"]"), &[], 1, ""),
            (log(":time-out-of-range"), &[], 1, ""),
            (log("[:no-leader \"election timeout is 5s\"]"), &[], 1, ""),
        ],
    );
}

#[test]
fn true_times_order_what_is_written_by_operation() {
    let event = |kind: &str, f: &str, value: &str, process: u8, time: u64| {
        format!("{{:type :{kind}, :f :{f}, :value {value}, :process {process}, :time {time}}}\n")
    };
    let write = [event("invoke", "write", "1", 0, 1000), event("ok", "write", "1", 0, 4000)];
    let read = [event("invoke", "read", "nil", 1, 1500), event("ok", "read", "nil", 1, 2000)];
    let jitter = [
        event("invoke", "write", "1", 0, 1000),
        event("invoke", "read", "nil", 1, 4100),
        event("ok", "write", "1", 0, 4000),
        event("invoke", "read", "nil", 2, 4050),
        event("ok", "read", "nil", 1, 9000),
        event("ok", "read", "1", 2, 9100),
    ];
    check_all(
        "h.edn",
        &[
            ([write.concat(), read.concat()].concat(), &[], 0, "in the order of times"),
            // Events as they happened, whose times were taken a little before.
            (jitter.concat(), &[], 0, "in the order of the file"),
        ],
    );
}

#[test]
fn clients_are_found_by_what_they_do() {
    let named =
        edn(&[("0", "write", "1", "1"), ("\"writer-b\"", "write", "2", "2"), ("1", "read", "nil", "2")]);
    let vector = edn(&[("[:n1 0]", "write", "1", "1"), ("[:n2 0]", "read", "nil", "1")]);
    let kill = "{:process -1, :type :info, :f :kill, :value nil}\n";
    let heal = "{:process nil, :type :invoke, :f :heal, :value nil}\n{:process nil, :type :info, :f :heal, :value nil}\n";
    let with = |note: &str| edn(&[("0", "write", "1", "1")]) + note + &edn(&[("1", "read", "nil", "1")]);
    let completions =
        "{:process 0, :type :ok, :value [[:append :p 1]]}\n{:process 1, :type :ok, :value [[:r :p [1]]]}\n";
    let overlapping = "{:type :invoke :value [[:append 7 1]]}\n{:type :invoke :value [[:r 7 nil]]}\n{:type :ok :value \
                       [[:append 7 1]]}\n{:type :ok :value [[:r 7 [1]]]}\n";
    check_all(
        "h.edn",
        &[
            (named, &[], 0, "writer-b is 2"),
            (vector, &[], 0, "2 operations"),
            (with(kill), &[], 0, "2 operations"),
            (with(heal), &[], 0, "2 events of the nemesis"),
            (completions.to_owned(), &[], 0, "2 completions have no invocation"),
            (overlapping.to_owned(), &[], 0, "paired by their values"),
        ],
    );
}

#[test]
fn cut_files_are_read_and_said_unfinished() {
    let log = "0\t:invoke\t:write\t1\n0\t:ok\t:write\t1\n1\t:invoke\t:read\tnil\n1\t:ok\t:re";
    let csv = "f,process,outcome,invoked_ns,completed_ns,argument,result\nwrite,0,ok,1,2,1,1\nread,1,ok,3";
    for (name, text) in [
        ("h.edn", edn(&[("0", "write", "1", "1")]) + "{:process 1, :ty"),
        ("h.txt", log.to_owned()),
        ("h.csv", csv.to_owned()),
    ] {
        check_all(name, &[(text, &[], 0, "up to the cut of an unfinished file")]);
    }
}

#[test]
fn report_behind_a_history_is_passed_over() {
    let log = "0\t:invoke\t:write\t1\n0\t:ok\t:write\t1\n1\t:invoke\t:read\tnil\n2\t:invoke\t:write\t2\n1\t:ok\t:read\t4\n\n\
               Not linearizable. Linearizable prefix was:\n0\t:invoke\t:write\t1\n0\t:ok\t:write\t1\n1\t:invoke\t:read\t4\n";
    check_all(
        "h.txt",
        &[(log.to_owned(), &["--initial", "null"], 1, "Possible values when it completed: 1, 2")],
    );
    let results = edn(&[("0", "write", "1", "1")]) + "{:valid? true}\n";
    check_all("h.edn", &[(results, &[], 0, "report of a checker")]);
}

#[test]
fn left_out_steps_are_no_phantoms() {
    let txns = edn(&[
        ("0", "txn", "[[:append :x 1] [:append :y 2]]", "[[:append :x 1]]"),
        ("1", "txn", "[[:r :y nil]]", "[[:r :y [2]]]"),
    ]);
    check_all("h.edn", &[(txns, &[], 3, "the first of them operation 0's")]);
}

#[test]
fn ties_keep_their_order_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let at = |edn: String| edn.replace('}', ", :time 5000}");
    let stale = at(edn(&[("0", "write", "1", "1"), ("0", "write", "2", "2"), ("1", "read", "nil", "1")]));
    std::fs::write(folder.path().join("h.edn"), stale).unwrap();
    check(folder.path(), &["h.edn"], 1);
    for (to, name) in [
        ("history", "h.jsonl"),
        ("operations-csv", "h.csv"),
        ("jepsen-edn", "out.edn"),
        ("jepsen-log", "h.log"),
        ("elle-json", "h.json"),
    ] {
        let converted = output(folder.path(), &["convert", "--to", to, "h.edn", name]);
        assert_eq!(converted.status.code(), Some(0), "{to}: {}", stderr(&converted));
        check(folder.path(), &[name], 1);
    }
}

/// An operation of etcd's robustness tests: client, revision, times, a change or a read.
fn etcd(client: u8, revision: i64, (call, end): (u64, u64), change: Option<(&str, &str)>) -> String {
    let nothing = r#""LeaseGrant":null,"LeaseRevoke":null,"Defragment":null"#;
    let answer = format!(r#"{nothing},"Revision":{revision},"PartialResponse":false,"Error":"""#);
    let frame = |kind: &str, input: &str, output: &str| {
        format!(
            "{{\"ClientId\":{client},\"Input\":{{\"Type\":\"{kind}\",{input},{nothing}}},\"Call\":{call},\"Output\":{{{output},\
             {answer}}},\"Return\":{end}}}\n"
        )
    };
    if let Some((key, value)) = change {
        let put = format!(
            r#"{{"Type":"put-operation","Put":{{"Key":"{key}","Value":{{"Value":"{value}","Hash":0}},"LeaseID":0}}}}"#
        );
        let txn = format!(
            r#""Range":null,"Txn":{{"Conditions":null,"OperationsOnSuccess":[{put}],"OperationsOnFailure":null}}"#
        );
        let done = r#""Range":null,"Txn":{"Failure":false,"Results":[{"KVs":null,"Count":0,"Deleted":0}]}"#;
        frame("txn", &txn, done)
    } else {
        let range = r#""Range":{"Start":"k","End":"","Limit":0,"Revision":0},"Txn":null"#;
        let found = format!(
            r#""Txn":null,"Range":{{"KVs":[{{"Key":"k","Value":{{"Value":"a","Hash":0}},"ModRevision":{}}}],"Count":1}}"#,
            revision % 100
        );
        frame("range", range, &found)
    }
}

#[test]
fn revisions_of_etcd_are_judged() {
    let lost = etcd(3, 0, (1, 2), Some(("z", "q"))).replace(r#""Error":"""#, r#""Error":"timeout""#);
    let (first, second) =
        (etcd(0, 2, (10, 20), Some(("k", "a"))), etcd(1, 2, (30, 40), Some(("other", "b"))));
    let third = etcd(1, 3, (30, 40), Some(("other", "b")));
    let behind = etcd(2, 2, (50, 60), None).replace(r#""Revision":2,"Partial"#, r#""Revision":1,"Partial"#);
    check_all(
        "operations.json",
        &[
            ([first.clone(), third.clone()].concat(), &[], 0, ""),
            // Two changes with one revision, also beside a change of unknown outcome.
            ([first.clone(), second.clone()].concat(), &[], 1, "revision of the store"),
            ([lost.clone(), first.clone(), second].concat(), &[], 1, "revision of the store"),
            // A gap that a change of unknown outcome explains, and one that none does.
            ([lost, first.clone(), etcd(1, 4, (30, 40), Some(("other", "b")))].concat(), &[], 0, ""),
            (
                [first.clone(), etcd(1, 4, (30, 40), Some(("other", "b")))].concat(),
                &[],
                1,
                "revision of the store",
            ),
            // A read behind the changes before it, and one of a key that was changed at another revision.
            ([first.clone(), third.clone(), behind].concat(), &[], 1, "revision of the store"),
            (
                [first, third, etcd(2, 103, (50, 60), None)].concat().replace(":103,", ":3,"),
                &[],
                1,
                "k mod revision",
            ),
        ],
    );
}

#[test]
fn one_client_of_a_report_proves_little() {
    let folder = tempfile::tempdir().unwrap();
    for (client, text) in
        [("client-1", etcd(0, 2, (10, 20), Some(("k", "a")))), ("client-2", etcd(1, 2, (30, 40), None))]
    {
        std::fs::create_dir(folder.path().join(client)).unwrap();
        std::fs::write(folder.path().join(client).join("operations.json"), text).unwrap();
    }
    std::fs::write(folder.path().join("client-2/watch.json"), "{}").unwrap();
    let said = check(folder.path(), &["."], 0);
    assert!(said.contains("not judged: 1 file of watch events"), "{said}");
    check(folder.path(), &["client-1/operations.json", "client-2/operations.json"], 0);
    let said = check(folder.path(), &["client-2", "--initial", "null"], 3);
    assert!(said.contains("only the operations of client 1"), "{said}");
}

#[test]
fn packed_files_of_other_kinds_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (start, part) in
        [(&b"\xfd7zXZ\x00"[..], "packed with xz"), (b"JEPSEN\x00", "history.edn"), (b"PK\x03\x04", "zip")]
    {
        std::fs::write(folder.path().join("h"), start).unwrap();
        let said = check(folder.path(), &["h"], 2);
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn large_integers_are_told_apart() {
    let (one, other) = ("123456789012345678901234567890", "123456789012345678901234567891");
    let header = r#"{"history":1,"spec":"s","variant":"main","model":"register","seed":1,"started":"2026-01-01T00:00:00Z"}"#;
    let ours = |found: &str| {
        let write =
            |kind: &str| format!(r#"{{"time":1,"process":0,"type":"{kind}","f":"write","value":{one}}}"#);
        let read = format!(r#"{{"time":2,"process":0,"type":"ok","f":"read","value":{found}}}"#);
        let begin = r#"{"time":2,"process":0,"type":"invoke","f":"read"}"#;
        format!("{header}\n{}\n{}\n{begin}\n{read}\n", write("invoke"), write("ok"))
    };
    check_all("h.jsonl", &[(ours(one), &[], 0, ""), (ours(other), &[], 1, "")]);
    let table = |found: &str| {
        format!(
            "f,process,outcome,invoked_ns,completed_ns,argument,result\nwrite,0,ok,1,2,{one},\nread,1,ok,3,4,,{found}\n"
        )
    };
    check_all("h.csv", &[(table(one), &[], 0, ""), (table(other), &[], 1, "")]);
    let register = |found| edn(&[("0", "write", one, one), ("0", "read", "nil", found)]);
    check_all("h.edn", &[(register(one), &[], 0, ""), (register(other), &["--initial", "null"], 1, "")]);
    // As text they would have another order.
    let queue = edn(&[("0", "enqueue", one, one), ("0", "dequeue", "nil", one)]);
    check_all("h.edn", &[(queue, &["--model", "priority-queue"], 3, "integers of 64 bits")]);
}

#[test]
fn sessions_without_times_are_not_converted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("h.txt"), "w(7,1,0,0)\nr(7,1,1,1)\n").unwrap();
    let said = check(folder.path(), &["h.txt"], 0);
    assert!(said.contains("in the order of each session"), "{said}");
    let said = check(folder.path(), &["h.txt", "--consistency", "strict-serializable"], 0);
    assert!(said.contains("not judged: real time"), "{said}");
    let refused = output(folder.path(), &["convert", "--to", "jepsen-edn", "h.txt", "out.edn"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("would make some up"), "{}", stderr(&refused));
}

#[test]
fn guess_of_keys_can_be_switched_off() {
    let pairs = edn(&[("0", "write", "[1 2]", "[1 2]"), ("0", "read", "[1 nil]", "[1 2]")]);
    check_all(
        "h.edn",
        &[
            (pairs.clone(), &[], 0, "every value is taken to be [key value]"),
            (pairs, &["--independent=false"], 2, "have none"),
        ],
    );
}

#[test]
fn program_is_a_model() {
    if program("program_is_a_model", "python3").is_none() {
        return;
    }
    let model = format!("exec:{}", concat!(env!("CARGO_MANIFEST_DIR"), "/checker/examples/own_model.py"));
    let sound =
        edn(&[("0", "deposit", "100", "100"), ("1", "withdraw", "80", "80"), ("1", "read", "nil", "20")]);
    let overdrawn =
        edn(&[("0", "deposit", "100", "100"), ("1", "withdraw", "80", "80"), ("2", "withdraw", "80", "80")]);
    let strange = edn(&[("0", "steal", "100", "100")]);
    let model = model.as_str();
    check_all(
        "h.edn",
        &[
            (sound.clone(), &["--model", model], 0, "judged by exec:"),
            (sound.clone(), &["--model", model, "--initial", "5"], 1, ""),
            (overdrawn.clone(), &["--model", model], 1, "no order of the operations explains withdraw 80"),
            (overdrawn, &["--model", model, "--initial", "60"], 0, ""),
            // A program that fails proves nothing.
            (strange, &["--model", model], 2, "instead of answering"),
            (sound.clone(), &["--model", "exec:./missing"], 2, "cannot be started"),
            (sound.clone(), &["--model", "exec:true"], 2, "--model exec:true"),
            (sound, &["--model", model, "--certify"], 2, "no other option"),
        ],
    );
}
