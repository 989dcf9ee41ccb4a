//! Verdicts: what a history proves about the system that it was recorded from.
//!
//! This crate is pure. It starts nothing and reads no clock: a history goes in, a verdict comes out.

pub mod agreement;
pub mod certificate;
pub mod elements;
pub mod follow;
pub mod initial;
pub mod linearizability;
pub mod promise;
pub mod transactions;
pub mod words;

/// Keeps the example in the README compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
