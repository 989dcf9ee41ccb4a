//! Methods for values that were produced once: what is known of each such value, near-linear in the history.

mod live;
mod order;
mod refuter;
mod tree;
mod zones;

pub(crate) use live::{Contradiction, LiveZones, Repeated, Token};
pub(super) use order::zone_order;
pub(super) use refuter::refuted;
pub(super) use zones::by_zones;

use super::{
    object::{Action, Op},
    values::{ABSENT, Values},
};

/// Before everything. Times of events are moved up by one to make room.
const START: u32 = 0;

/// The moment of an event, after [`START`].
fn moment(event: u32) -> u32 {
    event.saturating_add(1)
}

/// What the operations of one key say of one value.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    /// Updates that may have left it; the initial value counts as one.
    producers: u32,
    /// The last of them, as a place in the operations; none for the initial value.
    producer: Option<u32>,
    /// Whether an operation that certainly happened found it.
    found: bool,
    /// The earliest completion and the latest invocation of the reads that found it.
    reads: Span,
    /// Compare-and-sets from it that certainly happened.
    consumers: u32,
    /// The last of those, as a place in the operations.
    consumer: Option<u32>,
}

/// The earliest completion and the latest invocation of some operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    low: u32,
    high: u32,
}

impl Span {
    const NOTHING: Self = Self { low: u32::MAX, high: START };

    fn add(&mut self, op: &Op) {
        self.join(Self { low: moment(op.completed), high: moment(op.invoked) });
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

/// What the operations say of each observed value, by its number. Values nobody looks for are left out.
fn clusters(values: &Values<'_>, ops: &[Op]) -> Vec<Cluster> {
    let nothing = Cluster {
        producers: 0,
        producer: None,
        found: false,
        reads: Span::NOTHING,
        consumers: 0,
        consumer: None,
    };
    let mut clusters = vec![nothing; values.len()];
    clusters[ABSENT as usize].producers = 1;
    for (op, place) in ops.iter().zip(0..) {
        let (from, to) = match op.action {
            Action::Read(value) => {
                if let Some(cluster) = clusters.get_mut(value as usize) {
                    cluster.found = true;
                    cluster.reads.add(op);
                }
                continue;
            }
            Action::Not(_) | Action::Append(_) => continue,
            Action::Write(to) => (None, to),
            Action::Cas(from, to) => (Some(from), to),
        };
        if let Some(cluster) = clusters.get_mut(to as usize) {
            cluster.producers += 1;
            cluster.producer = Some(place);
        }
        if let Some(from) = from.filter(|_| op.certain()) {
            let cluster = &mut clusters[from as usize];
            cluster.found = true;
            cluster.consumers += 1;
            cluster.consumer = Some(place);
        }
    }
    clusters
}

/// Forward spans in order, or none if two of them overlap: then two values held at the same time.
fn disjoint(mut spans: Vec<(Span, u32)>) -> Option<Vec<(Span, u32)>> {
    spans.sort_unstable_by_key(|(span, _)| span.low);
    spans.windows(2).all(|pair| pair[1].0.low >= pair[0].0.high).then_some(spans)
}

/// The span, of disjoint ones in order, that an operation lies inside of.
fn around(spans: &[(Span, u32)], inner: Span) -> Option<(Span, u32)> {
    let after = spans.partition_point(|(span, _)| span.low < inner.high);
    spans[..after].last().copied().filter(|(span, _)| inner.low < span.high)
}
