//! Locks with owners, semaphores and versioned registers: against brute force, and histories worked by hand.

use checker::certificate::confirm;
use checker::initial::prepend;
use checker::limits::Limits;
use checker::linearizability::{Model, Verdict, check_certified};
use checker::property::Property;
use history::{Operation, Outcome};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use serde_json::{Value, json};
use std::collections::HashSet;

const MODELS: [Model; 6] = [
    Model::OwnedMutex,
    Model::ReentrantMutex,
    Model::FencedMutex,
    Model::ReentrantFencedMutex,
    Model::Semaphore,
    Model::VersionedRegister,
];

/// A small history of random calls and answers. Most are made at an instant of a sound object, and some are bent.
fn random(model: Model, seed: u64) -> Vec<Operation> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = rng.random_range(1..=7);
    let mut operations: Vec<Operation> = Vec::new();
    let mut state = initial(model);
    // Moments of invocation and completion, so that operations overlap.
    for number in 0..count {
        let process = rng.random_range(0..3);
        let invoked = 4 * number + rng.random_range(0..4);
        let completed = invoked + rng.random_range(1..10);
        let (f, argument) = call(model, &mut rng);
        let mut operation = operation(process, f, argument, (invoked, completed));
        let choices = answers(model, &operation, &state);
        let sound = rng.random_range(0..100) < 85;
        if sound && !choices.is_empty() {
            let (outcome, next) = choices[rng.random_range(0..choices.len().min(4))].clone();
            (operation.outcome, state) = (outcome, next);
        } else {
            let number = json!(rng.random_range(0..3));
            let pair = json!([number, rng.random_range(0..2)]);
            operation.outcome = Outcome::Ok(if model == Model::VersionedRegister { pair } else { number });
        }
        if rng.random_range(0..6) == 0 {
            (operation.outcome, operation.completed) = (Outcome::Info { error: None }, None);
        }
        operations.push(operation);
    }
    operations.sort_by_key(|operation| operation.invoked);
    operations
}

fn operation(process: u64, f: &str, argument: Value, (invoked, completed): (usize, usize)) -> Operation {
    Operation {
        process,
        client: None,
        f: f.to_owned(),
        key: None,
        argument,
        outcome: Outcome::Ok(Value::Null),
        invoked,
        completed: Some(completed),
        intended_ns: None,
        invoked_ns: invoked as u64,
        completed_ns: Some(completed as u64),
        node: None,
        phase: None,
    }
}

fn call(model: Model, rng: &mut ChaCha8Rng) -> (&'static str, Value) {
    match (model, rng.random_range(0..3)) {
        (Model::VersionedRegister, 0) => ("read", Value::Null),
        (Model::VersionedRegister, 1) => ("write", json!([null, rng.random_range(0..2)])),
        (Model::VersionedRegister, _) => {
            ("cas", json!([null, [rng.random_range(0..2), rng.random_range(0..2)]]))
        }
        (Model::Semaphore, kind) => {
            (if kind == 0 { "release" } else { "acquire" }, json!(rng.random_range(1..3)))
        }
        (_, 0) => ("release", Value::Null),
        _ => ("acquire", Value::Null),
    }
}

/// `[holders, last fence]` of a lock, `[free, holdings]` of a semaphore, `[version, value]`.
fn initial(model: Model) -> Value {
    match model {
        Model::Semaphore => json!([2, []]),
        Model::VersionedRegister => json!([0, null]),
        _ => json!([[], 0]),
    }
}

/// Every answer that an operation may have in a state, with the state behind it. Fences go as far as 40.
fn answers(model: Model, operation: &Operation, state: &Value) -> Vec<(Outcome, Value)> {
    let refused =
        || vec![(Outcome::Fail { error: Some("precondition".into()), actual: None }, state.clone())];
    let who = operation.process;
    match model {
        Model::VersionedRegister => versioned(operation, state),
        Model::Semaphore => {
            let many = operation.argument.as_i64().expect("a number");
            let free = state[0].as_i64().expect("a number");
            let mut held: Vec<u64> = serde_json::from_value(state[1].clone()).expect("a list");
            let own = held.iter().filter(|holder| **holder == who).count();
            let enough =
                if operation.f == "acquire" { free >= many } else { i64::try_from(own).unwrap() >= many };
            if !enough {
                return refused();
            }
            for _ in 0..many {
                if operation.f == "acquire" {
                    held.push(who);
                } else {
                    held.remove(held.iter().position(|holder| *holder == who).expect("it holds one"));
                }
            }
            held.sort_unstable();
            let free = if operation.f == "acquire" { free - many } else { free + many };
            vec![(Outcome::Ok(Value::Null), json!([free, held]))]
        }
        _ => lock(model, operation, state).unwrap_or_else(refused),
    }
}

