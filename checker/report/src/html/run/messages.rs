//! The messages between nodes, from the frames of `cluster.pcapng`, which a lab writes with `pcap = true`.
//!
//! A frame that carries data counts as a message; acknowledgements of TCP alone do not. The comment of a frame says
//! what the bench did to it: dropped it, or let it arrive later.

use super::pack::Column;
use jiff::Timestamp;
use rustc_hash::FxHashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const COMMENT: u16 = 1;
const NAME: u16 = 2;
/// Bytes of a block; a longer one is none that the bench wrote.
const LONGEST: u32 = 1 << 20;
/// Messages that a page carries.
const MESSAGES: usize = 300_000;
const ETHERNET: usize = 14;

/// A frame that carries data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Message {
    /// In nanoseconds since 1970.
    ns: u64,
    from: usize,
    /// The address of the receiver's end.
    to: [u8; 6],
    bytes: usize,
    dropped: bool,
    late_us: u64,
}

/// The messages of a variant in columns, and the names behind their numbers.
pub(super) struct Messages {
    pub(super) blocks: Vec<(&'static str, String)>,
    pub(super) names: Vec<String>,
    pub(super) shown: usize,
    pub(super) all: usize,
}

/// Reads a capture; none where there is none, or where it cannot be told when the run began.
pub(super) fn read(path: &Path, zero: Option<Timestamp>) -> Option<Messages> {
    let zero = u64::try_from(zero?.as_nanosecond()).ok()?;
    let mut all = 0_usize;
    let mut addresses = FxHashMap::default();
    let names = scan(path, &mut addresses, &mut |_| all += 1)?;
    let step = all.div_ceil(MESSAGES).max(1);
    let [mut at, mut link, mut size, mut fate] = [(); 4].map(|()| Column::new());
    let (mut number, mut shown, mut last) = (0, 0, 0);
    let known = addresses.clone();
    scan(path, &mut addresses, &mut |message| {
        number += 1;
        let Some(to) = known.get(&message.to) else { return };
        if (number - 1) % step != 0 && !message.dropped {
            return;
        }
        let time = message.ns.cast_signed().wrapping_sub(zero.cast_signed()).div_euclid(1000);
        at.signed(time - last);
        last = time;
        link.unsigned((message.from * names.len() + to) as u64);
        size.unsigned(message.bytes as u64);
        fate.unsigned(if message.dropped { 0 } else { message.late_us + 1 });
        shown += 1;
    })?;
    let columns =
        [("message_at", at), ("message_link", link), ("message_size", size), ("message_fate", fate)];
    let blocks = columns.into_iter().map(|(name, column)| (name, column.finish())).collect();
    Some(Messages { blocks, names, shown, all })
}

/// Hands over every message of a capture; the names of its interfaces. Learns which address belongs to which of them.
fn scan(
    path: &Path,
    addresses: &mut FxHashMap<[u8; 6], usize>,
    each: &mut dyn FnMut(Message),
) -> Option<Vec<String>> {
    let mut file = BufReader::with_capacity(1 << 18, File::open(path).ok()?);
    let mut names = Vec::new();
    let mut block = Vec::new();
    // A capture that was cut off ends with the last whole block.
    while let Some(kind) = next(&mut file, &mut block) {
        match kind {
            INTERFACE => names.push(option(block.get(8..).unwrap_or_default(), NAME).unwrap_or_default()),
            PACKET => {
                if let Some(message) = message(&block, addresses) {
                    each(message);
                }
            }
            _ => {}
        }
    }
    Some(names)
}

/// Reads the next block, and gives its kind.
fn next(file: &mut impl Read, block: &mut Vec<u8>) -> Option<u32> {
    let mut head = [0; 8];
    file.read_exact(&mut head).ok()?;
    let (kind, length) = (number(&head, 0)?, number(&head, 4)?);
    if !(12..=LONGEST).contains(&length) {
        return None;
    }
    block.resize(length as usize - 8, 0);
    file.read_exact(block).ok()?;
    block.truncate(length as usize - 12);
    Some(kind)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The text of an option of a block.
fn option(mut options: &[u8], wanted: u16) -> Option<String> {
    loop {
        let code = u16::from_le_bytes(options.get(..2)?.try_into().ok()?);
        let length = usize::from(u16::from_le_bytes(options.get(2..4)?.try_into().ok()?));
        if code == wanted {
            return Some(String::from_utf8_lossy(options.get(4..4 + length)?).into_owned());
        }
        if code == 0 {
            return None;
        }
        options = options.get(4 + length.next_multiple_of(4)..)?;
    }
}

/// The message that a packet block carries; none where the frame carries no data.
fn message(block: &[u8], addresses: &mut FxHashMap<[u8; 6], usize>) -> Option<Message> {
    let from = number(block, 0)? as usize;
    let ns = (u64::from(number(block, 4)?) << 32) | u64::from(number(block, 8)?);
    let captured = number(block, 12)? as usize;
    let frame = block.get(20..20 + captured)?;
    addresses.entry(frame.get(6..12)?.try_into().ok()?).or_insert(from);
    let bytes = payload(frame).filter(|bytes| *bytes > 0)?;
    let fate = option(block.get(20 + captured.next_multiple_of(4)..).unwrap_or_default(), COMMENT)
        .unwrap_or_default();
    let late = fate
        .split_once(" ms late")
        .and_then(|(before, _)| before.rsplit(' ').next()?.replace('.', "").parse().ok());
    let to = frame.get(..6)?.try_into().ok()?;
    Some(Message { ns, from, to, bytes, dropped: fate.contains("dropped"), late_us: late.unwrap_or(0) })
}

/// Bytes of data in an IPv4 frame with TCP or UDP.
fn payload(frame: &[u8]) -> Option<usize> {
    const IPV4: [u8; 2] = [8, 0];
    if frame.get(12..14)? != IPV4 {
        return None;
    }
    let packet = &frame[ETHERNET..];
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let whole = usize::from(u16::from_be_bytes(packet.get(2..4)?.try_into().ok()?));
    let transport = match packet.get(9)? {
        6 => usize::from(packet.get(header + 12)? >> 4) * 4,
        17 => 8,
        _ => return None,
    };
    whole.checked_sub(header + transport)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &length].concat()
    }

