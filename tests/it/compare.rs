//! Comparisons from the command line: exit codes, tables that fit, files that were asked for.

use crate::support::{bench, output, stderr, stdout};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

/// The sample of five rounds, and the same with every variant this many times as fast.
fn write_both(folder: &Path, times: f64) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/sample");
    let text = std::fs::read_to_string(sample.join("verdict.json")).unwrap();
    let mut verdict: Value = serde_json::from_str(&text).unwrap();
    for name in ["before", "after"] {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::copy(sample.join("plan.json"), folder.join(name).join("plan.json")).unwrap();
    }
    std::fs::write(folder.join("before/verdict.json"), text).unwrap();
    for variant in verdict["variants"].as_array_mut().unwrap() {
        let rate = &mut variant["summary"]["throughput_per_s"];
        *rate = json!(rate.as_f64().unwrap() * times);
    }
    std::fs::write(folder.join("after/verdict.json"), verdict.to_string()).unwrap();
}

fn compared(folder: &Path, more: &[&str]) -> Output {
    bench(folder).args(["compare", "before", "after"]).args(more).output().unwrap()
}

#[test]
fn a_slower_result_is_a_regression() {
    let folder = tempfile::tempdir().unwrap();
    write_both(folder.path(), 0.4);
    let slower = compared(folder.path(), &["--json", "--csv", "c.csv", "--png", "c.png"]);
    assert_eq!(slower.status.code(), Some(1), "{}", stderr(&slower));
    let value: Value = serde_json::from_slice(&slower.stdout).unwrap();
    assert_eq!((&value["exit"], &value["outcome"]), (&json!(1), &json!("regression")));
    let pair = &value["pairs"][0];
    assert_eq!((&pair["drawn"], &pair["rounds"]), (&json!("rounds"), &json!([5, 5])));
    let csv = std::fs::read_to_string(folder.path().join("c.csv")).unwrap();
    assert!(csv.lines().any(|line| line.contains(",throughput,per_s,") && line.contains(",worse,")), "{csv}");
    assert!(std::fs::read(folder.path().join("c.png")).unwrap().starts_with(b"\x89PNG"));
    let allowed = compared(folder.path(), &["--threshold", "throughput=90%", "--require", "throughput"]);
    assert_eq!(allowed.status.code(), Some(0), "{}", stdout(&allowed));
}

#[test]
fn tables_fit_eighty_and_sixty_columns() {
    let folder = tempfile::tempdir().unwrap();
    write_both(folder.path(), 1.0);
    for columns in [80, 60] {
        let shown = bench(folder.path())
            .args(["compare", "before", "after"])
            .env("COLUMNS", columns.to_string())
            .output()
            .unwrap();
        let text = stdout(&shown);
        assert!(text.contains("99 % interval") && text.contains("rounds: 5"), "{text}");
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns, "{widest} columns: {text}");
    }
}

#[test]
fn fewer_rounds_without_histories_are_too_little() {
    let folder = tempfile::tempdir().unwrap();
    write_both(folder.path(), 1.0);
    let mut verdict: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("after/verdict.json")).unwrap()).unwrap();
    verdict["variants"].as_array_mut().unwrap().truncate(4);
    std::fs::write(folder.path().join("after/verdict.json"), verdict.to_string()).unwrap();
    let few = compared(folder.path(), &[]);
    assert_eq!(few.status.code(), Some(3), "{}", stdout(&few));
    assert!(stdout(&few).contains("needs 5 rounds on both sides"), "{}", stdout(&few));
}

#[test]
fn comparison_of_nothing_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    write_both(folder.path(), 1.0);
    for (arguments, said) in [
        (&["compare", "before", "nowhere"][..], "nowhere: there is no such folder"),
        (&["compare", "before", "after", "--threshold", "p98=10%"], "there is no figure"),
        (&["compare", "before", "after", "--threshold", "0"], "for example 10%"),
        (&["compare", "before", "after", "--csv", "absent/c.csv"], "its folder does not exist"),
    ] {
        let refused = output(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(said), "{arguments:?}: {}", stderr(&refused));
    }
}
