//! What was seen of a fault: evidence and notes.

use crate::process::Effect;
use crate::testbed::TestbedError;
use futures_util::future::join_all;
use std::future::Future;

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
    let effects = join_all(nodes.iter().map(|node| action(node))).await;
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
