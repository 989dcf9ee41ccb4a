//! Columns of numbers and texts, each compressed by itself, as the page carries them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::{BufWriter, Write};

/// How hard the columns are compressed. The levels above save little and take several times as long.
const LEVEL: u32 = 6;

/// Bytes that are compressed together: each call of the compressor costs as much as some thousand bytes.
const BUFFER: usize = 8 << 10;

/// One column in the making. What is put in is compressed soon, so nothing is held twice.
pub(super) struct Column(BufWriter<DeflateEncoder<Vec<u8>>>);

impl Column {
    pub(super) fn new() -> Self {
        let encoder = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
        Self(BufWriter::with_capacity(BUFFER, encoder))
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("a column in memory takes every write");
    }

    /// A number in groups of seven bits, the lowest first (LEB128).
    pub(super) fn unsigned(&mut self, mut number: u64) {
        let mut bytes = [0; 10];
        let mut length = 0;
        loop {
            let low = number.to_le_bytes()[0] & 0x7f;
            number >>= 7;
            bytes[length] = if number == 0 { low } else { low | 0x80 };
            length += 1;
            if number == 0 {
                break;
            }
        }
        self.bytes(&bytes[..length]);
    }

    /// A number with its sign in the lowest bit, so that small ones stay short.
    pub(super) fn signed(&mut self, number: i64) {
        self.unsigned((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
    }

    /// A text with a zero byte behind it.
    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(&[0]);
    }

    /// The compressed bytes as text.
    pub(super) fn finish(self) -> String {
        let encoder = self.0.into_inner().expect("a column in memory takes every write");
        STANDARD.encode(encoder.finish().expect("a column in memory takes every write"))
    }
}

/// A text as one compressed block.
pub(super) fn block(text: &[u8]) -> String {
    let mut column = Column::new();
    column.bytes(text);
    column.finish()
}
