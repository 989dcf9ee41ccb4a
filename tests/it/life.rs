//! How nodes of a system come to life and end: readiness, stop signals, files, further programs, host names, users.

use crate::support::{Run, deceiver, lab_possible, lab_with_disks_possible, output, skip, stderr, stdout};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// A spec of three nodes of a sound store; `script` comes before the store, `cluster` into its section, `more` behind all.
fn spec(network: &str, script: &str, cluster: &str, more: &str) -> String {
    let program = deceiver::command("honest");
    format!(
        "name = \"life\"\n[cluster]\nsystem = \"command\"\nprogram = \"/bin/sh\"\nargs = [\"-c\", '''{script}\n{program}''']\n\
         nodes = 3\nnetwork = \"{network}\"\nstart-within = \"5s\"\n{cluster}\n\
         [load]\nclients = 6\nrate = 100\nwarmup = \"300ms\"\nduration = \"3s\"\nrecovery = \"500ms\"\n\
         timeout = \"500ms\"\nkeys = 4\nminimum-rate = 1\n{more}"
    )
}

fn fault(kind: &str, at: &str) -> String {
    format!("[[fault]]\nkind = \"{kind}\"\ntarget = \"n2\"\nat = \"{at}\"\nfor = \"500ms\"\n")
}

impl Run {
    fn text_of(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.said))
    }

    fn expect_valid(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.said);
        self
    }
}

#[test]
fn stop_sends_the_signal_of_the_system() {
    let text = spec("host", "", "stop-signal = \"INT\"", &fault("stop", "1s"));
    let program = deceiver::command("honest");
    // The shell of n2 stays, and hears the signal.
    let both = format!("trap 'echo it was INT; exit 7' INT\n(\n{program}\n) &\nwhile :; do wait; done");
    let both = format!("[ {{number}} = 2 ] && {{{{ {both}; }}}}\n{program}");
    let run = Run::of(&text.replace(&program, &both)).expect_valid();
    assert!(run.text_of("out/main/faults.csv").contains("ended by exit code 7"), "{}", run.said);
    assert!(run.text_of("out/main/nodes/n2/output.log").contains("it was INT"));
}

#[test]
fn nodes_start_one_by_one_when_ready() {
    let script = "echo start {name} >> order; sleep 0.4; echo ready {name} >> order; echo I am ready\n\
                  export DECEIVER_STATE=x";
    let ready = "ready = { port = \"client\", http = \"/digest\", log = \"^I am ready$\", exec = [\"test\", \"-e\", \
                 \"{data}/started\"] }";
    let order = |start: &str| {
        let cluster =
            format!("start = \"{start}\"\nsetup = [\"sh\", \"-c\", \"echo set up >> order\"]\n{ready}");
        Run::of(&spec("host", script, &cluster, "")).expect_valid().text_of("order")
    };
    let one_by_one = "start n1\nready n1\nstart n2\nready n2\nstart n3\nready n3\nset up\n";
    assert_eq!(order("one-by-one"), one_by_one);
    let together = order("together");
    assert!(together.ends_with("set up\n"), "it waits until all are ready: {together}");
    assert_eq!(together.lines().take(3).filter(|line| line.starts_with("start")).count(), 3, "{together}");
}

#[test]
fn node_that_is_never_ready_ends_the_run() {
    for (ready, said) in [
        ("log = \"I am ready\"", "no line of its logs matches \"I am ready\""),
        ("http = \"/kv/none\"", "no answer with a status below 400 to GET /kv/none"),
        ("port = \"peer\"", "no process listens at "),
        ("exec = [\"false\"]", "did not succeed within "),
    ] {
        let cluster = format!("ports = {{ client = 1, peer = 2 }}\nready = {{ {ready} }}");
        let text = spec("host", "echo here I am", &cluster, "").replace("\"5s\"", "\"1s\"");
        let run = Run::of(&text);
        assert_eq!(run.code, Some(4), "{ready}: {}", run.said);
        assert!(run.said.contains(said), "{ready}: {}", run.said);
    }
}

/// Two files, of which the program changes both and may keep one; the data are prepared from them.
const FILES: &str = r#"
prepare = "cat {data}/conf/own.conf > {data}/prepared"
[[cluster.file]]
path = "conf/own.conf"
text = '{"node": "{name}", "all": [{members: "{name}"|,}], "first": "{first: {name}}"}'
[[cluster.file]]
path = "kept"
text = "begun\n"
keep = true
[[cluster.file]]
path = "role"
text = "primary"
nodes = ["n1"]
[[cluster.file]]
path = "role"
text = "replica of {first: {name}}"
nodes = ["n2", "n3"]
"#;

