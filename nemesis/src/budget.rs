//! A budget: the number of nodes that may be down or cut off at once, so that a majority stays. Pure.

use crate::partition::Link;
use crate::scope::Hit;
use crate::topology::Topology;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;

/// The values that `at-most` accepts, for messages and for the reference of keys.
pub(crate) const AT_MOST: &str = "\"minority\", or how many nodes, such as 1";

/// `at-most = "minority"`, or a number of nodes.
///
/// Where nodes have roles, the limit holds for the nodes of each role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtMost {
    /// Fewer than half.
    Minority,
    /// At most this number.
    Nodes(u32),
}

/// The nodes and links that some faults keep from serving.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hurt {
    /// Nodes whose processes are down, paused, or cannot write.
    down: BTreeSet<String>,
    /// Links that are cut.
    cut: BTreeSet<Link>,
    /// Number of further nodes that are still unknown, for example the leader at the start of the fault.
    unnamed: usize,
}

impl Hurt {
    /// The nodes of a hit are down; without a hit, one unknown node is down.
    pub(crate) fn down(hit: Option<&Hit>) -> Self {
        hit.map_or_else(Self::unknown, |hit| Self {
            down: hit.nodes.iter().cloned().collect(),
            ..Self::default()
        })
    }

    /// The links of a hit are cut; without a hit, one unknown node is cut off.
    pub(crate) fn cut(hit: Option<&Hit>) -> Self {
        hit.map_or_else(Self::unknown, |hit| Self {
            cut: hit.links.iter().cloned().collect(),
            ..Self::default()
        })
    }

    /// One unknown node is down.
    pub(crate) fn unknown() -> Self {
        Self { unnamed: 1, ..Self::default() }
    }

    /// Nodes that ended by themselves and stay down.
    pub(crate) fn gone(nodes: Vec<String>) -> Self {
        Self { down: nodes.into_iter().collect(), ..Self::default() }
    }

    /// Adds the harm of other faults.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.down.extend(other.down.iter().cloned());
        self.cut.extend(other.cut.iter().cloned());
        self.unnamed += other.unnamed;
        self
    }

    /// Whether every node can serve.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Number of nodes of this pool that `from` reaches in both directions, `from` included.
    fn reach(&self, from: &str, pool: &[&str]) -> usize {
        let cut =
            |a: &str, b: &str| self.cut.contains(&Link::new(a, b)) || self.cut.contains(&Link::new(b, a));
        let alive = pool.iter().filter(|node| !self.down.contains(**node));
        alive.filter(|node| **node == from || !cut(from, node)).count()
    }
}

impl AtMost {
    fn of(self, pool: usize) -> usize {
        match self {
            Self::Minority => pool.saturating_sub(1) / 2,
            Self::Nodes(count) => count as usize,
        }
    }

    /// Checks that some live node reaches enough nodes of every role.
    ///
    /// The error is the largest excess, for example `3 of 5 nodes, at most 2 allowed`.
    pub(crate) fn allows(self, topology: &Topology, hurt: &Hurt) -> Result<(), String> {
        if hurt.is_empty() {
            return Ok(());
        }
        let roles = topology.roles();
        let pools: Vec<(String, Vec<&str>)> = if has_uniform_roles(topology) {
            vec![("node".to_owned(), topology.members().collect())]
        } else {
            roles.into_iter().map(|role| (role.to_owned(), topology.with_role(role))).collect()
        };
        let excess = |from: &str| {
            let lost = |(name, pool): &(String, Vec<&str>)| {
                let gone = (pool.len() - hurt.reach(from, pool) + hurt.unnamed).min(pool.len());
                let may = self.of(pool.len());
                (gone > may)
                    .then(|| (gone - may, format!("{gone} of {} {name}s, at most {may} allowed", pool.len())))
            };
            pools.iter().filter_map(lost).max()
        };
        let alive = topology.members().filter(|name| !hurt.down.contains(*name));
        match alive.map(excess).min() {
            None => Err(format!("all of {} nodes", topology.members().count())),
            Some(None) => Ok(()),
            Some(Some((_, words))) => Err(words),
        }
    }
}

/// Whether every node has the same roles, so that counting by role makes no difference.
fn has_uniform_roles(topology: &Topology) -> bool {
    topology.nodes.windows(2).all(|pair| pair[0].roles == pair[1].roles)
}

impl fmt::Display for AtMost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minority => f.write_str("\"minority\""),
            Self::Nodes(count) => write!(f, "{count}"),
        }
    }
}

