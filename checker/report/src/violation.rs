//! A violation with all that a person needs to follow it: its operations, the order that was found, and what does not fit.

use super::sources;
use checker::elements::{self, Class};
use checker::limits::Limits;
use checker::linearizability::{self, Model, Verdict, Witness};
use checker::transactions::{self, Anomaly};
use checker::{certificate, words};
use history::{Operation, OperationRef, Operations, Outcome, OutcomeRef};
use serde::Serialize;

/// Operations of a violation that are told and drawn.
const TOLD: usize = 14;
/// Possible values whose sources are told with it; those of others are linked.
const SOURCES: usize = 4;
/// Steps of an order that are shown: the last ones.
const STEPS: usize = 24;
/// Elements that were lost and are marked in the timeline.
const LOST: usize = 100_000;

/// What a check found against the system. Operations are named by their index in the history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Violation {
    /// What nothing explains, in one sentence.
    pub summary: String,
    /// The operations that show it, in the order of invocation; of a cycle, in the order of the cycle.
    pub operations: Vec<usize>,
    /// How many more belong to it.
    pub more: usize,
    /// The operation that cannot have completed as it did, where it is one.
    pub odd: Option<usize>,
    /// The last steps of the longest order that was found.
    pub order: Vec<Step>,
    /// Steps of that order before these.
    pub before: usize,
    /// The values that were possible when the odd operation completed.
    pub values: Vec<Possible>,
    /// Operations that were open then, and what each would need.
    pub needs: Vec<(usize, String)>,
    /// Of a cycle: the kind and the reason of the edge from each operation to the next, the last one to the first.
    pub edges: Vec<(&'static str, String)>,
    /// Acknowledged operations whose effect was lost, where the check tells that of single ones.
    pub lost: Vec<usize>,
    /// When it happened, in nanoseconds since the run's start: from the invocation of what cannot be explained to its
    /// completion.
    pub span: Option<(u64, u64)>,
}

/// A value that was possible, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Possible {
    /// The value, in words.
    pub value: String,
    /// The operation that wrote it, or else one that read it before; none for what was there at first.
    pub source: Option<usize>,
}

/// One operation in an order, and the state after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// Its index in the history.
    pub operation: usize,
    /// The state after it, in words.
    pub state: String,
}

impl Violation {
    /// Why a history is not linearizable. `stop` says when the search for an order has to give up.
    pub(crate) fn of_order(
        witness: &Witness,
        operations: &Operations,
        model: Model,
        limits: &Limits<'_>,
    ) -> Self {
        let mut part = witness.operations.clone();
        let values = sources::of_values(witness, operations);
        // What is possible follows from the whole history; the part alone would not show why.
        for source in values.iter().take(SOURCES).filter_map(|possible| possible.source) {
            if !part.contains(&source) {
                part.push(source);
            }
        }
        part.sort_by_key(|index| operations.invoked(*index));
        let (order, before) = longest_order(witness, &part, operations, model, limits)
            .or_else(|| longest_order(witness, &witness.operations, operations, model, limits))
            .unwrap_or_default();
        let odd = operations.at(witness.operation);
        Self {
            summary: witness.summary.clone(),
            operations: told(&part, witness.operation),
            more: part.len().saturating_sub(TOLD),
            odd: Some(witness.operation),
            order,
            before,
            values,
            span: Some((odd.invoked_ns, odd.completed_ns.unwrap_or(odd.invoked_ns))),
            needs: witness.pending.iter().take(TOLD).map(|it| (it.operation, it.why.clone())).collect(),
            ..Self::default()
        }
    }

    /// The gravest anomaly of transactions that the promise forbids.
    pub(crate) fn of_transactions(verdict: &transactions::Verdict, all: &Operations) -> Option<Self> {
        let Anomaly { name, operations, summary, edges, .. } = verdict.violation()?;
        Some(Self {
            summary: format!("{name}: {summary}"),
            span: span(operations, all),
            operations: operations.iter().copied().take(TOLD).collect(),
            more: operations.len().saturating_sub(TOLD),
            edges: edges.iter().take(TOLD).map(|edge| (edge.kind, edge.why.clone())).collect(),
            ..Self::default()
        })
    }