    /// A TCP segment with this many bytes of data, from one end to another.
    fn packet(from: u8, to: u8, ns: u32, data: u8, comment: &str) -> Vec<u8> {
        let mut frame = [[0, 0, 0, 0, 0, to], [0, 0, 0, 0, 0, from]].concat();
        frame.extend([8, 0, 0x45, 0, 0, 40 + data, 0, 0, 0, 0, 64, 6]);
        frame.resize(ETHERNET + 20 + 12, 0);
        frame.push(0x50);
        frame.resize(ETHERNET + 40 + usize::from(data), 0);
        let mut body = [u32::from(from).to_le_bytes(), [0; 4], ns.to_le_bytes()].concat();
        body.extend([u32::try_from(frame.len()).unwrap().to_le_bytes(); 2].concat());
        body.extend(&frame);
        body.resize(body.len().next_multiple_of(4), 0);
        if !comment.is_empty() {
            body.extend(COMMENT.to_le_bytes());
            body.extend(u16::try_from(comment.len()).unwrap().to_le_bytes());
            body.extend(comment.as_bytes());
            body.resize(body.len().next_multiple_of(4), 0);
            body.extend([0; 4]);
        }
        block(PACKET, &body)
    }

    #[test]
    fn frames_with_data_are_messages() {
        let name = |name: &[u8]| {
            block(INTERFACE, &[&[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0][..], name, &[0; 6]].concat())
        };
        let file = [
            name(b"n1"),
            name(b"n2"),
            packet(0, 1, 5_000, 7, ""),
            packet(1, 0, 6_000, 0, ""),
            packet(1, 0, 7_000, 9, "bench: dropped"),
            packet(0, 1, 8_000, 4, "bench: 1.250 ms late, doubled"),
            packet(0, 1, 9_000, 4, "")[..40].to_vec(),
        ];
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), file.concat()).unwrap();
        let mut found = Vec::new();
        let names = scan(path.path(), &mut FxHashMap::default(), &mut |message| found.push(message)).unwrap();
        assert_eq!(names, ["n1", "n2"]);
        let seen: Vec<_> =
            found.iter().map(|it| (it.from, it.to[5], it.bytes, it.dropped, it.late_us)).collect();
        assert_eq!(seen, [(0, 1, 7, false, 0), (1, 0, 9, true, 0), (0, 1, 4, false, 1250)]);
        let messages = read(path.path(), Some(Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!((messages.shown, messages.all), (3, 3));
    }
}
