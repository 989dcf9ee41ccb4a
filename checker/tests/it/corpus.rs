//! Small histories of sets, counters, ids, lists, locks and logs: `histories/objects/{valid,invalid,unknown}/*.jsonl`.
//!
//! The field `spec` of a file's header says in a sentence why it has its verdict.

use checker::Answer;
use checker::elements;
use checker::limits::Limits;
use checker::linearizability::{self, Verdict};
use checker::property::Property;
use checker::transactions::{self, Options};
use history::{Operation, pair, read_jsonl};
use std::collections::BTreeSet;
use std::{fs, io::BufReader, path::Path};

fn judge(property: Property, operations: &[Operation]) -> (Answer, String) {
    match property {
        Property::Elements(kind) => {
            let verdict = elements::check(kind, operations);
            (verdict.answer, verdict.reason)
        }
        Property::Transactions(workload) => {
            let verdict = transactions::check(operations, &Options::new(workload));
            (verdict.answer, verdict.reason())
        }
        Property::Linearizable(model) => match linearizability::check(operations, model, &Limits::DEFAULT) {
            Verdict::Valid { .. } => (Answer::Valid, String::new()),
            Verdict::Invalid(witness) => (Answer::Invalid, witness.summary),
            Verdict::Unknown { reason } => (Answer::Unknown, reason),
        },
        Property::Sequential => panic!("no file has this model"),
    }
}

/// Every history of a folder must get this answer; returns the models and the reasons by name.
fn all_are(folder: &str, wanted: Answer) -> (BTreeSet<String>, Vec<(String, String)>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories/objects").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut models, mut reasons) = (BTreeSet::new(), Vec::new());
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let history = read_jsonl(BufReader::new(fs::File::open(&file).unwrap())).unwrap();
        assert!(history.header.spec.ends_with('.'), "{name} does not say why in a sentence");
        let operations = pair(&history.events).unwrap_or_else(|error| panic!("{name}: {error}"));
        let property: Property = history.header.model.parse().unwrap();
        let (answer, reason) = judge(property, &operations);
        assert_eq!(answer, wanted, "{name}: {reason}");
        models.insert(history.header.model);
        reasons.push((name, reason));
    }
    (models, reasons)
}

const MODELS: [&str; 7] =
    ["g-counter", "kafka", "list-append", "owned-mutex", "pn-counter", "set-final", "unique-ids"];

#[test]
fn good_histories_of_objects_are_valid() {
    let (models, _) = all_are("valid", Answer::Valid);
    assert_eq!(models.iter().collect::<Vec<_>>(), MODELS);
}

#[test]
fn bad_histories_of_objects_are_invalid() {
    let (models, reasons) = all_are("invalid", Answer::Invalid);
    assert_eq!(models.iter().collect::<Vec<_>>(), MODELS);
    // The anomalies of logs have the names that Jepsen gives them.
    for anomaly in [
        "lost-write",
        "duplicate",
        "inconsistent-offsets",
        "int-poll-skip",
        "poll-skip",
        "int-nonmonotonic-poll",
        "nonmonotonic-poll",
    ] {
        let file = format!("log-{anomaly}");
        let (_, reason) = reasons.iter().find(|(name, _)| *name == file).unwrap();
        assert!(reason.contains(&format!("{anomaly}: ")), "{file}: {reason}");
    }
}

#[test]
fn histories_that_prove_nothing_are_unknown() {
    let (_, reasons) = all_are("unknown", Answer::Unknown);
    assert!(reasons.iter().all(|(_, reason)| !reason.is_empty()), "{reasons:?}");
}
