//! Plans read and written, answers combined, and sentences that claim what was measured and no more.

use super::fixture::{Made, SECOND, backoff_study, plan, write_run};
use super::{no_deadline, *};
use checker::limits::Limits;
use checker::linearizability::{self, Model, Verdict};
use history::{Operation, Operations, Outcome};
use serde_json::{Value, json};

#[test]
fn a_plan_is_read_as_the_contract_writes_it() {
    let text = r#"{"bench":"0.1.0","spec":"backoff","about":"…","seed":42,"started":"2026-11-23T10:00:00Z",
        "machine":"2 cores, Linux 6.18","variants":[{"name":"main","model":"register","system":"paxos","network":"proxy",
        "nodes":["n1","n2","n3"],"replicas":["n1","n2","n3"],"clients":10,"rate":500,"minimum-rate":20,"keys":8,
        "client-seeds":[1,18446744073709551615],"check":{"linearizable":true,"timeout":"60s","agreement":true},
        "faults":[{"fault":1,"kind":"kill","label":"kill leader","target":"leader","nodes":null,"start":3000000000,
        "end":5000000000}]}]}"#;
    let plan: Plan = serde_json::from_str(text).unwrap();
    assert_eq!(plan.variants[0].check.timeout, Duration::from_secs(60));
    assert_eq!(plan.variants[0].rate, Some(500.0));
    let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(again, plan);
    let load = r#"{"phases":[{"phase":"warmup","start":0,"end":5},{"phase":"load","start":5,"end":9}],"unsent":0,"complete":true}"#;
    let load: Load = serde_json::from_str(load).unwrap();
    assert_eq!((load.phases.len(), load.complete, load.failure), (2, true, None));
}

#[test]
fn invalid_beats_failed_beats_unknown_beats_valid() {
    use Answer::{Failed, Invalid, Unknown, Valid};
    assert_eq!(Answer::combined([Valid, Unknown, Failed, Invalid]), Invalid);
    assert_eq!(Answer::combined([Valid, Unknown, Failed]), Failed);
    assert_eq!(Answer::combined([Unknown, Valid]), Unknown);
    assert_eq!(Answer::combined([Valid, Valid]), Valid);
    assert_eq!(Answer::combined([]), Unknown);
}

fn read_study(change: impl Fn(Made) -> Made) -> RunVerdict {
    let dir = tempfile::tempdir().unwrap();
    let short = |made| change(Made { rate: 60.0, load: 6 * SECOND, kills: vec![], ..made });
    write_run(dir.path(), "backoff", &backoff_study().map(short));
    judge(dir.path(), &no_deadline).unwrap()
}

#[test]
fn a_livelock_is_named_and_compared_first() {
    let verdict = read_study(|made| made);
    let text = verdict.reading.clone().unwrap();
    assert!(text.starts_with("Livelock with backoff-off: leaders were preempted "), "{text}");
    assert!(text.contains(" From backoff-off to exponential: decisions "), "{text}");
    assert!(text.contains("The clients got ") && text.contains(" with aimd ("), "{text}");
    assert_eq!(verdict.medians.iter().map(|it| it.livelocks).collect::<Vec<_>>(), [1, 0, 0]);
    let calm = read_study(|made| Made { livelock: made.livelock.min(0.02), ..made });
    let text = calm.reading.unwrap();
    assert!(text.starts_with("No livelock: "), "{text}");
}

#[test]
fn a_share_is_all_only_when_it_is() {
    let shares = [(0, 7), (1, 100_000), (9, 1000), (87, 100), (996, 1000), (99_999, 100_000), (1000, 1000)];
    let said = shares.map(|(part, whole)| sentences::share(part, whole));
    assert_eq!(said, ["0 %", "0.001 %", "0.9 %", "87 %", "99.6 %", "99.999 %", "100 %"]);
}

#[test]
fn there_is_nothing_to_say_where_leaders_never_compete() {
    let quiet = read_study(|made| Made { livelock: 0.0, load: SECOND, ..made });
    for variant in &quiet.variants {
        assert_eq!(variant.summary.protocol.unwrap().preemptions(), 0);
    }
    assert_eq!(quiet.reading, None);
}

