//! Probes whether a process answers at an address, as evidence that a fault is in force or has ended.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::Instant;

/// The result of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The answer began.
    Answered {
        /// Time from the dial to the first bytes.
        after: Duration,
        /// Bytes of the answer's first part.
        bytes: usize,
    },
    /// No byte arrived within this time.
    Silent(Duration),
    /// The connection was refused, reset or closed without an answer.
    Refused,
}

impl Probe {
    /// Whether there was an answer.
    pub fn answered(self) -> bool {
        matches!(self, Self::Answered { .. })
    }
}

/// Dials, sends `request`, and waits this long for the first byte of an answer.
///
/// `announce` gets the local port before the connection is dialled.
pub(crate) async fn probe(
    address: SocketAddr,
    request: &[u8],
    patience: Duration,
    announce: impl FnOnce(u16),
) -> Probe {
    let socket = || {
        let socket = TcpSocket::new_v4()?;
        if address.ip().is_loopback() {
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        }
        announce(socket.local_addr()?.port());
        io::Result::Ok(socket)
    };
    match socket() {
        Ok(socket) => probe_with(socket, address, request, patience).await,
        Err(_) => Probe::Refused,
    }
}

/// The same from a given socket, for example one of another network.
pub(crate) async fn probe_with(
    socket: TcpSocket,
    address: SocketAddr,
    request: &[u8],
    patience: Duration,
) -> Probe {
    let started = Instant::now();
    let ask = async {
        let mut stream = socket.connect(address).await?;
        // The reset at the end leaves no port in TIME_WAIT, and no bytes in a proxy that holds them.
        stream.set_zero_linger()?;
        stream.set_nodelay(true)?;
        stream.write_all(request).await?;
        stream.read(&mut [0; 4096]).await
    };
    match tokio::time::timeout(patience, ask).await {
        Ok(Ok(0) | Err(_)) => Probe::Refused,
        Ok(Ok(bytes)) => Probe::Answered { after: started.elapsed(), bytes },
        Err(_) => Probe::Silent(patience),
    }
}
