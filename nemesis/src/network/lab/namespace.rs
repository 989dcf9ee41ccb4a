//! Network namespaces, held as open descriptors; they have no files and end with the bench.

use super::sys;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A network namespace. It lives as long as a process is in it or a copy of this is held.
#[derive(Debug, Clone)]
pub(crate) struct Namespace(Arc<OwnedFd>);

impl Namespace {
    /// The namespace of the calling thread.
    pub(crate) fn current() -> io::Result<Self> {
        Ok(Self(Arc::new(File::open("/proc/thread-self/ns/net")?.into())))
    }

    /// Makes a new one and moves the calling thread into it.
    pub(super) fn create() -> io::Result<Self> {
        sys::new_network()?;
        Self::current()
    }

    /// Moves the calling thread into it. New sockets and processes of the thread then belong to it.
    pub(crate) fn enter(&self) -> io::Result<()> {
        Ok(move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))?)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Runs `work` inside it on a thread of its own, so that no other thread is ever in the wrong network.
    pub(super) fn inside<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("inside".to_owned());
            let thread = thread.spawn_scoped(scope, || {
                self.enter()?;
                work()
            })?;
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
