//! Files of other tools at their edges: names for processes, missing parts, true times, cuts and packing.

use formats::{Format, Options, Read, read, write};
use history::{Event, Kind, Process};
use serde_json::json;

/// An event in few words: time, process, type, function, key, value, error and what was found.
fn words(event: &Event) -> String {
    let process = match event.process {
        Process::Client(number) => number.to_string(),
        Process::Nemesis => "nemesis".to_owned(),
    };
    let key = event.key.as_ref().map_or(String::new(), |key| format!(" @{key}"));
    let error = event.error.as_ref().map_or(String::new(), |error| format!(" !{error}"));
    let actual = event.actual.as_ref().map_or(String::new(), |actual| format!(" found {actual}"));
    let kind = serde_json::to_value(event.kind).unwrap_or_default();
    let kind = kind.as_str().unwrap_or_default();
    format!("{} {process} {kind} {}{key} {}{error}{actual}", event.time, event.f, event.value)
}

fn all_words(read: &Read) -> Vec<String> {
    read.events().iter().map(words).collect()
}

fn assert_note(read: &Read, part: &str) {
    assert!(read.notes.iter().any(|note| note.contains(part)), "no note has {part:?}: {:#?}", read.notes);
}

#[test]
fn integers_beyond_64_bits_stay_exact() {
    for (name, text) in [
        (
            "a.edn",
            "{:type :ok, :process 0, :f :read, :value [18446744073709551616N -9223372036854775809 7N]}",
        ),
        (
            "a.json",
            r#"[{"type":"ok","process":0,"f":"read","value":[18446744073709551616,-9223372036854775809,7]}]"#,
        ),
    ] {
        let read = read(text.as_bytes(), name, &Options::default()).unwrap();
        let value = json!(["18446744073709551616N", "-9223372036854775809N", 7]);
        assert_eq!(read.events()[1].value, value, "{name}");
    }
}

#[test]
fn processes_with_names_are_clients() {
    let edn = b"{:type :invoke, :f :write, :value 1, :process 4}\n{:type :ok, :f :write, :value 1, :process 4}\n\
        {:type :info, :f :kill, :value nil, :process :nemesis}\n{:type :info, :f :watch, :process \"observer\"}\n\
        {:type :invoke, :f :write, :value 2, :process \"w-b\"}\n{:type :ok, :f :write, :value 2, :process \"w-b\"}\n";
    let read = read(edn, "a.edn", &Options::default()).unwrap();
    assert_eq!(
        all_words(&read),
        ["0 4 invoke write 1", "1 4 ok write 1", "3 5 invoke write 2", "4 5 ok write 2"]
    );
    assert_note(&read, "w-b is 5");
    assert_note(&read, "1 event of the nemesis, or of another process");
}

#[test]
fn completions_without_invocations_keep_session_order() {
    let edn =
        b"{:process 0, :type :ok, :value [[:append :p 1]]}\n{:process 1, :type :ok, :value [[:r :p [1]]]}\n\
        {:process 0, :type :ok, :value [[:append :p 2]]}\n";
    let read = read(edn, "a.edn", &Options::default()).unwrap();
    let order: Vec<_> = read.events().iter().map(|event| (event.process, event.kind)).collect();
    let (p, q) = (Process::Client(0), Process::Client(1));
    let expected = [
        (p, Kind::Invoke),
        (q, Kind::Invoke),
        (p, Kind::Ok),
        (p, Kind::Invoke),
        (q, Kind::Ok),
        (p, Kind::Ok),
    ];
    assert_eq!(order, expected);
    assert_eq!(read.model().unwrap(), "list-append");
    assert_note(&read, "3 completions have no invocation");
}

#[test]
fn operations_without_process_follow_one_another() {
    let edn = b"{:type :invoke :value [[:append 7 1]]}\n{:type :ok :value [[:append 7 1]]}\n\
        {:type :invoke :value [[:r 7 nil]]}\n{:type :ok :value [[:r 7 [1]]]}\n";
    let read = read(edn, "a.edn", &Options::default()).unwrap();
    assert_eq!(read.operations().unwrap().len(), 2);
    assert_note(&read, "operations that name no process");
}

#[test]
fn true_times_order_operations_written_side_by_side() {
    let edn = b"{:type :invoke, :f :write, :value 1, :process 0, :time 100}\n{:type :ok, :f :write, :value 1, :process 0, :time 400}\n\
        {:type :invoke, :f :read, :process 1, :time 150}\n{:type :ok, :f :read, :process 1, :time 200}\n";
    let read = read(edn, "a.edn", &Options::default()).unwrap();
    let times: Vec<u64> = read.events().iter().map(|event| event.time).collect();
    assert_eq!(times, [100, 150, 200, 400]);
    assert_note(&read, "the order of events is that of their times");
}

