//! A part of a file in memory, which moves on as events are read.

use std::io::Read;

/// Bytes that are read at once, of files.
pub(super) const BLOCK: usize = 1 << 20;
/// The longest event that is read in place.
const LARGEST: usize = 64 << 20;

/// What was read of a file and not passed yet.
pub(super) struct Window<R> {
    input: R,
    bytes: Vec<u8>,
    block: usize,
    /// Whether nothing follows.
    pub(super) ended: bool,
}

impl<R: Read> Window<R> {
    /// A window on the first block.
    pub(super) fn new(input: R, block: usize) -> Option<Self> {
        let mut window = Self { input, bytes: Vec::new(), block, ended: false };
        window.move_on(0).then_some(window)
    }

    /// The text in the window; none if it is not UTF-8. A character that is cut by the end of the window is left out, if more
    /// follows.
    pub(super) fn text(&self) -> Option<&str> {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => Some(text),
            Err(error) if error.error_len().is_none() && !self.ended => {
                std::str::from_utf8(&self.bytes[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        }
    }

    /// Passes bytes and reads on; false if the file cannot be read or an event is too long. It reads as much as is left over, so
    /// that a long event is looked at few times.
    pub(super) fn move_on(&mut self, passed: usize) -> bool {
        self.bytes.drain(..passed);
        let left = self.bytes.len();
        if left > LARGEST {
            return false;
        }
        let more = left.max(self.block);
        let read = (&mut self.input).take(more as u64).read_to_end(&mut self.bytes);
        self.ended = self.bytes.len() < left + more;
        read.is_ok()
    }
}
