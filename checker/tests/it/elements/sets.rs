//! Sets, worked by hand.

use super::script::{assert_says, begin, fail, final_read, history, info, ok, one_by_one, the, values};
use checker::Answer;
use checker::elements::{Class, Kind, Options, check, check_with};
use serde_json::{Value, json};

const LINEARIZABLE: fn() -> Options = || Options { linearizable: true, ..Options::default() };

fn add(element: i64) -> (&'static str, Value, Value) {
    ("add", json!(element), json!(element))
}

fn read(elements: Value) -> (&'static str, Value, Value) {
    ("read", Value::Null, elements)
}

#[test]
fn a_set_that_kept_everything_is_valid() {
    let operations = one_by_one(&[add(1), add(2), read(json!([2, 1]))]);
    let verdict = check(Kind::SetFinal, &operations);
    assert_says(&verdict, Answer::Valid, "2 elements in all");
    assert_eq!((verdict.count("acknowledged"), verdict.count("ok")), (Some(2), Some(2)));
    assert_says(&check_with(Kind::SetFull, &operations, &LINEARIZABLE()), Answer::Valid, "0 of them late");
    let broadcast = one_by_one(&[("broadcast", json!(1), Value::Null), read(json!([1]))]);
    assert_says(&check(Kind::SetFull, &broadcast), Answer::Valid, "1 stayed");
}

#[test]
fn an_acknowledged_element_that_the_final_read_lacks_is_lost() {
    let operations = one_by_one(&[add(1), add(2), read(json!([1, 2])), read(json!([1]))]);
    let verdict = check(Kind::SetFinal, &operations);
    assert_says(&verdict, Answer::Invalid, "1 lost element: element 2 is lost");
    assert_eq!(the(&verdict, Class::Lost), [1, 3]);
    let evidence = verdict.evidence(&operations);
    assert_eq!(evidence[1], "operation 1: process 1: add 2 → ok, from 0.002000 s to 0.003000 s (1.0 ms)");
    assert_eq!(evidence[2], "operation 3: process 3: read → [1], from 0.006000 s to 0.007000 s (1.0 ms)");
    let verdict = check(Kind::SetFull, &operations);
    assert_says(&verdict, Answer::Invalid, "operation 2 was the last to read it");
    assert_eq!(the(&verdict, Class::Lost), [1, 2, 3]);
    // Known at 3 ms, last read from 4 ms on.
    let lost = verdict.latencies.iter().find(|latencies| latencies.name == "be lost").unwrap();
    assert_eq!(lost.quantiles_ns, [1_000_001; 5]);
}

#[test]
fn every_read_of_the_phase_final_must_have_what_was_acknowledged() {
    let operations = history([
        begin(0, "add", 7),
        ok(0, 7),
        final_read(0),
        final_read(1),
        ok(0, json!([])),
        ok(1, json!([7])),
        begin(0, "read", Value::Null),
        ok(0, json!([7])),
    ]);
    assert_eq!(the(&check(Kind::SetFinal, &operations), Class::Lost), [0, 1]);
}

#[test]
fn an_add_that_ends_during_the_final_read_may_be_missing() {
    let operations = history([
        begin(0, "add", 1),
        ok(0, 1),
        begin(0, "add", 2),
        begin(1, "read", Value::Null),
        ok(0, 2),
        ok(1, json!([1])),
    ]);
    assert_says(&check(Kind::SetFinal, &operations), Answer::Valid, "");
}

