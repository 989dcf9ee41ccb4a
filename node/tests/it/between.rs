//! Connections between real nodes: admission, separation of clusters, and large values.

use crate::cluster::{Cluster, resident_bytes};
use node::config::{PaxosOptions, Secret};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::Duration;

const UPGRADE: &str =
    "GET /paxos HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: bench-paxos\r\n";

/// Sends a hello with these headers, and some bytes after it in any case.
fn knock(cluster: &Cluster, index: usize, headers: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(cluster.members[index].address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(format!("{UPGRADE}{headers}\r\n").as_bytes()).unwrap();
    // The node may have closed the connection already.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_stranger_is_refused_with_the_reason() {
    let cluster = Cluster::started(1);
    cluster.put(0, "a", "1");
    let name = cluster.status(0).configuration.cluster;
    let hello = |from: &str, to: &str, cluster: &str, window: &str| {
        let nonce = "0".repeat(32);
        let proof = "0".repeat(64);
        format!(
            "x-node: {from}\r\nx-to: {to}\r\nx-cluster: {cluster}\r\nx-window: {window}\r\nx-nonce: {nonce}\r\nx-proof: {proof}\r\n"
        )
    };
    let endless = [&[1, 0, 0, 1, b'c', 1][..], &[11, 1].repeat(100_000)].concat();
    for (headers, reason) in [
        (String::new(), "this is no hello of a member"),
        ("x-node: n2\r\nx-window: 1000\r\n".to_owned(), "this is no hello of a member"),
        (hello("n2", "n1", "other", "1000"), "n2 is of another cluster (other)"),
        (hello("n2", "n1", &name, "7"), "n2 has window 7 and this node 1000"),
        (hello("n2", "n3", &name, "1000"), "n2 dialled n3, but this is n1"),
        (hello("n1", "n1", &name, "1000"), "the proof of n1 does not hold"),
    ] {
        for bytes in [&(256_u32 << 20).to_le_bytes()[..], &[0xff; 64], &endless] {
            let answer = knock(&cluster, 0, &headers, bytes);
            assert!(answer.starts_with("HTTP/1.1 403") && answer.contains(reason), "{headers}: {answer}");
        }
    }
    cluster.put(0, "a", "2");
    assert!(resident_bytes(cluster.status(0).pid) < 100 << 20);
}

#[test]
fn clusters_with_the_same_names_do_not_mix() {
    let (mut first, mut second) = (Cluster::started(3), Cluster::new(3));
    for value in 0..5 {
        first.put(0, "k", &format!("first-{value}"));
    }
    // It runs for a while before it gets the third address of the first cluster, so that it is ahead in rounds
    // and slots.
    let own = second.members[2].address;
    for life in 0..4 {
        second.members[2].address = if life == 3 { first.members[2].address } else { own };
        (0..2).for_each(|index| second.start(index));
        (0..10).for_each(|value| second.put(value % 2, "k", &format!("second-{life}-{value}")));
        if life < 3 {
            (0..2).for_each(|index| second.kill(index));
        }
    }
    std::thread::sleep(Duration::from_millis(500));
    first.put(0, "k", "first-last");
    for index in 0..3 {
        let (_, body) = first.ask(index, "GET", "/kv/k", "").unwrap();
        assert!(body.contains("\"first-last\""), "{body}");
    }
    let (_, body) = second.ask(1, "GET", "/kv/k", "").unwrap();
    assert!(body.contains("\"second-3-9\""), "{body}");
    assert!(first.status(2).slot_out < 30, "it has decisions of the other cluster");
    (0..3).for_each(|index| first.kill(index));
}

#[test]
fn secret_admits_members_and_refuses_others() {
    let mut cluster = Cluster::new(3);
    cluster.secret = Some(Secret::new("the secret of this cluster"));
    (0..2).for_each(|index| cluster.start(index));
    cluster.put(0, "a", "1");
    let name = cluster.status(0).configuration.cluster;
    cluster.secret = Some(Secret::new("the secret of another cluster"));
    cluster.start(2);
    std::thread::sleep(Duration::from_millis(500));
    assert_ne!(cluster.status(2).configuration.cluster, name);
    assert_eq!(cluster.status(2).slot_out, 1, "it has learned from another cluster");
    cluster.kill(2);
    std::fs::remove_dir_all(cluster.data(2)).unwrap();
    cluster.secret = Some(Secret::new("the secret of this cluster"));
    cluster.start(2);
    cluster.eventually("it learns", |cluster| cluster.status(2).slot_out > 1);
    for (secret, reason) in
        [(Some("short"), "fewer than 16 bytes"), (None, "a node that listens on 0.0.0.0:")]
    {
        let mut other = Cluster::new(1);
        other.secret = secret.map(Secret::new);
        other.members[0].address.set_ip([0, 0, 0, 0].into());
        let output = other.refused(0);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains(reason), "{stderr}");
    }
}

