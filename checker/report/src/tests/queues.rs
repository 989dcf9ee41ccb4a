//! Queues: when they are drained, and when what is missing proves something.

use super::Answer::{Invalid, Unknown, Valid};
use super::built::Built;
use checker::elements::Kind::TotalQueue;
use history::Kind;
use serde_json::{Value, json};

/// Two queues that are used all the time: every fourth operation takes an element out. `keeps` says which elements stay in
/// for the drain, and `drained` through which nodes there is one.
fn used(keeps: impl Fn(u64) -> bool, drained: &[&str]) -> Built {
    let mut built = Built::new();
    built.plan.functions = ["dequeue", "enqueue"].map(String::from).to_vec();
    let mut inside = [Vec::new(), Vec::new()];
    for (number, at) in (0..).zip((0..7000).step_by(20)) {
        let node = ["n1", "n2", "n3"][number % 3];
        if node == "n1" && (2000..3000).contains(&at) {
            continue;
        }
        let queue = number / 6 % 2;
        let name = format!("k{}", queue + 1);
        if number % 4 == 3 {
            let element = if inside[queue].is_empty() { Value::Null } else { json!(inside[queue].remove(0)) };
            built.queue("dequeue", (&name, node), at, Some(element));
        } else {
            built.queue("enqueue", (&name, node), at, Some(json!(at)));
            if keeps(at) {
                inside[queue].push(at);
            }
        }
    }
    let mut at = 8000;
    for (queue, inside) in inside.iter().enumerate() {
        let name = format!("k{}", queue + 1);
        for element in inside {
            built.queue("dequeue", (&name, "n2"), at, Some(json!(element)));
            at += 6;
        }
    }
    for node in drained {
        for name in ["k1", "k2"] {
            built.queue("dequeue", (name, node), at, Some(Value::Null));
            at += 6;
        }
    }
    built
}

const ALL: [&str; 3] = ["n1", "n2", "n3"];

#[test]
fn drained_queues_meet_every_obligation() {
    let built = used(|_| true, &ALL);
    assert_eq!(built.unmet(), []);
    assert_eq!(built.queue_check(TotalQueue).0, Valid);
}

#[test]
fn node_that_was_not_drained_is_named() {
    let built = used(|_| true, &["n2", "n3"]);
    let names = built.unmet();
    let drained =
        names.iter().find(|(name, _)| *name == "queues-drained").expect("n1 did not say that it is empty");
    assert_eq!(drained.1, "k1 through n1, k2 through n1");
}

#[test]
fn node_that_stands_by_need_not_be_drained() {
    let mut built = used(|_| true, &["n2", "n3"]);
    for key in ["k1", "k2"] {
        built.ended("dequeue", key, "n1", (11_900, 1), (Kind::Fail, Some("standby")));
    }
    assert_eq!(built.unmet(), []);
}

#[test]
fn element_after_the_last_empty_answer_counts() {
    let mut built = used(|_| true, &ALL);
    built.queue("enqueue", ("k1", "n2"), 4001, Some(json!(4001)));
    built.queue("dequeue", ("k1", "n2"), 11_990, Some(json!(4001)));
    let missing = "k1 through n1, k1 through n2, k1 through n3".to_owned();
    assert_eq!(built.unmet(), [("queues-drained", missing)]);
}

#[test]
fn lost_elements_are_invalid_only_when_drained() {
    let loses = |at| !(1500..2000).contains(&at);
    let (answer, reason) = used(loses, &ALL).queue_check(TotalQueue);
    assert_eq!(answer, Invalid, "{reason}");
    let (answer, reason) = used(loses, &["n2", "n3"]).queue_check(TotalQueue);
    assert_eq!(answer, Unknown);
    assert!(reason.contains("were not drained: k1 through n1, k2 through n1"), "{reason}");
}

#[test]
fn unknown_dequeues_may_have_taken_what_is_missing() {
    let loses = |at| !(1500..1600).contains(&at);
    let mut built = used(loses, &ALL);
    assert_eq!(built.queue_check(TotalQueue).0, Invalid);
    for number in 0..4 {
        built.queue("dequeue", ("k1", "n2"), 4001 + number, None);
        built.queue("dequeue", ("k2", "n2"), 4101 + number, None);
    }
    let (answer, reason) = built.queue_check(TotalQueue);
    assert_eq!(answer, Unknown, "{reason}");
    assert!(reason.contains("may have taken them"), "{reason}");
}

#[test]
fn element_of_another_queue_is_no_violation() {
    let mut built = used(|_| true, &ALL);
    built.queue("dequeue", ("k2", "n2"), 4001, Some(json!(7)));
    let (answer, reason) = built.queue_check(TotalQueue);
    assert_eq!(answer, Invalid, "nobody put it in: {reason}");
    built.queue("enqueue", ("k1", "n2"), 101, Some(json!(7)));
    let (answer, reason) = built.queue_check(TotalQueue);
    assert_eq!(answer, Unknown);
    assert!(reason.contains("element 7 came out of k2, and was put into k1"), "{reason}");
}

#[test]
fn empty_dequeues_are_no_success() {
    let mut built = used(|_| false, &ALL);
    assert_eq!(built.names(), ["kind-in-load"]);
    built.queue("enqueue", ("k1", "n2"), 4001, Some(json!(4001)));
    built.queue("dequeue", ("k1", "n2"), 4101, Some(json!(4001)));
    assert_eq!(built.names(), [""; 0]);
}