#[test]
fn elements_nobody_added_are_unexpected_for_three_reasons() {
    let operations = history([
        begin(0, "add", 1),
        fail(0, "unavailable"),
        begin(1, "read", Value::Null),
        ok(1, json!([1, 2, 3])),
        begin(0, "add", 3),
        ok(0, 3),
        begin(0, "add", 4),
        ok(0, 4),
        begin(1, "read", Value::Null),
        ok(1, json!([1, 2, 3, 4])),
    ]);
    let verdict = check(Kind::SetFull, &operations);
    assert_says(&verdict, Answer::Invalid, "3 unexpected elements");
    assert_eq!(values(&verdict, Class::Unexpected), [json!(1), json!(2), json!(3)]);
    let texts: Vec<&str> = verdict.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert!(texts[0].ends_with("although every add of it failed"), "{texts:?}");
    assert!(texts[1].ends_with("before anybody added it"), "{texts:?}");
    assert!(texts[2].ends_with("although no operation added it"), "{texts:?}");
    // The final read alone sees 3 after it was added.
    assert_eq!(values(&check(Kind::SetFinal, &operations), Class::Unexpected), [json!(1), json!(2)]);
}

#[test]
fn an_unacknowledged_element_that_is_there_was_recovered() {
    let operations = history([
        begin(0, "add", 1),
        info(0),
        begin(1, "add", 2),
        ok(1, 2),
        begin(1, "read", Value::Null),
        ok(1, json!([1, 2])),
    ]);
    let verdict = check(Kind::SetFinal, &operations);
    assert_says(&verdict, Answer::Valid, "");
    assert_eq!((the(&verdict, Class::Recovered), verdict.count("recovered")), ([0, 2].as_slice(), Some(1)));
}

#[test]
fn a_set_without_a_read_or_without_anything_owed_is_unknown() {
    assert_says(&check(Kind::SetFinal, &one_by_one(&[add(1)])), Answer::Unknown, "never read");
    assert_says(
        &check(Kind::SetFinal, &one_by_one(&[read(json!([]))])),
        Answer::Unknown,
        "nothing had to be in it",
    );
    assert_says(&check(Kind::SetFull, &one_by_one(&[add(1)])), Answer::Unknown, "nothing is proven");
    for kind in Kind::ALL {
        assert_says(&check(kind, &[]), Answer::Unknown, "no operation was recorded");
    }
}

#[test]
fn an_element_that_takes_a_while_to_show_up_is_stale_and_only_that() {
    let operations = one_by_one(&[add(1), read(json!([])), read(json!([1]))]);
    let verdict = check(Kind::SetFull, &operations);
    assert_says(&verdict, Answer::Valid, "1 of them late");
    assert_eq!(the(&verdict, Class::Stale), [0, 1]);
    // Known at 1 ms, missed by the read that began at 2 ms.
    assert_eq!((verdict.latencies[0].elements, verdict.latencies[0].quantiles_ns), (1, [1_000_001; 5]));
    let strict = check_with(Kind::SetFull, &operations, &LINEARIZABLE());
    assert_says(&strict, Answer::Invalid, "element 1 was stale: known since operation 0, but operation 1");
}

#[test]
fn a_read_that_began_before_the_add_ended_may_miss_it() {
    let operations = history([
        begin(0, "add", 1),
        begin(1, "read", Value::Null),
        ok(0, 1),
        ok(1, json!([])),
        begin(1, "read", Value::Null),
        ok(1, json!([1])),
    ]);
    assert_says(&check_with(Kind::SetFull, &operations, &LINEARIZABLE()), Answer::Valid, "");
}

#[test]
fn what_one_read_saw_every_later_read_must_see() {
    let operations = history([
        begin(0, "add", 1),
        begin(1, "read", Value::Null),
        ok(1, json!([1])),
        begin(1, "read", Value::Null),
        ok(1, json!([])),
        begin(1, "read", Value::Null),
        ok(1, json!([1])),
        ok(0, 1),
    ]);
    let verdict = check_with(Kind::SetFull, &operations, &LINEARIZABLE());
    assert_eq!(the(&verdict, Class::Stale), [1, 2]);
}

#[test]
fn an_element_missed_only_around_its_add_was_never_read() {
    let operations = history([
        begin(0, "add", 1),
        begin(1, "read", Value::Null),
        ok(0, 1),
        ok(1, json!([])),
        begin(0, "add", 2),
        info(0),
    ]);
    let verdict = check(Kind::SetFull, &operations);
    assert_eq!(values(&verdict, Class::NeverRead), [json!(1), json!(2)]);
    assert_eq!(verdict.answer, Answer::Unknown);
}

