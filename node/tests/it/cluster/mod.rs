//! Real node processes for tests: starts, requests, kills and loads, on their own loopback network.

use node::config::{Member, NodeConfig, PaxosOptions, Role, Secret};
use node::status::Status;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A unique loopback network for each cluster of each test process, so that no port is ever in use.
fn network() -> [u8; 3] {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [high, low, ..] = std::process::id().to_be_bytes()[2..] else { unreachable!("a u32 has four bytes") };
    [127, 1 + high % 250, low.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(37))]
}

/// Real node processes on loopback, killed when it is dropped.
pub(crate) struct Cluster {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) members: Vec<Member>,
    pub(crate) nodes: Vec<Option<Child>>,
    pub(crate) paxos: PaxosOptions,
    /// Nodes from this index on are not initial members.
    pub(crate) joins: usize,
    pub(crate) secret: Option<Secret>,
    /// Limit of open files of the nodes; that of this process when left out.
    pub(crate) descriptors: Option<u64>,
}

impl Cluster {
    pub(crate) fn new(size: u8) -> Self {
        let [a, b, c] = network();
        let member = |index: u8| Member {
            name: format!("n{index}"),
            address: SocketAddr::new(IpAddr::from([a, b, c, index]), 7000),
            roles: [Role::Replica, Role::Leader, Role::Acceptor].into(),
        };
        let members: Vec<_> = (1..=size).map(member).collect();
        Self {
            folder: tempfile::tempdir().unwrap(),
            nodes: members.iter().map(|_| None).collect(),
            members,
            paxos: PaxosOptions::default(),
            joins: usize::MAX,
            secret: None,
            descriptors: None,
        }
    }

    pub(crate) fn started(size: u8) -> Self {
        Self::started_with(size, PaxosOptions::default())
    }

    pub(crate) fn started_with(size: u8, paxos: PaxosOptions) -> Self {
        let mut cluster = Self::new(size);
        cluster.paxos = paxos;
        for index in 0..usize::from(size) {
            cluster.start(index);
        }
        cluster
    }

    pub(crate) fn data(&self, index: usize) -> PathBuf {
        self.folder.path().join(&self.members[index].name)
    }

    pub(crate) fn command(&self, index: usize) -> Command {
        let Member { name, address, .. } = self.members[index].clone();
        let config = NodeConfig {
            listen: address,
            enclosed: false,
            secret: self.secret.clone(),
            data: self.data(index),
            clock: None,
            trace: None,
            seed: index as u64,
            members: self.members[..self.members.len().min(self.joins)].to_vec(),
            routes: BTreeMap::new(),
            join: index >= self.joins,
            join_after: None,
            hosts: Vec::new(),
            paxos: self.paxos.clone(),
            name,
        };
        let path = self.folder.path().join(format!("{}.json", config.name));
        std::fs::write(&path, serde_json::to_vec(&config).unwrap()).unwrap();
        let program = env!("CARGO_BIN_EXE_node");
        let mut command = Command::new(program);
        if let Some(descriptors) = self.descriptors {
            command = Command::new("sh");
            command.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\""), program]);
        }
        command.arg("--config").arg(path).args(["--parent", &std::process::id().to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&mut self, index: usize) {
        self.nodes[index] = Some(self.command(index).spawn().unwrap());
        self.eventually("listens", |cluster| cluster.ask(index, "GET", "/status", "").is_some());
    }

    pub(crate) fn kill(&mut self, index: usize) {
        let mut node = self.nodes[index].take().unwrap();
        node.kill().unwrap();
        node.wait().unwrap();
    }

    /// Starts a node that should refuse to start, and returns its output.
    pub(crate) fn refused(&self, index: usize) -> Output {
        let mut child = self.command(index).spawn().unwrap();
        let _open = child.stdin.take();
        child.wait_with_output().unwrap()
    }

    /// Sends one request; none if no node listens.
    pub(crate) fn ask(&self, index: usize, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.members[index].address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    pub(crate) fn put(&self, index: usize, key: &str, value: &str) {
        let (status, body) = self.ask(index, "PUT", &format!("/kv/{key}"), value).unwrap();
        assert_eq!(status, 200, "{body}");
    }

    pub(crate) fn status(&self, index: usize) -> Status {
        serde_json::from_str(&self.ask(index, "GET", "/status", "").unwrap().1).unwrap()
    }

    pub(crate) fn eventually(&self, condition_name: &str, condition: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{condition_name}: not after 30 s");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in self.nodes.iter_mut().flatten() {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

/// The sequence numbers of all clients of all tests, which rise for each client.
static SEQUENCE: AtomicU64 = AtomicU64::new(1);

/// Puts many values over several connections at once; returns when all are acknowledged.
///
/// The clients have fixed names, so that the table of clients does not grow from round to round.
pub(crate) fn put_many(address: SocketAddr, clients: usize, each: usize, bytes: usize) {
    let client = |client: usize| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let value = "v".repeat(bytes);
        let mut answer = [0; 1024];
        for count in 0..each {
            let request = format!(
                "PUT /kv/{client}-{} HTTP/1.1\r\nhost: localhost\r\nx-client-id: c{client}\r\nx-sequence: {}\r\n\
                 content-length: {bytes}\r\n\r\n{value}",
                count % 100,
                SEQUENCE.fetch_add(1, Ordering::Relaxed)
            );
            stream.write_all(request.as_bytes()).unwrap();
            let read = stream.read(&mut answer).unwrap();
            assert!(
                answer[..read].starts_with(b"HTTP/1.1 200"),
                "{}",
                String::from_utf8_lossy(&answer[..read])
            );
        }
    };
    std::thread::scope(|scope| {
        (0..clients).for_each(|number| drop(scope.spawn(move || client(number))));
    });
}

pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
}

pub(crate) fn resident_bytes(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

pub(crate) fn small(keep_bytes: u64, snapshot_bytes: u64) -> PaxosOptions {
    PaxosOptions { keep_bytes, snapshot_bytes, ..PaxosOptions::default() }
}
