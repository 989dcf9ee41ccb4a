//! Guarantees of the testbed about processes and addresses, tested with real processes.

#[cfg(target_os = "linux")]
mod daemons;

use super::*;
use crate::test_node::{answers, empty_testbed, node, shell, testbed_of};
use std::net::TcpListener;
use tokio::net::TcpStream;

fn sleeper(folder: &std::path::Path) -> ProcessCommand {
    shell("echo started; exec sleep 1000", folder)
}

/// Whether a process exists and is not a zombie that its adopter has not reaped yet.
#[cfg(target_os = "linux")]
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").unwrap().1.starts_with(['Z', 'X']))
}

#[tokio::test]
async fn killed_node_restarts_with_a_new_pid() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(1, Network::Host).await;
    let pid = testbed.spawn("n1", sleeper(folder.path())).await.unwrap();
    let output = || std::fs::read_to_string(folder.path().join("output.log")).unwrap();
    while output() != "started\n" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let killed = testbed.kill("n1", 1).await.unwrap();
    assert_eq!(killed, Effect::seen(format!("pid {pid} ended by signal 9")));
    assert_eq!(testbed.pid("n1").await, None);
    let back = testbed.restart("n1", 1).await.unwrap();
    let new_pid = testbed.pid("n1").await.unwrap();
    assert_ne!(new_pid, pid);
    assert_eq!(back, Effect::seen(format!("new pid {new_pid} (incarnation 2)")));
    while output() != "started\nstarted\n" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    testbed.stop().await.unwrap();
    assert_eq!(testbed.pid("n1").await, None);
}

#[tokio::test]
async fn pause_and_resume_are_observed() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = testbed_of(1, Network::Host, folder.path()).await;
    let paused = testbed.pause("n1", 1).await.unwrap();
    assert!(paused.evidence[0].starts_with("state T in "), "{paused:?}");
    assert!(!testbed.could_answer("n1").await);
    let patience = Duration::from_millis(50);
    assert_eq!(testbed.probe_node("n1", patience).await, Some(Probe::Silent(patience)));
    let resumed = testbed.resume("n1", 1).await.unwrap();
    assert!(resumed.evidence[0].starts_with("state "), "{resumed:?}");
    assert!(!resumed.evidence[0].starts_with("state T"), "{resumed:?}");
    answers(&testbed, "n1").await;
}

#[tokio::test]
async fn node_stays_held_until_last_claim_ends() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = testbed_of(1, Network::Host, folder.path()).await;
    testbed.kill("n1", 1).await.unwrap();
    assert!(testbed.kill("n1", 2).await.unwrap().evidence[0].contains("was down already"));
    assert!(testbed.restart("n1", 1).await.unwrap().evidence[0].contains("stays down until fault 2"));
    assert_eq!(testbed.pid("n1").await, None);
    testbed.restart("n1", 2).await.unwrap();
    answers(&testbed, "n1").await;
    testbed.pause("n1", 3).await.unwrap();
    testbed.pause("n1", 4).await.unwrap();
    testbed.resume("n1", 3).await.unwrap();
    assert!(!testbed.could_answer("n1").await);
    testbed.resume("n1", 4).await.unwrap();
    answers(&testbed, "n1").await;
}

#[tokio::test]
async fn killed_paused_node_comes_back_paused() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = testbed_of(1, Network::Host, folder.path()).await;
    testbed.pause("n1", 1).await.unwrap();
    assert!(testbed.kill("n1", 2).await.unwrap().evidence[0].ends_with("ended by signal 9"));
    let back = testbed.restart("n1", 2).await.unwrap();
    assert!(back.evidence[1].starts_with("state T in "), "{back:?}");
    testbed.resume("n1", 1).await.unwrap();
    answers(&testbed, "n1").await;
}

