//! The node's HTTP interface: operations, status, decisions, metrics, and other nodes' connections.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the sockets"
)]

mod answers;
mod body;
mod budget;
mod config;
mod connections;
mod kv;
mod many;
mod metrics;
mod origin;
mod respond;
mod socket;

pub use connections::Limits;
pub use origin::Names;

use crate::clock::WallClock;
use crate::driver::{Decisions, Input};
use crate::paxos::message::Decided;
use crate::status::Status;
use crate::transport::identity::Identity;
use crate::transport::{Admission, PROTOCOL};
use budget::Budget;
use connections::{Connection, Connections, TURN};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, UPGRADE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use respond::{Failure, json};
use serde_json::json;
use socket::Socket;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

/// What every connection of the server shares.
pub struct Server {
    /// The channel to the driver.
    pub inbox: mpsc::UnboundedSender<Input>,
    /// This node's identity, for other nodes that connect.
    pub identity: Arc<Identity>,
    /// The node's wall clock.
    pub clock: WallClock,
    /// The names by which clients may call the node.
    pub names: Names,
    connections: Arc<Connections>,
    /// Budget for bodies that are read or whose commands are in progress.
    bodies: Budget,
    /// Budget for unsent answers.
    answers: Budget,
}

/// Size of each budget for large bodies and large answers, in bytes.
const UNDER_WAY: usize = 32 << 20;

/// Longest wait of a request for its body's or answer's memory.
const PATIENCE: Duration = Duration::from_secs(5);

/// Size of a connection's read buffer, and limit of a request's headers, in bytes.
const BUFFER: usize = 16 << 10;

/// The machine-readable description of this interface.
const DESCRIPTION: &str = include_str!("openapi.json");

/// Largest number of decisions in one response.
const DECISIONS_MAX: u64 = 10_000;

/// Time limit for a client's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

impl Server {
    /// A server for the node with this identity, which hands commands to the driver through `inbox`.
    pub fn new(
        inbox: mpsc::UnboundedSender<Input>,
        identity: Arc<Identity>,
        clock: WallClock,
        names: Names,
        limits: Limits,
    ) -> Self {
        let connections = Arc::new(Connections::new(limits));
        let [bodies, answers] = [(); 2].map(|()| Budget::new(UNDER_WAY, PATIENCE));
        Self { inbox, identity, clock, names, connections, bodies, answers }
    }

    /// Accepts connections until `stop` is true; then completes the requests in progress.
    ///
    /// Returns when the last connection is closed.
    pub async fn serve(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let server = Arc::new(self);
        let (open, mut closed) = mpsc::channel::<()>(1);
        let watch = tokio::spawn(Arc::clone(&server).watch());
        loop {
            let accepted = tokio::select! {
                accepted = server.accept(&listener) => accepted,
                () = stopped(&mut stop) => break,
            };
            match accepted {
                Ok(socket) => {
                    let (server, stop, open) = (Arc::clone(&server), stop.clone(), open.clone());
                    tokio::spawn(async move {
                        server.connection(socket, stop).await;
                        drop(open);
                    });
                }
                Err(error) => {
                    eprintln!("cannot accept a connection: {error}; trying again");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        watch.abort();
        drop((listener, open));
        // The channel carries no messages: it closes when all senders are dropped.
        let _ = closed.recv().await;
    }

    async fn accept(&self, listener: &TcpListener) -> std::io::Result<Socket> {
        self.connections.room().await;
        let (stream, _) = listener.accept().await?;
        // Without it the answer is only later, so errors are ignored.
        let _ = stream.set_nodelay(true);
        Ok(Socket::new(stream, self.connections.enter()))
    }

    /// Ends stalled connections, for ever.
    async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(TURN).await;
            self.connections.watch(self.answers.is_scarce());
        }
    }

    /// Serves one connection until it ends, or, once `stop` is true, until the current request is answered.
    async fn connection(self: Arc<Self>, socket: Socket, mut stop: watch::Receiver<bool>) {
        let own = socket.connection();
        let service = service_fn(|request| {
            let (server, own) = (Arc::clone(&self), Arc::clone(&own));
            async move { Ok::<_, std::convert::Infallible>(server.answer(request, &own).await) }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        builder.max_headers(64).max_buf_size(BUFFER);
        // The library cannot format a date before 1970, which a shifted wall clock may show.
        builder.auto_date_header(false);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service).with_upgrades());
        // A client's disconnect is no error.
        tokio::select! {
            _ = connection.as_mut() => {}
            () = own.closed() => {}
            () = stopped(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    _ = connection => {}
                    () = own.closed() => {}
                }
            }
        }
    }

    async fn answer(&self, mut request: Request<Incoming>, own: &Arc<Connection>) -> Response<Full<Bytes>> {
        let answer = self.admitted(&mut request, own).await;
        self.connections.end(own);
        answer.unwrap_or_else(|failure| {
            if !failure.closes() {
                body::throw_away(request);
            }
            failure.into_response()
        })
    }

