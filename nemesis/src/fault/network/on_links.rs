//! What all faults have in common that lie on links from their start to their end.

use super::evidence;
use crate::fault::proof::{Met, Proof};
use crate::fault::stage::{OnLinks, State, Strike};
use crate::network::LinkFault;

/// What the links have carried so far.
pub(super) fn counters(strike: &Strike<'_>) -> OnLinks {
    let links = strike.hit.links.iter();
    links.map(|link| (link.clone(), strike.testbed().counters(link))).collect()
}

/// Puts a fault on the links and proves it.
pub(super) async fn start(strike: &Strike<'_>, fault: LinkFault, state: &mut State) -> (u64, Proof) {
    state.links = counters(strike);
    for link in &strike.hit.links {
        strike.testbed().apply(link, strike.claim, fault);
    }
    let at = strike.now_ns();
    (at, evidence::of_links(strike.testbed(), fault, &state.links).await)
}

/// Takes a fault off the links and makes sure that they carry bytes again.
pub(super) async fn end(strike: &Strike<'_>, fault: LinkFault, state: &State) -> (u64, Proof) {
    let carried = evidence::carried(strike.testbed(), fault, &state.links);
    for link in strike.hit.links.iter().rev() {
        strike.testbed().release(link, strike.claim);
    }
    let at = strike.now_ns();
    let mut proof = evidence::of_healing(strike.testbed(), fault, &strike.hit.links).await;
    proof.evidence.splice(0..0, carried);
    (at, proof)
}

/// What of the system's own traffic met the fault.
pub(super) fn met(strike: &Strike<'_>, fault: LinkFault, state: &State) -> Met {
    evidence::met(strike.testbed(), fault, &state.links)
}
