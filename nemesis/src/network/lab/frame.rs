//! Frames in the switch: destination, segmentation, corruption, refusal. Pure.
//!
//! The kernel's offload header of ten bytes (`virtio_net_hdr`) precedes each Ethernet frame. It says whether
//! the checksum must still be computed, and whether the frame stands for several TCP segments.

use super::netlink::Mac;
use std::ops::RangeInclusive;

/// Length of the offload header.
const OFFLOAD: usize = 10;
const ETHERNET: usize = 14;
const IP: usize = OFFLOAD + ETHERNET;
const TCP: u8 = 6;
const UDP: u8 = 17;
const GSO_TCP4: u8 = 1;
const GSO_KIND: u8 = 0x7f;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PUSH: u8 = 8;
const ACK: u8 = 16;
/// The sender has reduced its congestion window: set in the first segment only.
const CWR: u8 = 128;

/// The hardware address of the interface at a port of the switch.
pub(super) fn mac(port: usize) -> Mac {
    [2, 0xbe, 0x9c, 0, 0, u8::try_from(port).expect("the switch has fewer than 256 ports")]
}

/// The destination port of a frame; none if no port here has its address.
pub(super) fn destination(frame: &[u8], ports: usize) -> Option<usize> {
    let mac: &[u8] = frame.get(OFFLOAD..OFFLOAD + 6)?;
    let port = usize::from(mac[5]);
    (mac[..5] == [2, 0xbe, 0x9c, 0, 0] && port < ports).then_some(port)
}

/// Bytes of a frame on the wire.
pub(super) fn length(frame: &[u8]) -> usize {
    frame.len().saturating_sub(OFFLOAD)
}

/// The frame on the wire: without the offload header.
pub(super) fn wire(frame: &[u8]) -> &[u8] {
    frame.get(OFFLOAD..).unwrap_or_default()
}

/// Offsets of the parts of an IPv4 packet in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    protocol: u8,
    transport: usize,
    payload: usize,
    end: usize,
}

fn parts(frame: &[u8]) -> Option<Parts> {
    if frame.len() < IP + 20 || frame[OFFLOAD + 12..IP] != [8, 0] {
        return None;
    }
    let transport = IP + usize::from(frame[IP] & 15) * 4;
    let end = IP + usize::from(word(frame, IP + 2));
    let protocol = frame[IP + 9];
    let header = match protocol {
        TCP => usize::from(frame.get(transport + 12)? >> 4) * 4,
        UDP => 8,
        _ => return None,
    };
    let payload = transport + header;
    // A later fragment has no transport header; no node here sends any.
    let unfragmented = word(frame, IP + 6) << 3 == 0;
    let long_enough = header >= if protocol == TCP { 20 } else { 8 };
    (unfragmented && long_enough && payload <= end && end <= frame.len()).then_some(Parts {
        protocol,
        transport,
        payload,
        end,
    })
}

/// The fields of a TCP segment that identify and track its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) from_port: u16,
    pub(super) to_port: u16,
    pub(super) ack: u32,
    pub(super) dials: bool,
    pub(super) ends: bool,
    pub(super) resets: bool,
}

/// Reads the TCP segment in a frame, if there is one.
pub(super) fn segment(frame: &[u8]) -> Option<Segment> {
    let parts = parts(frame).filter(|parts| parts.protocol == TCP)?;
    let tcp = parts.transport;
    let flags = frame[tcp + 13];
    Some(Segment {
        from_port: word(frame, tcp),
        to_port: word(frame, tcp + 2),
        ack: double(frame, tcp + 8),
        dials: flags & (SYN | ACK) == SYN,
        ends: flags & FIN != 0,
        resets: flags & RST != 0,
    })
}

/// The payload of a TCP segment, and what places it in its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Data<'a> {
    pub(super) from_port: u16,
    pub(super) to_port: u16,
    pub(super) sequence: u32,
    pub(super) payload: &'a [u8],
    pub(super) begins: bool,
    pub(super) ends: bool,
    pub(super) resets: bool,
}

