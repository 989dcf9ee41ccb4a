//! What clients tell the tape, and when a replay lets them invoke, send and see an answer.

use super::super::cues::Cues;
use super::super::line::{Turn, TurnLine, lane};
use super::super::order::Nanos;
use super::super::window::Op;
use super::{EVENTS_MAX, State, Tape, Ticket, asks};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How long a held answer waits for a signal.
const REST: Nanos = 5_000_000;

impl Tape {
    /// A client has invoked an operation.
    pub fn invoked(&self, client: u32) {
        if !self.open.load(Relaxed) {
            return;
        }
        let state = &mut *self.lock();
        let now = self.now();
        state.invoked += 1;
        let op = state.begin(client);
        self.note(state, TurnLine { at: now, client, turn: Turn::Invoked });
        state.anchor.0 = now;
        for (before, count) in state.anchor.1.iter_mut().zip(&self.counts) {
            *before = count.load(Relaxed);
        }
        if let Some(followed) = &mut state.followed {
            followed.cues.opened(op);
            followed.cues.invoked(state.invoked, &state.anchor.1, now);
            self.changed.notify_all();
            self.turn.notify_waiters();
        }
    }

    /// An operation of a client has completed.
    pub fn completed(&self, client: u32) {
        if !self.open.load(Relaxed) {
            return;
        }
        let state = &mut *self.lock();
        state.completed += 1;
        self.note(state, TurnLine { at: self.now(), client, turn: Turn::Completed });
        let op = state.op(client);
        let Some(followed) = &mut state.followed else { return };
        followed.cues.completed(op);
        self.changed.notify_all();
        if followed.operations {
            followed.order.happened(lane(self.links(), client, Turn::Completed), 0);
            self.turn.notify_waiters();
            self.ring();
        }
    }

    /// Waits until the request of a client, whose operation was invoked, may leave.
    pub async fn depart(&self, client: u32) {
        self.wait_while(Cues::holds_request, client).await;
    }

    /// A client has its answer: waits until it may see it.
    pub async fn receive(&self, client: u32) {
        if self.open.load(Relaxed) {
            let state = &mut *self.lock();
            let op = state.op(client);
            if let Some(followed) = &mut state.followed {
                followed.cues.answered(op);
                self.changed.notify_all();
            }
        }
        let held = |cues: &Cues, op, now| cues.holds_answer(op, now).then_some(now + REST);
        self.wait_while(held, client).await;
    }

    /// Waits while the operation of a client is held; `held` says until when at most it need not be looked at.
    async fn wait_while(&self, held: impl Fn(&Cues, Op, Nanos) -> Option<Nanos>, client: u32) {
        loop {
            let notified = self.turn.notified();
            let wait = {
                let state = &mut *self.lock();
                let (op, now) = (state.op(client), self.now());
                let followed = state.followed.as_ref().filter(|_| self.open.load(Relaxed));
                followed.and_then(|followed| held(&followed.cues, op, now)).map(|until| until - now)
            };
            let Some(wait) = wait else { return };
            let _ = tokio::time::timeout(Duration::from_nanos(wait), notified).await;
        }
    }

    /// Waits until it is this client's turn to invoke an operation.
    pub async fn admit(&self, client: u32) {
        let mut ticket = None;
        loop {
            let notified = self.turn.notified();
            let Some(wait) = self.waits(client, &mut ticket) else { return };
            // A signal that came before the wait is caught by the timeout.
            let _ = tokio::time::timeout(wait, notified).await;
        }
    }

    /// How long a client must wait; none if it is its turn.
    fn waits(&self, client: u32, ticket: &mut Option<Ticket>) -> Option<Duration> {
        if !self.open.load(Relaxed) {
            return None;
        }
        let state = &mut *self.lock();
        let now = self.now();
        let followed = state.followed.as_mut()?;
        if followed.cues.holds_clients(now) {
            return Some(Duration::from_millis(5));
        }
        if !followed.operations {
            return None;
        }
        if asks(&mut followed.order, lane(self.links(), client, Turn::Invoked), 0, ticket, now) {
            self.turn.notify_waiters();
            self.ring();
            return None;
        }
        Some(Duration::from_nanos(ticket.map_or(0, |ticket| ticket.until.saturating_sub(now))))
    }

    fn note(&self, state: &mut State, turn: TurnLine) {
        if state.turns.len() < EVENTS_MAX {
            state.turns.push(turn);
        } else {
            self.unrecorded.fetch_add(1, Relaxed);
        }
    }
}

impl State {
    /// A client has invoked its next operation.
    fn begin(&mut self, client: u32) -> Op {
        let number = self.numbers.entry(client).or_default();
        *number += 1;
        (client, *number)
    }

    /// The last operation of a client.
    fn op(&self, client: u32) -> Op {
        (client, self.numbers.get(&client).copied().unwrap_or(0))
    }
}
