//! Connections between nodes: an HTTP request upgraded to a stream of frames, one way, with many messages in each.
//!
//! A node sends on the connections it dials and receives on those it accepts, so a link has a direction. What
//! cannot be sent is dropped: the roles ask again.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the sockets"
)]

use crate::driver::Input;
use crate::paxos::message::{Message, NodeId};
use crate::paxos::packet::Folder;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{CONNECTION, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// The protocol's name in the `Upgrade` header.
pub const PROTOCOL: &str = "bench-paxos";

/// The header that says which node dials.
pub const FROM: &str = "x-node";

/// The header that says after how many slots the dialling node's changes of the members take effect.
pub const WINDOW: &str = "x-window";

/// Bytes of a refusal that are read.
const REFUSAL_MAX: usize = 4 << 10;

/// Frames that may wait for a slow or stalled connection before new ones are dropped.
const QUEUE: usize = 1024;

/// The largest frame that is read; a larger one means the stream is not ours.
const FRAME_MAX: usize = 256 << 20;

/// How long to wait before dialling again; it doubles from the first to the second.
const REDIAL: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(160));

/// Messages to the other nodes, collected over a turn.
pub struct Peers {
    window: u64,
    others: BTreeMap<NodeId, Peer>,
    /// What every frame begins with.
    greeting: Option<Message>,
}

struct Peer {
    messages: Vec<Message>,
    folder: Folder,
    frames: mpsc::Sender<Bytes>,
}

impl Peers {
    /// No connections yet, of a node with this WINDOW.
    pub fn new(window: u64) -> Self {
        Self { window, others: BTreeMap::new(), greeting: None }
    }

    /// Keeps a connection to each of these nodes, by a task of its own, and none to any other. The node is called
    /// `name`; every frame begins with its `greeting`.
    pub fn dial(&mut self, name: &str, greeting: Message, others: &[(NodeId, SocketAddr)]) {
        for peer in self.others.values_mut().filter(|peer| !peer.messages.is_empty()) {
            peer.messages.push(greeting.clone());
        }
        self.greeting = Some(greeting);
        self.others.retain(|id, _| others.iter().any(|(other, _)| other == id));
        for &(id, address) in others {
            self.others.entry(id).or_insert_with(|| {
                let (frames, queue) = mpsc::channel(QUEUE);
                tokio::spawn(keep_sending((name.to_owned(), self.window), address, queue));
                Peer { messages: Vec::new(), folder: Folder::default(), frames }
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

    /// Hands the collected messages to the connections, a frame for each node.
    pub fn flush(&mut self) {
        for peer in self.others.values_mut().filter(|peer| !peer.messages.is_empty()) {
            let packets = peer.folder.fold(peer.messages.drain(..));
            let payload = postcard::to_extend(&packets, vec![0; 4]);
            let mut frame = payload.expect("packets are made of types that postcard can write");
            let length = u32::try_from(frame.len() - 4).expect("a turn's messages are far below 4 GiB");
            frame[..4].copy_from_slice(&length.to_le_bytes());
            // A full queue means a stalled connection; the network loses messages too.
            let _ = peer.frames.try_send(frame.into());
        }
    }
}

/// Dials for ever, as this node (its name and its WINDOW), and says once why it is refused.
async fn keep_sending(me: (String, u64), address: SocketAddr, mut queue: mpsc::Receiver<Bytes>) {
    let mut pause = REDIAL.0;
    let mut said = None;
    loop {
        match connect(&me, address).await {
            Ok(Ok(stream)) => {
                pause = REDIAL.0;
                while queue.try_recv().is_ok() {}
                if send_all(stream, &mut queue).await {
                    return;
                }
            }
            Ok(Err(refusal)) if said.as_ref() != Some(&refusal) => {
                eprintln!("error: {address} refuses this node: {refusal}");
                said = Some(refusal);
            }
            Ok(Err(_)) | Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(REDIAL.1);
    }
}

/// A connection for frames, or what the other node has against it.
async fn connect(
    (name, window): &(String, u64),
    address: SocketAddr,
) -> io::Result<Result<TokioIo<Upgraded>, String>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection.with_upgrades());
    let request = Request::get("/paxos")
        .header(hyper::header::HOST, address.to_string())
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, PROTOCOL)
        .header(FROM, name)
        .header(WINDOW, *window)
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let body =
            Limited::new(response.into_body(), REFUSAL_MAX).collect().await.map_err(io::Error::other)?;
        return Ok(Err(reason(&body.to_bytes())));
    }
    hyper::upgrade::on(response).await.map(|upgraded| Ok(TokioIo::new(upgraded))).map_err(io::Error::other)
}

/// What a refusal says: the sentence in its body, or all of it if it is none of ours.
fn reason(body: &[u8]) -> String {
    let parsed = serde_json::from_slice::<serde_json::Value>(body).ok();
    let sentence = parsed.as_ref().and_then(|body| body["error"].as_str());
    sentence.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

/// Sends frames until the connection ends (false) or the node does (true).
async fn send_all(stream: TokioIo<Upgraded>, queue: &mut mpsc::Receiver<Bytes>) -> bool {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut nothing = [0; 16];
    loop {
        let frame = tokio::select! {
            frame = queue.recv() => frame,
            _ = reader.read(&mut nothing) => return false,
        };
        let Some(frame) = frame else { return true };
        let sent = tokio::select! {
            sent = writer.write_all(&frame) => sent.is_ok(),
            _ = reader.read(&mut nothing) => false,
        };
        if !sent || writer.flush().await.is_err() {
            return false;
        }
    }
}

/// Reads frames of one node until its connection ends, and hands them to the driver.
pub async fn receive(
    from: Arc<str>,
    upgraded: Upgraded,
    inbox: mpsc::UnboundedSender<Input>,
) -> io::Result<()> {
    let mut stream = tokio::io::BufReader::with_capacity(64 << 10, TokioIo::new(upgraded));
    let mut frame = Vec::new();
    loop {
        let length = stream.read_u32_le().await? as usize;
        if length > FRAME_MAX {
            return Err(io::Error::other("a frame of an impossible length"));
        }
        frame.resize(length, 0);
        stream.read_exact(&mut frame).await?;
        let packets = postcard::from_bytes(&frame).map_err(io::Error::other)?;
        if inbox.send(Input::Frame { from: Arc::clone(&from), packets }).is_err() {
            return Ok(());
        }
    }
}
