//! Frames: length, checksum, number, payload; and what stands behind the last good one.

use crate::flaw::Flaw;
use std::ops::Range;

/// Bytes before the payload: length (4), checksum (4), frame number (8), all little-endian.
pub(super) const FRAME_HEADER: usize = 16;

/// How far ahead the number of a later frame may be, when good frames are looked for behind a broken one.
const NUMBERS_AHEAD: u64 = 1 << 32;

/// What a segment holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// The payloads of the good frames, in order.
    pub(super) frames: Vec<Range<usize>>,
    /// Where the next frame goes.
    pub(super) end: usize,
    /// What stands there.
    pub(super) tail: Tail,
}

impl Scan {
    /// The flaws of a log: takes the torn frame for a good one, if it is `readable`, or drops the last good one with it.
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

/// What stands behind the last good frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing of this life of the file: zeros written ahead, or frames of a segment that it was before.
    Clean,
    /// A frame that was being written when the machine or the process died.
    Torn {
        /// Its length, as far as the file reaches.
        bytes: usize,
    },
    /// A broken frame, and a good one behind it.
    Damaged {
        /// Where the good one begins.
        good: usize,
    },
}

/// The frame with this number and the payload that these two parts are.
pub(super) fn encode(number: u64, (first, second): (&[u8], &[u8])) -> Vec<u8> {
    let length = first.len() + second.len();
    let mut frame = Vec::with_capacity(FRAME_HEADER + length);
    frame.extend(u32::try_from(length).expect("a frame is far below 4 GiB").to_le_bytes());
    frame.extend([0; 4]);
    frame.extend(number.to_le_bytes());
    frame.extend(first);
    frame.extend(second);
    let sum = checksum(number, &frame[FRAME_HEADER..]);
    frame[4..8].copy_from_slice(&sum.to_le_bytes());
    frame
}

fn checksum(number: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Length, checksum and number in the header at `offset`, if the file reaches so far.
fn header_at(bytes: &[u8], offset: usize) -> Option<(usize, u32, u64)> {
    let header = bytes.get(offset..offset + FRAME_HEADER)?;
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    Some((word(0) as usize, word(4), u64::from(word(8)) | u64::from(word(12)) << 32))
}

/// The payload of the good frame at `offset` whose number lies in `numbers`, if there is one.
fn frame_at(bytes: &[u8], offset: usize, numbers: &Range<u64>) -> Option<Range<usize>> {
    let (length, sum, number) = header_at(bytes, offset)?;
    if length == 0 || !numbers.contains(&number) {
        return None;
    }
    let payload = offset + FRAME_HEADER..(offset + FRAME_HEADER).checked_add(length)?;
    (checksum(number, bytes.get(payload.clone())?) == sum).then_some(payload)
}

/// Reads the frames of a segment from `start` on; the first must have the number `first`.
pub(super) fn scan(bytes: &[u8], start: usize, first: u64) -> Scan {
    let mut frames = Vec::new();
    let mut end = start;
    let mut number = first;
    while let Some(payload) = frame_at(bytes, end, &(number..number + 1)) {
        end = payload.end;
        frames.push(payload);
        number += 1;
    }
    let behind = &bytes[end.min(bytes.len())..];
    let tail = match behind.iter().rposition(|byte| *byte != 0) {
        None => Tail::Clean,
        Some(last) => {
            let later = number + 1..number.saturating_add(NUMBERS_AHEAD);
            let good = (end + 1..=end + last).find(|&offset| frame_at(bytes, offset, &later).is_some());
            good.map_or_else(|| torn(behind, number), |good| Tail::Damaged { good })
        }
    };
    Scan { frames, end, tail }
}

/// What stands behind the last good frame when no good one follows: only a header with the next number was
/// written in this life of the file.
fn torn(behind: &[u8], number: u64) -> Tail {
    match header_at(behind, 0) {
        Some((length, _, found)) if length > 0 && found == number => {
            Tail::Torn { bytes: (FRAME_HEADER + length).min(behind.len()) }
        }
        Some(_) | None => Tail::Clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(payloads: &[Vec<u8>], zeros: usize) -> Vec<u8> {
        let frames = (7..).zip(payloads).flat_map(|(number, payload)| encode(number, (payload, &[])));
        frames.chain(std::iter::repeat_n(0, zeros)).collect()
    }

    fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 1..8)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(payloads in payloads(), zeros in 0_usize..100) {
            let bytes = segment(&payloads, zeros);
            let scan = scan(&bytes, 0, 7);
            let read: Vec<_> = scan.frames.iter().map(|range| bytes[range.clone()].to_vec()).collect();
            prop_assert_eq!(read, payloads);
            prop_assert_eq!(scan.tail, Tail::Clean);
        }

        #[test]
        fn frames_of_an_earlier_life_of_the_file_are_nothing(payloads in payloads(), old in payloads()) {
            let mut bytes = segment(&payloads, 0);
            bytes.extend((1..7).zip(&old).flat_map(|(number, payload)| encode(number, (payload, &[]))));
            let scan = scan(&bytes, 0, 7);
            prop_assert_eq!(scan.frames.len(), payloads.len());
            prop_assert_eq!(scan.tail, Tail::Clean);
        }

        #[test]
        fn a_prefix_of_the_last_frame_is_torn_and_costs_no_other(payloads in payloads(), keep in 0.0..1.0_f64) {
            let whole = segment(&payloads, 0);
            let last = FRAME_HEADER + payloads.last().map_or(0, Vec::len);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small test length")]
            let kept = whole.len() - last + (keep * last as f64) as usize;
            let mut bytes = whole[..kept].to_vec();
            bytes.resize(whole.len() + 50, 0);
            let scan = scan(&bytes, 0, 7);
            let whole_again = bytes[..whole.len()] == whole;
            prop_assert_eq!(scan.frames.len(), payloads.len() - usize::from(!whole_again));
            let damaged = matches!(scan.tail, Tail::Damaged { .. });
            prop_assert!(!damaged, "a torn tail is not damage");
        }

        #[test]
        fn a_flipped_bit_before_the_last_frame_is_damage(payloads in payloads(), place in any::<prop::sample::Index>(), bit in 0_u32..8) {
            prop_assume!(payloads.len() > 1);
            let mut bytes = segment(&payloads, 100);
            let last = FRAME_HEADER + payloads.last().map_or(0, Vec::len);
            let place = place.index(bytes.len() - 100 - last);
            bytes[place] ^= 1_u8 << bit;
            let scan = scan(&bytes, 0, 7);
            let damaged = matches!(scan.tail, Tail::Damaged { .. });
            prop_assert!(damaged, "{:?}", scan);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            scan(&bytes, 0, 1);
        }
    }
}