#[test]
fn files_are_there_before_each_start() {
    let script = "cat {data}/prepared {data}/role; echo again >> {data}/kept; echo spoilt >> {data}/conf/own.conf\n\
                  sync {data}/kept {data}/conf/own.conf {data}/conf {data}";
    let lab = lab_with_disks_possible("files_are_there_before_each_start");
    for (network, kind) in [("host", "lose-node"), ("host", "kill"), ("lab", "power-loss")] {
        if network == "lab" && !lab {
            continue;
        }
        let run = Run::of(&spec(network, script, FILES, &fault(kind, "1s"))).expect_valid();
        let data = |file: &str| run.text_of(&format!("out/main/nodes/n2/data/{file}"));
        let own = r#"{"node": "n2", "all": ["n1","n2","n3"], "first": "n1"}"#;
        assert_eq!(data("conf/own.conf"), format!("{own}spoilt\n"), "{kind}: written anew, then spoilt once");
        assert_eq!(data("prepared"), own, "{kind}");
        let again = if kind == "lose-node" { "begun\nagain\n" } else { "begun\nagain\nagain\n" };
        assert_eq!(data("kept"), again, "{kind}");
        assert_eq!(data("role"), "replica of n1", "{kind}");
        let printed = run.text_of("out/main/nodes/n1/output.log");
        assert!(printed.contains("\"node\": \"n1\"") && printed.contains("}primary"), "{printed}");
    }
}

#[test]
fn failing_preparation_is_told() {
    let run = Run::of(&spec("host", "", "prepare = \"echo no space for it; exit 3\"", ""));
    assert_eq!(run.code, Some(4), "{}", run.said);
    for part in ["did not succeed (exit code 3)", "   | no space for it", "output.log"] {
        assert!(run.said.contains(part), "{}", run.said);
    }
}

/// A further program that says who it is, and ends as the shell that follows has it.
fn side(script: &str) -> String {
    format!(
        "[[cluster.process]]\nname = \"side\"\nprogram = \"/bin/sh\"\nenv = {{ OWN = \"{{name}}\" }}\n\
         args = [\"-c\", '''echo side of $OWN runs as $$; {script}''']\n"
    )
}

/// How many processes have this as their working folder.
fn working_in(folder: &Path) -> usize {
    let folder = folder.canonicalize().unwrap();
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.filter(|one| fs::read_link(one.path().join("cwd")).is_ok_and(|cwd| cwd == folder)).count()
}

#[test]
fn faults_hit_all_programs_of_a_node() {
    let faults = [fault("kill", "200ms"), fault("pause", "1100ms"), fault("stop", "2s")].concat();
    let gentle = side("trap 'sleep 0.3; echo bye; exit 9' TERM; while :; do sleep 0.05; done");
    for network in ["host", "auto"] {
        let run = Run::of(&spec(network, "", &gentle, &faults)).expect_valid();
        let faults = run.text_of("out/main/faults.csv");
        assert!(faults.contains("ended by signal 9; side, pid "), "{faults}");
        assert!(faults.contains(", of side in /proc/"), "{faults}");
        assert!(faults.contains("; side, pid ") && faults.contains("by exit code 9"), "{faults}");
        let history = run.text_of("out/main/history.jsonl");
        assert!(history.contains("(incarnation 2), side as pid "), "{}", run.said);
        let log = run.text_of("out/main/nodes/n2/side.log");
        assert_eq!(log.matches("side of n2 runs as").count(), 3, "{log}");
        assert_eq!(log.matches("bye").count(), 1, "it may end in its own time: {log}");
        assert_eq!(working_in(run.folder.path()), 0, "nothing is left");
    }
}

#[test]
fn end_of_further_program_is_that_of_its_node() {
    let mortal = side(
        "[ $OWN = n2 ] && [ ! -e died ] && {{ sleep 2; touch died; echo I give up; exit 5; }}; exec sleep 1000",
    );
    let run = Run::of(&spec("host", "", &mortal, ""));
    assert_eq!(run.code, Some(1), "{}", run.said);
    assert!(run.sentence().contains("n2 with exit code 5 of side"), "{}", run.sentence());
    let history = run.text_of("out/main/history.jsonl");
    assert!(history.contains("it printed: I give up"), "its own last lines");
    let restarted = format!("restart = \"on-exit\"\n{mortal}");
    let run = Run::of(&spec("host", "", &restarted, "")).expect_valid();
    assert!(run.said.contains("n2 was started again (1 of at most 5): new pid "), "{}", run.said);
}

#[test]
fn further_program_is_searched_for_patterns() {
    let check = "[check]\nnever = [\"runs as\"]\n";
    let run = Run::of(&spec("host", "", &side("exec sleep 1000"), check));
    assert_eq!(run.code, Some(1), "{}", run.said);
    assert!(run.said.contains("into side.log"), "{}", run.said);
}

#[test]
fn each_node_of_a_lab_has_a_host_name() {
    if !lab_possible("each_node_of_a_lab_has_a_host_name") {
        return;
    }
    let script = "echo \"I am $(uname -n), and {first: {host}} is $(getent hosts {first: {host}})\"";
    let run = Run::of(&spec("lab", script, "", "")).expect_valid();
    for node in ["n1", "n2", "n3"] {
        let printed = run.text_of(&format!("out/main/nodes/{node}/output.log"));
        let said = format!("I am {node}, and n1 is 10.117.0.1");
        assert!(printed.contains(&said), "{printed}");
    }
}

