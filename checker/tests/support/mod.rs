//! Shared by the tests: a brute-force oracle, and histories made from seeds.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod generate;
pub(crate) mod oracle;
