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
