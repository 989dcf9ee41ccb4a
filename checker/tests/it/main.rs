//! The tests of the checker, one module for each part.
#![allow(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]

mod corpus;
mod edn_in_place;
mod elements;
mod follow;
mod foreign_files;
mod formats;
mod formats_fuzz;
mod formats_round_trip;
mod histories;
mod limits;
mod linearizability;
mod metamorphic;
mod objects;
mod owned;
mod sequential;
mod sessions;
mod support;
mod transactions;
