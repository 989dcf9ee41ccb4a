//! `bench check` and `bench convert` on histories that other tools wrote.

use crate::support::{output, stderr, stdout};
use std::path::{Path, PathBuf};

/// A corpus file of the checker.
fn corpus(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "checker", "tests", "formats", name].iter().collect();
    path.display().to_string()
}

fn check(folder: &Path, arguments: &[&str], expected: i32) -> String {
    let output = output(folder, &[&["check"], arguments].concat());
    assert_eq!(output.status.code(), Some(expected), "{}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

#[test]
fn foreign_histories_are_checked_with_guesses_reported() {
    let folder = tempfile::tempdir().unwrap();
    let said = check(folder.path(), &[&corpus("register.log")], 0);
    assert!(said.contains("jepsen-log") && said.contains("cas-register"), "{said}");
    let said = check(folder.path(), &[&corpus("independent.edn")], 0);
    assert!(said.contains("[key value]"), "{said}");
    let said = check(folder.path(), &["--certify", &corpus("kv.txt")], 0);
    assert!(said.contains("confirms"), "{said}");
    assert!(said.contains("porcupine-kv"), "{said}");
}

#[test]
fn several_files_end_with_the_worst_answer() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.edn");
    std::fs::write(
        &bad,
        "{:type :invoke, :f :write, :value 1, :process 0}\n{:type :ok, :f :write, :value 1, :process 0}\n\
         {:type :invoke, :f :read, :value nil, :process 1}\n{:type :ok, :f :read, :value 2, :process 1}\n",
    )
    .unwrap();
    let said = check(folder.path(), &[&corpus("register.edn"), "bad.edn"], 1);
    let answers: Vec<_> = said.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let order: Vec<_> = answers.iter().filter(|word| matches!(**word, "valid" | "invalid")).collect();
    assert_eq!(order, [&"valid", &"invalid"], "{said}");
    assert_eq!(said.lines().last(), Some("2 files, 1 invalid, 1 valid"), "{said}");
    // A file that cannot be read is named, and hides nothing.
    std::fs::write(folder.path().join("empty.edn"), "").unwrap();
    let said = check(folder.path(), &["empty.edn", "bad.edn"], 2);
    assert!(said.contains("2 files, 1 invalid, 1 unreadable\n"), "{said}");
}

#[test]
fn a_history_without_operations_shows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"history":1,"spec":"idle","variant":"main","model":"register","seed":1,"started":"2026-01-01T00:00:00Z"}"#;
    std::fs::write(folder.path().join("history.jsonl"), format!("{header}\n")).unwrap();
    let said = check(folder.path(), &["history.jsonl"], 3);
    assert!(said.contains("no operation was recorded"), "{said}");
}

#[test]
fn explanation_draws_contradiction_or_order() {
    let folder = tempfile::tempdir().unwrap();
    let stale = "{:type :invoke, :f :write, :value 1, :process 0}\n{:type :ok, :f :write, :value 1, :process 0}\n\
         {:type :invoke, :f :read, :value nil, :process 1}\n{:type :ok, :f :read, :value nil, :process 1}\n";
    std::fs::write(folder.path().join("stale.edn"), stale).unwrap();
    let said = check(folder.path(), &["--explain", "stale.edn"], 1);
    assert!(said.contains("├──┤        operation 0  process 0: write 1 → ok\n"), "{said}");
    assert!(
        said.contains("      ├──┤  operation 1  process 1: read → nothing  ← cannot be explained\n"),
        "{said}"
    );
    let said = check(folder.path(), &["--explain", &corpus("kv.txt")], 0);
    assert!(said.contains("that explains every result: "), "{said}");
    let json = check(folder.path(), &["--explain", "--json", &corpus("register.log")], 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["orders"][0].as_array().is_some_and(|order| !order.is_empty()), "{json}");
}

#[test]
fn option_unknown_to_the_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = output(folder.path(), &["check", &corpus("register.log"), "--total", "5"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("it belongs to --model bank"), "{}", stderr(&refused));
}

#[test]
fn bank_is_checked_by_the_given_total() {
    let folder = tempfile::tempdir().unwrap();
    let bank = "{:type :invoke, :f :read, :value nil, :process 1}\n{:type :ok, :f :read, :value {:a 1, :b 2}, :process 1}\n\
         {:type :invoke, :f :transfer, :value {:from :a, :to :b, :amount 1}, :process 1}\n";
    std::fs::write(folder.path().join("bank.edn"), bank).unwrap();
    check(folder.path(), &["bank.edn"], 3);
    check(folder.path(), &["bank.edn", "--total", "3"], 0);
    let said = check(folder.path(), &["bank.edn", "--total", "4"], 1);
    assert!(said.contains("total"), "{said}");
    check(folder.path(), &["bank.edn", "--total", "3", "--accounts", "a,c"], 1);
}

#[test]
fn transactions_are_checked_by_the_given_consistency() {
    let folder = tempfile::tempdir().unwrap();
    let skew = r#"{"history":1,"spec":"skew","variant":"main","model":"list-append","seed":1,"started":"2026-11-23T10:00:00Z"}
{"time":1,"process":0,"type":"invoke","f":"txn","value":[["r","x",null],["append","y",1]]}
{"time":2,"process":1,"type":"invoke","f":"txn","value":[["r","y",null],["append","x",1]]}
{"time":3,"process":0,"type":"ok","f":"txn","value":[["r","x",[]],["append","y",1]]}
{"time":4,"process":1,"type":"ok","f":"txn","value":[["r","y",[]],["append","x",1]]}
"#;
    std::fs::write(folder.path().join("skew.jsonl"), skew).unwrap();
    let said = check(folder.path(), &["skew.jsonl"], 1);
    assert!(said.contains("G2-item"), "{said}");
    check(folder.path(), &["skew.jsonl", "--consistency", "snapshot-isolation"], 0);
    let refused = output(folder.path(), &["check", "skew.jsonl", "--consistency", "serialisable"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("did you mean"), "{}", stderr(&refused));
}

#[test]
fn a_lost_element_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let edn = "{:type :invoke, :f :add, :value 7, :process 0}\n{:type :ok, :f :add, :value 7, :process 0}\n\
               {:type :invoke, :f :read, :value nil, :process 1}\n{:type :ok, :f :read, :value [], :process 1}\n";
    std::fs::write(folder.path().join("set.edn"), edn).unwrap();
    let said = check(folder.path(), &["set.edn"], 1);
    assert!(said.contains('7') && said.contains("lost"), "{said}");
}

#[test]
fn a_converted_history_gets_the_same_answer() {
    let folder = tempfile::tempdir().unwrap();
    let register = corpus("register.edn");
    for (format, file) in [("history", "out.jsonl"), ("elle-json", "out.json"), ("jepsen-log", "out.log")] {
        let convert = output(folder.path(), &["convert", &register, file, "--to", format]);
        assert_eq!(convert.status.code(), Some(0), "{}", stderr(&convert));
        check(folder.path(), &[file], 0);
    }
    let refused = output(folder.path(), &["convert", &register, "out.x", "--to", "edm"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(!folder.path().join("out.x").exists());
}
