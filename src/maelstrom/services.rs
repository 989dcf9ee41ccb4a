//! The services of the network: key-value stores of three strengths, and a timestamp oracle. Pure: who asks brings the time.
//!
//! `seq-kv` answers from any state that is not older than the last one its client saw, as sequential consistency allows; an
//! operation that changes something happens in the newest state. `lww-kv` is five replicas that exchange what they have
//! now and then, of which the last write wins.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The ids under which nodes reach the services.
const NAMES: [&str; 4] = ["lin-kv", "seq-kv", "lww-kv", "lin-tso"];
/// How many replicas the store has in which the last write wins.
const REPLICAS: usize = 5;
/// How often two of them exchange what they have.
const GOSSIP: Duration = Duration::from_millis(100);
/// The most exchanges that are made up for at once: after these, all replicas have met.
const GOSSIP_MOST: u128 = 20;

type Body = Map<String, Value>;

/// All services of one network.
#[derive(Debug)]
pub(super) struct Services {
    rng: ChaCha8Rng,
    linear: BTreeMap<String, Value>,
    sequential: Sequential,
    last_write: LastWrite,
    timestamp: u64,
}

/// What an operation on one key says, and the new value if there is one.
#[derive(Debug, PartialEq)]
struct Done {
    reply: Body,
    new: Option<Value>,
}

impl Services {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            linear: BTreeMap::new(),
            sequential: Sequential::default(),
            last_write: LastWrite::default(),
            timestamp: 0,
        }
    }

    /// Whether a service has this id.
    pub(super) fn has(name: &str) -> bool {
        NAMES.contains(&name)
    }

    /// The body of the reply of a service to a request, without `in_reply_to`. `now` is the time since the start.
    pub(super) fn reply(&mut self, service: &str, client: &str, request: &Body, now: Duration) -> Body {
        if service == "lin-tso" {
            if kind(request) != "ts" {
                return unsupported(service, request);
            }
            self.timestamp += 1;
            return body(json!({ "type": "ts_ok", "ts": self.timestamp - 1 }));
        }
        if !["read", "write", "cas"].contains(&kind(request)) {
            return unsupported(service, request);
        }
        let Some(key) = request.get("key").map(Value::to_string) else {
            return error(12, "a request to a store needs a `key`");
        };
        match service {
            "seq-kv" => self.sequential.reply(client, &key, request, &mut self.rng),
            "lww-kv" => self.last_write.reply(&key, request, now, &mut self.rng),
            _ => {
                let Done { reply, new } = done(self.linear.get(&key), request);
                if let Some(new) = new {
                    self.linear.insert(key, new);
                }
                reply
            }
        }
    }
}

/// Every state there was, as the values of each key by the number of the write.
#[derive(Debug, Default)]
struct Sequential {
    values: BTreeMap<String, BTreeMap<u64, Value>>,
    newest: u64,
    /// The newest state that each client saw.
    seen: BTreeMap<String, u64>,
}

impl Sequential {
    fn at(&self, key: &str, state: u64) -> Option<&Value> {
        self.values.get(key)?.range(..=state).next_back().map(|(_, value)| value)
    }

    fn reply(&mut self, client: &str, key: &str, request: &Body, rng: &mut ChaCha8Rng) -> Body {
        let seen = self.seen.get(client).copied().unwrap_or(0);
        let state = rng.random_range(seen..=self.newest);
        let past = self.at(key, state);
        let Done { reply, new } = done(past, request);
        let changes = new.as_ref().is_some_and(|new| Some(new) != past);
        if !changes {
            self.seen.insert(client.to_owned(), state);
            return reply;
        }
        let Done { reply, new } = done(self.at(key, self.newest), request);
        if let Some(new) = new {
            self.newest += 1;
            self.values.entry(key.to_owned()).or_default().insert(self.newest, new);
        }
        self.seen.insert(client.to_owned(), self.newest);
        reply
    }
}

/// Replicas that know for each key a value and the time of its write.
#[derive(Debug, Default)]
struct LastWrite {
    replicas: [BTreeMap<String, (u64, Value)>; REPLICAS],
    writes: u64,
    gossiped: Duration,
}

impl LastWrite {
    fn reply(&mut self, key: &str, request: &Body, now: Duration, rng: &mut ChaCha8Rng) -> Body {
        let due = now.saturating_sub(self.gossiped).as_nanos() / GOSSIP.as_nanos();
        for _ in 0..due.min(GOSSIP_MOST) {
            self.gossip(rng.random_range(0..REPLICAS), rng.random_range(0..REPLICAS));
        }
        if due > 0 {
            self.gossiped = now;
        }
        let replica = rng.random_range(0..REPLICAS);
        let Done { reply, new } = done(self.replicas[replica].get(key).map(|(_, value)| value), request);
        if let Some(new) = new {
            self.writes += 1;
            self.replicas[replica].insert(key.to_owned(), (self.writes, new));
        }
        reply
    }

