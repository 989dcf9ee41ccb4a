//! `bench sim` and what works on simulated runs: hunt, shrink, cause.

use crate::support::{output, stderr, stdout};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

/// A load under which a replica that answers from its own state is found soon.
const SPEC: &str = "name = \"prey\"\n[cluster]\nnodes = 3\nnetwork = \"proxy\"\n\
    [load]\nclients = 12\nrate = 300\nwarmup = \"200ms\"\nduration = \"2s\"\nrecovery = \"500ms\"\ntimeout = \"400ms\"\n\
    keys = 2\nmix = { read = 12, write = 3 }\nminimum-rate = 1\n\
    [[fault]]\nkind = \"partition\"\nshape = \"one\"\nat = \"500ms\"\nfor = \"900ms\"\n";
const FLAW: &str = "cluster.paxos.flaw=replica-reads-own-state";

fn said(done: &Output) -> String {
    format!("{}{}", stdout(done), stderr(done))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn with_spec() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prey.toml"), SPEC).unwrap();
    folder
}

#[test]
fn same_seeds_give_the_same_hash() {
    let folder = with_spec();
    let run = |jobs| {
        let done = output(folder.path(), &["sim", "prey.toml", "--seeds", "6", "--jobs", jobs, "--json"]);
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        serde_json::from_slice::<Value>(&done.stdout).unwrap()
    };
    let (one, two) = (run("1"), run("2"));
    assert_eq!(one["answers"]["invalid"], Value::Null, "{one}");
    assert_eq!(one["hash"], two["hash"]);
    assert!(one["operations"].as_u64().unwrap() > 6 * 500, "{one}");
    assert!(!folder.path().join("results").exists(), "nothing was found, so nothing is written");
}

#[test]
fn simulated_flaw_is_found_repeated_shrunk_and_dated() {
    let folder = with_spec();
    let path = |name: &str| folder.path().join(name);
    let sim = |out: &str| {
        output(folder.path(), &["sim", "prey.toml", "--set", FLAW, "--seeds", "20", "--out", out])
    };
    let (found, again) = (sim("one"), sim("two"));
    assert_eq!(found.status.code(), Some(1), "{}", said(&found));
    assert!(said(&found).contains("--seeds 1 --set"), "{}", said(&found));
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    let history = |out: &str| std::fs::read(path(out).join("main/history.jsonl")).unwrap();
    assert!(history("one") == history("two"), "the same seed gives the same bytes");
    assert!(path("one").join("report.html").is_file());
    assert_eq!(json(&path("one").join("verdict.json"))["answer"], "invalid");

    let caused = output(folder.path(), &["cause", "one", "--moments", "4", "--runs", "3"]);
    assert_eq!(caused.status.code(), Some(1), "{}", said(&caused));
    let csv = std::fs::read_to_string(path("one/cause.csv")).unwrap();
    let last = csv.lines().last().unwrap();
    assert_eq!(
        (csv.lines().count(), last.split(',').nth(2)),
        (6, Some("3")),
        "drawn anew at the end nothing differs: {csv}"
    );
    assert!(path("one/cause.png").is_file());
    let page = std::fs::read_to_string(path("one/report.html")).unwrap();
    assert!(page.contains("(cause.png)"), "the page shows the curve");

    let shrunk = output(folder.path(), &["shrink", "one", "--for", "20s", "--out", "smaller"]);
    assert_eq!(shrunk.status.code(), Some(1), "{}", said(&shrunk));
    let size = |folder: &str| {
        std::fs::read_to_string(path(folder).join("main/history.jsonl")).unwrap().lines().count()
    };
    assert!(size("smaller/run") < size("one"), "{}", said(&shrunk));
}

