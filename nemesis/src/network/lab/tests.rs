//! Effects of the switch on real packets of real kernels.
//!
//! Each test starts itself again inside a lab of its own. It is skipped, with the reason, where no lab can be
//! created.

mod speed;
mod tcp;

use super::*;
use crate::flaky::{Flaky, Share};
use crate::reexec;
use rustix::process::{WaitOptions, waitpid};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Whether this process is inside a lab; outside, it runs the named test in a lab and fails with it.
pub(crate) fn inside(test: &str) -> bool {
    if let Some(code) = crate::entry::play_part() {
        std::process::exit(i32::from(code));
    }
    if reexec::inside_lab() {
        return true;
    }
    let args: Vec<_> = [test, "--exact", "--nocapture", "--include-ignored"].map(Into::into).to_vec();
    if let Some(reason) = probes::first_missing(probes::ask_a_child(&args)) {
        skip(test, &reason);
        return false;
    }
    let launched = reexec::start(reexec::INIT, &args, true).unwrap();
    let mut output = String::new();
    launched.stdout.unwrap().read_to_string(&mut output).unwrap();
    let (_, status) = waitpid(Some(launched.pid), WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(status.exit_status(), Some(0), "inside the lab:\n{output}");
    assert!(output.contains("1 passed"), "there is no test {test}");
    println!("{output}");
    false
}

/// Reports a skipped test, and fails it where `BENCH_REQUIRE_ALL` is set.
pub(crate) fn skip(test: &str, reason: &str) {
    assert!(std::env::var_os("BENCH_REQUIRE_ALL").is_none(), "{test} may not be skipped here: {reason}");
    eprintln!("skipped {test}: {reason}");
}

/// Whether disks in memory work in this lab; otherwise the test is skipped.
pub(crate) fn disk_possible(test: &str) -> bool {
    disk_can_be_mounted().map_err(|reason| skip(test, &reason)).is_ok()
}

fn network(nodes: usize, base: Delay) -> LabNetwork {
    let nodes: Vec<String> = (1..=nodes).map(|node| format!("n{node}")).collect();
    let tape = Tape::new(nodes.clone());
    LabNetwork::start(&Plan { nodes, base, seed: 7, port: None, tcp_rto_max: None, capture: None, tape })
        .unwrap()
}

fn link() -> Link {
    Link::new("n1", "n2")
}

fn back() -> Link {
    Link::new("n2", "n1")
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn delay(millis: u64) -> LinkFault {
    LinkFault::Delay(Delay { mean: ms(millis), ..Delay::default() })
}

fn percent(percent: u32) -> Share {
    Share::of_millionths(percent * 10_000)
}

/// A UDP socket in a node's network with this receive timeout.
fn datagrams(network: &LabNetwork, node: &str, patience: Duration) -> UdpSocket {
    let at = network.address(node).ip();
    let socket = network.namespace(node).inside(|| UdpSocket::bind((at, 0))).unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 16 << 20).unwrap();
    socket
}

/// A connection that n1 dialled to n2: both its ends.
fn connection(network: &LabNetwork) -> (TcpStream, TcpStream) {
    let address = network.address("n2");
    let listener = network.namespace("n2").inside(|| TcpListener::bind(address)).unwrap();
    let dialled = network.namespace("n1").inside(|| TcpStream::connect(address)).unwrap();
    (dialled, listener.accept().unwrap().0)
}

/// Sends numbered datagrams; returns the number of received and of distinct ones.
fn flood(network: &LabNetwork, count: u32) -> (u32, u32) {
    let (from, to) = (datagrams(network, "n1", ms(300)), datagrams(network, "n2", ms(300)));
    let address = to.local_addr().unwrap();
    let sent = Arc::new(AtomicBool::new(false));
    let all_sent = sent.clone();
    let receiver = std::thread::spawn(move || {
        let mut seen = BTreeSet::new();
        let (mut arrived, mut number) = (0, [0; 4]);
        loop {
            let last = all_sent.load(Ordering::SeqCst);
            if to.recv(&mut number).is_ok() {
                arrived += 1;
                seen.insert(number);
            } else if last {
                return (arrived, u32::try_from(seen.len()).unwrap());
            }
        }
    });
    let before = network.counters(&link()).chunks;
    for number in 0..count {
        from.send_to(&number.to_be_bytes(), address).unwrap();
        // The kernel's queues hold a thousand datagrams; waiting avoids losses that no fault causes.
        while number % 50 == 49 && network.counters(&link()).chunks - before <= u64::from(number) {
            std::thread::sleep(ms(1));
        }
    }
    sent.store(true, Ordering::SeqCst);
    receiver.join().unwrap()
}

#[test]
fn packets_take_the_delay_within_a_millisecond() {
    let test = "packets_take_the_delay_within_a_millisecond";
    if !inside(&format!("network::lab::tests::{test}")) {
        return;
    }
    let network = network(2, Delay::default());
    let (here, there) = (datagrams(&network, "n1", ms(5_000)), datagrams(&network, "n2", ms(5_000)));
    let address = there.local_addr().unwrap();
    let echo = std::thread::spawn(move || {
        let mut bytes = [0; 8];
        while let Ok((length @ 1.., from)) = there.recv_from(&mut bytes) {
            there.send_to(&bytes[..length], from).unwrap();
        }
    });
    let rounds = || {
        let mut times: Vec<Duration> = (0..30)
            .map(|_| {
                let start = Instant::now();
                here.send_to(b"ping", address).unwrap();
                here.recv(&mut [0; 8]).unwrap();
                start.elapsed()
            })
            .collect();
        times.sort();
        times
    };
    let free = rounds();
    network.apply(&link(), 1, delay(10));
    network.apply(&back(), 1, delay(20));
    // A busy machine only makes round trips longer, so one good batch of several shows the switch's own delay.
    let mut batches = Vec::new();
    while batches.len() < 20 && batches.last().is_none_or(|median| *median >= ms(31) + free[15]) {
        let slowed = rounds();
        assert!(slowed[0] >= ms(30), "{slowed:?}");
        println!("free median {:?}; with 30 ms least {:?}, median {:?}", free[15], slowed[0], slowed[15]);
        batches.push(slowed[15]);
    }
    assert!(*batches.last().unwrap() < ms(31) + free[15], "medians: {batches:?}; free {:?}", free[15]);
    assert!(network.counters(&link()).delayed_chunks >= 30);
    here.send_to(b"", address).unwrap();
    echo.join().unwrap();
}

#[test]
fn loss_is_exact_within_one_percent_point() {
    if !inside("network::lab::tests::loss_is_exact_within_one_percent_point") {
        return;
    }
    let network = network(2, Delay::default());
    assert_eq!(flood(&network, 2_000), (2_000, 2_000), "without a fault nothing is lost");
    network.apply(&link(), 1, LinkFault::Flaky(Flaky { loss: percent(5), ..Flaky::default() }));
    let before = network.counters(&link());
    let (arrived, _) = flood(&network, 10_000);
    let lost = u32::try_from((network.counters(&link()) - before).lost).unwrap();
    println!("of 10,000 frames {} were lost with 5% set", 10_000 - arrived);
    assert!((400..=600).contains(&lost), "{lost} lost");
    assert_eq!(arrived, 10_000 - lost, "the switch counted every missing frame");
}

#[test]
fn duplicates_arrive_corrupt_frames_vanish_garbled_arrive() {
    if !inside("network::lab::tests::duplicates_arrive_corrupt_frames_vanish_garbled_arrive") {
        return;
    }
    let network = network(2, Delay::default());
    let set = |flaky| network.apply(&link(), 1, LinkFault::Flaky(flaky));
    set(Flaky { duplicate: percent(10), ..Flaky::default() });
    let (arrived, different) = flood(&network, 2_000);
    let doubled = u32::try_from(network.counters(&link()).duplicated).unwrap();
    assert!(
        different == 2_000 && doubled > 100 && arrived == 2_000 + doubled,
        "{arrived} arrived, {doubled} duplicated"
    );
    set(Flaky { corrupt: percent(100), ..Flaky::default() });
    assert_eq!(flood(&network, 100).0, 0, "the kernel drops frames with a wrong checksum");
    set(Flaky { garble: percent(100), ..Flaky::default() });
    let (here, there) = (datagrams(&network, "n1", ms(5_000)), datagrams(&network, "n2", ms(5_000)));
    here.send_to(b"truth", there.local_addr().unwrap()).unwrap();
    let mut heard = [0; 5];
    there.recv(&mut heard).unwrap();
    let flipped: u32 = heard.iter().zip(b"truth").map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!(flipped, 1, "{heard:?}");
}

#[test]
fn one_way_cut_kills_tcp_both_ways() {
    if !inside("network::lab::tests::one_way_cut_kills_tcp_both_ways") {
        return;
    }
    let network = network(2, Delay::default());
    let (one, two) = (datagrams(&network, "n1", ms(200)), datagrams(&network, "n2", ms(200)));
    let (mut dialled, mut accepted) = connection(&network);
    network.apply(&link(), 1, LinkFault::Stall);
    one.send_to(b"lost", two.local_addr().unwrap()).unwrap();
    two.send_to(b"heard", one.local_addr().unwrap()).unwrap();
    assert!(two.recv(&mut [0; 8]).is_err());
    assert_eq!(one.recv(&mut [0; 8]).unwrap(), 5);
    for stream in [&dialled, &accepted] {
        stream.set_read_timeout(Some(ms(300))).unwrap();
    }
    dialled.write_all(b"never comes").unwrap();
    assert!(accepted.read(&mut [0; 16]).is_err());
    let address = network.address("n1");
    let _listener = network.namespace("n1").inside(|| TcpListener::bind(address)).unwrap();
    let connect = || TcpStream::connect_timeout(&address, ms(300));
    assert!(network.namespace("n2").inside(connect).is_err(), "the answer to a dial takes the cut direction");
    assert!(network.counters(&link()).dropped >= 3);
    assert!(network.release(&link(), 1));
    accepted.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(accepted.read(&mut [0; 16]).unwrap(), 11, "TCP retransmits dropped segments");
}

#[test]
fn stream_over_flaky_link_arrives_in_order() {
    if !inside("network::lab::tests::stream_over_flaky_link_arrives_in_order") {
        return;
    }
    let network = network(2, Delay::default());
    let flaky = Flaky {
        loss: percent(1),
        duplicate: percent(1),
        reorder: percent(1),
        corrupt: percent(1),
        ..Flaky::default()
    };
    let (mut dialled, mut accepted) = connection(&network);
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    // The first half goes in large frames over a healthy link, the second in single segments over a flaky link.
    let half = bytes.len() / 2;
    let sent = bytes.clone();
    let (go, started) = std::sync::mpsc::channel();
    let sender = std::thread::spawn(move || {
        dialled.write_all(&sent[..half]).unwrap();
        started.recv().unwrap();
        dialled.write_all(&sent[half..]).unwrap();
    });
    let mut heard = vec![0; bytes.len()];
    accepted.read_exact(&mut heard[..half]).unwrap();
    let large = network.counters(&link());
    network.apply(&link(), 1, LinkFault::Flaky(flaky));
    go.send(()).unwrap();
    accepted.read_exact(&mut heard[half..]).unwrap();
    sender.join().unwrap();
    assert!(heard == bytes, "received bytes differ from sent bytes");
    let small = network.counters(&link()) - large;
    println!("{} large frames, then {} small ones, {} lost", large.chunks, small.chunks, small.lost);
    assert!(large.chunks < 700 && small.chunks > 1_000 && small.lost > 0, "{large:?} {small:?}");
}

#[test]
fn reset_hits_both_ends_of_open_connections() {
    if !inside("network::lab::tests::reset_hits_both_ends_of_open_connections") {
        return;
    }
    let network = network(2, Delay::default());
    let (mut dialled, mut accepted) = connection(&network);
    dialled.write_all(b"hello").unwrap();
    accepted.read_exact(&mut [0; 5]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(network.reset(&back())), 0, "n2 dialled nothing");
    assert_eq!(runtime.block_on(network.reset(&link())), 1);
    for stream in [&mut dialled, &mut accepted] {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let error = stream.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    drop((dialled, accepted));
    let (mut dialled, mut accepted) = connection(&network);
    dialled.write_all(b"again").unwrap();
    accepted.read_exact(&mut [0; 5]).unwrap();
    network.apply(&link(), 1, LinkFault::Refuse);
    dialled.write_all(b"refused").unwrap();
    let error = loop {
        if let Err(error) = dialled.write_all(b"refused") {
            break error;
        }
        std::thread::sleep(ms(1));
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn names_resolve_and_clients_can_be_cut() {
    if !inside("network::lab::tests::names_resolve_and_clients_can_be_cut") {
        return;
    }
    let network = network(3, Delay::default());
    let found: Vec<_> = ("n2", 80).to_socket_addrs().unwrap().collect();
    assert_eq!(found, [SocketAddr::from(([10, 117, 0, 2], 80))]);
    let node = datagrams(&network, "n2", ms(200));
    let client = UdpSocket::bind((address(3), 0)).unwrap();
    let say = || client.send_to(b"hello", node.local_addr().unwrap()).unwrap();
    say();
    assert_eq!(node.recv(&mut [0; 8]).unwrap(), 5);
    let cut = Link::new(CLIENTS, "n2");
    network.apply(&cut, 1, LinkFault::Stall);
    say();
    assert!(node.recv(&mut [0; 8]).is_err());
    assert_eq!(network.counters(&cut).dropped, 1);
    assert_eq!(network.release_all(), [cut]);
    say();
    assert_eq!(node.recv(&mut [0; 8]).unwrap(), 5);
}

#[test]
fn one_process_makes_labs_in_turn() {
    if !inside("network::lab::tests::one_process_makes_labs_in_turn") {
        return;
    }
    for nodes in [5, 1, 5] {
        let start = Instant::now();
        let network = network(nodes, Delay::default());
        println!("{nodes} nodes up in {:?}", start.elapsed());
        assert!(super::probes::pass_a_packet(&network, nodes).is_ok());
    }
    let interfaces = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    assert!(!interfaces.contains(INTERFACE), "{interfaces}");
}
