//! The reservation of a host: one bench at a time, with nodes that reach each other from their own addresses.
//!
//! While a node is down its port is free, and the rules for cut links know addresses only. A second bench could take the one, and
//! would suffer from the other; each would blame its own system.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// The name of a socket that exists as long as its process, whatever ends it.
const NAME: &[u8] = b"bench-host";
/// A port that is never sent anything.
const DISCARD: u16 = 9;

/// The reservation, until it is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    _socket: UnixListener,
}

/// Reserves this host; the reason if another bench has.
pub(super) fn take() -> Result<Reservation, String> {
    let bound = SocketAddr::from_abstract_name(NAME).and_then(|name| UnixListener::bind_addr(&name));
    bound.map(|socket| Reservation { _socket: socket }).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another bench uses this host; wait for its end, or use another host (each host has one node)"
                .to_owned()
        }
        _ => format!("the host cannot be reserved: {error}"),
    })
}

/// Whether packets to a peer leave from this address, by which the faults of links know them.
pub(super) fn leaves_from(own: Ipv4Addr, peer: Ipv4Addr) -> Result<(), String> {
    let source = || -> std::io::Result<IpAddr> {
        // Nothing is sent: the kernel only chooses the route.
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((peer, DISCARD))?;
        Ok(socket.local_addr()?.ip())
    };
    match source() {
        Ok(source) if source == IpAddr::V4(own) => Ok(()),
        Ok(source) => Err(format!(
            "it reaches {peer} from {source} and not from {own}, so faults of its links would miss what it sends; use the \
             addresses of one network: {{ ssh = \"…\", address = \"{source}\" }}"
        )),
        Err(error) => Err(format!("it has no route to {peer}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_reserved_once() {
        let first = take().unwrap();
        assert!(take().unwrap_err().starts_with("another bench uses this host"));
        drop(first);
        assert!(take().is_ok());
    }

    #[test]
    fn source_of_packets_is_compared() {
        assert_eq!(leaves_from(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST), Ok(()));
        let other = leaves_from(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::LOCALHOST).unwrap_err();
        assert!(other.contains("from 127.0.0.1 and not from 192.0.2.1"), "{other}");
    }
}
