//! Membership changes in real runs: read back from the cluster, and undone at the end.

#[cfg(target_os = "linux")]
use crate::support::{Run, etcd, lab_possible};
use crate::support::{bench, output, processes_in, stderr, stdout, wait_for_exit, wait_until, write_spec};
use std::path::Path;
use std::process::Stdio;

const CHANGES: &str = "[[fault]]\nkind = \"reconfigure\"\nchange = \"replace\"\ntarget = \"leader\"\nat = \"300ms\"\nfor = \"800ms\"\n\
    [[fault]]\nkind = \"reconfigure\"\nchange = \"add\"\nat = \"1600ms\"\nfor = \"800ms\"\n\
    [[fault]]\nkind = \"kill\"\ntarget = \"n4\"\nat = \"1800ms\"\nfor = \"300ms\"\n\
    [[fault]]\nkind = \"reconfigure\"\nchange = \"remove\"\ntarget = \"random\"\nat = \"2900ms\"\nfor = \"600ms\"\n";

const SPARE: [&str; 4] = ["--set", "cluster.spares=1", "--set", "cluster.paxos.window=50"];

fn run(folder: &Path, more: &[&str]) -> (Option<i32>, String) {
    let arguments = [&["run", "short.toml", "--seed", "5", "--out", "out"], more].concat();
    let run = output(folder, &arguments);
    (run.status.code(), format!("{}{}", stdout(&run), stderr(&run)))
}

#[test]
fn member_changes_are_read_back_and_valid() {
    for network in ["auto", "proxy"] {
        let folder = tempfile::tempdir().unwrap();
        write_spec(folder.path(), "4s", CHANGES);
        let network = format!("cluster.network={network}");
        let (code, said) = run(folder.path(), &[&SPARE[..], &["--set", &network]].concat());
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("3 nodes serve"), "{said}");
        let faults = std::fs::read_to_string(folder.path().join("out/main/faults.csv")).unwrap();
        assert_eq!(faults.matches(",true,").count(), 4, "{faults}");
        assert_eq!(faults.matches("members read back: ").count(), 3, "{faults}");
        assert!(
            faults.contains("replace leader by n4 (n") && faults.contains("n4 started as pid"),
            "{faults}"
        );
        let history = std::fs::read_to_string(folder.path().join("out/main/history.jsonl")).unwrap();
        let healed = history.lines().filter(|line| line.contains("\"end\"") && line.contains("reconfigure"));
        assert_eq!(healed.filter(|line| line.contains("\"healed\":true")).count(), 3, "{said}");
        assert!(history.contains("\"node\":\"n4\""), "clients found the new member");
        let decided =
            std::fs::read_to_string(folder.path().join("out/main/nodes/n4/decisions.jsonl")).unwrap();
        assert!(!decided.is_empty(), "what it decided is compared with the others");
        assert_eq!(processes_in(folder.path()), [0; 0]);
    }
}

#[test]
fn undecided_member_change_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    // A change waits 2 s for its decision; the majority is away for longer.
    let faults = "[[fault]]\nkind = \"kill\"\ntarget = \"majority\"\nat = \"200ms\"\nfor = \"3s\"\n\
        [[fault]]\nkind = \"reconfigure\"\nchange = \"add\"\nat = \"400ms\"\nfor = \"600ms\"\n";
    write_spec(folder.path(), "5s", faults);
    let (code, said) = run(folder.path(), &SPARE);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("no evidence: the members are not the wanted ones"), "{said}");
}

#[test]
fn impossible_member_changes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "4s", CHANGES);
    let (code, said) = run(folder.path(), &[]);
    assert!(code == Some(2) && said.contains("spares = 1 in [cluster]"), "{said}");
    let foreign = ["--set", "cluster.system=command", "--set", "cluster.program=/bin/true"];
    let (code, said) = run(folder.path(), &foreign);
    assert!(code == Some(2) && said.contains("it does not define how its members change"), "{said}");
    let (code, said) = run(folder.path(), &[&foreign[..], &SPARE[..2]].concat());
    assert!(code == Some(2) && said.contains("cluster.spares"), "{said}");
    let roles = "cluster.roles={ replicas = 1, leaders = 1, acceptors = 3 }";
    write_spec(folder.path(), "1s", "");
    let text = std::fs::read_to_string(folder.path().join("short.toml")).unwrap();
    std::fs::write(folder.path().join("short.toml"), text.replace("nodes = 3\n", "")).unwrap();
    let (code, said) = run(folder.path(), &["--set", roles, "--set", "cluster.spares=1"]);
    assert!(code == Some(2) && said.contains("spare nodes host every role"), "{said}");
}

