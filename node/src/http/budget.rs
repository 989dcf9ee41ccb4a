//! Limits the bytes of bodies and answers in progress: a request beyond the limit waits, or is refused.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the clock"
)]

use hyper::body::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Smaller sizes are not counted: the limit on connections bounds them.
pub(super) const SMALL: usize = 16 << 10;

/// Unit in which larger sizes are counted, in bytes.
const UNIT: usize = 1 << 10;

/// A limit on bytes in progress.
#[derive(Debug)]
pub(super) struct Budget {
    room: Arc<Semaphore>,
    /// Number of waiting requests, and the bytes they hold meanwhile.
    waiting: AtomicUsize,
    kept: AtomicUsize,
    bytes: usize,
    /// Longest wait of a request.
    patience: Duration,
}

/// Reserved bytes, released when dropped; none if they are too few to count.
#[derive(Debug, Default)]
pub(super) struct Held(
    #[expect(dead_code, reason = "dropping it releases the bytes")] Option<OwnedSemaphorePermit>,
);

impl Budget {
    /// A budget of `bytes` bytes, with this longest wait.
    pub(super) fn new(bytes: usize, patience: Duration) -> Self {
        let room = Arc::new(Semaphore::new(bytes / UNIT));
        Self { room, waiting: AtomicUsize::new(0), kept: AtomicUsize::new(0), bytes, patience }
    }

    /// Whether a request waits for room.
    pub(super) fn is_scarce(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Reserves this many bytes, unless they are few; none after the longest wait.
    ///
    /// A waiting request holds `kept` bytes. The sum of these never exceeds the budget.
    pub(super) async fn hold(&self, bytes: usize, kept: usize) -> Option<Held> {
        if bytes <= SMALL {
            return Some(Held(None));
        }
        let units = u32::try_from(bytes.min(self.bytes).div_ceil(UNIT)).unwrap_or(u32::MAX);
        if let Ok(permit) = Arc::clone(&self.room).try_acquire_many_owned(units) {
            return Some(Held(Some(permit)));
        }
        let _waits = Waits::new(self, kept)?;
        let permit =
            tokio::time::timeout(self.patience, Arc::clone(&self.room).acquire_many_owned(units)).await;
        Some(Held(Some(permit.ok()?.ok()?)))
    }
}

/// A waiting request, until it is dropped.
struct Waits<'a>(&'a Budget, usize);

impl<'a> Waits<'a> {
    fn new(budget: &'a Budget, kept: usize) -> Option<Self> {
        if budget.kept.load(Ordering::Relaxed) + kept > budget.bytes {
            return None;
        }
        budget.kept.fetch_add(kept, Ordering::Relaxed);
        budget.waiting.fetch_add(1, Ordering::Relaxed);
        Some(Self(budget, kept))
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.kept.fetch_sub(self.1, Ordering::Relaxed);
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Held {
    /// The same bytes, reserved while any clone of them lives.
    pub(super) fn around(self, bytes: Vec<u8>) -> Bytes {
        struct Owner(Vec<u8>, #[expect(dead_code, reason = "dropping it releases the bytes")] Held);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        Bytes::from_owner(Owner(bytes, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn late_request_waits_for_bytes() {
        let budget = Arc::new(Budget::new(100 << 10, Duration::from_secs(60)));
        let first = budget.hold(60 << 10, 0).await.unwrap();
        assert!(!budget.is_scarce());
        let second = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.hold(60 << 10, 0).await.is_some() }
        });
        tokio::task::yield_now().await;
        assert!(budget.is_scarce());
        assert!(budget.hold(SMALL, 0).await.is_some(), "small sizes are not counted");
        drop(first.around(vec![1, 2]));
        assert!(second.await.unwrap());
        assert!(!budget.is_scarce());
    }

    #[tokio::test]
    async fn waiting_for_room_ends() {
        let budget = Budget::new(100 << 10, Duration::from_millis(20));
        let all = budget.hold(1 << 30, 0).await.unwrap();
        assert!(budget.hold(60 << 10, 50 << 10).await.is_none(), "it has waited");
        assert!(budget.hold(60 << 10, 101 << 10).await.is_none(), "it holds too many bytes to wait");
        drop(all);
        assert!(budget.hold(60 << 10, 101 << 10).await.is_some());
        assert_eq!((budget.waiting.into_inner(), budget.kept.into_inner()), (0, 0));
    }
}
