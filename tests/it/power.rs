//! Power losses in real runs: a node that answers before it has synced is found out by them and by no kill, and the
//! sound node loses nothing.

use crate::support::{bench, output, program, skip, stderr, stdout, write_spec};
use std::path::Path;

/// Whether disks that lose their power can be had here; says which test is skipped and why otherwise.
fn possible(test: &str) -> bool {
    let said = stdout(&output(Path::new("/"), &["doctor"]));
    let reasons: Vec<_> =
        said.lines().filter(|line| line.contains("no   lab") || line.contains("no   disk  ")).collect();
    if !reasons.is_empty() {
        skip(test, &reasons.join("; "));
    }
    reasons.is_empty()
}

/// Runs a spec of the repository with these values, and gives the exit code and what was said.
fn run(spec: &str, sets: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let run = bench(folder.path()).args(["run", spec, "--seed", "11", "--out", "out"]).args(sets).output();
    let run = run.unwrap();
    let mut said = format!("{}{}", stdout(&run), stderr(&run));
    for variant in ["main", "ordered", "strict"] {
        let faults = folder.path().join("out").join(variant).join("faults.csv");
        said += &std::fs::read_to_string(faults).unwrap_or_default();
    }
    (run.status.code(), said)
}

#[test]
fn missing_sync_is_found_only_by_power_loss() {
    if !possible("missing_sync_is_found_only_by_power_loss") {
        return;
    }
    let spec = "workloads/flaws/acceptor-answers-before-sync.toml";
    let flaw = "cluster.paxos.flaw=\"acceptor-answers-before-sync\"";
    let (code, said) = run(spec, &[flaw]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not synced and lost: ") && said.contains("linearizable"), "{said}");
    let (code, said) = run(spec, &[flaw, "fault.1.kind=kill"]);
    assert_eq!(code, Some(0), "a kill loses nothing: {said}");
}

#[test]
fn sound_node_survives_power_losses_and_torn_writes() {
    if !possible("sound_node_survives_power_losses_and_torn_writes") {
        return;
    }
    let (code, said) = run("workloads/power-loss.toml", &["load.duration=6s"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("of a write of "), "no write was torn between bytes: {said}");
    assert!(said.contains("sector that was being written") || said.contains("sectors that were"), "{said}");
    for model in
        ["folders ordered, write-back 30s, tear sector", "folders strict, write-back never, tear byte"]
    {
        assert!(said.contains(model), "{model} is not named: {said}");
    }
}

#[test]
fn answer_during_sync_is_found_by_holding() {
    if !possible("answer_during_sync_is_found_by_holding") {
        return;
    }
    let spec = "workloads/flaws/acceptor-answers-during-sync.toml";
    let flaw = "cluster.paxos.flaw=\"acceptor-answers-during-sync\"";
    let (code, said) = run(spec, &[flaw]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("1 sync open when it struck: 0") && said.contains("Invalid: "), "{said}");
    let (code, said) = run(spec, &["load.duration=6s"]);
    assert_eq!(code, Some(0), "the sound node waits for its syncs: {said}");
    for node in ["n1", "n2", "n3"] {
        assert!(said.contains(&format!("{node}: 1 sync open when it struck")), "{said}");
    }
}

#[test]
fn held_syncs_delay_and_lose_nothing() {
    if !possible("held_syncs_delay_and_lose_nothing") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let faults = "[[fault]]\nkind = \"kill\"\nduring = \"sync\"\ntarget = \"random\"\nat = \"500ms\"\nfor = \"300ms\"\n\
        [[fault]]\nkind = \"hold\"\ntarget = \"minority\"\nat = \"1500ms\"\nfor = \"600ms\"\n";
    let spec = write_spec(folder.path(), "3s", faults);
    let run = |out: &str, sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let run =
            bench(folder.path()).args(["run", "--seed", "5", "--out", out]).arg(&spec).args(sets).output();
        let run = run.unwrap();
        (run.status.code(), format!("{}{}", stdout(&run), stderr(&run)))
    };
    let (code, said) = run("out", &["cluster.network=lab", "cluster.disk=memory"]);
    assert_eq!(code, Some(0), "{said}");
    let faults = std::fs::read_to_string(folder.path().join("out/main/faults.csv")).unwrap();
    for seen in ["1 sync open when it struck: 0", "sync held", ": open: 0"] {
        assert!(faults.contains(seen), "{seen}: {faults}");
    }
    let (code, said) = run("real", &["cluster.disk=real"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("during") && said.contains("disk = \"memory\""), "{said}");
}

#[test]
fn sound_node_recovers_from_crash_images() {
    if !possible("sound_node_recovers_from_crash_images") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let spec = write_spec(folder.path(), "3s", "");
    let hunt = |more: &[&str]| {
        let begin = ["hunt", "--crash-images", "--seed", "4"];
        let hunt = bench(folder.path()).args(begin).args(more).arg(&spec).output().unwrap();
        (hunt.status.code(), format!("{}{}", stdout(&hunt), stderr(&hunt)))
    };
    let (code, said) = hunt(&["--runs", "2", "--out", "hunt", "--json"]);
    assert!(matches!(code, Some(0 | 3)), "{said}");
    let runs = std::fs::read_to_string(folder.path().join("hunt/runs.jsonl")).unwrap();
    for run in runs.lines() {
        let run: serde_json::Value = serde_json::from_str(run).unwrap();
        // How many there is time for depends on the machine.
        assert!(run["images"].as_u64().unwrap() >= 1, "{run}: {said}");
    }
    let (code, said) = hunt(&["--set", "cluster.disk=real"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("`crash-image` cannot be injected with disk = \"real\""), "{said}");
}

/// A store of a few lines that syncs its files and never the folder in which it renames them.
const RENAMES: &str = r#"
import http.server, json, os, sys, threading
folder, values, lock = sys.argv[1], dict(), threading.Lock()
if os.path.exists(folder + "/state"):
    values = json.load(open(folder + "/state"))
def keep(name, text):
    with open(folder + "/" + name, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
class Store(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1
    def answer(self, code, **said):
        text = json.dumps(said).encode()
        self.send_response(code)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()
    def do_GET(self):
        value = values.get(self.path)
        self.answer(404 if value is None else 200, value=value)
    def do_PUT(self):
        value = self.rfile.read(int(self.headers["content-length"])).decode()
        with lock:
            values[self.path] = value
            keep("new", json.dumps(values))
            os.rename(folder + "/new", folder + "/state")
            keep("done", "x")
        self.answer(200, applied=True)
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer((sys.argv[2], int(sys.argv[3])), Store).serve_forever()
"#;

#[test]
fn strict_folders_alone_lose_unsynced_names() {
    let test = "strict_folders_alone_lose_unsynced_names";
    if !possible(test) {
        return;
    }
    if program(test, "python3").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("store.py"), RENAMES).unwrap();
    let spec = "name = \"renames\"\n\
        [cluster]\nsystem = \"command\"\nprogram = \"python3\"\nnodes = 1\nnetwork = \"lab\"\ndisk = \"memory\"\n\
        args = [\"store.py\", \"{data}\", \"{ip}\", \"{port}\"]\n\
        [load]\nworkload = \"register\"\nclients = 2\nrate = 60\nwarmup = \"500ms\"\nduration = \"4s\"\n\
        recovery = \"2s\"\ntimeout = \"1s\"\nkeys = 40\nminimum-rate = 5\n\
        mix = { read = 1, write = 1 }\n\
        [[fault]]\nkind = \"power-loss\"\ntarget = \"n1\"\nat = \"2s\"\nfor = \"100ms\"\n";
    std::fs::write(folder.path().join("renames.toml"), spec).unwrap();
    let run = |folders: &str, out: &str| {
        let set = format!("cluster.disk-model.folders={folders}");
        let run = output(folder.path(), &["run", "renames.toml", "--seed", "3", "--out", out, "--set", &set]);
        (run.status.code(), format!("{}{}", stdout(&run), stderr(&run)))
    };
    let (code, said) = run("ordered", "ordered");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run("strict", "strict");
    assert_eq!(code, Some(1), "{said}");
    let verdict = std::fs::read_to_string(folder.path().join("strict/verdict.json")).unwrap();
    let verdict: serde_json::Value = serde_json::from_str(&verdict).unwrap();
    let sentence = verdict["sentence"].as_str().unwrap();
    assert!(sentence.contains("folders strict, write-back 30s, tear sector"), "{sentence}");
    assert!(sentence.contains("lost only because a folder was not synced"), "{sentence}");
}
