//! Tests of the core: outputs that wait for the log, turns, ignored senders, and clients' deadlines.

use super::*;
use crate::config::{Member, PaxosOptions};
use crate::paxos::membership::Change;
use crate::paxos::message::Ballot;
use crate::paxos::packet::Packet;

fn member(name: &str) -> Member {
    let roles = [Role::Replica, Role::Leader, Role::Acceptor].into();
    Member { name: name.to_owned(), address: ([127, 0, 0, 1], 1).into(), roles }
}

fn config(name: &str, members: &[&str]) -> NodeConfig {
    NodeConfig {
        name: name.to_owned(),
        listen: ([127, 0, 0, 1], 1).into(),
        enclosed: false,
        secret: None,
        data: name.into(),
        clock: None,
        trace: None,
        seed: 1,
        members: members.iter().map(|name| member(name)).collect(),
        routes: [].into(),
        join: !members.contains(&name),
        join_after: None,
        hosts: Vec::new(),
        paxos: PaxosOptions::default(),
    }
}

/// The core of n1 of three, whose first records are durable.
fn started() -> Core<u64> {
    let (config, recovered, mut outputs) =
        (config("n1", &["n1", "n2", "n3"]), Recovered::default(), Vec::new());
    let roster = known_roster(&config, &recovered, None).unwrap().unwrap();
    let mut core = Core::new(config, &roster, 1, (recovered, 0), &mut outputs);
    core.step(Duration::ZERO, Input::Flush, &mut outputs);
    synced(&mut core, 1);
    core
}

fn step(core: &mut Core<u64>, input: Input<u64>) -> Vec<Output<u64>> {
    let mut outputs = Vec::new();
    core.step(Duration::ZERO, input, &mut outputs);
    outputs
}

fn synced(core: &mut Core<u64>, number: u64) -> Vec<Output<u64>> {
    step(core, Input::Log(LogEvent::Synced { number, log_bytes: 0 }))
}

/// A request of n2 for a promise, with its version of the membership.
fn scout(version: u64, round: u64) -> Input<u64> {
    let ballot = Ballot { round, leader: NodeId(1) };
    let greeting = Message::Knows { version, sender: NodeId(1) };
    let packets = [greeting, Message::P1a { ballot, from: 1 }].map(Packet::One).into();
    Input::Packets { from: "n2".into(), packets }
}

#[test]
fn promise_leaves_after_its_sync() {
    let mut core = started();
    assert!(step(&mut core, scout(0, 1)).is_empty());
    let flushed = step(&mut core, Input::Flush);
    assert!(matches!(flushed[..], [Output::Log(LogOrder::Append { number: 2, sync: true, .. })]));
    let released = synced(&mut core, 2);
    assert!(matches!(released[..], [Output::Send(NodeId(1), Message::P1b { .. })]));
}

#[test]
fn one_turn_makes_one_batch() {
    let mut core = started();
    step(&mut core, scout(0, 1));
    step(&mut core, scout(0, 2));
    let flushed = step(&mut core, Input::Flush);
    let [Output::Log(LogOrder::Append { batch, .. })] = flushed.as_slice() else {
        panic!("a turn hands over one batch");
    };
    assert_eq!(batch.records().len(), 2);
    assert_eq!(synced(&mut core, 2).len(), 2);
}

#[test]
fn newer_membership_is_asked_for_first() {
    let mut core = started();
    let outputs = step(&mut core, scout(1, 1));
    assert!(matches!(outputs[..], [Output::Send(NodeId(1), Message::Who)]));
    assert!(step(&mut core, Input::Flush).is_empty());
}

#[test]
fn undecided_command_ends_with_its_deadline() {
    let mut core = started();
    let command =
        Command { client: "c".into(), sequence: 1, operation: Operation::Delete { key: "k".into() } };
    step(&mut core, Input::Request { command, read: None, client: 7 });
    let mut outputs = Vec::new();
    core.step(PaxosOptions::default().deadline, Input::Tick, &mut outputs);
    assert!(outputs.iter().any(|output| matches!(output, Output::Reply(7, Reply::Undecided(_)))));
}

#[test]
fn removed_node_restarts_with_its_roles() {
    let mut membership = Membership::genesis(&["n1", "n2", "n3", "n4"].map(member), 100).unwrap();
    membership.change(1, &Change { add: Vec::new(), remove: vec!["n4".to_owned()] }).unwrap();
    assert!(membership.retire(1));
    let recovered =
        Recovered { records: vec![Record::Members(membership)], existed: true, ..Recovered::default() };
    let config = config("n4", &["n1", "n2", "n3"]);
    let roster = known_roster(&config, &recovered, None).unwrap().unwrap();
    let core = Core::<u64>::new(config, &roster, 2, (recovered, 0), &mut Vec::new());
    assert_eq!(core.status(0).roles.len(), 3);
}
