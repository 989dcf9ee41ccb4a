//! Builds a linearization for a key that its zones have shown to be linearizable.
//!
//! Blocks with forward zones come in the order of their zones. Every other block has an instant at which all of its
//! operations were open, and comes at that instant; if it lies inside no forward zone but touches one, right after
//! it.

use super::{
    super::{
        call::Call,
        object::Action,
        values::{ABSENT, Values},
    },
    Cluster, Span,
    zones::{applicable, blocks, settle, written},
};

/// Operations of one key by the value they read, each list in order of invocation.
struct Reads {
    /// By value: where its reads end; they begin where those of the value before end.
    ends: Vec<u32>,
    reads: Vec<u32>,
}

/// An order that explains every result, by origin. The key must be linearizable by its zones.
pub(in super::super) fn zone_order(values: &Values<'_>, ops: &[Call<Action>]) -> Vec<u32> {
    let mut survey = applicable(values, ops).expect("a key that zones decided has zones");
    settle(&mut survey, ops);
    let clusters = survey.clusters;
    let mut placed = Vec::new();
    let consistent = blocks(&clusters, ops, |start, span| placed.push((start, span)));
    assert!(consistent, "a key that is linearizable has blocks without contradictions");
    let mut forward: Vec<Span> =
        placed.iter().map(|(_, span)| *span).filter(|span| span.is_forward()).collect();
    forward.sort_unstable_by_key(|span| span.low);
    placed.sort_by_cached_key(|(_, span)| moment(*span, &forward));
    let reads = Reads::new(values.len(), ops);
    let mut order = Vec::with_capacity(ops.len());
    for (start, _) in placed {
        follow(start, &clusters, ops, &reads, &mut order);
    }
    order
}

/// When a block comes. Of equal moments, those that held come last: they go on from there.
fn moment(span: Span, forward: &[Span]) -> (u32, bool) {
    if span.is_forward() {
        return (span.low, true);
    }
    let begun = forward.partition_point(|held| held.low < span.high);
    let held = forward[..begun].last().map_or(0, |held| held.high);
    (span.high.max(held), false)
}

/// Adds the operations of a block, whose inner order is forced.
fn follow(
    start: Option<u32>,
    clusters: &[Cluster],
    ops: &[Call<Action>],
    reads: &Reads,
    order: &mut Vec<u32>,
) {
    let mut producer = start;
    loop {
        let value = match producer.map(|index| (index, &ops[index as usize])) {
            None => ABSENT,
            Some((index, op)) => {
                order.push(op.origin);
                let (Action::Write(to) | Action::Cas(_, to)) = op.action else {
                    unreachable!("only writes and compare-and-sets produce values")
                };
                if written(clusters, index, to).is_none() {
                    return;
                }
                to
            }
        };
        order.extend(reads.of(value).iter().map(|&index| ops[index as usize].origin));
        producer = clusters[value as usize].consumer();
        if producer.is_none() {
            return;
        }
    }
}

impl Reads {
    fn new(values: usize, ops: &[Call<Action>]) -> Self {
        let mut ends = vec![0; values];
        let read = |op: &Call<Action>| match op.action {
            Action::Read(value) => Some(value as usize),
            Action::Not(_) | Action::Write(_) | Action::Cas(..) | Action::Append(_) => None,
        };
        for value in ops.iter().filter_map(read) {
            ends[value] += 1;
        }
        let mut before = 0_u32;
        for end in &mut ends {
            // For now where the reads begin; each read added moves it on, and at last it is the end.
            before += std::mem::replace(end, before);
        }
        let mut reads = vec![0; before as usize];
        for (op, index) in ops.iter().zip(0..) {
            if let Some(value) = read(op) {
                reads[ends[value] as usize] = index;
                ends[value] += 1;
            }
        }
        Self { ends, reads }
    }

    fn of(&self, value: u32) -> &[u32] {
        let begin = value.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.reads[begin as usize..self.ends[value as usize] as usize]
    }
}
