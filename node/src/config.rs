//! The configuration of a node: its name, the other members, and the options of the protocol.

#![allow(clippy::disallowed_methods, reason = "a configuration is read before the node begins")]

use crate::flaw::Flaw;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The configuration file of one node process (JSON), as `bench node --config FILE` reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NodeConfig {
    /// This node's name; it must stand in `members`, unless it is to `join`.
    pub name: String,
    /// Address to listen on; normally loopback.
    pub listen: SocketAddr,
    /// Whether that address is in a network which nothing outside can reach, as loopback is: a lab's.
    #[serde(default)]
    pub enclosed: bool,
    /// What proves to the other members that a node is one of them: the same on every node of a cluster, and on no other. Without it
    /// the environment's `BENCH_SECRET` is taken; a node that has neither listens on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Folder of its log; made if it is not there.
    pub data: PathBuf,
    /// A file by which the bench shifts this node's wall clock, as [`WallClock`](crate::clock::WallClock) reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<PathBuf>,
    /// Seed of its backoff jitter.
    pub seed: u64,
    /// Every node that the cluster began with, in the same order everywhere, with the addresses at which *this* node
    /// reaches them (a proxy's, where the bench has put one in between).
    pub members: Vec<Member>,
    /// Where this node reaches others that may be added later, if not at the address that they are added with.
    #[serde(default)]
    pub routes: BTreeMap<String, SocketAddr>,
    /// Whether this node is none of them, and waits until it is added to the cluster (`POST /config`).
    #[serde(default)]
    pub join: bool,
    /// A node that joins and was a member before, with a data folder that is gone: the version of the configuration without
    /// it. Members that are behind still know its earlier life, and it must not go on with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_after: Option<u64>,
    /// Names beside the members' by which clients call this node, in the `Host` of their requests; addresses and
    /// `localhost` need not be named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// How the protocol behaves.
    #[serde(default)]
    pub paxos: PaxosOptions,
}

impl NodeConfig {
    /// Reads a configuration file; the error names the file and the position in it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// What the nodes of one cluster share, and never print.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Bytes of a secret, at least.
    const BYTES_MIN: usize = 16;

    /// A secret in these words.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// A new random secret.
    pub fn random() -> Self {
        Self(
            rand::random::<[u8; 32]>().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")),
        )
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Says what is wrong with it, beginning with the option's name.
    pub fn check(&self) -> Result<(), String> {
        if self.0.len() >= Self::BYTES_MIN {
            return Ok(());
        }
        let least = Self::BYTES_MIN;
        Err(format!(
            "secret: it has fewer than {least} bytes; make one, for example with `openssl rand -hex 32`"
        ))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// One node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Member {
    /// Its name, for example `n1`.
    pub name: String,
    /// Where to reach it.
    pub address: SocketAddr,
    /// The roles it hosts.
    pub roles: BTreeSet<Role>,
}

/// A role of the paper that a node can host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Applies decided commands to its copy of the store, and answers clients.
    Replica,
    /// Proposes commands with its scouts and commanders.
    Leader,
    /// Promises ballots and accepts pvalues: the fault-tolerant memory.
    Acceptor,
}

impl Role {
    /// Its name, as in specs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Leader => "leader",
            Self::Acceptor => "acceptor",
        }
    }
}

/// The largest WINDOW.
const WINDOW_MAX: u64 = 1_000_000;

/// The options of the protocol: the section `[cluster.paxos]` of a spec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PaxosOptions {
    /// Whether leaders compete for every slot or watch the active one.
    pub leadership: Leadership,
    /// What a preempted leader does before it tries again.
    pub backoff: Backoff,
    /// WINDOW of the paper: how many slots may be proposed beyond the last applied one, and after how many a
    /// reconfiguration takes effect. The same on every node, for the life of the cluster; nodes refuse one another otherwise.
    #[schemars(range(min = 1, max = WINDOW_MAX))]
    pub window: u64,
    /// How reads are answered when the request does not say.
    pub read: Read,
    /// The leases by which reads are answered.
    pub lease: Lease,
    /// Known mistakes to make, by name; for testing the bench itself.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(extend("title" = "one name or a list of names"))]
    pub flaw: Vec<Flaw>,
    /// How often an unanswered message is sent again.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("exclusiveMinimum" = "0s"))]
    pub resend: Duration,
    /// `monitor`: how often the active leader is pinged.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("exclusiveMinimum" = "0s"))]
    pub ping: Duration,
    /// `monitor`: how long the active leader may be silent before it is preempted; up to four times as long where its answers
    /// come slowly or unevenly, and two pings where the connection from it broke.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("exclusiveMinimum" = "0s"))]
    pub patience: Duration,
    /// Bytes of decided commands that a replica keeps, for others that fall behind and for `/decisions`; it
    /// hands its state to a replica that needs older ones.
    pub keep_bytes: u64,
    /// Bytes of log after which a node takes a snapshot, and removes what the snapshot replaces.
    #[schemars(range(min = 1))]
    pub snapshot_bytes: u64,
    /// How long a client's command may stay undecided before the node answers "unknown".
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("exclusiveMinimum" = "0s"))]
    pub deadline: Duration,
}

