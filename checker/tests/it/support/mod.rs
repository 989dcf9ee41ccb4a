//! Shared by the tests: brute-force oracles, and histories made from seeds.

pub(crate) mod database;
pub(crate) mod generate;
pub(crate) mod objects;
pub(crate) mod objects_oracle;
pub(crate) mod oracle;
pub(crate) mod planted;
pub(crate) mod share;
pub(crate) mod threads;
