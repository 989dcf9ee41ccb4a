//! Verdicts: what a history proves about the system that it was recorded from.
//!
//! This crate is pure: a history goes in, a verdict comes out. It starts no process or thread, and reads no
//! file or clock; the caller brings a deadline and [`Workers`](parallel::Workers).

pub mod agreement;
mod answer;
pub mod answers;
pub mod certificate;
pub mod elements;
pub mod follow;
pub mod initial;
pub mod limits;
pub mod linearizability;
mod order;
pub mod parallel;
pub mod property;
pub mod sequential;
pub mod transactions;
pub mod words;

pub use answer::Answer;

/// Keeps the example in the README compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