    async fn admitted(
        &self,
        request: &mut Request<Incoming>,
        own: &Arc<Connection>,
    ) -> Result<Response<Full<Bytes>>, Failure> {
        self.names.check(request)?;
        if request.uri().path() == "/paxos" {
            return self.upgrade(request, own);
        }
        if !self.connections.begin(own) {
            return Err(Failure::crowded());
        }
        self.route(request).await
    }

    async fn route(&self, request: &mut Request<Incoming>) -> Result<Response<Full<Bytes>>, Failure> {
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/status" => {
                only(request, &Method::GET, "GET")?;
                Ok(json(StatusCode::OK, &self.status().await?))
            }
            "/metrics" => {
                only(request, &Method::GET, "GET")?;
                Ok(metrics::respond(&self.status().await?))
            }
            "/clock" => {
                only(request, &Method::GET, "GET")?;
                Ok(json(StatusCode::OK, &json!({ "clock": self.clock.now_ns() })))
            }
            "/decisions" => {
                only(request, &Method::GET, "GET")?;
                self.decisions(request.uri().query().unwrap_or_default()).await
            }
            "/txn" => many::transaction(self, request).await,
            "/commands" => many::commands(self, request).await,
            "/bank/transfer" => many::transfer(self, request).await,
            "/bank/total" => many::total(self, request).await,
            "/config" => config::answer(self, request).await,
            "/openapi.json" => {
                only(request, &Method::GET, "GET")?;
                Ok(respond::raw_json(DESCRIPTION))
            }
            _ => match path.strip_prefix("/kv/") {
                Some(rest) => kv::answer(self, rest, request).await,
                None => Err(Failure::not_found(&path)),
            },
        }
    }

    async fn status(&self) -> Result<Status, Failure> {
        let (reply, status) = oneshot::channel();
        self.inbox.send(Input::Status(reply)).map_err(|_| Failure::stopping())?;
        status.await.map_err(|_| Failure::stopping())
    }

    async fn decisions(&self, query: &str) -> Result<Response<Full<Bytes>>, Failure> {
        let slot = |name: &str, otherwise: u64| {
            let value = respond::query(query, name);
            value.map_or(Ok(otherwise), |value| {
                value
                    .parse()
                    .map_err(|_| Failure::bad(format!("{name}={value} is not a slot; slots are 1, 2, 3, …")))
            })
        };
        let from = slot("from", 1)?.max(1);
        let to = slot("to", u64::MAX)?.min(from.saturating_add(DECISIONS_MAX));
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Input::Decisions(from, to, reply)).map_err(|_| Failure::stopping())?;
        let Decisions { decisions, first, slot_out } = answer.await.map_err(|_| Failure::stopping())?;
        let weight = |decided: &Decided| respond::WORST * decided.command.size() + respond::DECISION;
        let held = self.answers.hold(decisions.iter().map(weight).sum(), 0).await;
        let held = held.ok_or_else(|| Failure::busy(answers::NO_ROOM))?;
        // Skips decisions that are no longer retained; `first` and `from` in the answer show it.
        let from = from.max(first);
        let next = from + decisions.len() as u64;
        let body = json!({ "first": first, "from": from, "next": next, "slot_out": slot_out, "decisions": decisions });
        Ok(respond::encoded(StatusCode::OK, held.around(body.to_string().into_bytes())))
    }

    /// Upgrades the connection of another node, which then carries frames.
    fn upgrade(
        &self,
        request: &mut Request<Incoming>,
        own: &Arc<Connection>,
    ) -> Result<Response<Full<Bytes>>, Failure> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        if header(UPGRADE.as_str()) != Some(PROTOCOL) {
            return Err(Failure::bad(format!("/paxos is for nodes, which ask for `Upgrade: {PROTOCOL}`")));
        }
        let admission = Admission::of(&self.identity, request.headers()).map_err(Failure::forbidden)?;
        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, PROTOCOL);
        for (name, value) in admission.headers() {
            response = response.header(name, value);
        }
        if !self.connections.is_of_node(own, admission.from()) {
            return Err(Failure::busy("too many other nodes are connected"));
        }
        let (inbox, own, upgrade) = (self.inbox.clone(), Arc::clone(own), hyper::upgrade::on(&mut *request));
        tokio::spawn(async move {
            let Ok(upgraded) = upgrade.await else { return };
            tokio::select! {
                // The other node reconnects when the connection breaks.
                () = admission.receive(upgraded, inbox) => {}
                // The other node has reconnected.
                () = own.closed() => {}
            }
        });
        response.body(Full::default()).map_err(|error| Failure::bad(error.to_string()))
    }
}

/// Returns when the value is true, or can never become true.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

fn only(request: &Request<Incoming>, method: &Method, allow: &'static str) -> Result<(), Failure> {
    if request.method() == method { Ok(()) } else { Err(Failure::method(allow)) }
}
