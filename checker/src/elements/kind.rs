//! The checks there are, and what each of them means.

use serde::{Serialize, Serializer};
use std::{fmt, str::FromStr};

/// What the elements of a history promise. *Element* is a value that was added, enqueued or generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A set that only grows, judged at its end: `add` (or `broadcast`) an element, `read` a list of all.
    ///
    /// *Final reads* are the acknowledged reads of the phase `final`; without any, the acknowledged read that completed last.
    /// - *lost* (invalid): an add was acknowledged before a final read was invoked, and that read does not have the element.
    /// - *unexpected* (invalid): a final read has it, but no add of it that did not fail was invoked before the read completed.
    /// - *recovered*: a final read has it, and no add of it was acknowledged.
    /// - *duplicated* (invalid if [`once`](super::Options::once)): a final read has it more than once.
    ///
    /// Unknown without a final read, or if no add was acknowledged before the last of them. Source: `checker.clj`, `set`;
    /// which looks at the last read only, does not forgive an add that completes after it, and takes failed adds
    /// for possible ones.
    SetFinal,
    /// A set that only grows, judged by every read: `add` (or `broadcast`) an element, `read` a list of all.
    ///
    /// The adds of an element are those that did not fail; it *exists* from the first invocation of one. Only acknowledged
    /// reads that complete after that count for it. It is *known* from the first completion of an acknowledged add of it or
    /// a read that has it. *Last present* and *last absent* are the reads, of those that have it and of those that do not,
    /// that were invoked last.
    /// - *stable*: a read has it, and last absent, if any, was invoked before last present.
    /// - *lost* (invalid): it is known, and last absent was invoked after it was known and after last present, if any.
    /// - *never read*: neither, so no read says anything certain.
    /// - *stale* (invalid if [`linearizable`](super::Options::linearizable)): stable, but last absent was invoked after
    ///   it was known. It became *visible* when last absent was invoked, plus a nanosecond; the time from known to visible is
    ///   its latency, 0 if not stale. A lost element's latency runs to last present, likewise.
    /// - *duplicated* (invalid): a read has it more than once.
    /// - *unexpected* (invalid): a read has it that completed before it existed.
    ///
    /// Unknown if no element is stable. Without staleness a set can still violate linearizability: two reads may each miss
    /// what the other has. Source: `checker.clj`, `set-full`; which rounds latencies to milliseconds before it looks for stale
    /// ones, never reports duplicates, does not look for unexpected elements, and starts anew if an element is added twice.
    SetFull,
    /// A counter that starts at 0: `add` (or `incr`, `decr`; by 1 if it does not say) and `read`.
    ///
    /// - *out of bounds* (invalid): a read is below the sum of all adds that were acknowledged before it was invoked, or
    ///   above the sum of all that did not fail and were invoked before it completed; negative adds count the other way
    ///   round.
    ///
    /// These are the least and the greatest value the counter can have had while the read was open. Values between them that
    /// no choice of adds gives, and reads that go back, are not looked for. Unknown if nothing was read. Source:
    /// `checker.clj`, `counter`; which knows no negative adds.
    CounterBounds,
    /// An eventually consistent counter that only grows: [`PnCounter`](Kind::PnCounter) without negative adds.
    GCounter,
    /// An eventually consistent counter: `add` (or `incr`, `decr`) and `read`.
    ///
    /// *Final reads* are the acknowledged reads of the phase `final`. The value is *acceptable* if it is the sum of all
    /// acknowledged adds and of some of those that are info.
    /// - *unacceptable* (invalid): a final read that is not.
    /// - *disagreeing* (invalid): a final read that differs from the first of them; so an add of unknown outcome should have
    ///   happened or not by then.
    ///
    /// Unknown without a final read, if an add was acknowledged or invoked after the first was invoked, or if the info adds
    /// combine in too many ways to tell. Source: Maelstrom's `pn_counter.clj`; which does not compare final reads.
    PnCounter,
    /// A queue from which nothing comes that is not in it: `enqueue`, `dequeue`, `drain` (a list of many dequeued).
    ///
    /// Enqueues that did not fail count from their invocation, dequeues when they are acknowledged.
    /// - *unexpected* (invalid): dequeued, before any enqueue of it.
    /// - *duplicated* (invalid): dequeued more often than enqueued until then.
    ///
    /// Unknown if nothing was dequeued. Source: `checker.clj`, `queue` over an unordered queue.
    Queue,
    /// A queue from which everything comes that is put into it: `enqueue`, `dequeue`, `drain` (a list of many dequeued).
    ///
    /// The queue *was empty* during an acknowledged dequeue of `null`, a dequeue that failed with the error `empty` or
    /// `exhausted`, and at the end of an acknowledged drain.
    /// - *lost* (invalid): dequeued fewer times than it was enqueued and acknowledged before a moment when the queue was
    ///   empty was looked for.
    /// - *unexpected* (invalid): dequeued, though no enqueue that did not fail was invoked before.
    /// - *duplicated*: dequeued more often than enqueues did not fail. A queue may deliver at least once.
    /// - *recovered*: dequeued more often than enqueues were acknowledged, but not duplicated.
    ///
    /// Unknown if elements are missing and the queue was never seen empty afterwards, if no more are missing than
    /// dequeues of unknown outcome may have taken, or if nothing acknowledged came out. Source: `checker.clj`, `total-queue`; which
    /// takes every history for drained, counts what a dequeue of unknown outcome took as lost, and failed enqueues as
    /// possible.
    TotalQueue,
    /// A queue from which everything comes once that is put into it: [`TotalQueue`](Kind::TotalQueue), where what is *duplicated*
    /// makes the history invalid.
    ExactlyOnceQueue,
    /// Ids that differ: `generate`, acknowledged with the id.
    ///
    /// - *duplicated* (invalid): an id that was acknowledged more than once.
    ///
    /// Unknown if no id was acknowledged. Source: `checker.clj`, `unique-ids`.
    UniqueIds,
    /// Accounts that hold the same together whatever is transferred: `transfer` `{"from","to","amount"}` and `read`, acknowledged with
    /// an object of all balances by account. Accounts and total are given, or are what most reads say
    /// ([`Options`](super::Options)).
    ///
    /// - *unexpected key* (invalid): a read has an account there is not.
    /// - *nil balance* (invalid): an account holds `null`, or a read found nothing at all.
    /// - *wrong total* (invalid): the balances, none of them nil and all of known accounts, have another sum.
    /// - *negative balance* (invalid unless allowed): an account holds less than nothing.
    ///
    /// Unknown if nothing was read, or if there is no total to compare with: one read, and none given. Source:
    /// `tests/bank.clj`; which reports only the first of these for each read.
    Bank,
    /// Rows that count up: `add`, acknowledged with `{"val", "sts", "proc"}`, and `read` of a list of all rows in the order of
    /// their timestamps `sts`.
    ///
    /// - *lost* (invalid): a row whose add was acknowledged before a read began that does not have it.
    /// - *unexpected* (invalid): more rows that no add was acknowledged with than adds of unknown outcome.
    /// - *duplicated* (invalid): a value that two adds were acknowledged with, or that a read has twice.
    /// - *reordered* (invalid): timestamps that go down, or values of one `proc` that do; of all together if
    ///   [`linearizable`](super::Options::linearizable).
    ///
    /// Unknown if no read returned two rows. Source: `monotonic.clj` of Jepsen's tests of `CockroachDB`; which looks at the
    /// last read only, and at values by node and table as well.
    Monotonic,
    /// Writes that become visible in the order in which they were made: `write` (or `insert`) a value, `read` a list of all.
    /// Known as *comments*, too.
    ///
    /// - *reversed* (invalid): a write that a read misses, while it has another that began after the first was acknowledged.
    /// - *unexpected* (invalid): a value that was read and whose only write failed. What no operation wrote was there before.
    ///
    /// Unknown if no read has a write that began after another was over, on any key. Source: `tests/causal_reverse.clj`,
    /// and `comments.clj` of the tests of `CockroachDB`.
    CausalReverse,
    /// Snapshots that agree in which order writes happened: a write `[["w", key, value]]` of each key, and reads
    /// `[["r", key, null], …]` of several.
    ///
    /// - *forked* (invalid): two reads of the same two keys, of which each sees the write that the other misses.
    /// - *unexpected* (invalid): a value that was read and whose only write failed, or another than the one written. A key that
    ///   no operation wrote had its value before.
    ///
    /// Unknown if a key was written twice, or if no two reads could have shown a fork. Source: `tests/long_fork.clj`.
    LongFork,
    /// Inserts that exclude each other: `insert` `[key, [a, null]]` or `[key, [null, b]]`, each only if the key has none.
    ///
    /// - *inserted twice* (invalid): a key of which two inserts were acknowledged.
    ///
    /// Unknown if no key had two inserts. Source: `tests/adya.clj`, `g2`.
    AdyaG2,
    /// A log of messages: `send`, `poll` or `txn` of parts `["send", key, value]`, acknowledged with `["send", key, [offset,
    /// value]]`, and `["poll"]`, acknowledged with `["poll", {key: [[offset, value], …]}]`; `assign`, `subscribe` and `crash` say
    /// which keys a process keeps.
    ///
    /// - *inconsistent offset* (invalid): an offset that holds two messages.
    /// - *duplicated* (invalid): a message at two offsets of a key.
    /// - *lost* (invalid): an acknowledged message that was never polled, while a larger offset of its key was; or one that
    ///   was acknowledged before a poll of the phase `final` that found the end of the log, at a larger offset than that process polled.
    ///   A process that polled nothing of the key shows its end only if the argument of its polls is `["poll", "from-beginning"]`.
    /// - *unexpected* (invalid): a message that was polled and whose send failed.
    /// - *gap* (invalid): a poll that skips messages, within an operation (internal) or behind the process's last
    ///   (external), as long as the process keeps the key.
    /// - *step back* (invalid): a poll or a send at or before the last offset of the same process, likewise.
    ///
    /// The names are those of Jepsen: inconsistent-offsets, duplicate, lost-write, int-poll-skip, poll-skip, int-nonmonotonic-poll,
    /// nonmonotonic-poll, nonmonotonic-send.
    ///
    /// Unknown if nothing was polled, if a message was that no operation sent, or if final polls left one unseen. Cycles between transactions are not looked
    /// for, and of operations of unknown outcome no offsets and polls are used. Source: `tests/kafka.clj`; which does both.
    Kafka,
    /// Words that come back as they were said: `echo` of anything.
    ///
    /// - *unexpected* (invalid): an answer that differs from what was said.
    ///
    /// Unknown if nothing was answered. Source: Maelstrom's `echo.clj`.
    Echo,
}