const ETCD: &str = r#"
name = "etcd-members"
[cluster]
system  = "etcd"
nodes   = 3
spares  = 1
network = "lab"
PROGRAM
[load]
clients  = 6
rate     = 100
warmup   = "1s"
duration = "36s"
recovery = "3s"
timeout  = "1s"
[[fault]]
kind   = "reconfigure"
change = "replace"
target = "leader"
at     = "7s"
for    = "8s"
[[fault]]
kind   = "reconfigure"
change = "add"
at     = "24s"
for    = "7s"
"#;

#[test]
#[cfg(target_os = "linux")]
fn etcd_changes_its_members() {
    let test = "etcd_changes_its_members";
    let (Some(etcd), true) = (etcd(test), lab_possible(test)) else { return };
    let spec = ETCD.replace("PROGRAM", &format!("program = \"{}\"", etcd.display()));
    let run = Run::of(&spec);
    assert_eq!(run.code, Some(0), "{}", run.said);
    let faults = std::fs::read_to_string(run.folder.path().join("out/main/faults.csv")).unwrap();
    assert_eq!(faults.matches(",true,").count(), 2, "{faults}");
    assert!(faults.contains("members read back: ") && faults.contains("n4 started as pid"), "{faults}");
    assert!(faults.contains("its data removed: "), "{faults}");
    let history = std::fs::read_to_string(run.folder.path().join("out/main/history.jsonl")).unwrap();
    let healed = history.lines().filter(|line| line.contains("\"end\"") && line.contains("reconfigure"));
    assert_eq!(healed.filter(|line| line.contains("\"healed\":true")).count(), 2, "{}", run.said);
    assert!(history.contains("\"node\":\"n4\""), "clients found the new member");
}

#[test]
fn wrong_member_calls_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let spec = ETCD.replace("PROGRAM", "program = \"/bin/true\"").replace("\"lab\"", "\"host\"");
    std::fs::write(folder.path().join("spec.toml"), spec).unwrap();
    let refused = |set: &str, wanted: &str| {
        let run = output(folder.path(), &["run", "spec.toml", "--set", set]);
        let said = stderr(&run);
        assert!(run.status.code() == Some(2) && said.contains(wanted), "{set}: {}{said}", stdout(&run));
    };
    refused("members.list.each=members", "a JSON pointer begins with /");
    refused("members.add.request=/members", "a method and a path");
    refused("members.add.body={id}", "there is no {id}");
    refused("members.remove.exec=[\"true\"]", "there is a request too");
    refused("members.join-args=[\"{nmae}\"]", "there is no {nmae}");
}

#[test]
fn kept_cluster_changes_members() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let up = [&["up", "short.toml", "--seed", "3", "--out", "out"], &SPARE[..]].concat();
    let mut up = bench(folder.path()).args(up).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = || output(folder.path(), &["status", "out"]);
    wait_until("three nodes are up and one leads", || {
        let said = stdout(&status());
        said.matches(" up ").count() == 3 && said.contains("leads")
    });
    let said = status();
    assert!(said.status.success() && stdout(&said).contains("n4     spare"), "{}", stdout(&said));
    for round in 1..=2 {
        let hurt = output(folder.path(), &["nemesis", "--attach", "out", "--reconfigure", "replace:leader"]);
        let said = format!("{}{}", stdout(&hurt), stderr(&hurt));
        assert_eq!(hurt.status.code(), Some(0), "round {round}: {said}");
        assert!(said.contains("healed: replace leader by n4"), "{said}");
    }
    assert_eq!(output(folder.path(), &["down", "out"]).status.code(), Some(0));
    assert_eq!(wait_for_exit(&mut up), Some(0));
    assert_eq!(processes_in(folder.path()), [0; 0]);
}
