//! The accepting end of a connection between nodes: admission, and the frames' content.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the sockets"
)]

use super::frame::{FrameError, Frames, HEAD};
use super::identity::{self, Agreed, Hello, Identity, hex, unhex};
use super::{CLUSTER, FROM, NONCE, PROOF, TO, WINDOW};
use crate::driver::Input;
use crate::paxos::packet::{DecodeError, decode};
use hyper::HeaderMap;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Time limit of the dialling node's last proof.
const BEGIN_WITHIN: Duration = Duration::from_secs(20);

/// Limit of one node's waiting frames, in bytes; the next is read once these are handled.
const WAITING_MAX: u32 = 8 << 20;

/// Number of refused frames since the process started.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// A frame's share of that limit, until it is handled.
#[derive(Debug)]
pub struct Room(#[expect(dead_code, reason = "dropping it releases the bytes")] OwnedSemaphorePermit);

/// An admitted node.
#[derive(Debug)]
pub struct Admission {
    from: Arc<str>,
    window: u64,
    nonce: identity::Nonce,
    proof: identity::Proof,
    agreed: Agreed,
}

/// The reason why a connection is closed.
#[derive(Debug, thiserror::Error)]
enum ReceiveError {
    #[error("the connection ended: {0}")]
    Ended(#[from] io::Error),
    #[error("its last proof did not come or does not hold")]
    Proof,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a frame cannot be decoded: {0}")]
    Decode(#[from] DecodeError),
}

impl Admission {
    /// Admits the node whose hello is in these headers; the error is the refusal.
    pub fn of(me: &Identity, headers: &HeaderMap) -> Result<Self, String> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let hello = || {
            let nonce = unhex(header(NONCE)?)?;
            let (from, to) = (header(FROM)?, header(TO)?);
            Some(Hello { from, to, cluster: header(CLUSTER)?, window: header(WINDOW)?, nonce })
        };
        let hello = hello().ok_or_else(|| {
            format!(
                "this is no hello of a member: the headers {FROM}, {TO}, {CLUSTER}, {WINDOW}, {NONCE} and {PROOF} say and \
                 prove who dials"
            )
        })?;
        let proof = header(PROOF).and_then(unhex::<{ identity::PROOF }>).unwrap_or_default();
        if let Some(objection) = me.objection(&hello, &proof) {
            return Err(objection);
        }
        let nonce = rand::random();
        let (proof, agreed) = (me.answer(&hello, &nonce), me.agree(&hello, &nonce));
        Ok(Self { from: hello.from.into(), window: me.window, nonce, proof, agreed })
    }

    /// The node's name.
    pub fn from(&self) -> &Arc<str> {
        &self.from
    }

    /// The headers of the answer.
    pub fn headers(&self) -> [(&'static str, String); 2] {
        [(NONCE, hex(&self.nonce)), (PROOF, hex(&self.proof))]
    }

    /// Hands the node's frames to the driver until its connection ends.
    pub async fn receive(self, upgraded: Upgraded, inbox: mpsc::UnboundedSender<Input>) {
        let mut stream = BufReader::with_capacity(64 << 10, TokioIo::new(upgraded));
        let mut begin = [0; identity::PROOF];
        let arrived = tokio::time::timeout(BEGIN_WITHIN, stream.read_exact(&mut begin)).await;
        // The proof is new for every connection, so the duration of the comparison reveals no useful secret.
        if !matches!(arrived, Ok(Ok(_))) || begin != self.agreed.begin {
            return self.say(&ReceiveError::Proof);
        }
        if let Err(error) = self.frames(&mut stream, &inbox).await {
            self.say(&error);
        }
        let _ = inbox.send(Input::Lost(self.from));
    }

    async fn frames(
        &self,
        stream: &mut BufReader<TokioIo<Upgraded>>,
        inbox: &mpsc::UnboundedSender<Input>,
    ) -> Result<(), ReceiveError> {
        let mut frames = Frames::new(&self.agreed.session);
        let room = Arc::new(Semaphore::new(WAITING_MAX as usize));
        let mut buffer = Vec::new();
        loop {
            let mut head = [0; HEAD];
            stream.read_exact(&mut head).await?;
            let length = frames.head(head)?;
            if buffer.len() < length {
                buffer.resize(length, 0);
            }
            let payload = &mut buffer[..length];
            stream.read_exact(payload).await?;
            frames.payload(payload)?;
            let packets = decode(payload, self.window)?;
            let bytes = u32::try_from(length).unwrap_or(WAITING_MAX).min(WAITING_MAX);
            let Ok(room) = Arc::clone(&room).acquire_many_owned(bytes).await else { return Ok(()) };
            let from = Arc::clone(&self.from);
            if inbox.send(Input::Frame { from, packets, room: Room(room) }).is_err() {
                return Ok(());
            }
        }
    }

    /// Logs the reason of a close: at first every time, then less and less often.
    fn say(&self, error: &ReceiveError) {
        if !matches!(error, ReceiveError::Ended(_)) {
            let count = REFUSED.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_power_of_two() {
                eprintln!(
                    "closing a connection from {}: {error} (number {count} since the start)",
                    self.from
                );
            }
        }
    }
}
