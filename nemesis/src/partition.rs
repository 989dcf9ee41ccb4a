//! The directed links that a partition cuts. Pure; names and sizes are those of Jepsen's grudges.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The name of the clients as the end of a link.
pub const CLIENTS: &str = "clients";

/// A directed link: the connections that `from` dials to `to`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Link {
    /// The node that dials.
    pub from: String,
    /// The node that is dialled.
    pub to: String,
}

impl Link {
    /// The link over which `from` dials `to`.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self { from: from.into(), to: to.into() }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}→{}", self.from, self.to)
    }
}

/// The size of a smallest majority of `n`.
pub(crate) fn majority(n: usize) -> usize {
    n / 2 + 1
}

/// Two halves in the given order, the smaller one first.
pub(crate) fn halves<'a>(order: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>) {
    let (left, right) = order.split_at(order.len() / 2);
    (left.to_vec(), right.to_vec())
}

/// Cuts every link between different groups, both ways.
pub(crate) fn between_groups(groups: &[Vec<&str>]) -> BTreeSet<Link> {
    let mut cut = BTreeSet::new();
    for (index, group) in groups.iter().enumerate() {
        for other in &groups[index + 1..] {
            for a in group {
                for b in other {
                    both_ways(&mut cut, a, b);
                }
            }
        }
    }
    cut
}

/// Cuts the halves of `order` apart, except for the first node of the second half.
pub(crate) fn bridge(order: &[&str]) -> BTreeSet<Link> {
    let (left, mut right) = halves(order);
    right.drain(..1.min(right.len()));
    between_groups(&[left, right])
}

/// Leaves every node a majority that it can reach, itself included, and cuts the rest.
///
/// Symmetric for any `n >= 4`. Up to five nodes form a ring, in which each keeps its neighbours. With more
/// nodes, the nodes with the fewest links get further links until each has a majority. Two nodes may then share
/// their majority.
pub(crate) fn majority_ring(order: &[&str]) -> BTreeSet<Link> {
    if order.len() <= 5 { ring_of_windows(order) } else { least_linked(order) }
}

fn ring_of_windows(order: &[&str]) -> BTreeSet<Link> {
    let (n, window) = (order.len(), majority(order.len()));
    let mut cut = BTreeSet::new();
    for start in 0..n {
        let middle = order[(start + window / 2) % n];
        for outside in window..n {
            cut.insert(Link::new(order[(start + outside) % n], middle));
        }
    }
    cut
}

fn least_linked(order: &[&str]) -> BTreeSet<Link> {
    let n = order.len();
    let mut linked: Vec<BTreeSet<usize>> = (0..n).map(|node| BTreeSet::from([node])).collect();
    loop {
        let node = (0..n).min_by_key(|&node| linked[node].len()).expect("a ring has nodes");
        if linked[node].len() >= majority(n) {
            break;
        }
        let strangers = (0..n).filter(|other| !linked[node].contains(other));
        let other =
            strangers.min_by_key(|&other| linked[other].len()).expect("less than a majority is not all");
        linked[node].insert(other);
        linked[other].insert(node);
    }
    let mut cut = BTreeSet::new();
    for (node, friends) in linked.iter().enumerate() {
        for other in (0..n).filter(|other| !friends.contains(other)) {
            cut.insert(Link::new(order[other], order[node]));
        }
    }
    cut
}

fn both_ways(cut: &mut BTreeSet<Link>, a: &str, b: &str) {
    cut.insert(Link::new(a, b));
    cut.insert(Link::new(b, a));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const NODES: [&str; 7] = ["n1", "n2", "n3", "n4", "n5", "n6", "n7"];

    /// The nodes that each node no longer hears, as Jepsen prints a grudge.
    fn grudge(cut: &BTreeSet<Link>) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut grudge = BTreeMap::<_, BTreeSet<_>>::new();
        for link in cut {
            grudge.entry(link.to.as_str()).or_default().insert(link.from.as_str());
        }
        grudge
    }

    fn expect(entries: &[(&'static str, &[&'static str])]) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
        entries.iter().map(|(node, others)| (*node, others.iter().copied().collect())).collect()
    }

    #[test]
    fn halves_put_the_smaller_side_first() {
        let (left, right) = halves(&NODES[..5]);
        assert_eq!((left.as_slice(), right.as_slice()), (&NODES[..2], &NODES[2..5]));
        let three: &[_] = &["n3", "n4", "n5"];
        let two: &[_] = &["n1", "n2"];
        let expected = expect(&[("n1", three), ("n2", three), ("n3", two), ("n4", two), ("n5", two)]);
        assert_eq!(grudge(&between_groups(&[left, right])), expected);
    }

    #[test]
    fn bridge_keeps_links_of_middle_node() {
        assert_eq!(grudge(&bridge(&NODES[..3])), expect(&[("n1", &["n3"]), ("n3", &["n1"])]));
        let (left, right): (&[_], &[_]) = (&["n1", "n2"], &["n4", "n5"]);
        let expected = expect(&[("n1", right), ("n2", right), ("n4", left), ("n5", left)]);
        assert_eq!(grudge(&bridge(&NODES[..5])), expected);
    }

    #[test]
    fn bridge_of_two_cuts_no_link() {
        assert!(bridge(&NODES[..2]).is_empty());
    }

    #[test]
    fn rings_cut_opposite_nodes() {
        let expected = expect(&[("n1", &["n3"]), ("n2", &["n4"]), ("n3", &["n1"]), ("n4", &["n2"])]);
        assert_eq!(grudge(&majority_ring(&NODES[..4])), expected);
        let expected = expect(&[
            ("n1", &["n3", "n4"]),
            ("n2", &["n4", "n5"]),
            ("n3", &["n5", "n1"]),
            ("n4", &["n1", "n2"]),
            ("n5", &["n2", "n3"]),
        ]);
        assert_eq!(grudge(&majority_ring(&NODES[..5])), expected);
    }

    #[test]
    fn rings_of_two_or_three_are_degenerate() {
        assert_eq!(
            grudge(&majority_ring(&NODES[..3])),
            expect(&[("n1", &["n2"]), ("n2", &["n3"]), ("n3", &["n1"])])
        );
        assert!(majority_ring(&NODES[..2]).is_empty());
    }

    #[test]
    fn rings_are_symmetric_and_leave_majorities() {
        for n in 4..=7 {
            let cut = majority_ring(&NODES[..n]);
            for node in &NODES[..n] {
                let lost = cut.iter().filter(|link| link.to == *node).count();
                assert!(n - lost >= majority(n), "{node} of {n} reaches no majority");
                assert!(lost > 0 || n > 5, "{node} of {n} reaches all nodes");
            }
            assert!(!cut.is_empty());
            assert!(cut.iter().all(|link| cut.contains(&Link::new(&*link.to, &*link.from))), "n = {n}");
        }
    }
}
