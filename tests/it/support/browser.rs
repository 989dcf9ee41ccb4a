//! A headless Chromium under test, spoken to over its debugging pipe: JSON messages that end with a zero byte.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// How the page is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) dark: bool,
    pub(crate) scripts: bool,
}

impl Look {
    pub(crate) const WIDE: Self = Self { width: 1280, dark: false, scripts: true };

    /// Every way in which a page must be fit to be read.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let looks = [(1280, false), (1280, true), (400, false), (400, true)];
        looks.into_iter().map(|(width, dark)| Self { width, dark, scripts: true })
    }
}

/// The text of axe-core; adds the test to the list of skipped ones if there is none.
pub(crate) fn axe_core(test: &str) -> Option<String> {
    let Some(axe) = std::env::var_os("BENCH_AXE") else {
        super::skip(test, "BENCH_AXE does not say where axe.min.js of the npm package axe-core is");
        return None;
    };
    Some(std::fs::read_to_string(axe).unwrap())
}

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    last: u64,
    /// What the page complained of: exceptions, and errors on the console.
    pub(crate) complaints: Vec<String>,
    /// What it printed, which says why it ended.
    log: PathBuf,
    _profile: tempfile::TempDir,
}

/// The browser of `.ci/programs` or in PATH; adds the test to the list of skipped ones if there is none.
pub(crate) fn chromium(test: &str) -> Option<PathBuf> {
    let names = ["chromium-headless-shell", "chromium", "google-chrome"];
    let found = names.into_iter().find_map(super::skipped::in_path);
    if found.is_none() {
        super::skip(test, "there is no chromium-headless-shell in PATH");
    }
    found
}

impl Browser {
    /// Starts the browser with an empty page that is looked at in this way.
    pub(crate) fn start(program: &Path, look: Look) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The pipe is expected at the descriptors 3 and 4.
        let log = profile.path().join("log");
        let pipe = format!("exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>{}", log.display());
        let mut child = Command::new("sh")
            .args(["-c", &pipe])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-pipe",
                "--no-first-run",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut browser =
            Self { child, to, from, session: None, last: 0, complaints: Vec::new(), log, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", &attach);
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        let metrics =
            json!({"width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": look.width < 600});
        browser.call("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.call("Emulation.setEmulatedMedia", &media);
        browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": !look.scripts}));
        browser
    }

    /// Calls a method of the `DevTools` protocol, and gives its result.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let message = self.next();
            if message["id"] == self.last {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
        }
    }

    fn next(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).unwrap();
        if bytes.pop() != Some(0) {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("the browser ended with {:?}: {log}", self.child.wait());
        }
        let message: Value = serde_json::from_slice(&bytes).unwrap();
        let parameters = &message["params"];
        let complaint = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => Some(&parameters["exceptionDetails"]),
            Some("Runtime.consoleAPICalled") if parameters["type"] == "error" => Some(&parameters["args"]),
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => Some(&parameters["entry"]),
            _ => None,
        };
        self.complaints.extend(complaint.map(Value::to_string));
        message
    }

    /// Opens an address, and waits until it is loaded.
    pub(crate) fn open_url(&mut self, url: &str) {
        // Another fragment of the same page alone would load nothing.
        for url in ["about:blank", url] {
            self.call("Page.navigate", &json!({"url": url}));
            while self.next()["method"] != "Page.loadEventFired" {}
        }
    }

    /// Opens a file, and waits until it is loaded.
    pub(crate) fn open(&mut self, file: &Path, fragment: &str) {
        self.open_url(&format!("file://{}{fragment}", file.display()));
    }

    /// Opens a report, and waits until its timeline is drawn.
    pub(crate) fn open_report(&mut self, file: &Path, fragment: &str) {
        self.open(file, fragment);
        self.wait_for_timeline();
    }

    /// Waits until the timeline of a report is drawn.
    pub(crate) fn wait_for_timeline(&mut self) {
        self.wait("document.documentElement.dataset.ready !== undefined");
    }

    /// Waits until an expression holds.
    pub(crate) fn wait(&mut self, holds: &str) {
        let wait = format!(
            "new Promise((done, failed) => {{ const begun = performance.now(); const look = () => ({holds}) ? done(true) : \
             performance.now() - begun > 60000 ? failed(new Error('waited in vain')) : setTimeout(look, 10); look(); }})"
        );
        assert_eq!(self.evaluate(&wait), json!(true), "{holds}: {:?}", self.complaints);
    }

    /// The value of an expression, or of the promise that it gives.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let result = self.call("Runtime.evaluate", &parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// What axe-core, whose program this is, finds that is serious.
    pub(crate) fn serious_faults(&mut self, axe: &str) -> Value {
        // What the script gives at its end is of no use.
        self.evaluate(&format!("{axe};0"));
        self.evaluate(
            "axe.run().then(found => found.violations.filter(it => ['serious', 'critical'].includes(it.impact))\
             .map(it => it.id + ': ' + it.nodes.map(node => node.html).join(' ')))",
        )
    }

    /// The text of an expression.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        self.evaluate(expression).as_str().unwrap_or_default().to_owned()
    }

    /// Presses a key: a letter, or `Tab` or `Enter`.
    pub(crate) fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            letter => (u32::from(letter.to_uppercase().as_bytes()[0]), letter),
        };
        let event = |kind: &str| json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": if kind == "keyUp" { "" } else { text }});
        for kind in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", &event(kind));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It is gone already where the test found that out.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
