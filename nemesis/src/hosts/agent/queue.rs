//! Delays and loses packets that the packet filter leads to the agent, by `nfnetlink_queue`.
//!
//! The kernel holds each packet and tells the agent its number, its addresses and its ports. The agent gives the
//! verdict when its time has come. If the agent ends, the kernel passes the packets by itself, so this effect heals
//! by itself. Packets to one peer stay in their order.

use super::filter::PROBES;
use crate::hosts::message::{PeerCounters, Shaped};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const PACKET: u16 = 3 << 8;
const VERDICT: u16 = 3 << 8 | 1;
const CONFIG: u16 = 3 << 8 | 2;
const ERROR: u16 = 2;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DROP: u32 = 0;
const ACCEPT: u32 = 1;
/// Enough of a packet for both headers.
const HEADERS: u32 = 80;
/// How many packets the kernel holds before it passes further ones.
const LONGEST: u32 = 65_536;
/// Let packets pass when the queue is full.
const FAIL_OPEN: u32 = 1;
const TCP: u8 = 6;
/// Number of queues that are tried.
const TRIES: u16 = 16;

/// The queue, and the packets that wait in it.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    shared: Arc<Shared>,
    pub(super) number: u16,
}

#[derive(Debug)]
struct Shared {
    socket: OwnedFd,
    state: Mutex<State>,
    /// Signals a packet that waits.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    peers: BTreeMap<Ipv4Addr, Peer>,
    /// The packets that wait, by the time of their verdict.
    waiting: BTreeSet<(Instant, u32)>,
}

#[derive(Debug)]
struct Peer {
    shaped: Shaped,
    last_due: Instant,
    counters: PeerCounters,
}

