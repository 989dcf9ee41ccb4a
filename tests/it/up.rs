//! A cluster that `bench up` keeps: status, faults, access from outside, and its end.

use crate::support::{bench, output, processes_in, stderr, stdout, wait_for_exit, wait_until, write_spec};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

#[test]
fn kept_cluster_is_attacked_healed_and_stopped() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let missing = output(folder.path(), &["status", "out"]);
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
    assert!(stderr(&missing).contains("bench up"), "{}", stderr(&missing));

    let up = ["up", "short.toml", "--seed", "3", "--out", "out"];
    let mut up = bench(folder.path()).args(up).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = || output(folder.path(), &["status", "out"]);
    wait_until("all nodes are up and one leads", || {
        let said = stdout(&status());
        said.matches(" up ").count() == 3 && said.contains("leads")
    });

    let mut node = UnixStream::connect(folder.path().join("out/n2.sock")).unwrap();
    node.write_all(b"GET /status HTTP/1.1\r\nhost: n2\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    node.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // No date can be written before 1970, which a wall clock may well say.
    assert!(!answer.to_ascii_lowercase().contains("\ndate:"), "{answer}");

    let refused = output(folder.path(), &["nemesis", "--attach", "out", "--kill", "n9"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("n9"), "{}", stderr(&refused));
    let faults = ["--kill", "n2", "--partition", "n1|n2,n3", "--clock-jump=-1h:n3"];
    let hurt = output(folder.path(), &[&["nemesis", "--attach", "out"][..], &faults].concat());
    let said = format!("{}{}", stdout(&hurt), stderr(&hurt));
    assert_eq!(hurt.status.code(), Some(0), "{said}");
    assert!(said.contains("ended by signal 9") && said.contains("healed: partition"), "{said}");
    assert!(said.contains(" s behind, and is true"), "{said}");

    let down = output(folder.path(), &["down", "out"]);
    assert_eq!(down.status.code(), Some(0), "{}", stderr(&down));
    assert_eq!(wait_for_exit(&mut up), Some(0));
    assert_eq!(processes_in(folder.path()), [0; 0]);
    assert!(!folder.path().join("out/n2.sock").exists());
}

#[test]
fn a_detached_cluster_is_up_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let up = output(folder.path(), &["up", "short.toml", "--detach", "--out", "out"]);
    let said = format!("{}{}", stdout(&up), stderr(&up));
    assert_eq!(up.status.code(), Some(0), "{said}");
    assert!(said.contains("3 nodes are up") && said.contains("bench down out"), "{said}");
    assert!(!said.contains("Ctrl-C"), "the process is in the background: {said}");
    let status = output(folder.path(), &["status", "out"]);
    assert_eq!(stdout(&status).matches(" up ").count(), 3, "{}", stdout(&status));
    let down = output(folder.path(), &["down", "out"]);
    assert_eq!(down.status.code(), Some(0), "{}", stderr(&down));
    wait_until("the log says that it is stopped", || {
        std::fs::read_to_string(folder.path().join("out/up.log")).is_ok_and(|log| log.contains("is stopped"))
    });
    assert_eq!(processes_in(folder.path()), [0; 0]);
}

#[test]
fn cluster_without_its_socket_stops() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let up = output(folder.path(), &["up", "short.toml", "--detach", "--out", "out"]);
    assert_eq!(up.status.code(), Some(0), "{}", stderr(&up));
    std::fs::remove_file(folder.path().join("out").join(nemesis::SOCKET)).unwrap();
    wait_until("no process is left", || processes_in(folder.path()).is_empty());
}

#[test]
fn a_cluster_that_cannot_be_detached_says_why() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let set = ["--set", "cluster.nodes=0"];
    let up = output(folder.path(), &["up", "short.toml", "--detach", set[0], set[1]]);
    assert_eq!(up.status.code(), Some(2), "{}", stderr(&up));
    assert!(stderr(&up).contains("cluster.nodes=0"), "{}", stderr(&up));
}
