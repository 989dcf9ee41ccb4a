//! Messages on their way to one node: limited in bytes and number, encoded on demand.
//!
//! Small, urgent messages do not wait behind large ones; otherwise a leader would seem dead while its values
//! travel. The roles do not rely on the order of messages, but each must follow its own greeting. A waiting
//! command is shared with the roles that sent it, so a slow connection costs little memory.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the sockets"
)]

use crate::paxos::message::Message;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Limit of waiting messages for a slow connection, in bytes; further messages are dropped.
const BYTES_MAX: usize = 64 << 20;

/// The same limit in messages.
const MESSAGES_MAX: usize = 1 << 16;

/// Limit for parts of a state and old decisions, in bytes.
///
/// A replica that catches up repeats its request.
const BULK_MAX: usize = 4 << 20;

/// Messages that wait for a connection.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The urgent messages, and the rest.
    lanes: [Lane; 2],
    /// The last greeting that was pushed.
    greeting: Option<Message>,
    bytes: usize,
    count: usize,
    closed: bool,
}

/// Messages, each run of them preceded by its greeting.
#[derive(Debug, Default)]
struct Lane {
    messages: VecDeque<Message>,
    /// The last greeting that was pushed to it.
    pushed: Option<Message>,
    /// The last greeting that was taken from it.
    taken: Option<Message>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds messages while the limits allow it; drops the others, as a network may.
    pub(super) fn push(&self, messages: impl Iterator<Item = Message>) {
        let mut waiting = self.lock();
        messages.for_each(|message| waiting.push(message));
        drop(waiting);
        self.news.notify_one();
    }

    /// Waits for messages and takes at most `bytes` bytes of them, or one; false after the close.
    pub(super) async fn take(&self, bytes: usize, taken: &mut Vec<Message>) -> bool {
        loop {
            {
                let mut waiting = self.lock();
                if waiting.closed {
                    return false;
                }
                waiting.take(bytes, taken);
            }
            if !taken.is_empty() {
                return true;
            }
            self.news.notified().await;
        }
    }

    /// Drops all waiting messages.
    pub(super) fn clear(&self) {
        let mut waiting = self.lock();
        waiting.lanes = <[Lane; 2]>::default();
        (waiting.bytes, waiting.count) = (0, 0);
    }

    /// Closes the queue.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.clear();
        self.news.notify_one();
    }

    /// Whether the queue is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }
}

/// Whether a message is small and harmful when late.
fn is_urgent(message: &Message) -> bool {
    match message {
        Message::P1a { .. }
        | Message::P2b { .. }
        | Message::Progress { .. }
        | Message::Learn { .. }
        | Message::Fetch { .. }
        | Message::Ask { .. }
        | Message::Highest { .. }
        | Message::Lease { .. }
        | Message::Leased { .. }
        | Message::Ping
        | Message::Pong { .. }
        | Message::Knows { .. }
        | Message::Who => true,
        Message::Request(_)
        | Message::Propose(_)
        | Message::P1b { .. }
        | Message::P2a(_)
        | Message::Decision(_)
        | Message::Learned { .. }
        | Message::State { .. }
        | Message::Members(_) => false,
    }
}

impl Waiting {
    fn push(&mut self, message: Message) {
        if matches!(message, Message::Knows { .. }) {
            self.greeting = Some(message);
            return;
        }
        let catches_up = matches!(message, Message::Learned { .. } | Message::State { .. });
        let limit = if catches_up { BULK_MAX } else { BYTES_MAX };
        if self.bytes >= limit || self.count >= MESSAGES_MAX {
            return;
        }
        self.bytes += message.size();
        self.count += 1;
        let lane = &mut self.lanes[usize::from(!is_urgent(&message))];
        if lane.pushed != self.greeting {
            lane.pushed.clone_from(&self.greeting);
            lane.messages.extend(self.greeting.clone());
        }
        lane.messages.push_back(message);
    }

    fn take(&mut self, most: usize, taken: &mut Vec<Message>) {
        let (mut bytes, mut greeting) = (0, None);
        for lane in &mut self.lanes {
            while let Some(message) = lane.messages.pop_front() {
                if matches!(message, Message::Knows { .. }) {
                    lane.taken = Some(message);
                    continue;
                }
                let size = message.size();
                bytes += size;
                if bytes > most && !taken.is_empty() {
                    lane.messages.push_front(message);
                    return;
                }
                self.bytes -= size;
                self.count -= 1;
                if lane.taken != greeting {
                    greeting.clone_from(&lane.taken);
                    taken.extend(greeting.clone());
                }
                taken.push(message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paxos::message::Command;
    use crate::store::Operation;
    use std::sync::Arc;

    fn large(kilobytes: usize) -> Message {
        let operation = Operation::Put { key: "k".into(), value: "v".repeat(kilobytes << 10).into() };
        Message::Request(Arc::new(Command { operation, ..Command::no_op() }))
    }

    fn taken(queue: &Queue, bytes: usize) -> Vec<Message> {
        let mut taken = Vec::new();
        queue.lock().take(bytes, &mut taken);
        taken
    }

    #[test]
    fn frame_is_bounded_or_one_message() {
        let queue = Queue::default();
        queue.push([large(40), large(40), large(40), large(900), Message::Ping].into_iter());
        for expected in [3, 1, 1, 0] {
            assert_eq!(taken(&queue, 100 << 10).len(), expected);
        }
        assert_eq!(queue.lock().bytes, 0);
    }

    #[test]
    fn every_frame_begins_with_its_greeting() {
        let queue = Queue::default();
        let knows = |version| Message::Knows { version, sender: crate::paxos::message::NodeId(0) };
        let turns = [knows(1), large(70), large(70), knows(1), Message::Ping, knows(2), Message::Who];
        queue.push(turns.into_iter());
        let urgent = [knows(1), Message::Ping, knows(2), Message::Who];
        assert_eq!(taken(&queue, 100 << 10), [&urgent[..], &[knows(1), large(70)]].concat());
        assert_eq!(taken(&queue, 100 << 10), [knows(1), large(70)]);
        assert_eq!(taken(&queue, 100 << 10), []);
        queue.push([Message::Ping].into_iter());
        assert_eq!(taken(&queue, 100 << 10), [knows(2), Message::Ping]);
    }

    #[test]
    fn waiting_messages_are_bounded() {
        let queue = Queue::default();
        let value = large(1024);
        queue.push(std::iter::repeat_n(value.clone(), 1000));
        assert!(queue.lock().bytes < BYTES_MAX + 2 * value.size(), "{}", queue.lock().bytes);
        queue.clear();
        queue.push(std::iter::repeat_n(Message::Ping, 100_000));
        assert_eq!(queue.lock().count, MESSAGES_MAX);
    }

    #[test]
    fn bulk_waits_for_its_turn() {
        let queue = Queue::default();
        let learned = Message::Learned { decisions: Vec::new(), slot_out: 1 };
        queue.push([large(5 << 10), learned.clone(), Message::Ping].into_iter());
        assert_eq!(taken(&queue, usize::MAX), [Message::Ping, large(5 << 10)]);
        queue.push([learned].into_iter());
        assert_eq!(taken(&queue, usize::MAX).len(), 1);
    }

    #[tokio::test]
    async fn closed_queue_ends_waiting_task() {
        let queue = Queue::default();
        let mut none = Vec::new();
        let (more, ()) = tokio::join!(queue.take(1, &mut none), async { queue.close() });
        assert!(!more && queue.is_closed());
    }
}