impl Queue {
    /// Opens a queue with an unused number, and starts to serve it.
    pub(super) fn open(first: u16) -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::NETFILTER),
        )?;
        let mut failed = io::Error::from(io::ErrorKind::PermissionDenied);
        // The kernel forbids a queue that another socket has, as it forbids all queues to a user without rights.
        let number = (0..TRIES).map(|step| first.wrapping_add(step).max(1)).find(|number| {
            let bound = configure(&socket, *number, |message| attribute(message, 1, &[1, 0, 0, 2]));
            bound.map_err(|error| failed = error).is_ok()
        });
        let number = number.ok_or(failed)?;
        let copy: Vec<u8> = HEADERS.to_be_bytes().into_iter().chain([2]).collect();
        configure(&socket, number, |message| attribute(message, 2, &copy))?;
        configure(&socket, number, |message| attribute(message, 3, &LONGEST.to_be_bytes()))?;
        configure(&socket, number, |message| {
            attribute(message, 5, &FAIL_OPEN.to_be_bytes());
            attribute(message, 4, &FAIL_OPEN.to_be_bytes());
        })?;
        let shared = Arc::new(Shared { socket, state: Mutex::default(), changed: Condvar::new() });
        let (receiving, judging) = (Arc::clone(&shared), Arc::clone(&shared));
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        thread("packets").spawn(move || receiving.receive(number))?;
        thread("verdicts").spawn(move || judging.judge(number))?;
        Ok(Self { shared, number })
    }

    /// The conditions of the links from now on. Packets that wait keep their time.
    pub(super) fn shape(&self, peers: &[Shaped]) {
        let mut state = self.shared.lock();
        for shaped in peers {
            let peer = state.peers.entry(shaped.peer).or_insert_with(|| Peer {
                shaped: *shaped,
                last_due: Instant::now(),
                counters: PeerCounters::none(shaped.peer),
            });
            peer.shaped = *shaped;
        }
    }

    /// Adds the counters of packets that it delayed or lost.
    pub(super) fn count(&self, counts: &mut [PeerCounters]) {
        let state = self.shared.lock();
        for count in counts {
            if let Some(Peer { counters, .. }) = state.peers.get(&count.peer) {
                count.delayed = counters.delayed;
                count.delayed_bytes = counters.delayed_bytes;
                count.lost = counters.lost;
                count.queued = counters.queued;
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives packets, and decides when each may go on.
    fn receive(&self, number: u16) {
        let mut rng = ChaCha8Rng::seed_from_u64(rand::random());
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = match recv(self.socket.as_fd(), &mut *buffer, RecvFlags::empty()) {
                Ok((length, _)) => length,
                // The kernel could not deliver some packets, and has passed them.
                Err(rustix::io::Errno::INTR | rustix::io::Errno::NOBUFS) => continue,
                Err(_) => return,
            };
            for message in messages(&buffer[..length]) {
                if let Some(packet) = Packet::read(message) {
                    self.schedule(number, &packet, &mut rng);
                }
            }
        }
    }

    fn schedule(&self, number: u16, packet: &Packet, rng: &mut ChaCha8Rng) {
        let mut state = self.lock();
        let now = Instant::now();
        let Some(peer) = state.peers.get_mut(&packet.to) else {
            drop(state);
            self.verdict(number, packet.id, ACCEPT);
            return;
        };
        let is_lost = rng.random_range(0..1_000_000) < peer.shaped.loss.millionths();
        let delay = peer.shaped.delay.draw(rng);
        let due = (now + delay).max(peer.last_due);
        if !packet.is_probe {
            peer.counters.queued += 1;
            peer.counters.lost += u64::from(is_lost);
            if !is_lost && !delay.is_zero() {
                peer.counters.delayed += 1;
                peer.counters.delayed_bytes += packet.bytes;
            }
        }
        if is_lost {
            drop(state);
            self.verdict(number, packet.id, DROP);
            return;
        }
        peer.last_due = due;
        state.waiting.insert((due, packet.id));
        drop(state);
        self.changed.notify_one();
    }

    /// Gives the verdicts when their time has come.
    fn judge(&self, number: u16) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let next = state.waiting.first().copied();
            match next {
                Some(key) if key.0 <= now => {
                    state.waiting.remove(&key);
                    self.verdict(number, key.1, ACCEPT);
                }
                Some((due, _)) => {
                    let waited = self.changed.wait_timeout(state, due - now);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None => {
                    let waited = self.changed.wait_timeout(state, Duration::from_secs(60));
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn verdict(&self, number: u16, id: u32, verdict: u32) {
        let mut message = begin(VERDICT, REQUEST, number);
        attribute(&mut message, 2, &[verdict.to_be_bytes(), id.to_be_bytes()].concat());
        // It fails only if the kernel has dropped the queue, and with it the packet.
        let _ = send(self.socket.as_fd(), &finish(message), SendFlags::empty());
    }
}

/// A packet that waits for a verdict.
#[derive(Debug, PartialEq, Eq)]
struct Packet {
    id: u32,
    to: Ipv4Addr,
    bytes: u64,
    is_probe: bool,
}

impl Packet {
    fn read(message: &[u8]) -> Option<Self> {
        let kind = u16::from_ne_bytes([*message.get(4)?, *message.get(5)?]);
        if kind != PACKET {
            return None;
        }
        let mut id = None;
        let mut payload = None;
        let mut rest = message.get(20..)?;
        while rest.len() >= 4 {
            let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
            let value = rest.get(4..length)?;
            match u16::from_ne_bytes([rest[2], rest[3]]) & 0x3fff {
                1 => id = Some(u32::from_be_bytes(value.get(..4)?.try_into().ok()?)),
                10 => payload = Some(value),
                _ => {}
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        let (id, payload) = (id?, payload?);
        let to: [u8; 4] = payload.get(16..20)?.try_into().ok()?;
        let header = usize::from(payload[0] & 0x0f) * 4;
        let port = |at: usize| {
            let bytes = payload.get(header + at..header + at + 2)?;
            Some(u16::from_be_bytes([bytes[0], bytes[1]]))
        };
        let probe = |port: Option<u16>| port.is_some_and(|port| (PROBES.0..=PROBES.1).contains(&port));
        let is_probe = payload[9] == TCP && (probe(port(0)) || probe(port(2)));
        let bytes = u64::from(u16::from_be_bytes([payload[2], payload[3]]));
        Some(Self { id, to: to.into(), bytes, is_probe })
    }
}

/// The messages in a datagram of the kernel.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let message = bytes.get(..length).filter(|_| length >= 16)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// Sends a configuration and waits for the kernel's acknowledgement.
fn configure(socket: &OwnedFd, number: u16, fill: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
    let mut message = begin(CONFIG, REQUEST | ACK, number);
    fill(&mut message);
    send(socket.as_fd(), &finish(message), SendFlags::empty())?;
    let mut buffer = [0; 4096];
    let (length, _) = recv(socket.as_fd(), &mut buffer, RecvFlags::empty())?;
    let answer = &buffer[..length];
    if length < 20 || u16::from_ne_bytes([answer[4], answer[5]]) != ERROR {
        return Err(io::Error::other("the kernel gave an answer that is no acknowledgement"));
    }
    match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(-number)),
    }
}

fn begin(kind: u16, flags: u16, number: u16) -> Vec<u8> {
    let mut message = vec![0; 16];
    message[4..6].copy_from_slice(&kind.to_ne_bytes());
    message[6..8].copy_from_slice(&flags.to_ne_bytes());
    message.extend([0, 0]);
    message.extend(number.to_be_bytes());
    message
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).expect("attributes are short");
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

fn finish(mut message: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("messages are short");
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_is_read_with_its_ports() {
        let packet = |port: u16| {
            let mut payload = vec![0x45, 0, 0, 60, 0, 0, 0, 0, 64, TCP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            payload.extend(port.to_be_bytes());
            payload.extend(80_u16.to_be_bytes());
            let mut message = begin(PACKET, 0, 7);
            attribute(&mut message, 1, &[0, 0, 0, 9, 8, 0, 3]);
            attribute(&mut message, 10, &payload);
            Packet::read(&finish(message)).unwrap()
        };
        let own = Packet { id: 9, to: Ipv4Addr::new(10, 0, 0, 2), bytes: 60, is_probe: false };
        assert_eq!(packet(40_000), own);
        assert!(packet(61_000).is_probe);
    }
}
