//! Faults that strike while the target nodes have syncs open (`during = "sync"`).

use super::proof::Proof;
use super::stage::Strike;
use crate::disk::OpenSync;
use crate::parameters::During;
use crate::testbed::{Caught, TestbedError};
use crate::words::count;

/// Strikes at once, or while the syncs of the target nodes are held open.
///
/// The evidence is the list of open syncs beside that of the strike itself. Without an open sync on any node there
/// is no evidence, because the fault was not the planned one.
pub(super) async fn strike_during(
    during: Option<During>,
    strike: &Strike<'_>,
    act: impl AsyncFnOnce() -> (u64, Proof),
) -> (u64, Proof) {
    let Some(During::Sync) = during else { return act().await };
    let (testbed, nodes) = (strike.testbed(), strike.nodes());
    let caught = testbed.catch_in_sync(nodes).await;
    let (at, mut proof) = act().await;
    if let Err(error) = testbed.disarm(nodes).await {
        proof.complete = false;
        proof.notes.push(error.to_string());
    }
    add_open(&mut proof, caught);
    (at, proof)
}

/// Adds the open syncs to the evidence of a strike, or removes the evidence.
fn add_open(proof: &mut Proof, caught: Result<Caught, TestbedError>) {
    let caught = match caught {
        Ok(caught) => caught,
        Err(error) => {
            proof.evidence.clear();
            return proof.notes.push(format!("no sync was held: {error}"));
        }
    };
    let (none, some): (Vec<_>, Vec<_>) = caught.into_iter().partition(|(_, open)| open.is_empty());
    let names = none.iter().map(|(node, _)| node.as_str()).collect::<Vec<_>>().join(", ");
    if some.is_empty() {
        proof.evidence.clear();
        return proof.notes.push(format!("{names} began no sync with changes, so it struck outside of one"));
    }
    if !none.is_empty() {
        proof.notes.push(format!("no sync of {names} was open when it struck"));
    }
    let lines = some.iter().map(|(node, open)| in_words(node, open));
    proof.evidence.splice(0..0, lines);
}

/// Adds the open syncs of each node to the evidence of a hold.
pub(super) async fn add_held(proof: &mut Proof, strike: &Strike<'_>) {
    match strike.testbed().caught(strike.nodes()).await {
        Ok(caught) => {
            let open = caught.iter().filter(|(_, open)| !open.is_empty());
            proof.evidence.extend(open.map(|(node, open)| format!("{node}: open: {}", each_in_words(open))));
        }
        Err(error) => proof.notes.push(error.to_string()),
    }
}

fn each_in_words(open: &[OpenSync]) -> String {
    open.iter().map(OpenSync::in_words).collect::<Vec<_>>().join("; ")
}

/// A description, for example `n1: 1 sync open when it struck: 00000001.log for 21 ms, …`.
pub(crate) fn in_words(node: &str, open: &[OpenSync]) -> String {
    format!("{node}: {} open when it struck: {}", count(open.len() as u64, "sync"), each_in_words(open))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> Proof {
        Proof { evidence: vec!["pid 7 ended by signal 9".to_owned()], complete: true, ..Proof::default() }
    }

    fn open() -> OpenSync {
        OpenSync { path: "00000001.log".to_owned(), open_ms: 21, bytes: 1208 }
    }

    #[test]
    fn open_syncs_are_evidence() {
        let mut seen = proof();
        add_open(&mut seen, Ok([("n1".to_owned(), vec![open()]), ("n2".to_owned(), Vec::new())].into()));
        let line = "n1: 1 sync open when it struck: 00000001.log for 21 ms, 1,208 bytes of it not durable";
        assert_eq!(seen.evidence, [line, "pid 7 ended by signal 9"]);
        assert_eq!(seen.notes, ["no sync of n2 was open when it struck"]);
    }

    #[test]
    fn strike_outside_a_sync_is_no_evidence() {
        let mut seen = proof();
        add_open(&mut seen, Ok([("n1".to_owned(), Vec::new())].into()));
        assert!(seen.evidence.is_empty() && seen.complete);
        assert!(seen.notes[0].contains("n1 began no sync"), "{:?}", seen.notes);
    }
}