#[test]
fn simulated_hunt_finds_a_flaw_and_goes_on() {
    let folder = with_spec();
    let arguments =
        ["hunt", "prey.toml", "--sim", "--set", FLAW, "--runs", "30", "--seed", "2", "--shrink-for", "0s"];
    let hunted = output(folder.path(), &[&arguments[..], &["--out", "hunt"]].concat());
    assert_eq!(hunted.status.code(), Some(1), "{}", said(&hunted));
    let findings = json(&folder.path().join("hunt/findings.json"));
    assert_eq!(findings[0]["again"], serde_json::json!({"seen": 1, "of": 1}), "{findings:#}");
    let resumed = output(folder.path(), &["hunt", "--resume", "hunt", "--runs", "31"]);
    assert_eq!(resumed.status.code(), Some(1), "{}", said(&resumed));
    let runs = std::fs::read_to_string(folder.path().join("hunt/runs.jsonl")).unwrap();
    assert_eq!(runs.lines().count(), 31);
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    let folder = with_spec();
    let budget = format!("{SPEC}[budget]\nat-most = \"minority\"\n");
    std::fs::write(folder.path().join("budget.toml"), budget).unwrap();
    for (arguments, expected) in [
        (&["sim"][..], "SPEC"),
        (&["sim", "budget.toml"], "cannot be simulated"),
        (
            &[
                "sim",
                "prey.toml",
                "--set",
                "fault.2={kind=\"bit-flip\",target=\"n1\",at=\"1s\",for=\"100ms\"}",
            ],
            "`bit-flip` cannot be simulated",
        ),
        (&["cause", "nowhere"], "plan.json"),
        (&["audit", "--only", "no-such-flaw"], "there is no flaw"),
        (&["audit", "--real", "--for", "0s"], "there is no time for a run"),
    ] {
        let refused = output(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {}", said(&refused));
        assert!(stderr(&refused).contains(expected), "{arguments:?}: {}", said(&refused));
    }
}

#[test]
fn audit_counts_detections_and_false_alarms() {
    let folder = tempfile::tempdir().unwrap();
    let only = "sound,replica-reads-own-state,replica-applies-twice";
    let audited = output(folder.path(), &["audit", "--runs", "30", "--only", only, "--out", "audit"]);
    assert_eq!(audited.status.code(), Some(0), "{}", said(&audited));
    let csv = std::fs::read_to_string(folder.path().join("audit/audit.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!((rows.len(), rows[0][0], rows[0][3]), (3, "sound", "0"), "{csv}");
    assert!(rows[1..].iter().all(|row| row[2] == "30" && row[3] != "0"), "{csv}");
    assert!(folder.path().join("audit/audit.png").is_file());
}

#[test]
fn audit_compares_searches_by_their_runs() {
    let folder = tempfile::tempdir().unwrap();
    let compared = output(
        folder.path(),
        &["audit", "--hunts", "4", "--runs", "30", "--only", "replica-applies-twice", "--out", "audit"],
    );
    assert_eq!(compared.status.code(), Some(0), "{}", said(&compared));
    assert!(said(&compared).contains("geometric mean"), "{}", said(&compared));
    let csv = std::fs::read_to_string(folder.path().join("audit/hunts.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!((rows.len(), rows[0][1], rows[1][1]), (2, "random", "guided"), "{csv}");
    assert!(rows.iter().all(|row| row[3] == "4"), "{csv}");
    assert!(folder.path().join("audit/hunts.md").is_file());
}

#[test]
fn audit_of_real_nodes_ends_at_a_detection() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        "audit --real --search moments --hunts 1 --runs 20 --only replica-answers-on-propose --out audit";
    let audited = output(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    assert_eq!(audited.status.code(), Some(0), "{}", said(&audited));
    let csv = std::fs::read_to_string(folder.path().join("audit/hunts.csv")).unwrap();
    let row: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(row[1..4], ["moments", "1", "1"], "one hunt, which found it: {csv}");
    assert!(row[4].parse::<u32>().unwrap() < 20, "it ended there: {csv}");
    assert!(!folder.path().join("audit/run").exists(), "the folder of each run is removed");
}
