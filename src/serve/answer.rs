//! Responses with headers that restrict the browser to showing them.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use maud::Markup;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::Receiver;

/// The content policy of this server's pages: own style, own script, pictures and frames from here.
const OWN: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                   frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The content policy of a report: it may run its inline scripts and styles.
///
/// The sandbox removes its origin, so it can read no other page, and `default-src 'none'` blocks the network.
const REPORT: &str = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
/// The content policy of any other file.
const NOTHING: &str =
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'";

/// A response of this server.
pub(super) type Answered = Response<Content>;

/// The body of a response: complete, or in pieces.
pub(super) enum Content {
    Whole(Option<Bytes>),
    Pieces(Receiver<Bytes>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(pieces) => {
                pieces.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

/// The kind of content, by its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// A page of this server.
    Own,
    /// A report, with its own scripts.
    Report,
    /// Any other file.
    File,
}

pub(super) fn answer(status: StatusCode, kind: &'static str, trust: Trust, content: Content) -> Answered {
    let policy = match trust {
        Trust::Own => OWN,
        Trust::Report => REPORT,
        Trust::File => NOTHING,
    };
    let mut response = Response::new(content);
    *response.status_mut() = status;
    let headers: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page of this server.
pub(super) fn page(status: StatusCode, markup: Markup) -> Answered {
    complete(status, "text/html; charset=utf-8", Trust::Own, markup.into_string())
}

pub(super) fn complete(
    status: StatusCode,
    kind: &'static str,
    trust: Trust,
    bytes: impl Into<Bytes>,
) -> Answered {
    answer(status, kind, trust, Content::Whole(Some(bytes.into())))
}
