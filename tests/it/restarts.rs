//! Nodes that end by themselves and that the bench starts again, and what they make of the verdict.

use crate::support::{Run, deceiver, output, stderr, stdout};
use serde_json::Value;

/// Runs three nodes of a sound store; `script` comes before the store, `cluster` into its section, `more` behind the others.
fn run(script: &str, cluster: &str, more: &str) -> Run {
    let program = deceiver::command("honest");
    let spec = format!(
        "name = \"restarts\"\n[cluster]\nsystem = \"command\"\nprogram = \"/bin/sh\"\nargs = [\"-c\", '''{script}\n{program}''']\n\
         nodes = 3\nnetwork = \"host\"\nstart-within = \"5s\"\n{cluster}\n\
         [load]\nclients = 6\nrate = 100\nwarmup = \"300ms\"\nduration = \"3s\"\nrecovery = \"500ms\"\n\
         timeout = \"500ms\"\nkeys = 4\nminimum-rate = 1\n{more}"
    );
    Run::of(&spec)
}

impl Run {
    /// The check that no node ended by itself.
    fn processes(&self) -> &Value {
        self.check("processes").unwrap()
    }

    /// How many events of this kind the history has.
    fn events(&self, event: &str) -> usize {
        let history = self.folder.path().join("out/main/history.jsonl");
        let wanted = format!("\"event\":\"{event}\"");
        std::fs::read_to_string(history).unwrap().lines().filter(|line| line.contains(&wanted)).count()
    }
}

const ON_EXIT: &str = "restart = \"on-exit\"";
/// Lets n2 live for so many milliseconds, process by process.
fn lives(milliseconds: &str) -> String {
    format!("[ {{number}} = 2 ] && export DECEIVER_LIVES='{milliseconds}'")
}

#[test]
fn exit_at_start_is_restarted() {
    let script = "[ -e {data}/once ] || {{ touch {data}/once; echo database is locked; exit 3; }}";
    let run = run(script, ON_EXIT, "");
    assert_eq!(run.code, Some(0), "{}", run.said);
    assert!(run.said.contains("n2 was started again (1 of at most 5): new pid "), "{}", run.said);
    assert_eq!((run.events("exit"), run.events("restarted")), (3, 3));
    let processes = run.processes();
    assert_eq!(processes["answer"], "valid");
    assert!(processes["evidence"][0].as_str().unwrap().contains("it printed: database is locked"));
    let again = output(run.folder.path(), &["check", "out"]);
    assert_eq!(again.status.code(), Some(0), "{}", stdout(&again));
}

#[test]
fn exit_at_start_ends_the_run_by_default() {
    let run = run("[ {number} = 2 ] && exit 3", "", "");
    assert_eq!(run.code, Some(4), "{}", run.said);
    assert!(run.said.contains("it ended at its start (exit code 3)"), "{}", run.said);
}

#[test]
fn exit_in_the_load_is_restarted() {
    let run = run(&lives("2000"), ON_EXIT, "");
    assert_eq!(run.code, Some(0), "{}", run.said);
    assert!(run.said.contains("n2 was started again (1 of at most 5): new pid "), "{}", run.said);
    let processes = run.processes();
    assert_eq!(processes["answer"], "valid", "{processes}");
    let reason = "nodes ended by themselves and were started again 1 time, as cluster.restart allows";
    assert_eq!(processes["reason"], reason);
    assert_eq!((run.events("exit"), run.events("restarted"), run.events("gone")), (1, 1, 0));
}

#[test]
fn exit_beyond_the_limit_is_invalid() {
    let cluster = format!("{ON_EXIT}\nrestart-limit = 1");
    for (lived, cluster, restarts) in [("2000 300", cluster.as_str(), 1), ("2000", "", 0)] {
        let run = run(&lives(lived), cluster, "");
        assert_eq!(run.code, Some(1), "{}", run.said);
        let sentence = run.verdict["sentence"].as_str().unwrap();
        assert!(sentence.contains("n2 with exit code 3"), "{sentence}");
        assert_eq!((run.events("restarted"), run.events("gone")), (restarts, 1), "{}", run.said);
    }
}

#[test]
fn killed_node_waits_for_its_fault() {
    let kill = "[[fault]]\nkind = \"kill\"\ntarget = \"n2\"\nat = \"500ms\"\nfor = \"1500ms\"\n";
    let run = run(&lives("60000 100"), ON_EXIT, kill);
    assert_eq!(run.code, Some(0), "{}", run.said);
    // The kill needs no restart, and the exit after it is one.
    assert_eq!((run.events("exit"), run.events("restarted")), (1, 1), "{}", run.said);
}

#[test]
fn keys_that_would_do_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (system, keys, said) in [
        ("command", "restart-limit = 3", "it needs restart = \"on-exit\""),
        ("command", "restart-limit = 0\nrestart = \"on-exit\"", "restart-limit"),
        ("paxos", "restart = \"on-exit\"", "it needs another system"),
    ] {
        let program = if system == "paxos" { "" } else { "program = \"/bin/sh\"" };
        let spec = format!(
            "name = \"bad\"\n[cluster]\nsystem = \"{system}\"\n{program}\n{keys}\n[load]\nrate = 100\n"
        );
        std::fs::write(folder.path().join("bad.toml"), spec).unwrap();
        let run = output(folder.path(), &["run", "bad.toml", "--out", "out"]);
        assert_eq!(run.status.code(), Some(2), "{keys}: {}", stderr(&run));
        assert!(stderr(&run).contains("bad.toml:5:") && stderr(&run).contains(said), "{}", stderr(&run));
    }
}
