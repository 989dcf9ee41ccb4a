//! Words that come back, worked by hand.

use super::script::{assert_says, one_by_one, the};
use checker::Answer;
use checker::elements::{Class, Kind, Options, check, check_with};
use serde_json::{Value, json};

#[test]
fn answer_that_differs_is_unexpected() {
    let said = |said: &str, back: &str| ("echo", json!(said), json!(back));
    let sound = one_by_one(&[said("a", "a"), said("b", "b")]);
    assert_says(&check(Kind::Echo, &sound), Answer::Valid, "2 answers");
    let wrong = one_by_one(&[said("a", "a"), said("b", "a")]);
    let verdict = check(Kind::Echo, &wrong);
    assert_says(&verdict, Answer::Invalid, "operation 1 said \"b\", and \"a\" came back");
    assert_eq!(the(&verdict, Class::Unexpected), [1]);
    let other = one_by_one(&[("read", Value::Null, json!([]))]);
    assert_says(&check(Kind::Echo, &other), Answer::Unknown, "");
}

#[test]
fn element_read_twice_is_invalid_only_once() {
    let operations = one_by_one(&[("add", json!(1), json!(1)), ("read", Value::Null, json!([1, 1]))]);
    assert_says(&check(Kind::SetFinal, &operations), Answer::Valid, "");
    let once = Options { once: true, ..Options::default() };
    let verdict = check_with(Kind::SetFinal, &operations, &once);
    assert_says(&verdict, Answer::Invalid, "element 1 is in the final read of operation 1 2 times");
    assert_eq!(the(&verdict, Class::Duplicated), [1]);
}
