//! Systems that a file describes: what their nodes are given, how they are prepared and set up, and what the network knows
//! of their ports.

use crate::support::{bench, output, program, stderr, stdout, wait_until};
use std::path::Path;

/// Node n1 keeps the values; n2 sends every request on to the port of n1 that is for its peers.
const STORE: &str = r#"
import http.client, json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
name, address, peer, first, data = sys.argv[1:]
print("env", json.dumps(sorted(os.environ)), "peer", peer, "first", first, flush=True)
assert open(data + "/prepared").read() == name + "\n"
values = {}
class Node(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.serve()
    do_PUT = do_GET
    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        status, answer = 503, b'{"error": "n1 is away"}'
        if name == "n1":
            if self.command == "PUT":
                values[self.path] = int(body)
            status, answer = 200, json.dumps({"value": values.get(self.path)}).encode()
        else:
            try:
                onward = http.client.HTTPConnection(first, timeout=0.5)
                onward.request(self.command, self.path, body)
                got = onward.getresponse()
                status, answer = got.status, got.read()
                onward.close()
            except OSError:
                status = 504
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *_):
        pass
def serve(where):
    ip, port = where.split(":")
    ThreadingHTTPServer((ip, int(port)), Node).serve_forever()
Thread(target=serve, args=(peer,), daemon=True).start()
serve(address)
"#;

const SYSTEM: &str = r#"
about   = "one node that keeps values, and one that sends requests on to it"
promise = "linearizable"
[cluster]
program = "python3"
args    = ["store.py", "{name}", "{address}", "{ip}:{peer}"]
more-args = ["{members: {ip}:{peer}|;}", "{data}"]
ports   = { client = 7000, peer = 7001 }
env     = { OWN = "{name}{{x}}", UNSET = "{env:NO_SUCH_VARIABLE}" }
prepare = "echo {name} > {data}/prepared"
setup   = ["sh", "-c", "[ -e tried ] && echo {address} > set-up || {{ touch tried; exit 1; }}"]
start   = "one-by-one"
nodes   = 2
[client]
kind  = "http"
read  = { request = "GET /{key}", answers = [{ when.status = 200, ok = "/value" }] }
write = { request = "PUT /{key}", body = "{value}", answers = [{ when.status = 200, ok = true }] }
"#;

const SPEC: &str = r#"
name = "own"
[cluster]
system  = "./own.toml"
network = "proxy"
[load]
clients  = 4
rate     = 100
warmup   = "300ms"
duration = "3s"
recovery = "2s"
timeout  = "1s"
[[fault]]
kind  = "partition"
groups = [["n1"], ["n2"]]
at    = "1s"
for   = "700ms"
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    // The first member's address is all that the store wants of them.
    let store = STORE.replace("values = {}", "first = first.split(\";\")[0]\nvalues = {}");
    for (name, text) in [("store.py", store.as_str()), ("own.toml", SYSTEM), ("spec.toml", SPEC)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The line that a node printed at its start.
fn printed(folder: &Path, node: &str) -> String {
    let output = folder.join("out/main/nodes").join(node).join("output.log");
    let text = std::fs::read_to_string(output).unwrap();
    text.lines().find(|line| line.starts_with("env ")).expect("the node says what it was given").to_owned()
}

#[test]
fn system_of_ones_own_is_a_file() {
    if program("system_of_ones_own_is_a_file", "python3").is_none() {
        return;
    }
    let folder = folder();
    let mut run = bench(folder.path());
    let done =
        run.args(["run", "spec.toml", "--out", "out", "--seed", "1"]).env("SECRET_OF_CALLER", "1").output();
    let done = done.unwrap();
    let said = format!("{}{}", stdout(&done), stderr(&done));
    assert_eq!(done.status.code(), Some(0), "the link has the bytes of the port for peers: {said}");
    let (first, second) = (printed(folder.path(), "n1"), printed(folder.path(), "n2"));
    assert!(first.contains("\"OWN\"") && !first.contains("UNSET") && !first.contains("SECRET"), "{first}");
    let word = |line: &str, name: &str| {
        let mut words = line.split(' ').skip_while(|word| *word != name);
        words.nth(1).unwrap_or_default().split(';').next().unwrap_or_default().to_owned()
    };
    assert_eq!(word(&first, "peer"), word(&first, "first"), "its own port is no detour");
    assert_ne!(word(&first, "peer"), word(&second, "first"), "another node goes through a proxy");
    assert!(folder.path().join("set-up").exists(), "the set-up is tried again until it succeeds");
}

#[test]
fn failing_set_up_is_told_with_its_output() {
    if program("failing_set_up_is_told_with_its_output", "python3").is_none() {
        return;
    }
    let folder = folder();
    let set = r#"cluster.setup=["sh", "-c", "echo no such stream; exit 3"]"#;
    let within = "cluster.start-within=1500ms";
    let done = output(folder.path(), &["run", "spec.toml", "--set", set, "--set", within]);
    assert_eq!(done.status.code(), Some(4), "{}", stdout(&done));
    let said = stderr(&done);
    assert!(said.contains("cluster.setup") && said.contains("no such stream"), "{said}");
}

#[test]
fn mistakes_in_the_file_are_shown_there() {
    let folder = folder();
    let refused = |from: &str, to: &str| {
        let text = SYSTEM.replacen(from, to, 1);
        assert_ne!(text, SYSTEM, "{from}");
        std::fs::write(folder.path().join("own.toml"), text).unwrap();
        let done = output(folder.path(), &["run", "spec.toml"]);
        assert_eq!(done.status.code(), Some(2), "{}{}", stdout(&done), stderr(&done));
        stderr(&done)
    };
    assert!(refused("{members: {ip}", "{members: {pi}").contains("own.toml:7:"), "a word in a list");
    assert!(refused("start   =", "strat   =").contains("own.toml:12:1: unknown key \"strat\""));
    assert!(refused("[client]", "[[fault]]\n[client]").contains("has no \"fault\""));
    assert!(refused("nodes   = 2", "nodes   = = 2").contains("own.toml:13:"));
    assert!(refused("client = 7000", "data = 7000").contains("cannot be the word for a port"));
}

/// How many processes have this as their working folder.
fn working_in(folder: &Path) -> usize {
    let folder = folder.canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.filter(|one| std::fs::read_link(one.path().join("cwd")).is_ok_and(|cwd| cwd == folder)).count()
}

#[test]
fn set_up_does_not_outlive_the_bench() {
    if program("set_up_does_not_outlive_the_bench", "python3").is_none() {
        return;
    }
    for network in ["proxy", "host"] {
        let folder = folder();
        let spec = SPEC.replace("\"proxy\"", &format!("\"{network}\""));
        let (before, _) = spec.split_once("[[fault]]").unwrap();
        std::fs::write(folder.path().join("spec.toml"), before).unwrap();
        let set = r#"cluster.setup=["sh", "-c", "setsid sleep 321 & touch began; sleep 321"]"#;
        let mut run = bench(folder.path()).args(["run", "spec.toml", "--set", set]).spawn().unwrap();
        wait_until("the set-up began", || folder.path().join("began").exists());
        assert!(working_in(folder.path()) >= 4, "the bench, a node, the command and what it left");
        run.kill().unwrap();
        run.wait().unwrap();
        wait_until("nothing is left", || working_in(folder.path()) == 0);
    }
}
