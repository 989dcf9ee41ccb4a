//! The models a history can be checked against.

use std::{fmt, str::FromStr};

/// What the system promises to be, key by key.
///
/// Every key starts empty (absent, null, 0, free). Values are compared as JSON; on a key that is appended to
/// they are compared as text, because a store of text cannot tell `17` from `"17"`. An operation whose result
/// is null found nothing where its table entry says so. An operation that failed did not happen; but one
/// that failed with the error `precondition` saw that it could not happen, where that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Model {
    /// `read` and `write`; `cas` is understood as well.
    Register,
    /// `read`, `write` and `cas`.
    CasRegister,
    /// `get`, `put`, `delete`, `cas`, `append`, and the names of a register.
    Kv,
    /// `txn` of several reads and writes at once: `[["r", key, null], ["w", key, value], …]`, answered by the
    /// same list with the values read filled in. The keys inside are registers of one object.
    MultiRegister,
    /// `acquire` and `release`. With the error `precondition` it was held, or free.
    Mutex,
    /// A mutex that only its holder can release. The holder is the `client` that the argument names, or the client of the
    /// operation.
    OwnedMutex,
    /// The same, and its holder may acquire it again; it is free once it was released as often.
    ReentrantMutex,
    /// An owned mutex whose `acquire` returns a fence, a number larger than those of all holds before.
    FencedMutex,
    /// Both: a holder that acquires it again gets the same fence.
    ReentrantFencedMutex,
    /// `acquire n` and `release n` of permits (1 if null); `permits n` says how many there are. With the error
    /// `precondition` so many were not free, or not held.
    Semaphore,
    /// `read` → `[version, value]`, `write [null, value]` and `cas [null, [from, to]]` → `[version, …]`. The version is 0
    /// at first, and one more with every change.
    VersionedRegister,
    /// `add x` and `remove x`, whose results may say whether they changed anything (`true` or `false`);
    /// `contains x` → `true` or `false`; `read` → the list of all elements, in any order.
    Set,
    /// `add n` (may be negative), `incr` and `decr` (by `n`, or 1 if null), `add-and-get n` → the new value,
    /// and `read` → the value. Numbers are integers.
    Counter,
    /// `enqueue x` and `dequeue` → the oldest element; `peek` → the same, which stays. Null, or the error
    /// `precondition`, if there is none.
    FifoQueue,
    /// `enqueue x` and `dequeue` → any element, `peek` → the same; null as above.
    UnorderedQueue,
    /// `push x` and `pop` → the youngest element, `peek` → the same; null as above.
    Stack,
    /// `enqueue x` and `dequeue` → the largest element, `peek` → the same; null as above. Numbers are less
    /// than strings; strings are compared byte by byte.
    PriorityQueue,
}

impl Model {
    /// Every model, in the order in which help texts list them.
    pub const ALL: [Self; 17] = [
        Self::Register,
        Self::CasRegister,
        Self::Kv,
        Self::MultiRegister,
        Self::Mutex,
        Self::OwnedMutex,
        Self::ReentrantMutex,
        Self::FencedMutex,
        Self::ReentrantFencedMutex,
        Self::Semaphore,
        Self::VersionedRegister,
        Self::Set,
        Self::Counter,
        Self::FifoQueue,
        Self::UnorderedQueue,
        Self::Stack,
        Self::PriorityQueue,
    ];

    /// Its name in the header of a history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::Kv => "kv",
            Self::MultiRegister => "multi-register",
            Self::Mutex => "mutex",
            Self::OwnedMutex => "owned-mutex",
            Self::ReentrantMutex => "reentrant-mutex",
            Self::FencedMutex => "fenced-mutex",
            Self::ReentrantFencedMutex => "reentrant-fenced-mutex",
            Self::Semaphore => "semaphore",
            Self::VersionedRegister => "versioned-register",
            Self::Set => "set",
            Self::Counter => "counter",
            Self::FifoQueue => "fifo-queue",
            Self::UnorderedQueue => "unordered-queue",
            Self::Stack => "stack",
            Self::PriorityQueue => "priority-queue",
        }
    }

    /// Its operations, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Register => "read and write",
            Self::CasRegister => "read, write and cas",
            Self::Kv => "get, put, delete, cas and append",
            Self::MultiRegister => "txn of reads and writes of several registers at once",
            Self::Mutex => "acquire and release",
            Self::OwnedMutex => "acquire and release, by its holder",
            Self::ReentrantMutex => "acquire and release, by its holder as often as it likes",
            Self::FencedMutex => "acquire and release, by its holder, with fences that grow",
            Self::ReentrantFencedMutex => {
                "acquire and release, by its holder as often as it likes, with fences that grow"
            }
            Self::Semaphore => "acquire and release of permits; --initial says how many there are",
            Self::VersionedRegister => "read, write and cas with versions that count the changes",
            Self::Set => "add, remove, contains and read",
            Self::Counter => "add, incr, decr, add-and-get and read",
            Self::FifoQueue => "enqueue, dequeue and peek, the oldest first",
            Self::UnorderedQueue => "enqueue, dequeue and peek, any first",
            Self::Stack => "push, pop and peek, the youngest first",
            Self::PriorityQueue => "enqueue, dequeue and peek, the largest first",
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no model's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no model \"{0}\"; models are {names}", names = names())]
pub struct UnknownModel(String);

fn names() -> String {
    let mut names: Vec<&str> = Model::ALL.into_iter().map(Model::name).collect();
    let last = names.pop().expect("there are models");
    format!("{} and {last}", names.join(", "))
}

impl FromStr for Model {
    type Err = UnknownModel;

    fn from_str(name: &str) -> Result<Self, UnknownModel> {
        Self::ALL.into_iter().find(|model| model.name() == name).ok_or_else(|| UnknownModel(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_found_by_its_name_and_named_in_the_error() {
        let error = "cas".parse::<Model>().unwrap_err().to_string();
        for model in Model::ALL {
            assert_eq!(model.to_string().parse(), Ok(model));
            assert!(error.contains(model.name()), "{error}");
        }
    }
}
