//! The gate of the switch: shows each new TCP payload between nodes to the tape, and keeps frames that must wait.

use super::frame;
use crate::schedule::{Tape, Ticket, hash};
use std::collections::{HashMap, HashSet, VecDeque};
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

/// A direction of a connection: the port of the switch and that of TCP where it begins, and the same of its end.
type Direction = (usize, u16, usize, u16);

/// What the gate makes of a frame.
enum Kind {
    /// Lost with the node that sent it.
    Lost,
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
    next: HashMap<Direction, u32>,
    /// The directions whose sender has fallen with what it had sent; resets pass.
    lost: HashSet<Direction>,
    /// The waiting frames of each link.
    queues: Vec<VecDeque<Waiting>>,
    waiting: usize,
}

impl Gate {
    pub(super) fn new(tape: Arc<Tape>, nodes: usize) -> Self {
        let queues = std::iter::repeat_with(VecDeque::new).take(nodes * nodes).collect();
        Self { tape, nodes, next: HashMap::new(), lost: HashSet::new(), queues, waiting: 0 }
    }

    /// Whether a frame between two nodes passes now; otherwise the gate keeps it.
    pub(super) fn passes(&mut self, from: usize, to: usize, frame: &[u8]) -> bool {
        self.lose();
        let news = match self.kind(from, to, frame) {
            Kind::Lost => return false,
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

    /// Drops what waits from nodes that have fallen, and all that comes on their connections.
    fn lose(&mut self) {
        let fallen = self.tape.take_fallen();
        if fallen == 0 {
            return;
        }
        for node in (0..self.nodes.min(64)).filter(|node| (fallen >> node) & 1 == 1) {
            self.lost.extend(self.next.keys().filter(|(from, ..)| *from == node));
            for queue in &mut self.queues[node * self.nodes..][..self.nodes] {
                self.waiting -= queue.len();
                queue.clear();
            }
        }
    }

    /// The next kept frame that passes now, with its link.
    pub(super) fn released(&mut self) -> Option<(usize, usize, Vec<u8>)> {
        self.lose();
        if self.waiting == 0 {
            return None;
        }
        for link in 0..self.queues.len() {
            let (from, to) = (link / self.nodes, link % self.nodes);
            let Some(first) = self.queues[link].front_mut() else { continue };
            if first.news.is_none_or(|news| self.tape.passes(from, to, news, &mut first.ticket)) {
                // It may have fallen since.
                self.lose();
                if self.queues[link].is_empty() {
                    continue;
                }
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
            self.lost.remove(&name);
            return Kind::Free;
        }
        if self.lost.contains(&name) && (length > 0 || data.ends && !data.resets) {
            return Kind::Lost;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Following, Given, Holding, Moment, Schedule};

    const SYN: u8 = 2;
    const RST: u8 = 4;
    const PUSH: u8 = 8;
    const FIN: u8 = 1;

    /// A TCP segment behind the headers of Ethernet and IPv4.
    fn segment(ports: (u16, u16), sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 64];
        frame[22] = 8;
        frame[24] = 0x45;
        frame[26..28].copy_from_slice(&u16::try_from(40 + payload.len()).unwrap().to_be_bytes());
        frame[33] = 6;
        frame[44..46].copy_from_slice(&ports.0.to_be_bytes());
        frame[46..48].copy_from_slice(&ports.1.to_be_bytes());
        frame[48..52].copy_from_slice(&sequence.to_be_bytes());
        (frame[56], frame[57]) = (5 << 4, flags);
        frame.extend_from_slice(payload);
        frame
    }

    /// A schedule in which node n1 was killed while an operation was open.
    fn schedule() -> Schedule {
        let lines = [
            r#"{"schedule":1,"bench":"0","program":"own","network":"lab","nodes":["n1","n2"]}"#,
            r#"{"at":1000000,"client":0,"turn":"invoked"}"#,
            r#"{"fault":1,"moment":"start","label":"kill n1","at":2000000,"invoked":1,"completed":0,"since":1000000,"gap":1000000,"messages":{},"nodes":["n1"]}"#,
        ];
        Schedule::parse(&lines.join("\n")).unwrap()
    }

    #[test]
    fn fallen_node_loses_what_was_held() {
        let tape = Tape::new(vec!["n1".to_owned(), "n2".to_owned()]);
        let following = Following {
            schedule: Arc::new(schedule()),
            operations: false,
            messages: false,
            holding: Holding::Sent(0),
            limit: Duration::from_secs(60),
        };
        tape.follow(&following).unwrap();
        let mut given = tape.take_given().unwrap();
        let mut gate = Gate::new(Arc::clone(&tape), 2);
        let (out, back) = ((4_000, 5_000), (5_000, 4_000));
        assert!(
            gate.passes(0, 1, &segment(out, 7, SYN, b"")) && gate.passes(1, 0, &segment(back, 9, SYN, b""))
        );
        tape.begin(std::collections::BTreeMap::new());
        tape.invoked(0);
        assert_eq!(given.blocking_recv(), Some(Given::Release));
        assert!(!gate.passes(0, 1, &segment(out, 8, PUSH, b"decided")), "n1 may send nothing");
        assert!(gate.passes(1, 0, &segment(back, 10, PUSH, b"accepted")), "n2 is free");
        assert!(gate.released().is_none());
        let client = std::thread::spawn({
            let tape = Arc::clone(&tape);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            move || runtime.block_on(tape.receive(0))
        });
        assert_eq!(given.blocking_recv(), Some(Given::Strike(1, Moment::Start)));
        tape.acts(1, Moment::Start, "kill n1", &["n1".to_owned()]);
        tape.acted(1, Moment::Start, &["n1".to_owned()]);
        client.join().unwrap();
        assert!(gate.released().is_none(), "it was lost with n1");
        assert!(!gate.passes(0, 1, &segment(out, 8, PUSH, b"decided")), "so is what the kernel sends again");
        assert!(!gate.passes(0, 1, &segment(out, 15, FIN, b"")));
        assert!(gate.passes(0, 1, &segment(out, 15, RST, b"")));
        let again = (4_001, 5_000);
        assert!(gate.passes(0, 1, &segment(again, 70, SYN, b"")));
        assert!(gate.passes(0, 1, &segment(again, 71, PUSH, b"hello")), "a new connection is free");
    }
}
