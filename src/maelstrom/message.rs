//! The messages of programs for Maelstrom: read from their lines, with a sentence for each mistake. Pure.

use serde_json::{Map, Value};

/// How much of a line is shown in a complaint, in characters.
const SHOWN: usize = 120;
/// What a program may print instead of a message, and where.
const REMEDY: &str = "standard output is for messages only, print everything else on standard error";

/// A message from a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    /// Whose it is: the node's own, or that of a client, which the node passes on.
    pub(super) src: String,
    /// Who it is for.
    pub(super) dest: String,
    /// The payload.
    pub(super) body: Map<String, Value>,
}

impl Message {
    /// Reads a line of a node. The error is a sentence about the node.
    pub(super) fn read(node: &str, line: &[u8]) -> Result<Self, String> {
        let shown = shown(line);
        let Ok(value) = serde_json::from_slice::<Value>(line) else {
            return Err(format!(
                "it printed a line on standard output that is no message: {shown}; {REMEDY}"
            ));
        };
        let Value::Object(mut fields) = value else {
            return Err(format!("it printed JSON on standard output that is no object: {shown}; {REMEDY}"));
        };
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let lacks = |what: &str| Err(format!("it sent a message {what}: {shown}"));
        let Some(src) = text("src") else { return lacks("without `src`, its own id as a text") };
        let Some(dest) = text("dest") else {
            return lacks("without `dest`, the id of the receiver as a text");
        };
        if src != node && !is_client(&src) {
            return lacks(&format!("whose `src` is {src} and not its own id, {node}"));
        }
        let Some(Value::Object(body)) = fields.remove("body") else {
            return lacks("without `body`, which is an object");
        };
        Ok(Self { src, dest, body })
    }
}

/// Whether an id is that of a client: a c and digits.
pub(super) fn is_client(id: &str) -> bool {
    let number = id.strip_prefix('c');
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The number of the request that a body answers.
pub(super) fn in_reply_to(body: &Map<String, Value>) -> Option<u64> {
    body.get("in_reply_to")?.as_u64()
}

/// The line of a message to a node.
pub(super) fn line(id: u64, src: &str, dest: &str, body: &Map<String, Value>) -> Vec<u8> {
    let message = serde_json::json!({ "id": id, "src": src, "dest": dest, "body": body });
    message.to_string().into_bytes()
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut shown: String = text.trim().chars().take(SHOWN).collect();
    if text.trim().chars().count() > SHOWN {
        shown.push('…');
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_mistake_gets_one_sentence() {
        for (line, says) in [
            ("hello world", "that is no message: `hello world`; standard output is for messages only"),
            ("", "that is no message"),
            ("[1]", "that is no object"),
            (r#"{"dest":"n2","body":{}}"#, "without `src`"),
            (r#"{"src":"n1","body":{}}"#, "without `dest`"),
            (r#"{"src":"n1","dest":3,"body":{}}"#, "without `dest`"),
            (r#"{"src":"n2","dest":"n3","body":{}}"#, "whose `src` is n2 and not its own id, n1"),
            (r#"{"src":"n1","dest":"n2"}"#, "without `body`"),
            (r#"{"src":"n1","dest":"n2","body":[]}"#, "without `body`"),
        ] {
            let said = Message::read("n1", line.as_bytes()).unwrap_err();
            assert!(said.starts_with("it ") && said.contains(says), "{line}: {said}");
        }
    }

    #[test]
    fn message_and_its_line_fit() {
        let body = json!({"type": "read_ok", "in_reply_to": 7}).as_object().unwrap().clone();
        let read = Message::read("n1", &line(3, "n1", "c2", &body)).unwrap();
        assert_eq!((read.src.as_str(), read.dest.as_str(), in_reply_to(&read.body)), ("n1", "c2", Some(7)));
        let passed = Message::read("n1", &line(3, "c4", "n2", &body)).unwrap();
        assert_eq!(passed.src, "c4", "a request of a client that is passed on");
        assert_eq!(read.body, body);
        assert!(!line(3, "n1", "c2", &body).contains(&b'\n'));
    }
}
