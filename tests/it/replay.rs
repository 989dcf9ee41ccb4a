//! `bench replay`: a violated run is repeated along its recorded schedule.

use crate::support::{output, skip, stderr, stdout};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A load under which a replica that answers from its own state is found soon.
const SPEC: &str = "name = \"prey\"\n[cluster]\nnodes = 3\nnetwork = \"proxy\"\npaxos.flaw = \"replica-reads-own-state\"\n\
    [load]\nclients = 12\nrate = 300\nwarmup = \"20ms\"\nduration = \"2s\"\nrecovery = \"500ms\"\ntimeout = \"400ms\"\n\
    keys = 2\nmix = { read = 12, write = 3 }\nminimum-rate = 1\n\
    [[fault]]\nkind = \"partition\"\nshape = \"one\"\nat = \"500ms\"\nfor = \"900ms\"\n";

fn said(done: &Output) -> String {
    format!("{}{}", stdout(done), stderr(done))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Runs the spec in this network until it is violated.
fn violated(folder: &Path, network: &str) -> PathBuf {
    std::fs::write(folder.join("prey.toml"), SPEC).unwrap();
    let network = format!("cluster.network=\"{network}\"");
    for turn in 0..6 {
        let out = format!("run-{turn}");
        let run = output(folder, &["run", "prey.toml", "--seed", "1", "--set", &network, "--out", &out]);
        if run.status.code() == Some(1) {
            return folder.join(out);
        }
    }
    panic!("the flaw was not seen in six runs");
}

/// Replays a run twice, with one plain rerun, and returns `replay.json` and what was said.
fn replayed(folder: &Path, run: &Path, more: &[&str]) -> (Value, String) {
    let run = run.to_str().unwrap();
    let args = [&["replay", run, "--times", "2", "--plain", "1", "--out", "replayed"], more].concat();
    let done = output(folder, &args);
    let summary = json(&folder.join("replayed/replay.json"));
    let again = summary["replays"]["again"].as_u64().unwrap();
    assert_eq!(done.status.code(), Some(if again > 0 { 1 } else { 3 }), "{}", said(&done));
    let line = format!("violated again in {again} of 2 replays (plain rerun: ");
    assert!(said(&done).contains(&line), "{}", said(&done));
    assert_eq!((&summary["replays"]["of"], &summary["plain"]["of"]), (&2.into(), &1.into()), "{summary:#}");
    (summary, said(&done))
}

/// How much of the schedule came in its order in all replays together.
fn in_order(summary: &Value) -> u64 {
    let runs = summary["runs"].as_array().unwrap().iter();
    runs.filter_map(|run| run["followed"]["order"]["in-order"].as_u64()).sum()
}

#[test]
fn run_without_lab_follows_faults_and_operations() {
    let folder = tempfile::tempdir().unwrap();
    let run = violated(folder.path(), "proxy");
    let (summary, words) = replayed(folder.path(), &run, &["--tune", "2"]);
    assert_eq!(summary["choice"]["of"], 2, "{summary:#}");
    let held = summary["hold"].as_str().unwrap();
    let order = if summary["ordered"] == true { "" } else { " without the order of operations" };
    assert!(words.contains(&format!("holds {held}{order}, chosen from 2 replays")), "{words}");
    assert!(words.contains("messages are not counted, because the run was not in a lab"), "{words}");
    let first = &summary["runs"][0]["followed"];
    // A violation may come, and end the replay, before the first point and after a few operations.
    assert!(first["points"].is_u64() && first["missed"].is_array(), "{summary:#}");
    assert!(in_order(&summary) > 0, "{summary:#}");
    assert_eq!(summary["runs"][1]["followed"], Value::Null, "a plain rerun follows no schedule");
    let refused = output(folder.path(), &["replay", run.to_str().unwrap(), "--hold", "sent=1"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("`sent=1` needs a run in a lab"), "{}", said(&refused));
}

#[test]
fn run_in_a_lab_records_and_follows_messages() {
    let doctor = stdout(&output(Path::new("/"), &["doctor"]));
    if let Some(reason) = doctor.lines().find(|line| line.contains("no   lab")) {
        return skip("run_in_a_lab_records_and_follows_messages", reason);
    }
    let folder = tempfile::tempdir().unwrap();
    let run = violated(folder.path(), "lab");
    let path = run.join("main/schedule.jsonl");
    let schedule = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = schedule.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["nodes"], serde_json::json!(["n1", "n2", "n3"]));
    let has = |key: &str| lines[1..].iter().filter(|line| line[key] != Value::Null).count();
    assert!(has("hash") > 20 && has("turn") > 20 && has("moment") >= 1, "{schedule}");
    assert!(lines[1..].is_sorted_by_key(|line| line["at"].as_u64()), "{schedule}");
    let follow = ["--follow", "operations,messages", "--hold", "messages=1"];
    let (summary, words) = replayed(folder.path(), &run, &follow);
    assert_eq!((&summary["hold"], &summary["choice"]), (&"messages=1".into(), &Value::Null), "{summary:#}");
    assert!(words.contains(&format!("{} messages", has("hash"))), "{words}");
    assert!(in_order(&summary) > 0, "{summary:#}");
    // Another program is a doubt, and a damaged line an error.
    std::fs::write(&path, schedule.replacen("\"program\":\"", "\"program\":\"/old", 1)).unwrap();
    let run = run.to_str().unwrap();
    let other = output(
        folder.path(),
        &["replay", run, "--times", "1", "--no-plain", "--hold", "point", "--out", "other"],
    );
    assert!(said(&other).contains("it was recorded with another program: /old"), "{}", said(&other));
    std::fs::write(&path, schedule.replacen("\"hash\":\"", "\"hash\":\"?", 1)).unwrap();
    let number = lines.iter().position(|line| line["hash"] != Value::Null).unwrap() + 1;
    let damaged = output(folder.path(), &["replay", run]);
    assert_eq!(damaged.status.code(), Some(2), "{}", said(&damaged));
    assert!(said(&damaged).contains(&format!("schedule.jsonl:{number}: ")), "{}", said(&damaged));
    std::fs::remove_file(&path).unwrap();
    let missing = output(folder.path(), &["replay", run]);
    assert_eq!(missing.status.code(), Some(2), "{}", said(&missing));
    assert!(said(&missing).contains("run it again with this bench"), "{}", said(&missing));
}

#[test]
fn simulated_run_is_replayed_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prey.toml"), SPEC).unwrap();
    let found = output(folder.path(), &["sim", "prey.toml", "--seeds", "20", "--out", "found"]);
    assert_eq!(found.status.code(), Some(1), "{}", said(&found));
    let again = output(folder.path(), &["replay", "found", "--out", "again"]);
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    assert!(said(&again).contains("the same history byte for byte"), "{}", said(&again));
    let summary = json(&folder.path().join("again/replay.json"));
    assert_eq!((&summary["exact"], &summary["replays"]["of"]), (&true.into(), &1.into()), "{summary:#}");
}

#[test]
fn folder_without_a_violation_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = output(folder.path(), &["replay", "nowhere"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("name the folder that a run wrote"), "{}", said(&refused));
    assert!(!folder.path().join("results").exists(), "nothing was started");
}
