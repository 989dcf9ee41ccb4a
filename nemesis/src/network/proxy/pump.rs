//! One direction of a connection: reads chunks, holds each until it is due, writes in order.
//!
//! It reads on while chunks wait, so a delay costs latency but no bandwidth. The queue is bounded; a full queue
//! slows the sender, as any slow receiver does.

use super::link::{Lane, LinkState};
use crate::network::condition::Condition;
use crate::network::counters::add;
use rand::rngs::ChaCha8Rng;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Largest chunk of one read.
const CHUNK: usize = 32 * 1024;
/// Largest queue of one direction of one connection.
const KEEP: usize = 4 * 1024 * 1024;
/// At a limited rate, chunks and the queue are smaller, so that bytes flow steadily.
const PIECES_A_SECOND: u64 = 50;

/// Bytes with the same due time.
#[derive(Debug, Clone, Copy)]
struct Mark {
    bytes: usize,
    due: Instant,
}

/// The end of the reading side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Closed,
    Broken,
}

/// One direction of a connection.
pub(super) struct Pump<'a> {
    link: &'a LinkState,
    lane: Lane,
    watch: watch::Receiver<Condition>,
    condition: Condition,
    rng: ChaCha8Rng,
    counted: bool,
    buffer: Box<[u8]>,
    /// The queue: first `ready` due bytes, then those of `marks`.
    queue: VecDeque<u8>,
    marks: VecDeque<Mark>,
    ready: usize,
    last_due: Instant,
    end: End,
}

impl<'a> Pump<'a> {
    pub(super) fn new(link: &'a LinkState, lane: Lane, connection: u64, counted: bool) -> Self {
        let watch = link.condition();
        let condition = *watch.borrow();
        Self {
            link,
            lane,
            watch,
            condition,
            rng: link.rng(connection, lane),
            counted,
            buffer: vec![0; CHUNK].into_boxed_slice(),
            queue: VecDeque::new(),
            marks: VecDeque::new(),
            ready: 0,
            last_due: Instant::now(),
            end: End::Open,
        }
    }

