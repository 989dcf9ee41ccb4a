//! A recorder in memory, and servers whose every answer is scripted.

use bytes::Bytes;
use history::{Event, Kind, Process, Recorder};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use workloads::{CancellationToken, LoadSpec, Session, Target};

/// A recorder in memory.
pub(crate) struct Memory {
    start: Instant,
    events: Mutex<Vec<Event>>,
}

impl Memory {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), events: Mutex::default() })
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// Each completion with its invocation, in the order of completions.
    pub(crate) fn completed(&self) -> Vec<(Event, Event)> {
        let mut open = BTreeMap::new();
        let mut done = Vec::new();
        for event in self.events() {
            let Process::Client(process) = event.process else { panic!("no nemesis here") };
            match event.kind {
                Kind::Invoke => assert!(open.insert(process, event).is_none(), "two operations open"),
                Kind::Ok | Kind::Fail | Kind::Info => {
                    done.push((open.remove(&process).expect("completed what was invoked"), event));
                }
            }
        }
        assert!(open.is_empty(), "a finished phase leaves nothing open");
        done
    }
}

impl Recorder for Memory {
    fn record(&self, mut event: Event) -> u64 {
        let mut events = self.events.lock().unwrap();
        event.time = self.now_ns();
        let time = event.time;
        events.push(event);
        time
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap()
    }
}

/// What a server saw of a request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) client_id: String,
    pub(crate) sequence: u64,
    pub(crate) path: String,
    pub(crate) body: String,
}

/// What a server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Applies it to its store and answers as the interface says.
    Serve,
    /// The same, but the answer waits.
    ServeLate(Duration),
    /// The same, and the node closes the connection after the answer.
    ServeAndClose,
    /// Applies nothing and answers this.
    Reply(u16, &'static str),
    /// Never answers.
    Silence,
    /// Closes the connection without an answer.
    Close,
}

/// A register store on loopback; `script` says what to do with its request number 0, 1, ….
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

/// What the connections of a server share.
struct Shared {
    store: Store,
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Box<dyn Fn(usize) -> Act + Send + Sync>,
    /// Cancelled when this many requests were seen.
    enough: Option<(usize, CancellationToken)>,
}

/// Keys with texts; several servers may have the same one.
pub(crate) type Store = Arc<Mutex<BTreeMap<String, String>>>;

impl Server {
    pub(crate) async fn start(script: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        Self::with(Store::default(), None, script).await
    }

