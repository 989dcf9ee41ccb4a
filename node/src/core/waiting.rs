//! Clients that wait for a reply, each until its deadline.

use super::{Output, Reply};
use crate::paxos::step::Ticket;
use rustc_hash::FxHashMap;
use std::time::Duration;

/// Longest delay after the deadline until a client learns that its command is undecided.
const PRECISION: Duration = Duration::from_millis(250);

/// The clients whose commands are undecided.
#[derive(Debug)]
pub(super) struct Waiting<C> {
    clients: FxHashMap<Ticket, (Duration, C)>,
    next_ticket: u64,
    /// The next check of the deadlines.
    next: Duration,
}

impl<C> Default for Waiting<C> {
    fn default() -> Self {
        Self { clients: FxHashMap::default(), next_ticket: 0, next: Duration::ZERO }
    }
}

impl<C> Waiting<C> {
    /// A new, unique ticket.
    pub(super) fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket - 1)
    }

    /// Adds a client that waits until this time.
    pub(super) fn insert(&mut self, ticket: Ticket, until: Duration, client: C) {
        self.clients.insert(ticket, (until, client));
    }

    /// Removes and returns the client, unless it has its reply.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<C> {
        self.clients.remove(&ticket).map(|(_, client)| client)
    }

    /// The time at which [`tick`](Self::tick) has work.
    pub(super) fn wake(&self) -> Duration {
        if self.clients.is_empty() { Duration::MAX } else { self.next }
    }

    /// Replies to the clients whose deadline has passed.
    pub(super) fn tick(&mut self, now: Duration, deadline: Duration, outputs: &mut Vec<Output<C>>) {
        if self.wake() > now {
            return;
        }
        self.next = now + PRECISION.min(deadline / 16);
        for (_, (_, client)) in self.clients.extract_if(|_, (until, _)| *until <= now) {
            outputs.push(Output::Reply(client, Reply::Undecided(deadline)));
        }
    }
}
