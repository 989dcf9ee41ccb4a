//! A run cut into blocks of time, each with its count of successes and its latencies.
//!
//! Operations of one run are not independent: a leader that changes or a disk that stalls hits all that are under way.
//! Blocks that are long beside such moments are nearly independent, so they are what is drawn again and again.

use super::interval::{DRAWS, draw, draws};
use super::measure::Measure;
use crate::observed::{Observed, answered, due_ns, latency_ns};
use history::OutcomeRef;

/// The blocks of one run, at most; more would be short beside what they must hold together.
const MOST: u64 = 20;
/// The blocks of all runs of a side, at least.
const FEWEST: usize = 10;
/// The length of a block, at least.
const SHORTEST_NS: u64 = 1_000_000_000;
/// From one bin of latencies to the next, in natural logarithms: half a per cent.
const STEP: f64 = 0.005;
/// Answers beyond a quantile that are needed to speak of it.
const BEYOND: f64 = 10.0;

/// One block of time.
#[derive(Debug, Clone)]
struct Block {
    seconds: f64,
    ok: u64,
    /// How many answers took as long as each bin says.
    latencies: Vec<u32>,
}

/// The blocks of all runs of one side.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    answers: u64,
}

impl Blocks {
    /// Cuts a run, and adds its blocks.
    pub(super) fn add(&mut self, observed: &Observed) {
        let window = observed.measured();
        let count = (window.length() / SHORTEST_NS).min(MOST);
        if count == 0 {
            return;
        }
        let length = window.length().div_ceil(count);
        let first = self.blocks.len();
        let empty = Block { seconds: length as f64 / 1e9, ok: 0, latencies: Vec::new() };
        self.blocks.extend((0..count).map(|_| empty.clone()));
        let open_loop = observed.plan.rate.is_some();
        for operation in observed.measured_operations() {
            // What was due before the load and sent in it belongs to its beginning.
            let since = due_ns(&operation, open_loop).saturating_sub(window.start);
            let index = usize::try_from((since / length).min(count - 1)).unwrap_or(0);
            let block = &mut self.blocks[first + index];
            block.ok += u64::from(matches!(operation.outcome, OutcomeRef::Ok(_)));
            if let Some(latency) = latency_ns(&operation, open_loop).filter(|_| answered(operation.outcome)) {
                let bin = bin(latency);
                if block.latencies.len() <= bin {
                    block.latencies.resize(bin + 1, 0);
                }
                block.latencies[bin] += 1;
                self.answers += 1;
            }
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.blocks.len()
    }

    /// How long they are on average, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.blocks.iter().map(|block| block.seconds).sum::<f64>() / self.count().max(1) as f64
    }

    /// Why a figure cannot be told from them, if so.
    pub(super) fn too_few(&self, measure: Measure) -> Option<String> {
        if self.count() < FEWEST {
            return Some(format!("{} blocks of time, {FEWEST} are needed", self.count()));
        }
        let share = measure.quantile()?;
        let needed = BEYOND / (1.0 - share);
        let short = (self.answers as f64) < needed - 0.5;
        short.then(|| format!("{} answers, {needed:.0} are needed", self.answers))
    }

    /// A figure over all of them.
    pub(super) fn figure(&self, measure: Measure) -> Option<f64> {
        self.figures(&[measure], 0..self.count(), &mut Vec::new()).pop().flatten()
    }

    /// Each figure for each draw of blocks.
    pub(super) fn drawn(&self, measures: &[Measure], seed: u64) -> Vec<Vec<Option<f64>>> {
        let mut rng = draws(seed);
        let mut sum = Vec::new();
        let draw = |_| self.figures(measures, draw(&mut rng, self.count()), &mut sum);
        (0..DRAWS).map(draw).collect()
    }

    fn figures(
        &self,
        measures: &[Measure],
        drawn: impl Iterator<Item = usize>,
        sum: &mut Vec<u32>,
    ) -> Vec<Option<f64>> {
        sum.clear();
        let (mut ok, mut seconds) = (0, 0.0);
        for index in drawn {
            let block = &self.blocks[index];
            (ok, seconds) = (ok + block.ok, seconds + block.seconds);
            if sum.len() < block.latencies.len() {
                sum.resize(block.latencies.len(), 0);
            }
            for (sum, count) in sum.iter_mut().zip(&block.latencies) {
                *sum += count;
            }
        }
        let of = |measure: &Measure| match measure.quantile() {
            Some(share) => quantile_ms(sum, share),
            None => (*measure == Measure::Throughput && seconds > 0.0).then(|| ok as f64 / seconds),
        };
        measures.iter().map(of).collect()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a logarithm of at least 0")]
fn bin(latency_ns: u64) -> usize {
    (latency_ns.max(1) as f64).ln().div_euclid(STEP) as usize
}

/// The smallest latency that this share of the answers did not exceed.
fn quantile_ms(bins: &[u32], share: f64) -> Option<f64> {
    let all: u64 = bins.iter().map(|count| u64::from(*count)).sum();
    let wanted = all as f64 * share;
    let mut until = 0;
    let index = bins.iter().position(|count| {
        until += u64::from(*count);
        until > 0 && until as f64 >= wanted
    })?;
    Some(((index as f64 + 0.5) * STEP).exp() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_exact_to_half_a_percent() {
        let mut bins = vec![0; 6_000];
        for ms in 1..=1_000_u64 {
            bins[bin(ms * 1_000_000)] += 1;
        }
        for (share, expected) in [(0.5, 500.0), (0.9, 900.0), (0.999, 999.0)] {
            let found = quantile_ms(&bins, share).unwrap();
            assert!((found / expected - 1.0).abs() < 0.006, "{share}: {found}");
        }
        assert_eq!(quantile_ms(&[], 0.5), None);
    }
}
