//! Tests of the leader: how it watches another leader, and when it outbids that leader's ballot.

use super::*;
use crate::config::{Member, Role};

const OTHER: NodeId = NodeId(1);

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The restarted leader of n1, which has just learned that the leader of n2 leads.
fn watcher() -> Leader {
    let member = |name: &str| Member {
        name: name.to_owned(),
        address: ([127, 0, 0, 1], 1).into(),
        roles: [Role::Replica, Role::Leader, Role::Acceptor].into(),
    };
    let roster = Roster::new(&["n1", "n2", "n3"].map(member), "n1", 100).unwrap();
    let mut leader = Leader::new(roster, PaxosOptions::default(), 1, 1);
    ticks(&mut leader, 0, 0);
    answer(&mut leader, 1);
    leader
}

fn answer(leader: &mut Leader, at: u64) {
    leader.handle(ms(at), OTHER, Message::Pong { leads: true, tries: false }, &mut Step::default());
}

/// Ticks every ten milliseconds, both times included.
fn ticks(leader: &mut Leader, from: u64, to: u64) {
    (from..=to).step_by(10).for_each(|time| leader.tick(ms(time), &mut Step::default()));
}

#[test]
fn slow_leader_gets_more_patience() {
    let (mut quick, mut slow) = (watcher(), watcher());
    for (leader, took) in [(&mut quick, 1), (&mut slow, 90)] {
        ticks(leader, 40, 40);
        answer(leader, 40 + took);
        ticks(leader, 50, 40 + took + 170);
    }
    assert_eq!((quick.round(), slow.round()), (2, 1));
    ticks(&mut slow, 300, 800);
    assert_eq!(slow.round(), 2, "it is suspected in the end");
}

#[test]
fn paused_watcher_asks_once_more() {
    let mut leader = watcher();
    ticks(&mut leader, 400, 400);
    assert_eq!(leader.round(), 1);
    ticks(&mut leader, 410, 470);
    assert_eq!(leader.round(), 2);
}

#[test]
fn dead_leaders_ballot_is_outbid_at_once() {
    let mut leader = watcher();
    leader.lost(ms(10), OTHER);
    ticks(&mut leader, 10, 80);
    let mut promised = |round| {
        let (scout, promised) = (leader.ballot(), Ballot { round, leader: OTHER });
        let accepted = Vec::new();
        let answer = Message::P1b { scout, promised, collected: 1, from: 1, accepted, next: None };
        leader.handle(ms(80), NodeId(2), answer, &mut Step::default());
        leader.round()
    };
    assert_eq!((promised(9), promised(11)), (10, 10));
}
