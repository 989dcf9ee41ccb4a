//! Faults that cannot show on a sound system: without evidence the verdict is unknown.

use crate::support::{lab_possible, lab_with_disks_possible, output, stderr, stdout, write_spec};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

const ADDRESS: &str = "FAKE_ADDRESS";
const TRUTH: &str = "FAKE_TRUTH";

/// Not a test: a node that answers for the one truth that all nodes share, and never talks to another node.
#[test]
#[ignore = "started by other tests as a process of its own"]
fn fake_node() {
    let (Ok(address), Ok(truth)) = (std::env::var(ADDRESS), std::env::var(TRUTH)) else { return };
    for stream in TcpListener::bind(address).unwrap().incoming() {
        let (stream, truth) = (stream.unwrap(), UnixStream::connect(&truth).unwrap());
        std::thread::spawn(move || serve(stream, truth));
    }
}

/// Hands each request of a connection to the truth, and its answer back.
fn serve(mut stream: TcpStream, mut truth: UnixStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut answers = BufReader::new(truth.try_clone().ok()?);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let mut words = line.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok().filter(|length| *length > 0)?;
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if header.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let asked = json!([method, path, String::from_utf8(body).ok()?]);
        truth.write_all(format!("{asked}\n").as_bytes()).ok()?;
        let mut answer = String::new();
        answers.read_line(&mut answer).ok().filter(|length| *length > 0)?;
        let (code, text) = answer.trim().split_once(' ')?;
        let head =
            format!("HTTP/1.1 {code} it\r\ncontent-type: application/json\r\ncontent-length: {}", text.len());
        stream.write_all(format!("{head}\r\n\r\n{text}").as_bytes()).ok()?;
    }
}

/// What all nodes share, for as long as this process lives.
fn truth(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    let values: Arc<Mutex<HashMap<String, Value>>> = Arc::default();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, values) = (stream.unwrap(), Arc::clone(&values));
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let asked: [String; 3] = serde_json::from_str(&line).unwrap();
                    let (code, answer) = answer(&mut values.lock().unwrap(), &asked);
                    if writer.write_all(format!("{code} {answer}\n").as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

fn answer(values: &mut HashMap<String, Value>, [method, path, body]: &[String; 3]) -> (u16, Value) {
    // What follows the key names the operation.
    let Some(key) = path.strip_prefix("/kv/").and_then(|rest| rest.split(['?', '/']).next()) else {
        return (404, json!({"error": "no such path"}));
    };
    let now = values.get(key).cloned().unwrap_or(Value::Null);
    match method.as_str() {
        "GET" => (if now.is_null() { 404 } else { 200 }, json!({"value": now})),
        "PUT" => {
            values.insert(key.to_owned(), body.as_str().into());
            (200, json!({"applied": true}))
        }
        "DELETE" => {
            values.remove(key);
            (200, json!({"applied": true}))
        }
        _ => {
            let swap: Value = serde_json::from_str(body).unwrap();
            if now != swap["from"] {
                return (409, json!({"actual": now}));
            }
            values.insert(key.to_owned(), swap["to"].clone());
            (200, json!({"applied": true}))
        }
    }
}

/// Runs the fake with this fault; `start` is put before the command of each node.
fn run(network: &str, start: &str, fault: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("truth");
    truth(&socket);
    write_spec(folder.path(), "3s", fault);
    let own = std::env::current_exe().unwrap();
    let node =
        format!("{start} {} evidence::fake_node --exact --ignored --nocapture; exit $?", own.display());
    let env = format!("export {ADDRESS}={{address}} {TRUTH}={}", socket.display());
    let args = format!("cluster.args={}", json!(["-c", format!("{env}; {node}")]));
    let network = format!("cluster.network={network}");
    let set =
        ["cluster.system=command", "cluster.program=/bin/sh", &args, &network].map(|set| ["--set", set]);
    let run = [&["run", "short.toml", "--seed", "7", "--out", "out"][..], set.as_flattened()].concat();
    let run = output(folder.path(), &run);
    let verdict = std::fs::read_to_string(folder.path().join("out/verdict.json")).unwrap_or_default();
    (run.status.code(), format!("{}{}{verdict}", stdout(&run), stderr(&run)))
}

fn fault(kind: &str) -> String {
    format!("[[fault]]\nkind = {kind}\nat = \"1s\"\nfor = \"600ms\"\n")
}

#[test]
fn a_kill_of_the_fake_is_valid() {
    let (code, said) = run("proxy", "exec", &fault("\"kill\"\ntarget = \"n1\""));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_kill_of_a_wrapped_server_is_valid() {
    let (code, said) = run("host", ":;", &fault("\"kill\"\ntarget = \"n1\""));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_kill_of_a_puppet_is_unknown() {
    let own = std::env::current_exe().unwrap();
    let start = format!(
        "setsid -f {} evidence::fake_node --exact --ignored --nocapture; exec sleep 1000;",
        own.display()
    );
    for kind in ["kill", "pause", "stop"] {
        let (code, said) = run("proxy", &start, &fault(&format!("\"{kind}\"\ntarget = \"n1\"")));
        assert_eq!(code, Some(3), "{kind}: {said}");
        assert!(said.contains("a daemon that left pid"), "{said}");
    }
}

#[test]
fn a_cut_between_silent_nodes_is_unknown() {
    let networks: &[&str] = if lab_possible("a_cut_between_silent_nodes_is_unknown, in a lab") {
        &["proxy", "lab"]
    } else {
        &["proxy"]
    };
    for network in networks {
        for kind in ["\"partition\"\nshape = \"halves\"", "\"delay\"\ndelay = \"20ms\""] {
            let (code, said) = run(network, "exec", &fault(kind));
            assert_eq!(code, Some(3), "{network}, {kind}: {said}");
            assert!(said.contains("no traffic of n1–n2"), "{said}");
        }
    }
}

#[test]
fn a_power_loss_of_nothing_is_unknown() {
    if !lab_with_disks_possible("a_power_loss_of_nothing_is_unknown") {
        return;
    }
    let (code, said) = run("lab", "exec", &fault("\"power-loss\"\ntarget = \"all\""));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("has no data on this disk"), "{said}");
}
