//! The invariants of one acceptor over all lives of its node.

use crate::paxos::message::{Ballot, NodeId, Slot};
use crate::trace::Started;
use rustc_hash::{FxHashMap, FxHashSet};

/// The promises that an acceptor has sent, and its durable promises and pvalues.
#[derive(Debug, Default)]
pub(super) struct AcceptorTrace {
    /// The number of its node.
    id: Option<NodeId>,
    /// The highest promise that it has sent.
    sent: Option<Ballot>,
    /// The highest promise on its disk.
    promised: Option<Ballot>,
    /// The pvalues on its disk, now or once.
    accepted: FxHashSet<(Ballot, Slot)>,
    /// It has forgotten the slots below.
    pub(super) collected: Slot,
}

impl AcceptorTrace {
    /// Whether its node had another number.
    pub(super) fn is_other(&self, id: NodeId) -> bool {
        self.id.is_some_and(|known| known != id)
    }

    /// Its node acts under this number from now on.
    pub(super) fn rename(&mut self, id: NodeId) {
        self.id = Some(id);
    }

    /// A process begins: its acceptor has every promise and every pvalue that was durable.
    pub(super) fn start(&mut self, started: &Started) -> Result<(), String> {
        let Started { id, promised, collected, accepted, .. } = started;
        self.rename(*id);
        if *promised < self.promised {
            let (now, durable) = (shown(*promised), shown(self.promised));
            return Err(format!("its acceptor recovered the promise {now}, and {durable} was durable (A1)"));
        }
        let recovered: FxHashMap<Slot, Ballot> =
            accepted.iter().map(|(ballot, slot, _)| (*slot, *ballot)).collect();
        let lost = |(ballot, slot): &&(Ballot, Slot)| {
            slot >= collected && recovered.get(slot).is_none_or(|recovered| recovered < ballot)
        };
        if let Some((ballot, slot)) = self.accepted.iter().find(lost) {
            return Err(format!("its acceptor lost the pvalue of slot {slot} and ballot {ballot} (A3)"));
        }
        self.promised = *promised;
        self.collected = *collected;
        self.accepted.extend(accepted.iter().map(|(ballot, slot, _)| (*ballot, *slot)));
        Ok(())
    }

    pub(super) fn durable_promise(&mut self, ballot: Ballot) {
        self.promised = self.promised.max(Some(ballot));
    }

    /// A pvalue is on its disk, and with it a promise of its ballot.
    pub(super) fn durable_pvalue(&mut self, ballot: Ballot, slot: Slot) {
        self.durable_promise(ballot);
        self.accepted.insert((ballot, slot));
    }

    /// It sends the ballot that it has promised.
    pub(super) fn promises(&mut self, promised: Ballot) -> Result<(), String> {
        if self.sent > Some(promised) {
            let before = shown(self.sent);
            return Err(format!(
                "its acceptor had promised ballot {before}, and then said it had promised {promised} (A1)"
            ));
        }
        self.sent = Some(promised);
        if self.promised < Some(promised) {
            let durable = shown(self.promised);
            return Err(format!(
                "its acceptor sent a promise of ballot {promised} before it was durable (on disk: {durable})"
            ));
        }
        Ok(())
    }

    /// It answers a proposal; it accepted if it has promised this ballot.
    pub(super) fn answers(&mut self, ballot: Ballot, slot: Slot, promised: Ballot) -> Result<(), String> {
        self.promises(promised)?;
        if ballot != promised || slot < self.collected || self.accepted.contains(&(ballot, slot)) {
            return Ok(());
        }
        Err(format!("its acceptor answered for slot {slot} and ballot {ballot} before that was durable"))
    }

    /// It accepts a pvalue.
    pub(super) fn accepts(&mut self, ballot: Ballot, slot: Slot) -> Result<(), String> {
        if self.sent <= Some(ballot) {
            return Ok(());
        }
        let sent = shown(self.sent);
        Err(format!(
            "its acceptor accepted ballot {ballot} for slot {slot} after a promise of ballot {sent} (A2)"
        ))
    }
}

fn shown(ballot: Option<Ballot>) -> String {
    ballot.map_or_else(|| "none".to_owned(), |ballot| ballot.to_string())
}
