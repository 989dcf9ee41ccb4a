//! The section `[client]` of a spec: requests and what their answers mean.

use super::sql::{Isolation, TransactionSpec};
use crate::maelstrom::{Dialect, ShapeOfNodes};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// `[client]`: how clients speak to a system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClientSpec {
    /// What clients and nodes speak.
    pub kind: ClientKind,
    /// Kind exec: the program that is started for each client, in PATH or in the current folder, and its arguments. It
    /// reads requests on standard input and writes answers on standard output, as JSON, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Kind exec: what the program can do. Absent: read and write for register, get and put for kv, everything for the
    /// other workloads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<String>,
    /// Kind exec: variables of the program, besides PATH, HOME, LANG and TMPDIR. "{env:NAME}" is what the caller has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Headers of every request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Kinds postgres and mysql: the user. Absent: postgres or root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Kinds postgres and mysql: the password of the user; it is written into the results, as all of a spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Kinds postgres and mysql: the database. Absent: that of the user's name for postgres, none for mysql.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Kinds postgres and mysql: the isolation level of every transaction. Absent: that of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Kinds postgres and mysql: statements on each new connection, such as `create table if not exists`. What the server
    /// refuses of them is passed over: operations show what is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<String>,
    /// Kinds postgres and mysql: statements at the beginning of every transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub begin: Vec<String>,
    /// Kinds postgres and mysql: the steps of the workloads list-append, rw-register and bank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn: Option<TransactionSpec>,
    /// What answers mean where no entry of a function fits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Rule>,
    /// Workload register: reads a key. Workload set: reads all elements. Workloads g-counter and pn-counter: reads the sum.
    pub read: Option<Exchange>,
    /// Workload register: sets a key.
    pub write: Option<Exchange>,
    /// Sets a key if it holds an expected value. Absent: the load has none.
    pub cas: Option<Exchange>,
    /// Sets a key if there is none, for a cas that expects that. Absent: as `cas`.
    pub create: Option<Exchange>,
    /// Workload kv: reads a key. Absent: as `read`.
    pub get: Option<Exchange>,
    /// Workload kv: sets a key. Absent: as `write`.
    pub put: Option<Exchange>,
    /// Workload kv: removes a key. Absent: the load has none.
    pub delete: Option<Exchange>,
    /// Workload kv: adds text at the end of a value. Absent: the load has none. Workload list-append, kinds http and resp: adds an
    /// element at the end of a list, which `read` reads.
    pub append: Option<Exchange>,
    /// Workload queue: puts an element in.
    pub enqueue: Option<Exchange>,
    /// Workload set: adds an element. Workloads g-counter and pn-counter: adds a number. Their `read` has no {key}.
    pub add: Option<Exchange>,
    /// Workload unique-ids: makes an id.
    pub generate: Option<Exchange>,
    /// Workload kafka: appends a message to the log {key}. `ok` is where its offset stands.
    pub send: Option<Exchange>,
    /// Workload kafka: reads the log {key} from {offset} on. `ok` is a list of pairs of an offset and a message.
    pub poll: Option<Exchange>,
    /// Workload lock: gets the lock {key} for {owner}. `value-differs = true`: somebody has it.
    pub acquire: Option<Exchange>,
    /// Workload lock: gives the lock {key} of {owner} back. `value-differs = true`: {owner} does not have it.
    pub release: Option<Exchange>,
    /// Kind maelstrom, workload set: the messages by which elements are added and read. Absent: g-set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Dialect>,
    /// Kind maelstrom, messages broadcast: which nodes are neighbours, in the message `topology`. Absent: grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<ShapeOfNodes>,
    /// Workload queue: takes an element out. `absent`, or a value that is null: the queue was empty.
    pub dequeue: Option<Exchange>,
}

/// The protocols that `[client]` can describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientKind {
    /// Requests over HTTP/1.1.
    Http,
    /// Commands in the protocol of Redis (RESP2).
    Resp,
    /// Statements in the protocol of PostgreSQL. The bench must be built with the feature `postgres`.
    Postgres,
    /// Statements in the protocol of MySQL and MariaDB. The bench must be built with the feature `mysql`.
    Mysql,
    /// Whatever a program of yours speaks: a helper, one process for each client.
    Exec,
    /// Nodes written for Maelstrom, unchanged: messages of JSON over standard input and output. Needs network = "messages".
    Maelstrom,
}

