//! Decides registers whose observed values have one writer each: Gibbons & Korach 1997, zones.
//!
//! *Problem*: decide linearizability of one register exactly, where each observed value was written at most once.
//!
//! *Idea*: a write and the reads of its value are a cluster. Successful compare-and-sets chain clusters to blocks,
//! between whose operations no other operation can have its linearization point. The zone of a block lies between its
//! earliest completion and its latest invocation. If the completion comes first, the value was current throughout (a
//! forward zone); otherwise all operations of the block overlap in one instant (a backward zone).
//!
//! *Why it is right*: a history is linearizable exactly when no two forward zones overlap and no backward zone lies
//! inside a forward one (Gibbons and Korach's theorem, here for blocks). The order inside a block is forced, and is
//! compared with real time first. A compare-and-set with an unknown result happened exactly when its new value was
//! found.
//!
//! *Cost*: sorting, n log n.
//!
//! *Source*: Gibbons and Korach, "Testing Shared Memories" (SIAM J. Comput. 26(4), 1997). Compare-and-set and unknown
//! results are our own.

use super::{
    super::{
        call::Call,
        object::Action,
        values::{ABSENT, Values},
    },
    Around, Cluster, NO_INDEX, START, Span, Survey, disjoint, survey,
};

/// Whether the operations of one key, in order of invocation, are linearizable; none where the method does
/// not apply.
pub(in super::super) fn by_zones(values: &Values<'_>, ops: &[Call<Action>]) -> Option<bool> {
    let mut survey = applicable(values, ops)?;
    Some(!survey.impossible && linearizable(&mut survey, ops))
}

/// What the operations say of each observed value; none where the method does not apply.
pub(super) fn applicable(values: &Values<'_>, ops: &[Call<Action>]) -> Option<Survey> {
    if values.is_text() {
        return None;
    }
    let mut survey = survey(values, ops);
    if !survey.initial_matters {
        // No operation looks for it, so deletes are like any other write of an unobserved value.
        let initial = &mut survey.clusters[ABSENT as usize];
        initial.producers = 1;
        initial.producer = NO_INDEX;
    }
    let ambiguous = survey.ambiguous || survey.clusters[ABSENT as usize].producers > 1;
    (!ambiguous).then_some(survey)
}

fn linearizable(survey: &mut Survey, ops: &[Call<Action>]) -> bool {
    settle(survey, ops);
    let clusters = &survey.clusters;
    if clusters.iter().any(|cluster| cluster.consumers > 1 || (cluster.found && cluster.producers == 0)) {
        return false;
    }
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    let consistent = blocks(clusters, ops, |_, span| {
        if span.is_forward() {
            forward.push((span, ()));
        } else {
            backward.push(span);
        }
    });
    consistent
        && disjoint(forward).is_some_and(|forward| {
            let mut around = Around::new(&forward);
            backward.iter().all(|span| around.find(*span).is_none())
        })
}

/// Names every block by the write it starts with (none for the initial value) and says where it lies; false
/// if one of them contradicts itself.
pub(super) fn blocks(
    clusters: &[Cluster],
    ops: &[Call<Action>],
    mut each: impl FnMut(Option<u32>, Span),
) -> bool {
    let mut chained = 0;
    let mut index = |start: Option<u32>, block: Option<Block>| {
        let Some(block) = block else { return false };
        chained += block.chained;
        each(start, block.span);
        true
    };
    let initial = Span { low: START, high: START };
    if !index(None, Block::follow(initial, Some(&clusters[ABSENT as usize]), clusters, ops)) {
        return false;
    }
    for (op, start) in ops.iter().zip(0..) {
        let Action::Write(to) = op.action else { continue };
        let cluster = written(clusters, start, to);
        if !op.certain() && !cluster.is_some_and(|cluster| cluster.found) {
            continue;
        }
        if !index(Some(start), Block::follow(Span::of(op), cluster, clusters, ops)) {
            return false;
        }
    }
    let happened: u32 = clusters.iter().map(|cluster| u32::from(cluster.consumers)).sum();
    // The others would form circles, which start from nothing.
    chained == happened
}

/// The cluster of the value that the operation at this index left, if an operation looks for it.
pub(super) fn written(clusters: &[Cluster], index: u32, value: u32) -> Option<&Cluster> {
    clusters.get(value as usize).filter(|cluster| cluster.producer == index)
}

/// Finds out which compare-and-sets of unknown outcome happened: those whose new value was found, by an
/// operation that certainly happened or by another one of them that did.
pub(super) fn settle(survey: &mut Survey, ops: &[Call<Action>]) {
    let clusters = &mut survey.clusters;
    let mut found: Vec<u32> =
        survey.maybe_left.iter().copied().filter(|&value| clusters[value as usize].found).collect();
    while let Some(value) = found.pop() {
        let Some(producer) = clusters[value as usize].producer() else { continue };
        let op = &ops[producer as usize];
        if let Action::Cas(from, _) = op.action
            && !op.certain()
        {
            let before = &mut clusters[from as usize];
            before.consumed(producer);
            if !before.found {
                before.found = true;
                found.push(from);
            }
        }
    }
}

/// Clusters between which nothing may stand.
struct Block {
    span: Span,
    /// How many compare-and-sets it contains.
    chained: u32,
}

impl Block {
    /// Follows the chain that starts with a producer and its cluster; none if its inner order, which is
    /// forced, contradicts real time.
    fn follow(
        producer: Span,
        cluster: Option<&Cluster>,
        clusters: &[Cluster],
        ops: &[Call<Action>],
    ) -> Option<Self> {
        let mut block = Self { span: producer, chained: 0 };
        let mut cluster = cluster;
        while let Some(current) = cluster {
            block.append(current.reads)?;
            let Some(consumer) = current.consumer() else { break };
            let op = &ops[consumer as usize];
            block.append(Span::of(op))?;
            block.chained += 1;
            let Action::Cas(_, to) = op.action else {
                unreachable!("only a compare-and-set consumes a value")
            };
            cluster = written(clusters, consumer, to);
        }
        Some(block)
    }

    /// Adds operations that come after all others of the block, in any order among themselves.
    fn append(&mut self, next: Span) -> Option<()> {
        (next.low >= self.span.high).then(|| self.span.join(next))
    }
}
