//! Programs written for Maelstrom: a sound one for every workload, its mistakes, and programs that break the protocol.

use crate::support::{bench, output, program, stderr, stdout};
use std::path::Path;
use std::process::Output;

const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads/systems/examples/maelstrom.py");
/// Short phases, for nodes that exchange what they have five times a second.
const SHORT: [&str; 4] = ["--set", "load.quiet=2s", "--set", "load.recovery=1s"];

/// A test with the node of the examples: options of the test, and those of the node behind `--`.
fn tested(folder: &Path, words: &str) -> Output {
    let (words, node) = words.split_once(" -- ").unwrap_or((words, ""));
    let mut command = bench(folder);
    command.args(["maelstrom", "test", "--bin", NODE, "--time-limit", "3", "--rate", "60", "--seed", "1"]);
    command.args(SHORT).args(words.split_whitespace());
    if !node.is_empty() {
        command.arg("--").args(node.split_whitespace());
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", stdout(output), stderr(output))
}

/// Every line of words must lead to this exit code; all run at once.
fn all_end_with(code: i32, lines: &[&str]) {
    std::thread::scope(|scope| {
        let run = |words| {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let done = tested(folder.path(), words);
                assert_eq!(done.status.code(), Some(code), "{words}: {}", said(&done));
            })
        };
        // Few at a time, so that no node waits for a processor.
        for some in lines.chunks(3) {
            let running: Vec<_> = some.iter().copied().map(run).collect();
            for one in running {
                one.join().unwrap();
            }
        }
    });
}

#[test]
fn sound_node_is_valid_in_every_workload() {
    if program("sound_node_is_valid_in_every_workload", "python3").is_none() {
        return;
    }
    all_end_with(
        0,
        &[
            "-w echo --node-count 1",
            "-w unique-ids --node-count 3 --availability total",
            "-w broadcast --node-count 5 --topology line",
            "-w g-set --node-count 3",
            "-w g-counter --node-count 3 -- --counter",
            "-w pn-counter --node-count 3 -- --counter",
            "-w lin-kv --node-count 2 --concurrency 2n",
            "-w txn-list-append --node-count 2 --max-writes-per-key 16",
            "-w txn-rw-register --node-count 2 --consistency-models read-committed",
            "-w kafka --node-count 2 --key-count 2",
        ],
    );
}

#[test]
fn planted_mistakes_are_found() {
    if program("planted_mistakes_are_found", "python3").is_none() {
        return;
    }
    all_end_with(
        1,
        &[
            "-w echo --node-count 1 -- --flaw wrong-echo",
            "-w unique-ids --node-count 3 -- --flaw same-ids",
            "-w broadcast --node-count 5 --nemesis partition --nemesis-interval 2 -- --flaw no-retry",
            "-w broadcast --node-count 3 -- --flaw twice",
            "-w g-counter --node-count 3 -- --counter --flaw overwrite",
            "-w lin-kv --node-count 3 -- --flaw stale-read",
            "-w lin-kv --node-count 3 --nemesis partition --nemesis-interval 2 --timeout 500 --availability total",
            "-w txn-list-append --node-count 2 -- --flaw lost-append",
            "-w kafka --node-count 1 --key-count 2 -- --flaw same-offset",
            "-w kafka --node-count 1 --key-count 2 -- --flaw skip",
        ],
    );
}

#[test]
fn services_are_as_strong_as_named() {
    if program("services_are_as_strong_as_named", "python3").is_none() {
        return;
    }
    all_end_with(0, &["-w lin-kv --node-count 2 -- --service lin-kv"]);
    all_end_with(
        1,
        &["-w lin-kv --node-count 2 -- --service seq-kv", "-w lin-kv --node-count 2 -- --service lww-kv"],
    );
}

#[test]
fn partitioned_gossip_is_valid_once_healed() {
    if program("partitioned_gossip_is_valid_once_healed", "python3").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let words = "-w broadcast --node-count 5 --nemesis partition --nemesis-interval 2 --loss 10% --reorder 20% --out out";
    let done = tested(folder.path(), words);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let faults = std::fs::read_to_string(folder.path().join("out/main/faults.csv")).unwrap();
    assert_eq!(faults.matches(",true,").count(), 2, "{faults}");
    assert!(faults.contains("dropped") && faults.contains("reordered"), "{faults}");
}

#[test]
fn log_on_disk_survives_kill_and_memory_does_not() {
    if program("log_on_disk_survives_kill_and_memory_does_not", "python3").is_none() {
        return;
    }
    let kill = "-w lin-kv --node-count 3 --nemesis kill --nemesis-interval 1 --time-limit 4 --timeout 1000 --set fault.1.target=n1";
    all_end_with(0, &[&format!("{kill} --set fault.2.target=n1 -- --log")]);
    all_end_with(1, &[kill]);
}

