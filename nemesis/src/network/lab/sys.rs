//! System calls without a safe wrapper: a thread in its own network namespace, packet socket options.

#![allow(
    unsafe_code,
    reason = "unshare of one thread, sockaddr_ll and PACKET_* options have no safe wrapper"
)]

use rustix::fd::{AsFd, AsRawFd};
use rustix::net::AddressFamily;
use rustix::thread::UnshareFlags;
use std::io;
use std::mem::size_of;

/// IPv4 frames, in the byte order of the network.
const PROTOCOL: u16 = 0x0800_u16.to_be();

/// Moves only the calling thread into a new network namespace.
pub(super) fn new_network() -> io::Result<()> {
    // SAFETY: a network namespace owns no memory and no descriptors; open descriptors keep working.
    Ok(unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// Makes a packet socket receive the IPv4 frames of one interface, offload headers included.
pub(super) fn listen_to_interface(socket: impl AsFd, index: u32) -> io::Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    for option in [libc::PACKET_VNET_HDR, libc::PACKET_IGNORE_OUTGOING] {
        let on: libc::c_int = 1;
        // SAFETY: the kernel reads an int from the address of an int.
        let done = unsafe {
            let (value, length) = ((&raw const on).cast(), size_of::<libc::c_int>());
            libc::setsockopt(socket, libc::SOL_PACKET, option, value, length_of(length))
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let address = libc::sockaddr_ll {
        sll_family: AddressFamily::PACKET.as_raw(),
        sll_protocol: PROTOCOL,
        sll_ifindex: index.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the kernel reads a sockaddr_ll from the address of a sockaddr_ll.
    let done = unsafe {
        let length = size_of::<libc::sockaddr_ll>();
        libc::bind(socket, (&raw const address).cast(), length_of(length))
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn length_of(bytes: usize) -> libc::socklen_t {
    libc::socklen_t::try_from(bytes).expect("the size of a small struct fits")
}
