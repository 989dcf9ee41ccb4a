//! Sequential consistency: histories worked by hand, and small ones by chance against brute force.

use crate::support::share::{print_counts, share};
use checker::limits::Limits;
use checker::sequential::{Verdict, check, confirm};
use history::{Operation, Outcome};
use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The operation number `index` of a script: invoked and completed at once.
fn operation(index: usize, process: u64, f: &str, key: &str, argument: Value, outcome: Outcome) -> Operation {
    let definite = !matches!(outcome, Outcome::Info { .. });
    Operation {
        process,
        client: None,
        f: f.to_owned(),
        key: Some(key.to_owned()),
        argument,
        outcome,
        invoked: 2 * index,
        completed: definite.then_some(2 * index + 1),
        intended_ns: None,
        invoked_ns: 2 * index as u64,
        completed_ns: Some(2 * index as u64 + 1),
        node: None,
        phase: None,
    }
}

/// A script: each line is a process, `w`, `r` or `c`, a key, and the value; of a read what it found.
fn script(lines: &[(u64, &str, &str, Value)]) -> Vec<Operation> {
    let lines = lines.iter().enumerate();
    lines
        .map(|(index, (process, f, key, value))| {
            let (f, argument, outcome) = match *f {
                "w" => ("write", value.clone(), Outcome::Ok(value.clone())),
                "w?" => ("write", value.clone(), Outcome::Info { error: None }),
                "r" => ("read", Value::Null, Outcome::Ok(value.clone())),
                "c" => ("cas", value.clone(), Outcome::Ok(value.clone())),
                "c!" => {
                    let error = Some("precondition".to_owned());
                    ("cas", value.clone(), Outcome::Fail { error, actual: None })
                }
                other => panic!("there is no {other}"),
            };
            operation(index, *process, f, key, argument, outcome)
        })
        .collect()
}

fn judged(lines: &[(u64, &str, &str, Value)]) -> Verdict {
    check(&script(lines), &Limits::DEFAULT)
}

fn reason(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Invalid { reason, evidence, .. } => format!("{reason}\n{}", evidence.join("\n")),
        Verdict::Unknown { reason } => reason.clone(),
        Verdict::Valid { order } => panic!("valid: {order:?}"),
    }
}

#[test]
fn stale_read_of_another_process_is_valid() {
    let verdict = judged(&[
        (0, "w", "x", json!(1)),
        (0, "w", "x", json!(2)),
        (1, "r", "x", json!(1)),
        (1, "r", "x", json!(2)),
    ]);
    assert_eq!(verdict, Verdict::Valid { order: vec![0, 2, 1, 3] });
}

#[test]
fn process_that_goes_back_is_invalid() {
    let verdict = judged(&[
        (0, "w", "x", json!(1)),
        (0, "w", "x", json!(2)),
        (1, "r", "x", json!(2)),
        (1, "r", "x", json!(1)),
    ]);
    let said = reason(&verdict);
    assert!(said.contains("would have to come before itself"), "{said}");
    assert!(
        said.contains("process 0 sent it first") && said.contains("before operation 3, which still"),
        "{said}"
    );
}

#[test]
fn own_write_must_be_seen() {
    let verdict = judged(&[(0, "w", "x", json!(1)), (0, "r", "x", Value::Null)]);
    assert!(reason(&verdict).contains("it found no value yet"), "{verdict:?}");
}

/// Each key by itself has an order, the two together have none: the reason why keys cannot be judged one by one.
#[test]
fn keys_in_order_alone_can_contradict_together() {
    let lines = [
        (0, "w", "x", json!(1)),
        (0, "r", "y", Value::Null),
        (1, "w", "y", json!(1)),
        (1, "r", "x", Value::Null),
    ];
    assert!(matches!(judged(&lines), Verdict::Invalid { .. }));
    for key in ["x", "y"] {
        let own: Vec<_> = lines.iter().filter(|line| line.2 == key).cloned().collect();
        assert!(matches!(judged(&own), Verdict::Valid { .. }), "{key}");
    }
}

