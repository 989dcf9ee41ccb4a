//! Many seeds of one simulation on all cores: how many kept their promises, and the first that did not.

use super::{Simulation, hex};
use crate::failure::Failure;
use report::{Answer, RunVerdict};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Which seeds are simulated: `runs` of them, from `first` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Many {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub runs: u64,
    /// How many threads work.
    pub threads: usize,
}

/// A seed with what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    /// The seed.
    pub seed: u64,
    /// Its first check that was not valid.
    pub reason: String,
}

/// What came of all seeds.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// How many had which answer.
    pub answers: BTreeMap<Answer, u64>,
    /// The lowest seed of each answer but `valid`.
    pub first: BTreeMap<Answer, Noted>,
    /// Operations that were recorded and judged.
    pub operations: u64,
    /// Hexadecimal digits of a hash of every event and answer.
    pub hash: String,
    /// The time of all threads together that simulating, hashing and judging took.
    pub spent: [Duration; 3],
}

/// What is kept of one seed.
struct One {
    answer: Answer,
    reason: String,
    operations: u64,
    hash: [u8; 32],
    spent: [Duration; 3],
}

impl Many {
    /// Simulates and judges every seed.
    ///
    /// # Errors
    /// When a run cannot be planned or judged.
    pub(crate) fn run(
        &self,
        simulation: &Simulation<'_>,
        tell: impl Fn(u64) + Sync,
    ) -> Result<Summary, Failure> {
        let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
        let results: Mutex<BTreeMap<u64, Result<One, Failure>>> = Mutex::default();
        let work = || {
            loop {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                if turn >= self.runs || failed.load(Ordering::Relaxed) {
                    break;
                }
                let seed = self.first.wrapping_add(turn);
                let one = One::of(simulation, seed);
                failed.fetch_or(one.is_err(), Ordering::Relaxed);
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                results.insert(turn, one);
                tell(results.len() as u64);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(work);
            }
        });
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut summary = Summary::default();
        let mut hash = Sha256::new();
        for (turn, one) in results {
            let one = one?;
            hash.update(one.hash);
            hash.update(one.answer.word());
            summary.operations += one.operations;
            summary.spent.iter_mut().zip(one.spent).for_each(|(sum, spent)| *sum += spent);
            *summary.answers.entry(one.answer).or_default() += 1;
            if one.answer != Answer::Valid {
                let noted = Noted { seed: self.first.wrapping_add(turn), reason: one.reason };
                summary.first.entry(one.answer).or_insert(noted);
            }
        }
        summary.hash = hex(&hash.finalize());
        Ok(summary)
    }
}

impl One {
    fn of(simulation: &Simulation<'_>, seed: u64) -> Result<Self, Failure> {
        let begun = Instant::now();
        let run = simulation.run(seed, None)?;
        let simulated = Instant::now();
        let hash = run.hash();
        let hashed = Instant::now();
        let verdict = run.judge()?;
        let spent = [simulated.duration_since(begun), hashed.duration_since(simulated), hashed.elapsed()];
        let operations = verdict.variants.iter().map(|variant| variant.summary.counts.all()).sum();
        Ok(Self { answer: verdict.answer, reason: reason(&verdict), operations, hash, spent })
    }
}

/// The reason of the worst check; empty where all are valid.
fn reason(verdict: &RunVerdict) -> String {
    verdict.complaints().first().map(|(_, check)| check.reason.clone()).unwrap_or_default()
}

impl Summary {
    /// How many seeds had this answer.
    pub(crate) fn count(&self, answer: Answer) -> u64 {
        self.answers.get(&answer).copied().unwrap_or_default()
    }
}
