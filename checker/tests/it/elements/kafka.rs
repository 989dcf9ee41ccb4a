//! Logs of messages, worked by hand, and simulated ones of which a known part was broken.

use super::script::{assert_says, begin, fail, history, info, ok, the};
use checker::Answer;
use checker::elements::{Class, Kind, check};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use serde_json::{Map, Value, json};

fn send(process: u64, value: i64, offset: Option<i64>) -> [super::script::Step; 2] {
    [
        begin(process, "send", json!([["send", "k", value]])),
        ok(process, json!([["send", "k", [offset, value]]])),
    ]
}

fn poll(process: u64, messages: impl Into<Value>) -> [super::script::Step; 2] {
    let messages = messages.into();
    [begin(process, "poll", json!([["poll"]])), ok(process, json!([["poll", {"k": messages}]]))]
}

#[test]
fn messages_that_come_once_are_valid() {
    let steps = [send(0, 1, Some(0)), send(0, 2, Some(3)), poll(1, json!([[0, 1], [3, 2]]))].concat();
    assert_says(&check(Kind::Kafka, &history(steps)), Answer::Valid, "2 messages polled");
    let none = send(0, 1, Some(0));
    assert_says(&check(Kind::Kafka, &history(none)), Answer::Unknown, "no message was polled");
}

#[test]
fn message_before_a_polled_one_is_lost() {
    let steps = [send(0, 1, Some(0)), send(0, 2, Some(1)), poll(1, json!([[1, 2]]))].concat();
    let verdict = check(Kind::Kafka, &history(steps));
    assert_says(&verdict, Answer::Invalid, "1 lost element");
    assert_eq!(the(&verdict, Class::Lost), [0, 2]);
    let behind = [send(0, 1, Some(0)), send(0, 2, Some(1)), poll(1, json!([[0, 1]]))].concat();
    let verdict = check(Kind::Kafka, &history(behind));
    assert_says(&verdict, Answer::Valid, "");
    assert_eq!(verdict.count("unseen"), Some(1));
}

#[test]
fn offset_holds_one_message() {
    let steps =
        [send(0, 1, Some(0)), poll(1, json!([[0, 1]])), poll(2, json!([[0, 9]])), send(0, 9, None)].concat();
    let verdict = check(Kind::Kafka, &history(steps));
    assert_says(
        &verdict,
        Answer::Invalid,
        "1 inconsistent offset: inconsistent-offsets: offset 0 of key k holds 1",
    );
    assert_eq!(the(&verdict, Class::InconsistentOffset), [0, 2]);
    let twice = [send(0, 1, Some(0)), poll(1, json!([[0, 1], [1, 1]]))].concat();
    assert_says(&check(Kind::Kafka, &history(twice)), Answer::Invalid, "1 duplicated element");
}

#[test]
fn failed_sends_are_not_polled() {
    let aborted = [
        begin(0, "send", json!([["send", "k", 1]])),
        fail(0, "aborted"),
        begin(1, "poll", json!([["poll"]])),
        ok(1, json!([["poll", {"k": [[0, 1]]}]])),
    ];
    assert_says(&check(Kind::Kafka, &history(aborted)), Answer::Invalid, "whose send failed");
    let unknown = [
        begin(0, "send", json!([["send", "k", 1]])),
        info(0),
        begin(1, "poll", json!([["poll"]])),
        ok(1, json!([["poll", {"k": [[0, 1]]}]])),
    ];
    assert_says(&check(Kind::Kafka, &history(unknown)), Answer::Valid, "");
    let stranger = poll(1, json!([[0, 1]]));
    assert_says(&check(Kind::Kafka, &history(stranger)), Answer::Unknown, "which no operation sent");
}

#[test]
fn consumers_neither_skip_nor_go_back() {
    let sent = || [send(0, 1, Some(0)), send(0, 2, Some(2)), send(0, 3, Some(4))].concat();
    let all = poll(9, json!([[0, 1], [2, 2], [4, 3]]));
    for (polls, class, words) in [
        (vec![poll(1, json!([[0, 1], [4, 3]]))], Class::Gap, "skipped 1 message"),
        (vec![poll(1, json!([[0, 1]])), poll(1, json!([[4, 3]]))], Class::Gap, "right behind operation"),
        (vec![poll(1, json!([[2, 2], [0, 1]]))], Class::WentBack, "after offset 2"),
        (vec![poll(1, json!([[2, 2]])), poll(1, json!([[2, 2]]))], Class::WentBack, "after offset 2"),
    ] {
        let steps = [sent(), all.to_vec(), polls.concat()].concat();
        let verdict = check(Kind::Kafka, &history(steps));
        assert_says(&verdict, Answer::Invalid, words);
        assert!(verdict.findings.iter().all(|finding| finding.class == class), "{verdict:#?}");
    }
}

