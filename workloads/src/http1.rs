//! HTTP/1.1 as a client speaks it (RFC 9112): requests as bytes, and a parser that finds the end of an answer.
//!
//! The parser decides nothing about outcomes. It never takes part of an answer for the whole, and it says whether the
//! connection can carry another exchange.

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use httparse::Status;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Method, Request, Response, StatusCode};
use std::io::Write;
use std::task::{Context, Poll, Waker};

/// Headers of an answer at most.
const HEADERS_MAX: usize = 100;
/// Bytes of the status line with the headers, of one chunk size, or of one trailer, at most.
const HEAD_MAX: usize = 400 << 10;
/// Bodies up to this length are copied out of the buffer of their connection.
const COPIED: usize = 4 << 10;

/// Why bytes are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// The status line or the headers are not those of HTTP, or contradict each other, or the body is too long.
    Message,
    /// The chunks of the body are not those of HTTP.
    Chunks,
}

/// Appends a request as it is sent.
pub(crate) fn write_request(output: &mut Vec<u8>, request: Request<Full<Bytes>>) {
    let (head, body) = request.into_parts();
    let body = whole(body);
    output.extend_from_slice(head.method.as_str().as_bytes());
    write!(output, " {} HTTP/1.1\r\n", head.uri).expect("memory can be written");
    for (name, value) in &head.headers {
        // The body says how long it is.
        if !body.is_empty() && (name == CONTENT_LENGTH || name == TRANSFER_ENCODING) {
            continue;
        }
        output.extend_from_slice(name.as_str().as_bytes());
        output.extend_from_slice(b": ");
        output.extend_from_slice(value.as_bytes());
        output.extend_from_slice(b"\r\n");
    }
    if !body.is_empty() {
        write!(output, "content-length: {}\r\n", body.len()).expect("memory can be written");
    }
    output.extend_from_slice(b"\r\n");
    output.extend_from_slice(&body);
}

/// The bytes of a body that is in memory as a whole.
pub(crate) fn whole(body: Full<Bytes>) -> Bytes {
    let collected = std::pin::pin!(body.collect()).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(body)) = collected else { unreachable!("a whole body is there at once") };
    body.to_bytes()
}

/// Reads one answer as it comes.
#[derive(Debug)]
pub(crate) struct AnswerReader {
    /// Whether the request was a `HEAD`, whose answer has no body.
    is_head: bool,
    /// The largest body, in bytes.
    largest: usize,
    head: Option<Head>,
    body: BytesMut,
}

#[derive(Debug)]
struct Head {
    status: StatusCode,
    headers: HeaderMap,
    framing: Framing,
    /// Whether another exchange may follow.
    keeps_alive: bool,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunks(Chunk),
    UntilClosed,
}

/// What comes next in a body of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    Size,
    Data(u64),
    DataEnd,
    Trailer,
}

/// An answer, and whether the connection can carry another exchange.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: Response<Bytes>,
    pub(crate) keeps_alive: bool,
}

impl AnswerReader {
    /// For the answer to a request with this method, with a body of at most `largest` bytes.
    pub(crate) fn new(method: &Method, largest: usize) -> Self {
        Self { is_head: method == Method::HEAD, largest, head: None, body: BytesMut::new() }
    }

