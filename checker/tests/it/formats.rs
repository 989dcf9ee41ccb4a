//! Small files of every format, with the events they hold.

use formats::{FailedCas, Format, Options, Read, read};
use history::{Event, Phase, Process};
use serde_json::json;

/// A file in `tests/formats`, read without saying anything about it.
fn file(name: &str) -> Read {
    file_with(name, &Options::default())
}

fn file_with(name: &str, options: &Options) -> Read {
    let path = format!("{}/tests/formats/{name}", env!("CARGO_MANIFEST_DIR"));
    read(&std::fs::read(path).expect("the file is there"), name, options)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

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

#[track_caller]
fn assert_note(read: &Read, part: &str) {
    assert!(read.notes.iter().any(|note| note.contains(part)), "no note has {part:?}: {:#?}", read.notes);
}

#[test]
fn a_jepsen_history_is_read_with_tags_comments_discards_and_fields_nobody_needs() {
    let read = file("register.edn");
    assert_eq!(
        all_words(&read),
        [
            // The times contradict one another, so that events are counted.
            "0 0 invoke write 3",
            "1 0 ok write 3",
            "2 1 invoke cas [3,4]",
            "3 1 fail cas [3,4] !no-leader",
            "4 1 invoke read null",
            "5 1 ok read 3",
            "6 2 invoke write 5",
            "7 2 info write 5 ![\":timeout\",\"after 1 s\"]",
            "8 3 invoke read null",
        ]
    );
    assert_eq!((read.format, read.model().unwrap()), (Format::JepsenEdn, "cas-register"));
    assert_eq!(read.header.model, "cas-register");
    assert_eq!((read.line(1), read.line(2), read.line(8)), (Some(4), Some(5), Some(11)));
    assert_eq!(read.operations().unwrap().len(), 5);
    assert_note(&read, "1 event of the nemesis");
    assert_note(&read, "the order of events is that of the file");
    assert_note(&read, "process number of its own");
    assert_note(&read, "without the error precondition is taken not to have happened");
}

#[test]
fn every_kind_of_edn_value_keeps_what_it_is() {
    let read = file("values.edn");
    let values: Vec<_> = read.events().iter().map(|event| event.value.clone()).collect();
    assert_eq!(
        values,
        [
            json!("a \"b\" \\ é \n A"),
            json!(":ns/name"),
            json!([null, true, -7, u64::MAX, 1.5, "2/3", "1.25M", 12, "a", "\n"]),
            json!([1, [2, [3]], [], {}]),
            json!([1, 2, 3]),
            json!({"from": 7, "to": 9, "4": ":amount", "[1]": "sym"}),
            json!({"user/name": "n", "a/b": 1}),
            json!("2026-11-23T10:00:00Z"),
        ]
    );
    let times: Vec<_> = read.events().iter().map(|event| event.time).collect();
    assert_eq!(times, [0, 1, 2, 3, 4, 5, 6, 7], "without times, events are counted");
}

#[test]
fn keys_of_independent_tests_are_found_where_nothing_else_fits_and_can_be_said() {
    let read = file("independent.edn");
    assert_eq!(
        all_words(&read),
        [
            "0 0 invoke read @3 null",
            "1 1 invoke write @x 1",
            "2 0 ok read @3 null",
            "3 1 info write null !timed-out",
            "4 0 invoke cas @3 [1,2]",
            "5 0 fail cas @3 [1,2]",
        ]
    );
    assert_note(&read, "every value is taken to be [key value]");
    read.operations().unwrap();
    let plain = file_with("independent.edn", &Options { independent: Some(false), ..Options::default() });
    assert_eq!(words(&plain.events()[0]), "0 0 invoke read [3,null]");
    let options = Options { independent: Some(true), ..Options::default() };
    let error = formats::read(b"{:type :invoke, :process 0, :f :write, :value 3}", "x.edn", &options);
    assert!(error.unwrap_err().to_string().starts_with("line 1, column 1: the value of this write is not"));
}

#[test]
fn keys_that_differ_stay_apart_though_they_look_alike() {
    let invocation = |process: u32, key: &str| {
        format!("{{:type :invoke, :process {process}, :f :write, :value [{key} {process}]}}\n")
    };
    let keys = |written: &[&str]| -> Vec<String> {
        let text: String = (0..).zip(written).map(|(process, key)| invocation(process, key)).collect();
        let options = Options { independent: Some(true), ..Options::default() };
        let read = formats::read(text.as_bytes(), "x.edn", &options).unwrap();
        read.events().into_owned().into_iter().filter_map(|event| event.key).collect()
    };
    assert_eq!(keys(&["1", "x", ":x", "\"y\""]), ["1", "x", ":x", "y"]);
    assert_eq!(keys(&["1", "\"1\"", ":x", "\"y\""]), ["1", "\"1\"", "\":x\"", "\"y\""]);
}

#[test]
fn pairs_that_could_be_values_are_no_keys() {
    let text = b"{:type :invoke, :process 0, :f :cas, :value [1 2]}\n{:type :invoke, :process 1, :f :cas, :value [1 3]}";
    let read = read(text, "", &Options::default()).unwrap();
    assert_eq!(words(&read.events()[0]), "0 0 invoke cas [1,2]");
    let text = b"{:type :invoke, :process 0, :value [[:r 1 nil] [:append 2 3]]}";
    let read = formats::read(text, "", &Options::default()).unwrap();
    assert_eq!(words(&read.events()[0]), r#"0 0 invoke txn [["r",1,null],["append",2,3]]"#);
}

#[test]
fn transactions_have_the_same_shape_from_edn_and_json() {
    let edn = file("list-append.edn");
    assert_eq!(
        all_words(&edn),
        [
            r#"0 1 invoke txn [["append",":x",1],["r","y",null]]"#,
            r#"1 1 ok txn [["append",":x",1],["r","y",[4,5]]]"#
        ]
    );
    assert_eq!(edn.model().unwrap(), "list-append");
    let json = file("list-append.json");
    assert_eq!(
        all_words(&json),
        [
            r#"0 0 invoke txn [["append",1,1],["r",2,null]]"#,
            r#"1 0 ok txn [["append",1,1],["r",2,[3,4]]]"#,
            r#"2000 1 invoke txn [["r",1,null]]"#,
            r#"2001 1 info txn [["r",1,null]] !["timeout","1 s"]"#,
        ]
    );
    assert_eq!((json.format, json.model().unwrap()), (Format::ElleJson, "list-append"));
    assert_eq!(json.line(2), Some(4));
    assert_note(&json, "1 event of the nemesis");
}

#[test]
fn maps_with_numbers_for_keys_have_the_shape_json_gives_them() {
    let read = file("bank.edn");
    assert_eq!(words(&read.events()[1]), r#"1 0 ok read {"0":10,"1":15}"#);
    assert_eq!(read.events()[2].value, json!({"from": 0, "to": 1, "amount": 4}));
    assert_eq!(read.model().unwrap(), "bank");
}

#[test]
fn true_times_order_an_elle_file() {
    let read = file("mutex.json");
    assert_eq!(
        all_words(&read),
        ["30 1 invoke release null", "35 3 invoke acquire null", "40 1 fail release null !not-held"]
    );
    assert_eq!(read.model().unwrap(), "mutex");
}

#[test]
fn jepsen_logs_mean_what_porcupine_takes_them_to_mean() {
    let read = file("register.log");
    assert_eq!(
        all_words(&read),
        [
            "0 0 invoke read null",
            "1 0 ok read null",
            "2 1 invoke cas [1,2]",
            "3 1 fail cas [1,2] !precondition",
            "4 2 invoke read null",
            "5 2 fail read null !timed-out",
            "6 2 invoke write 4",
            "7 2 info write null !timed-out",
            "8 1 invoke cas [4,1]",
            "9 1 info cas null !timed-out",
            "10 7 invoke write 0",
        ]
    );
    assert_eq!((read.format, read.model().unwrap()), (Format::JepsenLog, "cas-register"));
    assert_eq!(read.line(0), Some(2));
    assert_note(&read, "found another value");
    assert_note(&read, "1 line is no operation");
    assert_note(&read, "unknown outcome");
    let options = Options { failed_cas: Some(FailedCas::DidNotHappen), ..Options::default() };
    assert_eq!(words(&file_with("register.log", &options).events()[3]), "3 1 fail cas [1,2]");
}

#[test]
fn a_failed_cas_of_jepsen_can_be_said_to_have_found_another_value() {
    let options = Options { failed_cas: Some(FailedCas::ValueDiffered), ..Options::default() };
    let read = file_with("independent.edn", &options);
    assert_eq!(words(&read.events()[5]), "5 0 fail cas @3 [1,2] !precondition");
    let read = file_with("register.edn", &options);
    assert_eq!(words(&read.events()[3]), "3 1 fail cas [3,4] !no-leader", "it names another reason");
}

#[test]
fn in_porcupine_kv_lines_empty_and_absent_are_the_same() {
    let read = file("kv.txt");
    assert_eq!(
        all_words(&read),
        [
            r#"0 0 invoke append @0 "x 0 0 y""#,
            "1 1 invoke get @0 null",
            "2 1 ok get @0 null",
            r#"5 0 ok append @0 "x 0 0 y""#,
            r#"6 1 invoke put @1 "z""#,
        ]
    );
    assert_eq!((read.format, read.model().unwrap()), (Format::PorcupineKv, "kv"));
    assert_eq!(read.line(3), Some(6));
    assert_note(&read, "appends of nothing");
}

#[test]
fn etcd_operations_become_puts_gets_and_compare_and_sets_by_value() {
    let read = file("operations.json");
    let is_own = |event: &&Event| event.key.as_ref().is_some_and(|key| key.len() == 1);
    // Processes are numbered as they come, those of the revisions among them.
    let without_process = |event: &Event| {
        let words = words(event);
        let (time, rest) = words.split_once(' ').unwrap();
        format!("{time} {}", rest.split_once(' ').unwrap().1)
    };
    let own: Vec<String> = read.events().iter().filter(is_own).map(without_process).collect();
    assert_eq!(
        own,
        [
            r#"100 invoke put @a "1""#,
            // A client completes an operation before it begins the next.
            r#"200 ok put @a "1""#,
            "200 invoke get @a null",
            r#"250 invoke cas @a ["1","fnv1a:00000007"]"#,
            r#"300 ok get @a "1""#,
            r#"350 ok cas @a ["1","fnv1a:00000007"]"#,
            "400 invoke get @b null",
            "450 ok get @b null",
            // FNV-1a of "a text of twenty bytes and more".
            r#"500 invoke cas @a [null,"fnv1a:3ebc1d74"]"#,
            "600 invoke get @a null",
            r#"700 ok get @a "fnv1a:00000007""#,
        ]
    );
    assert_eq!((read.format, read.model().unwrap()), (Format::EtcdJson, "kv"));
    let index = |f: &str| read.events().iter().position(|event| event.f == f && is_own(&event)).unwrap();
    assert_eq!((read.line(index("get")), read.line(index("cas"))), (Some(2), Some(9)));
    assert_eq!(read.events()[index("get")].client, Some(1));
    assert_note(&read, "1 read of an old revision");
    assert_note(&read, "1 read of a range counts as a read of each key");
    assert_note(&read, "1 operation that changes no key");
    read.operations().unwrap();
}

#[test]
fn our_table_of_operations_is_put_back_in_order() {
    let read = file("operations.csv");
    assert_eq!(
        all_words(&read),
        [
            "100 0 invoke write @k1 17",
            "150 1 invoke read @k,1 null",
            "200 0 ok write @k1 17",
            r#"200 0 invoke cas @k1 [17,"a"]"#,
            "200 1 ok read @k,1 17",
            "250 1 invoke read @k1 null",
            "300 0 fail cas @k1 null !precondition found 3",
            "400 1 info read @k1 null !timeout",
            "500 2 invoke read @k1 null",
        ]
    );
    assert_eq!((read.events()[0].client, read.events()[0].intended), (Some(4), Some(90)));
    assert_eq!((read.format, read.model().unwrap()), (Format::OperationsCsv, "cas-register"));
    assert_eq!((read.line(0), read.line(8)), (Some(2), Some(6)));
    read.operations().unwrap();
}

#[test]
fn our_own_history_is_read_as_it_is() {
    let read = file("history.jsonl");
    assert_eq!(read.events().len(), 3);
    assert_eq!((read.format, read.model().unwrap(), read.header.seed), (Format::History, "register", 7));
    assert_eq!(read.line(2), Some(4));
    assert_note(&read, "the last line is cut off");
}

#[test]
fn what_is_wrong_is_said_with_line_and_column() {
    let edn = "{:type :invoke, :process 0, :f :read}\n";
    for (name, text, expected) in [
        ("a.edn", format!("{edn}{{:type :ok, :process 0 :f}}"), "line 2, column 1: the last key of this map"),
        (
            "a.edn",
            format!("{edn}  {{:type :ko, :process 0}}"),
            "line 2, column 3: the type \":ko\" should be",
        ),
        ("a.edn", format!("{edn}{{:type :ok, :value \"a\\q\"}}"), "line 2, column 22: \\q is not an escape"),
        ("a.edn", "[".into(), "line 1, column 1: no bracket closes"),
        ("a.edn", format!("{edn}]"), "line 2, column 1: ']' closes nothing"),
        ("a.edn", format!("[{edn}] 3"), "line 2, column 3: the file goes on"),
        ("a.edn", format!("{edn}{{:process 12ab}}"), "line 2, column 11: 12ab is not a number"),
        ("a.edn", format!("{{:value \"abc\n{edn}"), "line 1, column 9: no quote closes"),
        ("a.edn", format!("{edn}7"), "line 2, column 1: here should be the map"),
        ("a.log", "INFO jepsen.util - 0\t:invoke\t:write\t[3\n".into(), "line 1, column 37: no ']' closes"),
        (
            "a.json",
            "[{\"type\":\"invoke\",\"process\":0}\n {}]".into(),
            "line 2, column 2: here should be a comma",
        ),
        (
            "a.json",
            "[{\"type\":\"invoke\",\"process\":0},\n {\"type\":tru}]".into(),
            "line 2, column 13: expected ident",
        ),
        (
            "a.json",
            "[{\"type\":\"invoke\"},\n{\"type\":\"invoke\"},\n{\"type\":\"ok\"}]".into(),
            "line 3, column 1: this completion has no process",
        ),
        (
            "a.json",
            "{\"Input\":{\"Type\":\"txn\"},\"Call\":-1}".into(),
            "line 1, column 34: missing field `ClientId`",
        ),
        (
            "a.csv",
            "f,process,outcome,invoked_ns,completed_ns\nr,0,ok,5,4\n".into(),
            "line 2, column 10: it ended before",
        ),
        (
            "a.csv",
            "f,process,outcome,invoked_ns,completed_ns\nr,x,ok,5,4\n".into(),
            "line 2, column 3: \"x\" should be",
        ),
        (
            "a.csv",
            "f,process,outcome,invoked_ns,completed_ns\nr,0\n".into(),
            "line 2, column 1: this row has 2 cells",
        ),
        ("a.csv", "f,outcome,invoked_ns\n".into(), "line 1, column 1: the header has no column process"),
        ("a.jsonl", "{\"history\":2}".into(), "line 1, column 1: the history has format version 2"),
        ("a.txt", "hello".into(), "neither the content nor the name"),
        ("a.edn", String::new(), "the file is empty"),
    ] {
        let error = read(text.as_bytes(), name, &Options::default()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{name} {text:?}\n  gave      {error}\n  expected  {expected}");
    }
    let error = read(b"{:type :invoke}\n\xff", "a.edn", &Options::default()).unwrap_err().to_string();
    assert_eq!(error, "line 2, column 1: this is not UTF-8");
}

#[test]
fn an_event_that_no_process_can_do_is_named_with_its_line() {
    let text = b"; twice\n{:type :invoke, :process 0, :f :read}\n{:type :invoke, :process 0, :f :read}";
    let read = read(text, "", &Options::default()).unwrap();
    let error = read.operations().unwrap_err().to_string();
    assert!(error.starts_with("line 3, column 1: event 1: process 0 invokes read although"), "{error}");
}

#[test]
fn deep_nesting_and_huge_numbers_are_refused_clearly() {
    let options = Options::default();
    for (open, inside) in
        [("[", ""), ("{:a ", "1"), ("#_", "1"), ("#a ", "1"), ("^", "1"), ("#{", ""), ("(", "")]
    {
        let text = format!("{{:type :invoke, :process 0, :f :write, :value {}{inside}", open.repeat(100_000));
        let error = read(text.as_bytes(), "a.edn", &options).unwrap_err().to_string();
        assert!(error.contains("nests deeper than 127 levels"), "{open}: {error}");
    }
    let deep = format!("{{:type :ok, :process 0, :f :read, :value {}{}}}", "[".repeat(126), "]".repeat(126));
    read(deep.as_bytes(), "a.edn", &options).unwrap();
    let json = format!("[{{\"type\":\"ok\",\"process\":0,\"value\":{}", "[".repeat(100_000));
    assert!(read(json.as_bytes(), "a.json", &options).unwrap_err().to_string().contains("recursion limit"));
    for number in ["1e300", "18446744073709551616.0"] {
        let json = format!("[{{\"type\":\"ok\",\"process\":0,\"f\":\"read\",\"value\":[{number}]}}]");
        let error = read(json.as_bytes(), "a.json", &options).unwrap_err().to_string();
        assert!(error.contains("cannot be kept exactly"), "{error}");
    }
    let error =
        read(b"{:type :ok, :process 0, :f :read, :value 1e999}", "", &options).unwrap_err().to_string();
    assert!(error.ends_with("the number 1e999 is too large"), "{error}");
}

#[test]
fn a_file_that_would_take_too_much_memory_is_refused_with_the_place_where_it_does() {
    let options = Options { memory: Some(1 << 20), ..Options::default() };
    let edn =
        |inside: &str| format!("{{:type :ok, :process 0, :f :read, :value [{}]}}", inside.repeat(20_000));
    let json = |inside: &str| {
        format!(r#"[{{"type":"ok","process":0,"f":"read","value":[{}0]}}]"#, inside.repeat(20_000))
    };
    let csv = format!(
        "f,process,outcome,invoked_ns,completed_ns,result\nr,0,ok,1,2,\"[{}0]\"\n",
        "[0],".repeat(40_000)
    );
    let files = [
        ("a.edn", edn("{1 1}")),
        ("a.edn", edn("[0]")),
        ("a.edn", edn("0 ")),
        ("a.json", json("{\"a\":0},")),
    ];
    for (name, text) in files.iter().chain(&[("a.json", json("[[0]],")), ("a.csv", csv)]) {
        let error = read(text.as_bytes(), name, &options).unwrap_err();
        assert!(error.message.contains("more than 1 MiB of memory") && error.line > 0, "{name}: {error}");
        read(text.as_bytes(), name, &Options::default()).unwrap();
    }
    let discarded = "{:type :ok :process 0 :f :read}".to_owned() + &"#_[0] ".repeat(40_000);
    read(discarded.as_bytes(), "a.edn", &options).unwrap();
    let many = "{:type :ok :process 0 :f :read}".repeat(20_000);
    assert!(read(many.as_bytes(), "a.edn", &options).unwrap_err().message.contains("more than 1 MiB"));
}

#[test]
fn a_model_that_is_not_plain_is_asked_for_with_what_can_be_said() {
    let enqueue = b"{:type :invoke, :process 0, :f :enqueue, :value 1}";
    let queue = read(enqueue, "", &Options::default()).unwrap();
    let error = queue.model().unwrap_err().to_string();
    assert_eq!(
        error,
        "the operations fit more than one model; say --model fifo-queue or --model unordered-queue or \
         --model priority-queue or --model total-queue"
    );
    let said = Options { model: Some("fifo-queue".into()), ..Options::default() };
    assert_eq!(read(enqueue, "", &said).unwrap().model().unwrap(), "fifo-queue");
    let odd = read(b"{:type :invoke, :process 0, :f :teleport}", "", &Options::default()).unwrap();
    let error = odd.model().unwrap_err().to_string();
    assert!(error.contains("teleport") && error.contains("list-append"), "{error}");
    for (f, value, ok, model) in [
        ("add", "1", "", "set-full or --model counter-bounds"),
        ("read", "nil", "[1 2]", "echo"),
        ("broadcast", "1", "1", "set-full"),
        ("decr", "1", "1", "counter-bounds"),
        ("add-and-get", "1", "[1 1]", "counter"),
        ("contains", "1", "true", "set"),
        ("drain", "nil", "[1]", "total-queue"),
        ("push", "1", "1", "stack"),
        ("txn", "[[:w 1 2]]", "[[:w 1 2]]", "rw-register"),
        ("txn", "[[:read 1 nil] [:write 1 3]]", "[[:read 1 2] [:write 1 3]]", "multi-register"),
        ("txn", "[[:r 1 nil]]", "[[:r 1 [2]]]", "echo"),
        ("txn", "[[:read 1 nil]]", "[[:read 1 2]]", "echo"),
        ("txn", "[[:append 1 2] [:r 1 nil]]", "[[:append 1 2] [:r 1 [2]]]", "list-append"),
        ("txn", "[[:r 1 nil]]", "[[:r 1 2]]", "echo"),
        ("txn", "[[:r 1 nil]]", "[[:r 1 nil]]", "list-append or --model rw-register"),
    ] {
        let text = format!(
            "{{:type :invoke :process 0 :f :{f} :value {value}}}{{:type :ok :process 0 :f :{f} :value {ok} nil nil}}"
        );
        let text = if ok.is_empty() { text.split_once("}{").unwrap().0.to_owned() + "}" } else { text };
        let text = text.replace(" nil nil}", "}");
        let read = read(text.as_bytes(), "a.edn", &Options::default()).unwrap();
        let found = read.model().map_or_else(|error| error.to_string(), str::to_owned);
        assert!(found.ends_with(model), "{f} {value}: {found}");
    }
}

#[test]
fn what_jepsen_marks_as_final_is_of_the_phase_final() {
    let edn = b"{:type :invoke, :process 0, :f :read, :value nil, :final? true}\n\
                {:type :ok, :process 0, :f :read, :value [1], :final? true}\n\
                {:type :invoke, :process 0, :f :read, :value nil, :final? false}\n";
    let read = read(edn, "", &Options::default()).unwrap();
    let phases: Vec<_> = read.events().iter().map(|event| event.phase).collect();
    assert_eq!(phases, [Some(Phase::Final), None, None]);
}

#[test]
fn archives_that_are_damaged_are_refused() {
    let text = "{:type :invoke :process 0 :f :read}\n{:type :ok :process 0 :f :read :value nil}\n".repeat(50);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    let mut gzip = gzip.finish().unwrap();
    let checksum = gzip.len() - 8;
    gzip[checksum] ^= 1;
    let zstd =
        ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let error = read(&gzip, "a.edn.gz", &Options::default()).unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
    // A file of two frames is both.
    let both = read(&[zstd.as_slice(), &zstd].concat(), "a.edn.zst", &Options::default()).unwrap();
    assert_eq!(both.events().len(), 200);
}