const STORE_SPEC: &str = r#"
name = "user"
[cluster]
system  = "command"
program = "/usr/bin/python3"
args    = ["/STORE", "{address}", "{data}/log"]
prepare = "touch {data}/prepared"
nodes   = 1
disk    = "real"
user    = "nobody"
[client]
kind  = "http"
read  = { request = "GET /api/items/{key}", answers = [
    { when.status = 200, ok = "/val" }, { when.status = 404, ok = "absent" } ] }
write = { request = "POST /api/items", body = '{"id": {key:json}, "val": {value}}', answers = [{ when.status = 201, ok = true }] }
[load]
rate     = 100
duration = "2s"
recovery = "500ms"
[[cluster.file]]
path = "own.conf"
text = "x"
[[fault]]
kind   = "kill"
target = "n1"
at     = "1s"
for    = "300ms"
"#;

#[test]
fn node_runs_as_its_user() {
    let test = "node_runs_as_its_user";
    // Another python3 in PATH may be in a folder of root's.
    let python = Path::new("/usr/bin/python3");
    if !python.exists() || !rustix::process::geteuid().is_root() {
        skip(test, "it needs root, and a /usr/bin/python3");
        return;
    }
    let page = include_str!("../../workloads/systems/README.md");
    let start = page.find("\n# store.py\n").unwrap();
    let store = &page[start..start + page[start..].find("\n```").unwrap()];
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("store.py");
    fs::write(&at, store).unwrap();
    let spec = STORE_SPEC.replace("/STORE", at.to_str().unwrap());
    fs::write(folder.path().join("spec.toml"), spec).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let run = || output(folder.path(), &["run", "spec.toml", "--out", "out", "--seed", "7"]);
    let closed = run();
    assert_eq!(closed.status.code(), Some(2), "{}", stdout(&closed));
    assert!(stderr(&closed).contains("nobody may not enter the folder"), "{}", stderr(&closed));
    fs::remove_dir_all(folder.path().join("out")).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let done = run();
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    let nobody = user_id("nobody");
    for file in ["log", "prepared", "own.conf"] {
        let about = fs::metadata(folder.path().join("out/main/nodes/n1/data").join(file)).unwrap();
        assert_eq!(about.uid(), nobody, "{file}");
    }
}

/// The id of a user of this machine.
fn user_id(name: &str) -> u32 {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let entry = passwd.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap();
    entry.split(':').nth(2).unwrap().parse().unwrap()
}

#[test]
fn wrong_keys_of_a_start_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |cluster: &str, said: &str| {
        fs::write(folder.path().join("bad.toml"), spec("host", "", cluster, "")).unwrap();
        let run = output(folder.path(), &["run", "bad.toml", "--out", "out"]);
        assert_eq!(run.status.code(), Some(2), "{cluster}: {}{}", stdout(&run), stderr(&run));
        assert!(
            stderr(&run).contains("bad.toml:") && stderr(&run).contains(said),
            "{cluster}: {}",
            stderr(&run)
        );
    };
    refused("stop-signal = \"KILL\"", "there is no \"KILL\" here");
    refused("ready = {}", "say what shows that a node is ready");
    refused("ready = { port = \"peer\" }", "no port is named \"peer\"");
    refused("ready = { http = \"health\" }", "is no path");
    refused("ready = { log = \"(\" }", "this is not a regular expression");
    refused("ready = { exec = [\"no-such-program\"] }", "there is no `no-such-program` in PATH");
    refused("env = { H = \"{host}\" }", "there is no {host} with network = \"host\"");
    refused("user = \"no-such-user\"", "there is no user \"no-such-user\" here");
    let file = |path: &str, more: &str| {
        format!("[[cluster.file]]\npath = \"{path}\"\ntext = \"{{name}}\"\n{more}\n")
    };
    refused(&file("/etc/passwd", ""), "a path in the folder of the data");
    refused(&file("../x", ""), "a path in the folder of the data");
    refused(&file("x", "nodes = [\"n9\"]"), "there is no node \"n9\"");
    refused(&(file("x", "") + &file("x", "nodes = [\"n1\"]")), "two files of this path");
    refused("[[cluster.file]]\npath = \"x\"\ntext = \"{nmae}\"", "there is no {nmae}");
    refused(&side("").replace("\"side\"", "\"output\""), "is for something else");
    refused(&side("").replace("\"side\"", "\"a b\""), "letters, digits, - and _");
    refused(&side("").replace("/bin/sh", "/no/such"), "there is no program /no/such");
    refused(&(side("") + &side("")), "two programs of a node have this name");
    refused(&side("{nmae}"), "there is no {nmae}");
    refused("prepare = \"cd {env:NO_SUCH_FOLDER}/lib\"", "the variable NO_SUCH_FOLDER is not set");
    refused("env = { H = \"{env:NO_SUCH_FOLDER}/lib\" }", "the variable NO_SUCH_FOLDER is not set");
}
