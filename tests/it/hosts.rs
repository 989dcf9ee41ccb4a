//! Nodes on three machines: real `sshd`s in network namespaces that the test makes, and a bench beside them.
//!
//! `hosts/machines.sh` makes the machines, in namespaces that end with it, and defines what the scripts here call.

use crate::support::{output, program, skip, stderr, stdout};
use std::fs;
use std::path::Path;
use std::process::Command;

const MACHINES: &str = include_str!("hosts/machines.sh");
/// The programs that the machines need.
const PROGRAMS: [&str; 7] = ["sshd", "ssh", "ssh-keygen", "ip", "nsenter", "unshare", "iptables"];

const SPEC: &str = r#"
name = "machines"
[cluster]
hosts = ["m1", "m2", "m3"]
ssh   = ["ssh", "-F", "ssh_config"]
[load]
clients  = 4
rate     = 100
warmup   = "200ms"
duration = "8s"
recovery = "4s"
timeout  = "500ms"
keys     = 2
"#;

const FAULTS: &str = r#"
[[fault]]
kind   = "kill"
target = "n1"
at     = "500ms"
for    = "500ms"
[[fault]]
kind   = "pause"
target = "n2"
at     = "1500ms"
for    = "500ms"
[[fault]]
kind   = "partition"
target = "n3"
at     = "3s"
for    = "700ms"
[[fault]]
kind  = "partition"
how   = "refuse"
groups = [["n1"], ["n2", "n3"]]
at    = "4500ms"
for   = "500ms"
[[fault]]
kind  = "delay"
delay = "30ms"
at    = "5500ms"
for   = "700ms"
[[fault]]
kind = "flaky"
loss = "20%"
at   = "6500ms"
for  = "700ms"
"#;

/// Four faults at once, until the load ends.
const TOGETHER: &str = r#"
[[fault]]
kind   = "kill"
target = "n1"
at     = "500ms"
[[fault]]
kind   = "pause"
target = "n2"
at     = "500ms"
[[fault]]
kind   = "partition"
target = "n3"
at     = "500ms"
[[fault]]
kind  = "delay"
delay = "30ms"
at    = "500ms"
"#;

