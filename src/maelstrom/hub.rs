//! The hub: takes the messages of all nodes, and passes each on to a node, a client or a service.

use super::bridge::SERVE;
use super::message::{self, Message, is_client};
use super::services::Services;
use crate::failure::Failure;
use nemesis::Messages;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use workloads::{Asked, Body, MessageNetwork};

/// The client that initializes the nodes.
const FIRST_CLIENT: &str = "c0";

/// What a node said that no program for Maelstrom may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    node: String,
    what: String,
}

impl Complaint {
    /// The failure of a run: it says nothing about the promise of the system.
    pub(crate) fn failure(self) -> Failure {
        let help =
            "correct the program; what a node prints on standard error is in the folder nodes of the results";
        Failure::bench(format!("node {}", self.node), self.what).help(help)
    }
}

/// What the hub is told of the nodes.
#[derive(Debug)]
pub(crate) struct HubOptions {
    /// The ids of all nodes.
    pub(crate) nodes: Vec<String>,
    /// The body of a message that each node gets after `init`.
    pub(crate) topology: Option<Body>,
    /// How long a node may take to answer `init`.
    pub(crate) within: Duration,
    /// The seed of what the services leave to chance.
    pub(crate) seed: u64,
}

/// The network of the programs, without the links between them.
#[derive(Debug)]
pub(crate) struct Hub {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    options: HubOptions,
    messages: Messages,
    start: Instant,
    services: Mutex<Services>,
    /// Who waits for a reply, by client and number of the request.
    waiting: Mutex<HashMap<(String, u64), oneshot::Sender<Body>>>,
    numbers: AtomicU64,
    /// The nodes of which a process was initialized.
    initialized: Mutex<BTreeSet<String>>,
    complaint: watch::Sender<Option<Complaint>>,
}

