//! Every invariant with events that keep it and events that break it.

use super::Invariants;
use crate::paxos::message::{Ballot, NodeId, Slot};
use crate::trace::{Fact, Named, Restored, Started, TraceEvent, Written};

fn ballot(round: u64, leader: u8) -> Ballot {
    Ballot { round, leader: NodeId(leader) }
}

fn named(hash: u64) -> Named {
    Named { hash, changes: false }
}

fn written(hash: u64, fact: Fact) -> Written {
    Written { hash, fact }
}

fn accepted(round: u64, slot: Slot, command: u64) -> Written {
    written(round * 1000 + slot * 10 + command, Fact::Accepted(ballot(round, 0), slot, named(command)))
}

fn decided(slot: Slot, command: u64) -> Written {
    written(100_000 + slot * 10 + command, Fact::Decided(slot, Some(named(command))))
}

/// A process that recovers everything that is in its log.
fn start(records: &[Written], existed: bool) -> TraceEvent {
    let (mut promised, mut accepted, mut slot_out) = (None, Vec::new(), 1);
    for record in records {
        match record.fact {
            Fact::Promise(ballot) => promised = promised.max(Some(ballot)),
            Fact::Accepted(ballot, slot, command) => {
                promised = promised.max(Some(ballot));
                accepted.push((ballot, slot, command));
            }
            Fact::Decided(slot, _) => slot_out += Slot::from(slot == slot_out),
            Fact::Members { .. } | Fact::Other => {}
        }
    }
    TraceEvent::Started(Started {
        window: 20,
        replicas: 3,
        restored: Restored { existed, first_segment: 1, records: records.to_vec() },
        promised,
        collected: 1,
        accepted,
        slot_out,
        ..Started::default()
    })
}

/// The same start with another state.
fn with(mut event: TraceEvent, change: impl FnOnce(&mut Started)) -> TraceEvent {
    if let TraceEvent::Started(started) = &mut event {
        change(started);
    }
    event
}

/// A batch that the log syncs.
fn synced(number: u64, records: &[Written]) -> [TraceEvent; 2] {
    [TraceEvent::Append { number, sync: true, records: records.to_vec() }, TraceEvent::Synced(number)]
}

/// The broken invariant of traces; each event has the name of its node.
fn broken<'a>(events: impl IntoIterator<Item = (&'a str, TraceEvent)>) -> Option<String> {
    let mut invariants = Invariants::default();
    events.into_iter().for_each(|(node, event)| invariants.see(node, &event));
    invariants.finish()
}

/// The broken invariant of one node that begins without a log.
fn alone(events: impl IntoIterator<Item = TraceEvent>) -> Option<String> {
    let events = [start(&[], false)].into_iter().chain(events);
    broken(events.map(|event| ("n1", event)))
}

fn breaks(found: Option<String>, words: &str) {
    let found = found.unwrap_or_else(|| panic!("nothing is broken, where this was expected: {words}"));
    assert!(found.contains(words), "{found}");
}

#[test]
fn promises_rise_over_restarts() {
    let promise = |round| {
        synced(round, &[written(round, Fact::Promise(ballot(round, 1)))])
            .into_iter()
            .chain([TraceEvent::Promises(ballot(round, 1))])
    };
    assert_eq!(alone(promise(3).chain(promise(4))), None);
    let restart = start(&[written(3, Fact::Promise(ballot(3, 1)))], true);
    let later = [restart.clone(), TraceEvent::Promises(ballot(2, 1))];
    breaks(alone(promise(3).chain(later)), "had promised ballot 3.1, and then said it had promised 2.1 (A1)");
    let forgets = with(restart, |started| started.promised = None);
    breaks(alone(promise(3).chain([forgets])), "recovered the promise none, and 3.1 was durable (A1)");
}

#[test]
fn restarts_recover_what_was_durable() {
    let records = [accepted(1, 1, 7), accepted(2, 1, 7), decided(1, 7), decided(3, 9)];
    let after = |change: fn(&mut Started)| {
        alone(synced(1, &records).into_iter().chain([with(start(&records, true), change)]))
    };
    assert_eq!(after(|_| {}), None);
    let older = after(|started| started.accepted.truncate(1));
    breaks(older, "lost the pvalue of slot 1 and ballot 2.0 (A3)");
    let collected = after(|started| (started.accepted, started.collected) = (Vec::new(), 2));
    assert_eq!(collected, None);
    let behind = after(|started| started.slot_out = 1);
    breaks(behind, "recovered the slots below 1, and those below 2 were durable");
}

