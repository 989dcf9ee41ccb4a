//! Histories, verdicts, numbers, plots and reports: what was observed, and what it proves.
//!
//! This crate is pure. It starts nothing and reads no clock: a history goes in, a verdict comes out.

pub mod agreement;
pub mod certificate;
pub mod elements;
pub mod follow;
pub mod formats;
pub mod history;
pub mod initial;
pub mod lanes;
pub mod linearizability;
pub mod promise;
pub mod results;
pub mod transactions;
pub mod words;

// Tests in here share the generator of histories with the tests outside, which name the crate.
#[cfg(test)]
extern crate self as checker;

/// Keeps the example in the README compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
