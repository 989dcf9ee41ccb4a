//! The limit of open files: raises it for networks of many nodes, and computes how many nodes fit.

use super::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Mutex;

/// Open files of a directed link with proxies: a listener, and both ends of two connections.
const EACH_LINK: u64 = 5;
/// Open files of a node: its pipes, its network, and the connections of clients and observers.
const EACH_NODE: u64 = 20;
/// Other open files of the bench.
const BESIDES: u64 = 60;

/// The limit with which this process started, before it raised it.
static BEFORE: Mutex<Option<Rlimit>> = Mutex::new(None);

/// Number of open files that this number of nodes needs.
pub(crate) fn needed(mode: Mode, nodes: u64) -> u64 {
    let links = if mode == Mode::Proxy { nodes.saturating_mul(nodes.saturating_sub(1)) } else { 0 };
    (links.saturating_mul(EACH_LINK)).saturating_add(nodes.saturating_mul(EACH_NODE)).saturating_add(BESIDES)
}

/// Number of nodes that fit in this number of open files.
pub(crate) fn most_nodes(mode: Mode, files: u64) -> u64 {
    (0..=1_000).take_while(|nodes| needed(mode, *nodes) <= files).last().unwrap_or_default()
}

/// Raises the limit of this process; the error is the highest allowed limit.
pub(crate) fn make_room(needed: u64) -> Result<(), u64> {
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let allowed = now.maximum.unwrap_or(u64::MAX);
    if allowed < needed {
        return Err(allowed);
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: now.maximum })
        .map_err(|_| now.current.unwrap_or_default())?;
    BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(now);
    Ok(())
}

/// The limit of started nodes, if it differs from the current limit of this process.
pub(crate) fn of_nodes() -> Option<u64> {
    BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref()?.current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_nodes_fit_or_limit_is_reported() {
        assert_eq!(most_nodes(Mode::Proxy, needed(Mode::Proxy, 50)), 50);
        assert_eq!(most_nodes(Mode::Proxy, needed(Mode::Proxy, 50) - 1), 49);
        assert!((5..30).contains(&most_nodes(Mode::Proxy, 1024)));
        assert!(needed(Mode::Lab, 20) <= 1024);
    }

    #[test]
    fn excessive_limit_is_refused() {
        assert_eq!(make_room(1), Ok(()));
        if let Some(allowed) = getrlimit(Resource::Nofile).maximum {
            assert_eq!(make_room(allowed + 1), Err(allowed));
        }
    }
}
