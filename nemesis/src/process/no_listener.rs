//! Stub for platforms without `/proc`: no listener is found.

use super::Roots;
use std::net::SocketAddr;

pub(super) fn objection(_: SocketAddr, _: &Roots) -> Option<String> {
    None
}

pub(super) fn still_listening(_: SocketAddr, _: &Roots) -> Option<String> {
    None
}
