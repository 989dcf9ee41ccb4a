//! The processes that listen at a node's address: evidence that a fault hit the serving processes.
//!
//! `/proc/PID/net/tcp` lists the inode of every listening socket of a network, and `/proc/PID/fd` the sockets
//! of a process.

use super::family::{self, Roots};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The state of a listening socket.
const LISTENS: &str = "0A";

/// Why a signal to all processes of a node proves nothing.
///
/// The listener at its address is none of them, or is a daemon without a watcher. None if there is no listener
/// yet, or if another user owns the processes.
pub(super) fn objection(address: SocketAddr, roots: &Roots) -> Option<String> {
    let sockets = listening(address, roots);
    if sockets.is_empty() {
        return None;
    }
    let members = family::of(roots);
    let mut held = Vec::new();
    for pid in &members {
        match sockets_of(*pid) {
            Ok(theirs) => held.push((*pid, theirs)),
            // Another user's process: its sockets are not visible.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
            // The process has ended meanwhile.
            Err(_) => {}
        }
    }
    let holders: BTreeSet<u32> =
        held.iter().filter(|(_, theirs)| !theirs.is_disjoint(&sockets)).map(|(pid, _)| *pid).collect();
    let first = roots.first;
    if holders.is_empty() {
        return Some(format!(
            "the listener at {address} is no process of this node (pid {first} and its descendants); start the server \
             itself, in the foreground"
        ));
    }
    let line = family::in_line(roots);
    let daemon = holders.iter().find(|_| holders.is_disjoint(&line))?;
    Some(format!(
        "{address} is served by pid {daemon} ({}), a daemon that left pid {first} by setsid; it was hit too, but its own \
         end would go unnoticed; start the server in the foreground",
        name(*daemon)
    ))
}

/// Describes a listener at the address of a node without processes.
pub(super) fn still_listening(address: SocketAddr, roots: &Roots) -> Option<String> {
    let still = !listening(address, roots).is_empty();
    still.then(|| format!("a process still listens at {address} though every process of the node has ended"))
}

fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .map_or_else(|_| "?".to_owned(), |name| name.trim().to_owned())
}

/// The inodes of the sockets that listen at an address, in the network of the node.
fn listening(address: SocketAddr, roots: &Roots) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for pid in [roots.guard, Some(roots.first)].into_iter().flatten() {
        for table in ["tcp", "tcp6"] {
            let Ok(text) = fs::read_to_string(format!("/proc/{pid}/net/{table}")) else { continue };
            found.extend(text.lines().skip(1).filter_map(|line| listens_at(line, address)));
        }
    }
    found
}

/// The inode of a line's socket, if it listens at this address.
fn listens_at(line: &str, address: SocketAddr) -> Option<u64> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (at, state, socket) = (*fields.get(1)?, *fields.get(3)?, fields.get(9)?.parse().ok()?);
    let (ip, port) = at.split_once(':')?;
    let same_port = u16::from_str_radix(port, 16).ok()? == address.port();
    let ip = ip_of(ip)?;
    let same_ip = ip == address.ip() || ip.is_unspecified() || ip.to_canonical() == address.ip();
    (state == LISTENS && same_port && same_ip).then_some(socket)
}

/// An address in the format of `/proc`: words of 32 bits in hexadecimal, in the machine's byte order.
fn ip_of(text: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(text.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            Some(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?).into())
        }
        _ => None,
    }
}

/// The inodes of a process's sockets.
fn sockets_of(pid: u32) -> io::Result<BTreeSet<u64>> {
    let mut sockets = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        // A descriptor may close meanwhile.
        let Ok(target) = entry.and_then(|entry| fs::read_link(entry.path())) else { continue };
        let number = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'));
        sockets.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn listening_sockets_are_read_from_the_tables() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 4711 1 0 100 0 0 10 0";
        assert_eq!(listens_at(line, ([127, 0, 0, 1], 8080).into()), Some(4711));
        assert_eq!(listens_at(line, ([127, 0, 0, 1], 8081).into()), None);
        assert_eq!(listens_at(line, ([127, 0, 0, 2], 8080).into()), None);
        assert_eq!(listens_at(&line.replace(" 0A ", " 01 "), ([127, 0, 0, 1], 8080).into()), None);
        let all = line.replace("0100007F", "00000000000000000000000000000000");
        assert_eq!(listens_at(&all, ([127, 0, 0, 1], 8080).into()), Some(4711));
        let mapped = line.replace("0100007F", "0000000000000000FFFF00000100007F");
        assert_eq!(listens_at(&mapped, ([127, 0, 0, 1], 8080).into()), Some(4711));
    }

    #[test]
    fn listener_is_one_process_or_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let own = Roots { first: std::process::id(), beside: Vec::new(), guard: None };
        assert_eq!(objection(address, &own), None);
        let mut stranger = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let other = Roots { first: stranger.id(), beside: Vec::new(), guard: None };
        let reason = objection(address, &other).unwrap();
        assert!(reason.contains("no process of this node"), "{reason}");
        assert!(still_listening(address, &other).is_some());
        drop(listener);
        assert_eq!(objection(address, &other), None);
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
