//! What a promise allows, and what it forbids.

use super::fixture::{Made, write_run};
use super::{no_deadline, *};
use std::fs;

/// Two transactions, each of which read what the other changed: write skew (G2-item).
const SKEW: &str = r#"{"history":1,"spec":"backoff","variant":"main","model":"list-append","seed":1,"started":"2026-11-23T10:00:00Z"}
{"time":1,"process":0,"type":"invoke","f":"txn","value":[["r","x",null],["append","y",1]]}
{"time":2,"process":1,"type":"invoke","f":"txn","value":[["r","y",null],["append","x",1]]}
{"time":3,"process":0,"type":"ok","f":"txn","value":[["r","x",[]],["append","y",1]]}
{"time":4,"process":1,"type":"ok","f":"txn","value":[["r","y",[]],["append","x",1]]}
"#;

/// The verdict on write skew of a system that promised this, and what its check says.
fn judged(promise: Option<&str>) -> (RunVerdict, String) {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "backoff", &[Made::sound("main")]);
    let path = dir.path().join("plan.json");
    let mut plan: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    plan["variants"][0]["model"] = "list-append".into();
    if let Some(promise) = promise {
        plan["variants"][0]["check"]["promise"] = promise.into();
    }
    fs::write(&path, plan.to_string()).unwrap();
    fs::write(dir.path().join("main/history.jsonl"), SKEW).unwrap();
    let verdict = judge(dir.path(), &no_deadline).unwrap();
    let check = verdict.variants[0].checks.iter().find(|check| check.name == "transactions").unwrap();
    let said = format!("{}: {}", check.answer.word(), check.reason);
    (verdict, said)
}

#[test]
fn allowed_anomaly_is_named_and_not_invalid() {
    let (verdict, said) = judged(Some("snapshot-isolation"));
    let expected = "valid: 2 transactions on 2 keys show no anomaly that snapshot-isolation forbids; allowed by the \
                    promise: G2-item (1)";
    assert_eq!(said, expected);
    assert_ne!(verdict.answer, Answer::Invalid);
    assert_eq!(verdict.variants[0].violation(), None, "the page tells no violation");
    let expected = " The promise was snapshot-isolation; allowed by the promise: G2-item (1).";
    assert!(verdict.sentence.ends_with(expected), "{}", verdict.sentence);
}

#[test]
fn forbidden_anomaly_is_invalid() {
    for promise in ["serializable", "repeatable-read"] {
        let (verdict, said) = judged(Some(promise));
        assert!(
            said.starts_with(&format!("invalid: the transactions are not {promise}: G2-item (1)")),
            "{said}"
        );
        assert!(verdict.sentence.contains(promise), "{}", verdict.sentence);
        let violation = verdict.variants[0].violation().unwrap();
        let kinds: Vec<&str> = violation.edges.iter().map(|(kind, _)| *kind).collect();
        assert_eq!((kinds, violation.operations.len()), (vec!["rw", "rw"], 2));
    }
}

#[test]
fn usual_promise_is_not_named() {
    let (verdict, said) = judged(None);
    assert!(said.starts_with("invalid: the transactions are not strict-serializable"), "{said}");
    assert!(!verdict.sentence.contains("promise was"), "{}", verdict.sentence);
}
