//! Servers that already run: the load is sent to them and judged, and faults reach them by commands only.

use crate::support::{output, program, stderr, stdout, wait_until};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

const PAGE: &str = include_str!("../../workloads/systems/README.md");

const SPEC: &str = r#"
name = "running"
[cluster]
system    = "command"
addresses = ["ADDRESS"]
[cluster.commands]
kill   = "kill -9 $(cat pid) && echo killed {name} at {ip}"
start  = "sh start.sh {address} LOG"
pause  = "kill -STOP $(cat pid)"
resume = "kill -CONT $(cat pid)"
[client]
kind  = "http"
read  = { request = "GET /api/items/{key}", answers = [
    { when.status = 200, ok = "/val" }, { when = { status = 404, at = "/error", is = "no such item" }, ok = "absent" } ] }
write = { request = "POST /api/items", body = '{"id": {key:json}, "val": {value}}', answers = [{ when.status = 201, ok = true }] }
[load]
rate     = 100
warmup   = "300ms"
duration = "3s"
recovery = "1s"
timeout  = "300ms"
[[fault]]
kind   = "kill"
target = "n1"
at     = "500ms"
for    = "300ms"
[[fault]]
kind   = "pause"
target = "n1"
at     = "1500ms"
for    = "500ms"
"#;

/// A server of the store of the page, started by a script that is also the command of a spec. It ends with this.
struct Server {
    folder: tempfile::TempDir,
    address: String,
}

impl Server {
    fn start(log: &str) -> Self {
        Self::of_page("store.py", log, SPEC)
    }

