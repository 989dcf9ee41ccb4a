//! A snapshot: the durable state of a node, which replaces all earlier records.

use super::acceptor::Acceptor;
use super::leader::Leader;
use super::membership::{Membership, Roster};
use super::message::{Ballot, Decided, PValue, Slot};
use super::replica::Replica;
use super::step::Record;
use crate::config::PaxosOptions;
use crate::flaw::Flaw;
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The durable state of a node's roles.
///
/// Its encoding is the same whether it owns or borrows the store. It may be taken at any time, even before the
/// newest records are on disk: recovering a record that it already covers has no effect.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot<S = Store> {
    /// The acceptor's promise.
    pub(super) promised: Option<Ballot>,
    /// The acceptor has forgotten the slots below this one.
    pub(super) collected: Slot,
    /// The pvalues of the other slots.
    pub(super) accepted: Vec<PValue>,
    /// The longest lease that the acceptor granted.
    pub(super) longest_lease: Duration,
    /// The last round the leader used.
    pub(super) round: u64,
    /// The commands of all slots below are applied to the store.
    pub(super) slot_out: Slot,
    /// The store, with the clients' last results.
    pub(super) store: S,
    /// Decisions that the replica knows but has not applied.
    pub(super) decisions: Vec<Decided>,
    /// The membership that the node knows.
    pub(super) members: Membership,
}

impl<S> Snapshot<S> {
    /// The state includes the commands of all slots below.
    pub fn slot_out(&self) -> Slot {
        self.slot_out
    }

    /// The membership that the node knew.
    pub fn members(&self) -> &Membership {
        &self.members
    }
}

/// The three roles of a node; those it does not host stay idle.
#[derive(Debug)]
pub struct Roles {
    /// The acceptor.
    pub acceptor: Acceptor,
    /// The leader.
    pub leader: Leader,
    /// The replica.
    pub replica: Replica,
    /// The members by role, as far as the node knows.
    pub roster: Roster,
}

impl Roles {
    /// Restores the roles from `snapshot`, if there is one, and all later `records`.
    ///
    /// `roster` is the membership that the node `name` knew before the first record. `seed` is for the leader's
    /// jitter; `life` differs from that of every earlier process of this node. Also returns the number of
    /// decisions beyond the snapshot.
    pub fn recover(
        (roster, name): (&Roster, &str),
        options: &PaxosOptions,
        (seed, life): (u64, u64),
        snapshot: Option<Snapshot>,
        records: Vec<Record>,
    ) -> (Self, u64) {
        let mut acceptor = Acceptor::new(roster, &options.flaw);
        let mut replica = Replica::new(roster.clone(), options.clone(), life);
        let mut members = roster.membership.clone();
        let (mut round, mut decisions) = (0, 0);
        if let Some(snapshot) = snapshot {
            snapshot.promised.into_iter().for_each(|ballot| acceptor.recover_promise(ballot));
            acceptor.recover_collected(snapshot.collected);
            acceptor.recover_lease(snapshot.longest_lease);
            snapshot.accepted.into_iter().for_each(|pvalue| acceptor.recover_accepted(pvalue));
            round = snapshot.round;
            members = snapshot.members;
            replica.restore(snapshot.slot_out, snapshot.store);
            for Decided { slot, command } in snapshot.decisions {
                replica.recover(slot, command);
            }
        }
        for record in records {
            match record {
                Record::Promise(ballot) => acceptor.recover_promise(ballot),
                Record::Accepted(pvalue) => acceptor.recover_accepted(pvalue),
                Record::Lease(time) => acceptor.recover_lease(time),
                Record::Round(used) => round = used.max(round),
                Record::Members(newer) if newer.version > members.version => members = newer,
                Record::Members(_) => {}
                Record::Decided { slot, .. } if replica.knows(slot) => {}
                Record::Decided { slot, command } => {
                    let accepted = || acceptor.accepted(slot).map(|(_, command)| command.clone());
                    let command = command.or_else(accepted).expect("a short record follows its pvalue");
                    replica.recover(slot, command);
                    decisions += 1;
                }
            }
        }
        if options.flaw.contains(&Flaw::AcceptorForgetsPromise) {
            acceptor.forget_promise();
        }
        if options.flaw.contains(&Flaw::LeaderReusesBallot) {
            round = round.saturating_sub(1);
        }
        if replica.membership().version > members.version {
            members = replica.membership().clone();
        }
        let roster = roster.follow(members, name);
        acceptor.take_up(&roster);
        replica.take_up(roster.clone());
        let leader = Leader::new(roster.clone(), options.clone(), seed, round);
        (Self { acceptor, leader, replica, roster }, decisions)
    }
}

/// The encoded snapshot of a node's roles; missing roles encode as none.
///
/// Also returns the first slot whose decision it does not contain.
pub fn encode(
    members: &Membership,
    acceptor: Option<&Acceptor>,
    leader: Option<&Leader>,
    replica: Option<&Replica>,
) -> (Slot, Vec<u8>) {
    let empty = Store::default();
    let (slot_out, store) = replica.map_or((1, &empty), Replica::state);
    let (forgets, late) = replica.map_or((false, false), |replica| {
        (replica.has(Flaw::SnapshotForgetsResults), replica.has(Flaw::SnapshotWrongSlot))
    });
    let forgetful = forgets.then(|| store.without_results());
    let snapshot = Snapshot {
        promised: acceptor.and_then(Acceptor::promised),
        collected: acceptor.map_or(1, Acceptor::collected),
        accepted: acceptor.map_or_else(Vec::new, |acceptor| acceptor.pvalues(1)),
        longest_lease: acceptor.map_or(Duration::ZERO, Acceptor::longest_lease),
        round: leader.map_or(0, Leader::round),
        slot_out: slot_out + u64::from(late),
        store: forgetful.as_ref().unwrap_or(store),
        decisions: replica.map_or_else(Vec::new, Replica::unapplied),
        members: members.clone(),
    };
    let bytes = postcard::to_stdvec(&snapshot).expect("snapshots are made of types that postcard can write");
    (slot_out, bytes)
}
