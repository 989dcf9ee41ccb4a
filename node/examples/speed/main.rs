//! Throughput of three nodes beside a three-node etcd under the same client.
//!
//! Closed-loop clients use HTTP/1.1, or gRPC, which is etcd's own protocol.
//!
//! `cargo build --release -p node && cargo run --release -p node --example speed -- --etcd /path/to/etcd`

#![allow(clippy::unwrap_used, reason = "a broken assumption should end a measurement")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this program measures processes")]

mod grpc;

use clap::Parser;
use node::config::{Member, NodeConfig, PaxosOptions, Role};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Measures puts and linearizable reads of three nodes, and of three nodes of etcd.
#[derive(Parser)]
struct Arguments {
    /// The program `etcd`; without it only our own nodes are measured.
    #[arg(long)]
    etcd: Option<PathBuf>,
    /// The folder of the nodes' data, on the disk to measure.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Closed-loop clients; one measurement for each number.
    #[arg(long, value_delimiter = ',', default_value = "1,64,256")]
    clients: Vec<usize>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Number of rounds; the systems take turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Read mode of our nodes: log, quorum, lease or local.
    #[arg(long, default_value = "log")]
    read: String,
    /// The operations to measure.
    #[arg(long, value_delimiter = ',', default_value = "put,get")]
    operations: Vec<Kind>,
    /// The program of our nodes, to compare two builds; the one beside this program if not given.
    #[arg(long)]
    node: Option<PathBuf>,
}

/// The system and its protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum System {
    Paxos,
    EtcdHttp,
    EtcdGrpc,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
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

fn address(system: System, index: u8, port: u16) -> SocketAddr {
    let network = if system == System::Paxos { 77 } else { 78 };
    SocketAddr::from(([127, 9, network, index], port))
}

impl Cluster {
    fn start(system: System, arguments: &Arguments) -> Self {
        let folder = tempfile::tempdir_in(&arguments.folder).unwrap();
        let addresses: Vec<_> = (1..=3).map(|index| address(system, index, PORT)).collect();
        let children = (1..=3).map(|index| match system {
            System::Paxos => node(folder.path(), &addresses, index, arguments.node.as_deref()),
            System::EtcdHttp | System::EtcdGrpc => {
                etcd(folder.path(), arguments.etcd.as_ref().unwrap(), index)
            }
        });
        Self { system, children: children.collect(), addresses, _folder: folder }
    }

    /// Whether all its processes run.
    ///
    /// A node whose port is in use has ended, and another program serves there.
    fn lives(&mut self) -> bool {
        self.children.iter_mut().all(|child| child.try_wait().unwrap().is_none())
    }

    /// Processor time of all nodes together, in seconds.
    fn processor_seconds(&self) -> f64 {
        self.children.iter().map(|child| processor_seconds(child.id())).sum()
    }
}

/// Processor time of a process, in seconds.
fn processor_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

fn node(folder: &Path, addresses: &[SocketAddr], index: u8, program: Option<&Path>) -> Child {
    let member = |(number, &address): (usize, &SocketAddr)| Member {
        name: format!("n{}", number + 1),
        address,
        roles: [Role::Replica, Role::Leader, Role::Acceptor].into(),
    };
    let config = NodeConfig {
        name: format!("n{index}"),
        listen: addresses[usize::from(index) - 1],
        data: folder.join(format!("n{index}")),
        clock: None,
        trace: None,
        seed: u64::from(index),
        enclosed: false,
        secret: None,
        members: addresses.iter().enumerate().map(member).collect(),
        routes: std::collections::BTreeMap::new(),
        join: false,
        join_after: None,
        hosts: Vec::new(),
        paxos: PaxosOptions::default(),
    };
    let path = folder.join(format!("n{index}.json"));
    std::fs::write(&path, serde_json::to_vec(&config).unwrap()).unwrap();
    let beside = std::env::current_exe().unwrap().parent().unwrap().join("../node");
    Command::new(program.unwrap_or(&beside)).arg("--config").arg(path).stdout(Stdio::null()).spawn().unwrap()
}