impl Kind {
    /// Every kind, in the order in which help texts list them.
    pub const ALL: [Self; 16] = [
        Self::SetFinal,
        Self::SetFull,
        Self::CounterBounds,
        Self::GCounter,
        Self::PnCounter,
        Self::Queue,
        Self::TotalQueue,
        Self::ExactlyOnceQueue,
        Self::UniqueIds,
        Self::Bank,
        Self::Monotonic,
        Self::CausalReverse,
        Self::LongFork,
        Self::AdyaG2,
        Self::Kafka,
        Self::Echo,
    ];

    /// Its name in the header of a history and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::SetFinal => "set-final",
            Self::SetFull => "set-full",
            Self::CounterBounds => "counter-bounds",
            Self::GCounter => "g-counter",
            Self::PnCounter => "pn-counter",
            Self::Queue => "queue",
            Self::TotalQueue => "total-queue",
            Self::ExactlyOnceQueue => "exactly-once-queue",
            Self::UniqueIds => "unique-ids",
            Self::Bank => "bank",
            Self::Monotonic => "monotonic",
            Self::CausalReverse => "causal-reverse",
            Self::LongFork => "long-fork",
            Self::AdyaG2 => "adya-g2",
            Self::Kafka => "kafka",
            Self::Echo => "echo",
        }
    }

    /// What it checks, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Self::SetFinal => "every acknowledged add is in the final read, and nothing that was never added",
            Self::SetFull => {
                "every element, once known, stays in all reads; how long each took to become visible"
            }
            Self::CounterBounds => "every read lies within what the adds around it allow",
            Self::GCounter => "final reads of a counter that only grows agree, on a sum the adds allow",
            Self::PnCounter => "final reads of a counter agree, on a sum the adds allow",
            Self::Queue => "nothing is dequeued that was not enqueued, or more often than it was",
            Self::TotalQueue => "everything enqueued comes out of a drained queue, and nothing else",
            Self::ExactlyOnceQueue => {
                "everything enqueued comes out of a drained queue once, and nothing else"
            }
            Self::UniqueIds => "no id is given out twice",
            Self::Bank => "all reads of the accounts have the same total, and no account is negative",
            Self::Monotonic => "rows that count up come in the order of their timestamps, and none is lost",
            Self::CausalReverse => "no read has a write without those that were over before it began",
            Self::LongFork => "no two reads see two writes in opposite orders",
            Self::AdyaG2 => "of two inserts that exclude each other, at most one succeeds",
            Self::Kafka => "messages of a log are polled once, in one order, without gaps, and none is lost",
            Self::Echo => "every answer is what was said",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A name that is no kind's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no check of elements named \"{0}\"; they are {names}", names = Kind::ALL.map(Kind::name).join(", "))]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name_and_named_in_the_error() {
        let error = "lists".parse::<Kind>().unwrap_err().to_string();
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert!(error.contains(kind.name()), "{error}");
            assert!(!kind.about().is_empty() && !kind.about().contains('\n'));
        }
    }
}
