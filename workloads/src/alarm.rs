//! A timer of an async task that is exact to some microseconds.
//!
//! The timers of the async runtime tick in milliseconds, which would show as latency of the system under test.

#![allow(unsafe_code, reason = "the async runtime has no safe way to wait for a file descriptor of ours")]

use std::io;
use std::time::Duration;

/// A timer that rings once after each request.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Alarm(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Alarm {
    /// A timer of the runtime that this is called in.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let interest = tokio::io::Interest::READABLE;
        // SAFETY: the descriptor is owned by what registers it, and nothing else closes it.
        let registered = unsafe { tokio::io::unix::AsyncFd::register_with_interest(timer, interest)? };
        Ok(Self(registered))
    }

    /// Waits this long, which must be more than 0; or less long, if the timer fails.
    pub(crate) async fn after(&mut self, wait: Duration) {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let (Ok(seconds), nanoseconds) = (i64::try_from(wait.as_secs()), wait.subsec_nanos().into()) else {
            return;
        };
        let spec = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: seconds, tv_nsec: nanoseconds },
        };
        if timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &spec).is_err() {
            return tokio::time::sleep(wait).await;
        }
        if let Ok(mut ready) = self.0.readable_mut().await {
            // To set the timer again resets it, so there is nothing to read.
            ready.clear_ready();
        }
    }
}

/// A timer that rings once after each request.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    /// A timer of the runtime that this is called in.
    ///
    /// # Errors
    /// Never here.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits this long; or less long, if there is no thread to sleep on.
    pub(crate) async fn after(&mut self, wait: Duration) {
        drop(tokio::task::spawn_blocking(move || std::thread::sleep(wait)).await);
    }
}
