//! Threads that run the parts of a check.

use checker::parallel::Workers;

/// This many threads.
pub(crate) struct Threads(pub(crate) usize);

impl Workers for Threads {
    fn count(&self) -> usize {
        self.0
    }

    fn run(&self, count: usize, work: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| {
            (1..count).for_each(|_| drop(scope.spawn(work)));
            work();
        });
    }
}
