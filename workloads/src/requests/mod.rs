//! Speaks to a system whose interface a spec describes: a table of requests, and rules for their answers.
//!
//! What no rule says is unknown. A rule is trusted, so a wrong one makes a wrong verdict: what can be seen to be a mistake
//! is refused before anything starts.

mod spec;
mod template;

pub use spec::{ClientKind, ClientSpec, Exchange, Found, Rule, Statuses, When};

use crate::adapter::{CommandName, Protocol};
use crate::operation::{Function, Operation};
use crate::outcome::Answer;
use crate::paxos::value;
use crate::spec::{LoadSpec, SpecError, Workload};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use regex_lite::Regex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use template::Template;

/// A table of requests that is fit for a load.
#[derive(Debug)]
pub struct RequestTable {
    workload: Workload,
    entries: BTreeMap<Function, Entry>,
}

/// How one function is asked for.
#[derive(Debug)]
struct Entry {
    method: Method,
    path: Template,
    headers: Vec<(HeaderName, Template)>,
    body: Template,
    rules: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    rule: Rule,
    body: Option<Regex>,
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
            Function::Txn | Function::Transfer | Function::Total => None,
        }
    }

    /// The mix of a load that names none: that of its workload, without the functions that are not described.
    pub fn default_mix(&self, workload: Workload) -> BTreeMap<String, u32> {
        if self.kind == ClientKind::Exec {
            return self.mix_of_helper(workload);
        }
        let described =
            workload.default_mix().iter().filter(|(function, _)| self.exchange(*function).is_some());
        described.map(|(function, weight)| (function.name().to_owned(), *weight)).collect()
    }

    /// The table, for a load.
    ///
    /// # Errors
    /// What is missing or makes no sense, with its key; keys of this section begin with `client.`.
    pub fn table(&self, load: &LoadSpec) -> Result<RequestTable, SpecError> {
        let (reading, writing) = match load.workload {
            Workload::Register => (Function::Read, Function::Write),
            Workload::Kv => (Function::Get, Function::Put),
            Workload::ListAppend | Workload::RwRegister | Workload::Bank => {
                return refuse("load.workload", "a table of requests can have the workloads register and kv");
            }
        };
        if load.retry.is_some() {
            return refuse(
                "load.retry",
                "a system that knows no names of commands would apply one twice; remove it",
            );
        }
        if !load.record {
            return refuse("load.record", "a table of requests is for loads that are recorded; remove it");
        }
        let mix =
            load.weights().map_err(|error| SpecError { field: format!("load.{}", error.field), ..error })?;
        let mut functions: Vec<Function> = mix.into_iter().map(|(function, _)| function).collect();
        functions.extend([reading, writing]);
        let mut entries = BTreeMap::new();
        for function in functions {
            let Some((name, exchange)) = self.exchange(function) else {
                let what = format!(
                    "it does not say how to ask for a {function}; add [client.{function}], or leave it out of load.mix"
                );
                return refuse("client", what);
            };
            entries.insert(function, Entry::new(self, name, exchange, function)?);
        }
        Ok(RequestTable { workload: load.workload, entries })
    }
}

fn refuse<T>(field: impl Into<String>, message: impl Into<String>) -> Result<T, SpecError> {
    Err(SpecError { field: field.into(), message: message.into() })
}

