//! The interface to a system under test: makes requests from operations, and outcomes from answers.

use crate::operation::Operation;
use crate::outcome::Answer;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode};

/// The name of a command: a system that knows such names applies the same name once.
#[derive(Debug, Clone)]
pub struct CommandName {
    /// The client id: unique to one process number of one run.
    pub client: HeaderValue,
    /// Grows with each operation of the client.
    pub sequence: u64,
}

/// Speaks the protocol of one system over HTTP, or over TCP as it is.
///
/// It decides nothing about outcomes: it says what an answer says, and
/// [`ending`](crate::outcome::ending) says what follows.
pub trait Adapter: Send + Sync {
    /// Whether it speaks HTTP. If not, the body of a request is all that is sent, and that of an answer all that comes
    /// back, in the protocol of Redis.
    fn speaks_http(&self) -> bool {
        true
    }

    /// The request that asks for the operation. `host` is the address of the node it goes to; a command without a name
    /// is never sent again.
    fn request(
        &self,
        operation: &Operation,
        name: Option<&CommandName>,
        host: &HeaderValue,
    ) -> Request<Full<Bytes>>;

    /// What an answer to that request says. Whatever is not certain is
    /// [`Unlisted`](Answer::Unlisted) or [`Unreadable`](Answer::Unreadable).
    fn answer(&self, operation: &Operation, status: StatusCode, body: &[u8]) -> Answer;
}
