//! Asks a node what it says of itself: whether it leads, in which term, and how far it has come.

use super::question::{Question, nothing};
use super::rules::{Condition, Received, is_pointer};
use super::spec::{ClientKind, Step, When};
use super::template::Captures;
use super::{received, refuse};
use crate::operation::Function;
use crate::spec::SpecError;
use bytes::Bytes;
use hyper::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// `[status]`: what a node says of itself. What is not described is not measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StatusSpec {
    /// The protocol. Absent: that of `[client]` if it is one of these, else http.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ClientKind>,
    /// Over HTTP: method and path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Headers of the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body of the request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// In the protocol of Redis: a command and its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The answers of a node that leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leads: Option<When>,
    /// A JSON pointer to its term, as a number or a text. Of several nodes that lead the one with the highest term does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// A JSON pointer to the last position of the log that it applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
    /// A JSON pointer to the size of what it has stored, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
}

/// The state of a node as it reports it; none for what it does not report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// Whether it leads.
    pub leads: Option<bool>,
    /// Its term.
    pub term: Option<u64>,
    /// The last position that it applied.
    pub applied: Option<u64>,
    /// How many bytes it has stored.
    pub size: Option<u64>,
}

/// A request for the state of a node, ready to be sent.
#[derive(Debug)]
pub struct StatusTable {
    question: Question,
    leads: Option<Condition>,
    term: Option<String>,
    applied: Option<String>,
    size: Option<String>,
}

impl StatusSpec {
    /// The request, for clients of this kind.
    ///
    /// # Errors
    /// What is missing or makes no sense, with its key, which begins with `status.`.
    pub fn table(&self, of_client: ClientKind) -> Result<StatusTable, SpecError> {
        let kind = self.kind.unwrap_or(of_client);
        let Self { request, headers, body, command, .. } = self;
        let step = Step::new(request, headers, body, command);
        let question = Question::new("status", kind, &step)?;
        let pointers = [("term", &self.term), ("applied", &self.applied), ("size", &self.size)];
        for (name, pointer) in pointers {
            if pointer.as_ref().is_some_and(|pointer| !is_pointer(pointer)) {
                let what = "a JSON pointer begins with /, for example \"/raft/term\"";
                return refuse(format!("status.{name}"), what);
            }
        }
        let leads = self.leads.as_ref();
        let leads =
            leads.map(|leads| Condition::new("status.leads", leads, Function::Read, &[])).transpose()?;
        let (term, applied, size) = (self.term.clone(), self.applied.clone(), self.size.clone());
        Ok(StatusTable { question, leads, term, applied, size })
    }
}

impl StatusTable {
    /// What a node says; none if it does not answer within `patience`. One that answers what it should not says nothing.
    pub async fn ask(&self, address: SocketAddr, patience: Duration) -> Option<NodeStatus> {
        let response = self.question.ask(address, patience).await?;
        Some(self.read(&response))
    }

    /// The protocol.
    pub fn kind(&self) -> ClientKind {
        self.question.kind()
    }

    fn read(&self, response: &Response<Bytes>) -> NodeStatus {
        let Ok(text) = std::str::from_utf8(response.body()) else { return NodeStatus::default() };
        let received = received(self.kind(), response, text);
        if received.status.is_some_and(|status| status != 200) {
            return NodeStatus::default();
        }
        let fits = |leads: &Condition| leads.fits(&received, &nothing(), &Captures::new());
        let number = |pointer: &Option<String>| number(&received, pointer.as_deref()?);
        NodeStatus {
            leads: self.leads.as_ref().filter(|_| received.json.is_some()).map(fits),
            term: number(&self.term),
            applied: number(&self.applied),
            size: number(&self.size),
        }
    }
}

/// A number that an answer has, perhaps as a text.
fn number(received: &Received<'_>, pointer: &str) -> Option<u64> {
    match received.at(pointer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spec: &str, answer: &str) -> NodeStatus {
        let spec: StatusSpec = toml::from_str(spec).unwrap();
        let table = spec.table(ClientKind::Http).unwrap();
        table.read(&Response::new(Bytes::from(answer.to_owned())))
    }

    #[test]
    fn etcd_leads_where_leader_is_itself() {
        let spec = "request = \"POST /s\"\nleads = { at = \"/leader\", same-as = \"/header/member_id\" }\n\
                    term = \"/raftTerm\"\napplied = \"/raftAppliedIndex\"";
        let leads = r#"{"header":{"member_id":"77"},"leader":"77","raftTerm":"4","raftAppliedIndex":"8"}"#;
        assert_eq!(
            read(spec, leads),
            NodeStatus { leads: Some(true), term: Some(4), applied: Some(8), size: None }
        );
        assert_eq!(read(spec, r#"{"header":{"member_id":"77"},"leader":"78"}"#).leads, Some(false));
        assert_eq!(read(spec, r#"{"header":{}}"#).leads, Some(false));
        assert_eq!(read(spec, "\u{0}"), NodeStatus::default());
    }

    #[test]
    fn redis_leads_as_master() {
        let spec = "kind = \"resp\"\ncommand = [\"ROLE\"]\nleads = { at = \"/0\", is = \"master\" }";
        assert_eq!(read(spec, "*3\r\n$6\r\nmaster\r\n:3\r\n*0\r\n").leads, Some(true));
        assert_eq!(read(spec, "*1\r\n$5\r\nslave\r\n").leads, Some(false));
    }

    #[test]
    fn mistakes_are_refused_with_their_key() {
        let refused = |spec: &str| {
            toml::from_str::<StatusSpec>(spec).unwrap().table(ClientKind::Http).unwrap_err().field
        };
        assert_eq!(refused("request = \"/s\""), "status.request");
        assert_eq!(refused("request = \"GET /s\"\nterm = \"term\""), "status.term");
        assert_eq!(refused("request = \"GET /s\"\nleads = { is = 3 }"), "status.leads.is");
    }
}