/// Reads the payload of the TCP segment in a frame, if there is one.
pub(super) fn data(frame: &[u8]) -> Option<Data<'_>> {
    let parts = parts(frame).filter(|parts| parts.protocol == TCP)?;
    let tcp = parts.transport;
    let flags = frame[tcp + 13];
    Some(Data {
        from_port: word(frame, tcp),
        to_port: word(frame, tcp + 2),
        sequence: double(frame, tcp + 4),
        payload: &frame[parts.payload..parts.end],
        begins: flags & SYN != 0,
        ends: flags & (FIN | RST) != 0,
        resets: flags & RST != 0,
    })
}

/// Whether a frame belongs to a probe of the bench: between the probe ports and the nodes' port.
pub(super) fn is_probe(frame: &[u8], probes: &RangeInclusive<u16>, listen: u16) -> bool {
    segment(frame).is_some_and(|segment| {
        let between = |own, other| probes.contains(&own) && other == listen;
        between(segment.from_port, segment.to_port) || between(segment.to_port, segment.from_port)
    })
}

/// Splits a frame into its segments, each with its own checksum; none for a frame of a single segment.
pub(super) fn split(frame: &[u8]) -> Option<Vec<Vec<u8>>> {
    let parts = parts(frame).filter(|parts| parts.protocol == TCP)?;
    let size = usize::from(u16::from_ne_bytes([frame[4], frame[5]]));
    if frame[1] & GSO_KIND != GSO_TCP4 || size == 0 || parts.end - parts.payload <= size {
        return None;
    }
    let (headers, payload) = (&frame[..parts.payload], &frame[parts.payload..parts.end]);
    let (id, sequence) = (word(frame, IP + 4), double(frame, parts.transport + 4));
    let count = payload.len().div_ceil(size);
    let segments = payload.chunks(size).enumerate().map(|(index, chunk)| {
        let mut segment = headers.to_vec();
        segment.extend_from_slice(chunk);
        let tcp = parts.transport;
        let length = u16::try_from(segment.len() - IP).expect("a segment is shorter than its frame");
        put(&mut segment, IP + 2, length);
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers and ids wrap around")]
        {
            put(&mut segment, IP + 4, id.wrapping_add(index as u16));
            let sequence = sequence.wrapping_add((index * size) as u32);
            segment[tcp + 4..tcp + 8].copy_from_slice(&sequence.to_be_bytes());
        }
        if index > 0 {
            segment[tcp + 13] &= !CWR;
        }
        if index + 1 < count {
            segment[tcp + 13] &= !(FIN | PUSH);
        }
        checksum_ip(&mut segment);
        checksum(&mut segment);
        segment
    });
    Some(segments.collect())
}

/// Flips the bit that `draw` selects, so that the checksum no longer matches.
///
/// False without a bit to flip.
pub(super) fn corrupt(frame: &mut [u8], draw: u64) -> bool {
    let Some(parts) = parts(frame) else { return false };
    checksum(frame);
    flip(&mut frame[parts.transport..parts.end], draw)
}

/// Flips the payload bit that `draw` selects and corrects the checksum. False without a bit to flip.
pub(super) fn garble(frame: &mut [u8], draw: u64) -> bool {
    let Some(parts) = parts(frame) else { return false };
    let flipped = flip(&mut frame[parts.payload..parts.end], draw);
    if flipped {
        checksum(frame);
    }
    flipped
}

fn flip(bytes: &mut [u8], draw: u64) -> bool {
    let bits = bytes.len() as u64 * 8;
    if bits == 0 {
        return false;
    }
    let bit = usize::try_from(draw % bits).expect("a frame has few bits");
    bytes[bit / 8] ^= 1 << (bit % 8);
    true
}

/// The reset that a host without the connection sends in reply to a TCP segment.
pub(super) fn refusal(frame: &[u8]) -> Option<Vec<u8>> {
    let parts = parts(frame).filter(|parts| parts.protocol == TCP)?;
    let tcp = parts.transport;
    let flags = frame[tcp + 13];
    if flags & RST != 0 {
        return None;
    }
    let (sequence, ack) = if flags & ACK != 0 {
        (double(frame, tcp + 8), None)
    } else {
        let length = parts.end - parts.payload + usize::from(flags & (SYN | FIN) != 0);
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap around")]
        let ack = double(frame, tcp + 4).wrapping_add(length as u32);
        (0, Some(ack))
    };
    Some(reset(frame, tcp, sequence, ack))
}

