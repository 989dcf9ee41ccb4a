//! Checks of a cluster on many machines: what the bench cannot do there is refused.

use crate::failure::Failure;
use crate::spec::Experiment;
use crate::spec::hosts::HostEntry;
use crate::spec::sections::Cluster;
use nemesis::{Disk, Links, Network};

/// The beginning of the path of a log that the bench can copy from a host.
const DATA: &str = "{data}/";

/// Everything about nodes on hosts.
pub(super) fn check(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    let complain = |key: &str, what: &str| Err(experiment.complaint(&format!("cluster.{key}"), what));
    if cluster.hosts.is_empty() {
        if !cluster.ssh.is_empty() {
            return complain("ssh", "it is for nodes on other machines; name these with hosts, or remove it");
        }
        return Ok(());
    }
    if cluster.network != Network::Auto {
        let what = "nodes on hosts have the network of the hosts; remove it, or remove `hosts`";
        return complain("network", what);
    }
    if cluster.disk == Disk::Memory {
        return complain("disk", "nodes on hosts have the disks of the hosts; remove it, or remove `hosts`");
    }
    if cluster.spares > 0 {
        return complain("spares", "the members on hosts do not change; remove it, or remove `hosts`");
    }
    if cluster.links != Links::default() {
        let what = "links between hosts have the delay of their network; remove it, or use a fault of kind \"delay\"";
        return complain("links", what);
    }
    if cluster.tcp_rto_max.is_some() {
        return complain("tcp-rto-max", "it needs a lab; remove it, or remove `hosts`");
    }
    if cluster.user.is_some() {
        return complain(
            "user",
            "nodes on hosts run as the user of ssh; remove it, and name the user in `hosts`",
        );
    }
    let flaws = "a node with flaws listens on loopback or in a lab only; remove `hosts`";
    let traces = "nodes on hosts leave no traces on this machine; remove it, or remove `hosts`";
    for (key, is_set, what) in
        [("paxos.flaw", !cluster.paxos.flaw.is_empty(), flaws), ("invariants", cluster.invariants, traces)]
    {
        if is_set {
            return complain(key, what);
        }
    }
    let (nodes, hosts) = (cluster.planned_nodes().len(), cluster.hosts.len());
    if nodes != hosts {
        let hosts =
            if hosts == 1 { "there is 1 host".to_owned() } else { format!("there are {hosts} hosts") };
        let what = format!("{hosts} for {nodes} nodes; each node needs a host of its own");
        return complain("hosts", &what);
    }
    for (number, host) in (1..).zip(&cluster.hosts) {
        let key = format!("hosts.{number}");
        if host.ssh.is_empty() || host.ssh.starts_with('-') || host.ssh.contains(char::is_whitespace) {
            return complain(&key, "it is no destination for ssh, such as \"user@host\"");
        }
        let same = |other: &HostEntry| {
            other.ssh == host.ssh || host.address.is_some() && other.address == host.address
        };
        if cluster.hosts[..number - 1].iter().any(same) {
            return complain(&key, "it is in the list twice; each node needs a host of its own");
        }
    }
    if let Some((number, _)) = (1..).zip(&cluster.logs).find(|(_, log)| !log.starts_with(DATA)) {
        let what = "the bench copies only logs in the folder of a node from its host; begin it with {data}/";
        return complain(&format!("logs.{number}"), what);
    }
    let ready = cluster.ready.as_ref().is_some_and(|ready| !ready.exec.is_empty());
    let words = cluster.setup.iter().chain(cluster.ready.iter().flat_map(|ready| &ready.exec));
    if words.clone().any(|word| word.contains("{data}")) {
        let what = "it runs on this machine, where {data} of a node on a host does not exist; remove {data}";
        return complain(if ready { "ready.exec" } else { "setup" }, what);
    }
    Ok(())
}
