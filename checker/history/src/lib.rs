//! What happened in a run, in the order in which it happened: the one type that load and faults share.
//!
//! A history is a sequence of [`Event`]s. An operation is invoked by a process and completes `ok` (it
//! happened, with this result), `fail` (it certainly did not happen) or `info` (unknown). The order of
//! events is their order in the file; times are for people and plots.

mod converted;
mod event;
mod fault_event;
mod line;
mod operation;
mod operations;
mod pair;
mod phrases;
mod read;
mod read_operations;
mod sessions;
mod write;

pub use converted::Converted;
pub use event::{Event, Header, Kind, Phase, Process, Recorder};
pub use fault_event::{
    Digests, FaultChange, FaultEvent, LogCount, LogCounts, LogLine, LogRule, NodeDigest, NodeExit,
    NodeRestart,
};
pub use operation::{Operation, Outcome, OutcomeClass};
pub use operations::{
    Atom, Content, Given, Iter, OperationRef, Operations, OutcomeRef, Packer, Scalar, Step, StepKind, Steps,
    StepsIter, ToOperations, TransactionRef,
};
pub use pair::{ClientEvent, PairError, Pairs, pair, pair_columns};
pub use phrases::{CRASH_IMAGE, INSIDE_SECTOR, ONLY_FOLDERS};
pub use read::{FORMAT_VERSION, History, ReadError, read_jsonl};
pub use read_operations::{ReadOperationsError, RecordedOperations, read_operations};
pub use sessions::{
    RegisterAccess, RegisterStep, RegisterTransaction, RegisterTransactions, register_events,
    register_operations,
};
pub use write::{append_event, write_event, write_header};

/// Keeps the example in the README compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
