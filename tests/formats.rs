//! `bench check` and `bench convert` on histories that other tools wrote.

#![allow(clippy::unwrap_used, reason = "it is a test from the first line to the last")]

mod support;

use std::path::{Path, PathBuf};
use support::{output, stderr, stdout};

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
fn foreign_histories_are_judged_and_what_was_guessed_is_said() {
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
    assert_eq!(said.matches("linearizable").count(), 2, "{said}");
}

#[test]
fn transactions_are_judged_by_the_consistency_that_is_asked_for() {
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
    let said = check(folder.path(), &["set.edn", "--model", "set"], 1);
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
