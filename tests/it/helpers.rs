//! Clients that are helpers: those of `workloads/systems/README.md`, and such as do their work badly.

use crate::support::{bench, lab_possible, program, stderr, stdout, wait_for_exit, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Output, Stdio};

const PAGE: &str = include_str!("../../workloads/systems/README.md");
const PYTHON: &str = include_str!("../../workloads/systems/examples/helper.py");
const JAVASCRIPT: &str = include_str!("../../workloads/systems/examples/helper.js");
/// What the page puts in the place of the requests.
const CLIENT: &str = "[client]\nkind    = \"exec\"\ncommand = [\"python3\", \"helper.py\"]\n";
/// With this the store of the page keeps what it acknowledged.
const MENDED: &str = "cluster.args=[\"store.py\", \"{address}\", \"{data}/log\"]";

/// The text of the block of the page that begins with the name of its file.
fn block(name: &str) -> &'static str {
    let start = PAGE.find(&format!("\n# {name}")).expect("the page has the file") + 1;
    let end = PAGE[start..].find("\n```").expect("a block of code has an end");
    &PAGE[start..=start + end]
}

/// A folder with the store of the page, this helper, and a spec that uses it.
fn folder(helper: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let spec = block("items.toml");
    let (before, rest) = spec.split_once("[client]\n").unwrap();
    let (_, load) = rest.split_once("[load]\n").unwrap();
    let spec = format!("{before}{CLIENT}\n[load]\n{load}");
    for (name, text) in [
        ("store.py", block("store.py")),
        ("helper.py", helper),
        ("helper.js", JAVASCRIPT),
        ("items.toml", &spec),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn run(folder: &Path, sets: &[&str]) -> Output {
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let run = ["run", "items.toml", "--seed", "1", "--out", "out"];
    bench(folder).env("COLUMNS", "80").args(run).args(sets).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", stdout(output), stderr(output))
}

#[test]
fn helpers_of_the_page_find_the_loss_and_its_mend() {
    const TEST: &str = "helpers_of_the_page_find_the_loss_and_its_mend";
    assert_eq!(block("helper.py"), PYTHON, "the page and the file are the same");
    assert!(PAGE.contains(CLIENT));
    for helper in [PYTHON, JAVASCRIPT] {
        assert!(helper.lines().count() <= 40);
    }
    if program(TEST, "python3").is_none() {
        return;
    }
    let mut commands = vec!["client.command=[\"python3\", \"helper.py\"]"];
    if program(TEST, "node").is_some() {
        commands.push("client.command=[\"node\", \"helper.js\"]");
    }
    for command in commands {
        let lossy = folder(PYTHON);
        let done = run(lossy.path(), &[command]);
        assert_eq!(done.status.code(), Some(1), "{command}: {}", said(&done));
        let mended = folder(PYTHON);
        let done = run(mended.path(), &[command, MENDED]);
        assert_eq!(done.status.code(), Some(0), "{command}: {}", said(&done));
        assert!(!said(&done).contains("helpers given up"), "{}", said(&done));
        assert!(mended.path().join("out/main/clients/helper-1.log").exists());
    }
}

/// The helper of the page, which does this before it answers its thirtieth request.
fn in_trouble(trouble: &str) -> String {
    let begin = "count = 0\nfor line in sys.stdin:\n    count += 1\n";
    let helper = PYTHON.replace("for line in sys.stdin:\n", begin);
    let answer = "    print(json.dumps(";
    assert!(helper.contains(answer));
    helper.replace(answer, &format!("    if count == 30:\n        {trouble}\n{answer}"))
}

#[test]
fn helpers_in_trouble_are_never_invalid() {
    if program("helpers_in_trouble_are_never_invalid", "python3").is_none() {
        return;
    }
    let troubles = [
        ("sys.exit('the library has a bug')", "helper-exited", "that ended"),
        ("import time; time.sleep(1000)", "timeout", "without an answer for three time-outs"),
        ("print('x' * 3000000)", "helper-nonsense", "with a line that is no answer"),
        ("print('debug: connected')", "helper-nonsense", "with a line that is no answer"),
        ("request['id'] += 1000", "helper-nonsense", "with a line that is no answer"),
        (
            "answer = {'type': 'ok', 'value': [1]}; request['f'] == 'write' and sys.exit()",
            "helper-",
            "helpers given up",
        ),
    ];
    // Helpers of more runs at once than these would be silent because the machine is busy.
    for pair in troubles.chunks(2) {
        std::thread::scope(|scope| {
            for (trouble, error, why) in pair {
                scope.spawn(move || in_mid_run(trouble, error, why));
            }
        });
    }
}

/// A run whose helpers get into this trouble has these errors, and says at its end why helpers were given up.
fn in_mid_run(trouble: &str, error: &str, why: &str) {
    let folder = folder(&in_trouble(trouble));
    // Only one that says nothing is to be given up for its silence.
    let timeout = if error == "timeout" { "load.timeout=300ms" } else { "load.timeout=2s" };
    let done = run(folder.path(), &[MENDED, timeout, "load.clients=4", "load.rate=100"]);
    let text = said(&done);
    assert!(matches!(done.status.code(), Some(0 | 3)), "{trouble}: {text}");
    assert!(text.contains("helpers given up: "), "{trouble}: {text}");
    assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(why), "{trouble}: {text}");
    let verdict = std::fs::read(folder.path().join("out/verdict.json")).unwrap();
    let verdict: serde_json::Value = serde_json::from_slice(&verdict).unwrap();
    let counts = &verdict["variants"][0]["helpers"];
    let given_up: u64 = ["exited", "nonsense", "silent"].iter().filter_map(|why| counts[why].as_u64()).sum();
    assert!(given_up > 0 && counts["started"].as_u64() > Some(given_up), "{trouble}: {counts}");
    assert!(
        std::fs::read_to_string(folder.path().join("out/report.html")).unwrap().contains("helpers given up")
    );
    let operations = std::fs::read_to_string(folder.path().join("out/main/operations.csv")).unwrap();
    assert!(operations.contains(error), "{trouble}: {text}");
    let log = std::fs::read_to_string(folder.path().join("out/main/clients/helper-1.log")).unwrap();
    assert_eq!(log.contains("the library has a bug"), trouble.contains("library"), "{log}");
}

/// A run with this helper is a mistake of the set-up, and says these words about it in short lines.
fn never_works(helper: &str, words: &str) {
    let folder = folder(helper);
    let done = run(folder.path(), &[MENDED, "cluster.start-within=8s", "load.clients=3"]);
    let text = stderr(&done);
    assert_eq!(done.status.code(), Some(4), "{helper}: {}", said(&done));
    assert!(text.starts_with("error: client.command: no node "), "{text}");
    assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(words), "{helper}: {text}");
    assert!(text.contains("help: before the load, the helper must answer ok"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn helpers_that_never_work_are_exit_code_4() {
    if program("helpers_that_never_work_are_exit_code_4", "python3").is_none() {
        return;
    }
    let answer = "import json, sys\nfor line in sys.stdin:\n    request = json.loads(line)\n    ";
    let always = |text: &str| format!("{answer}{text}\n");
    let helpers = [
        (
            "import sys\nsys.exit('there is no module named etcd3')\n".to_owned(),
            "there is no module named etcd3",
        ),
        ("import time\ntime.sleep(1000)\n".to_owned(), "(timeout)"),
        (always("print('hello', flush=True)"), "\"hello\", which is no answer to that"),
        (always("print(json.dumps({'id': 0, 'type': 'ok'}), flush=True)"), "which is no answer to that"),
        (
            always("print(json.dumps({'id': request['id'], 'type': 'ok'}), flush=True)"),
            "no node answered a read",
        ),
        (
            always("print(json.dumps({'id': request['id'], 'type': 'fail', 'error': 'login'}), flush=True)"),
            "login",
        ),
    ];
    std::thread::scope(|scope| {
        for (helper, words) in &helpers {
            scope.spawn(move || never_works(helper, words));
        }
    });
    let folder = folder(PYTHON);
    let done =
        run(folder.path(), &["client.command=[\"python3\", \"missing.py\"]", "cluster.start-within=4s"]);
    assert_eq!(done.status.code(), Some(4), "{}", said(&done));
    assert!(stderr(&done).contains("   | ") && stderr(&done).contains("missing.py"), "{}", stderr(&done));
    for (set, words) in [
        ("client.command=[\"no-such-program\"]", "there is no `no-such-program` in PATH"),
        ("client.command=[]", "say which program"),
        ("client.functions=[\"read\", \"swap\"]", "it has read, write, cas"),
        ("client.headers.accept=text/html", "client.headers is not for kind = \"exec\""),
        ("load.mix={ read = 1, cas = 1 }", "the helper has no \"cas\""),
    ] {
        let done = run(folder.path(), &[set]);
        let text = stderr(&done).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(done.status.code(), Some(2), "{set}: {}", said(&done));
        assert!(text.contains(words), "{set}: {text}");
    }
}

/// A helper that is a store itself, in a file that all helpers lock. With BUG, what it acknowledges may not happen.
const STORE: &str = r#"
import fcntl, json, os, sys
bug, count = "BUG" in os.environ, 0

def step(state, f, key, value):
    if f == "r":
        return [f, key, state.get(key)]
    state[key] = state.get(key, []) + [value] if f == "append" else value
    return [f, key, value]

def perform(state, request):
    f, key, value = request["f"], request.get("key"), request["value"]
    lost = bug and count % 10 == 0
    if "keys" in request:
        return {"type": "ok", "value": {account: state.get(account) for account in request["keys"]}}
    if f in ("read", "get"):
        return {"type": "ok", "value": state.get(key)}
    if f == "dequeue":
        queue = state.get(key) or [None]
        state[key] = queue[1:]
        return {"type": "ok", "value": queue[0]}
    if f == "cas" and state.get(key) != value[0]:
        return {"type": "fail", "actual": state.get(key)}
    if f == "transfer":
        if state.get(value["from"], 0) < value["amount"]:
            return {"type": "fail", "error": "precondition"}
        state[value["from"]] -= value["amount"]
        state[value["to"]] += 0 if lost else value["amount"]
    elif f == "txn":
        work = dict(state) if lost else state
        return {"type": "ok", "value": [step(work, *one) for one in value]}
    elif not lost:
        if f == "enqueue":
            state[key] = state.get(key, []) + [value]
        elif f == "append":
            state[key] = (state.get(key) or "") + value
        elif f == "delete":
            state.pop(key, None)
        else:
            state[key] = value[1] if f == "cas" else value
    return {"type": "ok"}

for line in sys.stdin:
    request, count = json.loads(line), count + 1
    with open(os.environ["STATE"], "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        state = json.loads(file.read() or "{}")
        answer = perform(state, request)
        file.truncate(0)
        file.write(json.dumps(state))
    print(json.dumps({"id": request["id"], **answer}), flush=True)
"#;

#[test]
fn helpers_carry_out_every_workload() {
    if program("helpers_carry_out_every_workload", "python3").is_none() {
        return;
    }
    for (workload, functions) in [
        ("register", "\"read\", \"write\", \"cas\""),
        ("kv", "\"get\", \"put\", \"delete\", \"cas\", \"append\""),
        ("list-append", "\"txn\""),
        ("rw-register", "\"txn\""),
        ("bank", "\"read\", \"transfer\""),
        ("queue", "\"enqueue\", \"dequeue\""),
    ] {
        std::thread::scope(|scope| {
            for (bug, expected) in [("", 0), (", BUG = \"1\"", 1)] {
                scope.spawn(move || {
                    let folder = tempfile::tempdir().unwrap();
                    let state = folder.path().join("state.json");
                    let spec = format!(
                        "name = \"all\"\n[cluster]\nsystem = \"command\"\nprogram = \"python3\"\nnodes = 2\n\
                         args = [\"-m\", \"http.server\", \"{{port}}\", \"--bind\", \"{{ip}}\"]\n\
                         [client]\nkind = \"exec\"\ncommand = [\"python3\", \"store-helper.py\"]\n\
                         functions = [{functions}]\nenv = {{ STATE = {state:?}{bug} }}\n\
                         [load]\nworkload = \"{workload}\"\nclients = 3\nrate = 100\nkeys = 4\nwarmup = \"200ms\"\n\
                         duration = \"2s\"\nrecovery = \"500ms\"\ntimeout = \"3s\"\n"
                    );
                    std::fs::write(folder.path().join("items.toml"), spec).unwrap();
                    std::fs::write(folder.path().join("store-helper.py"), STORE).unwrap();
                    let done = run(folder.path(), &[]);
                    assert_eq!(done.status.code(), Some(expected), "{workload}{bug}: {}", said(&done));
                });
            }
        });
    }
}

/// The processes whose command line has this text.
fn processes_with(text: &str) -> usize {
    let pids =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let lines = pids.filter_map(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
}

#[test]
fn no_helper_outlives_the_bench() {
    let labs: &[&str] = if lab_possible("no_helper_outlives_the_bench, in a lab") { &["lab"] } else { &[] };
    for network in labs.iter().chain(&["proxy", "host"]) {
        for how in [Signal::KILL, Signal::INT] {
            let folder = tempfile::tempdir().unwrap();
            let mark = folder.path().display();
            // A daemon that has left its parent, and a helper that does not notice the end of its input.
            let script = format!("setsid -f sh -c 'sleep 5000; : {mark}' </dev/null; sleep 5000; : {mark}");
            let spec = format!(
                "name = \"still\"\n[cluster]\nsystem = \"command\"\nprogram = \"/bin/sleep\"\nargs = [\"5000\"]\n\
                 nodes = 1\nnetwork = \"{network}\"\nstart-within = \"60s\"\n\
                 [client]\nkind = \"exec\"\ncommand = [\"/bin/sh\", \"-c\", \"\"\"{script}\"\"\"]\n[load]\nclients = 2\n"
            );
            std::fs::write(folder.path().join("still.toml"), spec).unwrap();
            let run = ["run", "still.toml", "--seed", "1", "--out", "out"];
            let mut run =
                bench(folder.path()).args(run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let mark = mark.to_string();
            wait_until("both helpers, their guards and their daemons are there", || {
                processes_with(&mark) >= 6
            });
            kill_process(Pid::from_raw(i32::try_from(run.id()).unwrap()).unwrap(), how).unwrap();
            let code = wait_for_exit(&mut run);
            assert_eq!(code, (how == Signal::INT).then_some(130), "{network}");
            wait_until("all of them are gone", || processes_with(&mark) == 0);
        }
    }
}