/// A program of this text, which must end a test with this code and say this.
fn broken(text: &str, code: i32, says: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.sh");
    std::fs::write(&path, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).unwrap();
    let done = bench(folder.path())
        .env("COLUMNS", "4000")
        .args([
            "maelstrom",
            "test",
            "--bin",
            "./node.sh",
            "-w",
            "echo",
            "--node-count",
            "1",
            "--time-limit",
            "2",
        ])
        .args(["--set", "cluster.start-within=2s"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(code), "{text}: {}", said(&done));
    assert!(said(&done).contains(says), "{text}: {}", said(&done));
}

const INIT: &str = "#!/bin/sh\nread line; echo '{\"src\":\"n1\",\"dest\":\"c0\",\"body\":{\"type\":\"init_ok\",\"in_reply_to\":1}}'\n";

#[test]
fn mistakes_of_protocol_get_a_sentence() {
    let answering = |body: &str| {
        let reply = "printf '{\"src\":\"n1\",\"dest\":\"%s\",\"body\":%s}\\n'";
        format!(
            "{INIT}while read line; do\n\
             id=$(echo \"$line\" | sed 's/.*\"msg_id\":\\([0-9]*\\).*/\\1/')\n\
             src=$(echo \"$line\" | sed 's/.*\"src\":\"\\([a-z0-9]*\\)\".*/\\1/')\n\
             {reply} \"$src\" \"{}\"\ndone\n",
            body.replace('"', "\\\"")
        )
    };
    broken("#!/bin/sh\nexit 3\n", 4, "node n1: it ended at its start (exit code 3)");
    broken("#!/bin/sh\necho hello\nsleep 9\n", 4, "on standard output that is no message: `hello`");
    broken("#!/bin/sh\nsleep 99\n", 4, "it did not answer `init` with `init_ok` within 1s");
    broken(
        &format!("{INIT}echo oops\nsleep 9\n"),
        4,
        "that is no message: `oops`; standard output is for messages only",
    );
    let to_nobody = "echo '{\"src\":\"n1\",\"dest\":\"n9\",\"body\":{}}'; sleep 9\n";
    broken(
        &format!("{INIT}{to_nobody}"),
        4,
        "it sent a message to \"n9\", and there is no such node or service",
    );
    broken(
        &answering("{\"type\":\"echo\",\"in_reply_to\":$id}"),
        4,
        "its `type` must be `echo_ok` or `error`",
    );
    broken(&answering("{\"type\":\"echo_ok\",\"in_reply_to\":$id}"), 4, "it needs a field `echo`");
}

#[test]
fn run_that_tests_nothing_is_unknown() {
    let error =
        "'{\"src\":\"n1\",\"dest\":\"c1\",\"body\":{\"type\":\"error\",\"code\":10,\"in_reply_to\":2}}'";
    broken(&format!("{INIT}read line; echo {error}\nsleep 30\n"), 3, "unknown");
}

#[test]
fn repeats_count_failures_and_name_the_smallest() {
    if program("repeats_count_failures_and_name_the_smallest", "python3").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let words = "-w unique-ids --node-count 2 --times 2 --time-limit 1 --json --junit runs.xml --out out";
    let done = tested(folder.path(), &format!("{words} -- --flaw same-ids"));
    assert_eq!(done.status.code(), Some(1), "{}", said(&done));
    let summary: serde_json::Value = serde_json::from_str(&stdout(&done)).unwrap();
    assert_eq!(summary["sentence"], "failed 2 of 2");
    let page = summary["smallest"]["page"].as_str().unwrap();
    assert!(folder.path().join(page).is_file(), "{page}");
    assert!(stderr(&done).contains("smallest failing run"), "{}", stderr(&done));
    let junit = std::fs::read_to_string(folder.path().join("runs.xml")).unwrap();
    assert!(junit.contains("tests=\"2\"") && junit.contains("failures=\"2\""), "{junit}");
    let done = tested(folder.path(), "-w unique-ids --node-count 2 --times 2 --time-limit 1 --out sound");
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(said(&done).contains("failed 0 of 2"), "{}", said(&done));
    assert!(!folder.path().join("sound/run-1").exists(), "a valid run leaves nothing");
}

#[test]
fn messages_and_their_clients_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |sets: &[&str], says: &str| {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let words = [&["maelstrom", "test", "--bin", "/bin/true"], &sets[..]].concat();
        let done = output(folder.path(), &words);
        assert_eq!(done.status.code(), Some(2), "{}", said(&done));
        assert!(said(&done).contains(says), "{}", said(&done));
    };
    refused(&["cluster.network=proxy"], "use network = \"messages\" in [cluster]");
    refused(&["load.workload=queue"], "programs for Maelstrom know no queue");
    refused(
        &["client.messages=broadcast"],
        "it says how a set is changed and read, and the workload is register",
    );
    refused(
        &["load.workload=set", "client.kind=http", "cluster.network=proxy"],
        "it does not say how to ask for",
    );
}

#[test]
fn unknown_options_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |words: &[&str], says: &str| {
        let words = [&["maelstrom", "test", "--bin", "/bin/true"], words].concat();
        let done = output(folder.path(), &words);
        assert_eq!(done.status.code(), Some(2), "{}", said(&done));
        assert!(said(&done).contains(says), "{}", said(&done));
    };
    refused(&["--key-dist", "uniform"], "--key-dist");
    refused(&["--nemesis", "flood"], "flood");
    refused(&["-w", "lin-tso"], "lin-tso");
    refused(&["--consistency-models", "serializable"], "has no transactions");
}
