//! A router of messages: nodes hand messages to the bench, which decides the fate of each.
//!
//! Each directed link is a [`Lane`], as in the lab, so the seed decides which messages are lost, delayed,
//! duplicated and reordered. One task holds the messages in flight. The router drops messages to a node
//! without a process, and undelivered messages to an earlier process of a node.

use super::LinkFault;
use super::counters::{LinkCounters, LinkSummary};
use super::lane::{Fate, Lane, Nanos};
use super::proxy::Probe;
use crate::claim::Claim;
use crate::delay::Delay;
use crate::partition::Link;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

/// The network between the nodes. Clones share one network.
#[derive(Debug, Clone)]
pub struct Messages(Arc<Router>);

#[derive(Debug)]
struct Router {
    start: Instant,
    lanes: BTreeMap<Link, Lane>,
    /// The receiving process of each node.
    joined: Mutex<BTreeMap<String, Process>>,
    processes: AtomicU64,
    orders: UnboundedSender<Order>,
}

#[derive(Debug)]
struct Process {
    number: u64,
    inbox: UnboundedSender<Vec<u8>>,
}

/// The router's record of a node's process. Its messages come out of `inbox`.
#[derive(Debug)]
pub struct Joined {
    /// The identity of the process.
    pub number: u64,
    /// The messages to it.
    pub inbox: UnboundedReceiver<Vec<u8>>,
}

/// An order to the task that holds the messages.
#[derive(Debug)]
enum Order {
    /// Hold an item until it is due.
    Keep(Nanos, Link, Parcel),
    /// Make the items on this link due at this time or earlier.
    Hurry(Link, Nanos),
}

/// The content that crosses a link.
#[derive(Debug)]
enum Parcel {
    Message(Vec<u8>),
    Probe(oneshot::Sender<()>),
}

/// An item that waits until it is due; items due at the same time leave in the order of arrival.
#[derive(Debug)]
struct Waiting {
    due: Nanos,
    number: u64,
    link: Link,
    parcel: Parcel,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.number) == (other.due, other.number)
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl Messages {
    /// A network of these nodes; each directed link has the delay `base`. Needs a runtime.
    pub(crate) fn start(nodes: &[&str], base: Delay, seed: u64) -> Self {
        let links = nodes
            .iter()
            .flat_map(|from| nodes.iter().filter(move |to| *to != from).map(move |to| Link::new(*from, *to)));
        let lanes = (0..).zip(links).map(|(number, link)| (link, Lane::new(base, seed, number))).collect();
        let (orders, inbox) = unbounded_channel();
        let router = Arc::new(Router {
            start: Instant::now(),
            lanes,
            joined: Mutex::default(),
            processes: AtomicU64::new(0),
            orders,
        });
        tokio::spawn(carry(Arc::downgrade(&router), router.start, inbox));
        Self(router)
    }

    /// Registers a new process of a node as the receiver; it replaces an earlier one.
    pub fn join(&self, node: &str) -> Joined {
        let (sender, inbox) = unbounded_channel();
        let number = self.0.processes.fetch_add(1, Relaxed);
        self.0.joined().insert(node.to_owned(), Process { number, inbox: sender });
        Joined { number, inbox }
    }

    /// Removes an ended process, unless a later one has replaced it.
    pub fn leave(&self, node: &str, number: u64) {
        let mut joined = self.0.joined();
        if joined.get(node).is_some_and(|process| process.number == number) {
            joined.remove(node);
        }
    }

    /// Sends a message over the link between two nodes. A node's message to itself crosses no link.
    pub fn send(&self, from: &str, to: &str, message: Vec<u8>) {
        if from == to {
            self.hand_over(to, message);
            return;
        }
        let link = Link::new(from, to);
        let Fate::Sent(sent) = self.0.lane(&link).judge(message.len(), self.0.now()) else { return };
        // The receiver drops a message whose checksum does not match.
        if sent.corrupt.is_some() {
            return;
        }
        let message = match sent.garble {
            Some(draw) => garbled(message, draw),
            None => message,
        };
        if sent.twice {
            self.0.keep(sent.due, link.clone(), Parcel::Message(message.clone()));
        }
        self.0.keep(sent.due, link, Parcel::Message(message));
    }

    /// Delivers a message past all links, as from a client; returns whether the node has a process.
    pub fn hand_over(&self, to: &str, message: Vec<u8>) -> bool {
        self.0.joined().get(to).is_some_and(|process| process.inbox.send(message).is_ok())
    }

    pub(crate) fn apply(&self, link: &Link, claim: Claim, fault: LinkFault) {
        self.0.change(link, |faults| faults.apply(claim, fault));
    }

    pub(crate) fn release(&self, link: &Link, claim: Claim) -> bool {
        self.0.change(link, |faults| faults.release(claim))
    }

    pub(crate) fn release_all(&self) -> Vec<Link> {
        let had = |link: &&Link| self.0.change(link, super::condition::Faults::release_all);
        self.0.lanes.keys().filter(had).cloned().collect()
    }

    /// Number of faults on a link and on the reverse link.
    pub(crate) fn faults_on(&self, link: &Link) -> usize {
        let claims =
            |link: &Link| self.0.lane(link).with_faults(|faults| faults.claims().collect::<Vec<_>>());
        let all: BTreeSet<Claim> = [link, &back(link)].into_iter().flat_map(claims).collect();
        all.len()
    }

    pub(crate) fn counters(&self, link: &Link) -> LinkCounters {
        self.0.lane(link).counters.read()
    }

    pub(crate) fn summary(&self) -> Vec<LinkSummary> {
        let summary =
            |(link, lane): (&Link, &Lane)| LinkSummary { link: link.clone(), counters: lane.counters.read() };
        self.0.lanes.iter().map(summary).collect()
    }

    /// Sends a probe over a link and back. A node without a process answers none.
    pub(crate) async fn probe(&self, link: &Link, bytes: usize, patience: Duration) -> Probe {
        let started = Instant::now();
        let there_and_back = async {
            for link in [link.clone(), back(link)] {
                match self.0.lane(&link).judge_own(bytes, self.0.now()) {
                    Fate::Refused => return Probe::Refused,
                    Fate::Gone => std::future::pending().await,
                    Fate::Sent(sent) => {
                        let (arrived, arrival) = oneshot::channel();
                        self.0.keep(sent.due, link, Parcel::Probe(arrived));
                        if arrival.await.is_err() {
                            return Probe::Refused;
                        }
                    }
                }
            }
            Probe::Answered { after: started.elapsed(), bytes }
        };
        timeout(patience, there_and_back).await.unwrap_or(Probe::Silent(patience))
    }
}

