//! A closed-loop client: its connection, its next operation, and the state of the current exchange.

use super::wire::{Head, Requests};
use crate::generator::Generator;
use crate::operation::Function;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// What is read at once; an answer may be longer.
const CHUNK: usize = 16 << 10;

/// What a client does.
#[derive(Debug)]
pub(super) enum Work {
    /// Operations as they are drawn, none begun after this.
    Until(Instant, Box<Generator>),
    /// Writes to every `step`-th key from `next` to `end`, each until it succeeds.
    Keys { next: u32, step: u32, end: u32 },
}

impl Work {
    fn next(&mut self, now: Instant) -> Option<(Function, u32)> {
        match self {
            Self::Until(until, generator) if now < *until => {
                generator.next().map(|draft| (draft.function, draft.key))
            }
            Self::Until(..) => None,
            Self::Keys { next, step, end } => {
                let key = *next;
                *next = next.saturating_add(*step);
                (key < *end).then_some((Function::Put, key))
            }
        }
    }

    fn failed(&mut self) {
        match self {
            Self::Until(..) => {}
            Self::Keys { next, step, .. } => *next -= *step,
        }
    }
}

/// A client with the connection it keeps.
#[derive(Debug)]
pub(super) struct Client {
    token: Token,
    address: SocketAddr,
    work: Work,
    stream: Option<TcpStream>,
    /// The operation under way.
    open: Option<(Function, u32)>,
    /// Bytes of its request that were sent.
    sent: usize,
    answer: Vec<u8>,
    /// When the operation under way was begun.
    pub(super) begun: Instant,
}

impl Client {
    pub(super) fn new(number: usize, address: SocketAddr, work: Work) -> Self {
        Self {
            token: Token(number),
            address,
            work,
            stream: None,
            open: None,
            sent: 0,
            answer: Vec::new(),
            begun: Instant::now(),
        }
    }

    /// Begins the next operation; false if there is none. What went wrong if it cannot be sent.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        requests: &Requests,
        registry: &Registry,
    ) -> Result<bool, &'static str> {
        self.open = self.work.next(now);
        if self.open.is_none() {
            self.stream = None;
            return Ok(false);
        }
        (self.begun, self.sent) = (now, 0);
        self.answer.clear();
        let sent = self.connect(registry).and_then(|()| self.send(requests));
        sent.inspect_err(|_| self.give_up())?;
        Ok(true)
    }

    fn connect(&mut self, registry: &Registry) -> Result<(), &'static str> {
        if self.stream.is_some() {
            return Ok(());
        }
        let made = std::net::TcpStream::connect_timeout(&self.address, CONNECT_WITHIN).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            registry.register(&mut stream, self.token, Interest::READABLE | Interest::WRITABLE)?;
            Ok(stream)
        });
        self.stream = Some(made.map_err(|_| "refused")?);
        Ok(())
    }

    fn send(&mut self, requests: &Requests) -> Result<(), &'static str> {
        let (Some(stream), Some((function, key))) = (&mut self.stream, self.open) else { return Ok(()) };
        let request = requests.of(function, key);
        while self.sent < request.len() {
            match stream.write(&request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err("reset"),
            }
        }
        Ok(())
    }

    /// Goes on after the system has said that it can: whether the answer is whole now, and what was wrong with it.
    pub(super) fn go_on(&mut self, requests: &Requests) -> Option<Result<(), &'static str>> {
        self.open?;
        let done = self.send(requests).and_then(|()| self.read(requests));
        match done {
            Ok(None) => None,
            Ok(Some(200)) => Some(Ok(())),
            Ok(Some(status)) => {
                self.work.failed();
                self.open = None;
                Some(Err(in_words(status)))
            }
            Err(error) => {
                self.give_up();
                Some(Err(error))
            }
        }
    }

    /// Reads what has come; the status if the answer is whole.
    fn read(&mut self, requests: &Requests) -> Result<Option<u16>, &'static str> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        let mut chunk = [0; CHUNK];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) => return Err("closed"),
                Ok(count) => self.answer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Err("reset"),
            }
            match requests.head(&self.answer)? {
                Head::Unfinished => {}
                Head::Answered(status) => return Ok(Some(status)),
            }
        }
    }

    /// The connection is of no use any more.
    fn give_up(&mut self) {
        self.work.failed();
        (self.stream, self.open) = (None, None);
    }
}

fn in_words(status: u16) -> &'static str {
    match status {
        404 => "status 404",
        429 => "status 429",
        500 => "status 500",
        503 => "status 503",
        504 => "status 504",
        _ => "another status",
    }
}