#[test]
fn assignment_decides_what_follows() {
    let sent = || [send(0, 1, Some(0)), send(0, 2, Some(1)), send(0, 3, Some(2))].concat();
    let between = |f, keys: Value| {
        let steps = [
            sent(),
            poll(9, json!([[0, 1], [1, 2], [2, 3]])).to_vec(),
            poll(1, json!([[0, 1]])).to_vec(),
            vec![begin(1, f, keys.clone()), ok(1, keys)],
            poll(1, json!([[2, 3]])).to_vec(),
        ];
        check(Kind::Kafka, &history(steps.concat())).answer
    };
    assert_eq!(between("assign", json!(["k"])), Answer::Invalid);
    assert_eq!(between("assign", json!(["other"])), Answer::Valid);
    assert_eq!(between("subscribe", json!(["k"])), Answer::Valid);
    assert_eq!(between("crash", Value::Null), Answer::Valid);
}

#[test]
fn producer_offsets_grow() {
    let steps = [send(0, 1, Some(5)), send(0, 2, Some(3)), poll(1, json!([[3, 2], [5, 1]]))].concat();
    assert_says(
        &check(Kind::Kafka, &history(steps)),
        Answer::Invalid,
        "sent to offset 3 of key k after offset 5",
    );
}

/// A sound log of several keys, sent to and polled in transactions; each consumer polls from where it was.
fn sound(rng: &mut ChaCha8Rng) -> Vec<(u64, Value, Value)> {
    let mut logs: [Vec<(i64, i64)>; 2] = [Vec::new(), Vec::new()];
    let mut positions = [[0_usize; 2]; 3];
    let (mut value, mut operations) = (0, Vec::new());
    for _ in 0..12 + rng.random_range(0..12) {
        let process = rng.random_range(0..3);
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        for _ in 0..=rng.random_range(0..3) {
            let key = rng.random_range(0..2);
            if rng.random_range(0..2) == 0 {
                value += 1;
                let offset = logs[key]
                    .last()
                    .map_or(0, |(offset, _)| offset + 1 + i64::from(rng.random_range(0..3) == 0));
                logs[key].push((offset, value));
                asked.push(json!(["send", key, value]));
                answered.push(json!(["send", key, [offset, value]]));
            } else {
                let from = positions[process][key];
                let to = logs[key].len().min(from + 1 + rng.random_range(0..3));
                positions[process][key] = to;
                let messages: Vec<Value> = logs[key][from..to].iter().map(|message| json!(message)).collect();
                let polled: Map<String, Value> = [(key.to_string(), json!(messages))].into_iter().collect();
                asked.push(json!(["poll"]));
                answered.push(json!(["poll", polled]));
            }
        }
        operations.push((process as u64, json!(asked), json!(answered)));
    }
    operations
}

fn judged(operations: &[(u64, Value, Value)]) -> checker::elements::Verdict {
    let steps = operations.iter().flat_map(|(process, asked, answered)| {
        [begin(*process, "txn", asked.clone()), ok(*process, answered.clone())]
    });
    check(Kind::Kafka, &history(steps))
}

/// The messages of the first poll with at least `least`, to be changed.
fn polled(operations: &mut [(u64, Value, Value)], least: usize) -> Option<&mut Vec<Value>> {
    let parts =
        operations.iter_mut().flat_map(|(_, _, answered)| answered.as_array_mut().into_iter().flatten());
    parts
        .filter(|part| part[0] == json!("poll"))
        .filter_map(|part| part[1].as_object_mut()?.values_mut().next()?.as_array_mut())
        .find(|messages| messages.len() >= least)
}

#[test]
fn simulated_logs_break_only_where_broken() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut found = [0; 3];
    for _ in 0..3_000 {
        let operations = sound(&mut rng);
        let verdict = judged(&operations);
        assert_ne!(verdict.answer, Answer::Invalid, "{operations:#?} {verdict:#?}");
        let mut gap = operations.clone();
        if let Some(messages) = polled(&mut gap, 3) {
            messages.remove(1);
            let verdict = judged(&gap);
            assert!(
                verdict.findings.iter().any(|finding| finding.class == Class::Gap),
                "{gap:#?} {verdict:#?}"
            );
            found[0] += 1;
        }
        let mut swapped = operations.clone();
        if let Some(messages) = polled(&mut swapped, 2) {
            messages.swap(0, 1);
            let verdict = judged(&swapped);
            assert!(verdict.findings.iter().any(|finding| finding.class == Class::WentBack), "{verdict:#?}");
            found[1] += 1;
        }
        let mut wrong = operations.clone();
        if let Some(messages) = polled(&mut wrong, 1) {
            messages[0][1] = json!(-1);
            let verdict = judged(&wrong);
            let known = verdict.findings.iter().any(|finding| finding.class == Class::InconsistentOffset);
            assert!(known, "{verdict:#?}");
            found[2] += 1;
        }
    }
    assert!(found.iter().all(|count| *count > 500), "{found:?}");
}
