//! Speaks a protocol of requests and answers, over a connection that is kept.

use crate::adapter::{Adapter, CommandName, Dialogue, Performed, Protocol, Reply, Speaker};
use crate::connection::{Connection, NoAnswer};
use crate::operation::{Function, Operation};
use crate::outcome::{Answer, Happened};
use crate::session::Target;
use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode, Uri};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Clients of a protocol of requests and answers.
#[derive(Debug, Clone)]
pub struct Requesting(Arc<dyn Protocol>);

impl Requesting {
    /// Of this protocol.
    pub fn new(protocol: impl Protocol + 'static) -> Self {
        Self(Arc::new(protocol))
    }
}

impl Adapter for Requesting {
    fn speaker(&self) -> Box<dyn Speaker> {
        Box::new(RequestSpeaker { protocol: Arc::clone(&self.0), connected: None, last: None })
    }
}

/// A connection with the address that it leads to.
#[derive(Debug)]
struct Connected {
    address: SocketAddr,
    host: HeaderValue,
    connection: Connection,
}

impl Connected {
    async fn open(address: SocketAddr, speaks_http: bool) -> Result<Self, Happened> {
        let connection = Connection::open(address, speaks_http).await?;
        let host = HeaderValue::try_from(address.to_string())
            .expect("an address is made of letters that a header may have");
        Ok(Self { address, host, connection })
    }
}

/// The last answer and what was asked.
#[derive(Debug)]
struct LastAnswer {
    asked: Asked,
    status: StatusCode,
    body: Bytes,
}

/// What was asked, for people: the request of HTTP, or the function.
#[derive(Debug)]
enum Asked {
    Http(Method, Uri),
    Function(Function),
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(method, uri) => write!(f, "{method} {}", uri.path()),
            Self::Function(function) => write!(f, "a {function}"),
        }
    }
}

/// Speaks for one client.
#[derive(Debug)]
struct RequestSpeaker {
    protocol: Arc<dyn Protocol>,
    connected: Option<Connected>,
    last: Option<LastAnswer>,
}

impl RequestSpeaker {
    /// Sends the requests of an operation, each once, on a new connection if there is none.
    async fn attempt(
        &mut self,
        target: &Target,
        operation: &Operation,
        name: Option<&CommandName>,
        sent: &mut bool,
    ) -> Happened {
        let before = *sent;
        let mut dialogue = Dialogue::default();
        loop {
            let kept = self.connected.take().filter(|connected| connected.address == target.address);
            let fresh = kept.is_none();
            let mut connected = match kept {
                Some(connected) => connected,
                None => match Connected::open(target.address, self.protocol.speaks_http()).await {
                    Ok(connected) => connected,
                    Err(happened) => return later(&dialogue, happened),
                },
            };
            let Some(request) = self.protocol.request(operation, name, &connected.host, &dialogue) else {
                return Happened::Answered(Answer::Unreadable);
            };
            let asked = if self.protocol.speaks_http() {
                Asked::Http(request.method().clone(), request.uri().clone())
            } else {
                Asked::Function(operation.function)
            };
            *sent = true;
            match connected.connection.exchange(request).await {
                Ok(response) => {
                    self.connected = Some(connected);
                    let reply = self.protocol.reply(operation, &response, &mut dialogue);
                    self.last =
                        Some(LastAnswer { asked, status: response.status(), body: response.into_body() });
                    match reply {
                        Reply::Said(answer) => return Happened::Answered(answer),
                        Reply::Next => {}
                    }
                }
                Err(NoAnswer::Broken(happened)) => return happened,
                // The node closed the idle connection; nothing left, so this is no second attempt.
                Err(NoAnswer::NotSent(_)) => {
                    if dialogue.turn == 0 {
                        *sent = before;
                    }
                    if fresh {
                        return later(&dialogue, Happened::NotSent);
                    }
                }
            }
        }
    }
}

/// What stood in the way of a request. After the first one of an operation it does not mean that nothing happened.
fn later(dialogue: &Dialogue, happened: Happened) -> Happened {
    if dialogue.turn == 0 { happened } else { Happened::Broken }
}

impl Speaker for RequestSpeaker {
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
        self.connected = None;
    }

    fn last_answer(&self) -> Option<String> {
        self.last.as_ref().map(|last| {
            let status = self.protocol.speaks_http().then_some(last.status);
            answer_in_words(&last.asked.to_string(), status, &last.body)
        })
    }
}

/// An answer for people, cut where it is long.
pub(crate) fn answer_in_words(asked: &str, status: Option<StatusCode>, body: &[u8]) -> String {
    const SHOWN: usize = 120;
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let mut shown: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(SHOWN).collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    let status = status.map_or_else(String::new, |status| format!("{} ", status.as_u16()));
    format!("answered {asked} with {status}\"{shown}\"")
}
