//! Speaks to a system whose interface a spec describes: a table of requests, and rules for their answers.
//!
//! What no rule says is unknown. A rule is trusted, so a wrong one makes a wrong verdict: what can be seen to be a mistake
//! is refused before anything starts.

mod digest;
mod found;
mod question;
mod rules;
mod spec;
mod sql;
mod status;
mod template;

pub use digest::{DigestSpec, DigestTable, StateDigest};
pub use spec::{ClientKind, ClientSpec, Exchange, Found, Rule, Statuses, Step, When};
pub use sql::{Isolation, TransactionSpec};
pub(crate) use sql::{SqlClients, check_is_built_in};
pub use status::{NodeStatus, StatusSpec, StatusTable};

use crate::adapter::{CommandName, Dialogue, Protocol, Reply};
use crate::operation::{Function, Operation};
use crate::outcome::Answer;
use crate::resp;
use crate::spec::{LoadSpec, SpecError, Workload};
use bytes::Bytes;
pub(crate) use found::shaped;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, Uri};
pub(crate) use rules::fits;
use rules::{Received, Rules};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use template::{Captures, Template, has_key};

/// A table of requests that is fit for a load.
#[derive(Debug)]
pub struct RequestTable {
    kind: ClientKind,
    workload: Workload,
    entries: BTreeMap<Function, Entry>,
    /// How a cas is asked for that expects no value.
    create: Option<Entry>,
}

/// How one function is asked for: step by step, the deciding one last.
#[derive(Debug)]
struct Entry(Vec<Turn>);

/// One request and what its answers mean.
#[derive(Debug)]
struct Turn {
    body: Sent,
    /// For each word a JSON pointer.
    capture: BTreeMap<String, String>,
    rules: Rules,
}

/// What is sent.
#[derive(Debug)]
enum Sent {
    Http { method: Method, path: Template, headers: Vec<(HeaderName, Template)>, body: Template },
    Resp(Vec<Template>),
}

impl ClientSpec {
    /// How a function is asked for, with the key of the spec that says so.
    fn exchange(&self, function: Function) -> Option<(&'static str, &Exchange)> {
        match function {
            Function::Read => self.read.as_ref().map(|exchange| ("read", exchange)),
            Function::Write => self.write.as_ref().map(|exchange| ("write", exchange)),
            Function::Cas => self.cas.as_ref().map(|exchange| ("cas", exchange)),
            Function::Get => {
                self.get.as_ref().map(|exchange| ("get", exchange)).or_else(|| self.exchange(Function::Read))
            }
            Function::Put => {
                self.put.as_ref().map(|exchange| ("put", exchange)).or_else(|| self.exchange(Function::Write))
            }
            Function::Delete => self.delete.as_ref().map(|exchange| ("delete", exchange)),
            Function::Append => self.append.as_ref().map(|exchange| ("append", exchange)),
            Function::Enqueue => self.enqueue.as_ref().map(|exchange| ("enqueue", exchange)),
            Function::Dequeue => self.dequeue.as_ref().map(|exchange| ("dequeue", exchange)),
            Function::Total => self.read.as_ref().map(|exchange| ("read", exchange)),
            Function::Add => self.add.as_ref().map(|exchange| ("add", exchange)),
            Function::Generate => self.generate.as_ref().map(|exchange| ("generate", exchange)),
            Function::Send => self.send.as_ref().map(|exchange| ("send", exchange)),
            Function::Poll => self.poll.as_ref().map(|exchange| ("poll", exchange)),
            Function::Acquire => self.acquire.as_ref().map(|exchange| ("acquire", exchange)),
            Function::Release => self.release.as_ref().map(|exchange| ("release", exchange)),
            Function::Txn | Function::Transfer | Function::Echo => None,
        }
    }

    /// The mix of a load that names none: that of its workload, without the functions that are not described.
    pub fn default_mix(&self, workload: Workload) -> BTreeMap<String, u32> {
        match self.kind {
            ClientKind::Exec => return self.mix_of_helper(workload),
            // It can express all of a workload's functions.
            ClientKind::Maelstrom => return BTreeMap::new(),
            ClientKind::Http | ClientKind::Resp | ClientKind::Postgres | ClientKind::Mysql => {}
        }
        let described = workload.default_mix().iter().filter(|(function, _)| {
            // `[client.txn]` describes these, or what a transaction of one step is.
            matches!(function, Function::Txn | Function::Transfer) || self.exchange(*function).is_some()
        });
        described.map(|(function, weight)| (function.name().to_owned(), *weight)).collect()
    }

