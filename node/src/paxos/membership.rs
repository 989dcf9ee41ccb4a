//! The membership: the configuration of each slot, and how one follows another (section 2.1).
//!
//! A change that is decided in a slot takes effect WINDOW slots later. A replica that proposes for a slot has
//! therefore applied every command that could change the acceptors of that slot. Both configurations exist
//! until all earlier slots are on the disks of enough new replicas. A second command, proposed by the replicas
//! themselves, then *retires* the old one.
//! configurations are kept; a second command, proposed by the replicas themselves, then *retires* the old one.

use super::message::{NodeId, NodeSet, Slot};
use crate::config::{Member, Role};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Longest name of a node, in characters.
pub const NAME_MAX: usize = 64;

/// A member of the cluster, with its unique number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its number. A node that is removed and added again gets a new number.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// The address at which the other members reach it.
    pub address: SocketAddr,
    /// The roles it hosts.
    pub roles: BTreeSet<Role>,
}

/// The members that decide the slots from one on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The first slot that they decide.
    pub from: Slot,
    /// The members, by rising number.
    pub members: Vec<Node>,
}

/// The current configurations. Equal versions have equal content on every node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Number of changes; 0 is the initial membership.
    pub version: u64,
    /// The cluster's unique name, which never changes.
    pub cluster: String,
    /// WINDOW of the paper: the number of slots after which a change takes effect. It never changes.
    pub window: u64,
    /// One configuration; two during a change, the old one first.
    pub configurations: Vec<Configuration>,
    /// Number of member numbers used so far.
    used_ids: u16,
}

/// A client's requested change: the body of `POST /config`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// Members to be added.
    pub add: Vec<Member>,
    /// Names of members to be removed.
    pub remove: Vec<String>,
}

/// Whether a node may have this name, which travels in the header of a request.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The name of a cluster without a secret, derived from its initial members.
fn name_of_cluster(members: &[Member]) -> String {
    let members = postcard::to_stdvec(members).expect("members are made of types that postcard can write");
    let hash = Sha256::digest(members);
    hash.iter().take(16).fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
}

impl Membership {
    /// The initial membership; none if there are more members than numbers.
    pub fn genesis(members: &[Member], window: u64) -> Option<Self> {
        let (cluster, configurations) = (name_of_cluster(members), vec![Configuration::default()]);
        let mut membership = Self { cluster, window, configurations, ..Self::default() };
        let members = members.iter().map(|member| membership.number(member)).collect::<Option<_>>()?;
        membership.configurations = vec![Configuration { from: 1, members }];
        Some(membership)
    }

    fn number(&mut self, Member { name, address, roles }: &Member) -> Option<Node> {
        let id = NodeId(u8::try_from(self.used_ids).ok().filter(|id| *id < u8::MAX)?);
        self.used_ids += 1;
        Some(Node { id, name: name.clone(), address: *address, roles: roles.clone() })
    }

    /// The configuration that was decided last.
    pub fn newest(&self) -> Option<&Configuration> {
        self.configurations.last()
    }

    /// The first slot of a configuration that has not entirely replaced the old one.
    pub fn coming(&self) -> Option<Slot> {
        let [_, coming] = self.configurations.as_slice() else { return None };
        Some(coming.from)
    }

