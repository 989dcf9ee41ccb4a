//! Ports for one bench, which no other bench and no outgoing connection uses.
//!
//! Ports come in cells of 16 below the kernel's range for outgoing connections. The bench binds the first port
//! of each cell as a guard while the block lives; the other 15 are for use. All are on 127.0.0.1.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

const CELL: u16 = 16;
const USABLE: u16 = CELL - 1;
/// The first port of the search for a free block; lower ports come last.
const FIRST_CHOICE: u16 = 20_480;
const LOWEST: u16 = 10_240;
/// The lowest ephemeral port of Linux and macOS by default.
const EPHEMERAL: u16 = 32_768;

/// A block of ports on 127.0.0.1 that belongs to one bench.
#[derive(Debug)]
pub(crate) struct PortBlock {
    first: u16,
    ports: u16,
    _guards: Vec<TcpListener>,
}

/// The reason why no ports are available.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// A port of the requested block is in use.
    #[error(
        "port {port} of 127.0.0.1 is not available ({source}); find the process that listens there (`ss -ltnp sport = :{port}`), or \
         choose another base-port, or leave it out and a free block is found"
    )]
    InUse {
        /// The port.
        port: u16,
        /// The error of `bind`.
        source: io::Error,
    },
    /// The block would go past the last port.
    #[error("{ports} ports from base-port {base} on go past 65535; choose a base-port of at most {highest}")]
    TooHigh {
        /// The requested base port.
        base: u16,
        /// How many ports are needed.
        ports: u16,
        /// The highest possible base port.
        highest: u16,
    },
    /// No block is free.
    #[error(
        "no {ports} free ports in a row between {lowest} and {end} on 127.0.0.1; end other benches, or set base-port"
    )]
    NoneFree {
        /// How many ports are needed.
        ports: u16,
        /// Where the search began.
        lowest: u16,
        /// Where it ended.
        end: u16,
    },
}

impl PortBlock {
    /// Finds a free block of `ports` usable ports and holds its guards. Every port was free at that time.
    pub(crate) fn find(ports: u16) -> Result<Self, PortError> {
        let (lowest, end) = range();
        let span = span(ports);
        let last = u32::from(end).saturating_sub(span);
        let steps = (u32::from(lowest)..=last).step_by(usize::from(CELL));
        let (below, above): (Vec<_>, Vec<_>) = steps.partition(|first| *first < u32::from(FIRST_CHOICE));
        for first in above.into_iter().chain(below) {
            if let Some(Ok(block)) = u16::try_from(first).ok().map(|first| Self::take(first, ports)) {
                return Ok(block);
            }
        }
        Err(PortError::NoneFree { ports, lowest, end })
    }

    /// Reserves the block that begins at `base`, which becomes its first guard.
    pub(crate) fn at(base: u16, ports: u16) -> Result<Self, PortError> {
        let highest = 65_536 - span(ports);
        if u32::from(base) > highest {
            let highest = u16::try_from(highest).unwrap_or_default();
            return Err(PortError::TooHigh { base, ports, highest });
        }
        Self::take(base, ports)
    }

    fn take(first: u16, ports: u16) -> Result<Self, PortError> {
        let cells = ports.div_ceil(USABLE).max(1);
        let guards = (0..cells).map(|cell| bind(first + cell * CELL)).collect::<Result<_, _>>()?;
        let block = Self { first, ports, _guards: guards };
        for index in 0..ports {
            bind(block.port(index))?;
        }
        Ok(block)
    }

    /// The usable port of this index.
    ///
    /// # Panics
    /// If the block has fewer ports.
    pub(crate) fn port(&self, index: u16) -> u16 {
        assert!(index < self.ports, "the block has {} ports, and number {index} was requested", self.ports);
        self.first + index / USABLE * CELL + 1 + index % USABLE
    }
}

/// Number of ports that a block spans, guards included.
fn span(ports: u16) -> u32 {
    u32::from(ports.div_ceil(USABLE).max(1)) * u32::from(CELL)
}

fn bind(port: u16) -> Result<TcpListener, PortError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|source| PortError::InUse { port, source })
}

/// The range of the search: below the ephemeral ports, or above them if they begin very low.
fn range() -> (u16, u16) {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let bounds: Vec<u16> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match bounds[..] {
        [low, high] if low < LOWEST + 1024 => (high.saturating_add(1).next_multiple_of(CELL), u16::MAX),
        [low, _] => (LOWEST, low.min(EPHEMERAL)),
        _ => (LOWEST, EPHEMERAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_never_share_a_port() {
        let a = PortBlock::find(40).unwrap();
        let b = PortBlock::find(7).unwrap();
        let ports = |block: &PortBlock| (0..block.ports).map(|index| block.port(index)).collect::<Vec<_>>();
        assert!(ports(&a).iter().all(|port| !ports(&b).contains(port)));
    }

    #[test]
    fn the_guard_of_every_cell_keeps_others_out() {
        let block = PortBlock::find(20).unwrap();
        for guard in [block.first, block.first + CELL] {
            let error = PortBlock::at(guard, 1).unwrap_err();
            assert!(matches!(error, PortError::InUse { port, .. } if port == guard), "{error}");
        }
    }

    #[test]
    fn port_in_use_is_named() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let error = PortBlock::at(port, 3).unwrap_err().to_string();
        assert!(error.contains(&format!("port {port} ")) && error.contains("base-port"), "{error}");
    }

    #[test]
    fn blocks_avoid_ephemeral_ports() {
        let block = PortBlock::find(30).unwrap();
        let (lowest, end) = range();
        assert!((0..30).all(|index| (lowest..end).contains(&block.port(index))));
    }

    #[test]
    fn block_past_the_last_port_is_refused() {
        let error = PortBlock::at(65_530, 20).unwrap_err().to_string();
        assert!(error.contains("at most 65504"), "{error}");
    }
}