#[test]
fn secret_may_come_from_environment() {
    let mut cluster = Cluster::new(3);
    for index in 0..3 {
        let mut command: Command = cluster.command(index);
        let secret =
            if index == 2 { "another secret, of 32 bytes or so" } else { "one secret, of 32 bytes or so" };
        cluster.nodes[index] = Some(command.env("BENCH_SECRET", secret).spawn().unwrap());
    }
    cluster.eventually("two serve", |it| {
        (0..2).all(|index| it.ask(index, "PUT", "/kv/a", "1").is_some_and(|(status, _)| status == 200))
    });
    assert_eq!(cluster.status(2).slot_out, 1);
    let names = [0, 1, 2].map(|index| cluster.status(index).configuration.cluster);
    assert!(names[0] == names[1] && names[0] != names[2], "{names:?}");
}

/// Puts `count` values of a mebibyte at once through one node; returns the number of acknowledged ones.
fn put_large(cluster: &Cluster, index: usize, count: usize) -> usize {
    let value = "x".repeat(1 << 20);
    let put = |key: usize| cluster.ask(index, "PUT", &format!("/kv/large{key}"), &value);
    std::thread::scope(|scope| {
        let puts: Vec<_> = (0..count).map(|key| scope.spawn(move || put(key))).collect();
        let answers = puts.into_iter().filter_map(|put| put.join().unwrap());
        answers.filter(|(status, _)| *status == 200).count()
    })
}

#[test]
fn many_large_values_leave_all_nodes_serving() {
    let cluster = Cluster::started_with(3, PaxosOptions::default());
    cluster.put(0, "a", "1");
    let leader = (0..3).find(|&index| cluster.status(index).active).unwrap();
    for index in [leader, (leader + 1) % 3] {
        assert!(put_large(&cluster, index, 24) > 0);
        (0..3).for_each(|index| cluster.put(index, "a", "2"));
    }
    cluster.eventually("all have applied the same", |cluster| {
        let applied = [0, 1, 2].map(|index| cluster.status(index).slot_out);
        applied[0] == applied[1] && applied[1] == applied[2]
    });
    let memory = [0, 1, 2].map(|index| resident_bytes(cluster.status(index).pid) >> 20);
    println!("MiB in memory: {memory:?}");
    assert!(memory.iter().all(|&memory| memory < 300), "{memory:?} MiB");
}

#[test]
fn a_large_promise_is_given_in_parts() {
    let mut cluster = Cluster::new(3);
    (0..2).for_each(|index| cluster.start(index));
    cluster.put(0, "a", "1");
    // Slots on the disk of only one of two replicas are not collected, so the next leader gets all of them.
    assert!(put_large(&cluster, 0, 12) > 0);
    (0..2).for_each(|index| cluster.kill(index));
    (0..2).for_each(|index| cluster.start(index));
    cluster.put(1, "a", "2");
    cluster.start(2);
    cluster.put(2, "a", "3");
}
