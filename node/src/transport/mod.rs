//! Connections between nodes: one-way streams of frames over upgraded HTTP requests.
//!
//! A node sends on the connections that it dials and receives on those that it accepts, so a link has a
//! direction. Both ends prove that they are members of one cluster ([`identity`]). Every frame proves that it
//! arrived unchanged; otherwise the connection is closed and dialled again. Messages that cannot be sent are
//! dropped, because the roles repeat them.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the sockets"
)]

mod frame;
pub mod identity;
mod queue;
mod receive;

use crate::core::Other;
use crate::paxos::message::{Message, NodeId};
use crate::paxos::packet::{Folder, encode};
use bytes::Bytes;
use frame::{Frames, HEAD};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{CONNECTION, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use identity::{Agreed, Hello, Identity, hex, unhex};
use queue::Queue;
pub use receive::{Admission, Room};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The protocol's name in the `Upgrade` header.
pub const PROTOCOL: &str = "bench-paxos";

/// The header with the name of the dialling node.
const FROM: &str = "x-node";

/// The header with the name of the intended receiver.
const TO: &str = "x-to";

/// The header with the dialling node's WINDOW.
const WINDOW: &str = "x-window";

/// The header with the name of the cluster.
const CLUSTER: &str = "x-cluster";

/// The header with a nonce, in both directions.
pub(crate) const NONCE: &str = "x-nonce";

/// The header with a proof, in both directions.
pub(crate) const PROOF: &str = "x-proof";

/// Largest part of a refusal that is read, in bytes.
const REFUSAL_MAX: usize = 4 << 10;

/// Size of messages at which a frame is full, in bytes; a single message may be larger.
const FRAME_FULL: usize = 1 << 20;

/// The wait before dialling again; it doubles from the first value to the second.
const REDIAL: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(160));

/// Time limit of a new connection, also over slow links.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// Messages to the other nodes, collected over a turn.
pub struct Peers {
    me: Arc<Identity>,
    others: BTreeMap<NodeId, Peer>,
    /// The first message of every frame.
    greeting: Option<Message>,
}

struct Peer {
    messages: Vec<Message>,
    queue: Arc<Queue>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Peers {
    /// The connections of this node, none yet.
    pub fn new(me: Arc<Identity>) -> Self {
        Self { me, others: BTreeMap::new(), greeting: None }
    }

    /// Keeps a connection to each of these nodes in a task of its own, and drops all others.
    ///
    /// Every frame begins with this `greeting`.
    pub fn dial(&mut self, greeting: Message, others: Vec<Other>) {
        for peer in self.others.values_mut().filter(|peer| !peer.messages.is_empty()) {
            peer.messages.push(greeting.clone());
        }
        self.greeting = Some(greeting);
        self.others.retain(|id, _| others.iter().any(|other| other.id == *id));
        for other in others {
            self.others.entry(other.id).or_insert_with(|| {
                let queue = Arc::new(Queue::default());
                tokio::spawn(keep_sending(Arc::clone(&self.me), other, Arc::clone(&queue)));
                Peer { messages: Vec::new(), queue }
            });
        }
    }

    /// Adds a message to the next frame for a node.
    pub fn push(&mut self, to: NodeId, message: Message) {
        if let Some(peer) = self.others.get_mut(&to) {
            if peer.messages.is_empty() {
                peer.messages.extend(self.greeting.clone());
            }
            peer.messages.push(message);
        }
    }

    /// Hands the collected messages to the connections.
    pub fn flush(&mut self) {
        for peer in self.others.values_mut().filter(|peer| !peer.messages.is_empty()) {
            peer.queue.push(peer.messages.drain(..));
        }
    }
}

/// Dials while the other node is a member; reports a refusal of this node once.
async fn keep_sending(me: Arc<Identity>, other: Other, queue: Arc<Queue>) {
    let mut pause = REDIAL.0;
    let mut reported = None;
    while !queue.is_closed() {
        match tokio::time::timeout(CONNECT_WITHIN, connect(&me, &other)).await {
            Ok(Ok(Ok((stream, agreed)))) => {
                pause = REDIAL.0;
                send_all(stream, &agreed, &queue, me.window).await;
            }
            Ok(Ok(Err(refusal))) => {
                queue.clear();
                if reported.as_ref() != Some(&refusal) {
                    eprintln!("error: {} ({}) refuses this node: {refusal}", other.name, other.address);
                    reported = Some(refusal);
                }
            }
            // While no process listens there, waiting messages become outdated.
            Ok(Err(_)) | Err(_) => queue.clear(),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(REDIAL.1);
    }
}

/// Opens a connection for frames; the inner error is a refusal of the other node.
async fn connect(me: &Identity, other: &Other) -> io::Result<Result<(TokioIo<Upgraded>, Agreed), String>> {
    let stream = TcpStream::connect(other.address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection.with_upgrades());
    let window = me.window.to_string();
    let nonce = rand::random();
    let hello = Hello { from: &me.name, to: &other.name, cluster: &me.cluster, window: &window, nonce };
    let request = Request::get("/paxos")
        .header(hyper::header::HOST, other.address.to_string())
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, PROTOCOL)
        .header(FROM, hello.from)
        .header(TO, hello.to)
        .header(WINDOW, hello.window)
        .header(CLUSTER, hello.cluster)
        .header(NONCE, hex(&hello.nonce))
        .header(PROOF, hex(&me.hello(&hello)))
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let body =
            Limited::new(response.into_body(), REFUSAL_MAX).collect().await.map_err(io::Error::other)?;
        return Ok(Err(reason(&body.to_bytes())));
    }
    let Some(agreed) = answered(me, &hello, &response) else {
        return Ok(Err("it has no valid proof that it is a member of this cluster".to_owned()));
    };
    let upgraded = hyper::upgrade::on(response).await.map_err(io::Error::other)?;
    Ok(Ok((TokioIo::new(upgraded), agreed)))
}

