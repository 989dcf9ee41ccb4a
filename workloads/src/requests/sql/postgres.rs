//! The protocol of PostgreSQL, by the crate `tokio-postgres`.

use super::link::{Link, Pending, Rows, Trouble};
use super::table::Login;
use crate::connection::connect as open;
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use tokio::task::AbortHandle;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls};

type AnyError = Box<dyn std::error::Error + Sync + Send>;

/// A connection with the task that reads and writes it.
struct PostgresLink {
    client: Client,
    driver: AbortHandle,
}

impl Drop for PostgresLink {
    /// Closes the socket at once; the server rolls back what was not committed.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Connects and logs in.
pub(super) async fn connect(address: SocketAddr, login: Login) -> Result<Box<dyn Link>, Trouble> {
    let stream = open(address).await.map_err(Trouble::Broken)?;
    let mut config = Config::new();
    config.user(&login.user).application_name("bench");
    if let Some(password) = &login.password {
        config.password(password);
    }
    if let Some(database) = &login.database {
        config.dbname(database);
    }
    let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(|error| trouble(&error))?;
    let task = tokio::spawn(async move {
        // What goes wrong here also ends the statement that is open, and is judged there.
        drop(connection.await);
    });
    Ok(Box::new(PostgresLink { client, driver: task.abort_handle() }))
}

impl Link for PostgresLink {
    fn run<'a>(
        &'a mut self,
        sql: &'a str,
        parameters: Vec<Option<String>>,
    ) -> Pending<'a, Result<Rows, Trouble>> {
        Box::pin(async move {
            // The server infers the types of parameters, and reads their texts.
            let parameters = parameters.into_iter().map(|text| (Text(text), Type::UNKNOWN));
            let stream = self.client.query_typed_raw(sql, parameters).await;
            let mut stream = pin!(stream.map_err(|error| trouble(&error))?);
            let (mut rows, mut unreadable) = (Vec::new(), None);
            while let Some(row) = stream.try_next().await.map_err(|error| trouble(&error))? {
                let cells = (0..row.len()).map(|column| Ok(row.try_get::<_, Cell>(column)?.0));
                match cells.collect::<Result<Vec<Value>, tokio_postgres::Error>>() {
                    Ok(cells) => rows.push(cells),
                    Err(error) => unreadable = Some(words(&error)),
                }
            }
            match unreadable {
                Some(words) => Err(Trouble::Unreadable(words)),
                None => Ok(Rows { rows, count: stream.rows_affected().unwrap_or(0) }),
            }
        })
    }

    fn command<'a>(&'a mut self, sql: &'a str) -> Pending<'a, Result<(), Trouble>> {
        Box::pin(async move { self.client.batch_execute(sql).await.map_err(|error| trouble(&error)) })
    }

    fn is_open(&self) -> bool {
        !self.client.is_closed()
    }
}

/// What an error of the driver means.
fn trouble(error: &tokio_postgres::Error) -> Trouble {
    if let Some(refused) = error.as_db_error() {
        return Trouble::Refused {
            code: refused.code().code().to_owned(),
            message: refused.message().to_owned(),
        };
    }
    let mut source = error.source();
    while let Some(cause) = source {
        match cause.downcast_ref::<io::Error>() {
            Some(cause) => return Trouble::of_io(cause.kind()),
            None => source = cause.source(),
        }
    }
    let kind = if error.is_closed() { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::Other };
    Trouble::of_io(kind)
}

/// An error with its cause.
fn words(error: &tokio_postgres::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// A parameter, as a text that the server reads.
#[derive(Debug)]
struct Text(Option<String>);

impl ToSql for Text {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, AnyError> {
        match &self.0 {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A value of a row.
struct Cell(Value);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, AnyError> {
        fn read<'a, T: FromSql<'a> + serde::Serialize>(kind: &Type, raw: &'a [u8]) -> Result<Cell, AnyError> {
            Ok(Cell(json!(T::from_sql(kind, raw)?)))
        }
        match *kind {
            Type::BOOL => read::<bool>(kind, raw),
            Type::INT2 => read::<i16>(kind, raw),
            Type::INT4 => read::<i32>(kind, raw),
            Type::INT8 => read::<i64>(kind, raw),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
                read::<String>(kind, raw)
            }
            Type::INT4_ARRAY => read::<Vec<i32>>(kind, raw),
            Type::INT8_ARRAY => read::<Vec<i64>>(kind, raw),
            Type::TEXT_ARRAY => read::<Vec<String>>(kind, raw),
            // A function without a result, such as set_config in a DO block, has an empty value.
            Type::VOID => Ok(Self(Value::Null)),
            _ => Err(format!("a value of type {kind} cannot be read; cast it to text").into()),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, AnyError> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
