//! A request that is no operation: asks a node about itself, as `[status]` and `[digest]` do.

use super::spec::{ClientKind, Step};
use super::template::Captures;
use super::{Sent, refuse};
use crate::connection::Connection;
use crate::operation::{Function, Operation};
use crate::spec::SpecError;
use bytes::Bytes;
use hyper::Response;
use hyper::header::HeaderValue;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// A request about the node itself, ready to be sent.
#[derive(Debug)]
pub(super) struct Question {
    kind: ClientKind,
    sent: Sent,
}

impl Question {
    /// The request of a section; the keys of its errors begin with the section's name.
    pub(super) fn new(section: &str, kind: ClientKind, step: &Step) -> Result<Self, SpecError> {
        if matches!(kind, ClientKind::Exec | ClientKind::Maelstrom) {
            let what = "a helper is not asked about a node; it should be http or resp";
            return refuse(format!("{section}.kind"), what);
        }
        let sent = Sent::new(kind, &BTreeMap::new(), section, step, Function::Read, &[])?;
        Ok(Self { kind, sent })
    }

    /// The protocol.
    pub(super) fn kind(&self) -> ClientKind {
        self.kind
    }

    /// The answer of a node over a new connection; none if there is none within `patience`.
    pub(super) async fn ask(&self, address: SocketAddr, patience: Duration) -> Option<Response<Bytes>> {
        let exchange = async {
            let mut connection = Connection::open(address, self.kind == ClientKind::Http).await.ok()?;
            let host = HeaderValue::try_from(address.to_string()).ok()?;
            let request = self.sent.fill(&nothing(), &host, &Captures::new()).ok()?;
            connection.exchange(request).await.ok()
        };
        timeout(patience, exchange).await.ok().flatten()
    }
}

/// The operation of a request that asks for none.
pub(super) fn nothing() -> Operation {
    Operation { function: Function::Read, key: String::new(), argument: Value::Null }
}
