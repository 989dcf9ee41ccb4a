//! The protocol of MySQL and MariaDB, by the crate `mysql_async`.

use super::link::{Link, Pending, Rows, Trouble};
use super::table::Login;
use crate::outcome::Happened;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, IoError, OptsBuilder, Params, Row, Value as Cell};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;

/// A connection; the driver closes it when it is dropped.
struct MysqlLink {
    connection: Conn,
    /// Whether an error ended it.
    ended: bool,
}

/// The largest packet, and the longest idle time in seconds: what is given here is not asked of the server.
const PACKET: usize = 16 << 20;
const IDLE: usize = 28_800;

/// Connects and logs in.
pub(super) async fn connect(address: SocketAddr, login: Login) -> Result<Box<dyn Link>, Trouble> {
    let options = OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(login.user))
        .pass(login.password)
        .db_name(login.database)
        // All goes through the network that faults act on, and never over a socket in the file system.
        .prefer_socket(false)
        .tcp_nodelay(true)
        .max_allowed_packet(Some(PACKET))
        .wait_timeout(Some(IDLE))
        // An update counts the rows that it found, also those that held the value already.
        .client_found_rows(true);
    let connection = Conn::new(options).await.map_err(|error| match error {
        Error::Io(IoError::Io(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Trouble::Broken(Happened::Refused)
        }
        error => trouble(&error),
    })?;
    let mut link = MysqlLink { connection, ended: false };
    if let Some(level) = login.isolation {
        link.command(&format!("set session transaction isolation level {}", level.sql())).await?;
    }
    Ok(Box::new(link))
}

impl MysqlLink {
    fn trouble(&mut self, error: &Error) -> Trouble {
        self.ended |= error.is_fatal();
        trouble(error)
    }

    async fn rows(&mut self, sql: &str, parameters: Params) -> Result<(Vec<Row>, u64), Error> {
        let mut result = self.connection.exec_iter(sql, parameters).await?;
        let rows = result.collect::<Row>().await?;
        result.drop_result().await?;
        let changed = self.connection.affected_rows();
        Ok((rows, changed))
    }
}

impl Link for MysqlLink {
    fn run<'a>(
        &'a mut self,
        sql: &'a str,
        parameters: Vec<Option<String>>,
    ) -> Pending<'a, Result<Rows, Trouble>> {
        Box::pin(async move {
            let parameters: Vec<Cell> = parameters.into_iter().map(Cell::from).collect();
            let parameters =
                if parameters.is_empty() { Params::Empty } else { Params::Positional(parameters) };
            let read = self.rows(sql, parameters).await;
            let (rows, changed) = read.map_err(|error| self.trouble(&error))?;
            let rows: Vec<Vec<Value>> = rows
                .into_iter()
                .map(|row| row.unwrap_raw().into_iter().flatten().map(value).collect())
                .collect::<Result<_, String>>()
                .map_err(Trouble::Unreadable)?;
            let count = changed.max(rows.len() as u64);
            Ok(Rows { rows, count })
        })
    }

    fn command<'a>(&'a mut self, sql: &'a str) -> Pending<'a, Result<(), Trouble>> {
        Box::pin(async move {
            let done = self.connection.query_drop(sql).await;
            done.map_err(|error| self.trouble(&error))
        })
    }

    fn is_open(&self) -> bool {
        !self.ended
    }
}

/// What an error of the driver means.
fn trouble(error: &Error) -> Trouble {
    match error {
        Error::Server(refused) => {
            Trouble::Refused { code: refused.code.to_string(), message: refused.message.clone() }
        }
        Error::Io(IoError::Io(error)) => Trouble::of_io(error.kind()),
        Error::Driver(mysql_async::DriverError::ConnectionClosed) => {
            Trouble::of_io(io::ErrorKind::UnexpectedEof)
        }
        // Parameters that do not fit the statement, an answer that is none.
        Error::Driver(error) => Trouble::Refused { code: "driver".to_owned(), message: error.to_string() },
        Error::Other(_) | Error::Url(_) => Trouble::of_io(io::ErrorKind::Other),
    }
}

/// A value of a row.
fn value(cell: Cell) -> Result<Value, String> {
    Ok(match cell {
        Cell::NULL => Value::Null,
        Cell::Int(number) => json!(number),
        Cell::UInt(number) => json!(number),
        Cell::Bytes(bytes) => {
            json!(String::from_utf8(bytes).map_err(|_| "a value that is no text".to_owned())?)
        }
        Cell::Float(_) | Cell::Double(_) | Cell::Date(..) | Cell::Time(..) => {
            return Err("a value of this type cannot be read; cast it to char".to_owned());
        }
    })
}