    /// A server of the page by the name of its file, which a spec calls `store.py`.
    fn of_page(name: &str, log: &str, spec: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = PAGE.find(&format!("\n# {name}\n")).unwrap();
        let store = &PAGE[start..start + PAGE[start..].find("\n```").unwrap()];
        fs::write(folder.path().join("store.py"), store).unwrap();
        fs::write(
            folder.path().join("start.sh"),
            "nohup python3 store.py \"$@\" > server.log 2>&1 & echo $! > pid\n",
        )
        .unwrap();
        // Nobody else takes the port in the short time until the server does.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut start = Command::new("sh");
        start.args(["start.sh", &address]).args(log.split_whitespace()).current_dir(folder.path());
        assert!(start.status().unwrap().success());
        wait_until("the server listens", || TcpStream::connect(&address).is_ok());
        let spec = spec.replace("ADDRESS", &address).replace("LOG", log);
        fs::write(folder.path().join("spec.toml"), spec).unwrap();
        Self { folder, address }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, out: &str) -> (Option<i32>, String) {
        let done = output(self.path(), &["run", "spec.toml", "--seed", "7", "--out", out]);
        (done.status.code(), format!("{}{}", stdout(&done), stderr(&done)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("sh").args(["-c", "kill -9 $(cat pid)"]).current_dir(self.path()).status();
    }
}

#[test]
fn running_server_is_judged_and_hurt_by_commands() {
    if program("running_server_is_judged_and_hurt_by_commands", "python3").is_none() {
        return;
    }
    let server = Server::start("log");
    for out in ["first", "again"] {
        let (code, said) = server.run(out);
        assert_eq!(code, Some(0), "what the first run wrote is no matter of the second: {said}");
        let faults = fs::read_to_string(server.path().join(out).join("main/faults.csv")).unwrap();
        assert!(faults.contains("ended with exit code 0, and printed: killed n1 at 127.0.0.1"), "{faults}");
        let history = fs::read_to_string(server.path().join(out).join("main/history.jsonl")).unwrap();
        assert!(history.contains("`kill -CONT $(cat pid)` ended with exit code 0"), "{said}");
    }
    assert!(TcpStream::connect(&server.address).is_ok(), "it is left as it was");
}

#[test]
fn running_server_that_forgets_is_invalid() {
    if program("running_server_that_forgets_is_invalid", "python3").is_none() {
        return;
    }
    let server = Server::start("");
    let (code, said) = server.run("out");
    assert_eq!(code, Some(1), "what was in memory is gone after the kill: {said}");
}

#[test]
fn queue_that_already_runs_is_judged() {
    if program("queue_that_already_runs_is_judged", "python3").is_none() {
        return;
    }
    let queue = r#"
enqueue = { request = "POST /queues/{key}", body = "{value}", answers = [{ when.status = 201, ok = true }] }
dequeue = { request = "DELETE /queues/{key}/first", answers = [
    { when.status = 200, ok = "/element" }, { when = { status = 404, at = "/error", is = "empty" }, ok = "absent" } ] }
[load]
workload = "queue"
keys     = 2
"#;
    let (start, rest) = SPEC.split_once("read  =").unwrap();
    let spec = format!("{start}{}{}", queue.trim_start(), rest.split_once("[load]\n").unwrap().1);
    // A dequeue without an answer may have taken what is missing, so a pause must not leave any.
    let spec = spec.replace("timeout  = \"300ms\"", "timeout  = \"1s\"");
    let server = Server::of_page("jobs.py", "log", &spec);
    // A second run meets what the first one left; without a log, the kill takes elements.
    for out in ["first", "again"] {
        let (code, said) = server.run(out);
        let undecided = code == Some(3) && said.contains("of unknown outcome may");
        assert!(code == Some(0) || undecided, "{code:?}: {said}");
    }
    let kill =
        fs::read_to_string(server.path().join("spec.toml")).unwrap().replace("{address} log", "{address}");
    fs::write(server.path().join("spec.toml"), kill).unwrap();
    let (code, said) = server.run("lost");
    assert_eq!(code, Some(1), "{said}");
    let one =
        ["run", "spec.toml", "--set", "load.keys=1", "--set", "client.enqueue.request=POST /queues/jobs"];
    let refused = output(server.path(), &one);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("each run needs queues of its own"), "{}", stderr(&refused));
}

#[test]
fn command_without_effect_is_no_evidence() {
    if program("command_without_effect_is_no_evidence", "python3").is_none() {
        return;
    }
    let server = Server::start("log");
    let run = |set: &[&str]| {
        let sets = set.iter().flat_map(|set| ["--set", set]);
        let arguments: Vec<&str> = ["run", "spec.toml", "--seed", "7"].into_iter().chain(sets).collect();
        let done = output(server.path(), &arguments);
        (done.status.code(), format!("{}{}", stdout(&done), stderr(&done)))
    };
    let (code, said) = run(&["cluster.commands.kill=/bin/true", "cluster.commands.start=/bin/true"]);
    assert!(code == Some(3) && said.contains("n1 still answers after 2s"), "{said}");
    let (code, said) =
        run(&["cluster.commands.kill=echo no route; exit 255", "cluster.commands.start=/bin/true"]);
    assert!(code == Some(3) && said.contains("exit code 255, and printed: no route"), "{said}");
    let (code, said) = run(&["cluster.commands.start=echo no route; exit 255"]);
    assert!(code == Some(4) && said.contains("exit code 255, and printed: no route"), "{said}");
}

#[test]
fn what_running_servers_cannot_have_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let spec = SPEC.replace("ADDRESS", "127.0.0.1:1").replace("LOG", "");
    fs::write(folder.path().join("spec.toml"), spec).unwrap();
    let refused = |set: &str, said: &str| {
        let done = output(folder.path(), &["run", "spec.toml", "--set", set]);
        assert_eq!(done.status.code(), Some(2), "{set}: {}{}", stdout(&done), stderr(&done));
        assert!(stderr(&done).contains(said), "{set}: {}", stderr(&done));
    };
    refused("fault.1.kind=power-loss", "`power-loss` cannot be injected into servers that already run");
    refused("fault.1.kind=stop", "add stop and start to [cluster.commands]");
    refused("fault.1.kind=lose-node", "kill, restart-all, stop, rolling-restart and pause");
    refused("cluster.program=/bin/true", "nodes that the bench starts");
    refused("cluster.nodes=3", "nodes that the bench starts");
    refused("cluster.network=proxy", "nothing of the bench is between");
    refused("cluster.disk=memory", "have their own disks");
    refused("cluster.addresses=[\"nowhere\"]", "\"nowhere\" is no address");
    refused("cluster.addresses=[\"127.0.0.1:1\", \"localhost:1\"]", "twice");
    refused("cluster.addresses=[]", "they are for servers that run already");
    refused("cluster.commands.kill=kill {pid}", "there is no {pid}");
    refused("cluster.commands.kill=kill {env:NO_SUCH_PID}", "the variable NO_SUCH_PID is not set");
    refused("check.never=[\"panic\"]", "the logs of servers that already run are not read");
    refused("cluster.system=paxos", "the bench starts nodes of its own here");
    let up = output(folder.path(), &["up", "spec.toml"]);
    assert!(up.status.code() == Some(2) && stderr(&up).contains("nothing to keep"), "{}", stderr(&up));
}
