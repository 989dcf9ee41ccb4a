//! `bench check` on files that leave something open: equal times, cuts, odd times, missing processes, other conventions.

use crate::edges::{check, check_all, edn};
use crate::support::{bench, output, stderr};
use std::io::Write as _;

/// Events with times: process, type, function, value, time.
fn timed(events: &[(u8, &str, &str, &str, &str)]) -> String {
    let line = |(process, kind, f, value, time): &(u8, &str, &str, &str, &str)| {
        format!("{{:process {process}, :type :{kind}, :f :{f}, :value {value}, :time {time}}}\n")
    };
    events.iter().map(line).collect()
}

/// A stale read, acknowledged: 1 is read after 2 was written.
fn stale() -> [String; 3] {
    [edn(&[("0", "write", "1", "1")]), edn(&[("0", "write", "2", "2")]), edn(&[("1", "read", "nil", "1")])]
}

const TABLE: &str = "process,f,argument,result,outcome,invoked_ns,completed_ns\n";

#[test]
fn process_keeps_its_order_at_equal_times() {
    let touching = format!("{TABLE}0,write,1,,ok,100,200\n0,write,2,,ok,200,300\n1,read,,1,ok,400,500\n");
    let points = format!("{TABLE}0,write,1,,ok,100,100\n0,write,2,,ok,100,100\n1,read,,1,ok,400,500\n");
    // Two processes at one tie: each goes on to its next operation.
    let crossing = |last: &str| {
        format!(
            "{TABLE}0,write,1,,ok,100,200\n1,write,2,,ok,100,200\n0,read,,2,ok,200,300\n1,read,,{last},ok,200,300\n"
        )
    };
    let sequential =
        touching.replace("1,read,,1,ok,400,500\n", "1,read,,2,ok,400,500\n1,read,,1,ok,500,600\n");
    check_all(
        "h.csv",
        &[
            (touching.clone(), &["--model", "register"], 1, ""),
            (points, &["--model", "register"], 1, ""),
            (sequential, &["--model", "sequential-register"], 1, ""),
            // The read touches the write and may come before it.
            (touching.replace("400,500", "300,500"), &["--model", "register"], 0, ""),
            (crossing("2"), &["--model", "register"], 0, ""),
            (crossing("3"), &["--model", "register"], 1, ""),
        ],
    );
    let side_by_side = timed(&[
        (0, "invoke", "write", "1", "100"),
        (0, "ok", "write", "1", "200"),
        (0, "invoke", "write", "2", "200"),
        (0, "ok", "write", "2", "300"),
        (2, "invoke", "read", "nil", "50"),
        (2, "ok", "read", "nil", "60"),
        (1, "invoke", "read", "nil", "400"),
        (1, "ok", "read", "1", "500"),
    ]);
    check_all("h.edn", &[(side_by_side, &[], 1, "in the order of times")]);
}

#[test]
fn order_that_ties_leave_open_is_unknown() {
    // Process 0 reads 2 where only the write that begins at that time leaves it, and so does process 1.
    let open = format!(
        "{TABLE}0,read,,2,ok,100,200\n0,write,1,,ok,200,300\n1,read,,1,ok,100,200\n1,write,2,,ok,200,300\n"
    );
    check_all("h.csv", &[(open, &["--model", "register"], 3, "in another order")]);
}

#[test]
fn indexes_of_a_table_are_all_there_or_none() {
    let table = |rows: &str| {
        format!(
            "f,outcome,invoked_ns,completed_ns,process,argument,result,invoked_index,completed_index\n{rows}"
        )
    };
    let rows = "write,ok,5,5,0,1,,0,1\nwrite,ok,5,5,0,2,,2,3\nread,ok,5,6,1,,1,4,5\n";
    let info = "write,info,7,8,2,9,,6,\n";
    check_all(
        "h.csv",
        &[
            (table(rows), &[], 1, ""),
            (table(&format!("{rows}{info}")), &[], 1, ""),
            (table(&rows.replace(",4,5\n", ",4,\n")), &[], 2, "has no completed_index"),
            (table(&rows.replace(",4,5\n", ",3,5\n")), &[], 2, "two events have the index 3"),
            (table(&rows.replace("5,6,1", "4,6,1")), &[], 2, "contradict the times"),
        ],
    );
}

