//! Counters, worked by hand.

use super::script::{assert_says, begin, fail, final_read, history, info, ok, the};
use checker::Answer;
use checker::elements::{Class, Kind, check};
use serde_json::{Value, json};

#[test]
fn a_read_may_see_any_of_the_adds_around_it_and_must_see_those_before() {
    let around = |value: i64| {
        check(
            Kind::CounterBounds,
            &history([
                begin(0, "add", 5),
                ok(0, 5),
                begin(0, "add", 2),
                begin(1, "read", Value::Null),
                ok(0, 2),
                begin(0, "incr", Value::Null),
                ok(0, Value::Null),
                begin(2, "add", 100),
                fail(2, "unavailable"),
                ok(1, value),
                begin(0, "add", 50),
                ok(0, 50),
            ]),
        )
    };
    for value in 5..=8 {
        assert_says(&around(value), Answer::Valid, "1 read within");
    }
    assert_says(
        &around(4),
        Answer::Invalid,
        "operation 2 read 4 where the adds allow 5 to 8: adds acknowledged",
    );
    assert_says(
        &around(9),
        Answer::Invalid,
        "operation 2 read 9 where the adds allow 5 to 8: all adds invoked",
    );
    assert_eq!(the(&around(9), Class::OutOfBounds), [2]);
}

#[test]
fn negative_adds_count_the_other_way_round() {
    let after = |value: i64| {
        check(
            Kind::CounterBounds,
            &history([
                begin(0, "add", -3),
                ok(0, -3),
                begin(0, "decr", 2),
                info(0),
                begin(1, "add", "4"),
                info(1),
                begin(2, "read", Value::Null),
                ok(2, value),
            ]),
        )
    };
    for value in -5..=1 {
        assert_says(&after(value), Answer::Valid, "");
    }
    assert_says(&after(-6), Answer::Invalid, "-5 to 1");
    assert_says(&after(2), Answer::Invalid, "-5 to 1");
}

#[test]
fn nothing_there_is_zero_and_no_read_is_no_answer() {
    let nothing = history([begin(0, "read", Value::Null), ok(0, Value::Null)]);
    assert_says(&check(Kind::CounterBounds, &nothing), Answer::Valid, "");
    let late = history([begin(0, "add", 1), ok(0, 1), begin(0, "read", Value::Null), ok(0, Value::Null)]);
    assert_says(&check(Kind::CounterBounds, &late), Answer::Invalid, "read nothing where the adds allow 1:");
    let unread = history([begin(0, "add", 1), ok(0, 1), begin(0, "read", Value::Null), info(0)]);
    assert_says(&check(Kind::CounterBounds, &unread), Answer::Unknown, "never read");
    let odd = history([begin(0, "add", json!([1])), ok(0, 1), begin(0, "read", Value::Null), ok(0, 7)]);
    assert_says(&check(Kind::CounterBounds, &odd), Answer::Unknown, "should be a whole number");
}

/// Adds of 10 and -1 that happened, of 5 and 7 that perhaps did, then two final reads.
fn finals(first: i64, second: i64) -> Vec<history::Operation> {
    history([
        begin(0, "add", 10),
        ok(0, 10),
        begin(0, "add", -1),
        ok(0, -1),
        begin(1, "add", 5),
        info(1),
        begin(2, "add", 7),
        info(2),
        begin(3, "read", Value::Null),
        ok(3, 0),
        final_read(3),
        ok(3, first),
        final_read(4),
        ok(4, second),
    ])
}

#[test]
fn final_reads_must_agree_on_a_sum_of_the_adds() {
    for value in [9, 14, 16, 21] {
        assert_says(
            &check(Kind::PnCounter, &finals(value, value)),
            Answer::Valid,
            "2 final reads with one value",
        );
    }
    let verdict = check(Kind::PnCounter, &finals(14, 16));
    assert_says(&verdict, Answer::Invalid, "1 disagreeing final read");
    assert_eq!(the(&verdict, Class::Disagreeing), [5, 6]);
    let verdict = check(Kind::PnCounter, &finals(15, 15));
    assert_says(
        &verdict,
        Answer::Invalid,
        "2 unacceptable final reads: for one, the final read of operation 5 is 15",
    );
    assert!(verdict.reason.ends_with("the adds make 9, 14, 16, 21"), "{}", verdict.reason);
}

#[test]
fn a_counter_that_only_grows_has_no_negative_adds() {
    assert_says(&check(Kind::GCounter, &finals(9, 9)), Answer::Unknown, "operation 1 takes away");
    let grown = history([begin(0, "add", 3), ok(0, 3), final_read(0), ok(0, 3)]);
    assert_says(&check(Kind::GCounter, &grown), Answer::Valid, "1 final read with one value");
}

#[test]
fn without_a_settled_end_final_reads_say_nothing() {
    let unmarked = history([begin(0, "add", 3), ok(0, 3), begin(0, "read", Value::Null), ok(0, 3)]);
    assert_says(&check(Kind::PnCounter, &unmarked), Answer::Unknown, "phase \"final\"");
    let busy = history([begin(0, "add", 3), final_read(1), ok(1, 3), ok(0, 3), final_read(1), ok(1, 0)]);
    assert_says(&check(Kind::PnCounter, &busy), Answer::Unknown, "operation 0 still added");
}