fn etcd(folder: &Path, program: &Path, index: u8) -> Child {
    let url = |index, port| format!("http://{}", address(System::EtcdHttp, index, port));
    let peers: Vec<_> = (1..=3).map(|index| format!("e{index}={}", url(index, PORT + 1))).collect();
    let (client, peer) = (url(index, PORT), url(index, PORT + 1));
    Command::new(program)
        .args(["--name", &format!("e{index}"), "--logger", "zap", "--log-level", "error"])
        .arg("--data-dir")
        .arg(folder.join(format!("e{index}")))
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
            (0..3).fold(0_usize, |word, index| word << 8 | usize::from(*chunk.get(index).unwrap_or(&0)));
        for index in 0..4 {
            let letter = char::from(LETTERS[word >> (18 - 6 * index) & 63]);
            text.push(if index <= chunk.len() { letter } else { '=' });
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
        (System::EtcdHttp, Kind::Put) => {
            let (key, value) = (base64(key.as_bytes()), base64(value.as_bytes()));
            ("POST /v3/kv/put".to_owned(), format!(r#"{{"key":"{key}","value":"{value}"}}"#))
        }
        (System::EtcdHttp, Kind::Get) => {
            ("POST /v3/kv/range".to_owned(), format!(r#"{{"key":"{}"}}"#, base64(key.as_bytes())))
        }
        (System::EtcdGrpc, Kind::Put) => return grpc::put(key.as_bytes(), value.as_bytes()),
        (System::EtcdGrpc, Kind::Get) => return grpc::range(key.as_bytes()),
    };
    format!("{first} HTTP/1.1\r\nhost: n1\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The offset of the body, and its length if the head contains it.
fn body(answer: &[u8]) -> Option<(usize, Option<usize>)> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let length = answer[..head].split(|&byte| byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(15)?;
        name.eq_ignore_ascii_case(b"content-length:").then(|| std::str::from_utf8(value).unwrap().trim())
    });
    Some((head + 4, length.map(|length| length.parse().unwrap())))
}

/// A client: a connection and its state.
struct Client {
    stream: TcpStream,
    key: usize,
    begun: Instant,
    /// Received bytes not yet processed.
    answer: Vec<u8>,
    /// Only with gRPC.
    grpc: Option<grpc::Connection>,
}

impl Client {
    fn connect(system: System, address: SocketAddr, number: usize) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let grpc = (system == System::EtcdGrpc).then(grpc::Connection::new);
        Ok(Self { stream, key: number, begun: Instant::now(), answer: Vec::with_capacity(4096), grpc })
    }

    fn ask(&mut self, requests: &[Vec<u8>], now: Instant) {
        // A step without a common divisor visits every key.
        self.key = (self.key + 317) % requests.len();
        self.begun = now;
        let request = &requests[self.key];
        if let Some(grpc) = &mut self.grpc {
            grpc.ask(request);
            send(&mut self.stream, &grpc.out);
            grpc.out.clear();
        } else {
            self.answer.clear();
            send(&mut self.stream, request);
        }
    }

    /// Reads the available bytes; returns whether the answer is good once it is complete.
    fn read(&mut self) -> Option<bool> {
        let mut some = [0; 4096];
        match self.stream.read(&mut some) {
            Ok(0) => return Some(false),
            Ok(count) => self.answer.extend_from_slice(&some[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => panic!("{error}"),
        }
        let Some(grpc) = &mut self.grpc else { return self.completed() };
        let good = grpc.read(&mut self.answer);
        // A window update travels with the next request, unless that is not due.
        if good.is_none() && !grpc.out.is_empty() {
            send(&mut self.stream, &grpc.out);
            grpc.out.clear();
        }
        good
    }

    /// Whether an answer over HTTP/1.1 is 200, once it is complete.
    fn completed(&self) -> Option<bool> {
        let (begin, length) = body(&self.answer)?;
        let complete = match length {
            Some(length) => self.answer.len() >= begin + length,
            None => self.answer.ends_with(b"0\r\n\r\n"),
        };
        complete.then(|| self.answer.starts_with(b"HTTP/1.1 200"))
    }

    /// Sends a request and waits; returns whether a good answer arrived in time.
    fn gets(&mut self, requests: &[Vec<u8>], within: Duration) -> bool {
        self.stream.set_nonblocking(false).unwrap();
        self.stream.set_read_timeout(Some(within)).unwrap();
        self.ask(requests, Instant::now());
        loop {
            match self.read() {
                Some(good) => return good,
                None if self.begun.elapsed() >= within => return false,
                None => {}
            }
        }
    }
}

/// Sends all bytes at once: they fit into the empty buffer of a socket.
fn send(stream: &mut TcpStream, bytes: &[u8]) {
    assert_eq!(stream.write(bytes).unwrap(), bytes.len());
}

/// Drives `clients` clients until a time; returns the latency of each request.
fn drive(cluster: &Cluster, requests: &[Vec<u8>], clients: usize, until: Instant) -> Vec<Duration> {
    let of = |number: usize| {
        Client::connect(cluster.system, cluster.addresses[number % cluster.addresses.len()], number)
    };
    let mut clients: Vec<_> = (0..clients).map(|number| of(number).unwrap()).collect();
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    for (number, client) in clients.iter_mut().enumerate() {
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&poll, &client.stream, data, epoll::EventFlags::IN).unwrap();
        client.ask(requests, Instant::now());
    }
    let (mut took, mut busy) = (Vec::new(), clients.len());
    let mut events = Vec::with_capacity(clients.len());
    while busy > 0 {
        events.clear();
        epoll::wait(&poll, spare_capacity(&mut events), None).unwrap();
        for event in &events {
            let client = &mut clients[usize::try_from(event.data.u64()).unwrap()];
            let Some(good) = client.read() else { continue };
            assert!(good, "{}", client.answer.escape_ascii());
            let now = Instant::now();
            took.push(now - client.begun);
            if now < until {
                client.ask(requests, now);
            } else {
                busy -= 1;
            }
        }
    }
    took
}

/// The results of a measurement.
#[derive(Clone, Copy)]
struct Measured {
    /// Operations per second.
    rate: f64,
    /// The 50th and the 99th percentile of the latency, in milliseconds.
    p50: f64,
    p99: f64,
    /// Processor time of the nodes, and of the clients, per operation in microseconds.
    nodes: f64,
    clients: f64,
}

fn measure(cluster: &Cluster, kind: Kind, clients: usize, arguments: &Arguments) -> Measured {
    let requests: Vec<_> = (0..KEYS).map(|key| request(cluster.system, kind, &arguments.read, key)).collect();
    let (nodes, own) = (cluster.processor_seconds(), processor_seconds(std::process::id()));
    let until = Instant::now() + Duration::from_secs_f64(arguments.seconds);
    let mut took = drive(cluster, &requests, clients, until);
    let each = 1e6 / took.len() as f64;
    let nodes = (cluster.processor_seconds() - nodes) * each;
    let clients = (processor_seconds(std::process::id()) - own) * each;
    took.sort_unstable();
    let at = |percent: usize| took[took.len() * percent / 100].as_secs_f64() * 1e3;
    Measured { rate: took.len() as f64 / arguments.seconds, p50: at(50), p99: at(99), nodes, clients }
}

/// Waits until each node has answered a put, then puts every key.
fn fill(cluster: &Cluster) {
    let begun = Instant::now();
    let serves = |&address: &SocketAddr| {
        let Ok(mut client) = Client::connect(cluster.system, address, 0) else { return false };
        client.gets(&[request(cluster.system, Kind::Put, "", 0)], Duration::from_secs(1))
    };
    while !cluster.addresses.iter().all(serves) {
        assert!(begun.elapsed() < Duration::from_secs(20), "the cluster does not serve");
        std::thread::sleep(Duration::from_millis(100));
    }
    let requests: Vec<_> = (0..KEYS).map(|key| request(cluster.system, Kind::Put, "", key)).collect();
    let mut client = Client::connect(cluster.system, cluster.addresses[0], 0).unwrap();
    for _ in 0..KEYS {
        assert!(client.gets(&requests, Duration::from_secs(20)), "{}", client.answer.escape_ascii());
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let arguments = Arguments::parse();
    let mut systems = vec![System::Paxos];
    if arguments.etcd.is_some() {
        systems.extend([System::EtcdHttp, System::EtcdGrpc]);
    }
    let kinds = |&clients: &usize| arguments.operations.iter().map(move |&kind| (kind, clients));
    let cells: Vec<_> = arguments.clients.iter().flat_map(kinds).collect();
    let mut seen = vec![vec![Vec::new(); cells.len()]; systems.len()];
    for _ in 0..arguments.rounds {
        for (system, seen) in systems.iter().zip(&mut seen) {
            let mut cluster = Cluster::start(*system, &arguments);
            fill(&cluster);
            assert!(cluster.lives(), "a node of {system:?} ended: is another measurement running?");
            for (&(kind, clients), seen) in cells.iter().zip(seen) {
                seen.push(measure(&cluster, kind, clients, &arguments));
            }
        }
    }
    println!(
        "| operation | clients | system | /s | p50 ms | p99 ms | CPU each, µs: nodes | clients | times etcd over HTTP |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (index, (kind, clients)) in cells.iter().enumerate() {
        let of =
            |seen: &[Vec<Measured>], metric: fn(&Measured) -> f64| median(seen[index].iter().map(metric));
        let http = systems.iter().position(|&system| system == System::EtcdHttp);
        let http = http.map(|index| of(&seen[index], |it| it.rate));
        for (system, seen) in systems.iter().zip(&seen) {
            let rate = of(seen, |it| it.rate);
            let (p50, p99) = (of(seen, |it| it.p50), of(seen, |it| it.p99));
            let (nodes, own) = (of(seen, |it| it.nodes), of(seen, |it| it.clients));
            let times = http.map_or_else(|| "-".to_owned(), |http| format!("{:.1}", rate / http));
            println!(
                "| {kind:?} | {clients} | {system:?} | {rate:.0} | {p50:.2} | {p99:.2} | {nodes:.1} | {own:.1} | {times} |"
            );
        }
    }
}
