//! The sentence above everything: what broke, when and under which fault, or why nothing is proven.

use super::fixture::{Made, SECOND, plan, write_run};
use super::{no_deadline, *};
use crate::headline;
use crate::violation::Violation;

/// A sound variant with the checks that it is given, judged by hand, and the plan that it had.
fn variant(checks: Vec<Check>) -> (VariantVerdict, Plan) {
    let made =
        [Made { rate: 60.0, load: 4 * SECOND, kills: vec![(SECOND, 2 * SECOND)], ..Made::sound("main") }];
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "store", &made);
    let mut verdict = judge(dir.path(), &no_deadline).unwrap().variants.remove(0);
    verdict.checks = checks;
    (verdict, plan("store", &made))
}

fn unknown(name: &'static str, reason: &str) -> Check {
    Check::new(name, Answer::Unknown, reason)
}

#[test]
fn early_end_comes_behind_what_is_missing() {
    let early = unknown("complete", "the run was interrupted before its end");
    let liveness = unknown("liveness", "the run ended before the recovery phase began");
    let unmet = unknown("obligations", "not met: every key is read again, seen 1 of 2");
    for (checks, expected) in [
        (
            vec![liveness.clone(), unmet, early.clone()],
            "Unknown: nothing is proven. Not met: every key is read again, seen 1 of 2. The run was interrupted before its end.",
        ),
        (
            vec![liveness, early.clone()],
            "Unknown: nothing is proven. Liveness: the run ended before the recovery phase began. \
             The run was interrupted before its end.",
        ),
        (vec![early], "Unknown: nothing is proven. The run was interrupted before its end."),
    ] {
        let (variant, plan) = variant(checks);
        assert_eq!(headline::sentence(Answer::Unknown, &[variant], &plan), expected);
    }
}

#[test]
fn headline_names_the_fault_in_force() {
    let violated = |span| {
        let violation = Violation { span: Some(span), ..Violation::default() };
        Check::new("linearizable", Answer::Invalid, "a read was stale").violated(Some(violation))
    };
    let (mut variant, plan) = variant(Vec::new());
    let load = variant.summary.load_start_ns;
    let (start, end) = (variant.faults[0].start_ns.unwrap(), variant.faults[0].end_ns.unwrap());
    let mut said = |from: u64, to: u64| {
        variant.checks = vec![violated((from, to))];
        headline::sentence(Answer::Invalid, std::slice::from_ref(&variant), &plan)
    };
    assert_eq!(
        said(start + 5, load + 1500 * 1_000_000),
        "Invalid: a read was stale, 1.500 s after the load began, during fault 1: kill leader (n2)."
    );
    assert!(
        said(end + SECOND / 4, end + SECOND)
            .ends_with(", 250 ms after the heal of fault 1: kill leader (n2).")
    );
    assert_eq!(said(load, load + 1), "Invalid: a read was stale, 0.000 s after the load began.");
}
