//! The gate of the switch: shows each new TCP payload between nodes to the tape, and keeps frames that must wait.

use super::frame;
use crate::schedule::{Tape, Ticket, hash};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Above this number of connections, their positions are forgotten; a retransmission may then be taken for news.
const REMEMBERED: usize = 50_000;

/// A frame that waits for its recorded predecessors, or behind one that does.
#[derive(Debug)]
struct Waiting {
    frame: Vec<u8>,
    /// The payload, if it is new: its length and hash.
    news: Option<(usize, u64)>,
    ticket: Option<Ticket>,
}

/// What the gate makes of a frame.
enum Kind {
    /// A bare acknowledgement, or no TCP: it never waits.
    Free,
    /// The end of a connection, or data that passed before: it never overtakes data.
    Behind,
    /// New payload, with its length and hash.
    News(usize, u64),
}

/// Frames between nodes that wait, and the positions of their connections.
#[derive(Debug)]
pub(super) struct Gate {
    tape: Arc<Tape>,
    nodes: usize,
    /// The next sequence number of each direction of a connection.
    next: HashMap<(usize, u16, usize, u16), u32>,
    /// The waiting frames of each link.
    queues: Vec<VecDeque<Waiting>>,
    waiting: usize,
}

impl Gate {
    pub(super) fn new(tape: Arc<Tape>, nodes: usize) -> Self {
        let queues = std::iter::repeat_with(VecDeque::new).take(nodes * nodes).collect();
        Self { tape, nodes, next: HashMap::new(), queues, waiting: 0 }
    }

    /// Whether a frame between two nodes passes now; otherwise the gate keeps it.
    pub(super) fn passes(&mut self, from: usize, to: usize, frame: &[u8]) -> bool {
        let news = match self.kind(from, to, frame) {
            Kind::Free => return true,
            Kind::Behind => None,
            Kind::News(bytes, hash) => Some((bytes, hash)),
        };
        let queue = &mut self.queues[from * self.nodes + to];
        let mut ticket = None;
        let passes =
            queue.is_empty() && news.is_none_or(|news| self.tape.passes(from, to, news, &mut ticket));
        if !passes {
            queue.push_back(Waiting { frame: frame.to_vec(), news, ticket });
            self.waiting += 1;
        }
        passes
    }

    /// The next kept frame that passes now, with its link.
    pub(super) fn released(&mut self) -> Option<(usize, usize, Vec<u8>)> {
        if self.waiting == 0 {
            return None;
        }
        for link in 0..self.queues.len() {
            let (from, to) = (link / self.nodes, link % self.nodes);
            let Some(first) = self.queues[link].front_mut() else { continue };
            if first.news.is_none_or(|news| self.tape.passes(from, to, news, &mut first.ticket)) {
                self.waiting -= 1;
                return self.queues[link].pop_front().map(|first| (from, to, first.frame));
            }
        }
        None
    }

    /// How long kept frames may wait without a look; none if there are none.
    pub(super) fn patience(&self) -> Option<Duration> {
        let first = self.queues.iter().filter_map(VecDeque::front);
        first.map(|waiting| self.tape.waits_for(waiting.ticket)).min()
    }

    fn kind(&mut self, from: usize, to: usize, frame: &[u8]) -> Kind {
        let Some(data) = frame::data(frame) else { return Kind::Free };
        let name = (from, data.from_port, to, data.to_port);
        let length = u32::try_from(data.payload.len()).expect("a frame has at most 64 KiB");
        if data.begins {
            if self.next.len() >= REMEMBERED {
                self.next.clear();
            }
            self.next.insert(name, data.sequence.wrapping_add(1));
            return Kind::Free;
        }
        if data.ends {
            self.next.remove(&name);
        }
        if length == 0 {
            return if data.ends { Kind::Behind } else { Kind::Free };
        }
        let end = data.sequence.wrapping_add(length);
        let next = self.next.get(&name).copied();
        // Sequence numbers wrap around: half of all are ahead of one.
        let is_new = next.is_none_or(|next| end.wrapping_sub(next).cast_signed() > 0);
        if !is_new {
            return Kind::Behind;
        }
        if !data.ends {
            self.next.insert(name, end);
        }
        Kind::News(data.payload.len(), hash(data.payload))
    }
}