#[test]
fn only_the_end_of_a_file_is_cut() {
    let [first, second, read] = stale();
    let with = |broken: &str| format!("{first}{broken}\n{second}{read}");
    let quote = "{:process 3, :type :invoke, :f :read, :value nil, :error \"oops}";
    let vector = " {:process 3, :type :invoke, :f :read, :value [1 2}";
    let brace = "{:process 3, :type :invoke, :f :read, :value nil";
    let one_line = |broken: &str| with(broken).replace('\n', " ");
    check_all(
        "h.edn",
        &[
            (with(quote), &[], 2, "no quote closes"),
            (with(vector), &[], 2, "closes nothing"),
            (with(brace), &[], 2, "h.edn:3:1"),
            (one_line(vector), &[], 2, "closes nothing"),
            (one_line(brace), &[], 2, "h.edn:1:"),
            (with(quote).replace('\n', "\r"), &[], 2, ""),
            (format!("{first}{quote}"), &[], 0, "up to the cut"),
            (format!("{first}{brace}"), &[], 0, "up to the cut"),
            (format!("{first}\0\0\0"), &[], 0, "bytes of zero"),
        ],
    );
    let json = r#"[{"process":0,"type":"invoke","f":"write","value":1},"#;
    check_all("h.json", &[(json.to_owned(), &[], 0, "up to the cut")]);
}

#[test]
fn operations_behind_a_report_are_refused() {
    let [first, second, read] = stale();
    let with = |between: &str| format!("{first}{between}\n{second}{read}");
    let prefixed = with("").replace("\n{", "\nINFO {");
    check_all(
        "h.edn",
        &[
            (with("{:valid? true}"), &[], 2, "operations behind it"),
            (with("{:valid? true,\n :count 3}"), &[], 2, "operations behind it"),
            (with("{:valid? true, :process 0, :f :write}"), &[], 2, "no type"),
            (with("INFO something").replace("\n{", "\n {"), &[], 2, "operations behind it"),
            (prefixed, &[], 2, "operations behind it"),
            (
                format!("{first}{{:valid? false, :op {{:type :ok, :f :read}}}}\n"),
                &[],
                0,
                "report of a checker",
            ),
            (format!("{first}Everything looks good! ヽ(‘ー`)ノ\n"), &[], 0, "report of a checker"),
        ],
    );
}

/// The lines of a log, with what stands before each.
fn log(prefixes: [&str; 6]) -> String {
    let operations = [
        "0\t:invoke\t:write\t1",
        "0\t:ok\t:write\t1",
        "0\t:invoke\t:write\t2",
        "0\t:ok\t:write\t2",
        "1\t:invoke\t:read\tnil",
        "1\t:ok\t:read\t1",
    ];
    prefixes.iter().zip(operations).flat_map(|(prefix, operation)| [*prefix, operation, "\n"]).collect()
}

#[test]
fn no_line_of_a_log_is_lost() {
    let p = "INFO  jepsen.util - ";
    let between = |line: &str| {
        log([p; 6]).replacen(
            &format!("{p}0\t:invoke\t:write\t2"),
            &format!("{line}\n{p}0\t:invoke\t:write\t2"),
            1,
        )
    };
    check_all(
        "h.log",
        &[
            (log([p; 6]), &["--initial", "null"], 1, ""),
            (log(["", p, p, p, p, p]), &[], 2, "h.log:2:"),
            (log(["", p, "", p, "", p]), &[], 2, "stands before the process"),
            (format!("5\t:invoke\t:read\tnil\n{}", log([p; 6])), &[], 2, "stands before the process"),
            (between("WARN cluster - inconsistent state seen, retrying"), &[], 2, "behind line 3"),
            (between("INFO  jepsen.core - Everything looks good! (setup)"), &[], 2, "behind line 3"),
            (between("Everything looks good! ヽ(‘ー`)ノ\n"), &[], 2, "make a file of each"),
        ],
    );
}

#[test]
fn clients_without_a_process_are_clients() {
    let nobody = |text: String| text.replace(":process 9, ", "");
    let absent = |text: String| text.replace(":process 9, ", ":process nil, ");
    let write = || edn(&[("9", "write", "1", "1")]);
    let cas = || edn(&[("9", "cas", "[1 2]", "[1 2]")]);
    let read = |result| edn(&[("1", "read", "nil", result)]);
    let first = || edn(&[("0", "write", "1", "1")]);
    check_all(
        "h.edn",
        &[
            (nobody(write()) + &read("nil"), &[], 1, ""),
            (first() + &nobody(cas()) + &read("1"), &[], 1, ""),
            (first() + &absent(cas()) + &read("2"), &[], 0, "3 operations"),
        ],
    );
}