/// A request, and what its answers mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exchange {
    /// Steps before the request, for what takes several, such as a read of a version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<Step>,
    /// Over HTTP: method and path, for example `GET /items/{key}`. Words in braces: {key}, {value}; of a cas {from} and
    /// {to}; of a lock {owner}, of a poll {offset}; each also as {key:json}, {key:base64} or {key:url}; and what earlier steps captured.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Headers of this request, besides those of `client.headers`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, with the same words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// In the protocol of Redis: a command and its arguments, with the same words, for example `GET` and `{key}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// In the protocols of PostgreSQL and MySQL: a statement, whose words are its parameters, for example
    /// `select v from items where k = {key}`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sql: String,
    /// What answers mean: the first entry that fits decides. An answer that no entry fits leaves the outcome unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Rule>,
}

impl Exchange {
    /// Its steps, the deciding one last.
    pub(super) fn steps(&self) -> Vec<Step> {
        let Self { request, headers, body, command, .. } = self;
        let (sql, answers) = (self.sql.clone(), self.answers.clone());
        let last = Step { sql, answers, ..Step::new(request, headers, body, command) };
        self.first.iter().cloned().chain([last]).collect()
    }
}

/// A step before the last request of an exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// Over HTTP: method and path, for example `GET /items/{key}`. Words in braces: {key}, {value}; of a cas {from} and
    /// {to}; of a lock {owner}, of a poll {offset}; each also as {key:json}, {key:base64} or {key:url}; and what earlier steps captured.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Headers of this request, besides those of `client.headers`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, with the same words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// In the protocol of Redis: a command and its arguments, with the same words, for example `GET` and `{key}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// In the protocols of PostgreSQL and MySQL: a statement, whose words are its parameters, for example
    /// `select v from items where k = {key}`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sql: String,
    /// Words for later requests: for each name a JSON pointer into the answer. The next step follows where all are there and
    /// no entry of `answers` fits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, String>,
    /// The answers that end the operation here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Rule>,
}

impl Step {
    /// A step that sends this, and takes nothing from its answer.
    ///
    /// The keys stand in each section of a spec by themselves: serde cannot refuse unknown keys of a struct that is flattened
    /// into another.
    pub(super) fn new(
        request: &str,
        headers: &BTreeMap<String, String>,
        body: &str,
        command: &[String],
    ) -> Self {
        Self {
            request: request.to_owned(),
            headers: headers.clone(),
            body: body.to_owned(),
            command: command.to_vec(),
            sql: String::new(),
            capture: BTreeMap::new(),
            answers: Vec::new(),
        }
    }
}

/// What one kind of answer means. Just one of `ok`, `fail`, `standby`, `follow`, `value-differs` and `info` is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rule {
    /// The answers that are meant. Absent: all.
    #[serde(default, skip_serializing_if = "When::is_any")]
    pub when: When,
    /// It happened. Of a read, the value it found: a JSON pointer such as `/value` into the answer, "" for all of it, `text` for
    /// the body as text, `absent` if there is none, or { at = "/value", base64 = true }. Of anything else: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ok: Option<Found>,
    /// Of a cas: it was refused because the key holds another value. That value as in `ok`, or true if the answer does not say.
    /// Of a lock, true: somebody has it, or who gives it back does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_differs: Option<Found>,
    /// It certainly did not happen, and never will.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fail: bool,
    /// The same, because this node stands by for another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
    /// The same, and another node takes it: its name, address or URL, at a JSON pointer into the answer ("" for all of it), or in
    /// the header `location`. Of several words the last one counts. The client asks that node next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("title" = "JSON pointer or \"location\""))]
    pub follow: Option<String>,
    /// Whether it happened is unknown; said for the reader's sake.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub info: bool,
}

