//! Refutes registers of any kind. Sound but incomplete: `true` proves a violation, `false` proves nothing.
//!
//! *Idea*: a value with one possible writer is current during one interval. All operations that certainly found it
//! lie in that interval, so between the earliest completion and the latest invocation among them no other value can
//! be current. Two such intervals that overlap are a violation, and so is another value that must have been current
//! inside one.
//!
//! *Cost*: log-linear, from sorting the intervals. *Source*: the necessary half of Gibbons and Korach (see
//! [`zones`](super::zones)), where only some values are unique.

use super::{
    super::{call::Call, object::Action, values::Values},
    Around, Cluster, START, Span, disjoint, survey,
};

/// Whether the operations of one key certainly are not linearizable. False says nothing.
pub(in super::super) fn refuted(values: &Values<'_>, ops: &[Call<Action>]) -> bool {
    if values.is_text() {
        return false;
    }
    let survey = survey(values, ops);
    if survey.impossible {
        return true;
    }
    let mut spans = Vec::new();
    for (cluster, value) in survey.clusters.iter().zip(0..) {
        if cluster.found && cluster.producers == 0 {
            return true;
        }
        if cluster.found && cluster.producers == 1 {
            match span(cluster, ops) {
                None => return true,
                Some(span) if span.is_forward() => spans.push((span, value)),
                Some(_) => {}
            }
        }
    }
    let Some(spans) = disjoint(spans) else { return true };
    let mut around = Around::new(&spans);
    ops.iter()
        .filter(|op| op.certain())
        .any(|op| around.find(Span::of(op)).is_some_and(|(_, value)| contradicts(op.action, value)))
}

/// From the earliest completion to the latest invocation of what certainly happened to a value; none if that
/// contradicts itself.
fn span(cluster: &Cluster, ops: &[Call<Action>]) -> Option<Span> {
    let mut span = Span { low: START, high: START };
    if let Some(producer) = cluster.producer() {
        span = Span::of(&ops[producer as usize]);
    }
    let mut members = cluster.reads;
    if let Some(consumer) = cluster.consumer() {
        members.add(&ops[consumer as usize]);
    }
    if members.low < span.high || cluster.consumers > 1 {
        return None;
    }
    span.join(members);
    Some(span)
}

/// Whether an operation cannot happen while the value holds and goes on holding.
fn contradicts(action: Action, value: u32) -> bool {
    match action {
        Action::Read(found) => found != value,
        Action::Not(missed) => missed == value,
        Action::Write(_) | Action::Cas(..) | Action::Append(_) => true,
    }
}