#[test]
fn times_of_other_kinds_give_no_false_order() {
    let events = |times: [&str; 6]| {
        timed(&[
            (0, "invoke", "write", "1", times[0]),
            (0, "ok", "write", "1", times[1]),
            (1, "invoke", "read", "nil", times[2]),
            (1, "ok", "read", "nil", times[3]),
            (2, "invoke", "read", "nil", times[4]),
            (2, "ok", "read", "1", times[5]),
        ])
    };
    let date = |second: &str| format!("#inst \"2024-01-01T00:00:00.{second}Z\"");
    let dates = ["100", "400", "150", "200", "500", "600"].map(date);
    let large = ["1", "4", "15", "2", "5", "6"].map(|digits| format!("10000000000000000000000{digits:0<2}N"));
    check_all(
        "h.edn",
        &[
            (events(["0.100", "0.400", "0.150", "0.200", "0.500", "0.600"]), &[], 0, "in the order of times"),
            (events(["-900", "-600", "-850", "-800", "-500", "-400"]), &[], 0, "in the order of times"),
            (events(dates.each_ref().map(String::as_str)), &[], 0, "in the order of times"),
            (events(large.each_ref().map(String::as_str)), &[], 0, "in the order of times"),
            (events(["100", "400", "150", "200", "nil", "nil"]), &[], 0, "2 events without a time"),
            (
                events(["\"noon\"", "\"late\"", "\"x\"", "\"y\"", "\"z\"", "\"z\""]),
                &[],
                2,
                "neither a number nor a date",
            ),
        ],
    );
    let [first, second, read] = stale();
    let zero = |text: &str, index: u8| {
        let (begin, end) = text.trim_end().split_once('\n').unwrap();
        let with = |line: &str, index: u8| line.replace('}', &format!(", :index {index}, :time 0}}\n"));
        with(begin, index) + &with(end, index + 1)
    };
    let by_index = zero(&first, 0) + &zero(&second, 4) + &zero(&read, 2);
    check_all("h.edn", &[(by_index, &[], 0, "in the order of indexes")]);
}

#[test]
fn last_line_without_an_end_decides_nothing() {
    let table = "f,outcome,invoked_ns,completed_ns,process,argument,result\nwrite,ok,700,800,0,123,\nread,ok,900,950,1,,12";
    let log = |end: &str| {
        format!("0\t:invoke\t:write\t123\n0\t:ok\t:write\t123\n1\t:invoke\t:read\tnil\n1\t:ok\t:read{end}")
    };
    check_all(
        "h.csv",
        &[
            (table.to_owned(), &[], 3, "it has no line feed"),
            (format!("{table}3"), &[], 0, "up to the cut"),
            (format!("{table}3\n"), &[], 0, "one key"),
            (format!("{table}\n"), &[], 1, ""),
        ],
    );
    check_all(
        "h.txt",
        &[
            (log("\t12"), &["--initial", "null"], 3, "it has no line feed"),
            (log("\t12\n"), &["--initial", "null"], 1, ""),
            (log(""), &["--initial", "null"], 3, "it has no line feed"),
            (log("\t123"), &["--initial", "null"], 0, "up to the cut"),
        ],
    );
    let sessions = "w 1 123\n---\n===\nr 1 123\n---\nw 1 67\n---\n===\nr 1 67\n---\n===\n";
    for end in 1..sessions.len() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("h.txt"), &sessions[..end]).unwrap();
        let output = output(folder.path(), &["check", "h.txt", "--model", "rw-register"]);
        assert_ne!(output.status.code(), Some(1), "cut at {end}");
    }
}

#[test]
fn cut_tables_are_never_invalid() {
    let table = "f,outcome,invoked_ns,completed_ns,process,argument,result\nwrite,ok,100,900,0,7,\nread,ok,150,800,1,,123\n\
                 write,ok,200,300,2,123,\nread,ok,950,990,1,,123\n";
    let folder = tempfile::tempdir().unwrap();
    for end in table.find('\n').unwrap() + 1..table.len() {
        std::fs::write(folder.path().join("h.csv"), &table[..end]).unwrap();
        let output = output(folder.path(), &["check", "h.csv", "--model", "register"]);
        // A cut at the end of a line leaves no trace.
        if !table[..end].ends_with('\n') {
            assert_ne!(output.status.code(), Some(1), "cut at {end}");
        }
    }
}

