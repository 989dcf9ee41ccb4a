//! Joining of a new node: it polls the configured members until one counts it as a member.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is an edge that owns a socket")]

use crate::config::NodeConfig;
use crate::core;
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

/// Pause between two requests to the same member.
const PAUSE: Duration = Duration::from_millis(100);

/// Time limit of a member's answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Largest answer, in bytes.
const ANSWER_MAX: usize = 1 << 20;

/// Waits until a member reports a configuration that contains this node.
pub(crate) async fn wait(config: &NodeConfig, key: &Key, has_secret: bool) -> Roster {
    println!("waiting to be added to the cluster (POST /config at one of its members)");
    loop {
        for member in &config.members {
            let membership = tokio::time::timeout(PATIENCE, ask(member.address, key)).await;
            if let Ok(Ok(membership)) = membership
                && (has_secret || is_at_home(config, &membership))
                && let Some(roster) = core::joined(config, membership)
            {
                println!("added to the cluster, according to {}", member.name);
                return roster;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the members know this node at its own address.
///
/// Without a secret, only the address distinguishes it from another cluster's node of this name.
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
        return Err(io::Error::other("the answer has no valid proof of membership"));
    }
    serde_json::from_slice(&body).map_err(io::Error::other)
}
