//! A capture of the whole cluster in the pcapng format.
//!
//! It has an interface for each port of the switch, and a comment on each frame that a fault affected.

use crate::network::lane::Nanos;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const ETHERNET: u16 = 1;

const COMMENT: u16 = 1;
const NAME: u16 = 2;
const RESOLUTION: u16 = 9;
/// Times are counted in units of ten to the minus nine seconds.
const NANOSECONDS: u8 = 9;

/// A capture in progress.
pub(super) struct Capture<W: Write> {
    out: W,
    /// The start of the switch's clock, in nanoseconds since 1970.
    began: u64,
    /// The first error: a failed capture must not stop the switch.
    failed: Option<io::Error>,
    unflushed: bool,
}

impl Capture<BufWriter<File>> {
    /// Creates the file; frames refer to interfaces by their index in `names`.
    pub(super) fn create(path: &Path, names: &[String]) -> io::Result<Self> {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        Self::begin(file, names, u64::try_from(began).unwrap_or(0))
    }
}

impl<W: Write> Capture<W> {
    fn begin(out: W, names: &[String], began: u64) -> io::Result<Self> {
        let mut capture = Self { out, began, failed: None, unflushed: true };
        let mut section = Vec::new();
        section.extend(BYTE_ORDER.to_le_bytes());
        section.extend([1, 0, 0, 0]);
        section.extend(u64::MAX.to_le_bytes());
        capture.block(SECTION, &section)?;
        for name in names {
            let mut interface = Vec::new();
            interface.extend(ETHERNET.to_le_bytes());
            interface.extend([0; 6]);
            option(&mut interface, NAME, name.as_bytes());
            option(&mut interface, RESOLUTION, &[NANOSECONDS]);
            option(&mut interface, 0, &[]);
            capture.block(INTERFACE, &interface)?;
        }
        capture.flush()?;
        Ok(capture)
    }

    /// Writes a frame that an interface sent, with its fate as a comment unless that is empty.
    pub(super) fn frame(&mut self, interface: usize, now: Nanos, frame: &[u8], fate: &str) {
        if self.failed.is_some() {
            return;
        }
        let time = self.began.saturating_add(now).to_le_bytes();
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut packet = Vec::with_capacity(frame.len() + 64);
        packet.extend(u32::try_from(interface).unwrap_or(u32::MAX).to_le_bytes());
        // The upper half comes first.
        packet.extend(&time[4..]);
        packet.extend(&time[..4]);
        packet.extend(length);
        packet.extend(length);
        packet.extend(frame);
        pad(&mut packet);
        if !fate.is_empty() {
            option(&mut packet, COMMENT, fate.as_bytes());
            option(&mut packet, 0, &[]);
        }
        self.unflushed = true;
        if let Err(error) = self.block(PACKET, &packet) {
            self.fail(error);
        }
    }

    /// Flushes the file to the kernel, so that it outlives this process.
    pub(super) fn settle(&mut self) {
        if self.failed.is_none()
            && let Err(error) = self.flush()
        {
            self.fail(error);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unflushed) { self.out.flush() } else { Ok(()) }
    }

    fn fail(&mut self, error: io::Error) {
        eprintln!("the capture ends here, as it cannot be written: {error}");
        self.failed = Some(error);
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length)?;
        self.out.write_all(body)?;
        self.out.write_all(&length)
    }
}

/// Pads to a multiple of four bytes, as blocks require.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    block.extend(code.to_le_bytes());
    block.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    block.extend(value);
    pad(block);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The blocks of a capture, each with its kind and its body.
    pub(crate) fn blocks(mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
        let mut blocks = Vec::new();
        while !bytes.is_empty() {
            let length = word(&bytes[4..]) as usize;
            assert_eq!(length % 4, 0, "blocks are made of words");
            assert_eq!(word(&bytes[length - 4..]) as usize, length, "the length is at both ends");
            blocks.push((word(bytes), bytes[8..length - 4].to_vec()));
            bytes = &bytes[length..];
        }
        blocks
    }

    #[test]
    fn capture_has_interface_time_and_fate() {
        let names = ["n1".to_owned(), "clients".to_owned()];
        let mut bytes = Vec::new();
        let mut capture = Capture::begin(&mut bytes, &names, 1 << 32).unwrap();
        capture.frame(1, 5, b"seven..", "lost");
        capture.frame(0, 6, b"four", "");
        capture.settle();
        let blocks = blocks(&bytes);
        let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [SECTION, INTERFACE, INTERFACE, PACKET, PACKET]);
        assert_eq!(&blocks[2].1[12..19], b"clients");
        let lost = &blocks[3].1;
        assert_eq!((&lost[..4], &lost[4..12]), (&[1, 0, 0, 0][..], &[1, 0, 0, 0, 5, 0, 0, 0][..]));
        assert_eq!((lost[12], &lost[20..28], &lost[32..36]), (7, &b"seven..\0"[..], &b"lost"[..]));
        assert_eq!(blocks[4].1.len(), 24, "an unaffected frame has no comment");
    }
}
