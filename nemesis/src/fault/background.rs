//! Background work of a fault between its start and its end, in a task of its own.

use super::proof::Proof;
use std::future::Future;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A task that runs until the fault ends.
pub(crate) struct Background {
    over: oneshot::Sender<()>,
    task: JoinHandle<Proof>,
}

/// Signals a task that its fault ends.
pub(crate) struct Over(oneshot::Receiver<()>);

impl Over {
    /// Waits until a time; true if the end of the fault came first. Must not be called again after true.
    pub(crate) async fn comes_before(&mut self, time: Instant) -> bool {
        tokio::time::timeout_at(time, &mut self.0).await.is_ok()
    }
}

impl Background {
    pub(crate) fn begin<F: Future<Output = Proof> + Send + 'static>(work: impl FnOnce(Over) -> F) -> Self {
        let (over, receiver) = oneshot::channel();
        Self { over, task: tokio::spawn(work(Over(receiver))) }
    }

    /// Ends the task and returns its evidence.
    pub(crate) async fn finish(self) -> Proof {
        drop(self.over);
        self.task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}
