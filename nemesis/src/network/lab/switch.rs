//! The switch: one thread that forwards every frame of the cluster and applies the faults of its link.

use super::capture::Capture;
use super::connections::Connections;
use super::frame;
use super::gate::Gate;
use super::{PORT, PROBES, sys};
use crate::network::lane::{Fate, Lane, Nanos};
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with, sockopt,
};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The largest frame: 64 KiB of IP and the headers before it.
const LARGEST: usize = 66_000;
/// Number of frames read from a port before the other ports have their turn.
const TURN: usize = 64;
/// Size of the kernel's buffers from the interface to the switch and back.
const SOCKET_BUFFER: usize = 32 << 20;

/// Idle time before the capture is flushed to the kernel.
const SETTLE: Duration = Duration::from_millis(100);

/// All directed links of the switch.
#[derive(Debug)]
pub(super) struct Fabric {
    lanes: Vec<Lane>,
    ports: usize,
    start: Instant,
}

impl Fabric {
    /// The links between all ports; `lane` makes each link from its two ports.
    pub(super) fn new(ports: usize, lane: impl Fn(usize, usize) -> Lane) -> Self {
        let lanes = (0..ports * ports).map(|number| lane(number / ports, number % ports)).collect();
        Self { lanes, ports, start: Instant::now() }
    }

    pub(super) fn lane(&self, from: usize, to: usize) -> &Lane {
        &self.lanes[from * self.ports + to]
    }

    pub(super) fn now(&self) -> Nanos {
        u64::try_from(self.start.elapsed().as_nanos()).expect("no switch runs for five centuries")
    }
}

/// A request to the running switch.
pub(super) enum Order {
    /// Frames that wait on this link are due at this time at the latest.
    Hurry { from: usize, to: usize, latest: Nanos },
    /// Resets the connections that one port dialled to another; the answer is their number.
    Reset { from: usize, to: usize, answer: tokio::sync::oneshot::Sender<u64> },
}

/// The handle of a running switch, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Control {
    /// None only while it is being dropped.
    orders: Option<mpsc::Sender<Order>>,
    bell: OwnedFd,
}

impl Control {
    pub(super) fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // A switch that has ended has no frames and no connections.
            let _ = orders.send(order);
        }
        self.ring();
    }

    /// What wakes the switch up, to be kept elsewhere.
    pub(super) fn bell(&self) -> io::Result<impl Fn() + Send + Sync + use<>> {
        let bell = self.bell.try_clone()?;
        Ok(move || {
            let _ = rustix::io::write(&bell, &1_u64.to_ne_bytes());
        })
    }

    fn ring(&self) {
        // It fails only when the 64-bit counter overflows.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        drop(self.orders.take());
        self.ring();
    }
}

/// A frame in transit. The number orders frames with the same due time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    due: Nanos,
    number: u64,
    from: usize,
    to: usize,
    frame: Vec<u8>,
}

/// The state of the thread.
pub(super) struct Switch {
    fabric: std::sync::Arc<Fabric>,
    ports: Vec<OwnedFd>,
    /// Connections are tracked only between ports below this one: the nodes.
    nodes: usize,
    epoll: OwnedFd,
    bell: OwnedFd,
    inbox: mpsc::Receiver<Order>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Number of waiting frames per link: a frame that keeps its order waits behind them.
    queued: Vec<u32>,
    number: u64,
    connections: Connections,
    /// The port at which every node listens.
    pub(super) listen: u16,
    /// What may hold frames between nodes back; none lets all pass.
    pub(super) gate: Option<Gate>,
    /// The capture of all frames.
    pub(super) capture: Option<Capture<BufWriter<File>>>,
}

