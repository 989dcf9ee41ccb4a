//! Wrong input ends with exit code 2, the location and the remedy, before anything is started.

use crate::support::{output, stderr, stdout, write_spec};
use std::path::Path;

/// Runs a spec that must be refused, and gives what was said.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("error: "), "{text}");
    assert!(!folder.join("results").exists(), "nothing may be written when the input is wrong");
    text
}

#[test]
fn misspelt_key_names_position_and_nearest_key() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "timout = \"1s\"\n");
    let text = refused(folder.path(), &["run", "short.toml"]);
    assert!(text.contains("short.toml:13:1: unknown key \"timout\""), "{text}");
    assert!(text.contains("timout = \"1s\""), "the line itself is shown: {text}");
    assert!(text.contains("help: did you mean \"timeout\"?"), "{text}");
}

#[test]
fn an_impossible_target_is_shown_with_its_location() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(
        folder.path(),
        "1s",
        "[[fault]]\nkind = \"kill\"\ntarget = \"n9\"\nat = \"200ms\"\nfor = \"200ms\"\n",
    );
    let text = refused(folder.path(), &["run", "short.toml"]);
    assert!(text.contains("short.toml:15:10: "), "{text}");
    assert!(text.contains("n9"), "{text}");
}

#[test]
fn a_partition_that_selects_nobody_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fault =
        "[[fault]]\nkind = \"partition\"\nshape = \"majority-ring\"\nat = \"200ms\"\nfor = \"200ms\"\n";
    write_spec(folder.path(), "1s", fault);
    let text = refused(folder.path(), &["run", "short.toml"]);
    assert!(text.contains("short.toml:"), "{text}");
}

#[test]
fn unknown_flaw_is_refused_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let set = "cluster.paxos.flaw=commander-minority";
    let text = refused(folder.path(), &["run", "short.toml", "--set", set]);
    assert!(text.contains("--set cluster.paxos.flaw=commander-minority: "), "{text}");
    assert!(text.contains("did you mean \"commander-minority-quorum\"?"), "{text}");
}

#[test]
fn unknown_override_is_refused_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let text = refused(folder.path(), &["run", "short.toml", "--set", "load.rates=5"]);
    assert!(text.contains("--set load.rates=5: unknown key \"rates\""), "{text}");
    assert!(text.contains("did you mean \"rate\"?"), "{text}");
}

#[test]
fn a_bad_duration_is_shown_with_its_location() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "ten seconds", "");
    let text = refused(folder.path(), &["run", "short.toml"]);
    assert!(text.contains("short.toml:9:12: "), "{text}");
    assert!(text.contains("250ms"), "the remedy shows a duration: {text}");
}

#[test]
fn fault_impossible_on_this_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "[[fault]]\nkind = \"flaky\"\nloss = \"1%\"\nat = \"200ms\"\n");
    let text = refused(folder.path(), &["run", "short.toml", "--set", "cluster.network=proxy"]);
    assert!(text.contains("flaky") && text.contains("network = \"lab\""), "{text}");
    assert!(text.contains("short.toml:14:"), "{text}");
}

#[test]
fn missing_spec_names_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let text = refused(folder.path(), &["run", "workloads/smok.toml"]);
    assert!(text.contains("workloads/smok.toml"), "{text}");
    assert!(text.contains("workloads/smoke.toml"), "{text}");
}

#[test]
fn nemesis_without_a_fault_lists_faults() {
    let folder = tempfile::tempdir().unwrap();
    let text = refused(folder.path(), &["nemesis"]);
    for flag in ["--kill-replica", "--kill-leader", "--kill-acceptor", "--pause-replica", "--partition"] {
        assert!(text.contains(flag), "{flag} is missing in: {text}");
    }
}

#[test]
fn an_unknown_shape_of_partition_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let text = refused(folder.path(), &["nemesis", "--partition", "halfs"]);
    assert!(text.contains("halves"), "{text}");
}

#[test]
fn missing_history_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    refused(folder.path(), &["check", "nowhere.jsonl"]);
    refused(folder.path(), &["report", "nowhere"]);
}

