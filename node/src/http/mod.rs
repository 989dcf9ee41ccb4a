//! The node's HTTP interface: clients' operations, status, decisions, metrics, and the way in for other nodes.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the sockets"
)]

mod config;
mod kv;
mod many;
mod metrics;
mod respond;

use crate::clock::WallClock;
use crate::driver::{Decisions, Input};
use crate::status::Status;
use crate::transport::identity::Identity;
use crate::transport::{Admission, PROTOCOL};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, UPGRADE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use respond::{Failure, json};
use serde_json::json;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};

/// What every connection of the server shares.
pub struct Server {
    /// The way to the driver.
    pub inbox: mpsc::UnboundedSender<Input>,
    /// This node, as other nodes that dial in must know it.
    pub identity: Arc<Identity>,
    /// The node's wall clock.
    pub clock: WallClock,
    /// Names for the commands of clients that give none: this node's name, and a count.
    pub anonymous: (String, AtomicU64),
}

/// What a machine should know of this interface.
const DESCRIPTION: &str = include_str!("openapi.json");

/// Decisions in one response, at most.
const DECISIONS_MAX: u64 = 10_000;

/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

impl Server {
    /// Accepts connections until `stop` is true; then answers the requests that are under way, and returns when the last
    /// connection is closed.
    pub async fn serve(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let server = Arc::new(self);
        let (open, mut closed) = mpsc::channel::<()>(1);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = told(&mut stop) => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    // Without it the answer is only later, so an error does not matter.
                    let _ = stream.set_nodelay(true);
                    let (server, stop, open) = (Arc::clone(&server), stop.clone(), open.clone());
                    tokio::spawn(async move {
                        server.connection(stream, stop).await;
                        drop(open);
                    });
                }
                Err(error) => {
                    eprintln!("cannot accept a connection: {error}; trying again");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop((listener, open));
        // Nothing is ever sent: it ends when all that could send have gone.
        let _ = closed.recv().await;
    }

    /// Answers the requests of one connection until it ends, or, once `stop` is true, until the present one is answered.
    async fn connection(self: Arc<Self>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
        let service = service_fn(|request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, std::convert::Infallible>(server.answer(request).await) }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_headers(64);
        // The library cannot write a date before 1970, which a wall clock may well say.
        builder.auto_date_header(false);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
        // A client that goes away in the middle is no news to anybody.
        tokio::select! {
            _ = connection.as_mut() => {}
            () = told(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.route(request).await.unwrap_or_else(Failure::into_response)
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Failure> {
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/status" => {
                only(&request, &Method::GET, "GET")?;
                Ok(json(StatusCode::OK, &self.status().await?))
            }
            "/metrics" => {
                only(&request, &Method::GET, "GET")?;
                Ok(metrics::respond(&self.status().await?))
            }
            "/clock" => {
                only(&request, &Method::GET, "GET")?;
                Ok(json(StatusCode::OK, &json!({ "clock": self.clock.now_ns() })))
            }
            "/decisions" => {
                only(&request, &Method::GET, "GET")?;
                self.decisions(request.uri().query().unwrap_or_default()).await
            }
            "/txn" => many::transaction(self, request).await,
            "/commands" => many::commands(self, request).await,
            "/bank/transfer" => many::transfer(self, request).await,
            "/bank/total" => many::total(self, request).await,
            "/config" => config::answer(self, request).await,
            "/openapi.json" => {
                only(&request, &Method::GET, "GET")?;
                Ok(respond::raw_json(DESCRIPTION))
            }
            "/paxos" => self.upgrade(request),
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
        // What is no longer kept is passed over, aloud: `first` and `from` say so.
        let from = from.max(first);
        let next = from + decisions.len() as u64;
        Ok(json(
            StatusCode::OK,
            &json!({ "first": first, "from": from, "next": next, "slot_out": slot_out, "decisions": decisions }),
        ))
    }

    /// Another node dials in: from here on the connection carries frames.
    fn upgrade(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Failure> {
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
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            if let Ok(upgraded) = hyper::upgrade::on(request).await {
                // The other node dials again when the connection breaks.
                admission.receive(upgraded, inbox).await;
            }
        });
        response.body(Full::default()).map_err(|error| Failure::bad(error.to_string()))
    }
}

/// Returns when it is true, or nobody can make it so any more.
async fn told(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

fn only(request: &Request<Incoming>, method: &Method, allow: &'static str) -> Result<(), Failure> {
    if request.method() == method { Ok(()) } else { Err(Failure::method(allow)) }
}
