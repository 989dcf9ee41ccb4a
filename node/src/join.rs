//! How a new node finds its place: it asks the members it was told of until one of them counts it in.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is an edge that owns a socket")]

use crate::config::NodeConfig;
use crate::paxos::membership::{Membership, Roster};
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
pub(crate) async fn wait(config: &NodeConfig) -> Roster {
    println!("waiting to be added to the cluster (POST /config at one of its members)");
    loop {
        for member in &config.members {
            let membership = tokio::time::timeout(PATIENCE, ask(member.address)).await;
            if let Ok(Ok(membership)) = membership
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

async fn ask(address: SocketAddr) -> io::Result<Membership> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let request = Request::get("/config")
        .header(hyper::header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await.map_err(io::Error::other)?;
    serde_json::from_slice(&body.to_bytes()).map_err(io::Error::other)
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
