//! `bench hunt` and `bench shrink`: a flaw is found by schedules drawn at random, repeated and made smaller.

use crate::support::{output, program, stderr, stdout};
use saphyr_parser::{Event, Parser};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A load under which a replica that answers from its own state is found soon, without a lab.
const SPEC: &str = "name = \"prey\"\n[cluster]\nsystem = \"paxos\"\nnodes = 3\nnetwork = \"proxy\"\n\
    [load]\nclients = 20\nrate = 400\nwarmup = \"300ms\"\nduration = \"3s\"\nrecovery = \"1s\"\ntimeout = \"500ms\"\nkeys = 2\n\
    mix = { read = 12, write = 3 }\nminimum-rate = 1\n";
const FLAW: &str = "cluster.paxos.flaw=replica-reads-own-state";

fn said(done: &Output) -> String {
    format!("{}{}", stdout(done), stderr(done))
}

/// The lines of `runs.jsonl`, without times.
fn runs(folder: &Path) -> Vec<(Value, Value, Value)> {
    let text = std::fs::read_to_string(folder.join("runs.jsonl")).unwrap();
    let value = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    text.lines()
        .map(value)
        .map(|run| (run["run"].clone(), run["seed"].clone(), run["faults"].clone()))
        .collect()
}

#[test]
fn flaw_is_found_repeated_and_shrunk() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prey.toml"), SPEC).unwrap();
    let found = output(
        folder.path(),
        &[
            "hunt",
            "prey.toml",
            "--set",
            FLAW,
            "--faults",
            "partition",
            "--runs",
            "2",
            "--seed",
            "1",
            "--repeats",
            "2",
            "--shrink-for",
            "8s",
            "--out",
            "hunt",
        ],
    );
    assert_eq!(found.status.code(), Some(1), "{}", said(&found));
    let hunt = folder.path().join("hunt");
    let findings: Value =
        serde_json::from_slice(&std::fs::read(hunt.join("findings.json")).unwrap()).unwrap();
    let first = &findings[0];
    assert!(first["class"].as_str().unwrap().starts_with("linearizable: "), "{findings:#}");
    assert_eq!(first["again"]["of"], 2, "{findings:#}");
    assert_eq!(runs(&hunt).len(), 2, "{}", said(&found));
    // What is written down can be run as it is, and the run can be made smaller by itself.
    let seed = first["seed"].to_string();
    let spec = "hunt/findings/1/spec.toml";
    // A partition does not strike at the same operation again, so that a run may miss it; all these together do not.
    let again = (0..12).map(|turn| {
        let out = format!("again-{turn}");
        (output(folder.path(), &["run", spec, "--seed", &seed, "--out", &out]), out)
    });
    let (_, violated) = again
        .into_iter()
        .find(|(run, _)| run.status.code() == Some(1))
        .expect("a violation that was seen twice is seen again in twelve runs");
    let shrunk =
        output(folder.path(), &["shrink", &violated, "--for", "3s", "--repeats", "3", "--out", "smaller"]);
    assert!(matches!(shrunk.status.code(), Some(1 | 3)), "{}", said(&shrunk));
    assert!(said(&shrunk).contains("the same seed again: violated in "), "{}", said(&shrunk));
}

#[test]
fn resumed_hunt_draws_the_same_schedules() {
    let folder = tempfile::tempdir().unwrap();
    let spec = SPEC.replace("\"3s\"", "\"1s\"");
    std::fs::write(folder.path().join("prey.toml"), spec).unwrap();
    let hunt = |arguments: &[&str]| {
        let done = output(folder.path(), &[&["hunt"], arguments].concat());
        assert!(matches!(done.status.code(), Some(0 | 3)), "{}", said(&done));
    };
    let faults = ["--faults", "kill,pause", "--seed", "5"];
    hunt(&[&["prey.toml", "--runs", "2", "--out", "whole"], &faults[..]].concat());
    hunt(&[&["prey.toml", "--runs", "1", "--out", "parts"], &faults[..]].concat());
    hunt(&["--resume", "parts", "--runs", "2"]);
    hunt(&[&["prey.toml", "--runs", "1", "--shard", "2/2", "--out", "shard-2"], &faults[..]].concat());
    hunt(&[&["prey.toml", "--runs", "1", "--shard", "1/2", "--out", "shard-1"], &faults[..]].concat());
    let path = |name: &str| folder.path().join(name);
    let whole = runs(&path("whole"));
    assert_eq!(whole, runs(&path("parts")));
    assert_eq!(whole, [runs(&path("shard-1")), runs(&path("shard-2"))].concat());
    let merged = output(folder.path(), &["hunt", "--merge", "shard-1", "shard-2", "--json"]);
    let merged: Value = serde_json::from_slice(&merged.stdout).unwrap();
    assert_eq!(merged["runs"], 2);
    let twice = output(folder.path(), &["hunt", "--merge", "shard-1", "shard-1"]);
    assert_eq!(twice.status.code(), Some(2), "{}", said(&twice));
}

