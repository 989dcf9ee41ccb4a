//! What a host can do, and probes of links from it.

use super::filter::{PROBES, Trial};
use crate::hosts::message::{Abilities, Ability, Probed};
use crate::network::probe_with;
use crate::process::nodes_are_guarded;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::{Duration, UNIX_EPOCH};
use tokio::net::TcpSocket;

/// Number of source ports that are tried for a probe.
const TRIES: u16 = 100;

/// What the host can do, after a trial of the packet filter and of the queue.
pub(super) fn abilities(folder: &Path, trial: &Trial, no_queue: Option<&String>) -> Abilities {
    let system = rustix::system::uname();
    let word = |word: &std::ffi::CStr| word.to_string_lossy().into_owned();
    let delay = match (&trial.queue, no_queue) {
        (Ok(tool), None) => Ok(format!("{tool} and a packet queue")),
        (Err(reason), _) | (Ok(_), Some(reason)) => Err(reason.clone()),
    };
    let free = rustix::fs::statvfs(folder);
    Abilities {
        kernel: format!("{} {} {}", word(system.sysname()), word(system.release()), word(system.machine())),
        guards: Ability {
            name: "guard".to_owned(),
            outcome: nodes_are_guarded().map(|()| "child subreaper".to_owned()),
        },
        cut: Ability { name: "cut".to_owned(), outcome: trial.cut.clone() },
        delay: Ability { name: "delay".to_owned(), outcome: delay },
        free_bytes: free.map_or(0, |free| free.f_bavail * free.f_frsize),
        clock_ns: u64::try_from(UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos()).unwrap_or_default(),
        reached: session(),
    }
}

/// The address of the bench and the port of `sshd`, as the session tells.
pub(super) fn session() -> Option<(String, u16)> {
    let connection = std::env::var("SSH_CONNECTION").ok()?;
    let mut words = connection.split(' ');
    let from = words.next()?.to_owned();
    Some((from, words.nth(2)?.parse().ok()?))
}

/// Sends a request from a port of the probes.
pub(super) async fn probe(address: SocketAddr, request: &[u8], patience: Duration) -> Probed {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    for _ in 0..TRIES {
        let port = PROBES.0 + NEXT.fetch_add(1, Relaxed) % (PROBES.1 - PROBES.0);
        let socket = TcpSocket::new_v4()
            .and_then(|socket| socket.bind((Ipv4Addr::UNSPECIFIED, port).into()).map(|()| socket));
        if let Ok(socket) = socket {
            return probe_with(socket, address, request, patience).await.into();
        }
    }
    Probed::Refused
}
