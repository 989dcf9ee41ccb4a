//! What was seen of a fault: evidence and notes.

use crate::process::Effect;
use crate::testbed::TestbedError;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// What the system under test did that met a fault, from its start to its end; or why nothing did.
pub(crate) type Met = Result<Vec<String>, String>;

/// What was seen, and whether it is all there was to see.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) evidence: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) complete: bool,
    /// Whether what it would take is gone for good, as the plan wanted it.
    pub(crate) beyond_help: bool,
}

impl Proof {
    /// Nothing to see, and nothing that failed.
    pub(crate) fn complete() -> Self {
        Self { complete: true, ..Self::default() }
    }

    /// Adds what was seen of one node.
    pub(crate) fn add(&mut self, node: &str, seen: Self) {
        self.complete &= seen.complete;
        self.evidence.extend(seen.evidence.into_iter().map(|line| format!("{node}: {line}")));
        self.notes.extend(seen.notes);
    }
}

/// Does something to each of the nodes at the same time and puts what was seen together, in their order. It is
/// complete if nothing failed; whether there is evidence is another matter.
pub(crate) async fn each<'a, F, A>(nodes: &'a [String], action: A) -> Proof
where
    F: Future<Output = Result<Effect, TestbedError>>,
    A: Fn(&'a str) -> F,
{
    let effects = all(nodes.iter().map(|node| action(node))).await;
    let mut proof = Proof { complete: true, ..Proof::default() };
    for (node, effect) in nodes.iter().zip(effects) {
        match effect {
            Ok(effect) => {
                let named = |seen: String| if nodes.len() > 1 { format!("{node}: {seen}") } else { seen };
                proof.evidence.extend(effect.evidence.into_iter().map(named));
                proof.notes.extend(effect.note);
            }
            Err(error) => {
                proof.complete = false;
                proof.notes.push(error.to_string());
            }
        }
    }
    proof
}

/// Polls all futures at the same time and gives what they gave, in their order.
pub(crate) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    outputs.into_iter().map(|output| output.expect("every future has given its output")).collect()
}
