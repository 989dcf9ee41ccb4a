//! What a run did, summed up from outside: sequences of messages, syncs, process starts, leaders and faults as a set of features.
//!
//! *Problem*: a search must know whether a run did something that no run before it did, without instrumentation of the nodes.
//!
//! *Idea*: the switch sees kinds, directions and order of messages, the disks see syncs, the status tells who leads. A feature is
//! a short sequence of these at one node. Nodes are alike, so a sequence has no names: its peers are numbered in the order
//! in which they appear, as in `DistFuzz` (NDSS 2025). How often a feature occurred counts by powers of two, as in AFL.
//!
//! *Cost*: a few hashes for each message. Two features share a hash with a probability that does not matter here.

use history::FaultEvent;
use nemesis::{Moment, Schedule};
use node::sim::Seen;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Events of a node in one sequence.
const LENGTH: usize = 3;
/// Events of a node that count as what came after something.
const AFTER: u8 = 3;

/// The features of a run, and how often each event was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Behaviour {
    /// Hashes of the features, in order.
    pub features: Vec<u64>,
    /// The number of events of each kind at each node during the load: syncs, starts and messages by their kind.
    pub sights: BTreeMap<String, Vec<u64>>,
}

impl Behaviour {
    /// The sum of a run of real nodes by its recorded schedule: messages by size and direction, the points of faults, and the
    /// number of syncs.
    pub(crate) fn of_schedule(schedule: &Schedule) -> Self {
        let names = &schedule.header.nodes;
        let index = |name: &str| names.iter().position(|own| own == name);
        let mut watch = Watch::new(names.len());
        let mut points = schedule.points().peekable();
        for (at, from, to, bytes) in schedule.exchanges() {
            while let Some((_, moment, label)) = points.next_if(|(time, ..)| *time <= at) {
                let word = if moment == Moment::Start { 10 } else { 11 };
                let kind = label.split(' ').next().unwrap_or_default();
                let hit = |name: &String| label.split([' ', '(', ')']).any(|word| word == name);
                watch.struck(mix(word, hash_of(kind)), names.iter().map(hit));
            }
            if let Some((from, to)) = index(from).zip(index(to)) {
                watch.sent(from, to, mix(12, quarters(bytes)));
            }
        }
        let mut behaviour = watch.sum();
        let syncs: Vec<u64> =
            names.iter().map(|name| schedule.header.syncs.get(name).copied().unwrap_or_default()).collect();
        behaviour.sights.insert("syncs".to_owned(), syncs);
        behaviour
    }
}

/// Four times the binary logarithm of a size, whole: messages of one kind differ by the digits of their numbers.
fn quarters(bytes: u32) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a logarithm is small")]
    let quarters = (f64::from(bytes.max(1)).log2() * 4.0) as u64;
    quarters
}

/// One event at a node: what, and with whom.
type Step = (u64, Option<usize>);

/// What is known of a node.
#[derive(Debug, Clone, Default)]
struct Node {
    steps: [Step; LENGTH],
    /// Something that happened to it, and how many events since then still belong to it.
    after: (u64, u8),
    syncs_open: u64,
    /// Messages that it sent since its open sync began.
    since_sync: u64,
}

/// Sums up a run while it goes on.
#[derive(Debug)]
pub(crate) struct Watch {
    nodes: Vec<Node>,
    counts: HashMap<u64, u64>,
    sights: BTreeMap<&'static str, Vec<u64>>,
    leader: Option<usize>,
    led_since: Duration,
    changes: u64,
}

impl Watch {
    pub(super) fn new(size: usize) -> Self {
        Self {
            nodes: vec![Node::default(); size],
            counts: HashMap::new(),
            sights: BTreeMap::new(),
            leader: None,
            led_since: Duration::ZERO,
            changes: 0,
        }
    }

    /// The load begins: events count from here on.
    pub(super) fn begin(&mut self) {
        self.sights.clear();
    }

    /// Adds an event.
    pub(super) fn see(&mut self, event: Seen) {
        match event {
            Seen::Sent { from, to, kind } => {
                self.count(kind, from);
                self.sent(from, to, hash_of(kind));
            }
            Seen::SyncBegins(node) => {
                self.count("syncs", node);
                (self.nodes[node].syncs_open, self.nodes[node].since_sync) = (1, 0);
                self.step(node, (2, None));
            }
            Seen::SyncEnds(node) => {
                self.nodes[node].syncs_open = 0;
                self.step(node, (3, None));
            }
            Seen::Starts(node) => {
                self.count("starts", node);
                self.nodes[node] = Node { after: (4, AFTER), ..Node::default() };
                self.step(node, (4, None));
            }
            Seen::Ends(node) => {
                let Node { syncs_open, since_sync, .. } = self.nodes[node];
                let leads = u64::from(self.leader == Some(node));
                self.feature(&[5, syncs_open, power(since_sync), leads]);
                self.step(node, (5, None));
            }
        }
    }

    /// Adds a message of a kind.
    fn sent(&mut self, from: usize, to: usize, kind: u64) {
        self.nodes[from].since_sync += 1;
        self.step(from, (kind, Some(to)));
        self.step(to, (mix(kind, 1), Some(from)));
    }