fn back(link: &Link) -> Link {
    Link::new(link.to.clone(), link.from.clone())
}

/// The message with one flipped bit; it is still a single line.
fn garbled(mut message: Vec<u8>, draw: u64) -> Vec<u8> {
    let bits = message.len() as u64 * 8;
    let Some(bit) = draw.checked_rem(bits).and_then(|bit| usize::try_from(bit).ok()) else { return message };
    let byte = &mut message[bit / 8];
    *byte ^= 1 << (bit % 8);
    if *byte == b'\n' {
        *byte ^= 0x20;
    }
    message
}

impl Router {
    fn now(&self) -> Nanos {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn lane(&self, link: &Link) -> &Lane {
        self.lanes.get(link).unwrap_or_else(|| panic!("there is no link {link}"))
    }

    fn joined(&self) -> MutexGuard<'_, BTreeMap<String, Process>> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, due: Nanos, link: Link, parcel: Parcel) {
        // An error means that the runtime ends, and with it all messages in flight.
        let _ = self.orders.send(Order::Keep(due, link, parcel));
    }

    fn change<T>(&self, link: &Link, change: impl FnOnce(&mut super::condition::Faults) -> T) -> T {
        let (result, latest) = self.lane(link).change(self.now(), change);
        let _ = self.orders.send(Order::Hurry(link.clone(), latest));
        result
    }

    /// Delivers an item that has crossed its link. A probe without a receiver ends without an answer.
    fn deliver(&self, link: &Link, parcel: Parcel) {
        let joined = self.joined();
        let Some(process) = joined.get(&link.to) else { return };
        // A receiver that has ended needs no message.
        match parcel {
            Parcel::Message(message) => drop(process.inbox.send(message)),
            Parcel::Probe(arrived) => drop(arrived.send(())),
        }
    }
}

