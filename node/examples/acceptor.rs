//! A role as a pure function: an acceptor promises a ballot, then refuses to accept under a lower one.
//!
//! `cargo run -p node --example acceptor` prints the records to save, and the messages to send after that.

use node::config::{Member, Role};
use node::paxos::acceptor::Acceptor;
use node::paxos::membership::Roster;
use node::paxos::message::{Ballot, Command, Message, NodeId, PValue};
use node::paxos::step::Step;
use node::store::Operation;
use std::sync::Arc;
use std::time::Duration;

fn main() {
    let member = |name: &str, port: u16| Member {
        name: name.to_owned(),
        address: ([127, 0, 0, 1], port).into(),
        roles: [Role::Replica, Role::Leader, Role::Acceptor].into(),
    };
    let members = [member("n1", 7001), member("n2", 7002), member("n3", 7003)];
    let roster = Roster::new(&members, "n1", 1_000).expect("the three members form a cluster with n1 in it");
    let mut acceptor = Acceptor::new(&roster, &[]);
    let ballot = |round, leader| Ballot { round, leader: NodeId(leader) };
    let command = Command {
        client: "client-1".into(),
        sequence: 1,
        operation: Operation::Put { key: "k1".to_owned(), value: Arc::new("5".to_owned()) },
    };
    let pvalue = |ballot| PValue { ballot, slot: 1, command: Arc::new(command.clone()) };
    let inputs = [
        ("n2 asks for a promise for round 2", Message::P1a { ballot: ballot(2, 1), from: 1 }),
        ("n3 asks to accept under round 1", Message::P2a(pvalue(ballot(1, 2)))),
        ("n2 asks to accept under round 2", Message::P2a(pvalue(ballot(2, 1)))),
    ];
    for (event, message) in inputs {
        let mut step = Step::default();
        acceptor.handle(Duration::ZERO, NodeId(1), message, &mut step);
        println!("{event}\n  save first: {:?}\n  then send:  {:?}", step.save, step.send);
    }
}