impl Serialize for AtMost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Minority => serializer.serialize_str("minority"),
            Self::Nodes(count) => serializer.serialize_u32(*count),
        }
    }
}

impl<'de> Deserialize<'de> for AtMost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrNumber;
        impl Visitor<'_> for WordOrNumber {
            type Value = AtMost;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(AT_MOST)
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<AtMost, E> {
                match word {
                    "minority" => Ok(AtMost::Minority),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<AtMost, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Signed(count), &self);
                u32::try_from(count).map(AtMost::Nodes).map_err(wrong)
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<AtMost, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Unsigned(count), &self);
                u32::try_from(count).map(AtMost::Nodes).map_err(wrong)
            }
        }
        deserializer.deserialize_any(WordOrNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::{between_groups, bridge, majority_ring};

    fn cluster(nodes: usize) -> Topology {
        Topology::new((1..=nodes).map(|i| (format!("n{i}"), ["replica", "leader", "acceptor"])))
    }

    fn down(names: &[&str]) -> Hurt {
        Hurt { down: names.iter().map(|name| (*name).to_owned()).collect(), ..Hurt::default() }
    }

    fn cut(links: BTreeSet<Link>) -> Hurt {
        Hurt { cut: links, ..Hurt::default() }
    }

    const FIVE: [&str; 5] = ["n1", "n2", "n3", "n4", "n5"];

    #[test]
    fn down_and_cut_off_nodes_count_together() {
        let allows = |hurt: &Hurt| AtMost::Minority.allows(&cluster(5), hurt);
        assert_eq!(allows(&down(&["n1", "n2"])), Ok(()));
        assert_eq!(allows(&down(&["n1", "n2", "n3"])), Err("3 of 5 nodes, at most 2 allowed".to_owned()));
        assert_eq!(allows(&down(&FIVE)), Err("all of 5 nodes".to_owned()));
        let alone = cut(between_groups(&[vec!["n1"], vec!["n2", "n3", "n4", "n5"]]));
        assert_eq!(allows(&alone.clone().and(&down(&["n2"]))), Ok(()));
        assert_eq!(allows(&alone.clone().and(&down(&["n1", "n2"]))), Ok(()), "n1 counts once");
        assert!(allows(&alone.clone().and(&down(&["n2", "n3"]))).is_err());
        let leader = Hurt { unnamed: 1, ..Hurt::default() };
        assert_eq!(allows(&leader.clone().and(&alone)), Ok(()));
        assert!(allows(&leader.clone().and(&leader).and(&alone)).is_err());
    }

    #[test]
    fn bridge_and_ring_leave_a_majority() {
        let one = |hurt: &Hurt| AtMost::Nodes(0).allows(&cluster(5), hurt);
        let bridge = cut(bridge(&FIVE));
        assert_eq!(one(&bridge), Ok(()), "one node reaches all");
        assert!(AtMost::Minority.allows(&cluster(5), &bridge.and(&down(&["n3"]))).is_err(), "and it is down");
        let ring = cut(majority_ring(&FIVE));
        assert!(one(&ring).is_err());
        assert_eq!(AtMost::Minority.allows(&cluster(5), &ring), Ok(()));
        assert!(
            AtMost::Minority.allows(&cluster(5), &ring.and(&down(&["n1"]))).is_ok(),
            "n3 and n4 still reach a majority"
        );
    }

    #[test]
    fn nodes_of_different_roles_are_counted_by_role() {
        let roles = [
            ("r1", "replica"),
            ("r2", "replica"),
            ("a1", "acceptor"),
            ("a2", "acceptor"),
            ("a3", "acceptor"),
        ];
        let topology = Topology::new(roles.map(|(name, role)| (name, [role])));
        let allows = |names: &[&str]| AtMost::Minority.allows(&topology, &down(names));
        assert_eq!(allows(&["a2"]), Ok(()));
        assert_eq!(allows(&["a1", "a2"]), Err("2 of 3 acceptors, at most 1 allowed".to_owned()));
        assert!(allows(&["r1"]).is_err(), "one of two is no minority");
    }

    #[test]
    fn budgets_are_a_word_or_a_number() {
        for (text, budget) in [("\"minority\"", AtMost::Minority), ("1", AtMost::Nodes(1))] {
            assert_eq!(serde_json::from_str::<AtMost>(text).unwrap(), budget);
            assert_eq!(serde_json::to_string(&budget).unwrap(), text);
        }
        let error = serde_json::from_str::<AtMost>("\"half\"").unwrap_err().to_string();
        assert!(error.contains("\"minority\", or how many"), "{error}");
    }
}