    /// Takes from `received` what belongs to the answer; the answer if it is whole now.
    pub(crate) fn read(&mut self, received: &mut BytesMut) -> Result<Option<Answered>, Malformed> {
        while self.head.is_none() {
            let Some((head, length)) = parse_head(received, self.is_head)? else { return Ok(None) };
            received.advance(length);
            // Informational answers come before the final one. After a switch of protocols there is no other.
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                self.head = Some(head);
            }
        }
        let whole = match self.head.as_mut().map(|head| &mut head.framing) {
            Some(Framing::Length(length)) => {
                if received.len().min(*length) > self.largest {
                    return Err(Malformed::Message);
                }
                let whole = received.len() >= *length;
                if whole && *length <= COPIED {
                    // A copy, so that the buffer of the connection can be used again.
                    self.body.extend_from_slice(&received[..*length]);
                    received.advance(*length);
                } else if whole {
                    self.body = received.split_to(*length);
                }
                whole
            }
            Some(Framing::Chunks(chunk)) => {
                let whole = read_chunks(chunk, received, &mut self.body)?;
                if self.body.len() > self.largest {
                    return Err(Malformed::Message);
                }
                whole
            }
            Some(Framing::UntilClosed) => {
                self.body.unsplit(received.split());
                if self.body.len() > self.largest {
                    return Err(Malformed::Message);
                }
                false
            }
            None => false,
        };
        // What follows an answer answers nothing that was asked.
        Ok(if whole { self.take(received.is_empty()) } else { None })
    }

    /// The other side has closed the connection: the answer, if that ends it.
    pub(crate) fn closed(&mut self) -> Option<Answered> {
        let ends = self.head.as_ref().is_some_and(|head| head.framing == Framing::UntilClosed);
        if ends { self.take(false) } else { None }
    }

    fn take(&mut self, is_alone: bool) -> Option<Answered> {
        let head = self.head.take()?;
        let mut response = Response::new(std::mem::take(&mut self.body).freeze());
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Some(Answered { response, keeps_alive: head.keeps_alive && is_alone })
    }
}

/// The head at the beginning of these bytes with its length; none if it is not whole.
fn parse_head(bytes: &[u8], is_head: bool) -> Result<Option<(Head, usize)>, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() <= HEAD_MAX => return Ok(None),
        Ok(Status::Partial) | Err(_) => return Err(Malformed::Message),
    };
    let code = parsed.code.ok_or(Malformed::Message)?;
    let status = StatusCode::from_u16(code).map_err(|_| Malformed::Message)?;
    let is_1_1 = parsed.version == Some(1);
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| Malformed::Message)?;
        let value = HeaderValue::from_bytes(header.value).map_err(|_| Malformed::Message)?;
        headers.append(name, value);
    }
    let framing = framing(status, &headers, is_head, is_1_1)?;
    let keeps_alive = framing != Framing::UntilClosed
        && status != StatusCode::SWITCHING_PROTOCOLS
        && if is_1_1 {
            !has(&headers, &CONNECTION, "close")
        } else {
            has(&headers, &CONNECTION, "keep-alive")
        };
    Ok(Some((Head { status, headers, framing, keeps_alive }, length)))
}

/// How the body ends (RFC 9112, section 6.3).
fn framing(
    status: StatusCode,
    headers: &HeaderMap,
    is_head: bool,
    is_1_1: bool,
) -> Result<Framing, Malformed> {
    let has_none = is_head
        || status.is_informational()
        || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    if has_none {
        return Ok(Framing::Length(0));
    }
    if let Some(last) = headers.get_all(TRANSFER_ENCODING).iter().next_back() {
        if !is_1_1 {
            return Err(Malformed::Message);
        }
        let is_chunked = last.to_str().is_ok_and(|codings| {
            codings.rsplit(',').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked"))
        });
        return Ok(if is_chunked { Framing::Chunks(Chunk::Size) } else { Framing::UntilClosed });
    }
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for part in value.to_str().map_err(|_| Malformed::Message)?.split(',') {
            let part = part.trim();
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let this: usize = part.parse().ok().filter(|_| digits).ok_or(Malformed::Message)?;
            if length.is_some_and(|length| length != this) {
                return Err(Malformed::Message);
            }
            length = Some(this);
        }
    }
    Ok(length.map_or(Framing::UntilClosed, Framing::Length))
}

