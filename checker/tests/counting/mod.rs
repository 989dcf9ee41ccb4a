//! An allocator that counts the bytes that all threads hold, for tests of memory.

#![allow(unsafe_code, reason = "an allocator that counts has no safe form")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

static LIVE: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);
/// Tests that run at the same time must not count each other's bytes.
static ALONE: Mutex<()> = Mutex::new(());

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: isize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        unsafe { System.dealloc(pointer, layout) }
    }

    // The system grows large blocks in place, so that the old and the new one are not held side by side.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.cast_signed() - layout.size().cast_signed());
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// A measurement, which goes on until it is dropped; only one at a time.
pub(crate) struct Measurement {
    before: isize,
    _alone: MutexGuard<'static, ()>,
}

impl Measurement {
    /// Begins as soon as no other one goes on.
    pub(crate) fn begin() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let before = LIVE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        Self { before, _alone: alone }
    }

    /// The bytes that are held now, beyond those at the beginning.
    #[allow(dead_code, reason = "not every test that includes this asks for it")]
    pub(crate) fn held(&self) -> usize {
        self.beyond(LIVE.load(Ordering::Relaxed))
    }

    /// The most bytes that were held at once, beyond those at the beginning.
    pub(crate) fn peak(&self) -> usize {
        self.beyond(PEAK.load(Ordering::Relaxed))
    }

    fn beyond(&self, bytes: isize) -> usize {
        usize::try_from(bytes - self.before).unwrap_or_default()
    }
}
