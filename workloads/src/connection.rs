//! A connection that is kept between operations: HTTP/1.1, or plain TCP for Redis.

use crate::http1::{self, AnswerReader, Answered, Malformed};
use crate::outcome::Happened;
use crate::resp;
use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::{Request, Response};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::select;

/// Largest answer to an operation, in bytes.
const BODY_MAX: usize = 16 << 20;
/// Room for what is read at once; an answer may be longer.
const CHUNK: usize = 4 << 10;
/// The largest buffer for requests that is kept for the next one.
const BUFFER_KEPT: usize = 64 << 10;

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
    stream: TcpStream,
    /// The request under way.
    request: Vec<u8>,
    /// What was received and not yet read.
    received: BytesMut,
    /// Whether another request may follow: the last answer is whole, and none of it is left.
    is_idle: bool,
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

/// Whether an idle connection cannot carry another request: it was closed, or something came that answers nothing. It asks the
/// system, because the async runtime may not have heard yet of what came behind the last answer.
fn has_ended(stream: &TcpStream) -> bool {
    let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    !matches!(recv(stream, &mut [0; 1], peek), Err(Errno::AGAIN))
}

/// What happened when bytes of a request may have left and the connection failed.
fn broken(error: &io::Error) -> NoAnswer {
    NoAnswer::Broken(match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Happened::Reset,
        _ => Happened::Broken,
    })
}

/// Sends the body of a request as it is, and reads an answer of Redis.
async fn exchange(
    stream: &mut TcpStream,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, NoAnswer> {
    // What was closed meanwhile is not written to. Nothing else can have come: each answer was read to its end.
    if has_ended(stream) {
        return Err(NoAnswer::NotSent(Box::new(request)));
    }
    let body = http1::whole(request.into_body());
    stream.write_all(&body).await.map_err(|error| broken(&error))?;
    let mut answer = Vec::with_capacity(CHUNK);
    loop {
        if stream.read_buf(&mut answer).await.map_err(|error| broken(&error))? == 0 {
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
        Ok(Self { stream, request: Vec::new(), received: BytesMut::new(), is_idle: true })
    }

    /// Sends a request and reads the whole answer, of at most `largest` bytes. After an error, and if its future is
    /// dropped, the connection carries no other request.
    ///
    /// # Errors
    /// Whether bytes of the request may have left, and what happened.
    pub async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        largest: usize,
    ) -> Result<Response<Bytes>, NoAnswer> {
        if !self.is_idle || has_ended(&self.stream) {
            return Err(NoAnswer::NotSent(Box::new(request)));
        }
        self.is_idle = false;
        let mut reader = AnswerReader::new(request.method(), largest);
        self.request.clear();
        self.request.shrink_to(BUFFER_KEPT);
        http1::write_request(&mut self.request, request);
        let answered = self.carry_out(&mut reader).await?;
        self.is_idle = answered.keeps_alive;
        Ok(answered.response)
    }

    /// Sends the request and reads until the answer is whole. An answer may come before all of the request has left.
    async fn carry_out(&mut self, reader: &mut AnswerReader) -> Result<Answered, NoAnswer> {
        let (mut reading, mut writing) = self.stream.split();
        let mut rest = &self.request[..];
        loop {
            self.received.reserve(CHUNK);
            let read = if rest.is_empty() {
                reading.read_buf(&mut self.received).await
            } else {
                select! {
                    biased;
                    written = writing.write(rest) => {
                        rest = &rest[written.map_err(|error| broken(&error))?..];
                        continue;
                    }
                    read = reading.read_buf(&mut self.received) => read,
                }
            };
            let answered = match read {
                Err(error) => return Err(broken(&error)),
                Ok(0) => Some(reader.closed().ok_or(NoAnswer::Broken(Happened::Closed))?),
                Ok(_) => reader.read(&mut self.received).map_err(|malformed| {
                    NoAnswer::Broken(match malformed {
                        Malformed::Message => Happened::Garbled,
                        Malformed::Chunks => Happened::Broken,
                    })
                })?,
            };
            if let Some(answered) = answered {
                let keeps_alive = answered.keeps_alive && rest.is_empty();
                return Ok(Answered { keeps_alive, ..answered });
            }
        }
    }
}
