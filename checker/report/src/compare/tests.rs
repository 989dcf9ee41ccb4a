//! Comparisons of folders: what counts as a regression, and how often noise is taken for one.

use super::rows::interval_of_rounds;
use super::*;
use crate::judge;
use crate::tests::fixture::{MS, Made, SECOND, plan, write_run};
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::fs;

/// A run whose rounds had this throughput; latencies go the other way.
fn write_rounds(dir: &Path, answer: &str, throughput: &[f64]) {
    fs::create_dir_all(dir).unwrap();
    let names: Vec<String> = (1..=throughput.len()).map(|round| format!("main-{round}")).collect();
    let mut plan = plan("store", &vec![Made::sound("main"); throughput.len()]);
    for (round, (variant, name)) in (1..).zip(plan.variants.iter_mut().zip(&names)) {
        (variant.name, variant.of, variant.round) = (name.clone(), Some("main".into()), Some(round));
    }
    fs::write(dir.join("plan.json"), serde_json::to_vec(&plan).unwrap()).unwrap();
    let variants = names.iter().zip(throughput).map(|(name, rate)| {
        let ms = 1000.0 / rate;
        json!({"variant": name, "answer": answer, "summary": {"seconds": 5.0, "throughput_per_s": rate,
            "latency": {"p50_ms": ms, "p90_ms": ms, "p99_ms": ms, "p999_ms": ms, "max_ms": ms},
            "longest_outage_s": ms, "time_to_recover_s": 0.0}})
    });
    let verdict = json!({"variants": variants.collect::<Vec<_>>()});
    fs::write(dir.join("verdict.json"), verdict.to_string()).unwrap();
}

fn compared(a: &[f64], b: &[f64]) -> Comparison {
    let dir = tempfile::tempdir().unwrap();
    let [left, right] = ["a", "b"].map(|name| dir.path().join(name));
    write_rounds(&left, "valid", a);
    write_rounds(&right, "valid", b);
    compare(&left, &right, &CompareOptions::default()).unwrap()
}

fn change(comparison: &Comparison, figure: Measure) -> Change {
    comparison.pairs[0].rows.iter().find(|row| row.figure == figure).unwrap().change
}

#[test]
fn slower_rounds_are_a_regression() {
    let fast = [1000.0, 1010.0, 990.0, 1005.0, 995.0];
    let slow = fast.map(|rate| rate * 0.7);
    let worse = compared(&fast, &slow);
    assert_eq!((worse.outcome, worse.pairs[0].drawn.as_str()), (Outcome::Regression, "rounds"));
    assert_eq!(
        (change(&worse, Measure::Throughput), change(&worse, Measure::P99)),
        (Change::Worse, Change::Worse)
    );
    assert!(worse.sentence.contains("throughput, p50"), "{}", worse.sentence);
    let better = compared(&slow, &fast);
    assert_eq!((better.outcome, change(&better, Measure::P50)), (Outcome::NoRegression, Change::Better));
    assert_eq!(change(&better, Measure::Recovery), Change::Same, "both recovered before the heal");
    assert_eq!(compared(&fast, &fast).outcome, Outcome::NoRegression);
}

#[test]
fn four_rounds_without_histories_are_too_few() {
    let rates = [1000.0, 1010.0, 990.0, 1005.0];
    let few = compared(&rates, &rates.map(|rate| rate * 0.5));
    assert_eq!((few.outcome, few.pairs[0].drawn.as_str()), (Outcome::TooLittleData, "nothing"));
    let reason = few.pairs[0].rows[0].reason.as_deref();
    assert_eq!(reason, Some("needs 5 rounds on both sides"));
}

#[test]
fn a_newly_broken_promise_is_a_regression() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
    write_rounds(&a, "valid", &[1000.0; 5]);
    write_rounds(&b, "invalid", &[1000.0; 5]);
    let broken = compare(&a, &b, &CompareOptions::default()).unwrap();
    assert_eq!(broken.outcome, Outcome::Regression);
    assert!(broken.sentence.contains("a promise is broken that was kept"), "{}", broken.sentence);
    let known = compare(&b, &b, &CompareOptions::default()).unwrap();
    assert_eq!(known.outcome, Outcome::NoRegression);
}

