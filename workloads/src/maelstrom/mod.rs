//! Clients of programs that were written for Maelstrom: requests and replies are messages of JSON.
//!
//! The bench is the network of such programs; [`MessageNetwork`] is the way to it. A reply is believed only if it says all
//! that such a reply must. One that does not is a mistake of the program that its author should see: it is reported to the
//! network, which ends the run without a verdict.

mod kafka;
mod spec;
mod words;

use crate::adapter::{Adapter, CommandName, Performed, Speaker};
use crate::exchange::answer_in_words;
use crate::operation::{Function, Operation};
use crate::outcome::{Answer, Happened};
use crate::session::Target;
use crate::spec::{LoadSpec, Workload};
use hyper::header::HeaderValue;
use kafka::Positions;
use serde_json::{Map, Value};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
pub use words::{Dialect, ShapeOfNodes};
use words::{Wrong, answer, request};

/// The body of a message.
pub type Body = Map<String, Value>;

/// The body of a reply; none if the node has no process that could take the request.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Option<Body>> + Send + 'a>>;

/// The network, for clients.
pub trait MessageNetwork: fmt::Debug + Send + Sync {
    /// Sends a request from a client to a node, and waits for the reply for as long as the future lives.
    fn ask<'a>(&'a self, client: &'a str, node: &'a str, body: Body) -> Asked<'a>;

    /// Sends a request whose reply nobody waits for.
    fn tell(&self, client: &str, node: &str, body: Body);

    /// A node said something that no such program may say, in one sentence. The run cannot go on.
    fn complain(&self, node: &str, what: &str);
}

/// The clients of a load.
#[derive(Debug)]
pub(crate) struct MaelstromClients {
    network: Arc<dyn MessageNetwork>,
    workload: Workload,
    dialect: Dialect,
    keys: u32,
    numbers: Arc<AtomicU64>,
}

impl MaelstromClients {
    pub(crate) fn new(network: Arc<dyn MessageNetwork>, load: &LoadSpec, dialect: Dialect) -> Self {
        let numbers = Arc::new(AtomicU64::new(1));
        Self { network, workload: load.workload, dialect, keys: load.keys, numbers }
    }
}

impl Adapter for MaelstromClients {
    fn speaker(&self) -> Box<dyn Speaker> {
        let mut speaker = MaelstromSpeaker {
            network: Arc::clone(&self.network),
            workload: self.workload,
            dialect: self.dialect,
            numbers: Arc::clone(&self.numbers),
            client: String::new(),
            process: None,
            positions: Positions::new(self.keys),
            last: None,
        };
        speaker.become_another();
        Box::new(speaker)
    }

    fn can_expect_absence(&self) -> bool {
        false
    }

    fn is_described(&self) -> bool {
        false
    }
}

/// Speaks for one client.
#[derive(Debug)]
struct MaelstromSpeaker {
    network: Arc<dyn MessageNetwork>,
    workload: Workload,
    dialect: Dialect,
    /// The numbers of all clients.
    numbers: Arc<AtomicU64>,
    client: String,
    /// What the process of the last operation is called.
    process: Option<HeaderValue>,
    /// How far the client has read the logs.
    positions: Positions,
    last: Option<String>,
}

impl MaelstromSpeaker {
    /// A client of a name that none had before: replies to the last one are lost.
    fn become_another(&mut self) {
        self.client = format!("c{}", self.numbers.fetch_add(1, Relaxed));
    }

    async fn attempt(
        &mut self,
        target: &Target,
        operation: &Operation,
        name: Option<&CommandName>,
        sent: &mut bool,
    ) -> Happened {
        self.last = None;
        let process = name.map(|name| name.client.clone());
        let is_new = process != self.process;
        self.process = process;
        if operation.function == Function::Poll && is_new {
            self.positions = self.assigned(target).await;
        }
        let body = match operation.function {
            Function::Poll => self.positions.request(),
            _ => request(self.workload, self.dialect, operation),
        };
        let asked = format!("`{}`", body.get("type").and_then(Value::as_str).unwrap_or_default());
        *sent = true;
        let Some(reply) = self.network.ask(&self.client, &target.name, body).await else {
            return Happened::NotSent;
        };
        let text = Value::Object(reply.clone()).to_string();
        self.last = Some(answer_in_words(&asked, None, text.as_bytes()));
        let answered = match operation.function {
            Function::Poll if words::is_reply(&reply, "poll") => self.positions.answer(&reply),
            _ => answer(self.workload, self.dialect, operation, &reply),
        };
        match answered {
            Ok(answer) => {
                if operation.function == Function::Poll && matches!(answer, Answer::Value(_)) {
                    self.commit(target);
                }
                Happened::Answered(answer)
            }
            Err(Wrong(what)) => {
                self.network.complain(&target.name, &format!("it answered {asked} with {text}: {what}"));
                Happened::Garbled
            }
        }
    }

    /// Where a new process begins to read: behind what was committed.
    async fn assigned(&mut self, target: &Target) -> Positions {
        let mut positions = Positions::new(self.positions.keys());
        let asked = self.network.ask(&self.client, &target.name, positions.list_request());
        if let Some(reply) = asked.await {
            match positions.assign(&reply) {
                Ok(()) => {}
                Err(Wrong(what)) => {
                    let what = format!("it answered `list_committed_offsets` wrongly: {what}");
                    self.network.complain(&target.name, &what);
                }
            }
        }
        positions
    }

    fn commit(&self, target: &Target) {
        if let Some(body) = self.positions.commit_request() {
            self.network.tell(&self.client, &target.name, body);
        }
    }
}

impl Speaker for MaelstromSpeaker {
    fn perform<'a>(
        &'a mut self,
        target: &'a Target,
        operation: &'a Operation,
        name: Option<&'a CommandName>,
        sent: &'a mut bool,
    ) -> Performed<'a> {
        Box::pin(self.attempt(target, operation, name, sent))
    }

    fn disconnect(&mut self) {
        self.become_another();
    }

    fn last_answer(&self) -> Option<String> {
        self.last.clone()
    }
}
