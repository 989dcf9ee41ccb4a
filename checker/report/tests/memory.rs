//! Memory by construction: a report holds a fixed number of bytes for each operation, beside its pictures.
//!
//! `cargo test --release -p report --test memory -- --ignored` reports a million operations.

#![allow(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]
#[path = "../../tests/counting/mod.rs"]
mod counting;

use counting::Measurement;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

/// What a report may hold for each operation.
const BYTES_AN_OPERATION: usize = 140;
/// What it may hold beside them: three pictures, drawn at twice their size.
const BESIDE: usize = 110 << 20;

const CLIENTS: usize = 10;
const KEYS: usize = 100;
/// Nanoseconds between two events.
const STEP: usize = 5_000;

/// A run of this many operations by clients that take turns, each with keys of its own, and what two replicas decided.
fn run(folder: &Path, count: usize) {
    let plan = r#"{"bench":"0.1.0","spec":"large","about":"","seed":7,"started":"2026-11-23T10:00:00Z","machine":"m",
"again":"bench run large.toml","variants":[{"name":"main","model":"register","system":"paxos","network":"host",
"nodes":["n1","n2"],"replicas":["n1","n2"],"clients":10,"keys":100,"functions":["read","write"],"timeout":"1s",
"client-seeds":[],"check":{"linearizable":true,"timeout":"1m","agreement":true},"faults":[]}]}"#;
    fs::write(folder.join("plan.json"), plan).unwrap();
    let variant = folder.join("main");
    fs::create_dir_all(&variant).unwrap();
    let mut history = BufWriter::new(File::create(variant.join("history.jsonl")).unwrap());
    let header = r#"{"history":1,"spec":"large","variant":"main","model":"register","seed":7,"started":"2026-11-23T10:00:00Z"}"#;
    writeln!(history, "{header}").unwrap();
    for event in 0..2 * count {
        let (round, client) = (event / (2 * CLIENTS), event % CLIENTS);
        let begins = event % (2 * CLIENTS) < CLIENTS;
        let key = client * (KEYS / CLIENTS) + round / 2 % (KEYS / CLIENTS);
        let written = round / 2 * CLIENTS + client;
        let (f, value) = match (round % 2, begins) {
            (0, _) => ("write", written.to_string()),
            (_, true) => ("read", "null".to_owned()),
            (_, false) => ("read", written.to_string()),
        };
        let (kind, more) = if begins {
            ("invoke", format!(r#","client":{client},"node":"n{}","phase":"load""#, 1 + client % 2))
        } else {
            ("ok", String::new())
        };
        let time = event * STEP;
        let line = format!(
            r#"{{"time":{time},"process":{client},"type":"{kind}","f":"{f}","key":"k{key}","value":{value}{more}}}"#
        );
        writeln!(history, "{line}").unwrap();
    }
    history.flush().unwrap();
    for node in ["n1", "n2"] {
        let folder = variant.join("nodes").join(node);
        fs::create_dir_all(&folder).unwrap();
        let mut decisions = BufWriter::new(File::create(folder.join("decisions.jsonl")).unwrap());
        let mut line = String::new();
        for slot in 1..=count {
            line.clear();
            write!(line, r#"{{"command":{{"client":"c","operation":{{"get":{{"key":"k1"}}}},"sequence":{slot}}},"slot":{slot}}}"#)
                .unwrap();
            writeln!(decisions, "{line}").unwrap();
        }
        decisions.flush().unwrap();
    }
}

fn reported_within_its_memory(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), count);
    let measurement = Measurement::begin();
    let verdict = report::judge(folder.path(), &|_: Duration| Box::new(|| false)).unwrap();
    let peak = measurement.peak();
    println!(
        "{} MB at the peak, {} bytes an operation beside pictures",
        peak >> 20,
        peak.saturating_sub(BESIDE) / count
    );
    let checks = &verdict.variants[0].checks;
    for name in ["linearizable", "agreement"] {
        let check = checks.iter().find(|check| check.name == name).unwrap();
        assert_eq!(check.answer, report::Answer::Valid, "{check:?}");
    }
    assert!(peak <= BESIDE + BYTES_AN_OPERATION * count, "{peak} bytes at the peak");
}

#[test]
fn memory_follows_the_number_of_operations() {
    reported_within_its_memory(300_000);
}

#[test]
#[ignore = "takes half a minute without optimisation"]
fn a_million_operations_fit_too() {
    reported_within_its_memory(1_000_000);
}
