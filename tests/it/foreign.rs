//! Other systems in a lab: etcd, NATS and Redis where they are installed, and small programs.

use crate::support::{
    etcd, lab_possible, lab_with_disks_possible, output, program, stderr, stdout, write_spec,
};
use std::path::Path;

#[test]
fn etcd_survives_partition_and_kill_of_leader() {
    let test = "etcd_survives_partition_and_kill_of_leader";
    if !lab_possible(test) {
        return;
    }
    let Some(etcd) = etcd(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let faults = "[[fault]]\nkind = \"partition\"\nshape = \"leader\"\nat = \"500ms\"\nfor = \"2s\"\n\
        [[fault]]\nkind = \"kill\"\ntarget = \"leader\"\nat = \"4s\"\nfor = \"1s\"\n";
    write_spec(folder.path(), "7s", faults);
    let program = format!("cluster.program={}", etcd.display());
    let etcd = ["--set", "cluster.system=etcd", "--set", &program, "--set", "cluster.tcp-rto-max=1s"];
    let run = [&["run", "short.toml", "--seed", "7", "--out", "out"][..], &etcd].concat();
    let run = output(folder.path(), &run);
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(0), "{said}");
    let table = std::fs::read_to_string(folder.path().join("out/main/faults.csv")).unwrap();
    assert_eq!(table.matches(",true,").count(), 2, "{table}");
}

#[test]
fn etcd_survives_every_fault_that_it_should() {
    let test = "etcd_survives_every_fault_that_it_should";
    if !lab_with_disks_possible(test) {
        return;
    }
    let Some(etcd) = etcd(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = format!("cluster.program={}", etcd.display());
    let run = ["run", "etcd-faults", "--seed", "5", "--out", "out", "--set", &program];
    let run = output(folder.path(), &run);
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(said.contains("folders ordered, write-back 30s, tear sector"), "{said}");
}

#[test]
fn nats_keeps_acknowledged_messages_only_with_always() {
    let test = "nats_keeps_acknowledged_messages_only_with_always";
    if !lab_with_disks_possible(test) {
        return;
    }
    if ["nats-server", "python3"].into_iter().any(|name| program(test, name).is_none()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    // The spec names its front by a path from the top of the repository.
    let run = output(Path::new(env!("CARGO_MANIFEST_DIR")), &["run", "workloads/nats.toml", "--out", &out]);
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(1), "{said}");
    let verdict = std::fs::read(folder.path().join("out/verdict.json")).unwrap();
    let verdict: serde_json::Value = serde_json::from_slice(&verdict).unwrap();
    let answers: Vec<_> = verdict["variants"].as_array().unwrap().iter().map(|it| &it["answer"]).collect();
    assert_eq!(answers, ["invalid", "valid"], "{said}");
}

#[test]
fn redis_keeps_acknowledged_writes_only_with_always() {
    let test = "redis_keeps_acknowledged_writes_only_with_always";
    if !lab_with_disks_possible(test) {
        return;
    }
    if program(test, "redis-server").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = ["run", "redis-loss", "--seed", "5", "--out", "out", "--set", "load.duration=6s"];
    let run = output(folder.path(), &run);
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(1), "{said}");
    let verdict = std::fs::read(folder.path().join("out/verdict.json")).unwrap();
    let verdict: serde_json::Value = serde_json::from_slice(&verdict).unwrap();
    let answers: Vec<_> = verdict["variants"].as_array().unwrap().iter().map(|it| &it["answer"]).collect();
    assert_eq!(answers, ["invalid", "valid"], "{said}");
}

#[test]
fn program_that_exits_at_start_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let command = |args: &str| {
        let set = ["cluster.system=command", "cluster.program=/bin/sh", args].map(|set| ["--set", set]);
        let run = [&["run", "short.toml", "--out", "out"][..], set.as_flattened()].concat();
        output(folder.path(), &run)
    };
    let run = command("cluster.args=[\"-c\", \"echo {name} of {members} at {prot}\"]");
    assert_eq!(run.status.code(), Some(2));
    assert!(stderr(&run).contains("there is no {prot}"), "{}", stderr(&run));
    let run = command("cluster.args=[\"-c\", \"echo I am {name} number {number}; exit 7\"]");
    assert_eq!(run.status.code(), Some(4), "{}", stderr(&run));
    assert!(stderr(&run).contains("exit code 7"), "{}", stderr(&run));
    let printed = |node: &str| {
        std::fs::read_to_string(Path::new(folder.path()).join("out/main/nodes").join(node).join("output.log"))
    };
    // The others may be killed before they print.
    let first = |number| printed(&format!("n{number}")).unwrap_or_default();
    assert!((1..=3).any(|number| first(number).trim() == format!("I am n{number} number {number}")));
}