#[tokio::test]
async fn paused_node_receives_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = testbed_of(1, Network::Host, folder.path()).await;
    testbed.pause("n1", 1).await.unwrap();
    let ended = testbed.stop_node("n1", 2).await.unwrap();
    assert!(ended.evidence[0].ends_with("ended by signal 15") && ended.note.is_none(), "{ended:?}");
    testbed.restart("n1", 2).await.unwrap();
    assert!(!testbed.could_answer("n1").await, "it stays paused until the pause ends");
    testbed.resume("n1", 1).await.unwrap();
    answers(&testbed, "n1").await;
}

#[tokio::test]
async fn spare_node_wakes_when_no_fault_holds() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(1, Network::Host).await;
    testbed.prepare("n1", crate::test_node::node(&testbed, "n1", folder.path(), false)).await;
    assert!(testbed.kill("n1", 1).await.unwrap().evidence.is_empty());
    let excuse = crate::process::Excuse { kind: "bit-flip", passing: false };
    let damaged = testbed.damage("n1", 2, &flip(), excuse).await.unwrap();
    assert!(damaged.note.unwrap().contains("was never started"));
    assert!(testbed.wake("n1").await.unwrap().evidence[0].contains("stays down until fault 1"));
    testbed.restart("n1", 1).await.unwrap();
    assert_eq!(testbed.pid("n1").await, None);
    testbed.restart("n1", 2).await.unwrap();
    answers(&testbed, "n1").await;
}

fn flip() -> crate::disk::Damage {
    crate::disk::Damage { harm: crate::disk::Harm::Flip { bits: 1 }, file: None }
}

#[tokio::test]
async fn dead_node_gives_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(1, Network::Host).await;
    let mut exits = testbed.take_exits().unwrap();
    testbed.spawn("n1", shell("exit 7", folder.path())).await.unwrap();
    exits.recv().await.unwrap();
    for effect in [testbed.pause("n1", 1).await.unwrap(), testbed.kill("n1", 2).await.unwrap()] {
        assert!(effect.evidence.is_empty() && effect.note.is_some(), "{effect:?}");
    }
    assert!(testbed.resume("n1", 1).await.is_ok());
}

#[tokio::test]
async fn ended_node_is_started_unless_held() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(1, Network::Host).await;
    let mut exits = testbed.take_exits().unwrap();
    testbed.spawn("n1", shell("exit 7", folder.path())).await.unwrap();
    assert!(exits.recv().await.unwrap().has_code());
    testbed.kill("n1", 1).await.unwrap();
    assert_eq!(testbed.start_ended("n1").await.unwrap(), None, "fault 1 starts it again");
    testbed.restart("n1", 1).await.unwrap();
    exits.recv().await.unwrap();
    let started = testbed.start_ended("n1").await.unwrap().unwrap();
    assert!(started.evidence[0].contains("incarnation 3"), "{started:?}");
}