impl Default for PaxosOptions {
    fn default() -> Self {
        Self {
            leadership: Leadership::Monitor,
            backoff: Backoff::default(),
            window: 1_000,
            read: Read::Log,
            lease: Lease::default(),
            flaw: Vec::new(),
            resend: Duration::from_millis(200),
            ping: Duration::from_millis(30),
            patience: Duration::from_millis(150),
            keep_bytes: 32 << 20,
            snapshot_bytes: 64 << 20,
            deadline: Duration::from_secs(10),
        }
    }
}

impl PaxosOptions {
    /// Says what is impossible about the values, beginning with the option's name.
    pub fn check(&self) -> Result<(), String> {
        let positive = [
            ("resend", self.resend),
            ("ping", self.ping),
            ("patience", self.patience),
            ("deadline", self.deadline),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, duration)| duration.is_zero()) {
            return Err(format!("{name}: 0 would never end; give a duration such as \"100ms\""));
        }
        if !(1..=WINDOW_MAX).contains(&self.window) {
            return Err(format!("window: {} must be from 1 to {WINDOW_MAX}", self.window));
        }
        if self.snapshot_bytes == 0 {
            return Err(
                "snapshot-bytes: 0 would take snapshots for ever; give a number of bytes such as 67108864"
                    .to_owned(),
            );
        }
        if !(1.0..=1000.0).contains(&self.backoff.factor) {
            return Err(format!("backoff.factor: {} must be from 1 to 1000", self.backoff.factor));
        }
        if self.backoff.max < self.backoff.base {
            return Err("backoff.max: it is below backoff.base".to_owned());
        }
        if self.lease.time.is_zero() {
            return Err("lease.time: 0 would be over at once; give a duration such as \"100ms\"".to_owned());
        }
        if !(0.0..=0.5).contains(&self.lease.drift) {
            return Err(format!("lease.drift: {} must be a fraction from 0 to 0.5", self.lease.drift));
        }
        if self.patience <= self.ping {
            return Err("patience: it must be longer than ping, or every answer comes too late".to_owned());
        }
        Ok(())
    }
}

/// Whether leaders compete or take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Leadership {
    /// Every leader always tries to be the active one (section 2; livelock is possible).
    Compete,
    /// A preempted leader watches the active one, and takes over when it falls silent (section 3).
    Monitor,
}

/// How long a preempted leader waits before its next scout: the policy and its numbers; fields that a policy does not use keep their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Backoff {
    /// The policy.
    pub kind: BackoffKind,
    /// First wait; only `paxosmmc` goes below it.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration")]
    pub base: Duration,
    /// Longest wait.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration")]
    pub max: Duration,
    /// Whether the wait is drawn evenly from half of it to all of it.
    pub jitter: bool,
    /// `aimd`, `paxosmmc`: what the wait is multiplied by when preempted.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub factor: f64,
    /// `aimd`, `paxosmmc`: what is subtracted when adopted.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration")]
    pub step: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            kind: BackoffKind::Exponential,
            base: Duration::from_millis(10),
            max: Duration::from_secs(2),
            jitter: true,
            factor: 2.0,
            step: Duration::from_millis(10),
        }
    }
}

/// The backoff policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackoffKind {
    /// Try again at once.
    None,
    /// `base * 2^failed_attempts`, at most `max`; the count starts again when the leader is adopted.
    Exponential,
    /// Multiply the wait by `factor` when preempted, subtract `step` when adopted.
    Aimd,
    /// The same, but multiply only when preempted by a leader of higher identity: the policy of paxosmmc's
    /// `code/backoff`, which also waits after every other message.
    Paxosmmc,
}

/// How a read is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Read {
    /// Through a slot of its own, like any command. Linearizable.
    Log,
    /// From the replica's own state, once it has applied all that a majority of acceptors had accepted when the
    /// read came (section 4.5). Linearizable, and nothing is written.
    Quorum,
    /// From the replica's own state, where the leader beside it holds a lease, once it has applied all that may be
    /// decided (section 4.5); elsewhere like `quorum`. Linearizable, as long as clocks keep to the bound on their drift.
    Lease,
    /// From the replica's own state. Stale by design; exists to be caught.
    Local,
}

/// For how long a leader may answer reads alone, and how far clocks can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Lease {
    /// How long a lease lasts. It is renewed while reads come, and a new leader waits for its end.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("exclusiveMinimum" = "0s"))]
    pub time: Duration,
    /// How much faster or slower than true time a node's clock may go, as a fraction of it.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub drift: f64,
}

impl Default for Lease {
    fn default() -> Self {
        Self { time: Duration::from_millis(100), drift: 0.01 }
    }
}

impl Lease {
    /// How long an acceptor must help no other leader, by its own clock, so that the lease has ended by any clock.
    pub fn granted(self) -> Duration {
        // What rounding takes away is far less than what is added here.
        self.time.mul_f64((1.0 + self.drift) / (1.0 - self.drift)) + Duration::from_micros(1)
    }
}

/// Accepts `flaw = "name"` and `flaw = ["name", …]`.
fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Flaw>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    let names = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(name) => vec![name],
        OneOrMany::Many(names) => names,
    };
    names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect()
}