/// Holds the messages in flight, until the network is dropped.
async fn carry(router: std::sync::Weak<Router>, start: Instant, mut orders: UnboundedReceiver<Order>) {
    let mut waiting: BinaryHeap<Reverse<Waiting>> = BinaryHeap::new();
    let mut number = 0;
    loop {
        let due = waiting.peek().map(|Reverse(first)| start + Duration::from_nanos(first.due));
        let order = tokio::select! {
            biased;
            order = orders.recv() => Some(order),
            () = sleep_until(due.unwrap_or(start)), if due.is_some() => None,
        };
        match order {
            Some(None) => return,
            Some(Some(Order::Keep(due, link, parcel))) => {
                number += 1;
                waiting.push(Reverse(Waiting { due, number, link, parcel }));
            }
            Some(Some(Order::Hurry(link, latest))) => {
                let all = std::mem::take(&mut waiting).into_iter().map(|Reverse(mut one)| {
                    if one.link == link {
                        one.due = one.due.min(latest);
                    }
                    Reverse(one)
                });
                waiting = all.collect();
            }
            None => {
                let (Some(router), Some(Reverse(first))) = (router.upgrade(), waiting.pop()) else { return };
                router.deliver(&first.link, first.parcel);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flaky::{Flaky, Share};

    const SEED: u64 = 7;

    fn pair() -> Messages {
        Messages::start(&["n1", "n2"], Delay::default(), SEED)
    }

    async fn next(joined: &mut Joined) -> Option<Vec<u8>> {
        timeout(Duration::from_millis(200), joined.inbox.recv()).await.ok().flatten()
    }

    #[tokio::test]
    async fn cut_link_drops_in_one_direction() {
        let network = pair();
        let (mut one, mut two) = (network.join("n1"), network.join("n2"));
        let link = Link::new("n1", "n2");
        network.apply(&link, 1, LinkFault::Stall);
        network.send("n1", "n2", b"lost".to_vec());
        network.send("n2", "n1", b"there".to_vec());
        assert_eq!(next(&mut one).await.as_deref(), Some(&b"there"[..]));
        assert_eq!(next(&mut two).await, None);
        assert_eq!(network.counters(&link).dropped, 1);
        assert!(matches!(network.probe(&link, 10, Duration::from_millis(50)).await, Probe::Silent(_)));
        assert!(network.release(&link, 1));
        assert!(network.probe(&link, 10, Duration::from_secs(1)).await.answered());
        network.send("n1", "n2", b"again".to_vec());
        assert_eq!(next(&mut two).await.as_deref(), Some(&b"again"[..]));
    }

    #[tokio::test]
    async fn delayed_messages_keep_their_order() {
        let network = pair();
        let mut two = network.join("n2");
        let delay =
            Delay { mean: Duration::from_millis(20), jitter: Duration::from_millis(15), ..Delay::default() };
        let link = Link::new("n1", "n2");
        network.apply(&link, 1, LinkFault::Delay(delay));
        for number in 0..50_u8 {
            network.send("n1", "n2", vec![number]);
        }
        for number in 0..50_u8 {
            assert_eq!(next(&mut two).await, Some(vec![number]));
        }
        assert_eq!(network.counters(&link).delayed_chunks, 50);
    }

    #[tokio::test]
    async fn seed_decides_what_is_lost() {
        async fn arrived(seed: u64) -> Vec<Vec<u8>> {
            let network = Messages::start(&["n1", "n2"], Delay::default(), seed);
            let mut two = network.join("n2");
            let loss = Share::of_millionths(500_000);
            let flaky = LinkFault::Flaky(Flaky { loss, ..Flaky::default() });
            network.apply(&Link::new("n1", "n2"), 1, flaky);
            for number in 0..100_u8 {
                network.send("n1", "n2", vec![number]);
            }
            let mut all = Vec::new();
            while let Some(message) = next(&mut two).await {
                all.push(message);
            }
            all
        }
        let first = arrived(SEED).await;
        assert!((20..80).contains(&first.len()), "{}", first.len());
        assert_eq!(first, arrived(SEED).await);
        assert_ne!(first, arrived(SEED + 1).await);
    }

    #[tokio::test]
    async fn messages_to_a_dead_process_are_gone() {
        let network = pair();
        let first = network.join("n2");
        network.leave("n2", first.number);
        network.send("n1", "n2", b"gone".to_vec());
        assert!(!network.hand_over("n2", b"gone".to_vec()));
        // Longer than the delay of the messages in flight.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut second = network.join("n2");
        network.leave("n2", first.number);
        network.send("n1", "n2", b"new".to_vec());
        assert_eq!(next(&mut second).await.as_deref(), Some(&b"new"[..]));
    }
}