#[test]
fn answers_need_durable_records() {
    let append = |sync| TraceEvent::Append { number: 1, sync, records: vec![accepted(1, 1, 7)] };
    let answer = TraceEvent::Answers { ballot: ballot(1, 0), slot: 1, promised: ballot(1, 0) };
    assert_eq!(alone([append(true), TraceEvent::Synced(1), answer.clone()]), None);
    breaks(alone([append(true), answer.clone(), TraceEvent::Synced(1)]), "before it was durable");
    // The log reports a batch without a sync.
    let order = [append(false), TraceEvent::Sync(1), TraceEvent::Synced(1)];
    breaks(alone(order.clone().into_iter().chain([answer.clone()])), "before it was durable");
    assert_eq!(alone(order.into_iter().chain([TraceEvent::Synced(1), answer.clone()])), None);
    let other = TraceEvent::Answers { ballot: ballot(1, 0), slot: 2, promised: ballot(1, 0) };
    let [batch, sync] = synced(1, &[accepted(1, 1, 7)]);
    breaks(alone([batch, sync, other]), "answered for slot 2 and ballot 1.0 before");
}

#[test]
fn acceptors_accept_what_they_promised() {
    let [batch, sync] = synced(1, &[written(1, Fact::Promise(ballot(5, 1)))]);
    let promise = TraceEvent::Promises(ballot(5, 1));
    let [late, _] = synced(2, &[accepted(4, 1, 7)]);
    breaks(
        alone([batch, sync, promise, late]),
        "accepted ballot 4.0 for slot 1 after a promise of ballot 5.1",
    );
}

#[test]
fn logs_keep_what_they_synced() {
    let records = [accepted(1, 1, 7), accepted(1, 2, 8), accepted(1, 3, 9)];
    let life = || synced(1, &records[..2]).into_iter().chain(synced(2, &records[2..]).into_iter().take(1));
    // The last batch was not synced, so it may be gone or there.
    for kept in 2..=3 {
        assert_eq!(alone(life().chain([start(&records[..kept], true)])), None, "{kept} records");
    }
    breaks(alone(life().chain([start(&records[..1], true)])), "1 records fewer than were durable");
    let torn = [records[0], records[1], accepted(1, 3, 1)];
    breaks(alone(life().chain([start(&torn, true)])), "another record than it had written, number 3 of 3");
    let more = [records[0], records[1], records[2], accepted(1, 4, 1)];
    breaks(alone(life().chain([start(&more, true)])), "1 records more than it had written");
}

#[test]
fn segments_go_behind_their_snapshot() {
    let rotated = || [TraceEvent::Rotate, TraceEvent::Rotated(2)];
    let before = || synced(1, &[decided(1, 7)]).into_iter().chain(rotated());
    let saved = TraceEvent::Saved { index: 2, slot_out: 2 };
    let removes = TraceEvent::RemoveBefore(2);
    assert_eq!(alone(before().chain([saved.clone(), removes.clone()])), None);
    breaks(alone(before().chain([removes])), "without a durable snapshot");
    // The log begins behind the snapshot.
    let after = synced(2, &[decided(2, 8)]);
    let restart = with(start(&[decided(2, 8)], true), |started| {
        (started.restored.first_segment, started.slot_out) = (2, 3);
    });
    let reports = TraceEvent::Reports(3);
    assert_eq!(alone(before().chain([saved]).chain(after).chain([restart, reports])), None);
}

#[test]
fn progress_is_durable() {
    let life = |reports| {
        synced(1, &[decided(1, 7), decided(3, 9)]).into_iter().chain([TraceEvent::Reports(reports)])
    };
    assert_eq!(alone(life(2)), None);
    breaks(alone(life(3)), "reported the slots below 3 as durable, and only those below 2 are");
    let [batch, _] = synced(2, &[decided(2, 8)]);
    breaks(alone(life(2).chain([batch, TraceEvent::Reports(4)])), "only those below 2 are");
    let later = synced(2, &[decided(2, 8)]).into_iter().chain([TraceEvent::Reports(4)]);
    assert_eq!(alone(life(2).chain(later)), None);
}

