//! Banks and ids, worked by hand.

use super::script::{assert_says, begin, fail, history, info, ok, one_by_one, the, values};
use checker::Answer;
use checker::elements::{Class, Kind, Options, check, check_with};
use serde_json::{Value, json};

fn reads(balances: &[Value]) -> Vec<history::Operation> {
    let reads: Vec<_> = balances.iter().map(|balances| ("read", Value::Null, balances.clone())).collect();
    one_by_one(&reads)
}

fn known() -> Options {
    let accounts = ["0", "1"].map(str::to_owned).into();
    Options { accounts: Some(accounts), total: Some(20), ..Options::default() }
}

#[test]
fn reads_with_one_total_are_valid() {
    let operations = history([
        begin(0, "read", Value::Null),
        ok(0, json!({"0": 10, "1": 10})),
        begin(0, "transfer", json!({"from": 0, "to": 1, "amount": 4})),
        info(0),
        begin(1, "read", Value::Null),
        ok(1, json!({"0": "6", "1": 14})),
    ]);
    assert_says(&check(Kind::Bank, &operations), Answer::Valid, "2 reads");
    assert_says(&check_with(Kind::Bank, &operations, &known()), Answer::Valid, "2 reads");
}

#[test]
fn a_read_with_another_total_than_most_is_wrong() {
    let operations = reads(&[json!({"0": 9, "1": 10}), json!({"0": 10, "1": 10}), json!({"0": 8, "1": 12})]);
    let verdict = check(Kind::Bank, &operations);
    assert_says(&verdict, Answer::Invalid, "operation 0 read balances of 19 in total, most reads have 20");
    assert_eq!(the(&verdict, Class::WrongTotal), [0]);
    let verdict = check_with(Kind::Bank, &reads(&[json!({"0": 9, "1": 10})]), &known());
    assert_says(&verdict, Answer::Invalid, "19 in total, it should be 20");
}

#[test]
fn strange_nil_and_negative_balances_are_told_apart() {
    let operations = reads(&[
        json!({"0": 10, "1": 10}),
        json!({"0": 10, "1": 10, "7": 0}),
        json!({"0": 20, "1": null}),
        json!({"0": 25, "1": -5}),
        Value::Null,
    ]);
    let verdict = check_with(Kind::Bank, &operations, &known());
    assert_eq!(the(&verdict, Class::UnexpectedKey), [1]);
    assert_eq!(values(&verdict, Class::NilBalance), [Value::Null, json!({"0": 20, "1": null})]);
    assert_eq!(the(&verdict, Class::NegativeBalance), [3]);
    assert_eq!(verdict.count("wrong totals"), Some(0));
    let guessed = check(Kind::Bank, &operations);
    assert_eq!(guessed.findings, verdict.findings);
    let allowed = Options { negative_balances: true, ..known() };
    assert_eq!(check_with(Kind::Bank, &operations, &allowed).count("negative balances"), Some(0));
}

#[test]
fn a_single_total_and_no_read_at_all_prove_nothing() {
    let one = reads(&[json!({"0": 10, "1": 10})]);
    assert_says(&check(Kind::Bank, &one), Answer::Unknown, "nothing to compare it with");
    assert_says(&check_with(Kind::Bank, &one, &known()), Answer::Valid, "1 read");
    let none = history([begin(0, "read", Value::Null), fail(0, "unavailable")]);
    assert_says(&check_with(Kind::Bank, &none, &known()), Answer::Unknown, "no read of the accounts");
    let lists = reads(&[json!([10, 10]), json!([10, 10])]);
    assert_says(&check(Kind::Bank, &lists), Answer::Unknown, "should be read as an object");
}

#[test]
fn an_id_given_out_twice_is_duplicated() {
    let generate = |ids: &[Value]| {
        let operations: Vec<_> = ids.iter().map(|id| ("generate", Value::Null, id.clone())).collect();
        check(Kind::UniqueIds, &one_by_one(&operations))
    };
    let verdict = generate(&[json!(7), json!(-2), json!(30)]);
    assert_says(&verdict, Answer::Valid, "3 ids, none");
    assert_eq!(verdict.notes, ["ids from -2 to 30"]);
    let verdict = generate(&[json!(7), json!("7"), json!(7), json!([1]), json!(7)]);
    assert_says(&verdict, Answer::Invalid, "1 duplicated element: id 7 was given out 3 times");
    assert_eq!(the(&verdict, Class::Duplicated), [0, 2, 4]);
    assert_says(&generate(&[Value::Null]), Answer::Unknown, "without an id");
    let none = history([begin(0, "generate", Value::Null), info(0)]);
    assert_says(&check(Kind::UniqueIds, &none), Answer::Unknown, "no id was acknowledged");
}
