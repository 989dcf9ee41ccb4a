//! Common part of all faults that hold links from start to end.

use super::evidence;
use crate::fault::proof::{Met, Proof};
use crate::fault::stage::{OnLinks, State, Strike};
use crate::network::LinkFault;
use crate::schedule::Moment;

/// The counters of the links so far.
pub(super) fn counters(strike: &Strike<'_>) -> OnLinks {
    let links = strike.hit.links.iter();
    links.map(|link| (link.clone(), strike.testbed().counters(link))).collect()
}

/// Starts a fault of the links and collects its evidence.
pub(super) async fn start(strike: &Strike<'_>, fault: LinkFault, state: &mut State) -> (u64, Proof) {
    let before = strike.testbed().settle().await;
    state.links = counters(strike);
    for link in &strike.hit.links {
        strike.testbed().apply(link, strike.claim, fault);
    }
    // The evidence takes longer than a replay should hold anything.
    strike.testbed().tape().acted(strike.claim, Moment::Start, &[]);
    let settled = before.and(strike.testbed().settle().await);
    let at = strike.now_ns();
    match settled {
        Ok(()) => (at, evidence::of_links(strike.testbed(), fault, &state.links).await),
        Err(error) => (at, Proof { notes: vec![error.to_string()], ..Proof::default() }),
    }
}

/// Ends a fault of the links and checks that they carry bytes again.
pub(super) async fn end(strike: &Strike<'_>, fault: LinkFault, state: &State) -> (u64, Proof) {
    // An error shows after the release.
    let _ = strike.testbed().settle().await;
    let carried = evidence::carried(strike.testbed(), fault, &state.links);
    for link in strike.hit.links.iter().rev() {
        strike.testbed().release(link, strike.claim);
    }
    strike.testbed().tape().acted(strike.claim, Moment::End, &[]);
    let settled = strike.testbed().settle().await;
    let at = strike.now_ns();
    if let Err(error) = settled {
        return (at, Proof { evidence: carried, notes: vec![error.to_string()], ..Proof::default() });
    }
    let mut proof = evidence::of_healing(strike.testbed(), fault, &strike.hit.links).await;
    proof.evidence.splice(0..0, carried);
    (at, proof)
}

/// The system's own traffic that met the fault.
pub(super) async fn met(strike: &Strike<'_>, fault: LinkFault, state: &State) -> Met {
    // The counters of the last answer remain.
    let _ = strike.testbed().settle().await;
    evidence::met(strike.testbed(), fault, &state.links)
}