/// Runs a script beside the machines, in a folder with a spec; returns what it printed. None if the test is skipped.
fn beside_machines(test: &str, spec: &str, script: &str) -> Option<(tempfile::TempDir, String)> {
    for name in PROGRAMS {
        program(test, name)?;
    }
    if !rustix::process::geteuid().is_root() {
        skip(test, "only root can start an sshd in namespaces");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    file("spec.toml", spec);
    let (machines, script) = (file("machines.sh", MACHINES), file("script.sh", script));
    let done = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"])
        .args([&machines, &folder.path().to_owned(), &script])
        .env("BENCH", env!("CARGO_BIN_EXE_bench"))
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let said = format!("{}{}", stdout(&done), stderr(&done));
    if said.contains("unshare failed") || said.contains("Operation not permitted: machines") {
        skip(test, said.trim());
        return None;
    }
    assert!(done.status.success(), "{said}");
    Some((folder, said))
}

fn file(folder: &Path, path: &str) -> String {
    fs::read_to_string(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn faults_on_hosts_have_evidence() {
    let script = "\"$BENCH\" run spec.toml --seed 7 --out out; echo \"code $?\"; healed";
    let Some((folder, said)) =
        beside_machines("faults_on_hosts_have_evidence", &format!("{SPEC}{FAULTS}"), script)
    else {
        return;
    };
    assert!(said.contains("code 0\nhealed") && said.contains("6 faults that took effect"), "{said}");
    let faults = file(folder.path(), "out/main/faults.csv");
    for evidence in
        ["ended by signal 9", "state T in /proc/", " dropped", "answered with a reset", "delayed", "lost"]
    {
        assert!(faults.contains(evidence), "{evidence}: {faults}");
    }
    let output = file(folder.path(), "out/main/nodes/n1/output.log");
    assert_eq!(output.matches("listening on 10.77.0.1:8000").count(), 2, "{output}");
}

#[test]
fn killed_bench_is_healed_by_watchdog() {
    let script = "begin out 4 || exit 1
        sleep 0.5
        [ \"$(left | grep -c 'rules: -A INPUT')\" = 3 ] && [ -n \"$(left | grep process:)\" ] && echo hurt
        kill -9 \"$running\"
        healed
        begin again 4 || exit 1
        kill -INT \"$running\"
        wait \"$running\"
        echo \"code $?\"
        healed";
    let spec = format!("{}{TOGETHER}", SPEC.replace("\"8s\"", "\"60s\""));
    let Some((_folder, said)) = beside_machines("killed_bench_is_healed_by_watchdog", &spec, script) else {
        return;
    };
    assert!(said.contains("hurt\nhealed\n"), "{said}");
    assert!(said.contains("code 130\nhealed\n"), "{said}");
}

#[test]
fn host_serves_one_bench() {
    let script = "begin out 4 || exit 1
        \"$BENCH\" run spec.toml --seed 8 --out second
        echo \"code $?\"
        kill -INT \"$running\"
        wait \"$running\"
        healed";
    let spec = format!("{}{TOGETHER}", SPEC.replace("\"8s\"", "\"60s\""));
    let Some((_folder, said)) = beside_machines("host_serves_one_bench", &spec, script) else { return };
    assert!(said.contains("another bench uses this host") && said.contains("code 4\n"), "{said}");
    assert!(said.contains("healed\n"), "{said}");
}

#[test]
fn removed_data_are_no_evidence() {
    let script = "begin out 1 || exit 1
        rm -r \"$folder\"/tmp/bench-*/data*
        wait \"$running\"
        echo \"code $?\"
        cat said
        healed";
    let fault = "[[fault]]\nkind = \"kill\"\ntarget = \"all\"\nat = \"500ms\"\nfor = \"3s\"\n";
    let Some((_folder, said)) =
        beside_machines("removed_data_are_no_evidence", &format!("{SPEC}{fault}"), script)
    else {
        return;
    };
    assert!(said.contains("code 4\n") && said.contains(" were removed during the run"), "{said}");
    assert!(said.contains("healed\n"), "{said}");
}

#[test]
fn lost_host_fails_the_run() {
    let script = "for part in session host-agent host-watchdog cable; do
            begin \"$part\" 4 || exit 1
            case $part in
                session) for process in $(pgrep -f 'sshd: root'); do
                    [ \"$(readlink /proc/$process/ns/net)\" = \"$(readlink /proc/$m2/ns/net)\" ] && kill -9 \"$process\"
                done ;;
                cable) ip link set to2 down ;;
                *) kill -9 $(playing \"$m2\" \"$part\") ;;
            esac
            wait \"$running\"
            echo \"$part: code $?\"
            grep '^error: cluster: the connection to host m2 was lost' said
            [ $part != cable ] || ip link set to2 up
            healed
        done";
    let spec = format!("{}{TOGETHER}", SPEC.replace("\"8s\"", "\"60s\""));
    let Some((_folder, said)) = beside_machines("lost_host_fails_the_run", &spec, script) else { return };
    for part in ["session", "host-agent", "host-watchdog", "cable"] {
        let told = format!("{part}: code 4\nerror: cluster: the connection to host m2 was lost");
        assert!(said.contains(&told), "{part}: {said}");
    }
    assert_eq!(said.matches("healed\n").count(), 4, "{said}");
}

#[test]
fn other_system_runs_on_hosts() {
    let test = "other_system_runs_on_hosts";
    let Some(etcd) = crate::support::etcd(test) else { return };
    let spec = SPEC.replace("[cluster]", "[cluster]\nsystem = \"etcd\"").replace("\"500ms\"", "\"1s\"");
    let program = format!("program = \"{}\"\n[load]", etcd.display());
    let spec = spec.replace("[load]", &program)
        + "[check]\nsometimes = [\"elected leader\"]\n"
        + "[[fault]]\nkind = \"kill\"\ntarget = \"leader\"\nat = \"500ms\"\nfor = \"1s\"\n"
        + "[[fault]]\nkind = \"partition\"\nshape = \"leader\"\nat = \"3s\"\nfor = \"1500ms\"\n";
    let script = "\"$BENCH\" run spec.toml --seed 7 --out out; echo \"code $?\"; healed";
    let Some((folder, said)) = beside_machines(test, &spec, script) else { return };
    assert!(said.contains("code 0\nhealed") && said.contains("2 faults that took effect"), "{said}");
    assert!(file(folder.path(), "out/main/nodes/n1/output.log").contains("etcd"), "{said}");
}

#[test]
fn doctor_tells_what_hosts_can_do() {
    let script = "\"$BENCH\" doctor --hosts m1,m2 --ssh 'ssh -F ssh_config'; echo \"code $?\"
        \"$BENCH\" doctor --hosts m1,m9 --ssh 'ssh -F ssh_config'; echo \"code $?\"
        \"$BENCH\" run spec.toml --set 'cluster.hosts=[\"m1\", \"m2\", \"m9\"]'; echo \"code $?\"
        \"$BENCH\" run spec.toml --set 'cluster.hosts=[\"m1\", \"m2\", { ssh = \"m3\", address = \"10.99.0.1\" }]'
        echo \"code $?\"
        \"$BENCH\" run spec.toml --set cluster.system=command --set cluster.program=/bin/false; echo \"code $?\"
        healed";
    let Some((_folder, said)) = beside_machines("doctor_tells_what_hosts_can_do", SPEC, script) else {
        return;
    };
    assert_eq!(said.matches("yes  cut ").count(), 3, "{said}");
    assert!(said.contains("code 0\n") && said.matches("code 4\n").count() == 4, "{said}");
    assert!(said.matches("Could not resolve hostname m9").count() == 2, "{said}");
    assert!(said.contains("10.99.0.1 is no address of this host"), "{said}");
    assert!(said.contains("it ended at its start (exit code 1)") && said.contains("healed\n"), "{said}");
}

#[test]
fn what_hosts_cannot_have_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("spec.toml"), format!("{SPEC}{FAULTS}")).unwrap();
    let refused = |set: &str, said: &str| {
        let done = output(folder.path(), &["run", "spec.toml", "--set", set]);
        assert_eq!(done.status.code(), Some(2), "{set}: {}{}", stdout(&done), stderr(&done));
        assert!(stderr(&done).contains(said), "{set}: {}", stderr(&done));
    };
    refused("cluster.nodes=5", "there are 3 hosts for 5 nodes");
    refused("cluster.hosts=[\"a\", \"b\", \"a\"]", "it is in the list twice");
    refused("cluster.hosts=[\"a\", \"b\", \"-oProxyCommand=x\"]", "it is no destination for ssh");
    refused("cluster.hosts=[]", "name these with hosts");
    refused("cluster.network=lab", "the network of the hosts");
    refused("cluster.disk=memory", "the disks of the hosts");
    refused("cluster.addresses=[\"127.0.0.1:1\"]", "the bench starts nodes of its own");
    refused("cluster.spares=1", "the members on hosts do not change");
    refused("cluster.links.delay=5ms", "a fault of kind \"delay\"");
    refused("fault.1.kind=bit-flip", "the disks of the hosts are their own");
    refused("fault.1.kind=freeze", "the clock of a host belongs to everything on it");
    refused("fault.1.kind=lose-node", "the data of a node stay on its host");
    refused("fault.6.duplicate=1%", "a host loses packets, and changes none");
    let up = output(folder.path(), &["up", "spec.toml"]);
    assert!(up.status.code() == Some(2) && stderr(&up).contains("as long as a run"), "{}", stderr(&up));
}