    /// Notes who leads.
    pub(super) fn leads(&mut self, leader: Option<usize>, now: Duration) {
        if leader == self.leader {
            return;
        }
        self.changes += 1;
        let lasted = u64::try_from(now.saturating_sub(self.led_since).as_millis()).unwrap_or(u64::MAX);
        let (was, is) = (u64::from(self.leader.is_some()), u64::from(leader.is_some()));
        self.feature(&[6, was, is, power(lasted)]);
        self.feature(&[7, power(self.changes)]);
        for (node, what) in [(self.leader, 8), (leader, 9)] {
            if let Some(node) = node {
                self.nodes[node].after = (what, AFTER);
            }
        }
        (self.leader, self.led_since) = (leader, now);
    }

    /// Notes the start or the end of a fault.
    pub(super) fn fault(&mut self, event: &FaultEvent, names: &[&str]) {
        let (word, change) = match event {
            FaultEvent::Start(change) => (10, change),
            FaultEvent::End(change) => (11, change),
            _ => return,
        };
        let hit = |name: &str| change.targets.iter().any(|target| target == name);
        self.struck(mix(word, hash_of(&change.kind)), names.iter().map(|name| hit(name)));
    }

    /// Notes the start or the end of a fault, with the nodes that it hits.
    fn struck(&mut self, word: u64, hit: impl Iterator<Item = bool>) {
        for (node, _) in hit.enumerate().filter(|(_, hit)| *hit) {
            let leads = u64::from(self.leader == Some(node));
            let last = self.nodes[node].steps[LENGTH - 1].0;
            self.feature(&[word, leads, self.nodes[node].syncs_open, last]);
            self.nodes[node].after = (mix(word, leads), AFTER);
        }
    }

    /// The features with their frequencies.
    pub(super) fn sum(self) -> Behaviour {
        let mut features: Vec<u64> = self
            .counts
            .iter()
            .flat_map(|(feature, count)| (0..=power(*count)).map(|power| mix(*feature, power)))
            .collect();
        features.sort_unstable();
        let sights = self.sights.into_iter().map(|(name, counts)| (name.to_owned(), counts)).collect();
        Behaviour { features, sights }
    }

    fn count(&mut self, sight: &'static str, node: usize) {
        let size = self.nodes.len();
        self.sights.entry(sight).or_insert_with(|| vec![0; size])[node] += 1;
    }

    /// Adds an event to the sequence of a node.
    fn step(&mut self, node: usize, step: Step) {
        let own = &mut self.nodes[node];
        own.steps.rotate_left(1);
        own.steps[LENGTH - 1] = step;
        let (steps, (after, left)) = (own.steps, own.after);
        if left > 0 {
            own.after.1 -= 1;
            self.feature(&[after, u64::from(left), step.0]);
        }
        // The peers by their order in the sequence instead of their names.
        let mut peers: Vec<usize> = Vec::with_capacity(LENGTH);
        let mut sequence = [0; 2 * LENGTH];
        for (index, (word, peer)) in steps.into_iter().enumerate() {
            let number = peer.map_or(0, |peer| {
                let known = peers.iter().position(|other| *other == peer);
                known.unwrap_or_else(|| {
                    peers.push(peer);
                    peers.len() - 1
                }) + 1
            });
            (sequence[2 * index], sequence[2 * index + 1]) = (word, number as u64);
        }
        self.feature(&sequence);
    }

    fn feature(&mut self, parts: &[u64]) {
        let feature = parts.iter().fold(0, |hash, part| mix(hash, *part));
        *self.counts.entry(feature).or_default() += 1;
    }
}

/// The whole part of the binary logarithm of a number and one.
fn power(number: u64) -> u64 {
    u64::from(number.saturating_add(1).ilog2())
}

/// Adds a number to a hash, with the finalizer of `splitmix64`.
fn mix(hash: u64, part: u64) -> u64 {
    let mut word = hash.wrapping_mul(31).wrapping_add(part).wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn hash_of(text: &str) -> u64 {
    text.bytes().fold(17, |hash, byte| mix(hash, u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::Watch;
    use node::sim::Seen;

    fn sum(events: &[Seen]) -> Vec<u64> {
        let mut watch = Watch::new(3);
        for event in events {
            watch.see(*event);
        }
        watch.sum().features
    }

    fn sent(from: usize, to: usize, kind: &'static str) -> Seen {
        Seen::Sent { from, to, kind }
    }

    #[test]
    fn renamed_nodes_have_the_same_features() {
        let one = [sent(0, 1, "p1a"), sent(1, 0, "p1b"), Seen::SyncBegins(1), sent(0, 2, "p1a")];
        let other = [sent(2, 0, "p1a"), sent(0, 2, "p1b"), Seen::SyncBegins(0), sent(2, 1, "p1a")];
        assert_eq!(sum(&one), sum(&other));
        let swapped = [one[1], one[0], one[2], one[3]];
        assert_ne!(sum(&one), sum(&swapped));
    }

    #[test]
    fn twice_as_often_is_a_feature_more() {
        let one: Vec<_> = (0..8).map(|_| sent(0, 1, "ping")).collect();
        let more: Vec<_> = (0..32).map(|_| sent(0, 1, "ping")).collect();
        let (one, more) = (sum(&one), sum(&more));
        assert!(one.iter().all(|feature| more.contains(feature)) && more.len() > one.len());
    }
}
