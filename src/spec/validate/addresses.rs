//! Checks of a cluster of servers that already run: what the bench cannot do to them is refused.

use crate::failure::Failure;
use crate::spec::Experiment;
use crate::spec::sections::Cluster;
use crate::systems::{remote, words};
use nemesis::{Disk, Network};
use workloads::{LoadSpec, Workload};

/// Keys of `[cluster]` about nodes that the bench starts itself. From the file of a system they are taken no notice of.
const OF_STARTED: [&str; 30] = [
    "hosts",
    "ssh",
    "program",
    "args",
    "more-args",
    "env",
    "ports",
    "prepare",
    "setup",
    "start",
    "ready",
    "restart",
    "restart-limit",
    "stop-signal",
    "user",
    "file",
    "process",
    "nodes",
    "spares",
    "roles",
    "disk-model",
    "base-port",
    "tcp-rto-max",
    "pcap",
    "logs",
    "links",
    "invariants",
    "paxos",
    "members",
    "version",
];

/// Everything about servers that already run.
pub(super) fn check(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    let complain = |key: &str, what: &str| Err(experiment.complaint(key, what));
    if let Some(key) = OF_STARTED.into_iter().find(|key| experiment.has_key(key)) {
        let what = "it is about nodes that the bench starts, and those at `addresses` run already; remove one of the two";
        return complain(&format!("cluster.{key}"), what);
    }
    if cluster.network != Network::Host {
        let what =
            "nothing of the bench is between servers that already run; remove it, or use network = \"host\"";
        return complain("cluster.network", what);
    }
    if cluster.disk == Disk::Memory {
        return complain("cluster.disk", "servers that already run have their own disks; remove it");
    }
    for (number, address) in (1..).zip(&cluster.addresses) {
        let found = remote::resolve(address)
            .map_err(|reason| experiment.complaint(&format!("cluster.addresses.{number}"), &reason))?;
        let same = cluster.addresses[..number - 1].iter().any(|other| remote::resolve(other) == Ok(found));
        if same {
            return complain(&format!("cluster.addresses.{number}"), "it is in the list twice; remove one");
        }
    }
    if let Some((key, word)) = remote::unknown_word(&cluster.commands) {
        let what = format!("there is no {{{word}}}; it could be {}", remote::WORDS);
        return complain(&format!("cluster.commands.{key}"), &what);
    }
    if let Some((key, name)) = remote::unset_variable(&cluster.commands) {
        return complain(&format!("cluster.commands.{key}"), &words::not_set(&name));
    }
    let check = &experiment.spec.check;
    for (key, patterns) in [("never", &check.never), ("sometimes", &check.sometimes)] {
        if !patterns.is_empty() {
            let what = "the logs of servers that already run are not read; remove it";
            return complain(&format!("check.{key}"), what);
        }
    }
    let workload = experiment.spec.load.workload;
    if !matches!(workload, Workload::Register | Workload::Kv | Workload::Queue) {
        let what = format!(
            "servers that already run may hold what earlier runs have left, and only the keys of register, kv and queue can be \
             kept apart from that, not those of {workload}; use one of the three"
        );
        return complain("load.workload", &what);
    }
    queue_is_named(experiment)
}

/// Refuses a queue that is the only one of its server: elements of earlier runs would come out of it.
fn queue_is_named(experiment: &Experiment) -> Result<(), Failure> {
    let load = &experiment.spec.load;
    let Some(client) = experiment.spec.client.as_ref().filter(|_| load.workload == Workload::Queue) else {
        return Ok(());
    };
    let two = LoadSpec { keys: load.keys.max(2), ..load.clone() };
    if client.check(load).is_ok() && client.check(&two).is_err() {
        let what = "the queue of servers that already run may hold what earlier runs have left, so each run needs queues of its \
                    own; put {key} into enqueue and dequeue";
        return Err(experiment.complaint("client", what));
    }
    Ok(())
}
