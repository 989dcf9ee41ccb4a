//! The interface to a system under test: carries operations out, and makes outcomes from answers.

use crate::operation::Operation;
use crate::outcome::{Answer, Happened};
use crate::session::Target;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::{Request, Response};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// The name of a command: a system that knows such names applies the same name once.
#[derive(Debug, Clone)]
pub struct CommandName {
    /// The client id: unique to one process number of one run.
    pub client: HeaderValue,
    /// Grows with each operation of the client.
    pub sequence: u64,
}

/// How clients reach one system; all clients of a session share it.
pub trait Adapter: Send + Sync {
    /// What speaks for one client.
    fn speaker(&self) -> Box<dyn Speaker>;

    /// Whether a compare-and-set can expect that the key is absent. If not, a client that knows of no value writes instead.
    fn can_expect_absence(&self) -> bool {
        true
    }

    /// Whether somebody describes what answers mean, in a spec or a helper, so that a mistake in that may look like one of
    /// the system.
    fn is_described(&self) -> bool {
        true
    }

    /// What became of the helpers so far, where clients are helpers.
    fn helpers(&self) -> Option<HelperCounts> {
        None
    }
}

/// How many processes of helpers there were, and how many were given up, by the reason. Each that was given up was started again
/// for the next operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HelperCounts {
    /// Processes that were started.
    pub started: u64,
    /// Those that ended.
    pub exited: u64,
    /// Those that wrote a line that is no answer.
    pub nonsense: u64,
    /// Those that owed an answer for too long.
    pub silent: u64,
}

/// What came of an operation, when its speaker is done with it.
pub type Performed<'a> = Pin<Box<dyn Future<Output = Happened> + Send + 'a>>;

/// Speaks to the nodes of a system for one client, one operation at a time.
///
/// It decides nothing about outcomes: it says what happened, and [`ending`](crate::outcome::ending) says what follows.
pub trait Speaker: Send {
    /// Carries an operation out at a node. `sent` becomes true before anything may leave that could make it take effect. The
    /// future may be dropped; then [`disconnect`](Self::disconnect) comes before the next operation, unless nothing was sent.
    fn perform<'a>(
        &'a mut self,
        target: &'a Target,
        operation: &'a Operation,
        name: Option<&'a CommandName>,
        sent: &'a mut bool,
    ) -> Performed<'a>;

    /// Gives up the connection, on which an old answer could still arrive.
    fn disconnect(&mut self);

    /// What happened to an operation whose time ran out before anything was sent.
    fn unsent(&self) -> Happened {
        Happened::ConnectTimeout
    }

    /// The last answer for people, if there was one: `answered PUT /kv/k1 with 404 "no such path"`.
    fn last_answer(&self) -> Option<String>;
}

/// How far an operation of several requests has come.
#[derive(Debug, Default)]
pub struct Dialogue {
    /// How many of its requests were answered.
    pub turn: usize,
    /// What the answers so far had for later requests, by word.
    pub captures: BTreeMap<String, Value>,
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The operation is over, and this is what the system said of it.
    Said(Answer),
    /// The next request is to be sent.
    Next,
}

/// A protocol in which an operation is a request and its answer, or several, over HTTP or over TCP as it is.
pub trait Protocol: Send + Sync + fmt::Debug {
    /// Whether it is HTTP. If not, the body of a request is all that is sent, and that of an answer all that comes
    /// back, in the protocol of Redis.
    fn speaks_http(&self) -> bool {
        true
    }

    /// The next request that asks for the operation; none if it cannot be sent, because of what was captured. `host` is the
    /// address of the node it goes to; a command without a name is never sent again.
    fn request(
        &self,
        operation: &Operation,
        name: Option<&CommandName>,
        host: &HeaderValue,
        dialogue: &Dialogue,
    ) -> Option<Request<Full<Bytes>>>;

    /// What follows from the answer to that request. Whatever is not certain is
    /// [`Unlisted`](Answer::Unlisted) or [`Unreadable`](Answer::Unreadable).
    fn reply(&self, operation: &Operation, response: &Response<Bytes>, dialogue: &mut Dialogue) -> Reply;
}