#[test]
fn a_detail_does_not_repeat_the_name_and_is_only_there_where_variants_differ() {
    let variants = [("none", "none"), ("aimd", "aimd, 10ms down"), ("slow", "exponential, 1s")];
    let made = variants.map(|(name, backoff)| Made { backoff: Some(backoff), ..Made::sound(name) });
    let plan_of = |made: &[Made]| plan("backoff", made);
    let study = plan_of(&made);
    let details: Vec<_> = study.variants.iter().map(|variant| sentences::detail(&study, variant)).collect();
    assert_eq!(details, [None, Some("10ms down".to_owned()), Some("backoff exponential, 1s".to_owned())]);
    let one = plan_of(&made[1..2]);
    assert_eq!(sentences::detail(&one, &one.variants[0]), None);
}

/// Operations one after the other, each of a client and a node of its own; all of them succeed.
fn in_turn(operations: &[(&str, Value, Value)]) -> Operations {
    let one = |(index, (f, argument, result)): (usize, &(&str, Value, Value))| Operation {
        process: index as u64,
        client: None,
        f: (*f).to_owned(),
        key: Some("k1".into()),
        argument: argument.clone(),
        outcome: Outcome::Ok(result.clone()),
        invoked: 2 * index,
        completed: Some(2 * index + 1),
        intended_ns: None,
        invoked_ns: 2 * index as u64,
        completed_ns: Some(2 * index as u64 + 1),
        node: Some(format!("n{index}")),
        phase: None,
    };
    operations.iter().enumerate().map(one).collect()
}

fn violation(operations: &[(&str, Value, Value)]) -> String {
    let operations = in_turn(operations);
    let Verdict::Invalid(witness) = linearizability::check(&operations, Model::Kv, &Limits::DEFAULT) else {
        panic!("these operations fit no order")
    };
    explain::violation(&witness, &operations).unwrap()
}

#[test]
fn a_violation_is_told_in_one_sentence_of_a_readers_words() {
    let write = |value: i64| ("write", json!(value), json!(value));
    let read = |value: Value| ("read", Value::Null, value);
    let cas = |from: i64, to: i64| ("cas", json!([from, to]), json!([from, to]));
    assert_eq!(
        violation(&[write(121), write(454), read(json!(454)), read(json!(121))]),
        "a read of k1 through n3 returned 121 although 454 had been written before it"
    );
    assert_eq!(
        violation(&[write(638), write(920), read(json!(638))]),
        "a read of k1 through n2 returned 638 although 920 had been written before it"
    );
    assert_eq!(
        violation(&[write(17), read(Value::Null)]),
        "a read of k1 through n1 returned nothing although 17 had been written before it"
    );
    assert_eq!(
        violation(&[write(327), write(310), cas(327, 333)]),
        "a compare-and-set of k1 through n2 from 327 to 333 succeeded although 310 had been written before it"
    );
    assert_eq!(
        violation(&[write(404), cas(404, 401), cas(404, 411)]),
        "two compare-and-sets of k1 from 404 succeeded, to 401 through n1 and to 411 through n2"
    );
    assert_eq!(
        violation(&[write(1), read(json!(99))]),
        "a read of k1 through n1 returned 99, which no operation had written"
    );
    let append = |text: &str| ("append", json!(text), json!(text));
    assert_eq!(
        violation(&[append(",15"), append(",21"), ("get", Value::Null, json!(",15,15,21"))]),
        "a read of k1 through n2 returned \",15,15,21\", which is more than had been appended until then"
    );
}

#[test]
fn possible_values_lead_to_their_writers() {
    let write = |value: i64| ("write", json!(value), json!(value));
    let mut operations =
        in_turn(&[write(1), write(2), write(3), write(4), ("read", Value::Null, json!(1))]).to_vec();
    for open in &mut operations[2..4] {
        open.outcome = Outcome::Info { error: None };
        (open.completed, open.completed_ns) = (None, None);
    }
    let operations: Operations = operations.into_iter().collect();
    let Verdict::Invalid(witness) = linearizability::check(&operations, Model::Kv, &Limits::DEFAULT) else {
        panic!("1 was overwritten before it was read")
    };
    assert_eq!(
        explain::violation(&witness, &operations).unwrap(),
        "a read of k1 through n4 returned 1 although 2 had been written before it"
    );
    let violation = violation::Violation::of_order(&witness, &operations, Model::Kv, &Limits::DEFAULT);
    let mut values: Vec<_> =
        violation.values.iter().map(|possible| (possible.value.as_str(), possible.source)).collect();
    values.sort_unstable();
    assert_eq!(values, [("2", Some(1)), ("3", Some(2)), ("4", Some(3))]);
    assert!([1, 2, 3, 4].iter().all(|index| violation.operations.contains(index)), "{violation:?}");
    assert!(!violation.order.is_empty(), "the order is told although there is more in it");
}
