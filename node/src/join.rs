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
                && let Some(roster) = Roster::of(membership, &config.name)
            {
                println!("added to the cluster, as {} says", member.name);
                return roster;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
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