    /// Waits for the duration of a handshake on this link, and while the link is cut.
    ///
    /// Meanwhile it holds the bytes of the dialling side.
    ///
    /// None if the dialling side hung up during the cut: its SYN would never have arrived.
    pub(super) async fn before_dialling<'r>(&mut self, mut reader: ReadHalf<'r>) -> Option<ReadHalf<'r>> {
        let dial_at = Instant::now() + self.draw() + self.draw();
        loop {
            self.refresh();
            let stalled = self.condition.stalled;
            if !stalled && Instant::now() >= dial_at {
                return Some(reader);
            }
            let limit = self.limit();
            tokio::select! {
                changed = self.watch.changed() => {
                    changed.ok()?;
                    self.update();
                }
                read = reader.read(&mut self.buffer[..limit]), if stalled && self.may_read() => {
                    self.took(&read);
                    if self.end != End::Open {
                        return None;
                    }
                }
                () = sleep_until(dial_at), if !stalled => {}
            }
        }
    }

    /// Forwards all bytes until the reading side ends, then ends the writing side in the same way.
    pub(super) async fn run(mut self, mut reader: ReadHalf<'_>, mut writer: WriteHalf<'_>) -> io::Result<()> {
        loop {
            self.refresh();
            self.ripen(Instant::now());
            let stalled = self.condition.stalled;
            if !stalled && self.ready == 0 && self.marks.is_empty() {
                match self.end {
                    End::Open => {}
                    End::Closed => return writer.shutdown().await,
                    End::Broken => return Err(io::ErrorKind::ConnectionReset.into()),
                }
            }
            let may_read = self.may_read();
            let may_write = !stalled && self.ready > 0;
            let wake = self.marks.front().map(|mark| mark.due).filter(|_| !stalled && self.ready == 0);
            let limit = self.limit();
            let front = self.queue.as_slices().0;
            let due = &front[..front.len().min(self.ready)];
            tokio::select! {
                biased;
                changed = self.watch.changed() => {
                    changed.map_err(|_| io::Error::from(io::ErrorKind::ConnectionReset))?;
                    self.update();
                }
                written = writer.write(due), if may_write => {
                    let written = written?;
                    self.ready -= written;
                    self.queue.drain(..written);
                }
                read = reader.read(&mut self.buffer[..limit]), if may_read => {
                    if !self.passed_at_once(&read, &writer) {
                        self.took(&read);
                    }
                }
                () = sleep_until(wake.unwrap_or(self.last_due)), if wake.is_some() => {}
            }
        }
    }

    fn may_read(&self) -> bool {
        let keep = self
            .condition
            .rate
            .map_or(KEEP, |rate| usize::try_from(rate / 4).unwrap_or(KEEP).clamp(CHUNK / 2, KEEP));
        self.end == End::Open && self.queue.len() < keep
    }

    fn limit(&self) -> usize {
        let piece = self.condition.rate.map(|rate| usize::try_from(rate / PIECES_A_SECOND).unwrap_or(CHUNK));
        piece.map_or(CHUNK, |piece| piece.clamp(256, CHUNK))
    }

    /// Writes a chunk directly if the link has no fault and no queue; queues the rest of it.
    fn passed_at_once(&mut self, read: &io::Result<usize>, writer: &WriteHalf<'_>) -> bool {
        let plain =
            self.condition.delay.is_zero() && self.condition.rate.is_none() && !self.condition.stalled;
        let changed = self.watch.has_changed().unwrap_or(true);
        let Ok(length @ 1..) = *read else { return false };
        if !plain || changed || !self.queue.is_empty() {
            return false;
        }
        let Ok(written) = writer.try_write(&self.buffer[..length]) else { return false };
        self.queue.extend(&self.buffer[written..length]);
        self.ready = length - written;
        self.count(length);
        true
    }

    fn count(&self, length: usize) {
        if !self.counted {
            return;
        }
        let counters = &self.link.counters;
        add(&counters.chunks, &counters.bytes, length);
        if self.condition.stalled {
            add(&counters.held_chunks, &counters.held_bytes, length);
        }
        if self.condition.slowed {
            add(&counters.delayed_chunks, &counters.delayed_bytes, length);
        }
    }

    /// Appends the read bytes to the queue; the end of the stream is queued like a chunk.
    fn took(&mut self, read: &io::Result<usize>) {
        self.refresh();
        let length = *read.as_ref().unwrap_or(&0);
        self.end = match read {
            Ok(0) => End::Closed,
            Ok(_) => End::Open,
            Err(_) => End::Broken,
        };
        if length > 0 {
            self.count(length);
        }
        let now = Instant::now();
        let sent = match self.condition.rate {
            Some(rate) => self.link.leave(self.lane, length, rate, now),
            None => now,
        };
        self.last_due = self.last_due.max(sent + self.draw());
        self.queue.extend(&self.buffer[..length]);
        match self.marks.back_mut() {
            Some(last) if last.due == self.last_due => last.bytes += length,
            Some(_) | None => self.marks.push_back(Mark { bytes: length, due: self.last_due }),
        }
    }

    /// Moves the bytes that are due to the ready bytes.
    fn ripen(&mut self, now: Instant) {
        while let Some(mark) = self.marks.front().filter(|mark| mark.due <= now) {
            self.ready += mark.bytes;
            self.marks.pop_front();
        }
    }

    /// Reads a change of the link's condition, if there is one.
    fn refresh(&mut self) {
        if self.watch.has_changed().unwrap_or(false) {
            self.update();
        }
    }

    /// Shortens all waits to the link's current delay, so that a healed delay ends at once.
    fn update(&mut self) {
        self.condition = *self.watch.borrow_and_update();
        if self.condition.rate.is_none() {
            let latest = Instant::now() + self.condition.delay.longest();
            self.last_due = self.last_due.min(latest);
            for mark in &mut self.marks {
                mark.due = mark.due.min(latest);
            }
        }
    }

    fn draw(&mut self) -> Duration {
        self.condition.delay.draw(&mut self.rng)
    }
}
