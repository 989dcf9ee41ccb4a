//! Clients that wait for an answer, and until when.

use super::Reply;
use crate::paxos::step::Ticket;
use rustc_hash::FxHashMap;
use std::time::Duration;
use tokio::sync::oneshot;

/// How late, at most, a client is told that its command is undecided.
const PRECISION: Duration = Duration::from_millis(250);

/// The clients whose commands have come to nothing yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    clients: FxHashMap<Ticket, (Duration, oneshot::Sender<Reply>)>,
    /// When those are looked for who have waited too long.
    next: Duration,
}

impl Waiting {
    /// A client waits until this time.
    pub(super) fn insert(&mut self, ticket: Ticket, until: Duration, reply: oneshot::Sender<Reply>) {
        self.clients.insert(ticket, (until, reply));
    }

    /// Tells the client, unless it was told something before.
    pub(super) fn answer(&mut self, ticket: Ticket, answer: Reply) {
        if let Some((_, reply)) = self.clients.remove(&ticket) {
            // A client that has gone away needs no answer.
            let _ = reply.send(answer);
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn wake(&self) -> Duration {
        if self.clients.is_empty() { Duration::MAX } else { self.next }
    }

    /// Tells those who have waited so long that nobody knows.
    pub(super) fn tick(&mut self, now: Duration, deadline: Duration) {
        if self.wake() > now {
            return;
        }
        self.next = now + PRECISION.min(deadline / 16);
        for (_, (_, reply)) in self.clients.extract_if(|_, (until, _)| *until <= now) {
            let _ = reply.send(Reply::Undecided(deadline));
        }
    }
}
