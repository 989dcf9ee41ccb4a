//! A host name that only the processes of one node see, in a UTS namespace.

#![allow(unsafe_code, reason = "unshare of one thread has no safe wrapper")]

use rustix::thread::UnshareFlags;
use std::io;

/// Gives the calling thread and its future children a host name of their own.
pub(super) fn take_name(name: &str) -> io::Result<()> {
    // SAFETY: a UTS namespace owns no memory and no descriptors.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUTS) }?;
    Ok(rustix::system::sethostname(name.as_bytes())?)
}
