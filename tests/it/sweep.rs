//! Sweeps: the files they leave, interrupted sweeps, and invalid arguments.

use crate::support::{bench, output, processes_in, stderr, stdout, wait_for_exit, wait_until, write_spec};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::Stdio;

/// A load that is counted and timed only, of two variants.
fn write_unrecorded(folder: &Path, duration: &str) {
    let text = format!(
        "name = \"fast\"\nabout = \"Puts and gets for a test.\"\n[cluster]\nnodes = 3\nnetwork = \"host\"\n\
         [load]\nworkload = \"kv\"\nrecord = false\nkeys = 5\nwarmup = \"0s\"\nduration = \"{duration}\"\n\
         [sweep]\nover = \"load.clients\"\nvalues = [1, 4]\ncompare = {{ get = \"put\" }}\n\
         [[variant]]\nname = \"put\"\nset = {{ \"load.mix.put\" = 1 }}\n\
         [[variant]]\nname = \"get\"\nset = {{ \"load.mix.get\" = 1 }}\n"
    );
    std::fs::write(folder.join("fast.toml"), text).unwrap();
}

/// The rows of a CSV file without its header.
fn rows(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn unrecorded_load_is_measured_for_every_combination() {
    let folder = tempfile::tempdir().unwrap();
    write_unrecorded(folder.path(), "200ms");
    let run = output(folder.path(), &["sweep", "fast.toml", "--rounds", "2", "--out", "out"]);
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(said.contains("get beside put: ") && said.contains("sweep.png"), "{said}");
    let out = folder.path().join("out");
    let measured = rows(&out.join("measurements.csv"));
    let order: Vec<_> =
        measured.iter().map(|row| row.splitn(4, ',').take(3).collect::<Vec<_>>().join(" ")).collect();
    let expected = ["1 1 put", "1 1 get", "1 4 put", "1 4 get", "2 1 put", "2 1 get", "2 4 put", "2 4 get"];
    assert_eq!(order, expected, "rounds alternate");
    assert_eq!(rows(&out.join("sweep.csv")).len(), 4);
    assert!(std::fs::metadata(out.join("report.html")).unwrap().len() > 10_000);
    assert!(!out.join("running").exists(), "what the nodes stored is gone");
    assert_eq!(processes_in(folder.path()), [0; 0], "no node may outlive the sweep");

    let again = output(folder.path(), &["report", "out", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&report["exit"], &report["measured"]), (&0.into(), &serde_json::json!([8, 8])));
}

#[test]
fn a_recorded_load_is_judged_at_each_value() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    // With some seeds no cas succeeds in so short a load, and the verdict is unknown.
    let over = ["sweep", "short.toml", "--over", "load.keys=2,5", "--seed", "1", "--out", "out"];
    let run = output(folder.path(), &over);
    assert_eq!(run.status.code(), Some(0), "{}{}", stdout(&run), stderr(&run));
    for run in ["runs/1-1", "runs/2-1"] {
        assert!(folder.path().join("out").join(run).join("report.html").exists(), "{run} is an ordinary run");
    }
    let measured = rows(&folder.path().join("out/measurements.csv"));
    assert!(measured.len() == 2 && measured.iter().all(|row| row.contains(",valid,")), "{measured:?}");
}

#[test]
fn interrupted_sweep_ends_with_130_and_report() {
    let folder = tempfile::tempdir().unwrap();
    write_unrecorded(folder.path(), "300ms");
    let mut child = bench(folder.path())
        .args(["sweep", "fast.toml", "--rounds", "1000", "--out", "out"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let csv = folder.path().join("out/measurements.csv");
    wait_until("two measurements are made", || {
        std::fs::read_to_string(&csv).is_ok_and(|text| text.lines().count() > 2)
    });
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(wait_for_exit(&mut child), Some(130));
    assert!(rows(&folder.path().join("out/sweep.csv")).len() >= 2);
    let page = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("Interrupted"));
    assert_eq!(processes_in(folder.path()), [0; 0], "no node may outlive the sweep");
}

#[test]
fn invalid_sweep_is_refused_with_location_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    write_unrecorded(folder.path(), "1s");
    for (arguments, location, remedy) in [
        (&["sweep", "short.toml"][..], "--over", "--over load.clients=1,64,256"),
        (&["sweep", "short.toml", "--over", "load.clients"], "--over load.clients", "write the key"),
        (&["sweep", "short.toml", "--over", "load.client=1,2"], "sweep over load.client=1", "\"clients\""),
        (
            &["sweep", "short.toml", "--over", "load.clients=4,none"],
            "sweep over load.clients=none",
            "a whole number",
        ),
        (&["sweep", "fast.toml", "--only", "putt"], "--only putt", "put, get"),
        (&["sweep", "fast.toml", "--over", "load.rate=5"], "sweep over load.rate=5", "remove it"),
        (&["sweep", "workloads/speed.toml"], "there is no `etcd` in PATH", "--only"),
        (&["sweep", "fast.toml", "--rounds", "0"], "--rounds", "1..=1000"),
        (&["run", "fast.toml"], "fast.toml:8:10", "bench sweep"),
    ] {
        // No etcd is found there.
        let refused = bench(folder.path()).env("PATH", "/nowhere").args(arguments).output().unwrap();
        let text = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(location) && text.contains(remedy), "{arguments:?}: {text}");
        assert!(!folder.path().join("results").exists(), "{arguments:?} wrote something");
    }
}
