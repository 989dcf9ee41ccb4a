//! Nothing survives the bench: no process of a node, not even a daemon, no socket and no file of the doctor's.

use crate::support::{bench, lab_possible, output, stderr, stdout, wait_for_exit, wait_until, write_spec};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

/// What a node of these tests does: a shell with a child, and a daemon that has left it by setsid.
const NODE: &str = "cluster.args=[\"-c\", \"echo $$ >> {data}/pids; setsid -f sh -c 'echo $$ >> {data}/pids; sleep 5000' \
                    </dev/null; sleep 5000 & echo $! >> {data}/pids; wait\"]";
/// How many processes of it write down their ids.
const EACH: usize = 3;

/// The ids of all processes of the nodes of a run, once all are there.
fn pids(folder: &Path) -> Vec<u32> {
    let read = || -> Vec<u32> {
        let nodes = ["n1", "n2", "n3"].map(|node| folder.join("out/main/nodes").join(node).join("data/pids"));
        let texts = nodes.iter().filter_map(|path| std::fs::read_to_string(path).ok());
        texts.flat_map(|text| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<_>>()).collect()
    };
    wait_until("every process of every node is there", || read().len() == 3 * EACH);
    read()
}

/// Whether a process is there, and more than a zombie.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn start(folder: &Path, network: &str) -> Child {
    write_spec(folder, "60s", "");
    let network = format!("cluster.network={network}");
    let set = ["cluster.system=command", "cluster.program=/bin/sh", NODE, &network].map(|set| ["--set", set]);
    let run = [&["run", "short.toml", "--seed", "1", "--out", "out"][..], set.as_flattened()].concat();
    bench(folder).args(run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn no_node_outlives_a_killed_bench() {
    for network in ["proxy", "host"] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = start(folder.path(), network);
        let pids = pids(folder.path());
        run.kill().unwrap();
        run.wait().unwrap();
        wait_until("every process of every node is gone", || !pids.iter().any(|pid| lives(*pid)));
    }
}

#[test]
fn no_daemon_outlives_an_interrupted_bench() {
    for (network, how) in [("proxy", Signal::INT), ("host", Signal::TERM), ("proxy", Signal::HUP)] {
        if how == Signal::HUP && ignores_hang_up() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut run = start(folder.path(), network);
        let pids = pids(folder.path());
        signal(&run, how);
        assert_eq!(wait_for_exit(&mut run), Some(130), "{network} {how:?}");
        wait_until("every process of every node is gone", || !pids.iter().any(|pid| lives(*pid)));
    }
}

/// Whether these tests run under nohup: what ignores a hang-up passes that on to everything it starts.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 == 1
}

#[test]
fn hang_up_judges_like_an_interruption() {
    if ignores_hang_up() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "60s", "");
    let run = ["run", "short.toml", "--seed", "1", "--out", "out", "--set", "cluster.network=proxy"];
    let mut run = bench(folder.path()).args(run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let history = folder.path().join("out/main/history.jsonl");
    wait_until("the load has begun", || crate::support::load_events(&history) > 20);
    signal(&run, Signal::HUP);
    assert_eq!(wait_for_exit(&mut run), Some(130));
    let verdict = std::fs::read_to_string(folder.path().join("out/verdict.json")).unwrap();
    assert!(verdict.contains("\"answer\": \"unknown\""), "{verdict}");
}

#[test]
fn hang_up_means_nothing_under_nohup() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "2s", "");
    let program = env!("CARGO_BIN_EXE_bench");
    let script = format!(
        "trap '' HUP; exec '{program}' run short.toml --seed 1 --out out --set cluster.network=proxy"
    );
    let mut run = std::process::Command::new("/bin/sh");
    run.args(["-c", &script]).current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = run.process_group(0).spawn().unwrap();
    let history = folder.path().join("out/main/history.jsonl");
    wait_until("the load has begun", || crate::support::load_events(&history) > 20);
    signal(&run, Signal::HUP);
    assert_eq!(wait_for_exit(&mut run), Some(0));
}

#[test]
fn a_doctor_leaves_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, empty) = (folder.path().join("missing"), folder.path().join("empty"));
    std::fs::create_dir(&empty).unwrap();
    for temporary in [&missing, &empty] {
        let doctor = bench(folder.path()).arg("doctor").env("TMPDIR", temporary).output().unwrap();
        assert_eq!(doctor.status.code(), Some(0), "{}", stderr(&doctor));
        assert!(stdout(&doctor).contains("yes  guard"), "{}", stdout(&doctor));
    }
    assert!(!missing.exists());
    for wait in (0..20).map(|turn| Duration::from_millis(turn * 17)) {
        let mut doctor = bench(folder.path());
        let doctor = doctor.arg("doctor").env("TMPDIR", &empty).stdout(Stdio::null()).stderr(Stdio::null());
        let mut doctor = doctor.spawn().unwrap();
        std::thread::sleep(wait);
        doctor.kill().unwrap();
        doctor.wait().unwrap();
    }
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
}

#[test]
fn a_killed_cluster_leaves_no_sockets() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let networks: &[&str] = if lab_possible("a_killed_cluster_leaves_no_sockets, in a lab") {
        &["proxy", "lab"]
    } else {
        &["proxy"]
    };
    for network in networks {
        let set = format!("cluster.network={network}");
        let up = ["up", "short.toml", "--set", &set];
        let mut up =
            bench(folder.path()).args(up).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It is found without its folder, and the latest results stay what they are.
        wait_until("all nodes are up", || {
            stdout(&output(folder.path(), &["status"])).matches(" up ").count() == 3
        });
        assert!(!folder.path().join("results/latest").exists());
        let kept = std::fs::read_dir(folder.path().join("results/up")).unwrap();
        let mut kept = kept.map(|entry| entry.unwrap().path());
        let kept = kept.find(|folder| folder.join("control.sock").exists()).unwrap();
        let sockets = || {
            let names = std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name());
            names.filter(|name| name.to_string_lossy().ends_with(".sock")).count()
        };
        assert_eq!(sockets(), 4);
        up.kill().unwrap();
        up.wait().unwrap();
        wait_until("the sockets are gone", || sockets() == 0);
        let status = output(folder.path(), &["status"]);
        assert_eq!(status.status.code(), Some(2), "{}", stderr(&status));
        assert!(stderr(&status).contains("no cluster is up"), "{}", stderr(&status));
        let down = output(folder.path(), &["down"]);
        assert_eq!(down.status.code(), Some(2));
    }
}
