//! Frames: headers of packets on a connection, which prove that the packets arrived unchanged.
//!
//! A header has the payload's length, the payload's CRC-32, and a CRC-32 of both and of the frame's number.
//! Both checksums start with a session value that only the two ends of this connection know. They therefore
//! reject a frame that was changed, lost, repeated, moved, or belongs to another connection. The receiver
//! trusts the length only after its check. TCP's own checksum has only 16 bits, and a device that changes a
//! packet recomputes it.

use super::identity::Proof;
use crc32fast::Hasher;

/// Size of a header.
pub(crate) const HEAD: usize = 12;

/// The largest payload of a frame.
pub(crate) const PAYLOAD_MAX: usize = 4 << 20;

/// The reason why a frame is rejected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The header is not the next one of this connection.
    #[error("the checksum of a frame's head is wrong")]
    Head,
    /// The payload does not match its checksum.
    #[error("the checksum of a frame is wrong")]
    Payload,
    /// The payload is larger than allowed.
    #[error("a frame of {0} bytes; {PAYLOAD_MAX} is the limit")]
    Length(usize),
}

/// One direction of a connection, at either end.
#[derive(Debug)]
pub(crate) struct Frames {
    /// The CRC state after the session value.
    begun: Hasher,
    /// The number of the next frame.
    number: u64,
    /// The expected CRC of the payload behind the last header.
    expected: u32,
}

impl Frames {
    /// A new connection.
    pub(crate) fn new(session: &Proof) -> Self {
        let mut begun = Hasher::new();
        begun.update(session);
        Self { begun, number: 0, expected: 0 }
    }

    fn checksum(&self, bytes: &[u8]) -> u32 {
        let mut hasher = self.begun.clone();
        hasher.update(bytes);
        hasher.finalize()
    }

    fn head_checksum(&self, sizes: &[u8]) -> u32 {
        let mut hasher = self.begun.clone();
        hasher.update(&self.number.to_le_bytes());
        hasher.update(sizes);
        hasher.finalize()
    }

    /// Writes the header into the first [`HEAD`] bytes of a frame, whose payload follows.
    pub(crate) fn seal(&mut self, frame: &mut [u8]) -> Result<(), FrameError> {
        let (head, payload) = frame.split_at_mut(HEAD);
        let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= PAYLOAD_MAX);
        let length = length.ok_or(FrameError::Length(payload.len()))?;
        head[..4].copy_from_slice(&length.to_le_bytes());
        head[4..8].copy_from_slice(&self.checksum(payload).to_le_bytes());
        let check = self.head_checksum(&head[..8]);
        head[8..].copy_from_slice(&check.to_le_bytes());
        self.number += 1;
        Ok(())
    }

    /// The length of the payload behind this header.
    pub(crate) fn head(&mut self, head: [u8; HEAD]) -> Result<usize, FrameError> {
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if self.head_checksum(&head[..8]) != word(8) {
            return Err(FrameError::Head);
        }
        let length = word(0) as usize;
        if length > PAYLOAD_MAX {
            return Err(FrameError::Length(length));
        }
        self.expected = word(4);
        self.number += 1;
        Ok(length)
    }

    /// Checks the payload behind the last header.
    pub(crate) fn payload(&self, payload: &[u8]) -> Result<(), FrameError> {
        if self.checksum(payload) == self.expected { Ok(()) } else { Err(FrameError::Payload) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(frames: &mut Frames, payload: &[u8]) -> Vec<u8> {
        let mut frame = [&[0; HEAD], payload].concat();
        frames.seal(&mut frame).unwrap();
        frame
    }

    fn opened(frames: &mut Frames, frame: &[u8]) -> Result<Vec<u8>, FrameError> {
        let (head, payload) = frame.split_first_chunk().unwrap();
        let length = frames.head(*head)?;
        frames.payload(&payload[..length.min(payload.len())])?;
        Ok(payload[..length].to_vec())
    }

    #[test]
    fn frames_arrive_as_they_were_sent() {
        let (mut sender, mut receiver) = (Frames::new(&[1; 32]), Frames::new(&[1; 32]));
        for payload in [&b"one"[..], b"", b"three"] {
            let frame = sealed(&mut sender, payload);
            assert_eq!(opened(&mut receiver, &frame).as_deref(), Ok(payload));
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let frame = sealed(&mut Frames::new(&[1; 32]), b"something to be changed");
        for bit in 0..frame.len() * 8 {
            let mut changed = frame.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let error = opened(&mut Frames::new(&[1; 32]), &changed).unwrap_err();
            assert_eq!(error, if bit < HEAD * 8 { FrameError::Head } else { FrameError::Payload });
        }
    }

    #[test]
    fn lost_repeated_and_swapped_frames_are_noticed() {
        let mut sender = Frames::new(&[1; 32]);
        let sent = [&b"one"[..], b"two", b"two"].map(|payload| sealed(&mut sender, payload));
        for order in [&[1][..], &[0, 0], &[0, 2], &[0, 1, 1]] {
            let mut receiver = Frames::new(&[1; 32]);
            let results: Vec<_> = order.iter().map(|&index| opened(&mut receiver, &sent[index])).collect();
            assert_eq!(results.last(), Some(&Err(FrameError::Head)), "{order:?}");
        }
    }

    #[test]
    fn frames_of_another_connection_are_refused() {
        let frame = sealed(&mut Frames::new(&[1; 32]), b"one");
        assert_eq!(opened(&mut Frames::new(&[2; 32]), &frame), Err(FrameError::Head));
    }

    #[test]
    fn both_ends_have_the_same_limit() {
        let mut frames = Frames::new(&[1; 32]);
        assert_eq!(sealed(&mut frames, &vec![0; PAYLOAD_MAX]).len(), HEAD + PAYLOAD_MAX);
        let error = frames.seal(&mut vec![0; HEAD + PAYLOAD_MAX + 1]).unwrap_err();
        assert_eq!(error, FrameError::Length(PAYLOAD_MAX + 1));
        let mut receiver = Frames::new(&[1; 32]);
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&(256_u32 << 20).to_le_bytes());
        assert_eq!(receiver.head(head), Err(FrameError::Head));
        let check = receiver.head_checksum(&head[..8]);
        head[8..].copy_from_slice(&check.to_le_bytes());
        assert_eq!(receiver.head(head), Err(FrameError::Length(256 << 20)));
    }
}
