//! The thread on which all clients of a session run.
//!
//! One thread is enough for some ten thousand operations a second, and it is cheaper than several: a client that waits
//! is woken by the answer itself and not by another thread of the bench. To wake a thread costs more than all the rest
//! of an operation. Tasks of the bench that compute for long do not delay clients either.

use std::io;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long tasks may take that end what the clients leave behind, such as the processes of helpers.
const ENDING: Duration = Duration::from_secs(10);
/// Interval of checks whether there are tasks left.
const POLL: Duration = Duration::from_millis(10);

/// A thread with an async runtime. Once this is dropped, it goes on until its tasks have ended, but not for long.
#[derive(Debug)]
pub(crate) struct ClientThread {
    runtime: Handle,
    stop: CancellationToken,
}

impl ClientThread {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no thread, or no way to wait for connections.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (handle, stop) = (runtime.handle().clone(), CancellationToken::new());
        let stopped = stop.clone();
        thread::Builder::new().name("clients".to_owned()).spawn(move || {
            runtime.block_on(async {
                stopped.cancelled().await;
                let since = Instant::now();
                while Handle::current().metrics().num_alive_tasks() > 0 && since.elapsed() < ENDING {
                    sleep(POLL).await;
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, stop })
    }

    /// Where its tasks are started.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

impl Drop for ClientThread {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