#[test]
fn hunts_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prey.toml"), SPEC).unwrap();
    let two = format!(
        "{SPEC}[[variant]]\nname = \"a\"\nset.load.rate = 5\n[[variant]]\nname = \"b\"\nset.load.rate = 6\n"
    );
    std::fs::write(folder.path().join("two.toml"), two).unwrap();
    for (arguments, expected) in [
        (&["hunt"][..], "SPEC"),
        (&["hunt", "no-such-system"], "no such file"),
        (&["hunt", "prey.toml", "--shard", "3/2"], "2/4"),
        (&["hunt", "prey.toml", "--faults", "kil"], "did you mean `kill`"),
        (&["hunt", "prey.toml", "--faults", "power-loss"], "`power-loss` cannot be injected"),
        (&["hunt", "two.toml"], "--only a"),
        (&["hunt", "--resume", "nowhere"], "hunt.json"),
        (&["hunt", "--merge", "nowhere"], "hunt.json"),
        (&["shrink", "nowhere"], "plan.json"),
    ] {
        let refused = output(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {}", said(&refused));
        assert!(stderr(&refused).contains(expected), "{arguments:?}: {}", said(&refused));
    }
    assert!(!folder.path().join("results").exists(), "a refused hunt leaves nothing");
}

/// A shell in a folder that finds this bench in PATH.
fn shell(folder: &Path) -> Command {
    let mut shell = Command::new("sh");
    let bench = Path::new(env!("CARGO_BIN_EXE_bench")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([bench].into_iter().chain(std::env::split_paths(&path))).unwrap();
    shell.current_dir(folder).env("PATH", path);
    shell
}

fn example(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "workloads", "ci", name].iter().collect()
}

/// A folder with a spec that takes little time.
fn short_spec() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prey.toml"), SPEC.replace("\"3s\"", "\"1s\"")).unwrap();
    folder
}

#[test]
fn workflow_hunts_in_shards_and_merges() {
    let text = std::fs::read_to_string(example("hunt-github.yml")).unwrap();
    let scalars = Parser::new_from_str(&text).filter_map(|event| match event.unwrap().0 {
        Event::Scalar(text, ..) => Some(text.into_owned()),
        _ => None,
    });
    let commands: Vec<String> = scalars.filter(|text| text.starts_with("bench hunt ")).collect();
    let [hunt, merge] = commands.as_slice() else { panic!("{commands:?}") };
    let folder = short_spec();
    for shard in 1..=4 {
        let command = hunt.replace("${{ matrix.shard }}", &shard.to_string());
        let done = shell(folder.path())
            .args(["-c", &command])
            .envs([("SPEC", "prey.toml"), ("SEED", "5"), ("LIMIT", "--runs 1 --faults kill")])
            .output()
            .unwrap();
        assert!(matches!(done.status.code(), Some(0 | 3)), "{command}: {}", said(&done));
    }
    let merged = shell(folder.path()).args(["-c", merge]).output().unwrap();
    assert!(matches!(merged.status.code(), Some(0 | 3)), "{}", said(&merged));
    assert!(said(&merged).contains("4 runs"), "{}", said(&merged));
}

#[test]
fn gnu_parallel_hunts_in_shards() {
    if program("gnu_parallel_hunts_in_shards", "parallel").is_none() {
        return;
    }
    let folder = short_spec();
    let done = shell(folder.path())
        .arg(example("hunt-parallel.sh"))
        .args(["prey.toml", "2", "night", "--runs", "1", "--faults", "kill"])
        .output()
        .unwrap();
    assert!(matches!(done.status.code(), Some(0 | 3)), "{}", said(&done));
    assert!(said(&done).contains("2 runs"), "{}", said(&done));
    let runs = |shard: &str| runs(&folder.path().join("night").join(shard));
    assert_ne!(runs("1"), runs("2"), "each shard makes other runs");
}
