//! Salts: random numbers that tie what is written to one life of one file.

use std::fmt;

/// A source of random numbers that clients can neither learn nor guess.
///
/// A value of a client may look like anything that the log writes, except for a number that the client does not know.
/// Salts stand on the disk only: they must never appear in an answer, a message or an error.
pub struct Salts(Box<dyn FnMut() -> u64 + Send>);

impl Salts {
    /// Salts from this source of 64 random bits.
    pub fn new(source: impl FnMut() -> u64 + Send + 'static) -> Self {
        Self(Box::new(source))
    }

    /// Draws the next one, which is never 0: zeros are written ahead of use.
    pub(super) fn draw(&mut self) -> u64 {
        loop {
            let salt = (self.0)();
            if salt != 0 {
                return salt;
            }
        }
    }
}

impl fmt::Debug for Salts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salts")
    }
}