    /// All current members, those of the newest configuration first, each number once.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        let mut seen = NodeSet::default();
        let all = self.configurations.iter().rev().flat_map(|configuration| &configuration.members);
        all.filter(move |node| seen.insert(node.id))
    }

    /// The member of this name.
    pub fn named(&self, name: &str) -> Option<&Node> {
        self.nodes().find(|node| node.name == name)
    }

    /// The name of a member.
    pub fn name_of(&self, id: NodeId) -> Option<&str> {
        self.nodes().find(|node| node.id == id).map(|node| node.name.as_str())
    }

    /// Applies a change that takes effect at slot `from`; the error is the reason of a refusal.
    pub fn change(&mut self, from: Slot, Change { add, remove }: &Change) -> Result<(), String> {
        if let Some(coming) = self.coming() {
            return Err(format!(
                "an earlier change, which takes effect with slot {coming}, is still under way"
            ));
        }
        let mut next = self.clone();
        let mut members = self.newest().map_or_else(Vec::new, |newest| newest.members.clone());
        for name in remove {
            let index = members.iter().position(|member| member.name == *name);
            members.remove(index.ok_or_else(|| format!("there is no member {name}"))?);
        }
        for member in add {
            if members.iter().any(|known| known.name == member.name) {
                return Err(format!("{} is a member already", member.name));
            }
            if !is_name(&member.name) || member.roles.is_empty() {
                return Err(format!(
                    "a member needs a name of 1 to {NAME_MAX} ASCII characters without spaces, and at least one role"
                ));
            }
            members.push(next.number(member).ok_or("255 members were added; there are no numbers left")?);
        }
        for role in [Role::Replica, Role::Leader, Role::Acceptor] {
            if !members.iter().any(|member| member.roles.contains(&role)) {
                return Err(format!("no {} would be left", role.name()));
            }
        }
        if add.is_empty() && remove.is_empty() {
            return Err("there is nothing to add and nothing to remove".to_owned());
        }
        next.version += 1;
        next.configurations.push(Configuration { from, members });
        *self = next;
        Ok(())
    }

    /// Approximate size in memory and on the wire, in bytes.
    pub fn size(&self) -> usize {
        let nodes = self.configurations.iter().flat_map(|configuration| &configuration.members);
        nodes.map(|node| node.name.len() + 40).sum::<usize>() + 100
    }

    /// Checks a membership that another node sent.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let sound = |configuration: &Configuration| {
            let members = &configuration.members;
            (1..=usize::from(u8::MAX)).contains(&members.len())
                && members.iter().all(|node| is_name(&node.name))
        };
        let counted = (1..=2).contains(&self.configurations.len());
        if counted && self.configurations.iter().all(sound) { Ok(()) } else { Err("a membership") }
    }

    /// Drops the old configuration, if `version` is the change that introduced the new one.
    pub fn retire(&mut self, version: u64) -> bool {
        let retires = self.version == version && self.coming().is_some();
        if retires {
            self.configurations.remove(0);
            self.version += 1;
        }
        retires
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self { from: 1, members: Vec::new() }
    }
}

/// The deciding acceptors and the learning replicas of the slots from one on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The first of these slots.
    pub from: Slot,
    /// The replicas whose progress counts.
    pub replicas: Vec<NodeId>,
    /// The acceptors, a majority of which decides.
    pub acceptors: Vec<NodeId>,
}

/// The members of the cluster by role, as one node knows them.
#[derive(Debug, Clone)]
pub struct Roster {
    /// This node.
    pub me: NodeId,
    /// The version of its membership.
    pub version: u64,
    /// The nodes with a replica in any current configuration.
    pub replicas: Vec<NodeId>,
    /// The nodes with a leader in the newest configuration.
    pub leaders: Vec<NodeId>,
    /// The nodes with an acceptor in any current configuration.
    pub acceptors: Vec<NodeId>,
    /// All nodes.
    pub all_nodes: Vec<NodeId>,
    /// One group; two during a change, that of the earlier slots first.
    pub groups: Vec<Group>,
    /// The membership from which all this derives.
    pub membership: Membership,
}

impl Roster {
    /// The roster of a new cluster with `members` and this WINDOW, from the view of the member `me`.
    ///
    /// None if there is no such member, or if there are more members than [`NodeId`]s.
    pub fn new(members: &[Member], me: &str, window: u64) -> Option<Self> {
        Self::of(Membership::genesis(members, window)?, me)
    }

    /// The roster of a membership from the view of the member `me`; none if there is no such member.
    pub fn of(membership: Membership, me: &str) -> Option<Self> {
        let me = membership.named(me)?.id;
        Some(Self::seen_by(me, membership))
    }

    /// The roster from the view of a node that is not a member.
    pub fn outside(membership: Membership) -> Self {
        Self::seen_by(NodeId(u8::MAX), membership)
    }

    /// The roster after a change; a removed node keeps its number.
    #[must_use]
    pub fn follow(&self, membership: Membership, me: &str) -> Self {
        let me = membership.named(me).map_or(self.me, |node| node.id);
        Self::seen_by(me, membership)
    }

