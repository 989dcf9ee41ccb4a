//! Clients of databases: every operation is a transaction of statements.
//!
//! **The problem.** When an exchange with a database breaks, did the operation happen? A wrong *fail* makes a sound database
//! invalid, and a wrong *ok* hides a loss.
//!
//! **The idea.** An operation is `BEGIN`, its statements, `COMMIT`, also where it is one statement. So there is one moment before
//! which it certainly did not happen: the one at which `COMMIT` is sent.
//!
//! - Before it, every error, time-out and broken connection is *fail*, with the code of the server, unless a rule says
//!   otherwise. The transaction is rolled back, or its connection is closed; nothing of it is ever sent again.
//! - An answer of a statement counts only when `COMMIT` was acknowledged. What no rule fits is rolled back and *info*.
//! - At `COMMIT`, an error is *fail* only where the protocol defines its code as a transaction that was rolled back, or a rule
//!   says so. All other errors, a time-out and a broken connection are *info*.
//! - After an error of a statement, `COMMIT` is never sent: PostgreSQL would roll back and report success, and so would MySQL after
//!   a deadlock.
//!
//! For this to hold, the statements must not end the transaction themselves, so only those are taken that cannot.

#[cfg_attr(
    not(any(feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "only the protocols have results and errors")
)]
mod link;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod speaker;
mod steps;
mod table;
#[cfg(test)]
mod tests;

use super::ClientKind;
use super::refuse;
use crate::spec::SpecError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub(crate) use speaker::SqlClients;
pub(super) use table::SqlTable;

/// The isolation levels of the SQL standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Dirty reads are allowed; PostgreSQL has none all the same.
    ReadUncommitted,
    /// Each statement sees what was committed before it.
    ReadCommitted,
    /// All reads come from one snapshot.
    RepeatableRead,
    /// As if transactions ran one after another.
    Serializable,
}

impl Isolation {
    /// Its name in SQL.
    fn sql(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "read uncommitted",
            Self::ReadCommitted => "read committed",
            Self::RepeatableRead => "repeatable read",
            Self::Serializable => "serializable",
        }
    }
}

/// `[client.txn]`: the statements from which transactions are put together, in the order of their steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TransactionSpec {
    /// Reads {key}: the first column has the value, or of a list the elements, in one row with commas or in a row each.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub read: String,
    /// Workload list-append: adds {value} at the end of the list {key}.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub append: String,
    /// Workloads rw-register and bank: sets {key} to {value}.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub write: String,
}

/// What the protocols differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Postgres,
    Mysql,
}

impl Dialect {
    /// That of a kind of client.
    fn of(kind: ClientKind) -> Self {
        match kind {
            ClientKind::Mysql => Self::Mysql,
            ClientKind::Http
            | ClientKind::Resp
            | ClientKind::Postgres
            | ClientKind::Exec
            | ClientKind::Maelstrom => Self::Postgres,
        }
    }

    /// The user where the spec names none.
    fn usual_user(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "root",
        }
    }

    /// What stands in a statement for its parameter with this number, from 1.
    fn placeholder(self, number: usize) -> String {
        match self {
            Self::Postgres => format!("${number}"),
            Self::Mysql => "?".to_owned(),
        }
    }

    /// The statement that begins a transaction.
    fn begin(self, isolation: Option<Isolation>) -> String {
        match (self, isolation) {
            (Self::Postgres, Some(level)) => format!("begin isolation level {}", level.sql()),
            (Self::Postgres, None) => "begin".to_owned(),
            // The level is that of the connection.
            (Self::Mysql, _) => "start transaction".to_owned(),
        }
    }

    /// Whether an error at COMMIT means by definition that the transaction was rolled back: a serialization failure and a deadlock;
    /// of MySQL also what group replication says of a transaction that it refused.
    fn is_rolled_back(self, code: &str) -> bool {
        match self {
            Self::Postgres => matches!(code, "40001" | "40P01"),
            Self::Mysql => matches!(code, "1213" | "3101"),
        }
    }
}

/// Refuses a kind whose protocol was left out of this program.
pub(crate) fn check_is_built_in(kind: ClientKind) -> Result<(), SpecError> {
    let (built, protocol, feature) = match Dialect::of(kind) {
        Dialect::Postgres => (cfg!(feature = "postgres"), "PostgreSQL", "postgres"),
        Dialect::Mysql => (cfg!(feature = "mysql"), "MySQL", "mysql"),
    };
    if built {
        return Ok(());
    }
    let what = format!(
        "this bench was built without the protocol of {protocol}; build it with `cargo build --release --features {feature}`"
    );
    refuse("client.kind", what)
}