#[test]
fn an_element_twice_in_one_read_is_duplicated() {
    let operations = one_by_one(&[add(1), add(2), read(json!([1, 2, 1, 1])), read(json!([1, 2, 2, 1]))]);
    let verdict = check(Kind::SetFull, &operations);
    assert_says(
        &verdict,
        Answer::Invalid,
        "2 duplicated elements: for one, operation 2 read element 1 3 times",
    );
    assert_eq!(values(&verdict, Class::Duplicated), [json!(1), json!(2)]);
    assert_says(&check(Kind::SetFinal, &operations), Answer::Valid, "");
}

#[test]
fn each_key_is_a_set_of_its_own() {
    let mut operations = one_by_one(&[add(1), read(json!([1])), add(1), read(json!([]))]);
    for (index, key) in [(0, "a"), (1, "a"), (2, "b"), (3, "b")] {
        operations[index].key = Some(key.to_owned());
    }
    let verdict = check(Kind::SetFinal, &operations);
    assert_says(&verdict, Answer::Invalid, "1 lost element: on key b, element 1 is lost");
    assert_eq!(verdict.findings[0].key.as_deref(), Some("b"));
    assert_eq!(verdict.count("acknowledged"), Some(2));
    assert!(verdict.evidence(&operations)[0].starts_with("on key b, "));
}

#[test]
fn operations_not_understood_leave_open_what_follows() {
    let strange = ("remove", json!(1), json!(null));
    let sound = one_by_one(&[add(1), read(json!([1])), strange.clone(), strange.clone(), read(json!([1]))]);
    let verdict = check(Kind::SetFinal, &sound);
    assert_says(&verdict, Answer::Unknown, "operation 2 (remove 1 → ok) is not understood");
    assert!(verdict.reason.ends_with("so is another"), "{}", verdict.reason);
    let open = one_by_one(&[add(1), add(2), strange.clone(), read(json!([1]))]);
    let verdict = check(Kind::SetFinal, &open);
    assert_says(&verdict, Answer::Unknown, "element 2 is lost");
    assert!(verdict.reason.contains("but operation 2 (remove 1 → ok) may explain it"), "{verdict:#?}");
    assert_eq!(verdict.findings.iter().filter(|finding| finding.breaks).count(), 0);
    // What begins after the read was over explains nothing, and neither does what has another key.
    let mut broken = one_by_one(&[add(1), add(2), read(json!([1])), strange.clone()]);
    assert_says(&check(Kind::SetFinal, &broken), Answer::Invalid, "element 2 is lost");
    broken.rotate_right(1);
    assert_says(&check(Kind::SetFinal, &broken), Answer::Invalid, "element 2 is lost");
    let mut keyed = one_by_one(&[strange, add(2), read(json!([]))]);
    for (operation, key) in keyed.iter_mut().zip(["a", "b", "b"]) {
        operation.key = Some(key.to_owned());
    }
    assert_says(&check(Kind::SetFinal, &keyed), Answer::Invalid, "element 2 is lost");
    keyed[0].key = None;
    assert_says(&check(Kind::SetFinal, &keyed), Answer::Unknown, "on key b, element 2 is lost");
    let number = one_by_one(&[add(1), read(json!(1))]);
    assert_says(&check(Kind::SetFinal, &number), Answer::Unknown, "should be read as a list");
}

#[test]
fn a_clock_that_goes_back_does_not_hide_a_stale_read() {
    let mut operations = one_by_one(&[add(1), read(json!([])), read(json!([1]))]);
    for (operation, ns) in operations.iter_mut().zip([9_000_000, 1_000_000, 500_000]) {
        (operation.invoked_ns, operation.completed_ns) = (ns, Some(ns + 10));
    }
    let verdict = check_with(Kind::SetFull, &operations, &LINEARIZABLE());
    assert_says(&verdict, Answer::Invalid, "invoked 0 s later");
    assert_eq!(the(&verdict, Class::Stale), [0, 1]);
}
