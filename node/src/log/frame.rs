//! Frames: salt, length, checksum, number, payload; and the rest behind the last good frame.
//!
//! Problem: the log reuses files of segments, and clients choose values. The bytes behind the last frame may
//! therefore look like anything: frames of an earlier life of the file, or forged frames.
//!
//! Idea: every frame begins with the *salt* of its segment, 64 random bits that are drawn at its start and that
//! no client can know. Bytes without the salt are no frame of this segment. Bytes with the salt are a frame or
//! the rest of one. A linear search for the salt therefore finds whether a frame was written behind a broken
//! one.

use crate::flaw::Flaw;
use std::ops::Range;

/// Size of a frame's header, all little-endian.
///
/// Salt (8), length (4), checksum of all the rest (4), frame number (8).
pub(super) const FRAME_HEADER: usize = 24;

/// The frames of a segment, and the rest of its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// The payloads of the good frames, in order.
    pub(super) frames: Vec<Range<usize>>,
    /// The offset of the next frame.
    pub(super) end: usize,
    /// The classification of the bytes there.
    pub(super) tail: Tail,
}

impl Scan {
    /// Applies the flaws of a log: accepts a `readable` torn frame, or drops the last good one with it.
    pub(super) fn misread(&mut self, bytes: &[u8], flaws: &[Flaw], readable: impl Fn(&Range<usize>) -> bool) {
        let Tail::Torn { bytes: torn } = self.tail else { return };
        let payload = (self.end + FRAME_HEADER).min(bytes.len())..(self.end + torn).min(bytes.len());
        if flaws.contains(&Flaw::LogTakesTorn) && readable(&payload) {
            self.end = payload.end;
            self.frames.push(payload);
            self.tail = Tail::Clean;
        } else if flaws.contains(&Flaw::LogDropsGood)
            && let Some(good) = self.frames.pop()
        {
            self.tail = Tail::Torn { bytes: self.end + torn - (good.start - FRAME_HEADER) };
            self.end = good.start - FRAME_HEADER;
        }
    }
}

/// The classification of the bytes behind the last good frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// No bytes of this segment: zeros written ahead, or bytes of an earlier segment in the same file.
    Clean,
    /// A broken frame, the last one of the segment.
    Torn {
        /// Its length within the file.
        bytes: usize,
    },
    /// A broken frame with a later one behind it: it was synced before the later one was written.
    Damaged {
        /// The offset of the later one.
        later: usize,
    },
}

/// The header of a frame, as stored.
struct Header {
    salt: u64,
    length: usize,
    checksum: u32,
    number: u64,
}

impl Header {
    /// Reads the header at `offset`, if the file is long enough.
    fn at(bytes: &[u8], offset: usize) -> Option<Self> {
        let header = bytes.get(offset..offset + FRAME_HEADER)?;
        let word =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        Some(Self { salt: long(0), length: word(8) as usize, checksum: word(12), number: long(16) })
    }
}

/// Encodes a frame with this salt and number; the payload consists of the two parts.
pub(super) fn encode(salt: u64, number: u64, (first, second): (&[u8], &[u8])) -> Vec<u8> {
    let length = first.len() + second.len();
    let mut frame = Vec::with_capacity(FRAME_HEADER + length);
    frame.extend(salt.to_le_bytes());
    frame.extend(u32::try_from(length).expect("a frame is far below 4 GiB").to_le_bytes());
    frame.extend([0; 4]);
    frame.extend(number.to_le_bytes());
    frame.extend(first);
    frame.extend(second);
    let sum = checksum(salt, number, &frame[FRAME_HEADER..]);
    frame[12..16].copy_from_slice(&sum.to_le_bytes());
    frame
}

