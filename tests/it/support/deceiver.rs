//! A store that deceives its clients: one node of it, over HTTP, with the truth of all nodes in files.
//!
//! It is a process of the test program itself, started with its address in the environment.

use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// One node.
struct Node {
    /// How it deceives.
    mode: String,
    name: String,
    /// The folder of all nodes, with a file for each key.
    truth: PathBuf,
    /// Whether an earlier process of this node has been here.
    again: bool,
}

/// When the first request of this process came.
static FIRST: OnceLock<Instant> = OnceLock::new();

/// Serves for ever where the environment says that this process is a node.
pub(crate) fn serve_if_asked() {
    let Ok(address) = std::env::var("DECEIVER_ADDRESS") else { return };
    let text = |name: &str| std::env::var(name).unwrap();
    let data = PathBuf::from(text("DECEIVER_DATA"));
    let again = data.join("started").exists();
    File::create(data.join("started")).unwrap();
    let truth = data.parent().unwrap().parent().unwrap().join("truth");
    fs::create_dir_all(&truth).unwrap();
    // How many milliseconds a process of the node lives, by number; those behind the last live on.
    let lives = std::env::var("DECEIVER_LIVES").unwrap_or_default();
    let life = fs::read_to_string(data.join("lives")).unwrap_or_default().len();
    fs::write(data.join("lives"), "x".repeat(life + 1)).unwrap();
    if let Some(milliseconds) = lives.split_whitespace().nth(life) {
        let milliseconds = milliseconds.parse().unwrap();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(milliseconds));
            eprintln!("database is locked");
            std::process::exit(3);
        });
    }
    let node = Node { mode: text("DECEIVER_MODE"), name: text("DECEIVER_NAME"), truth, again };
    let node: &'static Node = Box::leak(Box::new(node));
    let listener = TcpListener::bind(address).unwrap();
    for stream in listener.incoming() {
        std::thread::spawn(move || node.connection(&stream.unwrap()));
    }
}

/// How a test starts a node of this mode, as the arguments of `/bin/sh`.
pub(crate) fn command(mode: &str) -> String {
    let program = std::env::current_exe().unwrap();
    format!(
        "DECEIVER_ADDRESS={{address}} DECEIVER_NAME={{name}} DECEIVER_DATA={{data}} DECEIVER_MODE={mode} exec {} --exact \
         verdicts::node_of_the_deceiver --nocapture",
        program.display()
    )
}

impl Node {
    fn is(&self, mode: &str) -> bool {
        self.mode == mode
    }

    fn connection(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some((method, path, body)) = request(&mut reader) {
            FIRST.get_or_init(Instant::now);
            let (status, answer) = self.answer(&method, &path, &body);
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", answer.len());
            let mut stream = stream;
            if stream.write_all(format!("{head}{answer}").as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let silent = self.is("silent")
            || self.is("dead-node") && self.name == "n3"
            || self.is("never-back") && self.again;
        if silent {
            std::thread::sleep(Duration::from_secs(1000));
        }
        match self.mode.as_str() {
            "not-found" => return (404, r#"{"error":"no such path"}"#.to_owned()),
            "plain-ok" => return (200, "OK".to_owned()),
            _ => {}
        }
        if path == "/digest" {
            let state = std::env::var("DECEIVER_STATE");
            return state.map_or_else(|_| (404, "{}".to_owned()), |state| (200, state));
        }
        let Some(key) = path.strip_prefix("/kv/").map(|rest| rest.split('/').next().unwrap()) else {
            return (404, "{}".to_owned());
        };
        let late = FIRST.get().is_some_and(|first| first.elapsed() > Duration::from_millis(1500));
        let failing = self.is("reads-fail") || self.is("k1-fails") && key == "k1";
        if method == "GET" && failing && late {
            return (500, r#"{"error":"checksum mismatch"}"#.to_owned());
        }
        let (status, answer) = self.apply(method, key, body);
        (status, answer.to_string())
    }

    /// What a sound store does, under a lock that all nodes share.
    fn apply(&self, method: &str, key: &str, body: &str) -> (u16, Value) {
        let lock = File::create(self.truth.join("lock")).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let file = self.truth.join(format!("key-{key}"));
        let held = fs::read_to_string(&file).ok();
        match method {
            "GET" if held.is_none() => (404, json!({ "value": null })),
            "GET" => (200, json!({ "value": held })),
            "PUT" => put(&file, body),
            "POST" => {
                let cas: Value = serde_json::from_str(body).unwrap();
                if cas["from"].as_str().map(str::to_owned) == held {
                    put(&file, cas["to"].as_str().unwrap())
                } else {
                    (409, json!({ "actual": held }))
                }
            }
            _ => (501, json!({})),
        }
    }
}

/// Written whole, for a kill may come at any moment.
fn put(file: &Path, text: &str) -> (u16, Value) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, file).unwrap();
    (200, json!({ "applied": true }))
}

/// Method, path and body of the next request; none when the connection is over.
fn request(reader: &mut BufReader<&TcpStream>) -> Option<(String, String, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|bytes| *bytes > 0)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, path, String::from_utf8(body).unwrap()))
}
