//! A connection that is kept between operations: HTTP/1.1, or plain TCP for Redis.

use crate::outcome::Happened;
use crate::resp;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// Largest answer to an operation, in bytes.
const BODY_MAX: usize = 16 << 20;

/// An open connection; dropping it closes the socket at once.
#[derive(Debug)]
pub(crate) enum Connection {
    /// HTTP.
    Http(HttpConnection),
    /// TCP as it is.
    Plain(TcpStream),
}

/// A connection that speaks HTTP/1.1, one request after another.
#[derive(Debug)]
pub struct HttpConnection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The connection had ended before a byte of this request was written.
    NotSent(Box<Request<Full<Bytes>>>),
    /// The exchange broke after bytes may have left.
    Broken(Happened),
}

impl Connection {
    /// Connects; no byte of a request is sent.
    pub(crate) async fn open(address: SocketAddr, speaks_http: bool) -> Result<Self, Happened> {
        if speaks_http {
            return Ok(Self::Http(HttpConnection::open(address).await?));
        }
        connect(address).await.map(Self::Plain)
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, NoAnswer> {
        match self {
            Self::Http(http) => http.exchange(request, BODY_MAX).await,
            Self::Plain(stream) => exchange(stream, request).await,
        }
    }
}

/// Connects without delays for small packets.
pub(crate) async fn connect(address: SocketAddr) -> Result<TcpStream, Happened> {
    let stream = TcpStream::connect(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => Happened::Refused,
        _ => Happened::Unreachable,
    })?;
    stream.set_nodelay(true).map_err(|_| Happened::Unreachable)?;
    Ok(stream)
}

/// Sends the body of a request as it is, and reads an answer of Redis.
async fn exchange(
    stream: &mut TcpStream,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, NoAnswer> {
    // What was closed meanwhile is not written to. Nothing else can have come: each answer was read to its end.
    if !matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
        return Err(NoAnswer::NotSent(Box::new(request)));
    }
    let Ok(body) = request.into_body().collect().await;
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => NoAnswer::Broken(Happened::Reset),
        _ => NoAnswer::Broken(Happened::Broken),
    };
    stream.write_all(&body.to_bytes()).await.map_err(broken)?;
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await.map_err(broken)? == 0 {
            return Err(NoAnswer::Broken(Happened::Closed));
        }
        match resp::is_whole(&answer) {
            Ok(true) => return Ok(Response::new(answer.into())),
            Ok(false) if answer.len() <= BODY_MAX => {}
            Ok(false) | Err(()) => return Err(NoAnswer::Broken(Happened::Garbled)),
        }
    }
}

impl HttpConnection {
    /// Connects; no byte of a request is sent.
    ///
    /// # Errors
    /// What happened instead.
    pub async fn open(address: SocketAddr) -> Result<Self, Happened> {
        let stream = connect(address).await?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|_| Happened::Unreachable)?;
        let driver = tokio::spawn(async move {
            // What goes wrong here also ends the exchange that is open, and is judged there.
            drop(connection.await);
        });
        Ok(Self { sender, driver: driver.abort_handle() })
    }

    /// Sends a request and reads the whole answer, of at most `largest` bytes.
    ///
    /// # Errors
    /// Whether bytes of the request may have left, and what happened.
    pub async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        largest: usize,
    ) -> Result<Response<Bytes>, NoAnswer> {
        if self.sender.ready().await.is_err() {
            return Err(NoAnswer::NotSent(Box::new(request)));
        }
        match self.sender.try_send_request(request).await {
            Ok(response) => read(response, largest).await.map_err(NoAnswer::Broken),
            // hyper hands a request back only if it had not begun to write it.
            Err(mut error) => Err(match error.take_message() {
                Some(request) => NoAnswer::NotSent(Box::new(request)),
                None => NoAnswer::Broken(broken(error.error())),
            }),
        }
    }
}

impl Drop for HttpConnection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Reads the body of an answer.
async fn read(response: Response<Incoming>, largest: usize) -> Result<Response<Bytes>, Happened> {
    let (head, body) = response.into_parts();
    match Limited::new(body, largest).collect().await {
        Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
        Err(error) => Err(error.downcast_ref::<hyper::Error>().map_or(Happened::Garbled, broken)),
    }
}

/// What happened when an exchange ended with this error.
fn broken(error: &hyper::Error) -> Happened {
    if error.is_parse() {
        return Happened::Garbled;
    }
    if error.is_incomplete_message() {
        return Happened::Closed;
    }
    let mut source = error.source();
    while let Some(cause) = source {
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => return Happened::Reset,
            Some(io::ErrorKind::UnexpectedEof) => return Happened::Closed,
            Some(_) | None => source = cause.source(),
        }
    }
    Happened::Broken
}