fn checksum(salt: u64, number: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// The payload of the frame at `offset` with this number, if its checksum is right.
///
/// It ignores the salt in the header.
fn payload_at(bytes: &[u8], offset: usize, salt: u64, number: u64) -> Option<Range<usize>> {
    let header = Header::at(bytes, offset).filter(|header| header.number == number)?;
    let payload = offset + FRAME_HEADER..(offset + FRAME_HEADER).checked_add(header.length)?;
    (checksum(salt, number, bytes.get(payload.clone())?) == header.checksum).then_some(payload)
}

/// Reads the frames of a segment with this salt from `start` on; the first has the number `first`.
pub(super) fn scan(bytes: &[u8], start: usize, salt: u64, first: u64) -> Scan {
    let mut frames = Vec::new();
    let mut end = start;
    let mut number = first;
    let salted = |offset| Header::at(bytes, offset).is_some_and(|header| header.salt == salt);
    while let Some(payload) =
        Some(end).filter(|end| salted(*end)).and_then(|end| payload_at(bytes, end, salt, number))
    {
        end = payload.end;
        frames.push(payload);
        number += 1;
    }
    let tail = tail(bytes, end, salt, number);
    Scan { frames, end, tail }
}

/// Classifies the bytes at `end`, where there is no good frame with this number.
fn tail(bytes: &[u8], end: usize, salt: u64, number: u64) -> Tail {
    let behind = bytes.get(end..).unwrap_or_default();
    let Some(header) = Header::at(bytes, end) else { return Tail::Clean };
    if let Some(later) = memchr::memmem::find(&behind[1..], &salt.to_le_bytes()) {
        return Tail::Damaged { later: end + 1 + later };
    }
    if header.salt == salt || payload_at(bytes, end, salt, number).is_some() {
        Tail::Torn { bytes: (FRAME_HEADER + header.length).min(behind.len()) }
    } else {
        Tail::Clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SALT: u64 = 0x7061_7573_6564_2121;

    fn frames(salt: u64, first: u64, payloads: &[Vec<u8>]) -> Vec<u8> {
        (first..).zip(payloads).flat_map(|(number, payload)| encode(salt, number, (payload, &[]))).collect()
    }

    fn segment(payloads: &[Vec<u8>], zeros: usize) -> Vec<u8> {
        let mut bytes = frames(SALT, 7, payloads);
        bytes.resize(bytes.len() + zeros, 0);
        bytes
    }

    fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 1..8)
    }

    /// Bytes that a client may have written: frames, headers, lengths, with any salt but the segment's.
    fn forged() -> impl Strategy<Value = Vec<u8>> {
        // No byte matches the salt's byte at the same offset; otherwise a random byte could complete the salt.
        let near = SALT ^ 0x0101_0101_0101_0101;
        let salt = prop_oneof![Just(0), Just(near), Just(SALT.swap_bytes()), any::<u64>()];
        let salt = salt.prop_filter("a client does not know it", |salt| *salt != SALT);
        let frame = (salt, 0_u64..20, prop::collection::vec(any::<u8>(), 0..60));
        let frame = frame.prop_map(|(salt, number, payload)| encode(salt, number, (&payload, &[])));
        let cut =
            (frame.clone(), 0_usize..40).prop_map(|(frame, cut)| frame[cut.min(frame.len())..].to_vec());
        let lengths = prop::collection::vec(any::<u32>(), 1..20)
            .prop_map(|words| words.into_iter().flat_map(u32::to_le_bytes).collect());
        prop::collection::vec(prop_oneof![frame, cut, lengths], 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn written_frames_are_read_back(payloads in payloads(), zeros in 0_usize..100) {
            let bytes = segment(&payloads, zeros);
            let scan = scan(&bytes, 0, SALT, 7);
            let read: Vec<_> = scan.frames.iter().map(|range| bytes[range.clone()].to_vec()).collect();
            prop_assert_eq!(read, payloads);
            prop_assert_eq!(scan.tail, Tail::Clean);
        }

        #[test]
        fn forged_frames_behind_last_are_ignored(payloads in payloads(), forged in forged()) {
            let mut bytes = segment(&payloads, 0);
            bytes.extend(forged);
            let scan = scan(&bytes, 0, SALT, 7);
            prop_assert_eq!(scan.frames.len(), payloads.len());
            prop_assert_eq!(scan.tail, Tail::Clean);
        }

        #[test]
        fn forged_frames_in_torn_one_are_ignored(payloads in payloads(), forged in forged(), keep in 0.0..1.0_f64) {
            let mut bytes = segment(&payloads, 0);
            let frame = encode(SALT, 7 + payloads.len() as u64, (b"x", &forged));
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small test length")]
            let kept = (keep * frame.len() as f64) as usize;
            let end = bytes.len();
            bytes.extend(&frame[..kept]);
            bytes.extend(&forged);
            bytes.resize(bytes.len() + 100, 0);
            prop_assume!(!bytes[end..].starts_with(&frame));
            let scan = scan(&bytes, 0, SALT, 7);
            prop_assert_eq!((scan.frames.len(), scan.end), (payloads.len(), end));
            // The next bytes may happen to complete the salt at the start of a frame.
            let begun = bytes[end..].starts_with(&frame[..8]);
            prop_assert_eq!(matches!(scan.tail, Tail::Torn { .. }), begun, "{:?}", scan.tail);
        }

        #[test]
        fn frames_of_earlier_life_are_ignored(payloads in payloads(), old in payloads(), first in 1_u64..20) {
            let mut bytes = segment(&payloads, 0);
            bytes.extend(frames(SALT + 1, first, &old));
            let scan = scan(&bytes, 0, SALT, 7);
            prop_assert_eq!(scan.frames.len(), payloads.len());
            prop_assert_eq!(scan.tail, Tail::Clean);
        }

        #[test]
        fn a_prefix_of_the_last_frame_is_torn(payloads in payloads(), keep in 0.0..1.0_f64) {
            let complete = segment(&payloads, 0);
            let last = FRAME_HEADER + payloads.last().map_or(0, Vec::len);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small test length")]
            let kept = complete.len() - last + (keep * last as f64) as usize;
            let mut bytes = complete[..kept].to_vec();
            bytes.resize(complete.len() + 50, 0);
            let scan = scan(&bytes, 0, SALT, 7);
            let still_complete = bytes[..complete.len()] == complete;
            prop_assert_eq!(scan.frames.len(), payloads.len() - usize::from(!still_complete));
            let damaged = matches!(scan.tail, Tail::Damaged { .. });
            prop_assert!(!damaged, "a torn tail is not damage");
        }

        #[test]
        fn flipped_bit_before_last_frame_is_damage(payloads in payloads(), sample in any::<prop::sample::Index>(), bit in 0_u32..8) {
            prop_assume!(payloads.len() > 1);
            let mut bytes = segment(&payloads, 100);
            let last = FRAME_HEADER + payloads.last().map_or(0, Vec::len);
            let index = sample.index(bytes.len() - 100 - last);
            bytes[index] ^= 1_u8 << bit;
            let scan = scan(&bytes, 0, SALT, 7);
            let damaged = matches!(scan.tail, Tail::Damaged { .. });
            prop_assert!(damaged, "{:?}", scan);
        }

        #[test]
        fn flipped_bit_in_last_frame_is_torn(payloads in payloads(), sample in any::<prop::sample::Index>(), bit in 0_u32..8) {
            let mut bytes = segment(&payloads, 100);
            let last = FRAME_HEADER + payloads.last().map_or(0, Vec::len);
            let index = bytes.len() - 100 - last + sample.index(last);
            bytes[index] ^= 1_u8 << bit;
            let scan = scan(&bytes, 0, SALT, 7);
            let torn = matches!(scan.tail, Tail::Torn { .. });
            prop_assert!(torn && scan.frames.len() + 1 == payloads.len(), "{:?}", scan);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            scan(&bytes, 0, 1, 1);
        }
    }

    #[test]
    fn long_forged_lengths_are_scanned_in_linear_time() {
        let header = [&0x0040_0000_u32.to_le_bytes()[..], b"AAAA", &0x6000_0000_u64.to_le_bytes()].concat();
        let mut bytes = segment(&[b"x".to_vec()], 0);
        bytes.extend(header.repeat((8 << 20) / header.len()));
        let begun = std::time::Instant::now();
        assert_eq!(scan(&bytes, 0, SALT, 7).tail, Tail::Clean);
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?} for 8 MiB", begun.elapsed());
    }
}
