//! Real clients against small servers on loopback that misbehave on purpose.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod loops;
mod misbehaviour;
mod routes;
mod serving;
mod support;
