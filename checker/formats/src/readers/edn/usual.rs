//! The fields of a usual event, read in place.
//!
//! What [`Raw`](super::Raw) makes of the same map, without a form and a value for each field. An event with a field that is
//! unusual, or is written in an unusual way, is none of them.

use super::super::super::{budget::Budget, edn::Parser, stamp::Stamp};
use history::Kind;
use serde_json::Value;

/// A usual event; `V` is what its reader makes of values.
pub(super) enum Usual<'a, V> {
    /// A client's.
    Client(Fields<'a, V>),
    /// One of the nemesis.
    Nemesis,
}

/// What the event of a client says.
pub(super) struct Fields<'a, V> {
    pub(super) kind: Kind,
    pub(super) f: &'a str,
    pub(super) process: u64,
    pub(super) value: Option<V>,
    pub(super) error: Value,
    pub(super) time: Stamp,
    pub(super) index: Option<u64>,
}

/// Who did something.
enum By {
    Process(u64),
    Nemesis,
}

/// The next event, if it is a usual one. Of anything else the parser stands anywhere. `read` is asked for the value, with its
/// depth.
pub(super) fn event<'a, V>(
    parser: &mut Parser<'a>,
    budget: Budget,
    mut read: impl FnMut(&mut Parser<'a>, usize) -> Option<V>,
) -> Option<Usual<'a, V>> {
    parser.begin_direct(budget);
    let depth = 1 + usize::from(parser.pass_text("#jepsen.history.Op"));
    parser.pass(b'{')?;
    let (mut kind, mut f, mut by) = (None, "txn", None);
    let (mut value, mut error) = (None, Value::Null);
    let (mut time, mut index) = (Stamp::Missing, None);
    while parser.pass(b'}').is_none() {
        match parser.keyword()? {
            "type" => kind = Some(parser.keyword()?),
            "f" => f = parser.keyword()?,
            "process" => by = Some(process(parser, depth)?),
            "value" => value = Some(read(parser, depth)?),
            "error" => error = parser.direct_value(depth)?,
            "time" => {
                time = match natural(parser) {
                    Some(time) => Stamp::Nanoseconds(time),
                    None => Stamp::of(&parser.direct_value(depth)?),
                }
            }
            "index" => {
                index = match natural(parser) {
                    Some(index) => Some(index),
                    None => parser.direct_value(depth)?.as_u64(),
                }
            }
            _ => return None,
        }
    }
    let process = match by? {
        By::Process(process) => process,
        By::Nemesis => return kind.map(|_| Usual::Nemesis),
    };
    let kind = match kind? {
        "invoke" => Kind::Invoke,
        "ok" => Kind::Ok,
        "fail" => Kind::Fail,
        "info" => Kind::Info,
        _ => return None,
    };
    Some(Usual::Client(Fields { kind, f, process, value, error, time, index }))
}

fn natural(parser: &mut Parser<'_>) -> Option<u64> {
    parser.natural().and_then(|number| number.try_into().ok())
}

fn process(parser: &mut Parser<'_>, depth: usize) -> Option<By> {
    if let Some(number) = natural(parser) {
        return Some(By::Process(number));
    }
    match parser.direct_value(depth)? {
        Value::Number(number) => number.as_u64().map(By::Process),
        Value::String(name) if name == ":nemesis" => Some(By::Nemesis),
        _ => None,
    }
}
