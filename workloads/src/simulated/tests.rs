//! A system that answers at once, late or never, under simulated clients.

use super::SimulatedLoad;
use crate::outcome::{Answer, Happened};
use crate::spec::LoadSpec;
use history::{Event, Kind, Phase, pair};
use serde_json::json;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn spec() -> LoadSpec {
    LoadSpec {
        clients: 3,
        rate: Some(100.0),
        duration: 500 * MS,
        timeout: 40 * MS,
        keys: 2,
        ..LoadSpec::default()
    }
}

/// Runs a load phase and final reads against a system that does this with the attempt of each number.
fn run(spec: LoadSpec, seed: u64, happens: impl Fn(u64) -> Option<Happened>) -> Vec<Event> {
    let length = spec.duration;
    let mut load = SimulatedLoad::new(spec, seed, vec!["n1".to_owned(), "n2".to_owned()]).unwrap();
    let (mut now, mut count) = (Duration::ZERO, 0);
    load.begin(now, Phase::Load, length, None);
    let mut is_final = false;
    loop {
        while load.has_attempts() {
            for attempt in load.take_attempts() {
                count += 1;
                if let Some(happened) = happens(count) {
                    load.happened(now, attempt.handle, happened);
                }
            }
        }
        if !is_final && load.is_over(now) {
            assert_eq!(load.end().unwrap().unsent, 0);
            is_final = true;
            load.begin_final(now);
            continue;
        }
        if is_final && load.finals_are_over() {
            load.end_final(now);
            return std::mem::take(load.events());
        }
        now = load.next_due().or(load.until()).unwrap();
        load.advance(now, None);
    }
}

#[test]
fn same_seed_gives_same_history() {
    let answer = |_| Some(Happened::Answered(Answer::Value(json!(null))));
    let one = run(spec(), 7, answer);
    assert_eq!(one, run(spec(), 7, answer));
    assert_ne!(one, run(spec(), 8, answer));
    assert_eq!(one.iter().filter(|event| event.phase == Some(Phase::Load)).count(), 50);
    assert_eq!(one.iter().filter(|event| event.phase == Some(Phase::Final)).count(), 4);
}

#[test]
fn unanswered_operations_time_out_as_unknown() {
    let events =
        run(spec(), 7, |number| (number > 20).then_some(Happened::Answered(Answer::Value(json!(null)))));
    let operations = pair(&events).unwrap();
    let unknown: Vec<_> = operations.iter().filter(|one| one.outcome.kind() == Kind::Info).collect();
    assert!(unknown.len() >= 20, "{} are unknown", unknown.len());
    let timed_out = |event: &&Event| event.error.as_deref() == Some("timeout");
    assert_eq!(events.iter().filter(timed_out).count(), 20);
}

#[test]
fn refused_operations_fail_and_clients_move_on() {
    let refused = LoadSpec { rate: None, ..spec() };
    let events = run(refused, 7, |number| {
        Some(if number <= 30 { Happened::Refused } else { Happened::Answered(Answer::Value(json!(1))) })
    });
    let nodes = |event: &&Event| event.kind == Kind::Invoke && event.node.as_deref() == Some("n2");
    assert!(events.iter().take(20).filter(nodes).count() > 2);
    let failed = events.iter().filter(|event| event.error.as_deref() == Some("connection-refused"));
    assert_eq!(failed.count(), 30);
}

#[test]
fn retried_command_keeps_its_name() {
    let retrying = LoadSpec { retry: Some(10 * MS), ..spec() };
    let mut load = SimulatedLoad::new(retrying, 1, vec!["n1".to_owned(), "n2".to_owned()]).unwrap();
    load.begin(Duration::ZERO, Phase::Load, 500 * MS, None);
    load.advance(Duration::ZERO, None);
    let first = load.take_attempts().remove(0);
    let again = loop {
        let now = load.next_due().unwrap();
        assert!(now < 500 * MS, "{} sends nothing again", first.client);
        load.advance(now, None);
        if let Some(again) = load.take_attempts().into_iter().find(|one| one.client == first.client) {
            break again;
        }
    };
    assert_eq!((again.sequence, &again.operation), (first.sequence, &first.operation));
    assert_ne!(again.target, first.target);
}