    /// Two replicas take from each other what was written later.
    fn gossip(&mut self, one: usize, other: usize) {
        for (from, to) in [(one, other), (other, one)] {
            for (key, (time, value)) in self.replicas[from].clone() {
                let own = self.replicas[to].entry(key).or_insert((0, Value::Null));
                if own.0 < time {
                    *own = (time, value);
                }
            }
        }
    }
}

/// Carries out an operation on a key that holds this value.
fn done(held: Option<&Value>, request: &Body) -> Done {
    let says = |reply: Value, new: Option<Value>| Done { reply: body(reply), new };
    let fails = |code: u64, text: &str| Done { reply: error(code, text), new: None };
    let given = |name: &str| request.get(name).cloned();
    match (kind(request), held) {
        ("read", Some(value)) => says(json!({ "type": "read_ok", "value": value }), None),
        ("write", _) => match given("value") {
            Some(value) => says(json!({ "type": "write_ok" }), Some(value)),
            None => fails(12, "a write needs a `value`"),
        },
        ("cas", held) => match (given("from"), given("to"), held) {
            (Some(from), Some(to), Some(held)) if from == *held => {
                says(json!({ "type": "cas_ok" }), Some(to))
            }
            (Some(from), Some(_), Some(held)) => fails(22, &format!("expected {from}, and it holds {held}")),
            (_, Some(to), None) if request.get("create_if_not_exists") == Some(&Value::Bool(true)) => {
                says(json!({ "type": "cas_ok" }), Some(to))
            }
            (_, Some(_), None) => fails(20, "the key does not exist"),
            _ => fails(12, "a cas needs `from` and `to`"),
        },
        _ => fails(20, "the key does not exist"),
    }
}

fn kind(request: &Body) -> &str {
    request.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn unsupported(service: &str, request: &Body) -> Body {
    error(10, &format!("{service} knows no request of type \"{}\"", kind(request)))
}

fn error(code: u64, text: &str) -> Body {
    body(json!({ "type": "error", "code": code, "text": text }))
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

    fn ask(services: &mut Services, service: &str, client: &str, request: Value, ms: u64) -> Value {
        Value::Object(services.reply(service, client, &body(request), Duration::from_millis(ms)))
    }

    fn read() -> Value {
        json!({"type": "read", "key": "x"})
    }

    fn write(value: u64) -> Value {
        json!({"type": "write", "key": "x", "value": value})
    }

    #[test]
    fn linear_store_reads_the_last_write() {
        let services = &mut Services::new(1);
        let mut ask = |request| ask(services, "lin-kv", "n1", request, 0);
        assert_eq!(ask(read())["code"], 20);
        let cas = |from, to| json!({"type": "cas", "key": "x", "from": from, "to": to});
        assert_eq!(ask(cas(1, 2))["code"], 20);
        let create = json!({"type": "cas", "key": "x", "from": 0, "to": 5, "create_if_not_exists": true});
        assert_eq!(ask(create.clone())["type"], "cas_ok");
        assert_eq!(ask(create)["code"], 22);
        assert_eq!(ask(cas(5, 6))["type"], "cas_ok");
        assert_eq!(ask(read())["value"], 6);
        assert_eq!(ask(write(7))["type"], "write_ok");
        assert_eq!(ask(read())["value"], 7);
        assert_eq!(ask(json!({"type": "write", "key": "x"}))["code"], 12);
        assert_eq!(ask(json!({"type": "delete", "key": "x"}))["code"], 10);
    }

    #[test]
    fn sequential_store_is_stale_but_never_goes_back() {
        let services = &mut Services::new(1);
        let mut stale = 0;
        let mut last = 0;
        for value in 1..=200 {
            assert_eq!(ask(services, "seq-kv", "n1", write(value), 0)["type"], "write_ok");
            assert_eq!(ask(services, "seq-kv", "n1", read(), 0)["value"], value, "its own writes");
            if let Some(seen) = ask(services, "seq-kv", "n2", read(), 0)["value"].as_u64() {
                assert!(seen >= last, "{seen} after {last}");
                stale += u64::from(seen < value);
                last = seen;
            }
        }
        assert!(stale > 20, "{stale}");
    }

    #[test]
    fn last_write_wins_after_a_while() {
        let services = &mut Services::new(1);
        ask(services, "lww-kv", "n1", write(1), 0);
        let early: Vec<Value> = (0..20).map(|_| ask(services, "lww-kv", "n2", read(), 0)).collect();
        assert!(early.iter().any(|reply| reply["code"] == 20), "{early:?}");
        for ms in 1..30 {
            ask(services, "lww-kv", "n2", read(), ms * 1_000);
        }
        let late = (0..20).map(|_| ask(services, "lww-kv", "n2", read(), 30_000));
        assert!(late.map(|reply| reply["value"].clone()).all(|value| value == 1));
    }

    #[test]
    fn timestamps_count_up() {
        let services = &mut Services::new(1);
        let times: Vec<Value> =
            (0..3).map(|_| ask(services, "lin-tso", "n1", json!({"type": "ts"}), 0)["ts"].clone()).collect();
        assert_eq!(times, [json!(0), json!(1), json!(2)]);
    }
}