/// A reset in the reverse direction of a frame, which also identifies its connection later.
pub(super) fn turned(frame: &[u8]) -> Option<Vec<u8>> {
    let parts = parts(frame).filter(|parts| parts.protocol == TCP)?;
    Some(reset(frame, parts.transport, 0, None))
}

/// The reset in the direction of the frame that was [`turned`], with this sequence number.
pub(super) fn reset_onwards(turned: &[u8], sequence: u32) -> Vec<u8> {
    reset(turned, IP + 20, sequence, None)
}

/// A reset in the reverse direction of a frame.
fn reset(frame: &[u8], tcp: usize, sequence: u32, ack: Option<u32>) -> Vec<u8> {
    let mut reset = vec![0; IP + 40];
    reset[OFFLOAD..OFFLOAD + 6].copy_from_slice(&frame[OFFLOAD + 6..OFFLOAD + 12]);
    reset[OFFLOAD + 6..OFFLOAD + 12].copy_from_slice(&frame[OFFLOAD..OFFLOAD + 6]);
    reset[OFFLOAD + 12] = 8;
    reset[IP] = 0x45;
    put(&mut reset, IP + 2, 40);
    reset[IP + 6] = 0x40;
    reset[IP + 8] = 64;
    reset[IP + 9] = TCP;
    reset[IP + 12..IP + 16].copy_from_slice(&frame[IP + 16..IP + 20]);
    reset[IP + 16..IP + 20].copy_from_slice(&frame[IP + 12..IP + 16]);
    let own = IP + 20;
    reset[own..own + 2].copy_from_slice(&frame[tcp + 2..tcp + 4]);
    reset[own + 2..own + 4].copy_from_slice(&frame[tcp..tcp + 2]);
    reset[own + 4..own + 8].copy_from_slice(&sequence.to_be_bytes());
    reset[own + 8..own + 12].copy_from_slice(&ack.unwrap_or(0).to_be_bytes());
    reset[own + 12] = 5 << 4;
    reset[own + 13] = if ack.is_some() { RST | ACK } else { RST };
    checksum_ip(&mut reset);
    checksum(&mut reset);
    reset
}

/// Computes the transport checksum and marks it as complete.
fn checksum(frame: &mut [u8]) {
    let Some(parts) = parts(frame) else { return };
    let field = parts.transport + if parts.protocol == TCP { 16 } else { 6 };
    put(frame, field, 0);
    let length = parts.end - parts.transport;
    let pseudo = sum(&frame[IP + 12..IP + 20]) + u64::from(parts.protocol) + length as u64;
    let value = fold(pseudo + sum(&frame[parts.transport..parts.end]));
    // In UDP, zero means "no checksum".
    put(frame, field, if value == 0 && parts.protocol == UDP { u16::MAX } else { value });
    frame[..OFFLOAD].fill(0);
}

fn checksum_ip(frame: &mut [u8]) {
    put(frame, IP + 10, 0);
    let header = usize::from(frame[IP] & 15) * 4;
    let value = fold(sum(&frame[IP..IP + header]));
    put(frame, IP + 10, value);
}

