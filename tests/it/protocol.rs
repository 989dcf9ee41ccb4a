//! The page workloads/protocol.md: every request on it, sent to a node, gets the answer that stands there.

use crate::support::{bench, output, stderr, stdout, wait_for_exit, wait_until};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;

/// A request of the page and the answer below it.
struct Example {
    /// Method and path, then headers, as lines.
    head: Vec<String>,
    body: String,
    status: u16,
    answer: Value,
}

/// The pairs of code blocks of the page.
fn examples(page: &str) -> Vec<Example> {
    let blocks: Vec<&str> =
        page.split("```http\n").skip(1).map(|rest| rest.split("```").next().unwrap().trim_end()).collect();
    let pairs = blocks.chunks_exact(2);
    assert!(pairs.remainder().is_empty(), "the last request has no answer");
    let example = |pair: &[&str]| {
        let (head, body) = pair[0].split_once("\n\n").unwrap_or((pair[0], ""));
        let (status, answer) = pair[1].split_once('\n').unwrap();
        Example {
            head: head.lines().map(str::to_owned).collect(),
            body: body.to_owned(),
            status: status.parse().unwrap(),
            answer: serde_json::from_str(answer).unwrap(),
        }
    };
    pairs.map(example).collect()
}

/// Sends a request over the socket of a node.
fn send(socket: &Path, example: &Example) -> (u16, Value) {
    let (request, headers) = example.head.split_first().unwrap();
    let mut text = format!("{request} HTTP/1.1\r\nhost: n1\r\nconnection: close\r\n");
    for header in headers {
        write!(text, "{header}\r\n").unwrap();
    }
    write!(text, "content-length: {}\r\n\r\n{}", example.body.len(), example.body).unwrap();
    let mut node = UnixStream::connect(socket).unwrap();
    node.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    node.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

#[test]
fn node_answers_as_the_protocol_page_says() {
    let page = include_str!("../../workloads/protocol.md");
    let examples = examples(page);
    assert!(examples.len() > 15, "only {} examples were found", examples.len());
    let folder = tempfile::tempdir().unwrap();
    let spec = "name = \"t\"\n[cluster]\nnodes = 1\nnetwork = \"host\"\n[load]\n";
    std::fs::write(folder.path().join("t.toml"), spec).unwrap();
    let up = ["up", "t.toml", "--out", "out"];
    let mut up = bench(folder.path()).args(up).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let socket = folder.path().join("out/n1.sock");
    wait_until("the node leads", || stdout(&output(folder.path(), &["status", "out"])).contains("leads"));
    for example in &examples {
        let (status, answer) = send(&socket, example);
        assert_eq!((status, &answer), (example.status, &example.answer), "{}", example.head[0]);
    }
    let down = output(folder.path(), &["down", "out"]);
    assert_eq!(down.status.code(), Some(0), "{}", stderr(&down));
    assert_eq!(wait_for_exit(&mut up), Some(0));
}
