//! What a system promises, from the spec to the verdict.

use crate::support::{output, stderr, stdout};
use serde_json::Value;
use std::fs;

const SPEC: &str = "name = \"promised\"\n[cluster]\nnetwork = \"host\"\n\
    [load]\nworkload = \"list-append\"\nclients = 4\nrate = 100\nwarmup = \"100ms\"\nduration = \"1s\"\n\
    recovery = \"100ms\"\nroute = \"pinned\"\n[check]\npromise = \"snapshot-isolation\"\n";

/// Write skew on keys of its own, at the end of a history.
fn skew(after: u64) -> String {
    let line = |(offset, process, kind, value): (u64, u64, &str, &str)| {
        let time = after + offset;
        format!(
            "{{\"time\":{time},\"process\":{process},\"type\":\"{kind}\",\"f\":\"txn\",\"value\":{value}}}\n"
        )
    };
    [
        (1, 900_001, "invoke", r#"[["r","x",null],["append","y",1]]"#),
        (2, 900_002, "invoke", r#"[["r","y",null],["append","x",1]]"#),
        (3, 900_001, "ok", r#"[["r","x",[]],["append","y",1]]"#),
        (4, 900_002, "ok", r#"[["r","y",[]],["append","x",1]]"#),
        (5, 900_003, "invoke", r#"[["r","x",null],["r","y",null]]"#),
        (6, 900_003, "ok", r#"[["r","x",[1]],["r","y",[1]]]"#),
    ]
    .map(line)
    .concat()
}

#[test]
fn promise_is_kept_with_the_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("promised.toml"), SPEC).unwrap();
    let run = output(folder.path(), &["run", "promised.toml", "--seed", "7", "--out", "out"]);
    let (said, plan) = (stdout(&run) + &stderr(&run), folder.path().join("out/plan.json"));
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(said.contains("The promise was snapshot-isolation."), "{said}");
    assert!(said.contains("route of the clients: pinned"), "{said}");

    let history = folder.path().join("out/main/history.jsonl");
    let text = fs::read_to_string(&history).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    fs::write(&history, text + &skew(last["time"].as_u64().unwrap())).unwrap();
    let check = |code| {
        let checked = output(folder.path(), &["check", "out"]);
        assert_eq!(checked.status.code(), Some(code), "{}{}", stdout(&checked), stderr(&checked));
        stdout(&checked)
    };
    let said = check(0);
    assert!(said.contains("allowed by the promise: G2-item (1)"), "{said}");

    let mut decided: Value = serde_json::from_slice(&fs::read(&plan).unwrap()).unwrap();
    assert_eq!(decided["variants"][0]["route"], "pinned");
    decided["variants"][0]["check"].as_object_mut().unwrap().remove("promise").unwrap();
    fs::write(&plan, decided.to_string()).unwrap();
    let said = check(1);
    assert!(said.contains("the transactions are not strict-serializable"), "{said}");
}

/// Operations on a key of their own at the end of a history: who does what, and what is read or written.
fn on_key(after: u64, steps: &[(u64, &str, Option<u64>)]) -> String {
    let line = |(number, (process, f, value)): (u64, &(u64, &str, Option<u64>))| {
        let event = |time: u64, kind: &str, value: Option<u64>| {
            let value = value.map_or("null".to_owned(), |value| value.to_string());
            format!(
                "{{\"time\":{time},\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":\"x\",\"value\":{value}}}\n"
            )
        };
        let begun = if *f == "read" { None } else { *value };
        event(after + 2 * number, "invoke", begun) + &event(after + 2 * number + 1, "ok", *value)
    };
    (1..).zip(steps).map(line).collect()
}

#[test]
fn old_reads_are_sequential_and_reads_that_go_back_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let spec = SPEC.replace("list-append", "register").replace("snapshot-isolation", "sequential");
    fs::write(folder.path().join("promised.toml"), spec).unwrap();
    let run = output(folder.path(), &["run", "promised.toml", "--seed", "7", "--out", "out"]);
    let said = stdout(&run) + &stderr(&run);
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(said.contains("The promise was sequential."), "{said}");

    let history = folder.path().join("out/main/history.jsonl");
    let sound = fs::read_to_string(&history).unwrap();
    let last: Value = serde_json::from_str(sound.lines().last().unwrap()).unwrap();
    let after = last["time"].as_u64().unwrap();
    let check = |steps: &[(u64, &str, Option<u64>)], code, file: &[&str]| {
        fs::write(&history, sound.clone() + &on_key(after, steps)).unwrap();
        let checked = output(folder.path(), &[&["check"], file].concat());
        assert_eq!(checked.status.code(), Some(code), "{}{}", stdout(&checked), stderr(&checked));
        stdout(&checked)
    };
    let old = [
        (900_001, "write", Some(900_001)),
        (900_001, "write", Some(900_002)),
        (900_002, "read", Some(900_001)),
    ];
    check(&old, 0, &["out"]);
    check(&old, 1, &["out/main/history.jsonl", "--model", "register"]);
    let back = [&old[..], &[(900_002, "read", None)]].concat();
    let said = check(&back, 1, &["out"]);
    assert!(said.contains("contradict each other"), "{said}");
}
