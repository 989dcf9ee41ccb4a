//! Deceptive systems under test: which may be valid, and which must not.

use crate::support::{deceiver, lab_possible, output, stderr, stdout};
use serde_json::Value;

const KILL: &str = "[[fault]]\nkind = \"kill\"\ntarget = \"n1\"\nat = \"700ms\"\nfor = \"600ms\"\n";

/// Not a test but a node, where the environment says so.
#[test]
fn node_of_the_deceiver() {
    deceiver::serve_if_asked();
}

/// The exit code and the verdict of a run of three nodes that deceive in this way.
fn judged(deceit: &str, load: &str, more: &str) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let program = deceiver::command(deceit);
    let spec = format!(
        "name = \"deceived\"\n[cluster]\nsystem = \"command\"\nprogram = \"/bin/sh\"\nargs = [\"-c\", '''{program}''']\n\
         nodes = 3\nnetwork = \"host\"\nstart-within = \"3s\"\n\
         [load]\nclients = 6\nrate = 100\nwarmup = \"300ms\"\nduration = \"2500ms\"\nrecovery = \"1s\"\n\
         timeout = \"500ms\"\nkeys = 4\nminimum-rate = 1\n{load}\n{more}"
    );
    std::fs::write(folder.path().join("deceived.toml"), spec).unwrap();
    let run = output(folder.path(), &["run", "deceived.toml", "--seed", "7", "--out", "out", "--json"]);
    let verdict = serde_json::from_str(&stdout(&run));
    (run.status.code(), verdict.unwrap_or_else(|_| panic!("{}{}", stdout(&run), stderr(&run))))
}

fn unmet(verdict: &Value) -> Vec<&str> {
    let obligations = verdict["variants"][0]["obligations"].as_array().unwrap();
    obligations.iter().filter(|it| it["met"] == false).map(|it| it["name"].as_str().unwrap()).collect()
}

fn sentence(verdict: &Value) -> &str {
    verdict["sentence"].as_str().unwrap()
}

#[test]
fn honest_system_is_valid_without_a_warning() {
    let (code, verdict) = judged("honest", "", KILL);
    assert_eq!(code, Some(0), "{verdict}");
    assert_eq!(verdict["warnings"], serde_json::json!([]));
    assert_eq!(unmet(&verdict), [""; 0]);
    let summary = &verdict["variants"][0]["summary"];
    assert!(summary["protocol"].is_null(), "its protocol was not measured: {summary}");
}

#[test]
fn failing_reads_are_never_valid() {
    for (mode, named) in [("reads-fail", "k4 ("), ("k1-fails", "k1 (")] {
        let (code, verdict) = judged(mode, "", KILL);
        assert_eq!(code, Some(3), "{mode}: {verdict}");
        assert!(unmet(&verdict).contains(&"keys-read-again"), "{mode}: {:?}", unmet(&verdict));
        let said = sentence(&verdict);
        assert!(said.contains("read again") && said.contains(named) && said.contains("http-500"), "{said}");
    }
}

#[test]
fn silent_nodes_are_never_valid() {
    let (code, verdict) = judged("dead-node", "", KILL);
    assert_eq!(code, Some(3), "{verdict}");
    assert_eq!(unmet(&verdict), ["nodes-before", "nodes-after", "nodes-in-the-end"]);
    let (code, verdict) = judged("never-back", "", KILL);
    assert_eq!(code, Some(3), "{verdict}");
    assert_eq!(unmet(&verdict), ["nodes-after", "nodes-in-the-end", "restarted-nodes"]);
}

#[test]
fn wrong_interface_is_quoted_and_unknown() {
    for (mode, quoted) in [
        ("not-found", "n1 answered PUT /kv/bench-probe with 404 \"{\"error\":\"no such path\"}\""),
        ("plain-ok", "n2 answered PUT /kv/bench-probe with 200 \"OK\""),
        ("silent", "n1 gave no answer (timeout)"),
    ] {
        let (code, verdict) = judged(mode, "", KILL);
        assert_eq!(code, Some(3), "{mode}: {verdict}");
        let said = sentence(&verdict);
        assert!(
            said.contains("never served") && said.contains(quoted) && said.contains("cluster.api"),
            "{said}"
        );
    }
}

#[test]
fn nothing_judged_is_unknown() {
    let (code, verdict) = judged("honest", "", &format!("{KILL}[check]\nlinearizable = false\n"));
    assert_eq!(code, Some(3), "{verdict}");
    assert_eq!(unmet(&verdict), ["something-judged"]);
}

#[test]
fn weak_loads_are_unknown_or_warned_about() {
    let (code, verdict) = judged("honest", "mix = { read = 1 }", KILL);
    assert_eq!((code, unmet(&verdict)), (Some(3), vec!["written"]), "{verdict}");
    let pause = "[[fault]]\nkind = \"pause\"\ntarget = \"n1\"\nat = \"1s\"\nfor = \"1ms\"\n";
    let (code, verdict) = judged("honest", "", pause);
    assert_eq!((code, &verdict["warnings"][0]["name"]), (Some(0), &Value::from("short-fault")), "{verdict}");
}

#[test]
fn faults_that_change_nothing_are_refused() {
    for (network, fault, field) in [
        ("proxy", "kind = \"rate\"\nrate = \"100GB\"", "rate"),
        ("lab", "kind = \"flaky\"\nloss = \"0.001%\"", "loss"),
        ("proxy", "kind = \"delay\"\ndelay = \"1us\"", "delay"),
    ] {
        if network == "lab" && !lab_possible("faults_that_change_nothing_are_refused") {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let spec = format!(
            "name = \"no-op\"\n[cluster]\nnetwork = \"{network}\"\n[load]\n[[fault]]\n{fault}\nat = \"1s\"\nfor = \"1s\"\n"
        );
        std::fs::write(folder.path().join("no-op.toml"), spec).unwrap();
        let run = output(folder.path(), &["run", "no-op.toml"]);
        let said = stderr(&run);
        assert_eq!(run.status.code(), Some(2), "{said}");
        assert!(said.contains("no-op.toml:") && said.contains(&format!("{field} = ")), "{said}");
    }
}