impl Hub {
    /// Listens for the bridges of the nodes.
    ///
    /// # Errors
    /// When it cannot listen.
    pub(crate) async fn start(messages: Messages, options: HubOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let services = Mutex::new(Services::new(options.seed));
        let shared = Arc::new(Shared {
            options,
            messages,
            start: Instant::now(),
            services,
            waiting: Mutex::default(),
            numbers: AtomicU64::new(1),
            initialized: Mutex::default(),
            complaint: watch::Sender::default(),
        });
        let own = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            loop {
                // An error is that of one connection.
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(Arc::clone(&own).node(stream));
                }
            }
        });
        Ok(Self { address, shared, accepting })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first complaint about a node, once there is one.
    pub(crate) async fn complaint(&self) -> Complaint {
        let mut complaint = self.shared.complaint.subscribe();
        match complaint.wait_for(Option::is_some).await.map(|complaint| complaint.clone()) {
            Ok(Some(complaint)) => complaint,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    /// One process of a node, from its first line to its end.
    async fn node(self: Arc<Self>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let (from_node, to_node) = stream.into_split();
        let mut lines = BufReader::new(from_node);
        let mut name = String::new();
        let named = lines.read_line(&mut name).await;
        let name = name.trim_end().to_owned();
        if named.is_err() || !self.options.nodes.contains(&name) {
            return;
        }
        let (to_writer, written) = mpsc::unbounded_channel();
        tokio::spawn(write(to_node, written));
        let initializing = tokio::spawn(Arc::clone(&self).initialize(name.clone(), to_writer.clone()));
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
            if line.last() == Some(&b'\n') {
                line.pop();
                self.pass_on(&name, &line, &to_writer);
            }
            line.clear();
        }
        initializing.abort();
        if let Ok(Some(number)) = initializing.await {
            self.messages.leave(&name, number);
        }
    }

    /// Sends `init`, and lets others send messages to the node when it has answered. Returns the number of the process; it is
    /// none if the node was not initialized.
    async fn initialize(
        self: Arc<Self>,
        node: String,
        to_node: mpsc::UnboundedSender<Vec<u8>>,
    ) -> Option<u64> {
        let within = self.options.within;
        let init = json!({ "type": "init", "node_id": node, "node_ids": self.options.nodes });
        let mut bodies = vec![("init", init.as_object().cloned().unwrap_or_default())];
        bodies.extend(self.options.topology.clone().map(|body| ("topology", body)));
        for (kind, body) in bodies {
            let (_, line, reply) = self.request(FIRST_CLIENT, &node, body);
            to_node.send(line).ok()?;
            let expected = format!("{kind}_ok");
            match timeout(within, reply).await {
                Ok(Ok(body)) if body.get("type") == Some(&json!(expected)) => {}
                Ok(Ok(body)) => {
                    let said = Value::Object(body);
                    self.complain(
                        &node,
                        &format!("it answered `{kind}` with {said}, and not with `{expected}`"),
                    );
                    return None;
                }
                Ok(Err(_)) => return None,
                // Faults may keep a node from answering that has answered before.
                Err(_) if lock(&self.initialized).contains(&node) => return None,
                Err(_) => {
                    let what = format!("it did not answer `{kind}` with `{expected}` within {within:?}");
                    self.complain(&node, &what);
                    return None;
                }
            }
        }
        lock(&self.initialized).insert(node.clone());
        let mut joined = self.messages.join(&node);
        to_node.send(SERVE.to_vec()).ok()?;
        tokio::spawn(async move {
            while let Some(message) = joined.inbox.recv().await {
                if to_node.send(message).is_err() {
                    break;
                }
            }
        });
        Some(joined.number)
    }

    /// Passes on what a node has sent.
    fn pass_on(&self, node: &str, line: &[u8], to_node: &mpsc::UnboundedSender<Vec<u8>>) {
        let message = match Message::read(node, line) {
            Ok(message) => message,
            Err(what) => return self.complain(node, &what),
        };
        let Message { src, dest, body } = message;
        if self.options.nodes.contains(&dest) {
            self.messages.send(node, &dest, message::line(self.number(), &src, &dest, &body));
        } else if Services::has(&dest) {
            let mut reply = lock(&self.services).reply(&dest, &src, &body, self.start.elapsed());
            if let Some(number) = body.get("msg_id") {
                reply.insert("in_reply_to".to_owned(), number.clone());
            }
            if is_client(&src) {
                self.answer(src, reply);
            } else {
                // An error means that the node has ended.
                let _ = to_node.send(message::line(self.number(), &dest, &src, &reply));
            }
        } else if is_client(&dest) {
            self.answer(dest, body);
        } else {
            self.complain(
                node,
                &format!("it sent a message to \"{dest}\", and there is no such node or service"),
            );
        }
    }

    /// Gives a client the reply that it waits for. Who waits no longer has written the outcome down as unknown.
    fn answer(&self, client: String, body: Body) {
        let Some(number) = message::in_reply_to(&body) else { return };
        if let Some(waiting) = self.waiting().remove(&(client, number)) {
            let _ = waiting.send(body);
        }
    }

    /// A request with a number of its own: that, the line, and where the reply will be.
    fn request(&self, client: &str, node: &str, mut body: Body) -> (u64, Vec<u8>, oneshot::Receiver<Body>) {
        let number = self.number();
        let (sender, reply) = oneshot::channel();
        body.insert("msg_id".to_owned(), json!(number));
        self.waiting().insert((client.to_owned(), number), sender);
        (number, message::line(number, client, node, &body), reply)
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<(String, u64), oneshot::Sender<Body>>> {
        lock(&self.waiting)
    }

    /// Keeps the first complaint.
    fn complain(&self, node: &str, what: &str) {
        self.complaint.send_if_modified(|complaint| {
            let is_first = complaint.is_none();
            if is_first {
                *complaint = Some(Complaint { node: node.to_owned(), what: what.to_owned() });
            }
            is_first
        });
    }
}

/// A request that waits for its reply; once it does not, a reply is lost.
struct Waits<'a> {
    shared: &'a Shared,
    key: (String, u64),
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.shared.waiting().remove(&self.key);
    }
}

impl MessageNetwork for Hub {
    fn ask<'a>(&'a self, client: &'a str, node: &'a str, body: Body) -> Asked<'a> {
        Box::pin(async move {
            let shared = &self.shared;
            let (number, line, reply) = shared.request(client, node, body);
            let _waits = Waits { shared, key: (client.to_owned(), number) };
            if !shared.messages.hand_over(node, line) {
                return None;
            }
            reply.await.ok()
        })
    }

    fn tell(&self, client: &str, node: &str, mut body: Map<String, Value>) {
        let number = self.shared.number();
        body.insert("msg_id".to_owned(), json!(number));
        self.shared.messages.hand_over(node, message::line(number, client, node, &body));
    }

    fn complain(&self, node: &str, what: &str) {
        self.shared.complain(node, what);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes lines to a node until it is gone.
async fn write(mut to_node: OwnedWriteHalf, mut lines: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(mut line) = lines.recv().await {
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        if to_node.write_all(&line).await.is_err() {
            return;
        }
    }
}
