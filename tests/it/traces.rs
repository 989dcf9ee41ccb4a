//! Traces of real nodes: the sound store keeps every invariant, and a mistake shows before it harms a client.

use crate::support::{output, stderr, stdout};
use serde_json::Value;
use std::path::Path;

const SPEC: &str = "name = \"traced\"\n[cluster]\nnodes = 3\nnetwork = \"proxy\"\ninvariants = true\n\
    [load]\nclients = 4\nrate = 200\nwarmup = \"200ms\"\nduration = \"2s\"\nrecovery = \"1s\"\nminimum-rate = 1\n\
    [[fault]]\nkind = \"kill\"\ntarget = \"leader\"\nat = \"500ms\"\nfor = \"300ms\"\n";

/// The exit code of a run with these values, and its check of the invariants.
fn judged(folder: &Path, more: &[&str]) -> (Option<i32>, Value) {
    std::fs::write(folder.join("traced.toml"), SPEC).unwrap();
    let run = ["run", "traced.toml", "--seed", "7", "--out", "out", "--json"];
    let run = output(folder, &[&run, more].concat());
    let verdict: Value =
        serde_json::from_str(&stdout(&run)).unwrap_or_else(|_| panic!("{}{}", stdout(&run), stderr(&run)));
    let checks = verdict["variants"][0]["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "invariants").cloned();
    (run.status.code(), check.unwrap_or_else(|| panic!("no check of invariants: {verdict}")))
}

#[test]
fn sound_store_keeps_every_invariant() {
    let folder = tempfile::tempdir().unwrap();
    let (code, check) = judged(folder.path(), &[]);
    assert_eq!((code, &check["answer"]), (Some(0), &Value::from("valid")), "{check}");
    let reason = check["reason"].as_str().unwrap();
    assert!(reason.starts_with("they hold over the traces of all nodes: "), "{reason}");
    assert!(reason.ends_with(" events"), "{reason}");
}

#[test]
fn early_progress_shows_in_its_trace() {
    let folder = tempfile::tempdir().unwrap();
    let flaw = ["--set", "cluster.paxos.flaw=replica-tells-progress-early"];
    let (code, check) = judged(folder.path(), &flaw);
    assert_eq!((code, &check["answer"]), (Some(1), &Value::from("invalid")), "{check}");
    let reason = check["reason"].as_str().unwrap();
    assert!(reason.contains("reported the slots below "), "{reason}");
    let (path, line) = reason.rsplit_once("; see ").unwrap().1.split_once(", line ").unwrap();
    let trace = std::fs::read_to_string(folder.path().join("out/main").join(path)).unwrap();
    let shown = trace.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap();
    assert!(shown.starts_with("{\"reports\":"), "{shown}");
    let again = output(folder.path(), &["check", "out"]);
    assert_eq!(again.status.code(), Some(1), "{}", stdout(&again));
    assert!(stdout(&again).contains("invariants"), "{}", stdout(&again));
}

#[test]
fn only_the_own_store_writes_traces() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("traced.toml"), SPEC).unwrap();
    let run = output(folder.path(), &["run", "traced.toml", "--set", "cluster.system=redis"]);
    assert_eq!(run.status.code(), Some(2));
    let said = stderr(&run);
    assert!(said.contains("cluster.invariants") || said.contains("traced.toml:5"), "{said}");
    assert!(said.contains("it belongs to the system paxos"), "{said}");
}