    fn seen_by(me: NodeId, membership: Membership) -> Self {
        let with = |members: &mut dyn Iterator<Item = &Node>, role| -> Vec<NodeId> {
            let mut with: Vec<_> =
                members.filter(|node| node.roles.contains(&role)).map(|node| node.id).collect();
            with.sort_unstable();
            with
        };
        let newest = || membership.newest().into_iter().flat_map(|newest| &newest.members);
        let group = |configuration: &Configuration| Group {
            from: configuration.from,
            replicas: with(&mut configuration.members.iter(), Role::Replica),
            acceptors: with(&mut configuration.members.iter(), Role::Acceptor),
        };
        let mut all_nodes: Vec<_> = membership.nodes().map(|node| node.id).collect();
        all_nodes.sort_unstable();
        let replicas = with(&mut membership.nodes(), Role::Replica);
        let acceptors = with(&mut membership.nodes(), Role::Acceptor);
        Self {
            me,
            version: membership.version,
            replicas,
            leaders: with(&mut newest(), Role::Leader),
            acceptors,
            all_nodes,
            groups: membership.configurations.iter().map(group).collect(),
            membership,
        }
    }

    /// The group that decides this slot.
    ///
    /// # Panics
    /// If there is no configuration: a roster has at least one.
    pub fn group(&self, slot: Slot) -> &Group {
        let later = self.groups.iter().rev().find(|group| group.from <= slot);
        later.or(self.groups.first()).expect("a roster has a configuration")
    }

    /// The groups that decide slots from this one on.
    pub fn groups_from(&self, slot: Slot) -> impl Iterator<Item = &Group> {
        let ends = self.groups.iter().skip(1).map(|later| later.from).chain([Slot::MAX]);
        self.groups.iter().zip(ends).filter(move |(_, end)| *end > slot).map(|(group, _)| group)
    }

    /// Every slot below was decided by members that have been retired.
    pub fn retired(&self) -> Slot {
        self.groups.first().map_or(1, |group| group.from)
    }

    /// Whether this node's replica is in the newest configuration.
    pub fn is_replica(&self) -> bool {
        self.groups.last().is_some_and(|group| group.replicas.contains(&self.me))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str) -> Member {
        let roles = [Role::Replica, Role::Leader, Role::Acceptor].into();
        Member { name: name.to_owned(), address: ([127, 0, 0, 1], 1).into(), roles }
    }

    fn change(add: &[&str], remove: &[&str]) -> Change {
        Change {
            add: add.iter().map(|name| member(name)).collect(),
            remove: remove.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn ids(nodes: &[NodeId]) -> Vec<u8> {
        nodes.iter().map(|id| id.0).collect()
    }

    #[test]
    fn change_takes_effect_from_its_slot() {
        let mut membership = Membership::genesis(&["a", "b", "c"].map(member), 100).unwrap();
        membership.change(100, &change(&["d"], &["a"])).unwrap();
        let roster = Roster::of(membership.clone(), "b").unwrap();
        assert_eq!(ids(&roster.group(99).acceptors), [0, 1, 2]);
        assert_eq!(ids(&roster.group(100).acceptors), [1, 2, 3]);
        assert_eq!((ids(&roster.acceptors), ids(&roster.leaders)), (vec![0, 1, 2, 3], vec![1, 2, 3]));
        assert_eq!((roster.groups_from(99).count(), roster.groups_from(100).count()), (2, 1));
        assert!(membership.change(200, &change(&["e"], &[])).unwrap_err().contains("slot 100"));
        assert!(!membership.retire(0), "the version is that of another change");
        assert!(membership.retire(1));
        assert_eq!((membership.version, membership.named("a")), (2, None));
        assert_eq!(roster.follow(membership, "b").retired(), 100);
    }

    #[test]
    fn returning_member_gets_new_number() {
        let mut membership = Membership::genesis(&["a", "b"].map(member), 100).unwrap();
        membership.change(10, &change(&[], &["a"])).unwrap();
        membership.retire(1);
        membership.change(20, &change(&["a"], &[])).unwrap();
        assert_eq!(membership.named("a").unwrap().id, NodeId(2));
        let roster = Roster::new(&["a", "b"].map(member), "a", 100).unwrap();
        assert_eq!(roster.follow(membership, "a").me, NodeId(2));
    }

    #[test]
    fn invalid_changes_are_refused() {
        let membership = Membership::genesis(&["a", "b"].map(member), 100).unwrap();
        for (wanted, reason) in [
            (change(&[], &[]), "nothing"),
            (change(&["a"], &[]), "already"),
            (change(&[], &["z"]), "no member z"),
            (change(&[], &["a", "b"]), "no replica"),
            (change(&["c", "c"], &[]), "already"),
            (change(&[""], &[]), "name"),
        ] {
            let mut changed = membership.clone();
            let refused = changed.change(10, &wanted).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
            assert_eq!(changed, membership);
        }
    }
}
