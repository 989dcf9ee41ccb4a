//! The server of results: a run is followed while it goes on, and Ctrl-C ends the server.

use crate::support::{bench, output, stderr, wait_for_exit, wait_until, write_spec};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

/// A server of the folder `results`, with its address.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(folder: &Path) -> Self {
        let mut child = bench(folder)
            .args(["serve", "results", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        Self { child, address }
    }

    /// Sends a request as it stands, so that no client tidies the path first.
    fn ask(&self, path: &str, host: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        stream
    }

    fn get(&self, path: &str) -> String {
        let mut bytes = Vec::new();
        self.ask(path, &self.address).read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_run_is_followed_while_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("results")).unwrap();
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    write_spec(folder.path(), "2s", "");
    let mut served = Served::start(folder.path());
    let mut run = bench(folder.path())
        .args(["run", "short.toml", "--out", "results/going"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let history = folder.path().join("results/going/main/history.jsonl");
    wait_until("the run has begun", || std::fs::metadata(&history).is_ok_and(|file| file.len() > 0));
    assert!(served.get("/").contains("badge running"), "the list shows that it goes on");
    assert!(served.get("/run/going").contains("data-events=\"/events/going\""));
    // The events end with the verdict.
    let events = served.get("/events/going");
    assert!(events.contains("text/event-stream") && events.contains("event: progress\ndata: {"), "{events}");
    assert!(events.contains("\"phase\":\"load\""), "{events}");
    assert!(events.contains("event: verdict\ndata: ") && events.contains("Valid: "), "{events}");
    assert_eq!(wait_for_exit(&mut run), Some(0));
    assert!(served.get("/").contains("badge valid"));
    assert!(served.get("/files/going/report.html").contains("sandbox allow-scripts"));
    for path in ["/files/../secret", "/files/%2e%2e/secret", "/files//../../etc/passwd"] {
        assert!(served.get(path).starts_with("HTTP/1.1 404"), "{path}");
    }
    let mut rebound = String::new();
    served.ask("/", "evil.example").read_to_string(&mut rebound).unwrap();
    assert!(rebound.starts_with("HTTP/1.1 421"), "{rebound}");

    kill_process(Pid::from_raw(i32::try_from(served.child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(wait_for_exit(&mut served.child), Some(0));
}

#[test]
fn a_missing_folder_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let refused = output(folder.path(), &["serve", "nowhere", "--port", "0"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("nowhere: it cannot be shown"), "{}", stderr(&refused));
}
