//! Real runs of a short spec: the files they leave, also when they are killed or interrupted.

use crate::support::{
    bench, load_events, output, processes_in, stderr, stdout, wait_for_exit, wait_until, write_spec,
};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Stdio};

const KILL: &str = "[[fault]]\nkind = \"kill\"\ntarget = \"n2\"\nat = \"400ms\"\nfor = \"600ms\"\n";

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// A run long enough to be ended from outside, in the middle of its load.
fn run_in_the_middle(folder: &Path) -> Child {
    write_spec(folder, "60s", "");
    let out = folder.join("out");
    let child = bench(folder)
        .args(["run", "short.toml", "--seed", "3", "--out"])
        .arg(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the load begins", || load_events(&out.join("main/history.jsonl")) > 20);
    assert_eq!(processes_in(&out).len(), 3, "three nodes live in the middle of the run");
    child
}

#[test]
fn run_with_kill_leaves_files_and_no_process() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "2s", KILL);
    let run = output(folder.path(), &["run", "short.toml", "--seed", "7"]);
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(said.contains("seed 7"), "the seed is printed: {said}");
    assert!(said.contains("report.html"), "the paths of the results are printed: {said}");

    let latest = folder.path().join("results/latest");
    let files = [
        "spec.toml",
        "plan.json",
        "verdict.json",
        "summary.csv",
        "latency.png",
        "throughput.png",
        "latency-cdf.png",
        "report.html",
        "main/history.jsonl",
        "main/load.json",
        "main/operations.csv",
        "main/faults.csv",
        "main/outages.csv",
        "main/samples.csv",
        "main/nodes/n1/output.log",
        "main/nodes/n1/decisions.jsonl",
    ];
    for file in files {
        let size = std::fs::metadata(latest.join(file)).map(|file| file.len());
        assert!(
            size.is_ok_and(|size| file.ends_with("output.log") || size > 0),
            "{file} is not there or empty"
        );
    }
    let faults = std::fs::read_to_string(latest.join("main/faults.csv")).unwrap();
    assert!(faults.contains("signal 9"), "the evidence of the kill is written down: {faults}");
    assert_eq!(processes_in(folder.path()), [0; 0], "no node may outlive the run");

    for again in [
        &["check", "results/latest"],
        &["check", "results/latest/main/history.jsonl"],
        &["report", "results/latest"],
    ] {
        let check = output(folder.path(), again);
        assert_eq!(check.status.code(), Some(0), "{again:?}: {}{}", stdout(&check), stderr(&check));
    }
}

#[test]
fn json_is_one_object_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let run = output(folder.path(), &["run", "short.toml", "--json", "--out", "out"]);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let summary: serde_json::Value =
        serde_json::from_slice(&run.stdout).expect("standard output is one JSON value");
    assert_eq!(summary["answer"], "valid");
    assert_eq!(summary["exit"], 0);
}

#[test]
fn killed_bench_leaves_only_a_readable_history() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = run_in_the_middle(folder.path());
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    wait_until("the nodes end with the bench", || processes_in(folder.path()).is_empty());
    let check = output(folder.path(), &["check", "out/main/history.jsonl"]);
    let said = format!("{}{}", stdout(&check), stderr(&check));
    assert!(matches!(check.status.code(), Some(0 | 3)), "{:?}: {said}", check.status);
    let check = output(folder.path(), &["check", "out"]);
    let said = format!("{}{}", stdout(&check), stderr(&check));
    assert_eq!(check.status.code(), Some(3), "an unfinished run is unknown: {said}");
}

#[test]
fn interrupted_run_ends_with_130_and_results() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = run_in_the_middle(folder.path());
    signal(&child, Signal::INT);
    assert_eq!(wait_for_exit(&mut child), Some(130));
    for file in ["verdict.json", "summary.csv", "report.html", "main/operations.csv"] {
        assert!(folder.path().join("out").join(file).exists(), "{file} is not there");
    }
    assert_eq!(processes_in(folder.path()), [0; 0], "no node may outlive the run");
}

#[test]
fn port_in_use_ends_run_with_4() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    write_spec(folder.path(), "1s", "");
    let set = format!("cluster.base-port={port}");
    let proxy = ["--set", "cluster.network=proxy"];
    let run = ["run", "short.toml", "--out", "out", "--set", &set, proxy[0], proxy[1]];
    let run = output(folder.path(), &run);
    let said = stderr(&run);
    assert_eq!(run.status.code(), Some(4), "{said}");
    assert!(said.contains(&port.to_string()), "{said}");
    assert_eq!(processes_in(folder.path()), [0; 0], "no node may outlive the run");
}

#[test]
fn a_run_stops_where_its_history_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/flaws/replica-reads-own-state.toml");
    let spec = spec.to_str().unwrap();
    let flaw = "cluster.paxos.flaw=replica-reads-own-state";
    let run = output(folder.path(), &["run", spec, "--seed", "11", "--out", "out", "--set", flaw]);
    let said = stdout(&run);
    assert_eq!(run.status.code(), Some(1), "{said}{}", stderr(&run));
    assert!(said.contains("the variant stops here"), "{said}");
    let load = std::fs::read(folder.path().join("out/main/load.json")).unwrap();
    let load: serde_json::Value = serde_json::from_slice(&load).unwrap();
    assert!(load["stopped"].is_string() && load["complete"] == false, "{load}");
    let phases = load["phases"].as_array().unwrap();
    assert!(phases.iter().all(|phase| phase["phase"] != "recovery"), "{load}");
}