#[test]
fn a_spec_is_no_history() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let text = refused(folder.path(), &["check", "short.toml"]);
    assert!(text.contains("`bench run short.toml`"), "{text}");
}

#[test]
fn a_folder_with_results_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    std::fs::create_dir(folder.path().join("full")).unwrap();
    std::fs::write(folder.path().join("full/verdict.json"), "{}").unwrap();
    let text = refused(folder.path(), &["run", "short.toml", "--out", "full"]);
    assert!(text.contains("full"), "{text}");
}

#[test]
fn impossible_output_folder_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let text = refused(folder.path(), &["run", "short.toml", "--out", "file/out"]);
    assert!(text.contains("error: file/out: no results can be written there"), "{text}");
    assert!(text.contains("help: choose another --out"), "{text}");
}

#[test]
fn list_and_doctor_and_completions_answer() {
    let folder = tempfile::tempdir().unwrap();
    let list = output(folder.path(), &["list"]);
    assert_eq!(list.status.code(), Some(0));
    for word in ["workloads/smoke.toml", "register", "partition", "scout-ignores-pvalues", "agreement"] {
        assert!(stdout(&list).contains(word), "{word} is missing in: {}", stdout(&list));
    }
    let doctor = output(folder.path(), &["doctor"]);
    assert_eq!(doctor.status.code(), Some(0));
    assert!(stdout(&doctor).contains("kill"), "{}", stdout(&doctor));
    let completions = output(folder.path(), &["completions", "bash"]);
    assert!(stdout(&completions).contains("_bench"));
}

#[test]
fn manual_pages_are_made_from_the_options() {
    let folder = tempfile::tempdir().unwrap();
    let page = stdout(&output(folder.path(), &["man"]));
    assert!(page.contains(".TH bench 1") && page.contains("compare"), "{page}");
    let written = output(folder.path(), &["man", "."]);
    assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
    let run = std::fs::read_to_string(folder.path().join("bench-run.1")).unwrap();
    assert!(run.contains("junit") && run.contains("rounds"), "{run}");
    refused(folder.path(), &["man", "absent"]);
}

/// A write, and a read after it that finds nothing; the last line may be cut off.
fn write_history(folder: &Path, last_line: &str) {
    let text = format!(
        "{}\n{}\n{}\n{}\n{last_line}",
        r#"{"history":1,"spec":"t","variant":"main","model":"register","seed":1,"started":"2026-11-23T10:00:00Z"}"#,
        r#"{"time":1,"process":0,"type":"invoke","f":"write","key":"k1","value":17}"#,
        r#"{"time":2,"process":0,"type":"ok","f":"write","key":"k1","value":17}"#,
        r#"{"time":3,"process":1,"type":"invoke","f":"read","key":"k1"}"#,
    );
    std::fs::write(folder.join("history.jsonl"), text).unwrap();
}

#[test]
fn lost_write_is_invalid_and_named() {
    let folder = tempfile::tempdir().unwrap();
    write_history(
        folder.path(),
        "{\"time\":4,\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"key\":\"k1\",\"value\":null}\n",
    );
    let check = output(folder.path(), &["check", "history.jsonl"]);
    assert_eq!(check.status.code(), Some(1), "{}", stderr(&check));
    assert!(stdout(&check).contains("read k1"), "{}", stdout(&check));
    let check = output(folder.path(), &["check", "history.jsonl", "--json"]);
    let verdict: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!((&verdict["answer"], &verdict["exit"]), (&"invalid".into(), &1.into()));
}

#[test]
fn truncated_last_line_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    write_history(folder.path(), "{\"time\":4,\"process\":1,\"type\":\"ok\",\"f\":\"re");
    let check = output(folder.path(), &["check", "history.jsonl"]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    assert!(stdout(&check).contains("cut off"), "{}", stdout(&check));
}

#[test]
fn unknown_model_is_refused_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    write_history(folder.path(), "");
    let text = refused(folder.path(), &["check", "history.jsonl", "--model", "registre"]);
    assert!(text.contains("did you mean \"register\"?"), "{text}");
}