impl Entry {
    fn new(
        client: &ClientSpec,
        name: &str,
        exchange: &Exchange,
        function: Function,
    ) -> Result<Self, SpecError> {
        let here = |key: &str| format!("client.{name}.{key}");
        let template = |key: &str, text: &str| {
            Template::parse(text, function).map_err(|message| SpecError { field: here(key), message })
        };
        let Some((method, path)) = exchange.request.split_once(' ').filter(|(_, path)| path.starts_with('/'))
        else {
            return refuse(
                here("request"),
                "it should be a method and a path, for example \"GET /items/{key}\"",
            );
        };
        let Ok(method) = method.parse::<Method>() else {
            return refuse(here("request"), format!("\"{method}\" is no method of HTTP"));
        };
        let mut headers = Vec::new();
        let of_all = client.headers.iter().map(|header| ("client.headers".to_owned(), header));
        for (field, (header, text)) in
            of_all.chain(exchange.headers.iter().map(|header| (here("headers"), header)))
        {
            let Ok(header) = header.parse::<HeaderName>() else {
                return refuse(field, format!("\"{header}\" is no name of a header"));
            };
            let text = Template::parse(text, function).map_err(|message| SpecError { field, message })?;
            headers.push((header, text));
        }
        let entry = Self {
            method,
            path: template("request", path)?,
            headers,
            body: template("body", &exchange.body)?,
            rules: rules(name, exchange, function)?,
        };
        entry.check(&here("request"), function)?;
        Ok(entry)
    }

    /// Refuses a request that does not say what it must, or that cannot be sent.
    fn check(&self, field: &str, function: Function) -> Result<(), SpecError> {
        let says = |has: fn(&Template) -> bool| {
            has(&self.path) || has(&self.body) || self.headers.iter().any(|(_, text)| has(text))
        };
        if !says(Template::names_key) {
            return refuse(
                field,
                "nothing in the request says which key is meant; put {key} into it or into its body",
            );
        }
        let writes = matches!(function, Function::Write | Function::Put | Function::Append | Function::Cas);
        if writes && !says(Template::names_value) {
            let word = if function == Function::Cas { "{to}" } else { "{value}" };
            return refuse(
                field,
                format!("nothing in the request says what is written; put {word} into it or its body"),
            );
        }
        let argument = if function == Function::Cas { json!([1, 2]) } else { json!(1) };
        let sample = Operation { function, key: "k1".to_owned(), argument };
        match self.request(&sample, &HeaderValue::from_static("127.0.0.1:1")) {
            Ok(_) => Ok(()),
            Err(error) => refuse(field, format!("this cannot be sent over HTTP: {error}")),
        }
    }

    fn request(
        &self,
        operation: &Operation,
        host: &HeaderValue,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let body = self.body.fill(operation);
        let uri = Uri::try_from(self.path.fill(operation))?;
        let mut request = Request::builder().method(self.method.clone()).uri(uri).header(HOST, host);
        if body.trim_start().starts_with(['{', '['])
            && self.headers.iter().all(|(name, _)| name != CONTENT_TYPE)
        {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, text) in &self.headers {
            request = request.header(name, text.fill(operation));
        }
        request.body(Full::new(Bytes::from(body)))
    }
}

/// The rules of a function, each of which says one thing that can be said of it.
fn rules(name: &str, exchange: &Exchange, function: Function) -> Result<Vec<Compiled>, SpecError> {
    let mut compiled = Vec::new();
    for (index, rule) in exchange.answers.iter().enumerate() {
        let here = |key: &str| format!("client.{name}.answers.{}{key}", index + 1);
        let said = [rule.ok.is_some(), rule.value_differs.is_some(), rule.fail, rule.info];
        if said.into_iter().filter(|said| *said).count() != 1 {
            return refuse(here(""), "it should say one thing: ok, fail, value-differs or info");
        }
        match &rule.ok {
            Some(Found::Said) if function.is_read() => {
                let what = "a read finds a value; say where: a JSON pointer such as \"/value\", \"text\" or \"absent\"";
                return refuse(here(".ok"), what);
            }
            Some(Found::At(_) | Found::Text | Found::Absent) if !function.is_read() => {
                return refuse(here(".ok"), format!("a {function} finds no value; it should be true"));
            }
            Some(_) | None => {}
        }
        if rule.value_differs.is_some() && function != Function::Cas {
            return refuse(here(".value-differs"), "only a cas expects a value; use fail = true");
        }
        if rule.when.is.is_some() && rule.when.at.is_none() {
            return refuse(here(".when.is"), "say where, for example at = \"/done\"");
        }
        if rule.when.at.as_ref().is_some_and(|at| !at.is_empty() && !at.starts_with('/')) {
            return refuse(here(".when.at"), "a JSON pointer begins with /, for example \"/error/code\"");
        }
        let body = rule.when.body.as_ref().map(|body| Regex::new(body)).transpose();
        let body = body.or_else(|error| refuse(here(".when.body"), error.to_string()))?;
        compiled.push(Compiled { rule: rule.clone(), body });
    }
    if !compiled.iter().any(|compiled| compiled.rule.ok.is_some()) {
        let what = format!("no answer means that a {function} happened; add one with ok");
        return refuse(format!("client.{name}.answers"), what);
    }
    Ok(compiled)
}