    /// The table of a load, over HTTP or in the protocol of Redis.
    ///
    /// # Errors
    /// What is missing or makes no sense, with its key; keys of this section begin with `client.`.
    pub fn table(&self, load: &LoadSpec) -> Result<RequestTable, SpecError> {
        let needed: &[Function] = match load.workload {
            // A transaction of one step is one of these.
            Workload::ListAppend if load.txn_length == Some(1) => &[Function::Read, Function::Append],
            Workload::ListAppend => {
                let what = "requests have no transactions, so each has one step; set txn-length = 1";
                return refuse("load.txn-length", what);
            }
            Workload::RwRegister | Workload::Bank | Workload::Echo => {
                let what = format!(
                    "a table of requests has no workload {}; it has register, kv, queue, set, g-counter, pn-counter, unique-ids, \
                     lock, kafka and list-append",
                    load.workload
                );
                return refuse("load.workload", what);
            }
            Workload::Register
            | Workload::Kv
            | Workload::Queue
            | Workload::Set
            | Workload::GCounter
            | Workload::PnCounter
            | Workload::UniqueIds
            | Workload::Kafka
            | Workload::Lock => load.workload.probed(),
        };
        if load.retry.is_some() {
            return refuse(
                "load.retry",
                "a system that knows no names of commands would apply one twice; remove it",
            );
        }
        let mix =
            load.weights().map_err(|error| SpecError { field: format!("load.{}", error.field), ..error })?;
        let mixed = mix.into_iter().map(|(function, _)| function);
        let mut functions: Vec<Function> = mixed.filter(|function| *function != Function::Txn).collect();
        functions.extend(needed);
        let mut entries = BTreeMap::new();
        for function in functions {
            let Some((name, exchange)) = self.exchange(function) else {
                let what = format!(
                    "it does not say how to ask for {function}; add [client.{function}], or leave it out of load.mix"
                );
                return refuse("client", what);
            };
            let entry = Entry::new(self, name, exchange, (function, load.keys))?;
            if !load.record && entry.0.len() > 1 {
                let what = format!("a load that is not recorded has one request for a {function}");
                return refuse(format!("client.{name}.first"), what);
            }
            entries.insert(function, entry);
        }
        let create = self.create.as_ref().filter(|_| entries.contains_key(&Function::Cas));
        let create = create
            .map(|create| Entry::new(self, "create", create, (Function::Cas, load.keys)))
            .transpose()?;
        Ok(RequestTable { kind: self.kind, workload: load.workload, entries, create })
    }
}

/// Refuses a value of a spec.
pub(crate) fn refuse<T>(field: impl Into<String>, message: impl Into<String>) -> Result<T, SpecError> {
    Err(SpecError { field: field.into(), message: message.into() })
}

impl Entry {
    fn new(
        client: &ClientSpec,
        name: &str,
        exchange: &Exchange,
        (function, keys): (Function, u32),
    ) -> Result<Self, SpecError> {
        let (steps, mut captured) = (exchange.steps(), Vec::new());
        let mut turns = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let last = index + 1 == steps.len();
            let here =
                if last { format!("client.{name}") } else { format!("client.{name}.first.{}", index + 1) };
            let body = Sent::new(client.kind, &client.headers, &here, step, function, &captured)?;
            let rules = Rules::new(&here, &step.answers, &client.answers, function, &captured)?;
            captured.extend(step.capture.keys().map(String::as_str));
            turns.push(Turn { body, capture: step.capture.clone(), rules });
        }
        let entry = Self(turns);
        let asked = if client.kind == ClientKind::Http { "request" } else { "command" };
        entry.check(&format!("client.{name}"), asked, name == "create", (function, keys))?;
        Ok(entry)
    }

    /// Refuses requests that do not say what they must, or that cannot be sent.
    fn check(
        &self,
        here: &str,
        asked: &str,
        creates: bool,
        (function, keys): (Function, u32),
    ) -> Result<(), SpecError> {
        let field = format!("{here}.{asked}");
        let says = |has: fn(&Template) -> bool| self.0.iter().any(|turn| turn.body.templates().any(has));
        let (key, value) = (says(Template::names_key), says(Template::names_value));
        let succeeds = self.0.iter().any(|turn| turn.rules.have_success());
        check_words((here, asked), (function, keys), key, value, succeeds)?;
        let argument = match function {
            Function::Cas if creates => json!([null, 2]),
            Function::Cas => json!([1, 2]),
            Function::Acquire | Function::Release => json!({ "client": 1 }),
            _ => json!(1),
        };
        let sample = Operation { function, key: "k1".to_owned(), argument };
        let host = HeaderValue::from_static("127.0.0.1:1");
        let unsent = self.0.iter().find_map(|turn| turn.body.fill(&sample, &host, &Captures::new()).err());
        match unsent {
            None => Ok(()),
            Some(error) => refuse(field, format!("this cannot be sent over HTTP: {error}")),
        }
    }
}