#[test]
fn readers_that_disagree_on_writes_are_invalid() {
    let verdict = judged(&[
        (0, "w", "x", json!(1)),
        (1, "w", "x", json!(2)),
        (2, "r", "x", json!(1)),
        (2, "r", "x", json!(2)),
        (3, "r", "x", json!(2)),
        (3, "r", "x", json!(1)),
    ]);
    assert!(matches!(verdict, Verdict::Invalid { .. }), "{verdict:?}");
}

#[test]
fn unknown_write_happens_late_or_never() {
    let never = judged(&[(0, "w?", "x", json!(1)), (1, "r", "x", Value::Null)]);
    assert_eq!(never, Verdict::Valid { order: vec![1] });
    let late = judged(&[
        (0, "w", "y", json!(1)),
        (0, "w?", "x", json!(1)),
        (1, "r", "x", Value::Null),
        (1, "r", "x", json!(1)),
        (1, "r", "y", json!(1)),
    ]);
    assert!(matches!(late, Verdict::Valid { .. }), "{late:?}");
    let before = judged(&[
        (0, "w", "y", json!(1)),
        (0, "w?", "x", json!(1)),
        (1, "r", "x", json!(1)),
        (1, "r", "y", Value::Null),
    ]);
    assert!(matches!(before, Verdict::Invalid { .. }), "{before:?}");
}

#[test]
fn two_updates_of_one_value_are_invalid() {
    let verdict =
        judged(&[(0, "w", "x", json!(1)), (0, "c", "x", json!([1, 2])), (1, "c", "x", json!([1, 3]))]);
    assert!(matches!(verdict, Verdict::Invalid { .. }), "{verdict:?}");
}

#[test]
fn refused_update_needs_another_value() {
    let alone = judged(&[(0, "w", "x", json!(1)), (0, "c!", "x", json!([1, 2]))]);
    assert!(reason(&alone).contains("no order explains all of 2 operations"), "{alone:?}");
    let explained =
        judged(&[(0, "w", "x", json!(1)), (0, "c!", "x", json!([1, 2])), (1, "w?", "x", json!(3))]);
    assert_eq!(explained, Verdict::Valid { order: vec![0, 2, 1] });
}

/// Found by brute force: nobody can have written the value that was missed.
#[test]
fn impossible_update_writes_no_value() {
    let mut operations = script(&[
        (0, "w", "x", json!(1)),
        (2, "c", "y", json!([1, 2])),
        (3, "c", "y", json!([2, 3])),
        (1, "c!", "y", json!([3, 4])),
    ]);
    for operation in &mut operations[1..3] {
        operation.outcome = Outcome::Info { error: None };
    }
    assert_eq!(check(&operations, &Limits::DEFAULT), Verdict::Valid { order: vec![3, 0] });
}

#[test]
fn what_cannot_be_judged_is_unknown() {
    let twice = judged(&[(0, "w", "x", json!(1)), (1, "w", "x", json!(1))]);
    assert!(reason(&twice).contains("written once"), "{twice:?}");
    let mut operations = script(&[(0, "w", "x", json!(1))]);
    operations[0].f = "append".to_owned();
    assert!(reason(&check(&operations, &Limits::DEFAULT)).contains("not known to registers"));
    let limits = Limits { stop: &|| true, ..Limits::DEFAULT };
    assert!(matches!(check(&script(&[(0, "w", "x", json!(1))]), &limits), Verdict::Unknown { .. }));
    let nowhere = judged(&[(0, "r", "x", json!(7))]);
    assert!(reason(&nowhere).contains("which no operation wrote"));
}

/// Whether some order explains a history: all orders are tried. It shares no code with the check.
fn explained(operations: &[Operation]) -> bool {
    let mut processes: BTreeMap<u64, Vec<&Operation>> = BTreeMap::new();
    let mut sorted: Vec<&Operation> = operations.iter().collect();
    sorted.sort_by_key(|operation| operation.invoked);
    for operation in sorted {
        processes.entry(operation.process).or_default().push(operation);
    }
    let processes: Vec<_> = processes.into_values().collect();
    let mut seen = BTreeSet::new();
    goes_on(&processes, &vec![0; processes.len()], &BTreeMap::new(), &mut seen)
}

type Seen = BTreeSet<(Vec<usize>, Vec<(String, String)>)>;

