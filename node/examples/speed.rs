//! How fast three nodes are, beside a three-node etcd under the very same client: closed-loop clients over HTTP/1.1.
//!
//! `cargo build --release -p node && cargo run --release -p node --example speed -- --etcd /path/to/etcd`

#![allow(clippy::unwrap_used, reason = "a broken assumption should end a measurement")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this program measures processes")]

use clap::Parser;
use node::config::{Member, NodeConfig, PaxosOptions, Role};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Measures puts and linearizable reads of three nodes, and of three nodes of etcd.
#[derive(Parser)]
struct Arguments {
    /// The program `etcd`; without it only our own nodes are measured.
    #[arg(long)]
    etcd: Option<PathBuf>,
    /// Where the nodes keep their data: on the disk that is to be measured.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Closed-loop clients; one measurement for each number.
    #[arg(long, value_delimiter = ',', default_value = "1,64,256")]
    clients: Vec<usize>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often all is measured; the systems take turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How our nodes are asked to read: log, quorum, lease or local.
    #[arg(long, default_value = "log")]
    read: String,
}

/// Which of the two, and what it is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum System {
    Paxos,
    Etcd,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Put,
    Get,
}

const KEYS: u64 = 1000;
const PORT: u16 = 23790;

struct Cluster {
    system: System,
    addresses: Vec<SocketAddr>,
    children: Vec<Child>,
    _folder: tempfile::TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn address(system: System, place: u8, port: u16) -> SocketAddr {
    let network = if system == System::Paxos { 77 } else { 78 };
    SocketAddr::from(([127, 9, network, place], port))
}

impl Cluster {
    fn start(system: System, arguments: &Arguments) -> Self {
        let folder = tempfile::tempdir_in(&arguments.folder).unwrap();
        let addresses: Vec<_> = (1..=3).map(|place| address(system, place, PORT)).collect();
        let children = (1..=3).map(|place| match system {
            System::Paxos => node(folder.path(), &addresses, place),
            System::Etcd => etcd(folder.path(), arguments.etcd.as_ref().unwrap(), place),
        });
        Self { system, children: children.collect(), addresses, _folder: folder }
    }
}

fn node(folder: &Path, addresses: &[SocketAddr], place: u8) -> Child {
    let member = |(number, &address): (usize, &SocketAddr)| Member {
        name: format!("n{}", number + 1),
        address,
        roles: [Role::Replica, Role::Leader, Role::Acceptor].into(),
    };
    let config = NodeConfig {
        name: format!("n{place}"),
        listen: addresses[usize::from(place) - 1],
        data: folder.join(format!("n{place}")),
        clock: None,
        seed: u64::from(place),
        enclosed: false,
        members: addresses.iter().enumerate().map(member).collect(),
        routes: std::collections::BTreeMap::new(),
        join: false,
        paxos: PaxosOptions::default(),
    };
    let path = folder.join(format!("n{place}.json"));
    std::fs::write(&path, serde_json::to_vec(&config).unwrap()).unwrap();
    let program = std::env::current_exe().unwrap().parent().unwrap().join("../node");
    Command::new(program).arg("--config").arg(path).stdout(Stdio::null()).spawn().unwrap()
}

fn etcd(folder: &Path, program: &Path, place: u8) -> Child {
    let url = |place, port| format!("http://{}", address(System::Etcd, place, port));
    let peers: Vec<_> = (1..=3).map(|place| format!("e{place}={}", url(place, PORT + 1))).collect();
    let (client, peer) = (url(place, PORT), url(place, PORT + 1));
    Command::new(program)
        .args(["--name", &format!("e{place}"), "--logger", "zap", "--log-level", "error"])
        .arg("--data-dir")
        .arg(folder.join(format!("e{place}")))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &peers.join(","), "--initial-cluster-state", "new"])
        .args(["--quota-backend-bytes", "8000000000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            (0..3).fold(0_usize, |word, place| word << 8 | usize::from(*chunk.get(place).unwrap_or(&0)));
        for place in 0..4 {
            let letter = char::from(LETTERS[word >> (18 - 6 * place) & 63]);
            text.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

/// The bytes of one request.
fn request(system: System, kind: Kind, read: &str, key: u64) -> Vec<u8> {
    let key = format!("key-{key}");
    let value = "v".repeat(100);
    let (first, body) = match (system, kind) {
        (System::Paxos, Kind::Put) => (format!("PUT /kv/{key}"), value),
        (System::Paxos, Kind::Get) => (format!("GET /kv/{key}?read={read}"), String::new()),
        (System::Etcd, Kind::Put) => {
            let (key, value) = (base64(key.as_bytes()), base64(value.as_bytes()));
            ("POST /v3/kv/put".to_owned(), format!(r#"{{"key":"{key}","value":"{value}"}}"#))
        }
        (System::Etcd, Kind::Get) => {
            ("POST /v3/kv/range".to_owned(), format!(r#"{{"key":"{}"}}"#, base64(key.as_bytes())))
        }
    };
    format!("{first} HTTP/1.1\r\nhost: n\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Reads one whole answer; whether it is a 200.
async fn answered(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await.unwrap() == 0 {
            return false;
        }
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1).map(|rest| rest.split("\r\n").next().unwrap());
        let complete = match length {
            Some(length) => buffer.len() >= head + 4 + length.parse::<usize>().unwrap(),
            None => buffer.ends_with(b"0\r\n\r\n"),
        };
        if complete {
            return buffer.starts_with(b"HTTP/1.1 200");
        }
    }
}

async fn client(
    (system, kind, read): (System, Kind, String),
    address: SocketAddr,
    number: u64,
    until: Instant,
) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut buffer, mut took) = (Vec::new(), Vec::new());
    let mut key = number;
    loop {
        let begun = Instant::now();
        if begun >= until {
            return took;
        }
        key = (key * 31 + 17) % KEYS;
        stream.write_all(&request(system, kind, &read, key)).await.unwrap();
        assert!(answered(&mut stream, &mut buffer).await, "{}", String::from_utf8_lossy(&buffer));
        took.push(begun.elapsed());
    }
}

/// Operations a second, and the 99th percentile of what they took.
async fn measure(cluster: &Cluster, kind: Kind, clients: usize, arguments: &Arguments) -> (f64, Duration) {
    let until = Instant::now() + Duration::from_secs_f64(arguments.seconds);
    let what = (cluster.system, kind, arguments.read.clone());
    let begin = |number: usize| {
        tokio::spawn(client(what.clone(), cluster.addresses[number % 3], number as u64, until))
    };
    let tasks: Vec<_> = (0..clients).map(begin).collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.unwrap());
    }
    took.sort_unstable();
    (took.len() as f64 / arguments.seconds, took[took.len() * 99 / 100])
}

async fn fill(cluster: &Cluster) {
    let begun = Instant::now();
    let mut buffer = Vec::new();
    'serving: loop {
        assert!(begun.elapsed() < Duration::from_secs(20), "the cluster does not serve");
        tokio::time::sleep(Duration::from_millis(100)).await;
        for &address in &cluster.addresses {
            let Ok(mut stream) = TcpStream::connect(address).await else { continue 'serving };
            stream.write_all(&request(cluster.system, Kind::Put, "", 0)).await.unwrap();
            if !answered(&mut stream, &mut buffer).await {
                continue 'serving;
            }
        }
        break;
    }
    let mut stream = TcpStream::connect(cluster.addresses[0]).await.unwrap();
    for key in 0..KEYS {
        stream.write_all(&request(cluster.system, Kind::Put, "", key)).await.unwrap();
        assert!(answered(&mut stream, &mut buffer).await);
    }
}

fn median<T: PartialOrd + Copy>(values: &mut [T]) -> T {
    values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments = Arguments::parse();
    let systems =
        if arguments.etcd.is_some() { vec![System::Paxos, System::Etcd] } else { vec![System::Paxos] };
    let cells: Vec<_> =
        arguments.clients.iter().flat_map(|&clients| [(Kind::Put, clients), (Kind::Get, clients)]).collect();
    let mut seen = vec![vec![(Vec::new(), Vec::new()); cells.len()]; systems.len()];
    for _ in 0..arguments.rounds {
        for (system, seen) in systems.iter().zip(&mut seen) {
            let cluster = Cluster::start(*system, &arguments);
            fill(&cluster).await;
            for (&(kind, clients), (rates, tails)) in cells.iter().zip(seen) {
                let (rate, tail) = measure(&cluster, kind, clients, &arguments).await;
                rates.push(rate);
                tails.push(tail);
            }
        }
    }
    println!(
        "| operation | clients | system | /s | p99 ms | times the last system |\n|---|---|---|---|---|---|"
    );
    for (place, (kind, clients)) in cells.iter().enumerate() {
        let medians: Vec<_> =
            seen.iter_mut().map(|it| (median(&mut it[place].0), median(&mut it[place].1))).collect();
        let last = medians.last().unwrap().0;
        for (system, (rate, tail)) in systems.iter().zip(&medians) {
            let tail = tail.as_secs_f64() * 1e3;
            println!("| {kind:?} | {clients} | {system:?} | {rate:.0} | {tail:.2} | {:.1} |", rate / last);
        }
    }
}
