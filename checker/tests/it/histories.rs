//! Small histories with known verdicts, one a file: `histories/{valid,invalid,unknown}/*.jsonl`.
//!
//! The field `spec` of a file's header says in a sentence why it has its verdict.

use checker::certificate::confirm;
use checker::limits::Limits;
use checker::linearizability::{Model, Verdict, check_certified};
use history::{Operation, pair, read_jsonl};
use std::{fs, io::BufReader, path::Path};

/// Reads all histories of a folder and hands out name, operations, model and verdict of each.
fn each(folder: &str, mut judge: impl FnMut(&str, &[Operation], Verdict)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    for file in files {
        let name = file.display().to_string();
        let history = read_jsonl(BufReader::new(fs::File::open(&file).expect("it can be opened")))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(history.header.spec.ends_with('.'), "{name} does not say why in a sentence");
        let model: Model = history.header.model.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let operations = pair(&history.events).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (verdict, order) = check_certified(&operations, model, &Limits::DEFAULT);
        if let Some(order) = order {
            assert_eq!(confirm(&operations, model, &order), Ok(()), "{name}");
        }
        judge(&name, &operations, verdict);
    }
}

#[test]
fn every_valid_history_is_valid() {
    each("valid", |name, operations, verdict| match verdict {
        Verdict::Valid { operations: counted, .. } => assert_eq!(counted, operations.len(), "{name}"),
        Verdict::Invalid(_) | Verdict::Unknown { .. } => panic!("{name}: {verdict:#?}"),
    });
}

#[test]
fn every_invalid_history_is_invalid_with_a_story() {
    each("invalid", |name, operations, verdict| {
        let Verdict::Invalid(witness) = verdict else { panic!("{name}: {verdict:#?}") };
        assert_eq!(witness.key, operations[witness.operation].key, "{name}");
        assert!(witness.operations.contains(&witness.operation), "{name}: {witness:#?}");
        assert!(!witness.values.is_empty() && !witness.pending.is_empty(), "{name}: {witness:#?}");
        assert!(witness.summary.contains(&operations[witness.operation].f), "{name}: {witness:#?}");
    });
}

#[test]
fn every_unknown_history_is_unknown_with_a_reason() {
    each("unknown", |name, _, verdict| {
        let Verdict::Unknown { reason } = verdict else { panic!("{name}: {verdict:#?}") };
        assert!(reason.contains("event "), "{name}: {reason}");
    });
}
