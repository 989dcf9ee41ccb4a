//! The membership before a node runs: from its configuration, its log, or another member.

use crate::config::NodeConfig;
use crate::log::Recovered;
use crate::paxos::membership::{Membership, Roster};

/// The roster before the first record of the log; none if the node must wait to be added.
///
/// The name of the cluster derives from its first members, or from its secret (`cluster`); the name in the log
/// takes precedence. The error names the wrong option.
pub fn known_roster(
    config: &NodeConfig,
    recovered: &Recovered,
    cluster: Option<String>,
) -> Result<Option<Roster>, String> {
    if !config.join {
        let mut membership = Membership::genesis(&config.members, config.paxos.window);
        if let Some(membership) = &mut membership
            && let Some(cluster) = recovered.members().map(|known| known.cluster.clone()).or(cluster)
        {
            membership.cluster = cluster;
        }
        let roster = membership.and_then(|membership| Roster::of(membership, &config.name));
        return roster.ok_or_else(|| format!("{} is not one of at most 255 members", config.name)).map(Some);
    }
    if config.members.is_empty() || config.members.iter().any(|member| member.name == config.name) {
        return Err("a node that joins needs other members and must not be one of them".to_owned());
    }
    let known = recovered.members().cloned();
    Ok(known.map(|known| Roster::of(known.clone(), &config.name).unwrap_or_else(|| Roster::outside(known))))
}

/// The roster of a joining node, according to another node's membership.
///
/// None unless it is a current member there, and not only in an earlier life.
pub fn joined(config: &NodeConfig, membership: Membership) -> Option<Roster> {
    let earlier = config.join_after.is_some_and(|version| membership.version <= version);
    if earlier { None } else { Roster::of(membership, &config.name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Member, Role};
    use crate::paxos::membership::Change;

    #[test]
    fn emptied_node_does_not_resume_earlier_life() {
        let member = |name: &str| Member {
            name: name.to_owned(),
            address: ([127, 0, 0, 1], 1).into(),
            roles: [Role::Replica, Role::Leader, Role::Acceptor].into(),
        };
        let first = Membership::genesis(&["n1", "n2"].map(member), 100).unwrap();
        let mut newest = first.clone();
        newest.change(9, &Change { add: Vec::new(), remove: vec!["n2".to_owned()] }).unwrap();
        assert!(newest.retire(1));
        let without = newest.version;
        newest.change(200, &Change { add: vec![member("n2")], remove: Vec::new() }).unwrap();
        let config = |after: Option<u64>| -> NodeConfig {
            let text = serde_json::json!({
                "name": "n2", "listen": "127.0.0.1:1", "data": "n2", "seed": 1, "join": true,
                "join-after": after, "members": [{"name": "n1", "address": "127.0.0.1:1", "roles": ["replica"]}],
            });
            serde_json::from_value(text).unwrap()
        };
        let number = |after, membership: &Membership| {
            joined(&config(after), membership.clone()).map(|roster| roster.me.0)
        };
        assert_eq!(number(None, &first), Some(1), "a member that is behind still knows its earlier life");
        assert_eq!(number(Some(without), &first), None);
        assert_eq!(number(Some(without), &newest), Some(2));
    }
}
