//! The protocol of Redis (RESP): commands as arrays of texts, and the meaning of its answers.

use crate::adapter::{CommandName, Protocol};
use crate::operation::{Function, Operation};
use crate::outcome::Answer;
use crate::paxos::{text, value};
use crate::spec::Workload;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode};
use serde_json::Value;

/// Compares and sets as one; what it finds is read by a command that a replica refuses.
const CAS: &str = "local found = redis.call('GETEX', KEYS[1], 'PERSIST') \
    if found == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) return 1 end return {found}";
/// The same for a key that should be absent.
const CREATE: &str = "local found = redis.call('GETEX', KEYS[1], 'PERSIST') \
    if not found then redis.call('SET', KEYS[1], ARGV[1]) return 1 end return {found}";

/// Errors after which a command was certainly not carried out: the server says them before it begins.
const REFUSALS: [&str; 7] =
    ["LOADING", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "MISCONF", "OOM", "NOAUTH"];
/// The error of a replica, which takes no writes; reads are sent as writes here.
const REPLICA: &str = "READONLY";

/// Speaks to Redis, version 6.2 and up. Reads are `GETEX … PERSIST`: a replica refuses it, so all that is read comes from
/// a server that takes itself for the primary.
///
/// Redis knows no names of commands, so a command must not be sent twice.
#[derive(Debug, Clone, Copy)]
pub struct RedisResp {
    workload: Workload,
}

impl RedisResp {
    /// For this workload, which says whether the texts that Redis keeps are integers or strings.
    pub fn new(workload: Workload) -> Self {
        Self { workload }
    }

    fn found(self, found: Option<&str>) -> Value {
        found.map_or(Value::Null, |found| value(self.workload, found.to_owned()))
    }
}

/// A command as Redis reads it.
pub(crate) fn command(words: &[&str]) -> Vec<u8> {
    let texts = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), texts.collect::<String>()).into_bytes()
}

