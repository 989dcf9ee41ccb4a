//! The evidence and the notes of a fault.

use crate::process::Effect;
use crate::testbed::TestbedError;
use futures_util::future::join_all;
use std::future::Future;

/// Operations of the system under test that met a fault; or why there were none.
pub(crate) type Met = Result<Vec<String>, String>;

/// Observations of a fault, and whether they are complete.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) evidence: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) complete: bool,
    /// Whether the data it would take is lost for good, as the plan intended.
    pub(crate) beyond_help: bool,
}

impl Proof {
    /// A complete proof without observations.
    pub(crate) fn complete() -> Self {
        Self { complete: true, ..Self::default() }
    }

    /// Adds the observations of one node.
    pub(crate) fn add(&mut self, node: &str, seen: Self) {
        self.complete &= seen.complete;
        self.evidence.extend(seen.evidence.into_iter().map(|line| format!("{node}: {line}")));
        self.notes.extend(seen.notes);
    }
}

/// Applies an action to all nodes at the same time and combines the results in node order.
///
/// The result is complete if no action failed, whether or not there is evidence.
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
