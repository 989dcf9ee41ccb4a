//! Salts: random numbers that bind written bytes to one life of one file.

use std::fmt;

/// A source of random numbers that clients can neither learn nor guess.
///
/// A value of a client may look like any bytes of the log, except for a number that the client does not know.
/// Salts are only on the disk: they must never appear in an answer, a message or an error.
pub struct Salts(Box<dyn FnMut() -> u64 + Send>);

impl Salts {
    /// Salts from this source of 64 random bits.
    pub fn new(source: impl FnMut() -> u64 + Send + 'static) -> Self {
        Self(Box::new(source))
    }

    /// Draws the next one, which is never 0, because the log writes zeros ahead of use.
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
