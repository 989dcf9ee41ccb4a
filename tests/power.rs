//! Power losses in real runs: a node that answers before it has synced is found out by them and by no kill, and the
//! sound node loses nothing.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "it is a test from the first line to the last")]

mod support;

use std::path::Path;
use support::{bench, output, stderr, stdout};

/// Whether disks that lose their power can be had here; says which test is skipped and why otherwise.
fn possible(test: &str) -> bool {
    let said = stdout(&output(Path::new("/"), &["doctor"]));
    let reasons: Vec<_> =
        said.lines().filter(|line| line.contains("no   lab") || line.contains("no   disk  ")).collect();
    assert!(reasons.is_empty() || std::env::var_os("BENCH_REQUIRE_LAB").is_none(), "{reasons:?}");
    if !reasons.is_empty() {
        eprintln!("skipped {test}: {reasons:?}");
    }
    reasons.is_empty()
}

/// Runs a spec of the repository with these values, and gives the exit code and what was said.
fn run(spec: &str, sets: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let run = bench(folder.path()).args(["run", spec, "--seed", "11", "--out", "out"]).args(sets).output();
    let run = run.unwrap();
    let faults = std::fs::read_to_string(folder.path().join("out/main/faults.csv")).unwrap_or_default();
    (run.status.code(), format!("{}{}\n{faults}", stdout(&run), stderr(&run)))
}

#[test]
fn an_answer_before_the_sync_is_found_by_power_losses_and_by_no_kill() {
    if !possible("an_answer_before_the_sync_is_found_by_power_losses_and_by_no_kill") {
        return;
    }
    let spec = "workloads/flaws/acceptor-answers-before-sync.toml";
    let flaw = "cluster.paxos.flaw=\"acceptor-answers-before-sync\"";
    let (code, said) = run(spec, &[flaw]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not synced and lost: ") && said.contains("linearizable"), "{said}");
    let (code, said) = run(spec, &[flaw, "fault.1.kind=kill"]);
    assert_eq!(code, Some(0), "a kill loses nothing: {said}");
}

#[test]
fn the_sound_node_loses_nothing_in_power_losses_and_torn_writes_of_all_nodes() {
    if !possible("the_sound_node_loses_nothing_in_power_losses_and_torn_writes_of_all_nodes") {
        return;
    }
    let (code, said) = run("workloads/power-loss.toml", &["load.duration=6s"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("of a write of "), "no write was torn: {said}");
}