fn sum(bytes: &[u8]) -> u64 {
    let pairs = bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    pairs.map(u64::from).sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("it was folded until it fits")
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn double(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A TCP segment from port 1000 of 10.0.0.1 to port 2000 of 10.0.0.2, with this payload.
    fn tcp(flags: u8, payload: &[u8], gso_size: u16) -> Vec<u8> {
        let mut frame = vec![0; IP + 40];
        frame[..OFFLOAD].fill(0);
        if gso_size > 0 {
            frame[0] = 1;
            frame[1] = GSO_TCP4;
            frame[4..6].copy_from_slice(&gso_size.to_ne_bytes());
        }
        frame[OFFLOAD..OFFLOAD + 6].copy_from_slice(&mac(2));
        frame[OFFLOAD + 6..OFFLOAD + 12].copy_from_slice(&mac(1));
        frame[OFFLOAD + 12] = 8;
        frame[IP] = 0x45;
        put(&mut frame, IP + 2, u16::try_from(40 + payload.len()).unwrap());
        frame[IP + 8] = 64;
        frame[IP + 9] = TCP;
        frame[IP + 12..IP + 20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        put(&mut frame, IP + 20, 1000);
        put(&mut frame, IP + 22, 2000);
        frame[IP + 24..IP + 28].copy_from_slice(&7_u32.to_be_bytes());
        frame[IP + 28..IP + 32].copy_from_slice(&99_u32.to_be_bytes());
        frame[IP + 32] = 5 << 4;
        frame[IP + 33] = flags;
        frame.extend_from_slice(payload);
        checksum_ip(&mut frame);
        frame
    }

    /// Whether both checksums match: the sum over a correct one folds to zero.
    fn fits(frame: &[u8]) -> bool {
        let parts = parts(frame).unwrap();
        let length = (parts.end - parts.transport) as u64;
        let pseudo = sum(&frame[IP + 12..IP + 20]) + u64::from(parts.protocol) + length;
        fold(sum(&frame[IP..IP + 20])) == 0 && fold(pseudo + sum(&frame[parts.transport..parts.end])) == 0
    }

    #[test]
    fn large_frame_is_split_into_segments() {
        let payload: Vec<u8> = (0..=255).cycle().take(2_500).collect();
        let segments = split(&tcp(ACK | PUSH | CWR, &payload, 1_000)).unwrap();
        assert!(segments.iter().all(|segment| fits(segment)));
        let body = |segment: &Vec<u8>| segment[IP + 40..].to_vec();
        assert_eq!(segments.iter().flat_map(body).collect::<Vec<u8>>(), payload);
        let sequences: Vec<u32> = segments.iter().map(|segment| double(segment, IP + 24)).collect();
        assert_eq!(sequences, [7, 1_007, 2_007]);
        let flags: Vec<u8> = segments.iter().map(|segment| segment[IP + 33]).collect();
        assert_eq!(flags, [ACK | CWR, ACK, ACK | PUSH]);
        assert_eq!(split(&tcp(ACK, b"small", 0)), None);
    }

    #[test]
    fn corruption_breaks_the_checksum_and_garbling_keeps_it() {
        for draw in 0..200 {
            let mut frame = tcp(ACK, b"hello", 0);
            assert!(corrupt(&mut frame, draw));
            assert!(parts(&frame).is_none() || !fits(&frame));
            let mut frame = tcp(ACK, b"hello", 0);
            assert!(garble(&mut frame, draw));
            assert!(fits(&frame) && &frame[IP + 40..] != b"hello");
        }
        assert!(!garble(&mut tcp(ACK, b"", 0), 3), "a bare acknowledgement has no payload to garble");
    }

    #[test]
    fn refusal_sends_an_acceptable_reset() {
        let refused = refusal(&tcp(ACK, b"data", 0)).unwrap();
        assert!(fits(&refused) && destination(&refused, 3) == Some(1));
        assert_eq!((double(&refused, IP + 24), refused[IP + 33]), (99, RST));
        let dialled = refusal(&tcp(SYN, b"", 0)).unwrap();
        assert_eq!((double(&dialled, IP + 28), dialled[IP + 33]), (8, RST | ACK));
        assert_eq!((word(&dialled, IP + 20), word(&dialled, IP + 22)), (2000, 1000));
        assert_eq!(refusal(&tcp(RST, b"", 0)), None, "a reset is never answered");
        let onwards = reset_onwards(&turned(&tcp(ACK, b"data", 0)).unwrap(), 5);
        assert!(fits(&onwards) && destination(&onwards, 3) == Some(2));
        assert_eq!((double(&onwards, IP + 24), word(&onwards, IP + 20)), (5, 1000));
    }

    #[test]
    fn foreign_and_truncated_frames_are_ignored() {
        let frame = tcp(ACK, b"hello", 0);
        assert_eq!(destination(&frame, 3), Some(2));
        assert_eq!(destination(&frame, 2), None);
        for length in 0..frame.len() - 5 {
            let mut short = frame[..length].to_vec();
            assert!(segment(&short).is_none() && split(&short).is_none() && !corrupt(&mut short, 1));
        }
    }
}
