//! How a new node finds its place: it asks the members it was told of until one of them counts it in.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is an edge that owns a socket")]

use crate::config::NodeConfig;
use crate::paxos::membership::{Membership, Roster};
use crate::transport::identity::{Key, MEMBERS, Nonce, hex, unhex};
use crate::transport::{NONCE, PROOF};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long to wait between two questions to the same member.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a member may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of an answer, at most.
const ANSWER_MAX: usize = 1 << 20;

/// Waits until one of the members knows of a configuration that this node is in.
pub(crate) async fn wait(config: &NodeConfig, key: &Key, has_secret: bool) -> Roster {
    println!("waiting to be added to the cluster (POST /config at one of its members)");
    loop {
        for member in &config.members {
            let membership = tokio::time::timeout(PATIENCE, ask(member.address, key)).await;
            if let Ok(Ok(membership)) = membership
                && (has_secret || is_at_home(config, &membership))
                && let Some(roster) = counted_in(config, membership)
            {
                println!("added to the cluster, as {} says", member.name);
                return roster;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// This node's place, if it is a member now and not in an earlier life only.
fn counted_in(config: &NodeConfig, membership: Membership) -> Option<Roster> {
    let earlier = config.join_after.is_some_and(|version| membership.version <= version);
    if earlier { None } else { Roster::of(membership, &config.name) }
}

/// Whether the members know this node where it listens. Without a secret, nothing else tells another cluster's node of this name.
fn is_at_home(config: &NodeConfig, membership: &Membership) -> bool {
    membership.named(&config.name).is_some_and(|node| node.address == config.listen)
}

async fn ask(address: SocketAddr, key: &Key) -> io::Result<Membership> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let nonce: Nonce = rand::random();
    let request = Request::get("/config")
        .header(NONCE, hex(&nonce))
        .header(hyper::header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let proof = response.headers().get(PROOF).and_then(|proof| unhex::<32>(proof.to_str().ok()?));
    let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await.map_err(io::Error::other)?;
    let body = body.to_bytes();
    if !proof.is_some_and(|proof| key.holds(&proof, MEMBERS, &[&nonce, &body])) {
        return Err(io::Error::other("the answer is not proved to be a member's"));
    }
    serde_json::from_slice(&body).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Member, Role};
    use crate::paxos::membership::Change;

    #[test]
    fn a_node_whose_folder_is_gone_is_not_taken_for_what_it_was_before() {
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
            let told = serde_json::json!({
                "name": "n2", "listen": "127.0.0.1:1", "data": "n2", "seed": 1, "join": true,
                "join-after": after, "members": [{"name": "n1", "address": "127.0.0.1:1", "roles": ["replica"]}],
            });
            serde_json::from_value(told).unwrap()
        };
        let number = |after, membership: &Membership| {
            counted_in(&config(after), membership.clone()).map(|roster| roster.me.0)
        };
        assert_eq!(number(None, &first), Some(1), "a member that is behind still knows its earlier life");
        assert_eq!(number(Some(without), &first), None);
        assert_eq!(number(Some(without), &newest), Some(2));
    }
}
