//! Swizzle: cuts links one by one and heals them in another order.

use super::{CUT, evidence, on_links};
use crate::budget::Hurt;
use crate::claim::Claim;
use crate::fault::background::{Background, Over};
use crate::fault::entry::{Entry, Family, LINKS};
use crate::fault::fault_kind::FaultKind;
use crate::fault::flag::{flag, plain};
use crate::fault::proof::{Met, Proof};
use crate::fault::stage::{OnLinks, Stage, State, Strike};
use crate::network::LinkFault;
use crate::parameters::{Parameters, Target};
use crate::partition::Link;
use crate::plan::{Aim, Planning};
use crate::refusal::Refusal;
use crate::scope::Hit;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use tokio::time::Instant;

/// Cuts links one by one and heals them in another order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Swizzle {
    target: Option<Target>,
    /// Seed of both orders.
    seed: u64,
}

impl FaultKind for Swizzle {
    const ENTRY: Entry = Entry {
        about: "links are cut one by one and healed in another order",
        evidence: CUT,
        modes: LINKS,
        flags: &[flag("swizzle", "", "", "Cut the links one by one, and heal them in another order", plain)],
        ..Entry::new("swizzle", Family::Network)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { target: parameters.target.clone(), seed: 0 })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        self.seed = planning.rng.random();
        planning.on_links(Self::ENTRY.name, self.target.as_ref())
    }

    fn hurt(&self, hit: Option<&Hit>) -> Hurt {
        Hurt::cut(hit)
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        state.links = on_links::counters(strike);
        let began = Instant::now();
        let pairs = pairs(&strike.hit.links, self.seed);
        let Some(pair) = pairs.first() else { return (strike.now_ns(), Proof::default()) };
        cut(strike.stage, pair, strike.claim);
        // An error shows in the evidence.
        let _ = strike.testbed().settle().await;
        let at = strike.now_ns();
        let in_pair = state.links.iter().filter(|(link, _)| pair.contains(link));
        let first: OnLinks = in_pair.map(|(link, counters)| (link.clone(), *counters)).collect();
        let proof = evidence::of_links(strike.testbed(), LinkFault::Stall, &first).await;
        state.background = Some(swizzle(strike, pairs, began, self.seed));
        (at, proof)
    }

    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof) {
        on_links::end(strike, LinkFault::Stall, state).await
    }

    async fn met(&self, strike: &Strike<'_>, state: &State) -> Option<Met> {
        Some(on_links::met(strike, LinkFault::Stall, state).await)
    }
}

/// Cuts the links of one pair of nodes after another, then heals them in another order.
///
/// The first pair was cut when the task `began`.
fn swizzle(strike: &Strike<'_>, pairs: Vec<[Link; 2]>, began: Instant, seed: u64) -> Background {
    let (stage, claim, length) = (Arc::clone(strike.stage), strike.claim, strike.length);
    Background::begin(async move |mut over: Over| {
        let count = u32::try_from(pairs.len().max(1)).unwrap_or(u32::MAX);
        // Cutting takes nine twentieths of the time, and so does healing.
        let gap = length * 9 / 20 / count;
        let mut healed = pairs.clone();
        healed.shuffle(&mut ChaCha8Rng::seed_from_u64(seed.wrapping_add(1)));
        let mut proof = Proof { complete: true, ..Proof::default() };
        for (index, pair) in (1..).zip(&pairs[1..]) {
            if over.comes_before(began + gap * index).await {
                proof.notes.push(format!("it ended when {index} of {count} pairs of links were cut"));
                return proof;
            }
            cut(&stage, pair, claim);
            // An error shows at the end of the fault.
            let _ = stage.testbed.settle().await;
        }
        let order: Vec<String> =
            healed.iter().map(|pair| format!("{}–{}", pair[0].from, pair[0].to)).collect();
        for (index, pair) in (0..).zip(&healed) {
            if over.comes_before(began + length * 11 / 20 + gap * index).await {
                proof.notes.push(format!("it ended when {index} of {count} pairs of links were healed"));
                return proof;
            }
            for link in pair {
                stage.testbed.release(link, claim);
            }
            let _ = stage.testbed.settle().await;
        }
        proof.evidence.push(format!("healed one by one: {}", order.join(", ")));
        proof
    })
}

fn cut(stage: &Stage, pair: &[Link; 2], claim: Claim) {
    for link in pair {
        stage.testbed.apply(link, claim, LinkFault::Stall);
    }
}

/// The links both ways between two nodes, in an order drawn from `seed`.
fn pairs(links: &[Link], seed: u64) -> Vec<[Link; 2]> {
    let back = |link: &Link| Link::new(&*link.to, &*link.from);
    let first = links.iter().filter(|link| link.from < link.to || !links.contains(&back(link)));
    let mut pairs: Vec<[Link; 2]> = first.map(|link| [link.clone(), back(link)]).collect();
    pairs.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    pairs
}
