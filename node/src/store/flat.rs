//! Decoding of a transaction's content, without nesting, because deep nesting would overflow the stack.

use super::{Operation, limited};
use serde::{Deserialize, Deserializer};
use std::cell::Cell;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Marks the end of the content, also after an error.
struct Leaving;

impl Drop for Leaving {
    fn drop(&mut self) {
        INSIDE.set(false);
    }
}

/// Reads the content of a transaction, and refuses a nested transaction.
pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    inside(|| T::deserialize(from))
}

/// The same for a list of operations, with a limited length.
pub(super) fn operations<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Operation>, D::Error> {
    inside(|| limited::deserialize(from))
}

fn inside<T, E: serde::de::Error>(read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    if INSIDE.replace(true) {
        return Err(E::custom("a transaction contains another"));
    }
    let _leaving = Leaving;
    read()
}

#[cfg(test)]
mod tests {
    use crate::store::{Answer, Operation};

    fn nested(depth: usize) -> Operation {
        let inner = Operation::Get { key: "k".into() };
        (0..depth).fold(inner, |inner, _| Operation::Transaction { operations: vec![inner] })
    }

    #[test]
    fn a_transaction_in_another_is_not_decoded() {
        for (depth, sound) in [(0, true), (1, true), (2, false), (40, false), (1, true)] {
            let operation = nested(depth);
            let bytes = postcard::to_stdvec(&operation).unwrap();
            assert_eq!(postcard::from_bytes(&bytes).ok(), sound.then(|| operation.clone()), "{depth}");
            let json = serde_json::to_string(&operation).unwrap();
            assert_eq!(serde_json::from_str(&json).ok(), sound.then_some(operation), "{json}");
        }
    }

    #[test]
    fn a_million_levels_are_refused_at_the_second() {
        let level = postcard::to_stdvec(&nested(1)).unwrap();
        let bytes = level[..2].repeat(1_000_000);
        assert!(postcard::from_bytes::<Operation>(&bytes).is_err());
        let level = postcard::to_stdvec(&Answer::Results(vec![Answer::Done])).unwrap();
        assert!(postcard::from_bytes::<Answer>(&level[..2].repeat(1_000_000)).is_err());
        let level = postcard::to_stdvec(&Answer::Aborted(0, Box::new(Answer::Done))).unwrap();
        assert!(postcard::from_bytes::<Answer>(&level[..2].repeat(1_000_000)).is_err());
    }
}
