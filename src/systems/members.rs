//! The members of a cluster of the own store: reads them from its nodes, and changes them.

use super::http::HttpError;
use super::observe::Watched;
use hyper::StatusCode;
use nemesis::Members;
use node::paxos::membership::{Change, Membership};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Time limit of a node's answer about the members.
const ANSWER_WITHIN: Duration = Duration::from_millis(300);
/// Time limit of a change before another node is tried.
const DECIDED_WITHIN: Duration = Duration::from_secs(2);

/// The newest membership, and the nodes that answered, those with the newest first.
pub(super) async fn read(nodes: &[Arc<Mutex<Watched>>]) -> Option<(Members, Vec<usize>)> {
    let mut asking = JoinSet::new();
    for (index, node) in nodes.iter().enumerate() {
        let node = Arc::clone(node);
        asking.spawn(async move {
            let mut node = node.lock().await;
            let membership: Membership = node.client.get("/config", ANSWER_WITHIN).await.ok()?;
            Some((membership, node.name.clone(), index))
        });
    }
    let mut answers = Vec::new();
    while let Some(answer) = asking.join_next().await {
        answers.extend(answer.ok().flatten());
    }
    answers.sort_by(|(a, _, first), (b, _, second)| b.version.cmp(&a.version).then(first.cmp(second)));
    let (newest, node, _) = answers.first()?;
    let indices = answers.iter().map(|(_, _, index)| *index).collect();
    Some((in_words(newest, node), indices))
}

fn in_words(membership: &Membership, node: &str) -> Members {
    let version = membership.version;
    let source = match membership.coming() {
        Some(from) => format!("configuration {version}, from slot {from} on, as {node} says"),
        None => format!("configuration {version}, as {node} says"),
    };
    let members = membership.newest().map(|newest| &newest.members[..]).unwrap_or_default();
    let names = members.iter().map(|member| member.name.clone()).collect();
    Members { names, under_way: membership.coming().is_some(), version, source }
}

/// Sends a change to one node after another, until one reports the decision or a refusal.
pub(super) async fn change(nodes: &[Arc<Mutex<Watched>>], change: &Change) -> Result<(), String> {
    let body = serde_json::to_vec(change).expect("a change can be written as JSON");
    let (_, indices) = read(nodes).await.ok_or("no node answers")?;
    let mut failed = String::new();
    for index in indices {
        let mut node = nodes[index].lock().await;
        match node.client.post::<Value>("/config", body.clone(), DECIDED_WITHIN).await {
            Ok(_) => return Ok(()),
            Err(HttpError::Refused { status, body }) if status != StatusCode::SERVICE_UNAVAILABLE => {
                return Err(format!("{}: {body}", node.name));
            }
            Err(error) => failed = format!("{}: {error}", node.name),
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use node::config::{Member, Role};

    #[test]
    fn configuration_is_read_with_members_and_predecessor() {
        let member = |name: &str| Member {
            name: name.to_owned(),
            address: ([127, 0, 0, 1], 1).into(),
            roles: [Role::Replica, Role::Leader, Role::Acceptor].into(),
        };
        let mut membership = Membership::genesis(&["n1", "n2"].map(member), 100).unwrap();
        let change = Change { add: vec![member("n3")], remove: vec!["n1".to_owned()] };
        membership.change(9, &change).unwrap();
        let read = in_words(&membership, "n2");
        assert_eq!((read.names.join(" "), read.under_way), ("n2 n3".to_owned(), true));
        assert_eq!(read.source, "configuration 1, from slot 9 on, as n2 says");
        assert!(membership.retire(1));
        assert_eq!(in_words(&membership, "n3").source, "configuration 2, as n3 says");
    }
}