#[tokio::test]
async fn only_unplanned_exits_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(2, Network::Host).await;
    let mut exits = testbed.take_exits().unwrap();
    assert!(testbed.take_exits().is_none());
    testbed.spawn("n1", sleeper(folder.path())).await.unwrap();
    testbed.kill("n1", 1).await.unwrap();
    let pid = testbed.spawn("n2", shell("exit 101", folder.path())).await.unwrap();
    let exit = exits.recv().await.unwrap();
    let expected = Exit {
        node: "n2".to_owned(),
        pid,
        incarnation: 1,
        program: None,
        how: "exit code 101".to_owned(),
        excuse: None,
    };
    assert_eq!(exit, expected);
    assert_eq!(exit.record().evidence, ["exit code 101"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_process_outlives_the_testbed() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(2, Network::Proxy).await;
    let pid = testbed.spawn("n1", shell("sleep 1000 & echo $!; wait", folder.path())).await.unwrap();
    let paused = testbed.spawn("n2", sleeper(folder.path())).await.unwrap();
    testbed.pause("n2", 1).await.unwrap();
    let output = folder.path().join("output.log");
    let grandchild: u32 = loop {
        let text = std::fs::read_to_string(&output).unwrap();
        if let Some(pid) = text.lines().find_map(|line| line.parse().ok()) {
            break pid;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    assert!(lives(pid) && lives(paused) && lives(grandchild));
    drop(testbed);
    assert!(!lives(pid) && !lives(paused));
    while lives(grandchild) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn node_outlives_the_spawning_thread() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = std::sync::Arc::new(empty_testbed(1, Network::Host).await);
    let (theirs, command) = (std::sync::Arc::clone(&testbed), node(&testbed, "n1", folder.path(), true));
    let runtime = tokio::runtime::Handle::current();
    let asking = std::thread::spawn(move || runtime.block_on(theirs.spawn("n1", command)));
    while !asking.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let pid = asking.join().unwrap().unwrap();
    answers(&testbed, "n1").await;
    assert_eq!(testbed.pid("n1").await, Some(pid));
}

#[tokio::test]
async fn missing_program_is_named_with_its_node() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = empty_testbed(1, Network::Host).await;
    let command = ProcessCommand { program: "/no/such/program".into(), ..sleeper(folder.path()) };
    let error = testbed.spawn("n1", command).await.unwrap_err().to_string();
    assert!(error.contains("n1") && error.contains("/no/such/program"), "{error}");
    let error = testbed.restart("n1", 1).await.unwrap_err().to_string();
    assert!(error.contains("/no/such/program"), "{error}");
}

#[tokio::test]
async fn peers_use_proxies_and_clients_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = testbed_of(2, Network::Proxy, folder.path()).await;
    assert_eq!(testbed.mode(), Mode::Proxy);
    assert_ne!(testbed.peer_address("n1", "n2"), testbed.listen_address("n2"));
    assert_eq!(testbed.peer_address("n1", "n1"), testbed.listen_address("n1"));
    let link = Link::new("n1", "n2");
    testbed.apply(&link, 1, LinkFault::Stall);
    let patience = Duration::from_millis(50);
    assert_eq!(testbed.probe(&link, patience).await, Some(Probe::Silent(patience)));
    assert!(testbed.probe(&Link::new("n2", "n1"), Duration::from_secs(5)).await.unwrap().answered());
    answers(&testbed, "n2").await;
    assert_eq!(testbed.heal_all().await.unwrap(), ["n1→n2 healed"]);
    assert!(testbed.probe(&link, Duration::from_secs(5)).await.unwrap().answered());
}

#[tokio::test]
async fn proxied_connection_ends_with_the_node() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = testbed_of(2, Network::Proxy, folder.path()).await;
    let mut stream = TcpStream::connect(testbed.peer_address("n1", "n2")).await.unwrap();
    let mut byte = [7];
    tokio::io::AsyncWriteExt::write_all(&mut stream, &byte).await.unwrap();
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut byte).await.unwrap();
    testbed.kill("n2", 1).await.unwrap();
    assert!(matches!(tokio::io::AsyncReadExt::read(&mut stream, &mut byte).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn chosen_port_in_use_is_refused() {
    let in_use = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = TestbedConfig {
        disk: Disk::Auto,
        disk_model: DiskModel::default(),
        network: Network::Host,
        topology: Topology::new([("n1", ["replica"])]),
        links: Links::default(),
        ports: Vec::new(),
        addresses: Vec::new(),
        base_port: Some(in_use.local_addr().unwrap().port()),
        tcp_rto_max: None,
        capture: None,
        seed: 7,
        probe: None,
    };
    let error = Testbed::start(config.clone()).await.unwrap_err().to_string();
    assert!(error.contains("base-port"), "{error}");
    let links = Links { delay: Duration::from_millis(1), jitter: Duration::ZERO };
    let error = Testbed::start(TestbedConfig { base_port: None, links, ..config }).await.unwrap_err();
    assert!(matches!(error, TestbedError::PlainLinks));
}