/// The answers that a rule is about: all conditions hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct When {
    /// The status: a number, several, or a class such as "2xx".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Statuses>,
    /// A JSON pointer to something that the answer has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// With `at`: what stands there; "{from}" and other words stand for themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("title" = "text, number, true or false"))]
    pub is: Option<serde_json::Value>,
    /// With `at`: what does not stand there, though something does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("title" = "text, number, true or false"))]
    pub is_not: Option<serde_json::Value>,
    /// With `at`: a JSON pointer to the same value elsewhere in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
    /// A regular expression that is found in the body; of Redis, in the answer as it came, `-READONLY You can't write`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl When {
    fn is_any(&self) -> bool {
        *self == Self::default()
    }
}

/// Where an answer has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It says nothing of a value.
    Said,
    /// At a JSON pointer.
    At(String),
    /// At a JSON pointer, in base64.
    Base64(String),
    /// The body is the value.
    Text,
    /// There is no value.
    Absent,
}

/// The statuses of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(Vec<std::ops::RangeInclusive<u16>>);

impl Statuses {
    pub(super) fn have(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl Serialize for Found {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Said => serializer.serialize_bool(true),
            Self::At(pointer) => serializer.serialize_str(pointer),
            Self::Base64(at) => AtPointer { at: at.clone(), base64: true }.serialize(serializer),
            Self::Text => serializer.serialize_str("text"),
            Self::Absent => serializer.serialize_str("absent"),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FlagOrText {
    Flag(bool),
    Text(String),
    At(AtPointer),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AtPointer {
    at: String,
    base64: bool,
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let help = "it should be true, a JSON pointer such as \"/value\", \"text\" or \"absent\"";
        match FlagOrText::deserialize(deserializer).map_err(|_| D::Error::custom(help))? {
            FlagOrText::Flag(true) => Ok(Self::Said),
            FlagOrText::Text(text) if text == "text" => Ok(Self::Text),
            FlagOrText::Text(text) if text == "absent" => Ok(Self::Absent),
            FlagOrText::Text(text) if text.is_empty() || text.starts_with('/') => Ok(Self::At(text)),
            FlagOrText::At(AtPointer { at, base64 }) if at.is_empty() || at.starts_with('/') => {
                Ok(if base64 { Self::Base64(at) } else { Self::At(at) })
            }
            FlagOrText::At(AtPointer { at, .. }) => {
                Err(D::Error::custom(format!("\"{at}\" is no JSON pointer; {help}")))
            }
            FlagOrText::Flag(false) => Err(D::Error::custom(format!("false means nothing here; {help}"))),
            FlagOrText::Text(text) => Err(D::Error::custom(format!("\"{text}\" means nothing here; {help}"))),
        }
    }
}

impl JsonSchema for Found {
    fn schema_name() -> Cow<'static, str> {
        "Found".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "title": "true, JSON pointer, \"text\" or \"absent\"" })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(NumberOrClass),
    Many(Vec<NumberOrClass>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrClass {
    Number(u16),
    Class(String),
}

impl NumberOrClass {
    fn range(self) -> Option<std::ops::RangeInclusive<u16>> {
        match self {
            Self::Number(status) => (100..1000).contains(&status).then_some(status..=status),
            Self::Class(class) => {
                let digit = class.strip_suffix("xx")?.parse::<u16>().ok()?;
                (1..10).contains(&digit).then_some(100 * digit..=100 * digit + 99)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let error =
            || D::Error::custom("it should be a status such as 200, several such as [200, 201], or \"2xx\"");
        let statuses = match OneOrMany::deserialize(deserializer).map_err(|_| error())? {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        };
        let ranges: Option<Vec<_>> = statuses.into_iter().map(NumberOrClass::range).collect();
        ranges.filter(|ranges| !ranges.is_empty()).map(Self).ok_or_else(error)
    }
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = |range: &std::ops::RangeInclusive<u16>| {
            if range.start() == range.end() {
                serde_json::json!(range.start())
            } else {
                serde_json::json!(format!("{}xx", range.start() / 100))
            }
        };
        self.0.iter().map(entry).collect::<Vec<_>>().serialize(serializer)
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> Cow<'static, str> {
        "Statuses".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "title": "number, list of numbers, or class such as \"2xx\"" })
    }
}
