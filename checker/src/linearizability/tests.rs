//! The methods against each other, on histories too large for brute force.

#[path = "../../tests/it/support/generate.rs"]
#[allow(dead_code, reason = "other test programs use the rest")]
mod generate;

use super::{
    Model,
    encode::{Names, encode},
    frontier::{Stuck, search},
    method::Decision,
    read_registers::read_registers,
    registers::{REMEMBERED, by_zones, first_contradiction, refuted},
};
use crate::limits::Limits;
use generate::{CAS_REGISTER, REGISTER, Shape, bend, coarsen, sound};
use history::{Operation, Outcome};
use serde_json::{Value, json};

/// What each method says of one key: zones, the refuter, and the search with and without forgetting.
#[derive(Debug)]
struct Said {
    zones: Option<bool>,
    refuted: bool,
    search: bool,
    index_agrees: bool,
}

fn ask(operations: &[Operation]) -> Said {
    let operations = &operations.iter().collect();
    let noted = read_registers(operations, Model::CasRegister, &Limits::DEFAULT);
    let encoded = |names| encode(&noted.keys[0], &noted.marks, names).unwrap();
    let (values, ops) = encoded(Names::Observed);
    let (all, all_ops) = encoded(Names::All);
    let forgetful = search(&values, &ops, &Limits::DEFAULT, true);
    let careful = search(&all, &all_ops, &Limits::DEFAULT, false);
    let index = |found: &Decision<Stuck>| match found {
        Decision::Linearizable => None,
        Decision::Impossible(stuck) => Some(stuck.call.completed),
        Decision::Unknown { why, .. } => panic!("{why}"),
    };
    let zones = by_zones(&values, &ops);
    // However eagerly zones forget, they name the operation that the search names.
    let named =
        [0, 10, REMEMBERED, usize::MAX].map(|remembered| first_contradiction(&values, &ops, remembered));
    let named_agree = named.iter().all(|op| op.map(|op| op.completed) == index(&forgetful));
    Said {
        zones,
        refuted: refuted(&values, &ops),
        search: index(&forgetful).is_none(),
        index_agrees: index(&forgetful) == index(&careful) && (zones.is_none() || named_agree),
    }
}

#[test]
fn the_methods_agree_on_larger_histories() {
    let (mut by_zone, mut by_refuter, mut invalid) = ([0, 0], 0, 0);
    for seed in 0..6_000 {
        let shape = Shape {
            functions: if seed % 2 == 0 { REGISTER } else { CAS_REGISTER },
            operations: 10 + usize::try_from(seed % 50).unwrap(),
            processes: 2 + usize::try_from(seed % 5).unwrap(),
            values: if seed % 3 == 0 { 4 } else { 0 },
            keys: 1,
            info: [0, 5, 10][usize::try_from(seed / 7 % 3).unwrap()],
            fail: 5,
            silent: if seed % 5 == 0 { 50 } else { 0 },
        };
        let mut operations = sound(&shape, seed);
        if seed % 4 != 0 {
            bend(&mut operations, seed);
        }
        if seed % 6 == 0 {
            coarsen(&mut operations, 2);
        }
        let said = ask(&operations);
        assert!(said.index_agrees, "seed {seed}: {said:?} {operations:#?}");
        assert!(!(said.refuted && said.search), "seed {seed}: the refuter is wrong: {operations:#?}");
        if let Some(zones) = said.zones {
            assert_eq!(zones, said.search, "seed {seed}: the zones are wrong: {operations:#?}");
            by_zone[usize::from(zones)] += 1;
        }
        by_refuter += u32::from(said.refuted);
        invalid += u32::from(!said.search);
    }
    assert!(by_zone.iter().all(|&count| count > 500), "the zones decided too few: {by_zone:?}");
    assert!(by_refuter * 2 > invalid, "the refuter found {by_refuter} of {invalid}");
}

/// An operation of process 0, after all those before it.
fn then(operations: &mut Vec<Operation>, f: &str, argument: Value, outcome: Outcome) {
    let event = operations.len() * 2;
    operations.push(Operation {
        process: 0,
        client: None,
        f: f.into(),
        key: None,
        argument,
        outcome,
        invoked: event,
        completed: Some(event + 1),
        intended_ns: None,
        invoked_ns: 0,
        completed_ns: None,
        node: None,
        phase: None,
    });
}

#[test]
fn the_refuter_finds_each_kind_of_contradiction_inside_a_value_that_held() {
    let silent = Outcome::Fail { error: Some("precondition".into()), actual: None };
    let inside = [
        ("write", json!(2), Outcome::Ok(json!(2)), true),
        ("cas", json!([1, 2]), Outcome::Ok(Value::Null), true),
        ("cas", json!([null, 2]), Outcome::Ok(Value::Null), true),
        ("read", Value::Null, Outcome::Ok(json!(null)), true),
        ("cas", json!([1, 2]), silent.clone(), true),
        ("cas", json!([5, 2]), silent, false),
        ("read", Value::Null, Outcome::Ok(json!(1)), false),
    ];
    for (f, argument, outcome, contradicts) in inside {
        let mut operations = Vec::new();
        then(&mut operations, "write", json!(1), Outcome::Ok(json!(1)));
        then(&mut operations, f, argument, outcome);
        then(&mut operations, "read", Value::Null, Outcome::Ok(json!(1)));
        let columns = operations.iter().collect();
        let noted = read_registers(&columns, Model::CasRegister, &Limits::DEFAULT);
        let (values, ops) = encode(&noted.keys[0], &noted.marks, Names::Observed).unwrap();
        assert_eq!(refuted(&values, &ops), contradicts, "{operations:#?}");
    }
}
