//! Variants that ran several times: medians, ranges, and what is shown of them.

use super::fixture::{Made, SECOND, backoff_study, plan, write_run};
use super::no_deadline;
use crate::observed::Observed;
use crate::{RunVerdict, judge, medians_columns, shown_rounds};
use std::fs;
use std::path::Path;

/// Three rounds of two variants, the first of which is slower each time.
fn study(dir: &Path) -> RunVerdict {
    let [none, exponential, _] = backoff_study();
    let mut made = Vec::new();
    for (round, names) in
        [["none-1", "exp-1"], ["none-2", "exp-2"], ["none-3", "exp-3"]].into_iter().enumerate()
    {
        let rate = 60.0 - 10.0 * round as f64;
        let short = |made: &Made, name| Made { name, rate, load: 4 * SECOND, kills: vec![], ..made.clone() };
        made.extend([short(&none, names[0]), short(&exponential, names[1])]);
    }
    write_run(dir, "backoff", &made);
    let mut plan = plan("backoff", &made);
    for variant in &mut plan.variants {
        let (of, round) = variant.name.split_once('-').unwrap();
        (variant.round, variant.of) = (round.parse().ok(), Some(of.to_owned()));
    }
    fs::write(dir.join("plan.json"), serde_json::to_vec(&plan).unwrap()).unwrap();
    judge(dir, &no_deadline).unwrap()
}

#[test]
fn rounds_become_medians_with_their_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let verdict = study(dir.path());
    assert_eq!((verdict.rounds, verdict.variants.len()), (3, 6));
    let [none, exponential] = &verdict.medians[..] else { panic!("{:?}", verdict.medians) };
    assert_eq!(
        (none.variant.as_str(), &none.rounds[..]),
        ("none", &["none-1", "none-2", "none-3"].map(String::from)[..])
    );
    let figure = exponential.figure("throughput_per_s").unwrap();
    let shown = verdict.variants.iter().find(|round| round.variant == exponential.shown).unwrap();
    assert_eq!(shown.summary.throughput_per_s, Some(figure.median), "the round in the middle");
    assert!(figure.min < figure.median && figure.median < figure.max, "{figure:?}");
    let reading = verdict.reading.unwrap();
    assert!(reading.contains("Livelock with none in 3 of 3 rounds: "), "{reading}");
    assert!(reading.ends_with("Figures are medians of 3 rounds."), "{reading}");
}

#[test]
fn medians_stand_in_a_table_and_on_the_page() {
    let dir = tempfile::tempdir().unwrap();
    study(dir.path());
    let table = fs::read_to_string(dir.path().join("medians.csv")).unwrap();
    assert!(table.starts_with(&medians_columns().join(",")), "{table}");
    assert_eq!(table.lines().count(), 3);
    assert_eq!(fs::read_to_string(dir.path().join("summary.csv")).unwrap().lines().count(), 7);
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(
        page.contains("none<br><small>3 rounds</small>") && page.contains("Medians of 3 rounds"),
        "{}",
        &page[..4000]
    );
    assert!(page.contains("<strong>livelock</strong><br><small>3 of 3 rounds</small>"));
    assert_eq!(page.matches("obligations, all met in 3 rounds of exp<").count(), 1);
    assert!(!page.contains("obligations, 0 not met"), "no table for each round");
}

#[test]
fn pictures_keep_the_order_of_variants() {
    let dir = tempfile::tempdir().unwrap();
    let mut medians = study(dir.path()).medians;
    // The shown round of the first variant ran after that of the second.
    (medians[0].shown, medians[1].shown) = ("none-2".to_owned(), "exp-1".to_owned());
    let plan: crate::Plan = serde_json::from_slice(&fs::read(dir.path().join("plan.json")).unwrap()).unwrap();
    let observed = plan.variants.into_iter().map(|variant| Observed::new(variant, None, None, Vec::new()));
    let shown = shown_rounds(observed.collect(), &medians);
    let names: Vec<&str> = shown.iter().map(|seen| seen.plan.name.as_str()).collect();
    assert_eq!(names, ["none-2", "exp-1"]);
}