fn goes_on(
    processes: &[Vec<&Operation>],
    done: &[usize],
    values: &BTreeMap<String, Value>,
    seen: &mut Seen,
) -> bool {
    let state = values.iter().map(|(key, value)| (key.clone(), value.to_string())).collect();
    if !seen.insert((done.to_vec(), state)) {
        return false;
    }
    let left = processes.iter().zip(done).filter(|(own, done)| {
        own[**done..].iter().any(|operation| !matches!(operation.outcome, Outcome::Info { .. }))
    });
    if left.count() == 0 {
        return true;
    }
    (0..processes.len()).any(|process| {
        let Some(operation) = processes[process].get(done[process]) else { return false };
        let mut next = done.to_vec();
        next[process] += 1;
        effects(operation, values).into_iter().any(|values| goes_on(processes, &next, &values, seen))
    })
}

/// The values after an operation: none where it is impossible.
fn effects(operation: &Operation, values: &BTreeMap<String, Value>) -> Vec<BTreeMap<String, Value>> {
    let key = operation.key.clone().unwrap();
    let value = values.get(&key).cloned().unwrap_or_default();
    let argument = &operation.argument;
    let set = |to: &Value| {
        let mut values = values.clone();
        values.insert(key.clone(), to.clone());
        values
    };
    let same = || values.clone();
    match (operation.f.as_str(), &operation.outcome) {
        ("read", Outcome::Ok(found)) if *found == value => vec![same()],
        ("write", Outcome::Ok(_)) => vec![set(argument)],
        ("write", Outcome::Info { .. }) => vec![set(argument), same()],
        ("cas", Outcome::Ok(_)) if argument[0] == value => vec![set(&argument[1])],
        ("cas", Outcome::Info { .. }) if argument[0] == value => vec![set(&argument[1]), same()],
        ("cas", Outcome::Fail { error: Some(_), actual })
            if argument[0] != value && actual.as_ref().is_none_or(|actual| *actual == value) =>
        {
            vec![same()]
        }
        ("read" | "cas", Outcome::Ok(_)) | ("cas", Outcome::Fail { error: Some(_), .. }) => Vec::new(),
        _ => vec![same()],
    }
}

/// A small history of a store that answers reads from older states now and then; some answers are drawn by chance.
fn by_chance(rng: &mut ChaCha8Rng) -> Vec<Operation> {
    let processes = rng.random_range(1..=4_u64);
    let keys = ["x", "y", "z"];
    let keys = &keys[..rng.random_range(1..=3)];
    let (lag, odd) = (rng.random_range(0..3_u32), rng.random_range(0..3_u32));
    let mut states: Vec<BTreeMap<&str, Value>> = vec![BTreeMap::new()];
    let mut seen = vec![0_usize; usize::try_from(processes).unwrap()];
    let (mut ended, mut written) = (BTreeSet::new(), 0);
    let mut operations = Vec::new();
    for index in 0..rng.random_range(1..=11) {
        let process = rng.random_range(0..processes);
        if ended.contains(&process) {
            continue;
        }
        let key = keys[rng.random_range(0..keys.len())];
        let now = states.len() - 1;
        let at = if rng.random_range(0..6) < lag {
            rng.random_range(seen[usize::try_from(process).unwrap()]..=now)
        } else {
            now
        };
        let wrong = rng.random_range(0..8) < odd;
        let mut value = states[at].get(key).cloned().unwrap_or_default();
        if wrong {
            value =
                if rng.random_bool(0.3) { Value::Null } else { json!(rng.random_range(1..=written.max(1))) };
        }
        seen[usize::try_from(process).unwrap()] = at;
        let unknown = rng.random_range(0..7) == 0;
        let (f, argument, outcome) = match rng.random_range(0..10) {
            0..5 => ("read", Value::Null, Outcome::Ok(value)),
            5..8 => {
                written += 1;
                ("write", json!(written), Outcome::Ok(json!(written)))
            }
            8 => {
                written += 1;
                let argument = json!([value, written]);
                ("cas", argument.clone(), Outcome::Ok(argument))
            }
            _ => {
                let error = Some("precondition".to_owned());
                let from = json!(rng.random_range(1..=written.max(1)));
                let actual = rng.random_bool(0.5).then_some(value);
                written += 1;
                ("cas", json!([from, written]), Outcome::Fail { error, actual })
            }
        };
        let changes = matches!(outcome, Outcome::Ok(_)) && f != "read";
        let outcome = if changes && unknown { Outcome::Info { error: None } } else { outcome };
        if changes && (!unknown || rng.random_bool(0.5)) {
            let mut next = states[now].clone();
            next.insert(key, if f == "write" { argument.clone() } else { argument[1].clone() });
            states.push(next);
        }
        if matches!(outcome, Outcome::Info { .. }) {
            ended.insert(process);
        }
        operations.push(operation(index, process, f, key, argument, outcome));
    }
    operations
}