/// The shared values, if the other node has proved to be the intended one.
fn answered<B>(me: &Identity, hello: &Hello<'_>, response: &Response<B>) -> Option<Agreed> {
    let header = |name: &str| response.headers().get(name)?.to_str().ok();
    let nonce = unhex(header(NONCE)?)?;
    let proof: identity::Proof = unhex(header(PROOF)?)?;
    me.answers(&proof, hello, &nonce).then(|| me.agree(hello, &nonce))
}

/// The reason of a refusal: the sentence in its body, or the whole body if it is not ours.
fn reason(body: &[u8]) -> String {
    let parsed = serde_json::from_slice::<serde_json::Value>(body).ok();
    let sentence = parsed.as_ref().and_then(|body| body["error"].as_str());
    sentence.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

/// Sends frames until the connection ends, or the other node is no longer a member.
async fn send_all(stream: TokioIo<Upgraded>, agreed: &Agreed, queue: &Queue, window: u64) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut discarded = [0; 16];
    if writer.write_all(&agreed.begin).await.is_err() {
        return;
    }
    let mut sender = Sender::new(agreed, window);
    loop {
        let more = tokio::select! {
            more = queue.take(FRAME_FULL, &mut sender.messages) => more,
            _ = reader.read(&mut discarded) => return,
        };
        if !more {
            return;
        }
        let Some(frame) = sender.frame() else { continue };
        let sent = tokio::select! {
            sent = writer.write_all(frame) => sent.is_ok(),
            _ = reader.read(&mut discarded) => false,
        };
        if !sent || writer.flush().await.is_err() {
            return;
        }
    }
}

/// Encodes the frames of one connection.
struct Sender {
    messages: Vec<Message>,
    folder: Folder,
    frames: Frames,
    frame: Vec<u8>,
}

impl Sender {
    fn new(agreed: &Agreed, window: u64) -> Self {
        let (messages, frame) = (Vec::new(), Vec::new());
        Self { messages, folder: Folder::new(window), frames: Frames::new(&agreed.session), frame }
    }

    /// Encodes the messages into one frame; none if it would be too large.
    fn frame(&mut self) -> Option<&[u8]> {
        let packets = self.folder.fold(self.messages.drain(..));
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        frame.resize(HEAD, 0);
        self.frame = encode(&packets, frame);
        match self.frames.seal(&mut self.frame) {
            Ok(()) => Some(&self.frame),
            Err(error) => {
                eprintln!("error: {error}; it is not sent");
                None
            }
        }
    }
}
