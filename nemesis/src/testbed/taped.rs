//! The tape of a testbed.

use super::Testbed;
use crate::schedule::Tape;
use std::sync::Arc;

impl Testbed {
    /// What counts and records its load, and in a replay holds back.
    pub fn tape(&self) -> &Arc<Tape> {
        &self.tape
    }
}
