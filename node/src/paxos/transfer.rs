//! State transfer: a replica that lacks dropped decisions gets the state itself, in parts.

use super::message::{Message, NodeId, Slot};
use crate::store::Store;
use bytes::Bytes;
use std::time::Duration;

/// Size of a part of the state, in bytes.
const PART: u64 = 1 << 20;

/// Time for which an encoded state is kept for the next request.
const KEPT: Duration = Duration::from_secs(5);

/// The state transfers of one replica, which may send one and receive one.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    /// The state being sent, and the time until which it is kept.
    serving: Option<(Slot, Bytes, Duration)>,
    incoming: Option<Incoming>,
}

/// The result of adding a part.
#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is made, one a transfer")]
pub(super) enum Received {
    /// The part belongs to another state.
    Dropped,
    /// More parts are missing.
    Part,
    /// It was the last part: the state, its slot, and its size in bytes.
    Complete(Slot, Store, u64),
}

#[derive(Debug)]
struct Incoming {
    from: NodeId,
    slot_out: Slot,
    bytes: Vec<u8>,
    since: Duration,
}

impl Transfer {
    /// The first part of a state that reaches at least `least`; `encode` creates a new one if needed.
    pub(super) fn serve(
        &mut self,
        now: Duration,
        least: Slot,
        encode: impl FnOnce() -> (Slot, Vec<u8>),
    ) -> Message {
        if self.serving.as_ref().is_none_or(|(slot_out, ..)| *slot_out < least) {
            let (slot_out, bytes) = encode();
            self.serving = Some((slot_out, bytes.into(), now + KEPT));
        }
        self.part(now, None, 0).expect("there is a state to serve")
    }

    /// A part of the state up to `slot_out`, or of any state if none.
    ///
    /// It is the first part of the current state if that is another one.
    pub(super) fn part(&mut self, now: Duration, wanted: Option<Slot>, offset: u64) -> Option<Message> {
        let (slot_out, bytes, until) = self.serving.as_mut()?;
        *until = now + KEPT;
        let total = bytes.len() as u64;
        let offset = if wanted.is_none_or(|wanted| wanted == *slot_out) { offset.min(total) } else { 0 };
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let part = bytes.slice(index(offset)..index((offset + PART).min(total)));
        Some(Message::State { slot_out: *slot_out, offset, total, part })
    }

    /// The time at which [`tick`](Self::tick) has work.
    pub(super) fn wake(&self) -> Duration {
        self.serving.as_ref().map_or(Duration::MAX, |(_, _, until)| *until)
    }

    /// Drops the encoded state once no replica has requested it for a while.
    pub(super) fn tick(&mut self, now: Duration) {
        if self.wake() <= now {
            self.serving = None;
        }
    }

    /// The request for the next part, if a transfer has made progress within `patience`.
    pub(super) fn question(&mut self, now: Duration, patience: Duration) -> Option<(NodeId, Message)> {
        if self.incoming.as_ref().is_some_and(|incoming| incoming.since.saturating_add(patience) < now) {
            self.incoming = None;
        }
        let Incoming { from, slot_out, bytes, .. } = self.incoming.as_ref()?;
        Some((*from, Message::Fetch { slot_out: *slot_out, offset: bytes.len() as u64 }))
    }

    /// Adds a part, unless it belongs to another transfer than the current one.
    pub(super) fn take(
        &mut self,
        now: Duration,
        from: NodeId,
        slot_out: Slot,
        (offset, total): (u64, u64),
        part: &Bytes,
    ) -> Received {
        let fresh = self.incoming.as_ref().is_none_or(|it| it.from == from && it.slot_out != slot_out);
        if fresh && offset == 0 {
            self.incoming = Some(Incoming { from, slot_out, bytes: Vec::new(), since: now });
        }
        let Some(incoming) = self.incoming.as_mut() else { return Received::Dropped };
        if (incoming.from, incoming.slot_out, incoming.bytes.len() as u64) != (from, slot_out, offset) {
            return Received::Dropped;
        }
        incoming.bytes.extend_from_slice(part);
        incoming.since = now;
        if (incoming.bytes.len() as u64) < total {
            return Received::Part;
        }
        let bytes = std::mem::take(&mut incoming.bytes);
        self.incoming = None;
        match postcard::from_bytes(&bytes) {
            Ok(store) => Received::Complete(slot_out, store, bytes.len() as u64),
            Err(_) => Received::Dropped,
        }
    }
}
