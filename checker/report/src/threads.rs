//! Threads that run the parts of a check.

use checker::parallel::Workers;

/// Threads of this process.
#[derive(Debug, Clone, Copy)]
pub struct Threads(usize);

impl Threads {
    /// One thread for each processor, at most `most`.
    pub fn available(most: usize) -> Self {
        Self(std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(most))
    }
}

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
