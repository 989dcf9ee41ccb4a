//! Asks a node for a digest: a hash of its state, and the position in the system's history that the state belongs to.

use super::question::Question;
use super::rules::is_pointer;
use super::spec::{ClientKind, Step};
use super::{received, refuse};
use crate::spec::SpecError;
use bytes::Bytes;
use hyper::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// `[digest]`: a hash of a node's state. Nodes whose states are at the same position must have the same hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DigestSpec {
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
    /// A JSON pointer to the hash, as a number or a text.
    pub value: String,
    /// A JSON pointer to the position of the state, as a number or a text, for example the last log index that the node
    /// applied. It must change with every change of the state. Absent: `status.applied`, asked before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

/// A hash of a node's state at a position. Numbers are in decimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDigest {
    /// The hash.
    pub value: String,
    /// The position; none where `[status]` says it.
    pub position: Option<String>,
}

/// A request for a digest, ready to be sent.
#[derive(Debug)]
pub struct DigestTable {
    question: Question,
    value: String,
    position: Option<String>,
}

impl DigestSpec {
    /// The request, for clients of this kind.
    ///
    /// # Errors
    /// What is missing or makes no sense, with its key, which begins with `digest.`.
    pub fn table(&self, of_client: ClientKind) -> Result<DigestTable, SpecError> {
        let Self { request, headers, body, command, .. } = self;
        let step = Step::new(request, headers, body, command);
        let question = Question::new("digest", self.kind.unwrap_or(of_client), &step)?;
        for (name, pointer) in [("value", Some(&self.value)), ("position", self.position.as_ref())] {
            if pointer.is_some_and(|pointer| !is_pointer(pointer)) {
                let what = "a JSON pointer begins with /, for example \"/header/revision\"";
                return refuse(format!("digest.{name}"), what);
            }
        }
        let (value, position) = (self.value.clone(), self.position.clone());
        Ok(DigestTable { question, value, position })
    }
}

impl DigestTable {
    /// Whether its answers say the position.
    pub fn has_position(&self) -> bool {
        self.position.is_some()
    }

    /// The digest of a node.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn ask(&self, address: SocketAddr, patience: Duration) -> Result<StateDigest, String> {
        match self.question.ask(address, patience).await {
            Some(response) => self.digest(&response),
            None => Err(format!("no answer within {patience:?}")),
        }
    }

    fn digest(&self, response: &Response<Bytes>) -> Result<StateDigest, String> {
        let text = std::str::from_utf8(response.body()).map_err(|_| "the answer is not text".to_owned())?;
        let received = received(self.question.kind(), response, text);
        if let Some(status) = received.status.filter(|status| *status != 200) {
            return Err(format!("status {status}"));
        }
        let at = |pointer: &String| {
            let found = received.at(pointer).and_then(as_text);
            found.ok_or_else(|| format!("the answer has no number or text at \"{pointer}\""))
        };
        Ok(StateDigest { value: at(&self.value)?, position: self.position.as_ref().map(at).transpose()? })
    }
}

/// A number or a text as a text.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETCD: &str = "request = \"POST /h\"\nvalue = \"/hash\"\nposition = \"/header/revision\"";

    fn table(spec: &str) -> Result<DigestTable, SpecError> {
        toml::from_str::<DigestSpec>(spec).unwrap().table(ClientKind::Http)
    }

    fn digest(spec: &str, status: u16, answer: &str) -> Result<StateDigest, String> {
        let response = Response::builder().status(status).body(Bytes::from(answer.to_owned())).unwrap();
        table(spec).unwrap().digest(&response)
    }

    fn of(value: &str, position: &str) -> StateDigest {
        StateDigest { value: value.to_owned(), position: Some(position.to_owned()) }
    }

    #[test]
    fn digest_and_position_are_numbers_or_texts() {
        assert_eq!(digest(ETCD, 200, r#"{"header":{"revision":"12"},"hash":99}"#), Ok(of("99", "12")));
        let redis = "kind = \"resp\"\ncommand = [\"STATE\"]\nvalue = \"/1\"\nposition = \"/0\"";
        assert_eq!(digest(redis, 200, "*2\r\n:7\r\n$2\r\nab\r\n"), Ok(of("ab", "7")));
    }

    #[test]
    fn answer_without_digest_says_why() {
        let missing = digest(ETCD, 200, r#"{"header":{"revision":"12"}}"#).unwrap_err();
        assert_eq!(missing, "the answer has no number or text at \"/hash\"");
        assert_eq!(digest(ETCD, 404, "{}").unwrap_err(), "status 404");
        assert!(digest(ETCD, 200, "Not Found").is_err());
    }

    #[test]
    fn mistakes_are_refused_with_their_key() {
        let refused = |spec: &str| table(spec).unwrap_err().field;
        assert_eq!(refused("request = \"/h\"\nvalue = \"\"\nposition = \"/p\""), "digest.request");
        assert_eq!(refused("request = \"GET /h\"\nvalue = \"hash\"\nposition = \"/p\""), "digest.value");
        assert_eq!(refused("request = \"GET /h\"\nvalue = \"/h\"\nposition = \"p\""), "digest.position");
        assert_eq!(refused("kind = \"exec\"\nrequest = \"GET /h\"\nvalue = \"/h\""), "digest.kind");
        assert!(toml::from_str::<DigestSpec>("request = \"GET /h\"\nposition = \"/p\"").is_err());
    }
}