#[test]
fn other_tools_conventions_are_no_violations() {
    let one = || edn(&[("0", "write", "1", "1")]);
    let after = |operations: &[(&str, &str, &str, &str)]| one() + &edn(operations);
    check_all(
        "h.edn",
        &[
            // `false`: nothing happened.
            (
                after(&[("0", "cas", "[5 6]", "false"), ("0", "read", "nil", "1")]),
                &[],
                0,
                "answered with false",
            ),
            (
                edn(&[
                    ("0", "acquire", "nil", "true"),
                    ("1", "acquire", "nil", "false"),
                    ("0", "release", "nil", "true"),
                ]),
                &[],
                0,
                "answered with false",
            ),
            (
                edn(&[("0", "enqueue", "1", "false"), ("0", "drain", "nil", "[]")]),
                &[],
                3,
                "answered with false",
            ),
            // The value itself is false.
            (edn(&[("0", "write", "false", "false"), ("0", "read", "nil", "nil")]), &[], 1, ""),
        ],
    );
}

#[test]
fn values_of_other_kinds_are_understood_or_refused() {
    check_all(
        "h.edn",
        &[
            // Marks of an empty queue, ratios and keywords.
            (
                edn(&[
                    ("0", "enqueue", "1", "1"),
                    ("0", "dequeue", "nil", "1"),
                    ("0", "dequeue", "nil", ":empty"),
                ]),
                &["--model", "fifo-queue"],
                0,
                "mark of an empty queue",
            ),
            (edn(&[("0", "write", "1/2", "1/2"), ("0", "read", "nil", "2/4")]), &[], 0, ""),
            (edn(&[("0", "write", ":a", ":a"), ("0", "read", "nil", "\"a\"")]), &[], 2, "keywords"),
            // Reads with arguments.
            (
                edn(&[("0", "write", "[1 5]", "[1 5]"), ("0", "read", "1", "[1 5]")]),
                &[],
                2,
                "reads have arguments",
            ),
            (
                edn(&[
                    ("0", "read", "[7 [nil nil]]", "[7 [0 nil]]"),
                    ("1", "write", "[7 [nil 3]]", "[7 [1 3]]"),
                ]),
                &["--model", "versioned-register"],
                0,
                "",
            ),
            (
                edn(&[("0", "read", "[7 nil]", "[0 nil]")]),
                &["--model", "register", "--independent=false"],
                2,
                "another --model",
            ),
            (
                edn(&[("0", "read", "nil", "0")]),
                &["--initial", "{\"x\":0}", "--model", "register"],
                2,
                "have no keys",
            ),
        ],
    );
}

#[test]
fn numbers_and_keys_are_told_apart_as_meant() {
    let json = |write: &str, read: &str| {
        format!(
            "{{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":{write}}}\n{{\"process\":0,\"type\":\"ok\",\"f\":\
             \"write\",\"value\":{write}}}\n{{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}}\n{{\"process\":0,\"type\":\
             \"ok\",\"f\":\"read\",{read}}}\n"
        )
    };
    let keys = |other: &str| {
        let event = |kind: &str, f: &str, key: &str, value: &str| {
            format!("{{\"process\":0,\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":{key},\"value\":{value}}}\n")
        };
        let both = |f, key, value, result| event("invoke", f, key, value) + &event("ok", f, key, result);
        both("write", "1", "5", "5") + &both("write", other, "6", "6") + &both("read", "1", "null", "5")
    };
    let known = "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"key\":1}\n{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"key\":1,\"value\":0}\n";
    check_all(
        "h.json",
        &[
            (json("1", "\"value\":1.0"), &[], 0, ""),
            (json("1e2", "\"value\":100"), &[], 0, ""),
            (json("-0", "\"value\":0"), &[], 0, ""),
            (json("1", "\"value\":1.5"), &["--initial", "null"], 1, ""),
            (json("1", "\"result\":1"), &[], 2, "stands in result"),
            (keys("\"1\""), &[], 0, "2 keys"),
            (keys("1"), &[], 1, ""),
            (known.to_owned(), &["--initial", "{\"1\":0}"], 0, ""),
        ],
    );
}

#[test]
fn completions_alone_show_no_keys() {
    let ok = |f: &str, value: &str| format!("{{:process 0, :type :ok, :f :{f}, :value {value}}}\n");
    let alone =
        || [ok("write", "[1 5]"), ok("write", "[2 6]"), ok("read", "[1 5]"), ok("read", "[2 6]")].concat();
    let cut =
        ok("read", "[1 5]") + &edn(&[("1", "write", "[1 5]", "[1 5]"), ("1", "read", "[1 nil]", "[1 5]")]);
    check_all(
        "h.edn",
        &[
            (alone(), &[], 2, "--independent=false"),
            (alone(), &["--independent"], 0, "2 keys"),
            // It may have begun with a 5 for key 1.
            (cut.clone(), &[], 3, "--initial '{\"1\":5}'"),
            (cut, &["--initial", "{\"1\":5}"], 0, "[key value]"),
        ],
    );
}

