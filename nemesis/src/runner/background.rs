//! Faults that go on doing something between their start and their end, each in a task of its own.

use super::Stage;
use super::act::each;
use super::evidence::{self, OnLinks, Proof};
use crate::claim::Claim;
use crate::network::LinkFault;
use crate::partition::Link;
use crate::plan::Duty;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A task that goes on until it is told that the fault ends.
pub(super) struct Background {
    over: oneshot::Sender<()>,
    task: JoinHandle<Proof>,
}

/// Tells a task that the fault ends.
struct Over(oneshot::Receiver<()>);

impl Over {
    /// Waits until a time; true if the end came first, after which it must not be asked again.
    async fn comes_before(&mut self, time: Instant) -> bool {
        tokio::time::timeout_at(time, &mut self.0).await.is_ok()
    }
}

impl Background {
    fn begin<F: Future<Output = Proof> + Send + 'static>(work: impl FnOnce(Over) -> F) -> Self {
        let (over, receiver) = oneshot::channel();
        Self { over, task: tokio::spawn(work(Over(receiver))) }
    }

    /// Ends it, and says what it did.
    pub(super) async fn finish(self) -> Proof {
        drop(self.over);
        self.task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Lets nodes that stand still go on and stand still in turn.
    pub(super) fn slow(stage: &Arc<Stage>, nodes: &[String], claim: Claim, duty: Duty) -> Self {
        let (stage, nodes) = (Arc::clone(stage), nodes.to_vec());
        Self::begin(async move |mut over: Over| {
            let began = Instant::now();
            let (mut since, mut still, mut times) = (began, Duration::ZERO, 0_u64);
            loop {
                times += 1;
                let ends = over.comes_before(since + duty.still).await;
                // What cannot be stopped or let go on is seen when the fault ends.
                each(&nodes, |node| stage.testbed.resume(node, claim)).await;
                still += since.elapsed();
                if ends || over.comes_before(Instant::now() + duty.running).await {
                    break;
                }
                since = Instant::now();
                each(&nodes, |node| stage.testbed.pause(node, claim)).await;
            }
            let all = began.elapsed();
            let share = 100.0 * still.as_secs_f64() / all.as_secs_f64().max(f64::MIN_POSITIVE);
            let word = if times == 1 { "time" } else { "times" };
            let told = format!("stood still {times} {word}, {share:.0} % of {:.2} s", all.as_secs_f64());
            Proof { evidence: vec![told], complete: true, ..Proof::default() }
        })
    }

    /// Restarts the first node, which was stopped when it `began`, then stops and restarts each of the others in its share of the time.
    pub(super) fn roll(
        stage: &Arc<Stage>,
        nodes: &[String],
        claim: Claim,
        began: Instant,
        length: Duration,
    ) -> Self {
        let (stage, nodes) = (Arc::clone(stage), nodes.to_vec());
        Self::begin(async move |mut over: Over| {
            let turn = length / u32::try_from(nodes.len().max(1)).unwrap_or(u32::MAX);
            let mut next = began;
            let mut proof = Proof { complete: true, ..Proof::default() };
            for (place, node) in nodes.iter().enumerate() {
                let one = std::slice::from_ref(node);
                if place > 0 {
                    proof.add(node, each(one, |node| stage.testbed.stop_node(node, claim)).await);
                }
                let ends = over.comes_before(next + turn / 2).await;
                proof.add(node, each(one, |node| stage.testbed.restart(node, claim)).await);
                next += turn;
                let rest = nodes.len() - place - 1;
                let patience = next.saturating_duration_since(Instant::now());
                if !answers_within(&stage, node, patience).await {
                    proof.notes.push(format!("{node} did not answer before its turn was over"));
                }
                if rest > 0 && (ends || over.comes_before(next).await) {
                    proof.notes.push(format!("it ended before {rest} of the nodes had their turn"));
                    break;
                }
            }
            proof
        })
    }

    /// Cuts the links between pair after pair of nodes but the first, which were cut when it `began`, then heals them in
    /// another order.
    pub(super) fn swizzle(
        stage: &Arc<Stage>,
        pairs: Vec<[Link; 2]>,
        claim: Claim,
        began: Instant,
        length: Duration,
        chance: u64,
    ) -> Self {
        let stage = Arc::clone(stage);
        Self::begin(async move |mut over: Over| {
            let count = u32::try_from(pairs.len().max(1)).unwrap_or(u32::MAX);
            // Nine twentieths of the time to cut them all, and as much to heal them all.
            let gap = length * 9 / 20 / count;
            let mut healed = pairs.clone();
            healed.shuffle(&mut ChaCha8Rng::seed_from_u64(chance.wrapping_add(1)));
            let mut proof = Proof { complete: true, ..Proof::default() };
            for (place, pair) in (1..).zip(&pairs[1..]) {
                if over.comes_before(began + gap * place).await {
                    proof.notes.push(format!("it ended when {place} of {count} pairs of links were cut"));
                    return proof;
                }
                cut(&stage, pair, claim);
            }
            let order: Vec<String> =
                healed.iter().map(|pair| format!("{}–{}", pair[0].from, pair[0].to)).collect();
            for (place, pair) in (0..).zip(&healed) {
                if over.comes_before(began + length * 11 / 20 + gap * place).await {
                    proof.notes.push(format!("it ended when {place} of {count} pairs of links were healed"));
                    return proof;
                }
                for link in pair {
                    stage.testbed.release(link, claim);
                }
            }
            proof.evidence.push(format!("healed one by one: {}", order.join(", ")));
            proof
        })
    }
}

/// Whether a node answers at its own address within a time; nobody knows where the lab has no probe.
pub(super) async fn answers_within(stage: &Stage, node: &str, patience: Duration) -> bool {
    let until = Instant::now() + patience;
    loop {
        match stage.testbed.probe_node(node, patience).await {
            Some(probe) if !probe.answered() => {}
            Some(_) | None => return true,
        }
        if Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn cut(stage: &Stage, pair: &[Link; 2], claim: Claim) {
    for link in pair {
        stage.testbed.apply(link, claim, LinkFault::Stall);
    }
}

/// The links both ways between two nodes, in an order drawn from `chance`.
pub(super) fn pairs(links: &[Link], chance: u64) -> Vec<[Link; 2]> {
    let back = |link: &Link| Link::new(&*link.to, &*link.from);
    let first = links.iter().filter(|link| link.from < link.to || !links.contains(&back(link)));
    let mut pairs: Vec<[Link; 2]> = first.map(|link| [link.clone(), back(link)]).collect();
    pairs.shuffle(&mut ChaCha8Rng::seed_from_u64(chance));
    pairs
}

/// Cuts the first pair and proves that it is cut.
pub(super) async fn first_cut(
    stage: &Stage,
    pairs: &[[Link; 2]],
    claim: Claim,
    before: &OnLinks,
) -> (u64, Proof) {
    let Some(pair) = pairs.first() else { return (stage.recorder.now_ns(), Proof::default()) };
    cut(stage, pair, claim);
    let at = stage.recorder.now_ns();
    let first: OnLinks =
        before.iter().filter(|(link, _)| pair.contains(link)).map(|(l, c)| (l.clone(), *c)).collect();
    (at, evidence::of_links(&stage.testbed, LinkFault::Stall, &first).await)
}