/// Refuses an exchange that does not say which key is meant, what is written, or when it succeeds. `asked` is the key of what
/// is sent.
fn check_words(
    (here, asked): (&str, &str),
    (function, keys): (Function, u32),
    names_key: bool,
    names_value: bool,
    succeeds: bool,
) -> Result<(), SpecError> {
    let field = format!("{here}.{asked}");
    let queue = matches!(function, Function::Enqueue | Function::Dequeue);
    // A system that has one queue only need not be told which.
    if has_key(function) && !names_key && (!queue || keys > 1) {
        let or = if queue { ", or use load.keys = 1" } else { "" };
        let what = format!(
            "nothing in the {asked} says which key is meant; put {{key}} into it or into its body{or}"
        );
        return refuse(field, what);
    }
    let needed = match function {
        Function::Cas => Some(("what is written", "{to}")),
        Function::Write | Function::Put | Function::Append | Function::Enqueue | Function::Add => {
            Some(("what is written", "{value}"))
        }
        Function::Send => Some(("what is sent", "{value}")),
        Function::Poll => Some(("from where on messages are wanted", "{offset}")),
        Function::Acquire | Function::Release => Some(("whose the lock is", "{owner}")),
        _ => None,
    };
    if let Some((what, word)) = needed.filter(|_| !names_value) {
        return refuse(field, format!("nothing in the {asked} says {what}; put {word} into it or its body"));
    }
    if !succeeds {
        let what = format!("no answer means that a {function} happened; add one with ok");
        return refuse(format!("{here}.answers"), what);
    }
    Ok(())
}

impl Sent {
    fn new(
        kind: ClientKind,
        of_all: &BTreeMap<String, String>,
        here: &str,
        step: &Step,
        function: Function,
        captured: &[&str],
    ) -> Result<Self, SpecError> {
        let key = |key: &str| format!("{here}.{key}");
        let template = |field: String, text: &str| {
            Template::parse(text, function, captured).map_err(|message| SpecError { field, message })
        };
        if !step.sql.is_empty() {
            return refuse(key("sql"), "this is of the protocols of databases; use request or command");
        }
        let of_http = [
            ("request", step.request.is_empty()),
            ("headers", step.headers.is_empty()),
            ("body", step.body.is_empty()),
        ];
        if kind == ClientKind::Resp {
            if let Some((name, _)) = of_http.into_iter().find(|(_, absent)| !absent) {
                return refuse(key(name), "this is of HTTP; the protocol of Redis has a command");
            }
            if step.command.is_empty() {
                return refuse(
                    key("command"),
                    "say what is sent, for example command = [\"GET\", \"{key}\"]",
                );
            }
            let words = step.command.iter().map(|word| template(key("command"), word));
            return words.collect::<Result<_, _>>().map(Self::Resp);
        }
        if !step.command.is_empty() {
            return refuse(key("command"), "this is of the protocol of Redis; over HTTP it is a request");
        }
        let Some((method, path)) = step.request.split_once(' ').filter(|(_, path)| path.starts_with('/'))
        else {
            return refuse(
                key("request"),
                "it should be a method and a path, for example \"GET /items/{key}\"",
            );
        };
        let Ok(method) = method.parse::<Method>() else {
            return refuse(key("request"), format!("\"{method}\" is no method of HTTP"));
        };
        let mut headers = Vec::new();
        let of_all = of_all.iter().map(|header| ("client.headers".to_owned(), header));
        for (field, (header, text)) in
            of_all.chain(step.headers.iter().map(|header| (key("headers"), header)))
        {
            let Ok(header) = header.parse::<HeaderName>() else {
                return refuse(field, format!("\"{header}\" is no name of a header"));
            };
            headers.push((header, template(field, text)?));
        }
        let path = template(key("request"), path)?;
        Ok(Self::Http { method, path, headers, body: template(key("body"), &step.body)? })
    }

