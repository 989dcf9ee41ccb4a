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
    /// This node's name; `members` must contain it unless the node is to `join`.
    pub name: String,
    /// Address to listen on; normally loopback.
    pub listen: SocketAddr,
    /// Whether that address is in an enclosed network like loopback: the network of a lab.
    #[serde(default)]
    pub enclosed: bool,
    /// The secret by which nodes prove their membership: equal on all nodes, unique to the cluster.
    ///
    /// Default: the environment's `BENCH_SECRET`. A node without a secret listens on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Folder of its log; created if missing.
    pub data: PathBuf,
    /// A file through which the bench shifts this node's [`WallClock`](crate::clock::WallClock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<PathBuf>,
    /// A file for the node's [trace](crate::trace), to which each process appends; none if it writes no trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<PathBuf>,
    /// Seed of its backoff jitter.
    pub seed: u64,
    /// Every initial node of the cluster, in the same order everywhere.
    ///
    /// The addresses are those at which *this* node reaches them: a proxy's, if the bench runs one between
    /// them.
    pub members: Vec<Member>,
    /// Addresses at which this node reaches later members, if they differ from those in the membership.
    #[serde(default)]
    pub routes: BTreeMap<String, SocketAddr>,
    /// Whether this node is not an initial member and waits until the cluster adds it (`POST /config`).
    #[serde(default)]
    pub join: bool,
    /// For a former member that joins again without its data: the version of the configuration without it.
    ///
    /// Members that are behind still know its earlier life, which it must not resume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_after: Option<u64>,
    /// Further names of this node in the `Host` header of clients' requests.
    ///
    /// Members' names, addresses and `localhost` are always allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// The options of the protocol.
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

/// The shared secret of a cluster's nodes, which is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Shortest length of a secret, in bytes.
    const BYTES_MIN: usize = 16;

    /// A secret with this text.
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

    /// Checks the secret; the error begins with the option's name.
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
    /// Its address.
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
    /// The wait of a preempted leader before it tries again.
    pub backoff: Backoff,
    /// WINDOW of the paper: the number of slots that may be proposed beyond the last applied one.
    ///
    /// A reconfiguration takes effect after the same number of slots. It is the same on every node, for the
    /// life of the cluster; otherwise nodes refuse each other.
    #[schemars(range(min = 1, max = WINDOW_MAX))]
    pub window: u64,
    /// How reads are answered by default.
    pub read: Read,
    /// The options of leases for reads.
    pub lease: Lease,
    /// Known bugs to switch on, by name; for testing the bench itself.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(extend("title" = "one name or a list of names"))]
    pub flaw: Vec<Flaw>,
    /// Interval at which unanswered messages are sent again.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("exclusiveMinimum" = "0s"))]
    pub resend: Duration,
    /// `monitor`: interval of pings to the active leader.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("exclusiveMinimum" = "0s"))]
    pub ping: Duration,
    /// `monitor`: the longest silence of the active leader before another leader preempts it.
    ///
    /// Slow or uneven answers extend it up to four times. A broken connection shortens it to two pings.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("exclusiveMinimum" = "0s"))]
    pub patience: Duration,
    /// Bytes of decided commands that a replica retains, for lagging replicas and for `/decisions`.
    ///
    /// A replica that needs older ones gets its state instead.
    pub keep_bytes: u64,
    /// Bytes of log after which a node takes a snapshot, and removes the segments that it replaces.
    #[schemars(range(min = 1))]
    pub snapshot_bytes: u64,
    /// Longest time for which a client's command may stay undecided before the node answers "unknown".
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
    /// Checks the values; the error begins with the option's name.
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

/// The wait of a preempted leader before its next scout.
///
/// Fields that a policy does not use keep their defaults.
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
    /// Whether the wait is drawn uniformly from half of it to all of it.
    pub jitter: bool,
    /// `aimd`, `paxosmmc`: factor of the wait after a preemption.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub factor: f64,
    /// `aimd`, `paxosmmc`: amount by which an adoption reduces the wait.
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
    /// Like `aimd`, but multiply only when preempted by a leader of higher identity.
    ///
    /// The policy of paxosmmc's `code/backoff`, which also waits after every other message.
    Paxosmmc,
}

/// The way in which a replica answers a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Read {
    /// Through a slot of its own, like any command. Linearizable.
    Log,
    /// From the replica's own state, after a round of requests to a quorum of acceptors (section 4.5).
    ///
    /// The replica answers once it has applied every slot that a majority of acceptors had accepted when the
    /// read arrived. Linearizable, without a write.
    Quorum,
    /// From the replica's own state, if the leader on its node holds a lease (section 4.5).
    ///
    /// The replica answers once it has applied every possibly decided slot. Without a lease it reads like
    /// `quorum`. Linearizable while clocks respect the bound on their drift.
    Lease,
    /// From the replica's own state. Stale by design; the bench must detect it.
    Local,
}

/// The duration of a leader's lease for reads, and the bound on the drift of clocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Lease {
    /// Duration of a lease. It is renewed while reads arrive, and a new leader waits for its end.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("exclusiveMinimum" = "0s"))]
    pub time: Duration,
    /// Largest relative deviation of a node's clock speed from true time.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub drift: f64,
}

impl Default for Lease {
    fn default() -> Self {
        Self { time: Duration::from_millis(100), drift: 0.01 }
    }
}

impl Lease {
    /// Time, by its own clock, for which an acceptor supports no other leader.
    ///
    /// Long enough for the lease to have ended by any clock.
    pub fn granted(self) -> Duration {
        // The rounding error is far below the added microsecond.
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
