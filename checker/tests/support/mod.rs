//! Shared by the tests: brute-force oracles, and histories made from seeds.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod generate;
pub(crate) mod objects;
pub(crate) mod objects_oracle;
pub(crate) mod oracle;
pub(crate) mod share;
