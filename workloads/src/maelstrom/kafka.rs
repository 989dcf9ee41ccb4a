//! How far a client has read the logs of the workload kafka.

use super::Body;
use super::words::{Wrong, key_text};
use crate::outcome::Answer;
use crate::spec::LoadSpec;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// For each key the next offset that is asked for.
#[derive(Debug)]
pub(super) struct Positions {
    keys: u32,
    next: BTreeMap<String, i64>,
    /// Whether something was polled that is not committed.
    dirty: bool,
}

impl Positions {
    pub(super) fn new(keys: u32) -> Self {
        let next = (0..keys).map(|key| (key_text(&LoadSpec::key_name(key)), 0)).collect();
        Self { keys, next, dirty: false }
    }

    pub(super) fn keys(&self) -> u32 {
        self.keys
    }

    pub(super) fn request(&self) -> Body {
        body(json!({ "type": "poll", "offsets": self.next }))
    }

    pub(super) fn list_request(&self) -> Body {
        let keys: Vec<&String> = self.next.keys().collect();
        body(json!({ "type": "list_committed_offsets", "keys": keys }))
    }

    /// Commits what was polled; none if nothing was since the last time.
    pub(super) fn commit_request(&self) -> Option<Body> {
        let read: BTreeMap<&String, i64> =
            self.next.iter().filter(|(_, next)| **next > 0).map(|(key, next)| (key, next - 1)).collect();
        self.dirty.then(|| body(json!({ "type": "commit_offsets", "offsets": read })))
    }

    /// Goes to where the committed offsets say. An error leaves the positions at the beginning.
    pub(super) fn assign(&mut self, reply: &Body) -> Result<(), Wrong> {
        if reply.get("type").and_then(Value::as_str) != Some("list_committed_offsets_ok") {
            return Ok(());
        }
        let Some(offsets) = reply.get("offsets").and_then(Value::as_object) else {
            return Err(Wrong("it needs `offsets`, an object of offsets by key".to_owned()));
        };
        for (key, offset) in offsets {
            let Some(offset) = offset.as_i64() else {
                return Err(Wrong(format!("the offset of key {key} must be an integer")));
            };
            if let Some(next) = self.next.get_mut(key) {
                *next = offset + 1;
            }
        }
        Ok(())
    }

    /// What a poll returned, as the history has it; the next poll begins behind it.
    pub(super) fn answer(&mut self, reply: &Body) -> Result<Answer, Wrong> {
        let wrong = || Wrong("it needs `msgs`, an object of lists of [offset, message] by key".to_owned());
        let found = reply.get("msgs").and_then(Value::as_object).ok_or_else(wrong)?;
        self.dirty = false;
        let mut messages = Map::new();
        for (key, pairs) in found {
            let pairs = pairs.as_array().ok_or_else(wrong)?;
            for pair in pairs {
                let offset = match pair.as_array().map(Vec::as_slice) {
                    Some([offset, _]) => offset.as_i64().ok_or_else(wrong)?,
                    Some(_) | None => return Err(wrong()),
                };
                if let Some(next) = self.next.get_mut(key) {
                    *next = (*next).max(offset + 1);
                }
                self.dirty = true;
            }
            if !pairs.is_empty() {
                messages.insert(key.clone(), Value::Array(pairs.clone()));
            }
        }
        Ok(Answer::Value(json!([["poll", messages]])))
    }
}

fn body(value: Value) -> Body {
    match value {
        Value::Object(body) => body,
        other => unreachable!("{other} is written as an object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_poll_begins_behind_the_last() {
        let mut positions = Positions::new(2);
        assert_eq!(positions.request()["offsets"], json!({"0": 0, "1": 0}));
        assert_eq!(positions.commit_request(), None);
        let reply = body(json!({"type": "poll_ok", "msgs": {"1": [[0, 7], [3, 8]], "0": []}}));
        let answer = positions.answer(&reply).unwrap();
        assert_eq!(answer, Answer::Value(json!([["poll", {"1": [[0, 7], [3, 8]]}]])));
        assert_eq!(positions.request()["offsets"], json!({"0": 0, "1": 4}));
        assert_eq!(positions.commit_request().unwrap()["offsets"], json!({"1": 3}));
        for msgs in [json!(null), json!([]), json!({"1": [[0]]}), json!({"1": [["a", 1]]})] {
            assert!(positions.answer(&body(json!({"msgs": msgs}))).is_err(), "{msgs}");
        }
    }

    #[test]
    fn committed_offsets_say_where_to_begin() {
        let mut positions = Positions::new(2);
        let reply = body(json!({"type": "list_committed_offsets_ok", "offsets": {"1": 4, "9": 9}}));
        positions.assign(&reply).unwrap();
        assert_eq!(positions.request()["offsets"], json!({"0": 0, "1": 5}));
        assert!(positions.assign(&body(json!({"type": "list_committed_offsets_ok"}))).is_err());
        positions.assign(&body(json!({"type": "error", "code": 11}))).unwrap();
    }
}