/// An answer of Redis.
#[derive(Debug, PartialEq, Eq)]
enum Reply<'a> {
    /// `OK`, and others.
    State,
    Error(&'a str),
    Number,
    /// None is a key that is absent.
    Text(Option<&'a str>),
    List(Vec<Reply<'a>>),
}

/// Reads an answer: it and how many bytes it took; none if more of it is to come.
fn reply(bytes: &[u8]) -> Result<Option<(Reply<'_>, usize)>, ()> {
    let Some(line) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let said = std::str::from_utf8(&bytes[1..line]).map_err(drop)?;
    let (number, begin) = (said.parse::<i64>(), line + 2);
    let read = match bytes[0] {
        b'+' => Reply::State,
        b'-' => Reply::Error(said),
        b':' => number.map(|_| Reply::Number).map_err(drop)?,
        b'$' | b'*' if number == Ok(-1) => Reply::Text(None),
        b'$' => {
            let length = number.ok().and_then(|length| usize::try_from(length).ok()).ok_or(())?;
            let Some(text) = bytes.get(begin..begin + length + 2) else { return Ok(None) };
            let text = std::str::from_utf8(&text[..length]).map_err(drop)?;
            return Ok(Some((Reply::Text(Some(text)), begin + length + 2)));
        }
        b'*' => {
            let (mut list, mut end) = (Vec::new(), begin);
            for _ in 0..number.map_err(drop)? {
                let Some((element, took)) = reply(&bytes[end..])? else { return Ok(None) };
                list.push(element);
                end += took;
            }
            return Ok(Some((Reply::List(list), end)));
        }
        _ => return Err(()),
    };
    Ok(Some((read, begin)))
}

/// Whether an answer is there as a whole; an error if these are no answer of Redis.
pub(crate) fn is_whole(bytes: &[u8]) -> Result<bool, ()> {
    reply(bytes).map(|read| read.is_some())
}

impl Protocol for RedisResp {
    fn speaks_http(&self) -> bool {
        false
    }

    fn request(
        &self,
        operation: &Operation,
        _name: Option<&CommandName>,
        _host: &HeaderValue,
    ) -> Request<Full<Bytes>> {
        let (key, argument) = (operation.key.as_str(), &operation.argument);
        let bytes = match operation.function {
            Function::Read | Function::Get => command(&["GETEX", key, "PERSIST"]),
            Function::Write | Function::Put => command(&["SET", key, &text(argument)]),
            Function::Delete => command(&["DEL", key]),
            Function::Append => command(&["APPEND", key, &text(argument)]),
            Function::Cas if argument[0].is_null() => {
                command(&["EVAL", CREATE, "1", key, &text(&argument[1])])
            }
            Function::Cas => command(&["EVAL", CAS, "1", key, &text(&argument[0]), &text(&argument[1])]),
            Function::Txn | Function::Transfer | Function::Total => {
                unreachable!("a load that Redis cannot take is refused before it starts")
            }
        };
        Request::new(Full::new(bytes.into()))
    }

    fn answer(&self, operation: &Operation, _status: StatusCode, body: &[u8]) -> Answer {
        let Ok(Some((reply, _))) = reply(body) else { return Answer::Unreadable };
        match (reply, operation.function) {
            (Reply::Error(error), _) => {
                let word = error.split(' ').next().unwrap_or_default();
                match word {
                    REPLICA => Answer::Standby,
                    word if REFUSALS.contains(&word) => Answer::NotApplied,
                    _ => Answer::Unreadable,
                }
            }
            (Reply::Text(found), Function::Read | Function::Get) => Answer::Value(self.found(found)),
            (Reply::State, Function::Write | Function::Put)
            | (Reply::Number, Function::Delete | Function::Append | Function::Cas) => Answer::Applied,
            (Reply::List(found), Function::Cas) => match found[..] {
                [Reply::Text(found)] => Answer::Precondition(self.found(found)),
                // Redis ends a list where a script puts nothing.
                [] => Answer::Precondition(Value::Null),
                _ => Answer::Unreadable,
            },
            (Reply::State | Reply::Number | Reply::Text(_) | Reply::List(_), _) => Answer::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn operation(function: Function, argument: Value) -> Operation {
        Operation { function, key: "k1".to_owned(), argument }
    }

    fn said(function: Function, answer: &str) -> Answer {
        let operation = operation(function, json!([1, 2]));
        RedisResp::new(Workload::Register).answer(&operation, StatusCode::OK, answer.as_bytes())
    }

    #[test]
    fn redis_answers_have_their_meaning() {
        assert_eq!(said(Function::Read, "$2\r\n17\r\n"), Answer::Value(json!(17)));
        assert_eq!(said(Function::Read, "$-1\r\n"), Answer::Value(Value::Null));
        assert_eq!(said(Function::Write, "+OK\r\n"), Answer::Applied);
        assert_eq!(said(Function::Cas, ":1\r\n"), Answer::Applied);
        assert_eq!(said(Function::Cas, "*1\r\n$1\r\n3\r\n"), Answer::Precondition(json!(3)));
        assert_eq!(said(Function::Cas, "*1\r\n$-1\r\n"), Answer::Precondition(Value::Null));
        assert_eq!(said(Function::Write, "-READONLY You can't write\r\n"), Answer::Standby);
        assert_eq!(said(Function::Write, "-NOAUTH Authentication required.\r\n"), Answer::NotApplied);
        for unsure in ["-ERR what\r\n", ":1\r\n", "$2\r\n1", "hello"] {
            assert_eq!(said(Function::Write, unsure), Answer::Unreadable, "{unsure}");
        }
    }

    #[test]
    fn answer_is_complete_at_its_last_byte() {
        for answer in ["$5\r\na\r\nbc\r\n", "*2\r\n:1\r\n*1\r\n$-1\r\n", "+OK\r\n", "-ERR x\r\n"] {
            for end in 0..answer.len() {
                assert_eq!(is_whole(&answer.as_bytes()[..end]), Ok(false), "{answer} until {end}");
            }
            assert_eq!(is_whole(answer.as_bytes()), Ok(true), "{answer}");
        }
        assert_eq!(is_whole(b"HTTP/1.1 200 OK\r\n"), Err(()));
    }

    #[test]
    fn command_has_the_length_of_each_word() {
        assert_eq!(command(&["SET", "k1", "ä b"]), "*3\r\n$3\r\nSET\r\n$2\r\nk1\r\n$4\r\nä b\r\n".as_bytes());
    }
}