#[test]
fn folders_without_results_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
    write_rounds(&a, "valid", &[1.0]);
    let refused = |b: &Path| compare(&a, b, &CompareOptions::default()).unwrap_err();
    assert!(matches!(refused(&b), CompareError::NoFolder(_)));
    fs::create_dir(&b).unwrap();
    assert!(matches!(refused(&b), CompareError::NoResults(_)));
    fs::copy(a.join("plan.json"), b.join("plan.json")).unwrap();
    assert!(matches!(refused(&b), CompareError::NotJudged(_)));
}

/// One run each, recorded and judged: blocks of time are drawn.
fn recorded(dir: &Path, latency_ms: f64) {
    fs::create_dir_all(dir).unwrap();
    let made = Made {
        latency_ms,
        load: 16 * SECOND,
        rate: 300.0,
        kills: vec![(3 * SECOND, 4 * SECOND)],
        outage: 100 * MS,
        ..Made::sound("main")
    };
    write_run(dir, "store", &[made]);
    judge(dir, &|_| Box::new(|| false)).unwrap();
}

#[test]
fn single_runs_are_compared_by_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
    recorded(&a, 3.0);
    recorded(&b, 9.0);
    let slower = compare(&a, &b, &CompareOptions::default()).unwrap();
    assert!(slower.pairs[0].drawn.starts_with("blocks of 1.0"), "{}", slower.pairs[0].drawn);
    assert_eq!((change(&slower, Measure::P50), slower.outcome), (Change::Worse, Outcome::TooLittleData));
    assert!(slower.sentence.contains("which only rounds can prove: p50"), "{}", slower.sentence);
    assert_eq!(change(&slower, Measure::Outage), Change::Unclear, "one run has one outage");
    assert!(slower.notes.iter().any(|note| note.contains("--rounds 5")), "{:?}", slower.notes);
    let variant = compare(&a.join("main"), &b, &CompareOptions::default()).unwrap();
    assert_eq!(variant.outcome, slower.outcome);
    let same = compare(&a, &a, &CompareOptions { threshold: 0.5, ..CompareOptions::default() }).unwrap();
    assert_ne!(same.outcome, Outcome::Regression);
    assert_eq!(same.pairs[0].rows[0].interval.map(|(low, high)| low < 1.0 && high > 1.0), Some(true));
    let again = compare(&a, &b, &CompareOptions::default()).unwrap();
    assert_eq!(slower, again, "the same seed gives the same intervals");
    let csv = String::from_utf8(slower.csv()).unwrap();
    assert!(csv.starts_with("spec,point,variant_a,") && csv.contains("\nstore,,main,main,p50,ms,"), "{csv}");
    assert!(slower.png().starts_with(b"\x89PNG"));
}

/// How often an interval excludes 1 although both sides are the same, out of this many trials.
fn false_alarms(trials: u64, rounds: usize) -> usize {
    let options = CompareOptions::default();
    let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(7);
    let mut measured = || -> Vec<f64> {
        // A tail to the right, as latencies have.
        (0..rounds).map(|_| (1.0 - rng.random::<f64>()).ln().abs().mul_add(0.3, 1.0)).collect()
    };
    let excludes = |_: &u64| {
        let interval = interval_of_rounds(Measure::P99, &measured(), &measured(), &options);
        interval.is_none_or(|(low, high)| low > 1.0 || high < 1.0)
    };
    (0..trials).filter(excludes).count()
}

#[test]
fn same_systems_rarely_seem_to_differ() {
    // The intervals are 99 % sure; three times as many alarms as that allows would not be chance.
    for rounds in [5, 12] {
        let alarms = false_alarms(200, rounds);
        assert!(alarms <= 6, "{alarms} of 200 with {rounds} rounds");
    }
}