/// Compares the check with brute force, and counts how many were valid and invalid.
fn compare(histories: u64, seed: u64) -> [u64; 2] {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut counts = [0; 2];
    for _ in 0..histories {
        let operations = by_chance(&mut rng);
        let expected = explained(&operations);
        match check(&operations, &Limits::DEFAULT) {
            Verdict::Valid { order } => {
                assert!(expected, "found an order {order:?} of {operations:#?}");
                assert_eq!(confirm(&operations, &order), Ok(()));
            }
            Verdict::Invalid { reason, evidence, .. } => {
                assert!(!expected, "{reason}\n{}\n{operations:#?}", evidence.join("\n"));
            }
            Verdict::Unknown { reason } => panic!("{reason}: {operations:#?}"),
        }
        counts[usize::from(expected)] += 1;
    }
    counts
}

#[test]
fn small_histories_are_judged_as_brute_force_does() {
    let counts = compare(150_000, 1);
    assert!(counts.iter().all(|count| *count > 30_000), "both verdicts must be common: {counts:?}");
}

#[test]
#[ignore = "millions of histories, as many as ORACLE_HISTORIES says"]
fn millions_of_sequential_histories_are_judged_as_brute_force_does() {
    print_counts("sequential-register", compare(share(), 2).map(|count| count));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A process of its own for each operation leaves no order to keep; one process for all leaves no choice.
    #[test]
    fn fewer_processes_never_make_a_history_valid(seed: u64) {
        let operations = by_chance(&mut ChaCha8Rng::seed_from_u64(seed));
        let valid = |operations: &[Operation]| matches!(check(operations, &Limits::DEFAULT), Verdict::Valid { .. });
        let mut apart = operations.clone();
        for (process, operation) in (0..).zip(&mut apart) {
            operation.process = process;
        }
        prop_assert!(!valid(&operations) || valid(&apart));
    }
}

/// A long sound history whose reads lag behind, each process at another place, and the same with one read that goes back.
#[test]
fn large_histories_are_judged_in_time() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (processes, keys) = (12, 8);
    let mut states = vec![vec![0_u64; keys]];
    let mut seen = vec![0_usize; processes];
    let mut operations = Vec::new();
    for index in 0..30_000 {
        let process = rng.random_range(0..processes);
        let key = rng.random_range(0..keys);
        let name = format!("k{key}");
        let now = states.len() - 1;
        if rng.random_bool(0.3) {
            let value = index as u64 + 1;
            let mut next = states[now].clone();
            next[key] = value;
            states.push(next);
            seen[process] = now + 1;
            let outcome = Outcome::Ok(json!(value));
            operations.push(operation(index, process as u64, "write", &name, json!(value), outcome));
        } else {
            seen[process] = rng.random_range(seen[process]..=now).max(now.saturating_sub(40));
            let value = Some(states[seen[process]][key]).filter(|value| *value > 0);
            let outcome = Outcome::Ok(json!(value));
            operations.push(operation(index, process as u64, "read", &name, Value::Null, outcome));
        }
    }
    let verdict = check(&operations, &Limits::DEFAULT);
    assert!(matches!(verdict, Verdict::Valid { .. }), "{}", reason(&verdict));
    let old = operations.iter().find(|operation| operation.f == "write").unwrap().clone();
    let last = operations.iter_mut().rev().find(|it| it.f == "read" && it.key == old.key).unwrap();
    last.outcome = Outcome::Ok(old.argument);
    let verdict = check(&operations, &Limits::DEFAULT);
    assert!(matches!(verdict, Verdict::Invalid { .. }), "an old value was read again: {verdict:?}");
}
