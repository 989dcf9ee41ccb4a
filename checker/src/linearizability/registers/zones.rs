//! Decides registers whose observed values were each produced at most once, near-linear.
//!
//! After Gibbons and Korach, "Testing Shared Memories" (SIAM J. Comput. 26(4), 1997), with compare-and-set
//! and unknown outcomes added. A write with the reads of its value is a cluster, and successful
//! compare-and-sets chain clusters to blocks, between whose operations nothing may stand. A block whose first
//! completion lies before its last invocation held throughout (forward); no two of those may overlap, and no
//! other block may lie inside one.

use super::{
    super::{
        object::{Action, Op},
        values::{ABSENT, IMPOSSIBLE, Values},
    },
    Cluster, START, Span, around, clusters, disjoint,
};

/// Whether the operations of one key, in order of invocation, are linearizable; none where the method does
/// not apply.
pub(in super::super) fn by_zones(values: &Values<'_>, ops: &[Op]) -> Option<bool> {
    let mut clusters = applicable(values, ops)?;
    Some(linearizable(&mut clusters, ops))
}

/// What the operations say of each observed value; none where the method does not apply.
pub(super) fn applicable(values: &Values<'_>, ops: &[Op]) -> Option<Vec<Cluster>> {
    if values.is_text() || ops.iter().any(|op| matches!(op.action, Action::Not(_))) {
        return None;
    }
    let mut clusters = clusters(values, ops);
    if !clusters[ABSENT as usize].found && !ops.iter().any(|op| consumes(op, ABSENT)) {
        // Nobody looks for it, so deletes are like any other write of an unobserved value.
        clusters[ABSENT as usize].producers = 1;
        clusters[ABSENT as usize].producer = None;
    }
    (!clusters.iter().any(|cluster| cluster.producers > 1)).then_some(clusters)
}

fn consumes(op: &Op, value: u32) -> bool {
    matches!(op.action, Action::Cas(from, _) if from == value)
}

fn linearizable(clusters: &mut [Cluster], ops: &[Op]) -> bool {
    if ops.iter().any(|op| op.action == Action::Read(IMPOSSIBLE)) {
        return false;
    }
    settle(clusters, ops);
    if clusters.iter().any(|cluster| cluster.consumers > 1 || (cluster.found && cluster.producers == 0)) {
        return false;
    }
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    let consistent = blocks(clusters, ops, |_, span| {
        if span.is_forward() {
            forward.push((span, 0));
        } else {
            backward.push(span);
        }
    });
    consistent
        && disjoint(forward)
            .is_some_and(|forward| backward.iter().all(|span| around(&forward, *span).is_none()))
}

/// Names every block by the write it starts with (none for the initial value) and says where it lies; false
/// if one of them contradicts itself.
pub(super) fn blocks(clusters: &[Cluster], ops: &[Op], mut each: impl FnMut(Option<u32>, Span)) -> bool {
    let mut chained = 0;
    let mut place = |start: Option<u32>, block: Option<Block>| {
        let Some(block) = block else { return false };
        chained += block.chained;
        each(start, block.span);
        true
    };
    let initial = Span { low: START, high: START };
    if !place(None, Block::follow(initial, Some(&clusters[ABSENT as usize]), clusters, ops)) {
        return false;
    }
    for (op, start) in ops.iter().zip(0..) {
        let Action::Write(to) = op.action else { continue };
        let cluster = written(clusters, start, to);
        if !op.certain() && !cluster.is_some_and(|cluster| cluster.found) {
            continue;
        }
        let mut span = Span::NOTHING;
        span.add(op);
        if !place(Some(start), Block::follow(span, cluster, clusters, ops)) {
            return false;
        }
    }
    let happened: u32 = clusters.iter().map(|cluster| cluster.consumers).sum();
    // The others would form circles, which start from nothing.
    chained == happened
}

/// The cluster of the value that the operation at this place left, if somebody looks for it.
pub(super) fn written(clusters: &[Cluster], place: u32, value: u32) -> Option<&Cluster> {
    clusters.get(value as usize).filter(|cluster| cluster.producer == Some(place))
}

/// Finds out which compare-and-sets of unknown outcome happened: those whose new value was found, by an
/// operation that certainly happened or by another one of them that did.
pub(super) fn settle(clusters: &mut [Cluster], ops: &[Op]) {
    let mut found: Vec<u32> =
        (0..).zip(clusters.iter()).filter(|(_, cluster)| cluster.found).map(|(value, _)| value).collect();
    while let Some(value) = found.pop() {
        let Some(producer) = clusters[value as usize].producer else { continue };
        let op = &ops[producer as usize];
        if let Action::Cas(from, _) = op.action
            && !op.certain()
        {
            let before = &mut clusters[from as usize];
            before.consumers += 1;
            before.consumer = Some(producer);
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
    fn follow(producer: Span, cluster: Option<&Cluster>, clusters: &[Cluster], ops: &[Op]) -> Option<Self> {
        let mut block = Self { span: producer, chained: 0 };
        let mut cluster = cluster;
        while let Some(current) = cluster {
            block.append(current.reads)?;
            let Some(consumer) = current.consumer else { break };
            let op = &ops[consumer as usize];
            let mut span = Span::NOTHING;
            span.add(op);
            block.append(span)?;
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