    /// Cancels the token as soon as it has seen this number of requests.
    pub(crate) async fn until(
        requests: usize,
        cancel: &CancellationToken,
        script: impl Fn(usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::with(Store::default(), Some((requests, cancel.clone())), script).await
    }

    pub(crate) async fn with(
        store: Store,
        enough: Option<(usize, CancellationToken)>,
        script: impl Fn(usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::default();
        let shared = Arc::new(Shared { store, seen: Arc::clone(&seen), script: Box::new(script), enough });
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| serve(Arc::clone(&shared), request));
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, seen, task }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let header = |name| head.headers.get(name).expect("the header is sent").to_str().unwrap();
    let path = head.uri.path().to_owned();
    let number = {
        let mut seen = shared.seen.lock().unwrap();
        seen.push(Seen {
            client_id: header("x-client-id").to_owned(),
            sequence: header("x-sequence").parse().unwrap(),
            path: path.clone(),
            body: body.clone(),
        });
        if let Some((enough, cancel)) = &shared.enough
            && seen.len() >= *enough
        {
            cancel.cancel();
        }
        seen.len() - 1
    };
    let reply = |(status, body): (u16, String)| {
        Ok(Response::builder().status(status).body(Full::new(Bytes::from(body))).unwrap())
    };
    let apply = || apply(&mut shared.store.lock().unwrap(), &head.method, &path, &body);
    match (shared.script)(number) {
        Act::Serve => reply(apply()),
        Act::ServeLate(delay) => {
            let answer = apply();
            tokio::time::sleep(delay).await;
            reply(answer)
        }
        Act::ServeAndClose => {
            let mut response = reply(apply())?;
            response.headers_mut().insert("connection", "close".parse().unwrap());
            Ok(response)
        }
        Act::Reply(status, body) => reply((status, body.to_owned())),
        Act::Silence => std::future::pending().await,
        Act::Close => Err(io::Error::other("closed on purpose")),
    }
}

/// The store's side of the interface.
fn apply(store: &mut BTreeMap<String, String>, method: &Method, path: &str, body: &str) -> (u16, String) {
    let applied = (200, json!({"applied": true, "slot": 1}).to_string());
    if !path.starts_with("/kv/") {
        return apply_many(store, path, &serde_json::from_str(body).unwrap());
    }
    let mut parts = path.strip_prefix("/kv/").expect("a path of ours").split('/');
    let key = parts.next().unwrap().to_owned();
    match (method.as_str(), parts.next()) {
        ("GET", None) => {
            let value = store.get(&key);
            (if value.is_some() { 200 } else { 404 }, json!({"value": value, "slot": 1}).to_string())
        }
        ("PUT", None) => {
            store.insert(key, body.to_owned());
            applied
        }
        ("DELETE", None) => {
            let status = if store.remove(&key).is_some() { 200 } else { 404 };
            (status, applied.1)
        }
        ("POST", Some("cas")) => {
            let body: Value = serde_json::from_str(body).unwrap();
            let actual = store.get(&key);
            if actual.map(String::as_str) != body["from"].as_str() {
                return (409, json!({"actual": actual, "slot": 1}).to_string());
            }
            store.insert(key, body["to"].as_str().expect("a text").to_owned());
            applied
        }
        ("POST", Some("append")) => {
            store.entry(key).or_default().push_str(body);
            applied
        }
        other => panic!("no such request: {other:?}"),
    }
}

/// Transactions and the bank; every account holds a hundred at first.
fn apply_many(store: &mut BTreeMap<String, String>, path: &str, body: &Value) -> (u16, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let has = |store: &BTreeMap<String, String>, key: &str| {
        store.get(key).map_or(100, |balance| balance.parse::<u64>().unwrap())
    };
    match path {
        "/txn" => {
            let mut step = |operation: &Value| {
                if let Some(get) = operation.get("get") {
                    return json!({ "value": store.get(&text(&get["key"])) });
                }
                if let Some(put) = operation.get("put") {
                    store.insert(text(&put["key"]), text(&put["value"]));
                } else {
                    let append = &operation["append"];
                    store.entry(text(&append["key"])).or_default().push_str(&text(&append["value"]));
                }
                json!({ "applied": true })
            };
            let results: Vec<_> = body["operations"].as_array().unwrap().iter().map(&mut step).collect();
            (200, json!({ "applied": true, "results": results }).to_string())
        }
        "/bank/total" => {
            let accounts = body["accounts"].as_array().unwrap().iter().map(text);
            let balances: BTreeMap<_, _> = accounts.map(|key| (key.clone(), has(store, &key))).collect();
            (200, json!({ "balances": balances }).to_string())
        }
        "/bank/transfer" => {
            let (from, to, amount) =
                (text(&body["from"]), text(&body["to"]), body["amount"].as_u64().unwrap());
            let Some(left) = has(store, &from).checked_sub(amount) else {
                return (409, json!({ "applied": false }).to_string());
            };
            store.insert(from, left.to_string());
            let more = has(store, &to) + amount;
            store.insert(to, more.to_string());
            (200, json!({ "applied": true }).to_string())
        }
        other => panic!("no such path: {other}"),
    }
}

/// A server that takes one request on each connection, writes these bytes and ends the connection: with a
/// reset, or in order.
pub(crate) async fn raw_server(bytes: &'static [u8], reset: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            if stream.write_all(bytes).await.is_ok() && reset {
                stream.set_zero_linger().unwrap();
            }
        }
    });
    address
}

/// Reads up to the end of a request's head.
async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
}

/// An address without a listener, which no other process gets while this lives.
pub(crate) struct Closed {
    pub(crate) address: SocketAddr,
    _socket: TcpSocket,
}

impl Closed {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { address: socket.local_addr().unwrap(), _socket: socket }
    }
}

/// Targets `n1`, `n2`, … at these addresses.
pub(crate) fn targets(addresses: &[SocketAddr]) -> Vec<Target> {
    let target = |(number, &address)| Target { name: format!("n{number}"), address, spare: false };
    (1..).zip(addresses).map(target).collect()
}

/// One client in a closed loop with one function.
pub(crate) fn only(function: &str) -> LoadSpec {
    LoadSpec {
        clients: 1,
        keys: 1,
        mix: Some(BTreeMap::from([(function.to_owned(), 1)])),
        timeout: Duration::from_secs(10),
        ..LoadSpec::default()
    }
}

/// A session with seed 7.
pub(crate) fn session(spec: LoadSpec, addresses: &[SocketAddr], memory: &Arc<Memory>) -> Session {
    let recorder: Arc<dyn Recorder> = Arc::<Memory>::clone(memory);
    Session::new(spec, 7, targets(addresses), recorder).unwrap()
}