/// Whether a header that lists words has this one.
fn has(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let lists = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

/// Moves the data of chunks from `received` to `body`; whether the last chunk and the trailers have come.
fn read_chunks(next: &mut Chunk, received: &mut BytesMut, body: &mut BytesMut) -> Result<bool, Malformed> {
    loop {
        match *next {
            Chunk::Size => match httparse::parse_chunk_size(received) {
                Ok(Status::Complete((length, size))) => {
                    received.advance(length);
                    *next = if size == 0 { Chunk::Trailer } else { Chunk::Data(size) };
                }
                Ok(Status::Partial) if received.len() <= HEAD_MAX => return Ok(false),
                Ok(Status::Partial) | Err(_) => return Err(Malformed::Chunks),
            },
            Chunk::Data(left) => {
                let here = usize::try_from(left).map_or(received.len(), |left| left.min(received.len()));
                body.extend_from_slice(&received[..here]);
                received.advance(here);
                let left = left - here as u64;
                *next = if left == 0 { Chunk::DataEnd } else { Chunk::Data(left) };
                if left > 0 {
                    return Ok(false);
                }
            }
            Chunk::DataEnd => {
                match received.get(..2) {
                    None if b"\r\n".starts_with(received) => return Ok(false),
                    Some(b"\r\n") => received.advance(2),
                    Some(_) | None => return Err(Malformed::Chunks),
                }
                *next = Chunk::Size;
            }
            Chunk::Trailer => {
                let mut trailers = [httparse::EMPTY_HEADER; HEADERS_MAX];
                return match httparse::parse_headers(received, &mut trailers) {
                    Ok(Status::Complete((length, _))) => {
                        let trailers = received.split_to(length);
                        let mut lines = trailers.split_inclusive(|byte| *byte == b'\n');
                        if lines.all(|line| line.ends_with(b"\r\n")) {
                            Ok(true)
                        } else {
                            Err(Malformed::Chunks)
                        }
                    }
                    Ok(Status::Partial) if received.len() <= HEAD_MAX => Ok(false),
                    Ok(Status::Partial) | Err(_) => Err(Malformed::Chunks),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Happened;
    use http_body_util::Limited;
    use hyper_util::rt::TokioIo;
    use proptest::prelude::*;
    use std::error::Error as _;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const LARGEST: usize = 64;

    /// What comes of an answer that comes in two pieces, cut here, before the connection is closed.
    fn read(answer: &[u8], cut: usize) -> Result<(u16, Vec<u8>, bool), Happened> {
        let mut reader = AnswerReader::new(&Method::GET, LARGEST);
        let mut received = BytesMut::new();
        for piece in [&answer[..cut], &answer[cut..]] {
            received.extend_from_slice(piece);
            match reader.read(&mut received) {
                Ok(Some(Answered { response, keeps_alive })) => {
                    return Ok((response.status().as_u16(), response.into_body().to_vec(), keeps_alive));
                }
                Ok(None) => {}
                Err(Malformed::Message) => return Err(Happened::Garbled),
                Err(Malformed::Chunks) => return Err(Happened::Broken),
            }
        }
        let Some(Answered { response, keeps_alive }) = reader.closed() else { return Err(Happened::Closed) };
        Ok((response.status().as_u16(), response.into_body().to_vec(), keeps_alive))
    }

    /// The same by hyper.
    async fn read_by_hyper(answer: &[u8]) -> Result<(u16, Vec<u8>), Happened> {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(near)).await.unwrap();
        let driver = tokio::spawn(connection);
        let answer = answer.to_vec();
        let server = tokio::spawn(async move {
            let mut request = [0; 1024];
            assert!(far.read(&mut request).await.unwrap() > 0);
            far.write_all(&answer).await.unwrap();
        });
        let request = Request::get("/").body(Full::new(Bytes::new())).unwrap();
        let happened = |error: &hyper::Error| {
            let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
            match cause.map(std::io::Error::kind) {
                _ if error.is_parse() => Happened::Garbled,
                _ if error.is_incomplete_message() => Happened::Closed,
                Some(std::io::ErrorKind::UnexpectedEof) => Happened::Closed,
                Some(_) | None => Happened::Broken,
            }
        };
        let response = sender.send_request(request).await.map_err(|error| happened(&error))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let body =
            body.map_err(|error| error.downcast_ref::<hyper::Error>().map_or(Happened::Garbled, happened))?;
        server.await.unwrap();
        driver.abort();
        Ok((status, body.to_bytes().to_vec()))
    }

    fn answers() -> impl Strategy<Value = Vec<u8>> {
        let status = prop::sample::select(vec![
            "HTTP/1.1 200 OK",
            "HTTP/1.1 204 No Content",
            "HTTP/1.1 304 Not Modified",
            "HTTP/1.1 503 Service Unavailable",
            "HTTP/1.0 200 OK",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found",
        ]);
        let header = prop::sample::select(vec![
            "content-length: 5",
            "Content-Length: 0",
            "content-length: 7",
            "content-length: 5, 5",
            "content-length: -1",
            "content-length: 99",
            "transfer-encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "transfer-encoding: gzip",
            "connection: close",
            "connection: keep-alive",
            "x-slot: 4",
            "location: http://10.0.0.1:1/",
        ]);
        let body = prop::sample::select(vec![
            "",
            "hello",
            "5\r\nhello\r\n0\r\n\r\n",
            "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nx: y\r\n\r\n",
            "5\r\nhello\r\n",
            "x\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello!\r\n0\r\n\r\n",
            "0\r\n\r\n",
        ]);
        let parts = (status, prop::collection::vec(header, 0..4), body);
        let whole = parts.prop_map(|(status, headers, body)| {
            let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
            format!("{status}\r\n{headers}\r\n{body}").into_bytes()
        });
        let damage = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
        (whole, damage, prop::option::weighted(0.3, any::<prop::sample::Index>())).prop_map(
            |(mut answer, damage, cut)| {
                if let Some((index, byte)) = damage {
                    let index = index.index(answer.len());
                    answer[index] = byte;
                }
                if let Some(cut) = cut {
                    answer.truncate(cut.index(answer.len()));
                }
                answer
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// What is read of an answer is what hyper reads, wherever it is cut in two.
        #[test]
        fn answers_are_read_as_hyper_reads_them(answer in answers(), cut: prop::sample::Index) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let by_hyper = runtime.block_on(read_by_hyper(&answer));
            let cut = cut.index(answer.len() + 1);
            let read = read(&answer, cut).map(|(status, body, _)| (status, body));
            // Behind the last chunk hyper waits for more where this parser has seen that the rest is none; both are unknown.
            let by_hyper = match by_hyper {
                Err(Happened::Closed) if read == Err(Happened::Broken) => Err(Happened::Broken),
                other => other,
            };
            prop_assert_eq!(read, by_hyper, "{}", String::from_utf8_lossy(&answer));
        }
    }

    #[test]
    fn connection_is_kept_only_behind_a_whole_answer() {
        for (answer, kept) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello!", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nConnection: Close\r\n\r\nhello", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", false),
            ("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 5\r\n\r\nhello", true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\n\r\nhello", false),
        ] {
            let read = read(answer.as_bytes(), answer.len());
            assert_eq!(read, Ok((200, b"hello".to_vec(), kept)), "{answer}");
        }
    }

    #[test]
    fn answer_is_whole_at_its_last_byte() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n",
        ] {
            for end in 0..answer.len() {
                assert_eq!(read(&answer.as_bytes()[..end], 0), Err(Happened::Closed), "{end} of {answer}");
            }
        }
    }

    #[test]
    fn head_and_too_long_bodies() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n";
        let mut reader = AnswerReader::new(&Method::HEAD, LARGEST);
        assert!(reader.read(&mut BytesMut::from(&answer[..])).unwrap().is_some());
        let mut reader = AnswerReader::new(&Method::GET, LARGEST);
        let mut received = BytesMut::from(&answer[..]);
        received.extend_from_slice(&[b'x'; LARGEST]);
        assert!(reader.read(&mut received).unwrap().is_none());
        received.extend_from_slice(b"x");
        assert_eq!(reader.read(&mut received).unwrap_err(), Malformed::Message);
    }

    #[test]
    fn requests_say_how_long_their_body_is() {
        let request = |body: &'static str| {
            let request = Request::put("/kv/k1").header("host", "n1").header("content-length", "9");
            let mut bytes = Vec::new();
            write_request(&mut bytes, request.body(Full::new(Bytes::from(body))).unwrap());
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(request("abc"), "PUT /kv/k1 HTTP/1.1\r\nhost: n1\r\ncontent-length: 3\r\n\r\nabc");
        assert_eq!(request(""), "PUT /kv/k1 HTTP/1.1\r\nhost: n1\r\ncontent-length: 9\r\n\r\n");
    }
}
