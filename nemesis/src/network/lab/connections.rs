//! TCP connections through the switch, which it can reset as if an end had crashed. Pure.

use super::frame::{self, Segment};
use std::collections::HashMap;

/// Above this number, old connections that ended silently are dropped.
const REMEMBERED: usize = 50_000;

/// A connection, from the port that dialled to the port that accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Name {
    from: usize,
    to: usize,
    from_port: u16,
    to_port: u16,
}

#[derive(Debug, Default)]
struct Connection {
    /// The last acknowledgement number of the dialler and of the acceptor: a reset to each must carry it.
    acks: [Option<u32>; 2],
    /// A reversed frame of each end, from which a reset is made.
    turned: [Option<Vec<u8>>; 2],
    ended: [bool; 2],
    reset: bool,
}

/// All connections between nodes.
#[derive(Debug, Default)]
pub(super) struct Connections(HashMap<Name, Connection>);

/// A reset to send through a port.
pub(super) struct Reset {
    pub(super) port: usize,
    pub(super) frame: Vec<u8>,
}

impl Connections {
    /// Tracks a frame.
    ///
    /// If its connection was reset, the frame must not be forwarded, and its sender gets this reset.
    pub(super) fn see(&mut self, from: usize, to: usize, frame: &[u8]) -> Option<Reset> {
        let segment = frame::segment(frame)?;
        let forward = Name { from, to, from_port: segment.from_port, to_port: segment.to_port };
        let backward = Name { from: to, to: from, from_port: segment.to_port, to_port: segment.from_port };
        if segment.dials {
            if self.0.len() >= REMEMBERED {
                self.0.retain(|_, connection| connection.ended == [false; 2] && !connection.reset);
            }
            self.0.insert(forward, Connection::default());
        }
        let (name, side) = if self.0.contains_key(&forward) { (forward, 0) } else { (backward, 1) };
        let connection = self.0.get_mut(&name)?;
        if connection.reset {
            let answer = frame::refusal(frame);
            return answer.map(|frame| Reset { port: from, frame });
        }
        connection.note(side, segment, frame);
        if segment.resets {
            self.0.remove(&name);
        }
        None
    }

    /// Resets every connection that `from` dialled to `to`; returns the frames and the number.
    pub(super) fn reset(&mut self, from: usize, to: usize) -> (Vec<Reset>, u64) {
        let (mut resets, mut count) = (Vec::new(), 0);
        let mut hit: Vec<_> = self
            .0
            .iter_mut()
            .filter(|(name, connection)| {
                (name.from, name.to) == (from, to) && !connection.reset && connection.ended != [true; 2]
            })
            .collect();
        hit.sort_by_key(|(name, _)| **name);
        for (_, connection) in hit {
            let [Some(ack_of_from), Some(ack_of_to)] = connection.acks else { continue };
            connection.reset = true;
            count += 1;
            let onwards = |side: usize, ack| {
                connection.turned[side].as_deref().map(|turned| frame::reset_onwards(turned, ack))
            };
            resets.extend(onwards(0, ack_of_to).map(|frame| Reset { port: to, frame }));
            resets.extend(onwards(1, ack_of_from).map(|frame| Reset { port: from, frame }));
        }
        (resets, count)
    }
}

impl Connection {
    fn note(&mut self, side: usize, segment: Segment, frame: &[u8]) {
        if !segment.dials {
            self.acks[side] = Some(segment.ack);
        }
        self.ended[side] |= segment.ends;
        if self.turned[side].is_none() {
            self.turned[side] = frame::turned(frame);
        }
    }
}
