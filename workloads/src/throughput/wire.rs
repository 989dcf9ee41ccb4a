//! Requests as bytes, made before the load, and the parser that finds the end of an answer.

use crate::adapter::{Dialogue, Protocol};
use crate::http1::{whole, write_request};
use crate::operation::{Function, Operation};
use crate::spec::LoadSpec;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

/// Headers of an answer that are read.
const HEADERS_MAX: usize = 32;

/// The requests of a load: for each key one that reads and one that writes.
#[derive(Debug)]
pub(super) struct Requests {
    speaks_http: bool,
    reads: Vec<Box<[u8]>>,
    writes: Vec<Box<[u8]>>,
}

impl Requests {
    /// All keys of a load. Commands have no names, for they are never sent again.
    pub(super) fn new(load: &LoadSpec, protocol: &dyn Protocol) -> Self {
        let (read, write, value) = if load.workload.has_text_values() {
            (Function::Get, Function::Put, json!("v".repeat(load.value_bytes() as usize)))
        } else {
            (Function::Read, Function::Write, json!(1))
        };
        let bytes = |operation: &Operation| bytes(protocol, operation);
        let all = |function: Function, argument: &Value| {
            let operation =
                |key| Operation { function, key: LoadSpec::key_name(key), argument: argument.clone() };
            (0..load.keys).map(|key| bytes(&operation(key))).collect()
        };
        Self {
            speaks_http: protocol.speaks_http(),
            reads: all(read, &Value::Null),
            writes: all(write, &value),
        }
    }

    /// The request that does this to a key, by its number.
    pub(super) fn of(&self, function: Function, key: u32) -> &[u8] {
        let requests = if function.is_read() { &self.reads } else { &self.writes };
        &requests[key as usize]
    }

    /// Looks at what has come of an answer; an error if it is none.
    pub(super) fn head(&self, answer: &[u8]) -> Result<Head, &'static str> {
        if self.speaks_http { http_head(answer) } else { resp_head(answer) }
    }
}

/// The one request of an operation as it is sent.
fn bytes(protocol: &dyn Protocol, operation: &Operation) -> Box<[u8]> {
    let host = HeaderValue::from_static("localhost");
    let request = protocol
        .request(operation, None, &host, &Dialogue::default())
        .expect("the first request of an operation has no words that were captured");
    let mut bytes = Vec::new();
    if protocol.speaks_http() {
        write_request(&mut bytes, request);
    } else {
        bytes.extend_from_slice(&whole(request.into_body()));
    }
    bytes.into()
}

/// How far an answer has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// More of it is to come.
    Unfinished,
    /// It is whole, and has this status.
    Answered(u16),
}

/// An answer of Redis: a state, an error, or a text with its length. In the numbers of HTTP, 404 is a key that is absent.
fn resp_head(answer: &[u8]) -> Result<Head, &'static str> {
    let Some(line) = answer.windows(2).position(|pair| pair == b"\r\n") else { return Ok(Head::Unfinished) };
    let length = || std::str::from_utf8(&answer[1..line]).ok().and_then(|text| text.parse::<i64>().ok());
    match answer[0] {
        b'+' => Ok(Head::Answered(200)),
        b'-' => Err("refused by Redis"),
        b'$' => match length().ok_or("garbled")? {
            -1 => Ok(Head::Answered(404)),
            length => {
                let end = usize::try_from(length).map_err(|_| "garbled")? + line + 4;
                Ok(if answer.len() >= end { Head::Answered(200) } else { Head::Unfinished })
            }
        },
        _ => Err("garbled"),
    }
}

/// An answer in HTTP, with a length or in chunks.
fn http_head(answer: &[u8]) -> Result<Head, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let begin = match response.parse(answer) {
        Ok(httparse::Status::Complete(begin)) => begin,
        Ok(httparse::Status::Partial) => return Ok(Head::Unfinished),
        Err(_) => return Err("garbled"),
    };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let whole = match length {
        Some(length) => {
            let length = std::str::from_utf8(length.value).ok().and_then(|text| text.parse::<usize>().ok());
            answer.len() >= begin + length.ok_or("garbled")?
        }
        None => answer[begin..].ends_with(b"0\r\n\r\n"),
    };
    Ok(if whole { Head::Answered(response.code.unwrap_or(0)) } else { Head::Unfinished })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paxos::PaxosHttp;
    use crate::requests::ClientSpec;
    use crate::spec::Workload;

    fn load() -> LoadSpec {
        toml::from_str("workload = \"kv\"\nkeys = 2\nrecord = false\nvalue-bytes = 3\nmix = { put = 1 }")
            .unwrap()
    }

    #[test]
    fn requests_are_those_of_the_interface_without_names() {
        let requests = |protocol: &dyn Protocol| Requests::new(&load(), protocol);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(
            text(requests(&PaxosHttp::new(Workload::Kv, 2)).of(Function::Put, 1)),
            "PUT /kv/k2 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nvvv"
        );
        let redis: ClientSpec = toml::from_str(
            "kind = \"resp\"\nread.command = [\"GET\", \"{key}\"]\nread.answers = [{ ok = \"\" }]\n\
             write.command = [\"SET\", \"{key}\", \"{value}\"]\nwrite.answers = [{ ok = true }]",
        )
        .unwrap();
        assert_eq!(
            text(requests(&redis.table(&load()).unwrap()).of(Function::Put, 1)),
            "*3\r\n$3\r\nSET\r\n$2\r\nk2\r\n$3\r\nvvv\r\n"
        );
    }

    #[test]
    fn http_answer_is_complete_at_its_last_byte() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ] {
            for end in 0..answer.len() {
                assert_eq!(http_head(&answer.as_bytes()[..end]), Ok(Head::Unfinished), "{end}");
            }
            assert!(matches!(http_head(answer.as_bytes()), Ok(Head::Answered(200 | 404))));
        }
        assert_eq!(http_head(b"+PONG\r\n"), Err("garbled"));
    }

    #[test]
    fn redis_answer_is_complete_at_its_last_byte() {
        let text = b"$3\r\nvvv\r\n";
        for end in 0..text.len() {
            assert_eq!(resp_head(&text[..end]), Ok(Head::Unfinished), "{end}");
        }
        for (answer, status) in [(&text[..], 200), (b"+OK\r\n", 200), (b"$-1\r\n", 404)] {
            assert_eq!(resp_head(answer), Ok(Head::Answered(status)));
        }
        assert_eq!(resp_head(b"-LOADING\r\n"), Err("refused by Redis"));
    }
}
