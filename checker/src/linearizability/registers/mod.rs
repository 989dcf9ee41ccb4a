//! Methods for values with one writer each, near-linear in the history: zones, online zones, and a refuter.

mod first;
mod live;
mod order;
mod refuter;
mod tree;
mod zones;

pub(super) use first::{REMEMBERED, first_contradiction};
pub(crate) use live::{Contradiction, LiveZones, Repeated, Token};
pub(super) use order::zone_order;
pub(super) use refuter::refuted;
pub(super) use zones::by_zones;

use super::{
    call::Call,
    object::Action,
    values::{ABSENT, IMPOSSIBLE, Values},
};

/// Before everything. Times of events are moved up by one to make room.
const START: u32 = 0;

/// Stands for no operation.
const NO_INDEX: u32 = u32::MAX;

/// The moment of an event, after [`START`].
fn moment(event: u32) -> u32 {
    event.saturating_add(1)
}

/// What the operations of one key say of one value. Small, because there are as many as operations.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    /// The last update that may have left it, as an index in the operations, or [`NO_INDEX`].
    producer: u32,
    /// The last compare-and-set from it that certainly happened, or [`NO_INDEX`].
    consumer: u32,
    /// The earliest completion and the latest invocation of the reads that found it.
    reads: Span,
    /// How many may have left it, as far as two; the initial value counts as left once.
    producers: u8,
    /// How many compare-and-sets from it certainly happened, as far as two.
    consumers: u8,
    /// Whether an operation that certainly happened found it.
    found: bool,
}

impl Cluster {
    const NOTHING: Self = Self {
        producer: NO_INDEX,
        consumer: NO_INDEX,
        reads: Span::NOTHING,
        producers: 0,
        consumers: 0,
        found: false,
    };

    /// Notes who left it; none for the initial value.
    fn produced(&mut self, producer: Option<u32>) {
        self.producer = producer.unwrap_or(NO_INDEX);
        self.producers = (self.producers + 1).min(2);
    }

    fn consumed(&mut self, consumer: u32) {
        self.consumer = consumer;
        self.consumers = (self.consumers + 1).min(2);
    }

    fn producer(&self) -> Option<u32> {
        Some(self.producer).filter(|&index| index != NO_INDEX)
    }

    fn consumer(&self) -> Option<u32> {
        Some(self.consumer).filter(|&index| index != NO_INDEX)
    }
}

/// The earliest completion and the latest invocation of some operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    low: u32,
    high: u32,
}

impl Span {
    const NOTHING: Self = Self { low: u32::MAX, high: START };

    fn of(op: &Call<Action>) -> Self {
        Self { low: moment(op.completed), high: moment(op.invoked) }
    }

    fn add(&mut self, op: &Call<Action>) {
        self.join(Self::of(op));
    }

    fn join(&mut self, other: Self) {
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
    }

    /// Whether one of the operations was over before another began, so that something held in between.
    fn is_forward(self) -> bool {
        self.low < self.high
    }
}

/// What the operations of one key say of its values.
#[derive(Debug)]
struct Survey {
    /// By number of the observed value. Values that no operation looks for are left out.
    clusters: Vec<Cluster>,
    /// The values that compare-and-sets of unknown outcome may have left.
    maybe_left: Vec<u32>,
    /// Whether a value other than the initial one was left more than once, or an operation found only that a
    /// value was not there.
    ambiguous: bool,
    /// Whether an observation contradicts itself.
    impossible: bool,
    /// Whether some operation may have found the initial value.
    initial_matters: bool,
}

/// What the operations say of each value.
fn survey(values: &Values<'_>, ops: &[Call<Action>]) -> Survey {
    let mut clusters = vec![Cluster::NOTHING; values.len()];
    clusters[ABSENT as usize].produced(None);
    let (mut ambiguous, mut impossible, mut initial_matters) = (false, false, false);
    let mut maybe_left = Vec::new();
    for (op, index) in ops.iter().zip(0..) {
        let (from, to) = match op.action {
            Action::Read(value) => {
                impossible |= value == IMPOSSIBLE;
                initial_matters |= value == ABSENT;
                if let Some(cluster) = clusters.get_mut(value as usize) {
                    cluster.found = true;
                    cluster.reads.add(op);
                }
                continue;
            }
            Action::Not(_) => {
                ambiguous = true;
                continue;
            }
            Action::Append(_) => continue,
            Action::Write(to) => (None, to),
            Action::Cas(from, to) => (Some(from), to),
        };
        if let Some(cluster) = clusters.get_mut(to as usize) {
            cluster.produced(Some(index));
            ambiguous |= cluster.producers > 1 && to != ABSENT;
        }
        if let Some(from) = from {
            initial_matters |= from == ABSENT;
            if op.certain() {
                let cluster = &mut clusters[from as usize];
                cluster.found = true;
                cluster.consumed(index);
            } else if (to as usize) < clusters.len() {
                maybe_left.push(to);
            }
        }
    }
    Survey { clusters, maybe_left, ambiguous, impossible, initial_matters }
}

/// Forward spans in order, or none if two of them overlap: then two values held at the same time.
fn disjoint<T: Copy>(mut spans: Vec<(Span, T)>) -> Option<Vec<(Span, T)>> {
    spans.sort_by_key(|(span, _)| span.low);
    spans.windows(2).all(|pair| pair[1].0.low >= pair[0].0.high).then_some(spans)
}

/// Looks for the span, of disjoint ones in order, that something lies inside of. Fast where one question is
/// about the same time as the last one.
struct Around<'a, T> {
    spans: &'a [(Span, T)],
    /// The number of spans that began before the last question.
    hint: usize,
}

impl<'a, T: Copy> Around<'a, T> {
    fn new(spans: &'a [(Span, T)]) -> Self {
        Self { spans, hint: 0 }
    }

    fn find(&mut self, inner: Span) -> Option<(Span, T)> {
        let begun = |index: usize| self.spans[index].0.low < inner.high;
        // In steps that double, away from the last answer, until the new one is between two bounds.
        let (mut from, mut to, mut step) = (self.hint, self.hint, 1);
        while from > 0 && !begun(from - 1) {
            to = from - 1;
            from = from.saturating_sub(step);
            step *= 2;
        }
        while to < self.spans.len() && to >= self.hint && begun(to) {
            from = to + 1;
            to = (to + step).min(self.spans.len());
            step *= 2;
        }
        let between = self.spans[from..to].partition_point(|(span, _)| span.low < inner.high);
        self.hint = from + between;
        self.spans[..self.hint].last().copied().filter(|(span, _)| inner.low < span.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_around_is_found_from_wherever_the_last_question_was() {
        let spans: Vec<(Span, u32)> =
            (0..50).map(|index| (Span { low: 10 * index, high: 10 * index + 6 }, index)).collect();
        let mut around = Around::new(&spans);
        for number in 0..2_000_u32 {
            let high = number * 7919 % 520;
            let inner = Span { low: high + number % 9, high };
            let expected = spans
                .iter()
                .rev()
                .find(|(span, _)| span.low < inner.high)
                .filter(|(s, _)| inner.low < s.high);
            assert_eq!(around.find(inner), expected.copied(), "{inner:?}");
        }
    }
}