impl Switch {
    /// Opens a socket on each interface, in the network of the calling thread.
    pub(super) fn open(
        fabric: std::sync::Arc<Fabric>,
        interfaces: &[u32],
        nodes: usize,
    ) -> io::Result<(Self, Control)> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (orders, inbox) = mpsc::channel();
        let control = Control { orders: Some(orders), bell: bell.try_clone()? };
        let mut ports = Vec::new();
        for (port, index) in interfaces.iter().enumerate() {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
            sys::listen_to_interface(&socket, *index)?;
            enlarge(&socket);
            let data = epoll::EventData::new_u64(port as u64);
            epoll::add(&epoll, &socket, data, epoll::EventFlags::IN)?;
            ports.push(socket);
        }
        epoll::add(&epoll, &bell, epoll::EventData::new_u64(ports.len() as u64), epoll::EventFlags::IN)?;
        let queued = vec![0; ports.len() * ports.len()];
        let switch = Self {
            fabric,
            ports,
            nodes,
            epoll,
            bell,
            inbox,
            waiting: BinaryHeap::new(),
            queued,
            number: 0,
            connections: Connections::default(),
            listen: PORT,
            gate: None,
            capture: None,
        };
        Ok((switch, control))
    }

    /// Forwards frames until its [`Control`] is dropped, or the kernel closes the sockets.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; LARGEST];
        loop {
            let mut events =
                [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }; 64];
            let timeout = self.timeout();
            let ready = match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
                Ok(ready) => ready,
                Err(rustix::io::Errno::INTR) => 0,
                Err(error) => return Err(error.into()),
            };
            for event in &events[..ready] {
                let data = event.data;
                let port = usize::try_from(data.u64()).expect("it was a port number when it was stored");
                if port == self.ports.len() {
                    if !self.obey() {
                        return Ok(());
                    }
                } else {
                    self.drain(port, &mut buffer)?;
                }
            }
            self.send_due();
            self.send_released();
            if ready == 0
                && let Some(capture) = &mut self.capture
            {
                capture.settle();
            }
        }
    }

    fn timeout(&self) -> Option<Timespec> {
        let due = self.waiting.peek();
        let due = due.map(|Reverse(next)| Duration::from_nanos(next.due.saturating_sub(self.fabric.now())));
        let held = self.gate.as_ref().and_then(Gate::patience);
        let Some(wait) = due.into_iter().chain(held).min() else {
            return self.capture.as_ref().and_then(|_| Timespec::try_from(SETTLE).ok());
        };
        // The kernel rejects longer waits, and an hour is practically unlimited.
        Timespec::try_from(wait.min(Duration::from_secs(3600))).ok()
    }

    /// Executes the orders; false when all senders are gone.
    fn obey(&mut self) -> bool {
        // Only a wake-up: the counter's value does not matter.
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        loop {
            match self.inbox.try_recv() {
                Ok(Order::Hurry { from, to, latest }) => self.hurry(from, to, latest),
                Ok(Order::Reset { from, to, answer }) => {
                    let (resets, count) = self.connections.reset(from, to);
                    for reset in resets {
                        let _ = send(&self.ports[reset.port], &reset.frame, SendFlags::DONTWAIT);
                    }
                    // The requester may have been cancelled.
                    let _ = answer.send(count);
                }
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn hurry(&mut self, from: usize, to: usize, latest: Nanos) {
        let mut waiting = std::mem::take(&mut self.waiting).into_vec();
        for Reverse(frame) in &mut waiting {
            if (frame.from, frame.to) == (from, to) {
                frame.due = frame.due.min(latest);
            }
        }
        self.waiting = waiting.into();
    }

    fn drain(&mut self, port: usize, buffer: &mut [u8]) -> io::Result<()> {
        for _ in 0..TURN {
            match recv(&self.ports[port], &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => self.take(port, &mut buffer[..length]),
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                // A frame was lost on its way to the switch, or an interface is being removed.
                Err(rustix::io::Errno::INTR | rustix::io::Errno::NOBUFS | rustix::io::Errno::NETDOWN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn take(&mut self, from: usize, frame: &mut [u8]) {
        let Some(to) = frame::destination(frame, self.ports.len()).filter(|to| *to != from) else { return };
        let own = frame::is_probe(frame, &PROBES, self.listen);
        if !own
            && from < self.nodes
            && to < self.nodes
            && let Some(answer) = self.connections.see(from, to, frame)
        {
            let _ = send(&self.ports[answer.port], &answer.frame, SendFlags::DONTWAIT);
            return;
        }
        if self.fabric.lane(from, to).wants_segments()
            && let Some(segments) = frame::split(frame)
        {
            for mut segment in segments {
                self.pass(from, to, &mut segment, own);
            }
        } else {
            self.pass(from, to, frame, own);
        }
    }

    /// Applies the faults of a link to a frame; `own` marks the bench's own probes.
    fn pass(&mut self, from: usize, to: usize, frame: &mut [u8], own: bool) {
        let (now, length) = (self.fabric.now(), frame::length(frame));
        let lane = self.fabric.lane(from, to);
        let fate = if own { lane.judge_own(length, now) } else { lane.judge(length, now) };
        if let Some(capture) = &mut self.capture {
            capture.frame(from, now, frame::wire(frame), &fate.in_words(now));
        }
        let sent = match fate {
            Fate::Gone => return,
            Fate::Refused => {
                if let Some(answer) = frame::refusal(frame) {
                    let _ = send(&self.ports[from], &answer, SendFlags::DONTWAIT);
                }
                return;
            }
            Fate::Sent(sent) => sent,
        };
        if let Some(draw) = sent.corrupt {
            frame::corrupt(frame, draw);
        }
        if let Some(draw) = sent.garble {
            frame::garble(frame, draw);
        }
        for _ in 0..=u8::from(sent.twice) {
            if sent.due <= now && self.queued[from * self.ports.len() + to] == 0 {
                self.deliver(from, to, frame);
            } else {
                self.queued[from * self.ports.len() + to] += 1;
                self.number += 1;
                let frame = frame.to_vec();
                self.waiting.push(Reverse(Waiting { due: sent.due, number: self.number, from, to, frame }));
            }
        }
    }

    fn send_due(&mut self) {
        let now = self.fabric.now();
        while self.waiting.peek().is_some_and(|Reverse(next)| next.due <= now) {
            let Some(Reverse(next)) = self.waiting.pop() else { return };
            self.queued[next.from * self.ports.len() + next.to] -= 1;
            self.deliver(next.from, next.to, &next.frame);
        }
    }

    /// Sends a frame, unless it must wait for its turn.
    fn deliver(&mut self, from: usize, to: usize, frame: &[u8]) {
        let between_nodes = from < self.nodes && to < self.nodes;
        if between_nodes
            && let Some(gate) = &mut self.gate
            && !frame::is_probe(frame, &PROBES, self.listen)
            && !gate.passes(from, to, frame)
        {
            return;
        }
        self.send(from, to, frame);
    }

    /// Sends the frames whose turn has come.
    fn send_released(&mut self) {
        while let Some((from, to, frame)) = self.gate.as_mut().and_then(Gate::released) {
            // A cut that has come meanwhile stops it, as it stops what the sender sends again.
            if !self.fabric.lane(from, to).is_shut() {
                self.send(from, to, &frame);
            }
        }
    }

    /// Sends a frame; counts frames that the interface rejects as lost, as on any wire.
    fn send(&self, from: usize, to: usize, frame: &[u8]) {
        if send(&self.ports[to], frame, SendFlags::DONTWAIT).is_err() {
            self.fabric.lane(from, to).counters.overflowed.fetch_add(1, Relaxed);
        }
    }
}

/// Requests the largest buffer.
///
/// A privileged process may exceed the kernel's limit.
fn enlarge(socket: impl AsFd) {
    let socket = socket.as_fd();
    if sockopt::set_socket_recv_buffer_size_force(socket, SOCKET_BUFFER).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(socket, SOCKET_BUFFER);
    }
    let _ = sockopt::set_socket_send_buffer_size(socket, SOCKET_BUFFER);
}