    fn templates(&self) -> Box<dyn Iterator<Item = &Template> + '_> {
        match self {
            Self::Http { path, headers, body, .. } => {
                Box::new([path, body].into_iter().chain(headers.iter().map(|(_, text)| text)))
            }
            Self::Resp(words) => Box::new(words.iter()),
        }
    }

    fn fill(
        &self,
        operation: &Operation,
        host: &HeaderValue,
        captures: &Captures,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let (method, path, headers, body) = match self {
            Self::Http { method, path, headers, body } => (method, path, headers, body),
            Self::Resp(words) => {
                let words: Vec<_> = words.iter().map(|word| word.fill(operation, captures)).collect();
                return Ok(Request::new(Full::new(resp::command(&words).into())));
            }
        };
        let body = body.fill(operation, captures);
        let uri = Uri::try_from(path.fill(operation, captures))?;
        let mut request = Request::builder().method(method.clone()).uri(uri).header(HOST, host);
        if body.trim_start().starts_with(['{', '[']) && headers.iter().all(|(name, _)| name != CONTENT_TYPE) {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, text) in headers {
            request = request.header(name, text.fill(operation, captures));
        }
        request.body(Full::new(Bytes::from(body)))
    }
}

/// An answer as rules see it.
fn received<'a>(kind: ClientKind, response: &'a Response<Bytes>, text: &'a str) -> Received<'a> {
    let http = kind == ClientKind::Http;
    Received {
        status: http.then_some(response.status().as_u16()),
        text,
        json: if http { serde_json::from_str(text).ok() } else { resp::json(response.body()) },
        is_error: !http && resp::is_error(response.body()),
        location: response.headers().get(LOCATION).and_then(|location| location.to_str().ok()),
    }
}

impl RequestTable {
    fn entry(&self, operation: &Operation) -> &Entry {
        let creates = operation.function == Function::Cas && operation.argument[0].is_null();
        match &self.create {
            Some(create) if creates => create,
            Some(_) | None => &self.entries[&operation.function],
        }
    }
}

impl Protocol for RequestTable {
    fn speaks_http(&self) -> bool {
        self.kind == ClientKind::Http
    }

    fn request(
        &self,
        operation: &Operation,
        _name: Option<&CommandName>,
        host: &HeaderValue,
        dialogue: &Dialogue,
    ) -> Option<Request<Full<Bytes>>> {
        let turn = &self.entry(operation).0[dialogue.turn];
        // A captured word may be anything, also what a URL or a header cannot have.
        turn.body.fill(operation, host, &dialogue.captures).ok()
    }

    fn reply(&self, operation: &Operation, response: &Response<Bytes>, dialogue: &mut Dialogue) -> Reply {
        let entry = self.entry(operation);
        let turn = &entry.0[dialogue.turn];
        let Ok(text) = std::str::from_utf8(response.body()) else { return Reply::Said(Answer::Unreadable) };
        let received = received(self.kind, response, text);
        if let Some(rule) = turn.rules.of(&received, operation, &dialogue.captures) {
            return Reply::Said(rules::meaning(self.workload, rule, operation.function, &received));
        }
        if dialogue.turn + 1 == entry.0.len() {
            return Reply::Said(rules::unlisted(&received));
        }
        for (word, pointer) in &turn.capture {
            let Some(found @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) = received.at(pointer)
            else {
                return Reply::Said(rules::unlisted(&received));
            };
            dialogue.captures.insert(word.clone(), found.clone());
        }
        dialogue.turn += 1;
        Reply::Next
    }
}

#[cfg(test)]
mod object_tests;
#[cfg(test)]
mod tests;