fn lock(model: Model, operation: &Operation, state: &Value) -> Option<Vec<(Outcome, Value)>> {
    let reentrant = matches!(model, Model::ReentrantMutex | Model::ReentrantFencedMutex);
    let fenced = matches!(model, Model::FencedMutex | Model::ReentrantFencedMutex);
    let mut holders: Vec<u64> = serde_json::from_value(state[0].clone()).expect("a list");
    let last = state[1].as_i64().expect("a number");
    let own = holders.last() == Some(&operation.process);
    if operation.f == "release" {
        holders.pop().filter(|_| own)?;
        return Some(vec![(Outcome::Ok(Value::Null), json!([holders, last]))]);
    }
    let again = !holders.is_empty();
    if again && !(own && reentrant) {
        return None;
    }
    holders.push(operation.process);
    let possible = if again { last..=last } else { last + 1..=40 };
    let mut answers: Vec<(Outcome, Value)> = Vec::new();
    for fence in possible.filter(|_| fenced) {
        answers.push((Outcome::Ok(json!(fence)), json!([holders, fence])));
        answers.push((Outcome::Ok(Value::Null), json!([holders, fence])));
    }
    if !fenced {
        answers.push((Outcome::Ok(Value::Null), json!([holders, last])));
    }
    Some(answers)
}

fn versioned(operation: &Operation, state: &Value) -> Vec<(Outcome, Value)> {
    let version = state[0].as_i64().expect("a number") + 1;
    let argument = &operation.argument;
    match operation.f.as_str() {
        "read" => vec![(Outcome::Ok(state.clone()), state.clone())],
        "write" => {
            let next = json!([version, argument[1]]);
            vec![(Outcome::Ok(next.clone()), next), (Outcome::Ok(Value::Null), json!([version, argument[1]]))]
        }
        _ if argument[1][0] != state[1] => {
            vec![(Outcome::Fail { error: Some("precondition".into()), actual: None }, state.clone())]
        }
        _ => vec![(Outcome::Ok(json!([version, argument[1]])), json!([version, argument[1][1]]))],
    }
}

/// Whether an answer of the state fits what the history says.
fn fits(model: Model, operation: &Operation, possible: &Outcome) -> bool {
    let fenced = matches!(model, Model::FencedMutex | Model::ReentrantFencedMutex);
    match (&operation.outcome, possible) {
        (Outcome::Info { .. }, Outcome::Ok(_)) | (Outcome::Fail { .. }, Outcome::Fail { .. }) => true,
        (Outcome::Ok(said), Outcome::Ok(possible)) if model == Model::VersionedRegister => {
            // Of a change only the version counts; what was written is in the request.
            let same = if operation.f == "read" { said == possible } else { said[0] == possible[0] };
            same || operation.f != "read" && said[0].is_null()
        }
        (Outcome::Ok(_), Outcome::Ok(_)) if operation.f == "release" => true,
        (Outcome::Ok(said), Outcome::Ok(possible)) => {
            let said = said.as_i64().filter(|fence| fenced && *fence > 0);
            said == possible.as_i64()
        }
        _ => false,
    }
}

/// Whether some order explains every answer, by trying all.
fn brute(
    model: Model,
    operations: &[Operation],
    done: u32,
    state: &Value,
    seen: &mut HashSet<(u32, String)>,
) -> bool {
    let left = || operations.iter().enumerate().filter(|(number, _)| done & 1 << number == 0);
    let certain = |operation: &Operation| !matches!(operation.outcome, Outcome::Info { .. });
    if left().all(|(_, operation)| !certain(operation)) {
        return true;
    }
    if !seen.insert((done, state.to_string())) {
        return false;
    }
    left().any(|(number, operation)| {
        let late = left().any(|(_, other)| {
            certain(other) && other.completed.is_some_and(|completed| completed < operation.invoked)
        });
        !late
            && answers(model, operation, state)
                .iter()
                .filter(|(possible, _)| fits(model, operation, possible))
                .any(|(_, next)| brute(model, operations, done | 1 << number, next, seen))
    })
}

#[test]
fn owned_objects_agree_with_brute_force() {
    for model in MODELS {
        let mut counts = [0, 0];
        for seed in 0..30_000 {
            let operations = random(model, seed);
            let expected = brute(model, &operations, 0, &initial(model), &mut HashSet::new());
            let property = Property::Linearizable(model);
            let start = if model == Model::Semaphore { json!(2) } else { Value::Null };
            let checked = if start.is_null() {
                operations.iter().collect()
            } else {
                prepend(&operations, property, &start).unwrap()
            };
            let (verdict, order) = check_certified(&checked, model, &Limits::DEFAULT);
            match verdict {
                Verdict::Valid { .. } => {
                    assert!(expected, "{model}, seed {seed} is valid only for the checker: {operations:#?}");
                    let confirmed = order.map(|order| confirm(&checked, model, &order));
                    assert_eq!(confirmed, Some(Ok(())), "{model}, seed {seed}: {operations:#?}");
                }
                Verdict::Invalid(witness) => {
                    assert!(!expected, "{model}, seed {seed}: {} {operations:#?}", witness.summary);
                }
                Verdict::Unknown { reason } => panic!("{model}, seed {seed}: {reason}"),
            }
            counts[usize::from(!expected)] += 1;
        }
        let all = counts[0] + counts[1];
        assert!(counts.iter().all(|&count| count * 20 > all), "{model}: one kind is too rare: {counts:?}");
    }
}

