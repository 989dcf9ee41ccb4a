//! Queues, worked by hand.

use super::script::{Step, assert_says, begin, fail, history, info, ok, one_by_one, the};
use checker::Answer;
use checker::elements::{Class, Kind, check};
use serde_json::{Value, json};

fn put(element: i64) -> (&'static str, Value, Value) {
    ("enqueue", json!(element), json!(element))
}

fn take(element: Value) -> (&'static str, Value, Value) {
    ("dequeue", Value::Null, element)
}

fn drain(elements: Value) -> (&'static str, Value, Value) {
    ("drain", Value::Null, elements)
}

#[test]
fn what_went_in_and_came_out_is_valid() {
    let operations = one_by_one(&[put(1), put(2), take(json!(2)), drain(json!([1]))]);
    assert_says(&check(Kind::TotalQueue, &operations), Answer::Valid, "2 acknowledged elements");
    assert_says(&check(Kind::Queue, &operations), Answer::Valid, "2 elements");
}

#[test]
fn what_is_missing_from_an_empty_queue_is_lost() {
    for last in [drain(json!([])), take(Value::Null)] {
        let operations = one_by_one(&[put(1), put(2), take(json!(2)), last]);
        let verdict = check(Kind::TotalQueue, &operations);
        assert_says(&verdict, Answer::Invalid, "1 lost element: element 1 is lost: operation 0 put it in");
        assert_eq!(the(&verdict, Class::Lost), [0, 3]);
        assert_says(&check(Kind::Queue, &operations), Answer::Valid, "");
    }
    let exhausted = |error| {
        check(
            Kind::TotalQueue,
            &history([
                begin(0, "enqueue", 1),
                ok(0, 1),
                begin(0, "enqueue", 2),
                ok(0, 2),
                begin(0, "dequeue", Value::Null),
                ok(0, 1),
                begin(0, "dequeue", Value::Null),
                fail(0, error),
            ]),
        )
    };
    assert_says(&exhausted(":exhausted"), Answer::Invalid, "element 2 is lost");
    assert_says(&exhausted("unavailable"), Answer::Unknown, "not drained");
}

#[test]
fn what_is_missing_from_a_queue_that_was_not_drained_may_be_in_it() {
    let operations = one_by_one(&[put(1), take(Value::Null), put(2), put(3), take(json!(1)), take(json!(2))]);
    let verdict = check(Kind::TotalQueue, &operations);
    assert_says(
        &verdict,
        Answer::Unknown,
        "1 acknowledged element did not come out, and the queue was not seen empty",
    );
    assert_eq!(verdict.count("lost"), Some(0));
}

/// Puts in 1 to 4, takes out 1, and loses the answers of `unknown` dequeues before a drain finds nothing.
fn with_unknown_dequeues(unknown: u64, f: &'static str) -> Vec<Step> {
    let mut steps = Vec::new();
    for element in 1..=4 {
        steps.extend([begin(0, "enqueue", element), ok(0, element)]);
    }
    for process in 1..=unknown {
        steps.extend([begin(process, f, Value::Null), info(process)]);
    }
    steps.extend([begin(0, "drain", Value::Null), ok(0, json!([1]))]);
    steps
}

#[test]
fn a_dequeue_of_unknown_outcome_may_have_taken_one_element() {
    let verdict = check(Kind::TotalQueue, &history(with_unknown_dequeues(2, "dequeue")));
    assert_says(&verdict, Answer::Invalid, "3 lost elements");
    assert!(verdict.notes[0].contains("2 dequeues of unknown outcome may have taken"), "{verdict:#?}");
    let verdict = check(Kind::TotalQueue, &history(with_unknown_dequeues(3, "dequeue")));
    assert_says(&verdict, Answer::Unknown, "3 acknowledged elements did not come out, but 3 dequeues");
    let verdict = check(Kind::TotalQueue, &history(with_unknown_dequeues(1, "drain")));
    assert_says(&verdict, Answer::Unknown, "but the drain of operation 4 may have taken them");
}

#[test]
fn what_comes_from_nowhere_is_unexpected() {
    let operations = history([
        begin(0, "enqueue", 1),
        fail(0, "unavailable"),
        begin(1, "dequeue", Value::Null),
        ok(1, 1),
        begin(1, "dequeue", Value::Null),
        ok(1, 2),
        begin(0, "enqueue", 2),
        ok(0, 2),
    ]);
    for kind in [Kind::Queue, Kind::TotalQueue] {
        let verdict = check(kind, &operations);
        assert_says(&verdict, Answer::Invalid, "2 unexpected elements");
        assert!(verdict.findings[0].text.ends_with("although every enqueue of it failed"));
        assert!(verdict.findings[1].text.ends_with("before anybody enqueued it"));
    }
}

#[test]
fn what_comes_twice_breaks_a_queue_but_not_a_total_queue() {
    let operations = one_by_one(&[put(1), take(json!(1)), take(json!(1)), drain(json!([]))]);
    let verdict = check(Kind::Queue, &operations);
    assert_says(&verdict, Answer::Invalid, "1 duplicated element: operation 2 dequeued element 1");
    assert_eq!(the(&verdict, Class::Duplicated), [0, 2]);
    let verdict = check(Kind::TotalQueue, &operations);
    assert_says(&verdict, Answer::Valid, "");
    assert_eq!(
        (verdict.count("duplicated"), the(&verdict, Class::Duplicated)),
        (Some(1), [0, 1, 2].as_slice())
    );
}

#[test]
fn an_unacknowledged_element_that_comes_out_was_recovered() {
    let operations = history([
        begin(0, "enqueue", 1),
        info(0),
        begin(1, "enqueue", 2),
        ok(1, 2),
        begin(1, "drain", Value::Null),
        ok(1, json!([1, 2])),
    ]);
    let verdict = check(Kind::TotalQueue, &operations);
    assert_says(&verdict, Answer::Valid, "");
    assert_eq!(the(&verdict, Class::Recovered), [0, 2]);
}

#[test]
fn a_queue_nothing_came_out_of_is_unknown() {
    let operations = one_by_one(&[put(1)]);
    assert_says(&check(Kind::Queue, &operations), Answer::Unknown, "nothing was dequeued");
    assert_says(
        &check(Kind::TotalQueue, &operations),
        Answer::Unknown,
        "nothing that was acknowledged came out",
    );
}

#[test]
fn repeated_element_breaks_exactly_once() {
    let operations = one_by_one(&[put(1), take(json!(1)), take(json!(1)), take(Value::Null)]);
    assert_says(
        &check(Kind::TotalQueue, &operations),
        Answer::Valid,
        "came out; allowed by the promise: 1 duplicate",
    );
    let verdict = check(Kind::ExactlyOnceQueue, &operations);
    assert_says(
        &verdict,
        Answer::Invalid,
        "1 duplicated element: element 1 was put in 1 time and came out 2 times",
    );
    let once = one_by_one(&[put(1), take(json!(1)), take(Value::Null)]);
    assert_says(
        &check(Kind::ExactlyOnceQueue, &once),
        Answer::Valid,
        "all of 1 acknowledged element came out",
    );
}
