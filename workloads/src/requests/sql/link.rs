//! A connection to a database, whatever its protocol.

use super::table::Login;
use crate::outcome::{Answer, Happened};
use serde_json::{Value, json};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

/// What is awaited from a database.
pub(super) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a statement has no result.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trouble {
    /// The server refused it with this code.
    Refused { code: String, message: String },
    /// The result has a type that cannot be read, in words.
    Unreadable(String),
    /// The connection broke.
    Broken(Happened),
}

impl Trouble {
    /// As rules see it.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Refused { code, message } => json!({ "error": code, "message": message }),
            Self::Unreadable(message) => json!({ "message": message }),
            Self::Broken(happened) => json!({ "message": happened.in_words() }),
        }
    }

    /// What an input or output error did to a connection that was open.
    pub(super) fn of_io(kind: io::ErrorKind) -> Self {
        Self::Broken(match kind {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Happened::Reset,
            io::ErrorKind::UnexpectedEof => Happened::Closed,
            _ => Happened::Broken,
        })
    }

    /// What it means where it kept a connection from being made: nothing was asked yet.
    pub(super) fn at_connect(self) -> (Happened, String) {
        let words = self.json().to_string();
        match self {
            Self::Refused { code, .. } => (Happened::Answered(Answer::Failed(code)), words),
            Self::Unreadable(_) => (Happened::NotSent, words),
            Self::Broken(Happened::Refused) => (Happened::Refused, words),
            Self::Broken(_) => (Happened::Unreachable, words),
        }
    }
}

/// The result of a statement.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rows {
    pub(super) rows: Vec<Vec<Value>>,
    /// How many rows it found or changed.
    pub(super) count: u64,
}

impl Rows {
    /// As rules see it.
    pub(super) fn json(&self) -> Value {
        json!({ "rows": self.rows, "count": self.count })
    }
}

/// A connection; dropping it closes it.
pub(super) trait Link: Send {
    /// Carries out a statement with its parameters, and reads the result to its end.
    fn run<'a>(
        &'a mut self,
        sql: &'a str,
        parameters: Vec<Option<String>>,
    ) -> Pending<'a, Result<Rows, Trouble>>;

    /// Carries out a statement without parameters, whose result is of no interest.
    fn command<'a>(&'a mut self, sql: &'a str) -> Pending<'a, Result<(), Trouble>>;

    /// Whether it is not known to have ended.
    fn is_open(&self) -> bool;
}

/// Makes connections.
pub(super) type Connect =
    Box<dyn Fn(SocketAddr) -> Pending<'static, Result<Box<dyn Link>, Trouble>> + Send + Sync>;

/// What makes connections for this login.
pub(super) fn connect(login: Login) -> Connect {
    Box::new(move |address| open(address, login.clone()))
}

fn open(address: SocketAddr, login: Login) -> Pending<'static, Result<Box<dyn Link>, Trouble>> {
    #[cfg(feature = "postgres")]
    if login.dialect == super::Dialect::Postgres {
        return Box::pin(super::postgres::connect(address, login));
    }
    #[cfg(feature = "mysql")]
    if login.dialect == super::Dialect::Mysql {
        return Box::pin(super::mysql::connect(address, login));
    }
    // A spec that needs what was left out is refused.
    drop((address, login));
    Box::pin(async { Err(Trouble::Broken(Happened::Unreachable)) })
}