#[test]
fn failed_cas_of_a_log_may_say_nothing() {
    let log = "0\t:invoke\t:write\t1\n0\t:ok\t:write\t1\n1\t:invoke\t:cas\t[1 2]\n1\t:fail\t:cas\t[1 2]\n";
    check_all(
        "h.txt",
        &[
            (log.to_owned(), &[], 3, "--failed-cas did-not-happen"),
            (log.to_owned(), &["--failed-cas", "did-not-happen"], 0, ""),
            (log.to_owned(), &["--failed-cas", "value-differed"], 1, ""),
        ],
    );
    let error = |words: &str| {
        log.replace(":cas", ":write").replace("[1 2]", "3").replacen(
            "\t3\n1\t:fail\t:write\t3",
            &format!("\t3\n1\t:fail\t:write\t3\t{words}\n2\t:invoke\t:read\tnil\n2\t:ok\t:read\t3"),
            1,
        )
    };
    check_all(
        "h.txt",
        &[
            (error(":timed-out"), &["--initial", "null"], 0, ""),
            (error(":not-a-timeout"), &["--initial", "null"], 1, ""),
            (error("[:error \"no timeout\"]"), &["--initial", "null"], 1, ""),
        ],
    );
}

#[test]
fn converted_histories_keep_their_doubts() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("start.edn"), edn(&[("0", "read", "nil", "0"), ("1", "cas", "[0 2]", "[0 2]")]))
        .unwrap();
    let twice = edn(&[("0", "acquire", "nil", "nil"), ("0", "acquire", "nil", "nil")]);
    std::fs::write(path("twice.edn"), twice).unwrap();
    let log = "0\t:invoke\t:write\t1\n0\t:ok\t:write\t1\n1\t:invoke\t:cas\t[1 2]\n1\t:fail\t:cas\t[1 2]\n";
    std::fs::write(path("failed.log"), log).unwrap();
    for input in ["start.edn", "twice.edn", "failed.log"] {
        check(folder.path(), &[input], 3);
        for to in ["history", "operations-csv"] {
            let name = if to == "history" { "out.jsonl" } else { "out.csv" };
            let converted = output(folder.path(), &["convert", "--to", to, input, name]);
            assert_eq!(converted.status.code(), Some(0), "{input} {to}: {}", stderr(&converted));
            check(folder.path(), &[name], 3);
            // And from there to the other.
            let converted = output(folder.path(), &["convert", "--to", "history", name, "again.jsonl"]);
            assert_eq!(converted.status.code(), Some(0), "{input} {to}: {}", stderr(&converted));
            check(folder.path(), &["again.jsonl"], 3);
        }
    }
    check(folder.path(), &["again.jsonl", "--failed-cas", "value-differed"], 1);
    let refused = output(folder.path(), &["convert", "--to", "jepsen-edn", "failed.log", "out.edn"]);
    assert_eq!(refused.status.code(), Some(2));
    let ties = "f,outcome,invoked_ns,completed_ns,process,argument,result\nwrite,ok,5,5,0,1,\nwrite,ok,5,5,0,2,\n\
                read,ok,5,6,1,,1\nwrite,info,7,8,2,9,\n";
    std::fs::write(path("ties.csv"), ties).unwrap();
    check(folder.path(), &["ties.csv"], 0);
    for (to, name) in [("history", "out.jsonl"), ("operations-csv", "out.csv"), ("jepsen-edn", "out.edn")] {
        let converted = output(folder.path(), &["convert", "--to", to, "ties.csv", name]);
        assert_eq!(converted.status.code(), Some(0), "{to}: {}", stderr(&converted));
        check(folder.path(), &[name], 0);
    }
}

#[test]
fn every_file_of_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("sub/a/b/c/d/e")).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("good.edn", edn(&[("0", "write", "1", "1")]));
    write("README.md", "words".to_owned());
    write("sub/a/b/c/d/e/BAD.EDN", stale().concat());
    let said = check(folder.path(), &["."], 1);
    assert!(said.contains("BAD.EDN") && said.contains("skipped") && said.contains("README.md"), "{said}");
    write("sub/broken.edn", "{:process 0".to_owned());
    let said = check(folder.path(), &["."], 2);
    assert!(said.contains("invalid: 1; unreadable: 1"), "{said}");
}

#[test]
fn standard_input_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut child =
        bench(folder.path()).args(["check", "-"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stale().concat().as_bytes()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
