//! Swapped disks in real runs: the own store refuses the disk of another node.

use crate::support::{bench, lab_with_disks_possible, stderr, stdout, write_spec};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn swapped_disks_are_refused_and_nodes_recover() {
    let folder = tempfile::tempdir().unwrap();
    let swap =
        "[[fault]]\nkind = \"disk-swap\"\ntarget = [\"n1\", \"n2\"]\nat = \"500ms\"\nfor = \"1500ms\"\n";
    let spec = write_spec(folder.path(), "4s", swap);
    let run = bench(folder.path()).args(["run", "--seed", "3", "--out", "out"]).arg(&spec).output().unwrap();
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(0), "{said}");
    let faults = std::fs::read_to_string(folder.path().join("out/main/faults.csv")).unwrap();
    for seen in
        ["n1: has the data of n2: ", "n2: has the data of n1: ", "n1: it ended by itself: exit code 4"]
    {
        assert!(faults.contains(seen), "{seen}: {faults}");
    }
    let printed = std::fs::read_to_string(folder.path().join("out/main/nodes/n1/output.log")).unwrap();
    assert!(printed.contains("these are the data of node \"n2\", and this is node \"n1\""), "{printed}");
    let history = std::fs::read_to_string(folder.path().join("out/main/history.jsonl")).unwrap();
    assert!(history.contains("\"excuse\":\"fault 1 (disk-swap)\""), "{said}");
    assert!(history.contains("each has its own data again"), "{said}");
}

#[test]
fn nodes_that_cannot_start_leave_no_disk() {
    if !lab_with_disks_possible("nodes_that_cannot_start_leave_no_disk") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // The nodes are this program. Once it is gone, none can be started, and its disk is mounted already.
    let program = folder.path().join("bench");
    std::fs::copy(env!("CARGO_BIN_EXE_bench"), &program).unwrap();
    let audit = ["audit", "--real", "--runs", "3", "--only", "sound", "--out", "out"];
    let audit = Command::new(&program)
        .current_dir(folder.path())
        .args(audit)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let audit = audit.unwrap();
    let begun = Instant::now();
    while !folder.path().join("out/run/main").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no run began");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::remove_file(&program).unwrap();
    let audit = audit.wait_with_output().unwrap();
    assert_eq!(audit.status.code(), Some(0), "{}", stderr(&audit));
}
