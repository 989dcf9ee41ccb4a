//! For tests: a node that is a real process of the test binary, and a testbed of such nodes.

use crate::clock::ProcessClock;
use crate::disk::{Disk, DiskModel};
use crate::network::Network;
use crate::parameters::Links;
use crate::process::ProcessCommand;
use crate::testbed::{Testbed, TestbedConfig};
use crate::topology::Topology;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

const ADDRESS: &str = "PRETEND_NODE_ADDRESS";
/// The addresses of its peers, joined with commas.
const PEERS: &str = "PRETEND_NODE_PEERS";
/// Set for a node whose parent ends on purpose.
#[cfg(target_os = "linux")]
const DAEMON: &str = "PRETEND_NODE_DAEMON";
/// Interval of its messages to each peer.
const EVERY: Duration = Duration::from_millis(5);

/// Not a test: the node that tests start. It echoes every request and sends messages to its peers.
#[test]
#[ignore = "started by other tests as a process of its own"]
fn test_node() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    #[cfg(target_os = "linux")]
    if std::env::var_os(DAEMON).is_none() {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    }
    std::thread::spawn(|| {
        // The bench holds the other end during its lifetime.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    for peer in std::env::var(PEERS).unwrap_or_default().split(',').filter(|peer| !peer.is_empty()) {
        let peer = peer.to_owned();
        std::thread::spawn(move || talk_to(&peer));
    }
    for stream in TcpListener::bind(address).unwrap().incoming() {
        let mut stream = stream.unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
        });
    }
}

/// Sends messages to a peer for ever, over a new connection whenever one ends.
fn talk_to(peer: &str) -> ! {
    loop {
        if let Ok(mut stream) = TcpStream::connect(peer) {
            while stream.write_all(b"hello").is_ok() && matches!(stream.read(&mut [0; 64]), Ok(1..)) {
                std::thread::sleep(EVERY);
            }
        }
        std::thread::sleep(EVERY);
    }
}

/// The command that starts the test node `name`; a quiet node sends no messages to its peers.
pub(crate) fn node(testbed: &Testbed, name: &str, folder: &Path, quiet: bool) -> ProcessCommand {
    let others = testbed.topology().names().filter(|other| *other != name && !quiet);
    let peers: Vec<String> = others.map(|other| testbed.peer_address(name, other).to_string()).collect();
    ProcessCommand {
        program: std::env::current_exe().unwrap(),
        args: ["test_node::test_node", "--exact", "--ignored", "--nocapture"].map(Into::into).to_vec(),
        env: vec![
            (ADDRESS.into(), testbed.listen_address(name).to_string().into()),
            (PEERS.into(), peers.join(",").into()),
        ],
        output: folder.join(format!("{name}.log")),
        data: Some(folder.join(name)),
        clock: Some(ProcessClock::Foreign(folder.join(format!("{name}.clock")))),
        ..ProcessCommand::default()
    }
}

/// The same node as a daemon of a shell that keeps running itself.
#[cfg(target_os = "linux")]
pub(crate) fn daemon(testbed: &Testbed, name: &str, folder: &Path) -> ProcessCommand {
    let node = node(testbed, name, folder, true);
    let args = node.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let script = format!("setsid -f {} {args}; exec sleep 1000", node.program.display());
    let mut env = node.env;
    env.push((DAEMON.into(), "1".into()));
    ProcessCommand { env, ..shell(&script, folder) }
}

/// A shell command.
pub(crate) fn shell(script: &str, folder: &Path) -> ProcessCommand {
    ProcessCommand {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        output: folder.join("output.log"),
        data: Some(folder.join("data")),
        clock: Some(ProcessClock::Foreign(folder.join("clock"))),
        ..ProcessCommand::default()
    }
}

/// A testbed of `n` nodes, none of them started.
pub(crate) async fn empty_testbed(n: usize, network: Network) -> Testbed {
    let topology = Topology::new((1..=n).map(|i| (format!("n{i}"), ["replica", "leader"])));
    let probe = Some(b"anybody there?".to_vec());
    let config = TestbedConfig {
        network,
        topology,
        links: Links::default(),
        ports: Vec::new(),
        addresses: Vec::new(),
        base_port: None,
        tcp_rto_max: None,
        disk: Disk::Auto,
        disk_model: DiskModel::default(),
        capture: None,
        seed: 7,
        probe,
    };
    Testbed::start(config).await.unwrap()
}

/// A testbed of `n` running test nodes that send messages to each other.
pub(crate) async fn testbed_of(n: usize, network: Network, folder: &Path) -> Testbed {
    started(empty_testbed(n, network).await, folder, false).await
}

/// A testbed of `n` running test nodes that never send messages to each other.
pub(crate) async fn quiet_testbed_of(n: usize, network: Network, folder: &Path) -> Testbed {
    started(empty_testbed(n, network).await, folder, true).await
}

async fn started(testbed: Testbed, folder: &Path, quiet: bool) -> Testbed {
    let names: Vec<String> = testbed.topology().names().map(str::to_owned).collect();
    for name in &names {
        testbed.spawn(name, node(&testbed, name, folder, quiet)).await.unwrap();
    }
    for name in &names {
        answers(&testbed, name).await;
    }
    testbed
}

/// Waits until a node answers.
pub(crate) async fn answers(testbed: &Testbed, name: &str) {
    let asking = async {
        while !testbed.probe_node(name, Duration::from_secs(1)).await.unwrap().answered() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.expect("the node never answered");
}
