//! The part of HTTP/2 and gRPC for one request at a time (RFC 9113, RFC 7541, gRPC's PROTOCOL-HTTP2).
//!
//! Header fields are literals without indexing, so every request has the same bytes but for its stream number.

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const FRAME_HEAD: usize = 9;
/// The largest and the initial flow-control window.
const WIDEST: u32 = (1 << 31) - 1;
const AT_FIRST: u32 = 65_535;
/// Length of the prefix of a message: a byte and a length.
const PREFIX: usize = 5;

/// A `PutRequest` of etcd.
pub(crate) fn put(key: &[u8], value: &[u8]) -> Vec<u8> {
    request("/etcdserverpb.KV/Put", &[field(1, key), field(2, value)].concat())
}

/// A `RangeRequest` of etcd for one key; linearizable, as that is its default.
pub(crate) fn range(key: &[u8]) -> Vec<u8> {
    request("/etcdserverpb.KV/Range", &field(1, key))
}

/// A field of bytes in a protobuf message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    push_short(&mut field, bytes);
    field
}

/// Bytes after their length, which takes one byte up to 127, in protobuf as in HPACK.
fn push_short(to: &mut Vec<u8>, bytes: &[u8]) {
    assert!(bytes.len() < 128);
    to.push(size(bytes).to_be_bytes()[3]);
    to.extend_from_slice(bytes);
}

fn push_frame(to: &mut Vec<u8>, kind: u8, flags: u8, payload: &[u8]) {
    to.extend_from_slice(&size(payload).to_be_bytes()[1..]);
    to.extend_from_slice(&[kind, flags, 0, 0, 0, 0]);
    to.extend_from_slice(payload);
}

/// A frame of headers and one of data, on stream 0 until they are sent.
fn request(path: &str, message: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "n"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        headers.push(0);
        push_short(&mut headers, name.as_bytes());
        push_short(&mut headers, value.as_bytes());
    }
    let mut data = vec![0];
    data.extend_from_slice(&size(message).to_be_bytes());
    data.extend_from_slice(message);
    let mut request = Vec::new();
    push_frame(&mut request, HEADERS, END_HEADERS, &headers);
    push_frame(&mut request, DATA, END_STREAM, &data);
    request
}

fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("messages and frames are small")
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// The state of a connection.
pub(crate) struct Connection {
    /// Bytes to send.
    pub(crate) out: Vec<u8>,
    /// The stream of the last request.
    stream: u32,
    /// Received bytes of the answer's message, prefix included.
    message: usize,
    /// The send window: bytes that the server still accepts; then the received bytes not yet acknowledged.
    room: u32,
    taken: u32,
}

impl Connection {
    /// A new connection with its preface to send.
    pub(crate) fn new() -> Self {
        let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        // SETTINGS_INITIAL_WINDOW_SIZE is number 4.
        push_frame(&mut out, SETTINGS, 0, &[&[0, 4], &WIDEST.to_be_bytes()[..]].concat());
        push_frame(&mut out, WINDOW_UPDATE, 0, &(WIDEST - AT_FIRST).to_be_bytes());
        // The first request uses stream 1.
        Self { out, stream: u32::MAX, message: 0, room: AT_FIRST, taken: 0 }
    }

    /// Queues a request on a new stream.
    pub(crate) fn ask(&mut self, request: &[u8]) {
        self.stream = self.stream.wrapping_add(2);
        self.message = 0;
        let (begin, data) = (self.out.len(), FRAME_HEAD + number(&request[..3]) as usize);
        let size = size(&request[data + FRAME_HEAD..]);
        self.room = self.room.checked_sub(size).expect("the server takes a request after an answer");
        self.out.extend_from_slice(request);
        for head in [begin, begin + data] {
            self.out[head + 5..head + FRAME_HEAD].copy_from_slice(&self.stream.to_be_bytes());
        }
    }

    /// Reads complete frames; once the answer has ended, returns whether it is good.
    pub(crate) fn read(&mut self, bytes: &mut Vec<u8>) -> Option<bool> {
        let (mut at, mut ended) = (0, None);
        while let Some((head, rest)) = bytes[at..].split_at_checked(FRAME_HEAD) {
            let Some(payload) = rest.get(..number(&head[..3]) as usize) else { break };
            at += FRAME_HEAD + payload.len();
            let good = self.frame(head[3], head[4], number(&head[5..]), payload);
            if good == Some(false) {
                return good;
            }
            ended = ended.or(good);
        }
        bytes.drain(..at);
        ended
    }

    /// Handles a frame; if it ends the answer, returns whether the answer is good.
    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Option<bool> {
        match kind {
            DATA => {
                self.message += payload.len();
                self.taken += size(payload);
                if self.taken > WIDEST / 2 {
                    push_frame(&mut self.out, WINDOW_UPDATE, 0, &self.taken.to_be_bytes());
                    self.taken = 0;
                }
            }
            SETTINGS if flags & ACK == 0 => push_frame(&mut self.out, SETTINGS, ACK, &[]),
            PING if flags & ACK == 0 => push_frame(&mut self.out, PING, ACK, payload),
            WINDOW_UPDATE if stream == 0 => self.room += number(payload),
            GOAWAY => return Some(false),
            RST_STREAM if stream == self.stream => return Some(false),
            _ => {}
        }
        // An error arrives without a message, as trailers alone.
        let ends = matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 && stream == self.stream;
        ends.then_some(self.message > PREFIX)
    }
}
