//! The driver: the shell of one node's core, with its clock, log, connections and clients.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the clock"
)]

use crate::config::{NodeConfig, Read};
use crate::core::{self, Core, Output, Saved};
pub use crate::core::{Decisions, Reply};
use crate::log::{DataFolder, Log, LogError, LogEvent, LogWriter, Recovered};
use crate::paxos::membership::{Membership, Roster};
use crate::paxos::message::{Command, Slot};
use crate::paxos::packet::Packet;
use crate::status::{Recovery, Status};
use crate::trace::{Restored, Started, TraceFile};
use crate::transport::{Peers, Room};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;

/// Largest number of inputs in one turn.
const TURN: usize = 1024;

/// The longest sleep, which keeps the time within the clock's range.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// Inputs from outside the driver.
#[derive(Debug)]
pub enum Input {
    /// A client's command.
    Request {
        /// The command.
        command: Command,
        /// How to answer a read; none means the node's own option.
        read: Option<Read>,
        /// The recipient of the reply.
        reply: oneshot::Sender<Reply>,
    },
    /// Messages of another node.
    Frame {
        /// The node's name.
        from: Arc<str>,
        /// Its messages, in order.
        packets: Vec<Packet>,
        /// Their share of this connection's budget for waiting frames, until they are handled.
        room: Room,
    },
    /// The connection from this node broke.
    Lost(Arc<str>),
    /// The log has carried out an order, or has failed for good.
    Log(Result<LogEvent, LogError>),
    /// A snapshot is durable, or could not be written.
    Saved(Result<Saved, LogError>),
    /// A request for the membership.
    Members(oneshot::Sender<Membership>),
    /// A request for the node's status.
    Status(oneshot::Sender<Status>),
    /// A request for the decisions of slots from one (inclusive) to another (exclusive).
    Decisions(Slot, Slot, oneshot::Sender<Decisions>),
}

/// A client that waits for a reply.
type Client = oneshot::Sender<Reply>;

/// One node: its core, and the I/O that executes the core's outputs.
pub struct Driver {
    core: Core<Client>,
    started: Instant,
    peers: Peers,
    log: LogWriter,
    folder: DataFolder,
    inbox: mpsc::UnboundedSender<Input>,
    /// Where the node's trace goes, if it writes one.
    trace: Option<TraceFile>,
    /// Empty between two inputs; kept to reuse its memory.
    outputs: Vec<Output<Client>>,
}

impl Driver {
    /// Builds the core from the log's content. `roster` is the membership before the first record.
    ///
    /// `life` differs from that of every earlier process of this node. The process ends if it cannot write its `trace`.
    pub fn new(
        config: NodeConfig,
        roster: &Roster,
        (started, life): (Instant, u64),
        (log, recovered): (Log, Recovered),
        (peers, trace): (Peers, Option<TraceFile>),
        inbox: mpsc::UnboundedSender<Input>,
    ) -> Self {
        let mut outputs = Vec::new();
        let restored = trace.is_some().then(|| Restored::of(&recovered));
        let mut core = Core::new(config, roster, life, (recovered, log.bytes()), &mut outputs);
        core.recovered_in(started.elapsed().as_secs_f64());
        let (folder, reports) = (log.folder(), inbox.clone());
        let log = LogWriter::start(log, move |event| {
            // The driver is dropped only when the process ends.
            let _ = reports.send(Input::Log(event));
        });
        let mut driver = Self { core, started, peers, log, folder, inbox, trace, outputs };
        if let (Some(trace), Some(restored)) = (&mut driver.trace, restored) {
            trace.tracer.start(Started::of(&driver.core, restored));
        }
        driver.carry_out();
        driver
    }

    /// The data that the node recovered from its log.
    pub fn recovery(&self) -> &Recovery {
        self.core.recovery()
    }

    /// Runs until the log fails, or every sender of inputs is dropped.
    pub async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Input>) -> Result<(), LogError> {
        let mut inputs = Vec::with_capacity(TURN);
        let mut alarm = pin!(tokio::time::sleep_until(self.started.into()));
        loop {
            let latest = self.started.elapsed() + LONGEST_SLEEP;
            let wake = self.started + self.core.wake().min(latest);
            tokio::select! {
                biased;
                received = inbox.recv_many(&mut inputs, TURN) => if received == 0 { return Ok(()) },
                () = ring(alarm.as_mut(), wake) => {}
            }
            let now = self.started.elapsed();
            for input in inputs.drain(..) {
                self.input(now, input)?;
            }
            self.step(now, core::Input::Tick);
            self.step(now, core::Input::Flush);
            self.peers.flush();
        }
    }

    fn input(&mut self, now: Duration, input: Input) -> Result<(), LogError> {
        match input {
            Input::Request { command, read, reply } => {
                self.step(now, core::Input::Request { command, read, client: reply });
            }
            Input::Frame { from, packets, room } => {
                self.step(now, core::Input::Packets { from, packets });
                drop(room);
            }
            Input::Lost(from) => self.step(now, core::Input::Lost(from)),
            Input::Log(event) => self.step(now, core::Input::Log(event?)),
            Input::Saved(saved) => self.step(now, core::Input::Saved(saved?)),
            // The requesting task may have ended.
            Input::Members(reply) => drop(reply.send(self.core.membership().clone())),
            Input::Status(reply) => drop(reply.send(self.core.status(std::process::id()))),
            Input::Decisions(from, to, reply) => drop(reply.send(self.core.decisions(from, to))),
        }
        Ok(())
    }

    fn step(&mut self, now: Duration, input: core::Input<Client>) {
        if let Some(trace) = &mut self.trace {
            trace.tracer.input(&input);
        }
        self.core.step(now, input, &mut self.outputs);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.tracer.outputs(&self.core, &self.outputs);
            // A trace with a gap would prove nothing, so the node does not go on without it.
            if let Err(error) = trace.write() {
                eprintln!("error: the trace cannot be written: {error}");
                std::process::exit(4);
            }
        }
        for output in self.outputs.drain(..) {
            match output {
                Output::Send(to, message) => self.peers.push(to, message),
                // A disconnected client needs no reply.
                Output::Reply(client, reply) => drop(client.send(reply)),
                Output::Log(order) => self.log.order(order),
                Output::Snapshot { index, slot_out, payload } => {
                    save(self.folder.clone(), self.inbox.clone(), (index, slot_out), payload);
                }
                Output::Dial { greeting, others } => self.peers.dial(greeting, others),
                Output::Notice(notice) => println!("{notice}"),
            }
        }
    }
}

/// Writes a snapshot in a thread of its own, and reports it to the driver once durable.
fn save(
    folder: DataFolder,
    inbox: mpsc::UnboundedSender<Input>,
    (index, slot_out): (u64, Slot),
    payload: Vec<u8>,
) {
    std::thread::spawn(move || {
        let saved = folder.save_snapshot(index, &payload);
        let saved = saved.map(|()| Saved { index, slot_out, bytes: payload.len() as u64 });
        // The driver is dropped only when the process ends.
        let _ = inbox.send(Input::Saved(saved));
    });
}

/// Waits until then, or less. Setting an alarm costs a system call, so an early alarm stays as it is.
async fn ring(mut alarm: Pin<&mut Sleep>, wake: Instant) {
    if alarm.deadline().into_std() > wake || alarm.is_elapsed() {
        alarm.as_mut().reset(wake.into());
    }
    alarm.await;
}