#[test]
fn files_cut_inside_an_event_are_unfinished() {
    let first = "{:type :invoke, :process 0, :f :read}\n";
    for (name, text) in [
        ("a.edn", format!("{first}#jepsen.history.Op{{:index 2, :type ")),
        ("a.edn", format!("[{first}{{:type :ok, :value \"a ")),
        ("a.edn", format!("{first}#jepsen.hist")),
        ("a.json", r#"[{"type":"invoke","process":0,"f":"read"}, {"type":"#.to_owned()),
        ("a.json", r#"[{"type":"invoke","process":0,"f":"read"}"#.to_owned()),
    ] {
        let read = read(text.as_bytes(), name, &Options::default()).unwrap();
        assert!(read.unfinished && read.events().len() == 1, "{text}");
        assert_note(&read, "the file ends inside an event");
    }
}

#[test]
fn errors_that_contain_time_are_no_timeouts() {
    for (error, unknown) in [
        ("[:runtime-exception \"no leader\"]", false),
        (":sometimes", false),
        (":timed-out", true),
        ("[:timeout 5]", true),
        ("\"java.net.SocketTimeoutException\"", true),
        ("\"operation timed out\"", true),
    ] {
        let log = format!("0\t:invoke\t:write\t3\n0\t:fail\t:write\t3\t{error}\n");
        let read = read(log.as_bytes(), "a.log", &Options::default()).unwrap();
        let kind = if unknown { Kind::Info } else { Kind::Fail };
        assert_eq!(read.events()[1].kind, kind, "{error}");
    }
}

#[test]
fn operations_quoted_by_a_report_are_passed_over() {
    let log = b"INFO  jepsen.util - 0\t:invoke\t:write\t1\nINFO  jepsen.util - 0\t:ok\t:write\t1\n\n\
        Not linearizable. Linearizable prefix was:\n0\t:invoke\t:write\t1\n";
    let read = read(log, "a.log", &Options::default()).unwrap();
    assert_eq!(read.events().len(), 2);
    assert_note(&read, "1 line quotes an operation");
}

#[test]
fn csv_keeps_the_order_of_equal_times() {
    let edn = b"{:process 0, :type :invoke, :f :write, :value 1, :time 5}\n{:process 0, :type :ok, :f :write, :value 1, :time 5}\n\
        {:process 1, :type :invoke, :f :read, :time 5}\n{:process 1, :type :ok, :f :read, :time 6}\n";
    let before = read(edn, "a.edn", &Options::default()).unwrap();
    let csv = write(&before.events(), &before.header, Format::OperationsCsv).unwrap();
    let after = read(&csv, "a.csv", &Options::default()).unwrap();
    assert_eq!(all_words(&after), all_words(&before));
}

#[test]
fn reads_of_what_no_write_leaves_suggest_no_register() {
    let event = |kind: &str, f: &str, value: &str| {
        format!("{{:process 0, :type :{kind}, :f :{f}, :value {value}}}\n")
    };
    let both = |f: &str, value: &str, result: &str| event("invoke", f, value) + &event("ok", f, result);
    let write = both("write", "1", "1");
    for text in [
        both("read", "nil", "{0 40, 1 60}"),
        format!("{write}{}", both("read", "nil", "[1]")),
        format!("{write}{}", both("read", "[7 [nil nil]]", "[7 [0 nil]]")),
        both("read", "nil", "3"),
    ] {
        let read = read(text.as_bytes(), "a.edn", &Options::default()).unwrap();
        let error = read.model().unwrap_err().to_string();
        assert!(error.contains("--model"), "{text}{error}");
    }
}

#[test]
fn compressed_files_are_unpacked() {
    let text =
        b"{:type :invoke, :process 0, :f :write, :value 1}\n{:type :ok, :process 0, :f :write, :value 1}\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, text).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(&text[..], ruzstd::encoding::CompressionLevel::Fastest);
    for (name, bytes) in [("a.edn.gz", &gzip), ("a.edn.zst", &zstd)] {
        assert_eq!(read(bytes, name, &Options::default()).unwrap().events().len(), 2, "{name}");
        let error = read(&bytes[..bytes.len() / 2], name, &Options::default()).unwrap_err().to_string();
        assert!(error.contains("cannot be unpacked"), "{error}");
    }
}

#[test]
fn revisions_and_removals_of_etcd_are_judged() {
    let txn = |client: u64, call: u64, kind: &str, deleted: u64, revision: u64| {
        format!(
            r#"{{"ClientId":{client},"Input":{{"Type":"txn","Txn":{{"OperationsOnSuccess":[{{"Type":"{kind}-operation","Put":{{"Key":"k{client}","Value":{{"Value":"a"}}}},"Delete":{{"Key":"k{client}"}}}}]}}}},"Call":{call},"Output":{{"Txn":{{"Failure":false,"Results":[{{"Deleted":{deleted}}}]}},"Revision":{revision}}},"Return":{}}}"#,
            call + 5
        )
    };
    let verdict = |lines: &[String]| {
        let read = read(lines.join("\n").as_bytes(), "a.json", &Options::default()).unwrap();
        let limits = checker::limits::Limits { configurations: 10_000, ..checker::limits::Limits::DEFAULT };
        let operations = read.operations().unwrap();
        checker::linearizability::check(&operations, "kv".parse().unwrap(), &limits)
    };
    let valid = |lines: &[String]| matches!(verdict(lines), checker::linearizability::Verdict::Valid { .. });
    assert!(valid(&[txn(0, 1, "put", 0, 2), txn(1, 11, "put", 0, 3), txn(0, 21, "delete", 1, 4)]));
    assert!(!valid(&[txn(0, 1, "put", 0, 2), txn(1, 11, "put", 0, 2)]), "a revision that two changes have");
    assert!(!valid(&[txn(0, 1, "put", 0, 2), txn(1, 11, "delete", 1, 3)]), "a removal of nothing");
}

#[test]
fn versions_and_conditions_of_etcd_are_judged() {
    let put = r#"{"ClientId":1,"Input":{"Type":"txn","Txn":{"OperationsOnSuccess":[{"Type":"put-operation","Put":{"Key":"k","Value":{"Value":"a"}}}]}},"Call":1,"Output":{"Txn":{"Results":[{}]},"Revision":2},"Return":2}"#;
    let lost = r#"{"ClientId":2,"Input":{"Type":"txn","Txn":{"OperationsOnSuccess":[{"Type":"put-operation","Put":{"Key":"k","Value":{"Value":"b"}}}]}},"Call":3,"Output":{"Error":"timeout"},"Return":4}"#;
    let get = |asked: u64, value: &str, version: u64, revision: u64| {
        format!(
            r#"{{"ClientId":3,"Input":{{"Type":"range","Range":{{"Start":"k","Revision":{asked}}}}},"Call":5,"Output":{{"Range":{{"KVs":[{{"Key":"k","Value":{{"Value":"{value}"}},"ModRevision":{version}}}],"Count":1}},"Revision":{revision}}},"Return":6}}"#
        )
    };
    let refused = |revision: u64| {
        format!(
            r#"{{"ClientId":3,"Input":{{"Type":"txn","Txn":{{"Conditions":[{{"Key":"k","ExpectedRevision":{revision}}}]}}}},"Call":5,"Output":{{"Txn":{{"Failure":true}},"Revision":2}},"Return":6}}"#
        )
    };
    let unsorted = r#"{"ClientId":3,"Input":{"Type":"range","Range":{"Start":"a","End":"z"}},"Call":5,"Output":{"Range":{"KVs":[{"Key":"k","Value":{"Value":"a"}},{"Key":"j","Value":{"Value":""}}],"Count":2},"Revision":2},"Return":6}"#;
    let valid = |lines: &[&str]| {
        let read = read(lines.join("\n").as_bytes(), "a.json", &Options::default()).unwrap();
        let limits = checker::limits::Limits { configurations: 10_000, ..checker::limits::Limits::DEFAULT };
        let verdict =
            checker::linearizability::check(&read.operations().unwrap(), "kv".parse().unwrap(), &limits);
        matches!(verdict, checker::linearizability::Verdict::Valid { .. })
    };
    assert!(valid(&[put, &get(0, "a", 2, 2)]));
    assert!(valid(&[put, &get(2, "a", 2, 2)]));
    assert!(valid(&[put, lost, &get(0, "b", 3, 3)]));
    assert!(!valid(&[put, lost, &get(0, "b", 2, 2)]), "two values at one revision");
    assert!(!valid(&[put, lost, &get(2, "b", 2, 2)]), "the same by a read of the present revision");
    assert!(!valid(&[put, &get(2, "a", 2, 3)]), "a revision that nothing made");
    assert!(!valid(&[put, &refused(2)]), "a condition that holds");
    assert!(valid(&[put, &refused(1)]));
    assert!(valid(&[put, lost, &refused(2)]));
    assert!(!valid(&[put, unsorted]), "keys out of order");
}
