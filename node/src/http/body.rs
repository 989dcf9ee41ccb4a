//! Bodies of requests: read within a budget and a time limit, or discarded.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the clock"
)]

use super::Server;
use super::budget::{Held, SMALL};
use super::respond::Failure;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::EXPECT;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Largest body of a request, in bytes.
pub(super) const BODY_MAX: usize = 1 << 20;

/// Time limit of a body, and longest silence within it.
const TIME_LIMIT: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(10);

/// Longest silence within a body while other requests wait for memory.
const SILENCE_WHILE_SCARCE: Duration = Duration::from_secs(2);

/// Time for reading the rest of a refused request's body, so that its client reads the answer.
const THROW_AWAY: Duration = Duration::from_secs(5);

/// Interval of checks on a body that does not arrive.
const LOOK: Duration = Duration::from_millis(500);

type Arrived = Option<Result<Frame<Bytes>, hyper::Error>>;

/// A request with a text body, and the memory reserved for the text while the command is in progress.
pub(super) struct Text {
    pub(super) text: String,
    pub(super) held: Held,
}

/// Reads a request's body, as text.
pub(super) async fn read(server: &Server, request: &mut Request<Incoming>) -> Result<Text, Failure> {
    let (bytes, held) = collect(server, request.body_mut()).await?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        Failure::bad(format!("the body is not UTF-8 from byte {offset} on"))
    })?;
    Ok(Text { text, held })
}

/// Collects a body into its own copy.
///
/// Its frames may be small parts of large, long-lived buffers.
async fn collect(server: &Server, body: &mut Incoming) -> Result<(Vec<u8>, Held), Failure> {
    let known = body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    let room = known.unwrap_or(SMALL);
    if room > BODY_MAX {
        return Err(Failure::too_large(BODY_MAX));
    }
    let mut held = hold(server, room).await?;
    let mut bytes = Vec::with_capacity(room);
    let begun = Instant::now();
    while let Some(frame) = arrive(server, body, begun).await? {
        let frame = frame.map_err(|error| Failure::bad(format!("the body did not arrive: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > BODY_MAX {
            return Err(Failure::too_large(BODY_MAX));
        }
        if known.is_none() && bytes.len() <= SMALL && bytes.len() + data.len() > SMALL {
            held = hold(server, BODY_MAX).await?;
            bytes.reserve_exact(BODY_MAX - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    if known.is_none() {
        bytes.shrink_to_fit();
    }
    Ok((bytes, held))
}

async fn hold(server: &Server, bytes: usize) -> Result<Held, Failure> {
    let held = server.bodies.hold(bytes, 0).await;
    held.ok_or_else(|| Failure::busy("too many bytes of other requests are under way"))
}

/// The next frame, mostly available at once; an error if it does not arrive in time.
async fn arrive(server: &Server, body: &mut Incoming, begun: Instant) -> Result<Arrived, Failure> {
    let there = poll_fn(|context| Poll::Ready(Pin::new(&mut *body).poll_frame(context))).await;
    if let Poll::Ready(frame) = there {
        return Ok(frame);
    }
    let since = Instant::now();
    loop {
        if let Ok(frame) = tokio::time::timeout(LOOK, body.frame()).await {
            return Ok(frame);
        }
        let silence = if server.bodies.is_scarce() { SILENCE_WHILE_SCARCE } else { SILENCE };
        if since.elapsed() >= silence || begun.elapsed() >= TIME_LIMIT {
            return Err(Failure::late(begun.elapsed()));
        }
    }
}

/// Reads and discards the rest of a refused request's body in the background.
///
/// A client that waits for permission to send it gets none.
pub(super) fn throw_away(request: Request<Incoming>) {
    if request.headers().contains_key(EXPECT) || request.body().is_end_stream() {
        return;
    }
    let mut body = request.into_body();
    let all = async move {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > 2 * BODY_MAX {
                break;
            }
        }
    };
    tokio::spawn(tokio::time::timeout(THROW_AWAY, all));
}