/// One operation after another, each with its process.
fn one_by_one(steps: &[(u64, &str, Value, Value)]) -> Vec<Operation> {
    let operation =
        |(number, (process, f, argument, result)): (usize, &(u64, &str, Value, Value))| Operation {
            outcome: if *result == json!("refused") {
                Outcome::Fail { error: Some("precondition".into()), actual: None }
            } else {
                Outcome::Ok(result.clone())
            },
            ..operation(*process, f, argument.clone(), (2 * number, 2 * number + 1))
        };
    steps.iter().enumerate().map(operation).collect()
}

fn answer(model: Model, steps: &[(u64, &str, Value, Value)]) -> &'static str {
    match check_certified(&one_by_one(steps), model, &Limits::DEFAULT).0 {
        Verdict::Valid { .. } => "valid",
        Verdict::Invalid(_) => "invalid",
        Verdict::Unknown { .. } => "unknown",
    }
}

#[test]
fn lock_rules_differ_by_model() {
    let take = |process| (process, "acquire", Value::Null, Value::Null);
    let give = |process| (process, "release", Value::Null, Value::Null);
    let twice = [take(0), take(0), give(0), give(0), take(1)];
    let stolen = [take(0), give(1)];
    let still_held = [take(0), take(0), give(0), take(1)];
    for (model, steps, expected) in [
        (Model::Mutex, &stolen[..], "valid"),
        (Model::OwnedMutex, &stolen, "invalid"),
        (Model::OwnedMutex, &twice, "invalid"),
        (Model::ReentrantMutex, &twice, "valid"),
        (Model::ReentrantMutex, &still_held, "invalid"),
    ] {
        assert_eq!(answer(model, steps), expected, "{model}: {steps:?}");
    }
}

#[test]
fn fences_must_grow() {
    let take = |process, fence: i64| (process, "acquire", Value::Null, json!(fence));
    let give = |process| (process, "release", Value::Null, Value::Null);
    let grows = [take(0, 3), give(0), take(1, 5)];
    let stays = [take(0, 3), give(0), take(1, 3)];
    let again = [take(0, 3), take(0, 3), give(0), give(0), take(1, 4)];
    let other = [take(0, 3), take(0, 4)];
    for (model, steps, expected) in [
        (Model::FencedMutex, &grows[..], "valid"),
        (Model::FencedMutex, &stays, "invalid"),
        (Model::OwnedMutex, &stays, "valid"),
        (Model::ReentrantFencedMutex, &again, "valid"),
        (Model::FencedMutex, &again, "invalid"),
        (Model::ReentrantFencedMutex, &other, "invalid"),
    ] {
        assert_eq!(answer(model, steps), expected, "{model}: {steps:?}");
    }
}

#[test]
fn owner_is_the_client_named() {
    let by = |process, f| (process, f, json!({"client": "c1"}), Value::Null);
    assert_eq!(answer(Model::OwnedMutex, &[by(0, "acquire"), by(1, "release")]), "valid");
}

#[test]
fn semaphore_needs_its_permits() {
    let take = |process| (process, "acquire", Value::Null, Value::Null);
    assert_eq!(answer(Model::Semaphore, &[take(0)]), "unknown");
    let permits = |count: i64| (9, "permits", json!(count), Value::Null);
    let refused = (2, "acquire", Value::Null, json!("refused"));
    assert_eq!(answer(Model::Semaphore, &[permits(2), take(0), take(1), refused]), "valid");
    assert_eq!(answer(Model::Semaphore, &[permits(2), take(0), take(1), take(2)]), "invalid");
    assert_eq!(answer(Model::Semaphore, &[permits(1), (0, "release", Value::Null, Value::Null)]), "invalid");
}

#[test]
fn versions_count_every_change() {
    let write = |version: i64, value: i64| (0, "write", json!([null, value]), json!([version, value]));
    let read = |version: i64, value: Value| (1, "read", Value::Null, json!([version, value]));
    let cas = |version: i64| (1, "cas", json!([null, [3, 4]]), json!([version, [3, 4]]));
    for (steps, expected) in [
        (vec![read(0, Value::Null), write(1, 3), read(1, json!(3)), cas(2), read(2, json!(4))], "valid"),
        (vec![write(1, 3), write(1, 4)], "invalid"),
        (vec![write(1, 3), read(2, json!(3))], "invalid"),
        (vec![write(1, 5), cas(2)], "invalid"),
    ] {
        assert_eq!(answer(Model::VersionedRegister, &steps), expected, "{steps:?}");
    }
}