/// An answer as rules see it.
struct Received<'a> {
    status: StatusCode,
    text: &'a str,
    json: Option<Value>,
}

impl Compiled {
    fn fits(&self, received: &Received<'_>) -> bool {
        let When { status, at, is, body: _ } = &self.rule.when;
        let there = at.as_ref().map(|at| received.json.as_ref().and_then(|json| json.pointer(at)));
        status.as_ref().is_none_or(|status| status.have(received.status.as_u16()))
            && match (there, is) {
                (None, _) => true,
                (Some(found), None) => found.is_some(),
                (Some(found), Some(wanted)) => found == Some(wanted),
            }
            && self.body.as_ref().is_none_or(|body| body.is_match(received.text))
    }
}

impl RequestTable {
    /// The value that an answer has; none if it cannot be read.
    fn found(&self, found: &Found, received: &Received<'_>) -> Option<Value> {
        match found {
            Found::Said => None,
            Found::Absent => Some(Value::Null),
            Found::Text => {
                Some(value(self.workload, received.text.trim_end_matches(['\r', '\n']).to_owned()))
            }
            Found::At(pointer) => match (received.json.as_ref()?.pointer(pointer)?, self.workload) {
                (Value::Null, _) => Some(Value::Null),
                (Value::String(text), _) => Some(value(self.workload, text.clone())),
                (Value::Number(number), Workload::Kv) => Some(Value::String(number.to_string())),
                (number @ Value::Number(_), _) => Some(number.clone()),
                (Value::Bool(_) | Value::Array(_) | Value::Object(_), _) => None,
            },
        }
    }

    fn meaning(&self, rule: &Rule, function: Function, received: &Received<'_>) -> Answer {
        match (&rule.ok, &rule.value_differs) {
            (Some(found), _) if function.is_read() => {
                self.found(found, received).map_or(Answer::Unreadable, Answer::Value)
            }
            (Some(_), _) => Answer::Applied,
            (None, Some(Found::Said)) => Answer::Differs,
            (None, Some(found)) => {
                self.found(found, received).map_or(Answer::Unreadable, Answer::Precondition)
            }
            (None, None) if rule.fail => Answer::NotApplied,
            (None, None) => Answer::Unlisted(received.status.as_u16()),
        }
    }
}

impl Protocol for RequestTable {
    fn request(
        &self,
        operation: &Operation,
        _name: Option<&CommandName>,
        host: &HeaderValue,
    ) -> Request<Full<Bytes>> {
        let entry = &self.entries[&operation.function];
        entry.request(operation, host).expect("a request with a key and a value of ours was built before")
    }

    fn answer(&self, operation: &Operation, status: StatusCode, body: &[u8]) -> Answer {
        let Ok(text) = std::str::from_utf8(body) else { return Answer::Unreadable };
        let received = Received { status, text, json: serde_json::from_slice(body).ok() };
        let rules = &self.entries[&operation.function].rules;
        match rules.iter().find(|compiled| compiled.fits(&received)) {
            Some(compiled) => self.meaning(&compiled.rule, operation.function, &received),
            None => Answer::Unlisted(status.as_u16()),
        }
    }
}

#[cfg(test)]
mod tests;