#[test]
fn slots_are_collected_when_replicas_have_them() {
    let heard = TraceEvent::Heard { from: "n2".to_owned(), slot_out: 5 };
    let collected = || [heard.clone(), TraceEvent::Collected(5)];
    breaks(alone(collected()), "collected the slots below 5, which 1 of 3 replicas have");
    let third = TraceEvent::Heard { from: "n3".to_owned(), slot_out: 6 };
    assert_eq!(alone([third].into_iter().chain(collected())), None);
    // Members changed: the replicas are not known for certain.
    let [batch, _] = synced(1, &[written(1, Fact::Members { version: 1, from: 1 })]);
    assert_eq!(alone(collected().into_iter().chain([batch])), None);
}

#[test]
fn nodes_agree_on_decisions_and_proposals() {
    let two = |first: Written, second: Written| {
        let [one, _] = synced(1, &[first]);
        let [other, _] = synced(1, &[second]);
        broken([("n1", start(&[], false)), ("n1", one), ("n2", start(&[], false)), ("n2", other)])
    };
    assert_eq!(two(decided(1, 7), decided(1, 7)), None);
    breaks(two(decided(1, 7), decided(1, 8)), "n2: it learned another command for slot 1 than n1 (R1)");
    assert_eq!(two(accepted(1, 1, 7), accepted(2, 1, 8)), None);
    breaks(two(accepted(1, 1, 7), accepted(1, 1, 8)), "ballot 1.0 has two commands for slot 1 (A4)");
    // A decision without a command has that of the last accepted pvalue.
    let short = written(1, Fact::Decided(1, None));
    let [one, _] = synced(1, &[accepted(1, 1, 7), short]);
    let [other, _] = synced(1, &[decided(1, 8)]);
    let events = [("n1", start(&[], false)), ("n1", one), ("n2", start(&[], false)), ("n2", other)];
    breaks(broken(events), "another command for slot 1");
}

#[test]
fn short_decision_has_pvalue_of_snapshot() {
    let before =
        || synced(1, &[decided(9, 7)]).into_iter().chain([TraceEvent::Rotate, TraceEvent::Rotated(2)]);
    // The log of the second life has the pvalue of ballot 3, and its snapshot already that of ballot 4.
    let behind = accepted(3, 1, 7);
    let restart = with(start(&[behind], true), |started| {
        started.restored.first_segment = 2;
        started.accepted.push((ballot(4, 0), 1, named(8)));
    });
    let [more, _] = synced(2, &[behind]);
    let [short, _] = synced(1, &[written(1, Fact::Decided(1, None))]);
    let life = |command| {
        let [other, _] = synced(1, &[decided(1, command)]);
        let one = [start(&[], false)].into_iter().chain(before()).chain([
            more.clone(),
            restart.clone(),
            short.clone(),
        ]);
        broken(one.map(|event| ("n1", event)).chain([("n2", start(&[], false)), ("n2", other)]))
    };
    assert_eq!(life(8), None);
    breaks(life(7), "another command for slot 1");
}

#[test]
fn ballots_belong_to_one_life() {
    let scouts = || TraceEvent::Scouts(ballot(3, 0));
    let proposes = TraceEvent::Proposes(ballot(3, 0), 1, named(7));
    assert_eq!(alone([scouts(), scouts(), proposes.clone()]), None);
    breaks(alone([scouts(), start(&[], true), proposes]), "ballot 3.0 was used before its last restart (L1)");
}

#[test]
fn members_change_after_window_slots() {
    let members = |from| written(from, Fact::Members { version: 1, from });
    let change = written(5, Fact::Decided(5, Some(Named { hash: 1, changes: true })));
    let life = |records: &[Written]| alone(synced(1, records));
    assert_eq!(life(&[change, members(25)]), None);
    breaks(life(&[change, members(6)]), "from slot 6 on, and no change was decided 20 slots before");
    breaks(life(&[decided(4, 7), change, members(24)]), "from slot 24 on");
    assert_eq!(life(&[members(25)]), None, "the decision of slot 5 is unknown");
}

#[test]
fn returning_member_begins_anew() {
    let again = with(start(&[], false), |started| started.id = NodeId(7));
    let life = || synced(1, &[decided(1, 7)]);
    assert_eq!(alone(life().into_iter().chain([again.clone()])), None);
    // It was killed once while it waited to be added, so it has a log without records.
    let waited = with(again, |started| started.restored.existed = true);
    assert_eq!(alone(life().into_iter().chain([waited])), None);
    breaks(alone(life().into_iter().chain([start(&[], false)])), "1 records fewer than were durable");
}
