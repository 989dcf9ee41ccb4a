//! Chooses how one key is decided. A new method is one more branch here; each of them is exact.

use super::{
    Limits,
    budget::Stop,
    frontier::{self, Found},
    object::Op,
    values::Values,
};

/// What is known about one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Linearizable,
    /// The earliest operation that cannot complete.
    Impossible(Op),
    /// It stopped early; the operations that completed before this moment are linearizable.
    Unknown {
        why: Stop,
        sound_until: u32,
    },
}

/// Decides one key, whose operations come in order of invocation.
pub(super) fn decide(values: &Values<'_>, ops: &[Op], limits: &Limits<'_>) -> Decision {
    by_search(values, ops, limits)
}

fn by_search(values: &Values<'_>, ops: &[Op], limits: &Limits<'_>) -> Decision {
    match frontier::search(values, ops, limits, true) {
        Found::Linearizable => Decision::Linearizable,
        Found::Stuck(stuck) => Decision::Impossible(stuck.op),
        Found::Unknown { why, sound_until } => Decision::Unknown { why, sound_until },
    }
}