    /// The gravest finding about elements, and every acknowledged element that was lost.
    pub(crate) fn of_elements(verdict: &elements::Verdict, operations: &Operations) -> Option<Self> {
        let finding = verdict.findings.iter().find(|finding| finding.breaks)?;
        let lost = verdict.findings.iter().filter(|finding| finding.class == Class::Lost);
        let acknowledged = |index: &&usize| {
            operations.get(**index).is_some_and(|operation| {
                matches!(operation.outcome, OutcomeRef::Ok(_)) && !operation.argument.is_null()
            })
        };
        let span = span(&finding.operations, operations);
        let mut shown = finding.operations.clone();
        shown.sort_by_key(|index| operations.get(*index).map(|operation| operation.invoked));
        let key = finding.key.as_ref().map_or_else(String::new, |key| format!("On key {key}, "));
        Some(Self {
            summary: format!("{key}{}", finding.text),
            span,
            more: shown.len().saturating_sub(TOLD),
            operations: shown.into_iter().take(TOLD).collect(),
            lost: lost
                .filter_map(|finding| finding.operations.iter().find(acknowledged).copied())
                .take(LOST)
                .collect(),
            ..Self::default()
        })
    }

    /// Every operation it speaks of.
    pub(crate) fn mentioned(&self) -> impl Iterator<Item = usize> {
        let ordered = self.order.iter().map(|step| step.operation);
        let needing = self.needs.iter().map(|(operation, _)| *operation);
        self.operations
            .iter()
            .copied()
            .chain(ordered)
            .chain(needing)
            .chain(self.lost.iter().copied())
            .chain(self.values.iter().filter_map(|possible| possible.source))
            .chain(self.odd)
    }
}

/// The operations that are told: the odd one, and of the others the latest.
fn told(operations: &[usize], odd: usize) -> Vec<usize> {
    let first = operations.len().saturating_sub(TOLD);
    let mut told = operations[first..].to_vec();
    if !told.contains(&odd) {
        told[0] = odd;
    }
    told
}

/// From the first invocation of these operations to the last completion.
fn span(indexes: &[usize], operations: &Operations) -> Option<(u64, u64)> {
    let named = || indexes.iter().filter_map(|index| operations.get(*index));
    let first = named().map(|operation| operation.invoked_ns).min()?;
    let last = named().map(|operation| operation.completed_ns.unwrap_or(operation.invoked_ns)).max()?;
    Some((first, last))
}

/// The last steps of an order of everything but the odd operation, and how many come before them. None where the
/// search gave up.
///
/// Where the operations of the witness are impossible by themselves, the order is one of them. Elsewhere it is one of
/// all operations of the key until the odd one completed.
fn longest_order(
    witness: &Witness,
    part: &[usize],
    operations: &Operations,
    model: Model,
    limits: &Limits<'_>,
) -> Option<(Vec<Step>, usize)> {
    let chosen = |indexes: &[usize]| -> Vec<Operation> {
        indexes.iter().map(|index| operations.at(*index).to_owned()).collect()
    };
    let alone =
        matches!(linearizability::check(&chosen(&witness.operations), model, limits), Verdict::Invalid(_));
    let odd = operations.at(witness.operation);
    let end = odd.completed.unwrap_or(usize::MAX);
    let others: Vec<usize> = if alone {
        part.iter().copied().filter(|index| *index != witness.operation).collect()
    } else {
        let of_key = |(index, operation): (usize, OperationRef<'_>)| {
            (index != witness.operation && operation.key == odd.key && operation.invoked < end)
                .then_some(index)
        };
        operations.iter().enumerate().filter_map(of_key).collect()
    };
    let mut rest = chosen(&others);
    for operation in rest.iter_mut().filter(|operation| operation.completed.is_none_or(|it| it > end)) {
        // What completed later need not have happened by then.
        operation.outcome = Outcome::Info { error: None };
        (operation.completed, operation.completed_ns) = (None, None);
    }
    let (Verdict::Valid { .. }, Some(found)) = linearizability::check_certified(&rest, model, limits) else {
        return None;
    };
    let order = found.orders.into_iter().find(|order| !order.is_empty())?;
    let states = certificate::states(&rest, model, &order, STEPS);
    let before = order.len().saturating_sub(STEPS);
    let steps = order[before..].iter().zip(states);
    let steps =
        steps.map(|(index, state)| Step { operation: others[*index as usize], state: words::shown(&state) });
    Some((steps.collect(), before))
}
