//! The netlink messages that create interfaces, addresses and neighbours.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};
use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// The hardware address of an interface.
pub(super) type Mac = [u8; 6];

/// The loopback interface of every network namespace.
pub(super) const LOOPBACK: u32 = 1;

const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const GETLINK: u16 = 18;
const NEWADDR: u16 = 20;
const NEWNEIGH: u16 = 28;
const REQUEST_ACK: u16 = 1 | 4;
const CREATE: u16 = 0x200 | 0x400;
const ERROR: u16 = 2;
const UP: u32 = 1;
const RUNNING: u32 = 0x40;
/// Longest wait until an interface carries packets once both its ends are up.
const RUNNING_WITHIN: Duration = Duration::from_secs(5);
const PERMANENT: u16 = 0x80;

/// One end of a pair of virtual cables.
pub(super) struct End<'a> {
    pub(super) name: &'a str,
    pub(super) mac: Mac,
}

/// A connection to the kernel for the network namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    /// Opens it in the namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket })
    }

    /// Makes a pair of virtual cables: one end here, the other in another namespace.
    pub(super) fn add_pair(&self, here: &End, there: &End, namespace: BorrowedFd) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let mut message = Message::new(NEWLINK, REQUEST_ACK | CREATE);
        message.link(0, 0);
        message.end(here);
        message.nest(18, |info| {
            info.attribute(1, b"veth");
            info.nest(2, |data| {
                data.nest(1, |peer| {
                    peer.link(0, 0);
                    peer.end(there);
                    peer.attribute(28, &namespace.as_raw_fd().to_ne_bytes());
                });
            });
        });
        self.ask(message)
    }

    /// Creates a bridge of the kernel, for comparison with the switch.
    #[cfg(test)]
    pub(super) fn add_bridge(&self, name: &str) -> io::Result<()> {
        let mut message = Message::new(NEWLINK, REQUEST_ACK | CREATE);
        message.link(0, 0);
        message.attribute(3, format!("{name}\0").as_bytes());
        message.nest(18, |info| info.attribute(1, b"bridge"));
        self.ask(message)
    }

    /// Plugs an interface into a bridge.
    #[cfg(test)]
    pub(super) fn plug(&self, index: u32, bridge: u32) -> io::Result<()> {
        let mut message = Message::new(NEWLINK, REQUEST_ACK);
        message.link(index, 0);
        message.attribute(10, &bridge.to_ne_bytes());
        self.ask(message)
    }

    /// Switches an interface on.
    pub(super) fn up(&self, index: u32) -> io::Result<()> {
        let mut message = Message::new(NEWLINK, REQUEST_ACK);
        message.link(index, UP);
        self.ask(message)
    }

    /// Waits until an interface carries packets.
    ///
    /// The kernel drops them for a moment after it was switched on.
    pub(super) fn wait_until_running(&self, index: u32) -> io::Result<()> {
        let deadline = Instant::now() + RUNNING_WITHIN;
        loop {
            let mut message = Message::new(GETLINK, 1);
            message.link(index, 0);
            let mut buffer = vec![0; 16_384];
            let answer = self.exchange(message, &mut buffer)?;
            if answer.len() < 28 || kind(answer) != NEWLINK {
                return Err(io::Error::other("the kernel does not know the interface it has just made"));
            }
            if u32::from_ne_bytes([answer[24], answer[25], answer[26], answer[27]]) & RUNNING != 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Removes an interface, and with it the other end of its pair.
    pub(super) fn remove(&self, index: u32) -> io::Result<()> {
        let mut message = Message::new(DELLINK, REQUEST_ACK);
        message.link(index, 0);
        self.ask(message)
    }

    /// Gives an interface an address of a network of this prefix length.
    pub(super) fn add_address(&self, index: u32, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let mut message = Message::new(NEWADDR, REQUEST_ACK | CREATE);
        message.bytes(&[ipv4(), prefix, 0, 0]);
        message.bytes(&index.to_ne_bytes());
        message.attribute(2, &address.octets());
        message.attribute(1, &address.octets());
        self.ask(message)
    }

    /// Fixes the hardware address of an address, so that no ARP request is needed.
    pub(super) fn add_neighbour(&self, index: u32, address: Ipv4Addr, mac: Mac) -> io::Result<()> {
        let mut message = Message::new(NEWNEIGH, REQUEST_ACK | CREATE);
        message.bytes(&[ipv4(), 0, 0, 0]);
        message.bytes(&index.to_ne_bytes());
        message.bytes(&PERMANENT.to_ne_bytes());
        message.bytes(&[0, 0]);
        message.attribute(1, &address.octets());
        message.attribute(2, &mac);
        self.ask(message)
    }

    /// The number of an interface in the network of the calling thread.
    pub(super) fn index(name: &str) -> io::Result<u32> {
        let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(rustix::net::netdevice::name_to_index(&socket, name)?)
    }

    fn exchange<'a>(&self, message: Message, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        send(self.socket.as_fd(), &message.finish(), SendFlags::empty())?;
        let (length, _) = recv(self.socket.as_fd(), &mut *buffer, RecvFlags::empty())?;
        Ok(&buffer[..length])
    }

    fn ask(&self, message: Message) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let answer = self.exchange(message, &mut buffer)?;
        if answer.len() < 20 || kind(answer) != ERROR {
            return Err(io::Error::other("the kernel gave an answer that is no acknowledgement"));
        }
        match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
            0 => Ok(()),
            number => Err(io::Error::from_raw_os_error(-number)),
        }
    }
}

/// The type of a message of the kernel.
fn kind(message: &[u8]) -> u16 {
    u16::from_ne_bytes([message[4], message[5]])
}

fn ipv4() -> u8 {
    u8::try_from(AddressFamily::INET.as_raw()).expect("AF_INET is 2")
}

/// A message as the kernel reads it: a header, a fixed part, attributes.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        Self(bytes)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The fixed part about an interface, with its flags.
    fn link(&mut self, index: u32, flags: u32) {
        self.bytes(&[0; 4]);
        for word in [index, flags, flags] {
            self.bytes(&word.to_ne_bytes());
        }
    }

    fn end(&mut self, end: &End) {
        let mut name = end.name.as_bytes().to_vec();
        name.push(0);
        self.attribute(3, &name);
        self.attribute(1, &end.mac);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nest(kind, |message| message.bytes(value));
    }

    /// An attribute that holds what `fill` writes.
    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.bytes(&[0; 2]);
        self.bytes(&kind.to_ne_bytes());
        fill(self);
        let length = u16::try_from(self.0.len() - start).expect("attributes are short");
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).expect("messages are short");
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}
