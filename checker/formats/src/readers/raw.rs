//! One event in Jepsen's terms, whichever notation it was written in.

use super::super::{budget::Budget, clients::Who, draft::Placed, independent, json::Bounded, stamp::Stamp};
use history::{Event, Kind, Phase, Process};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// The fields of an operation map. Others are passed over. Text of a keyword has its colon.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) kind: Value,
    pub(super) process: Value,
    pub(super) f: Value,
    pub(super) value: Value,
    pub(super) key: Value,
    pub(super) time: Value,
    pub(super) index: Value,
    pub(super) error: Value,
    pub(super) actual: Option<Value>,
    pub(super) client: Value,
    pub(super) node: Value,
    pub(super) intended: Value,
    pub(super) phase: Value,
    /// Jepsen's mark of the reads after everything was healed.
    pub(super) is_final: Value,
    /// The name of a field that looks like an answer and is not the value.
    pub(super) answer_elsewhere: Option<&'static str>,
}

/// Names under which other tools keep answers.
const ANSWERS: [&str; 6] = ["result", "output", "response", "answer", "return", "returned"];
/// The name of a field, which stays in the text where it has no escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

/// Reads the fields from a JSON object, as far as the budget goes.
pub(super) struct RawObject<'b>(pub(super) &'b mut Budget);

impl<'de> DeserializeSeed<'de> for RawObject<'_> {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RawObject<'_> {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the object of an operation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut raw = Raw::default();
        while let Some(name) = entries.next_key::<Name<'de>>()? {
            match raw.field(&name.0) {
                Some(field) => *field = entries.next_value_seed(Bounded(self.0))?,
                None => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(raw)
    }
}

impl Raw {
    /// Where the value of this field goes; none for a field that is not needed.
    pub(super) fn field(&mut self, name: &str) -> Option<&mut Value> {
        Some(match name {
            "type" => &mut self.kind,
            "process" => &mut self.process,
            "f" => &mut self.f,
            "value" => &mut self.value,
            "key" => &mut self.key,
            "time" => &mut self.time,
            "index" => &mut self.index,
            "error" => &mut self.error,
            "actual" => self.actual.insert(Value::Null),
            "client" => &mut self.client,
            "node" => &mut self.node,
            "intended" => &mut self.intended,
            "phase" => &mut self.phase,
            "final?" => &mut self.is_final,
            _ => {
                self.answer_elsewhere =
                    ANSWERS.into_iter().find(|other| *other == name).or(self.answer_elsewhere);
                return None;
            }
        })
    }

    /// The event as it stands in the file; none for an event of the nemesis.
    pub(super) fn event(self) -> Result<Option<Placed>, String> {
        let who = match &self.process {
            Value::String(name) if bare(name) == "nemesis" => return Ok(None),
            Value::String(name) => Who::Name(bare(name).to_owned()),
            Value::Null => Who::Missing,
            Value::Number(number) => {
                number.as_u64().map_or_else(|| Who::Name(number.to_string()), Who::Number)
            }
            process @ (Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Who::Name(process.to_string()),
        };
        let kind = kind(&self.kind)?;
        let f = match &self.f {
            // Transactions often come without.
            Value::Null => "txn".to_owned(),
            Value::String(name) => bare(name).to_owned(),
            other => return Err(format!("the f {other} should be a name, such as read")),
        };
        let reads =
            matches!(f.as_str(), "read" | "get" | "dequeue" | "pop" | "peek" | "generate" | "txn" | "drain");
        if let Some(name) =
            self.answer_elsewhere.filter(|_| kind == Kind::Ok && reads && self.value.is_null())
        {
            return Err(format!(
                "the answer of this {f} stands in {name}, and is read from value; rename it"
            ));
        }
        let mut event = Event::new(Process::Nemesis, kind, f);
        let text_key = matches!(self.key, Value::String(_) | Value::Null);
        event.key = Some(&self.key).filter(|key| !key.is_null()).map(independent::text);
        event.value = self.value;
        event.error = error(self.error);
        match kind {
            Kind::Invoke => {
                event.client = self.client.as_u64().and_then(|client| u32::try_from(client).ok());
                event.node = self.node.as_str().map(|name| bare(name).to_owned());
                event.intended = self.intended.as_u64();
                event.phase = self.phase.as_str().and_then(phase);
                if self.is_final == Value::Bool(true) {
                    event.phase = Some(Phase::Final);
                }
            }
            Kind::Fail | Kind::Info => error_from_value(&mut event),
            Kind::Ok => {}
        }
        if let Some(actual) = self.actual.filter(|_| kind == Kind::Fail) {
            event.actual = Some(actual);
        }
        Ok(Some(Placed { event, time: Stamp::of(&self.time), index: self.index.as_u64(), who, text_key }))
    }
}

/// The reason of a failure or an unknown outcome as text.
pub(super) fn error(error: Value) -> Option<String> {
    match error {
        Value::Null => None,
        Value::String(name) => Some(bare(&name).to_owned()),
        other => Some(other.to_string()),
    }
}

/// Older files have the reason where the value belongs, as a keyword: `:info :write :timed-out`.
pub(super) fn error_from_value(event: &mut Event) {
    let reason = event.value.as_str().and_then(|text| text.strip_prefix(':'));
    if let (None, Some(reason)) = (&event.error, reason) {
        event.error = Some(reason.to_owned());
        event.value = Value::Null;
    }
}

/// A name without the colon of a keyword.
fn bare(name: &str) -> &str {
    name.strip_prefix(':').unwrap_or(name)
}

fn kind(kind: &Value) -> Result<Kind, String> {
    match kind.as_str().map(bare) {
        Some("invoke") => Ok(Kind::Invoke),
        Some("ok") => Ok(Kind::Ok),
        Some("fail") => Ok(Kind::Fail),
        Some("info") => Ok(Kind::Info),
        Some(_) | None if kind.is_null() => Err("this operation has no type".to_owned()),
        Some(_) | None => Err(format!("the type {kind} should be invoke, ok, fail or info")),
    }
}

fn phase(name: &str) -> Option<Phase> {
    Phase::deserialize(Value::from(bare(name))).ok()
}
