//! Daemons, which left their parent, their group and their session, still belong to their node.

use super::*;
use crate::test_node::daemon;
use std::path::Path;

/// Whether guards work here: a guard is this program again, to play another part.
fn guarded(test: &str) -> bool {
    assert!(crate::lab_entry().is_none(), "every restartable program begins with it");
    let possible = crate::process::nodes_are_guarded();
    if let Err(reason) = &possible {
        assert!(std::env::var_os("BENCH_REQUIRE_ALL").is_none(), "{reason}");
        eprintln!("skipped {test}: {reason}");
    }
    possible.is_ok()
}

/// A shell that starts a daemon, which writes its process id into a file.
fn with_daemon(folder: &Path) -> ProcessCommand {
    let file = folder.join("daemon");
    let daemon = format!("setsid -f sh -c 'echo $$ > {}; exec sleep 1000'", file.display());
    shell(&format!("{daemon}; exec sleep 1000"), folder)
}

async fn id_in(folder: &Path) -> u32 {
    loop {
        let text = std::fs::read_to_string(folder.join("daemon")).unwrap_or_default();
        if let Some(pid) = text.strip_suffix('\n') {
            return pid.parse().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").map_or('X', |(_, rest)| rest.chars().next().unwrap())
}

#[tokio::test]
async fn daemon_is_paused_and_killed_with_node() {
    if !guarded("daemon_is_paused_and_killed_with_node") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(1, Network::Host).await;
    testbed.spawn("n1", with_daemon(folder.path())).await.unwrap();
    let daemon = id_in(folder.path()).await;
    let paused = testbed.pause("n1", 1).await.unwrap();
    // The program that started the daemon may not have ended yet.
    assert!(paused.evidence[0].ends_with(" more"), "{paused:?}");
    assert_eq!(state(daemon), 'T');
    let resumed = testbed.resume("n1", 1).await.unwrap();
    assert!(!resumed.evidence.is_empty() && state(daemon) != 'T', "{resumed:?}");
    let killed = testbed.kill("n1", 2).await.unwrap();
    let evidence = &killed.evidence[0];
    assert!(evidence.contains("ended by signal 9, and ") && evidence.ends_with(" more"), "{killed:?}");
    assert!(!lives(daemon));
    testbed.stop().await.unwrap();
}

#[tokio::test]
async fn a_daemon_ends_with_the_bench() {
    if !guarded("a_daemon_ends_with_the_bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(1, Network::Host).await;
    let pid = testbed.spawn("n1", with_daemon(folder.path())).await.unwrap();
    let daemon = id_in(folder.path()).await;
    // Dropping the testbed closes the same descriptors as the end of a killed bench.
    drop(testbed);
    assert!(!lives(pid) && !lives(daemon));
}

#[tokio::test]
async fn daemon_left_behind_is_reported() {
    if !guarded("a_daemon_left_behind_is_reported") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(1, Network::Host).await;
    let mut exits = testbed.take_exits().unwrap();
    testbed.spawn("n1", shell("setsid -f sleep 1000", folder.path())).await.unwrap();
    let exit = exits.recv().await.unwrap();
    assert_eq!(exit.how, "exit code 0; a process that it had left behind was killed");
    testbed.stop().await.unwrap();
}

#[tokio::test]
async fn a_serving_daemon_proves_no_fault() {
    if !guarded("a_serving_daemon_proves_no_fault") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(1, Network::Host).await;
    testbed.spawn("n1", daemon(&testbed, "n1", folder.path())).await.unwrap();
    answers(&testbed, "n1").await;
    for effect in [testbed.pause("n1", 1).await.unwrap(), testbed.kill("n1", 2).await.unwrap()] {
        assert!(effect.evidence.is_empty(), "{effect:?}");
        assert!(effect.note.as_ref().unwrap().contains("a daemon that left pid"), "{effect:?}");
    }
    // The pause did hit it.
    let silent = testbed.probe_node("n1", Duration::from_millis(100)).await.unwrap();
    assert_eq!(silent, Probe::Refused);
    testbed.stop().await.unwrap();
}

#[tokio::test]
async fn a_foreign_listener_proves_no_kill() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(1, Network::Host).await;
    let _somebody = TcpListener::bind(testbed.listen_address("n1")).unwrap();
    testbed.spawn("n1", sleeper(folder.path())).await.unwrap();
    for effect in [testbed.pause("n1", 1).await.unwrap(), testbed.kill("n1", 2).await.unwrap()] {
        assert!(effect.evidence.is_empty(), "{effect:?}");
        assert!(effect.note.as_ref().unwrap().contains("is no process of this node"), "{effect:?}");
    }
    testbed.stop().await.unwrap();
}
