//! The server of results: a run is followed while it goes on, and Ctrl-C ends the server.

use crate::page::write_run;
use crate::support::browser::{Browser, Look, axe_core, chromium};
use crate::support::{bench, output, stderr, wait_for_exit, wait_until, write_spec};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::fs;
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
    fs::create_dir(folder.path().join("results")).unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    write_spec(folder.path(), "2s", "");
    let mut served = Served::start(folder.path());
    let mut run = bench(folder.path())
        .args(["run", "short.toml", "--out", "results/going"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let history = folder.path().join("results/going/main/history.jsonl");
    wait_until("the run has begun", || fs::metadata(&history).is_ok_and(|file| file.len() > 0));
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

/// A server of two runs, one of which broke its promise, and of a hunt that found it.
fn served_results() -> (tempfile::TempDir, Served) {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    for (name, stale) in [("plain", false), ("hunt/prey/runs/1", true)] {
        let run = results.join(name);
        fs::create_dir_all(&run).unwrap();
        write_run(&run, 3000, stale);
        let report = output(&run, &["report", "."]);
        // So little load proves nothing where nothing broke.
        assert_eq!(report.status.code(), Some(if stale { 1 } else { 3 }), "{}", stderr(&report));
    }
    let hunt = results.join("hunt/prey");
    let plan = json!({"bench": "0.1.0", "spec": "prey.toml", "seed": 5, "shard": 1, "shards": 1, "faults": ["partition"]});
    let finding = json!({"number": 1, "class": "linearizable: a read was stale", "reason": "a read was stale", "runs": [1],
        "again": {"seen": 1, "of": 2}, "seed": 7});
    let run = json!({"run": 1, "seed": 7, "answer": "invalid", "reason": "a read was stale", "seconds": 3.5,
        "faults": ["partition one at 0.5s"]});
    fs::write(hunt.join("hunt.json"), plan.to_string()).unwrap();
    fs::write(hunt.join("findings.json"), json!([finding]).to_string()).unwrap();
    fs::write(hunt.join("runs.jsonl"), format!("{run}\n")).unwrap();
    let served = Served::start(folder.path());
    (folder, served)
}

#[test]
fn served_pages_open_without_a_complaint() {
    const TEST: &str = "serve::served_pages_open_without_a_complaint";
    let Some(program) = chromium(TEST) else { return };
    let Some(axe) = axe_core(TEST) else { return };
    let (_folder, served) = served_results();
    for look in Look::all() {
        let mut browser = Browser::start(&program, look);
        for (path, shown) in [
            ("", "2 of 2 runs and sweeps"),
            ("run/plain", "Report"),
            ("hunt/hunt/prey", "violated in 1 of 2"),
            ("files/plain/", "verdict.json"),
            ("side?a=plain&b=hunt/prey/runs/1", "throughput"),
        ] {
            browser.open_url(&format!("http://{}/{path}", served.address));
            let text = browser.text("document.body.innerText");
            assert!(text.contains(shown), "{path}, {look:?}: {text}");
            let wide = browser.evaluate("document.documentElement.scrollWidth");
            assert!(wide.as_u64().unwrap() <= u64::from(look.width), "{path}, {look:?}: it is {wide} wide");
            assert_eq!(browser.serious_faults(&axe), json!([]), "{path}, {look:?}");
        }
        assert_eq!(browser.evaluate("document.querySelectorAll('.side iframe').length"), 2);
        assert_eq!(browser.complaints, [""; 0], "{look:?}");
    }
}

#[test]
fn hunt_leads_to_a_report_that_works() {
    let Some(program) = chromium("serve::hunt_leads_to_a_report_that_works") else { return };
    let (_folder, served) = served_results();
    for look in Look::all() {
        let mut browser = Browser::start(&program, look);
        browser.open_url(&format!("http://{}/", served.address));
        let hunt = browser.text("document.querySelector('a[href^=\"/hunt/\"]').href");
        browser.open_url(&hunt);
        let report = browser.text("document.querySelector('.finding a[href$=\"report.html\"]').href");
        browser.open_url(&report);
        browser.wait_for_timeline();
        browser.evaluate("timeline.showViolation()");
        let words = browser.text("document.activeElement.innerText");
        assert!(words.contains("Nothing explains this operation"), "{look:?}: {words}");
        // It keeps its place in the address, as far as a sandbox lets it.
        browser.evaluate("new Promise(done => setTimeout(done, 500))");
        assert_eq!(browser.complaints, [""; 0], "{look:?}");
    }
}

#[test]
fn browser_follows_a_run_to_its_verdict() {
    let Some(program) = chromium("serve::browser_follows_a_run_to_its_verdict") else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("results")).unwrap();
    write_spec(folder.path(), "3s", "");
    let served = Served::start(folder.path());
    let mut browser = Browser::start(&program, Look::WIDE);
    let mut run = bench(folder.path())
        .args(["run", "short.toml", "--out", "results/going"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let history = folder.path().join("results/going/main/history.jsonl");
    wait_until("the run has begun", || fs::metadata(&history).is_ok_and(|file| file.len() > 0));
    browser.open_url(&format!("http://{}/run/going", served.address));
    let count = "Number(document.getElementById('live-ok').textContent)";
    browser.wait(&format!("{count} > 0"));
    let first = browser.evaluate(count);
    browser.wait(&format!("{count} > {first}"));
    browser.wait("document.getElementById('live-verdict').textContent.startsWith('Valid: ')");
    assert!(browser.text("document.getElementById('live-state').textContent").contains("It is over"));
    assert_eq!(wait_for_exit(&mut run), Some(0));
    assert_eq!(browser.complaints, [""; 0]);
}
