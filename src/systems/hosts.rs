//! Nodes on other machines: the connections to them, and the programs and files that they need there.

use super::cluster::testbed_failure;
use super::logs;
use crate::failure::Failure;
use crate::spec::Experiment;
use crate::spec::hosts::HostEntry;
use crate::spec::sections::{Cluster, PlannedNode};
use futures_util::future::join_all;
use nemesis::{
    Entry, Family, HostAddress, HostConnection, HostError, ProcessCommand, Testbed, TestbedConfig,
    TestbedError,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The configuration of a node of the own store, on its host.
pub(super) const CONFIG: &str = "config.json";

/// A host as ssh needs it.
pub(crate) fn address(entry: &HostEntry, ssh: &[String]) -> HostAddress {
    let ssh = if ssh.is_empty() { vec!["ssh".to_owned()] } else { ssh.to_vec() };
    HostAddress { destination: entry.ssh.clone(), address: entry.address, ssh }
}

/// The failure of a host, with the remedy of its error if it has one.
pub(crate) fn failure(error: HostError) -> Failure {
    testbed_failure(&TestbedError::Host(error))
}

/// Starts the testbed: on the hosts of the spec, or on this machine without any.
///
/// # Errors
/// When a host cannot be used, or cannot do what a fault needs.
pub(super) async fn testbed(experiment: &Experiment, config: TestbedConfig) -> Result<Testbed, Failure> {
    let cluster = &experiment.spec.cluster;
    let started = if cluster.hosts.is_empty() {
        Testbed::start(config).await
    } else {
        let hosts = connect(cluster).await?;
        let links = experiment.spec.faults.iter().map(|fault| fault.kind.entry());
        let links: Vec<&Entry> = links.filter(|entry| entry.family == Family::Network).collect();
        are_able(&hosts, &links)?;
        Testbed::start_on(config, &hosts, !links.is_empty()).await
    };
    started.map_err(|error| testbed_failure(&error))
}

/// Connects to all hosts at the same time.
async fn connect(cluster: &Cluster) -> Result<Vec<Arc<HostConnection>>, Failure> {
    let all = cluster.hosts.iter().map(|entry| HostConnection::connect(address(entry, &cluster.ssh)));
    let hosts: Vec<Arc<HostConnection>> =
        join_all(all).await.into_iter().collect::<Result<_, _>>().map_err(failure)?;
    let mut seen = BTreeSet::new();
    if let Some(twice) = hosts.iter().find(|host| !seen.insert(host.address())) {
        let reason = format!("its address {} is that of another host", twice.address());
        return Err(Failure::bench(format!("host {}", twice.name()), reason).help(
            "each node needs a host of its own; or give the address in the cluster's network with `address`",
        ));
    }
    Ok(hosts)
}

/// Refuses faults of links that a host cannot inject, or that would cut the bench off.
fn are_able(hosts: &[Arc<HostConnection>], faults: &[&Entry]) -> Result<(), Failure> {
    for host in hosts {
        let able = host.abilities();
        for fault in faults {
            let needed = if ["delay", "flaky"].contains(&fault.name) { &able.delay } else { &able.cut };
            if let Err(reason) = &needed.outcome {
                let what = format!("it cannot inject `{}`: {reason}", fault.name);
                return Err(Failure::bench(format!("host {}", host.name()), what).help(
                    "give its user the right (root, or CAP_NET_ADMIN) and the tool (nft or iptables), or remove the fault; \
                     `bench doctor --hosts` shows what each host can",
                ));
            }
        }
        let from = able.reached.as_ref().map(|(from, _)| from.as_str());
        let own = hosts.iter().find(|other| from == Some(other.address().to_string().as_str()));
        if let (Some(other), false) = (own, faults.is_empty()) {
            let what = format!("the bench reaches it from {}, where a node runs", other.address());
            return Err(Failure::bench(format!("host {}", host.name()), what).help(
                "a partition of that node would cut the clients too; run the bench on a machine of its own, or remove the \
                 faults of links",
            ));
        }
    }
    Ok(())
}

/// Places the programs and files of a node on its host.
///
/// # Errors
/// When a program is neither here nor there, or the connection is lost.
pub(super) async fn place(
    cluster: &Cluster,
    testbed: &Testbed,
    node: &PlannedNode,
    command: &mut ProcessCommand,
    folder: &Path,
) -> Result<(), Failure> {
    let Some(host) = testbed.host_of(&node.name) else { return Ok(()) };
    let own = folder.join("nodes").join(&node.name);
    if cluster.system.is_own() {
        let here = own.join(CONFIG);
        let text = std::fs::read_to_string(&here).map_err(|error| Failure::io(&here, &error))?;
        host.write(&host.folder().join(CONFIG), text).await.map_err(failure)?;
    } else if let Some(named) = &cluster.program {
        let here = command.program.is_absolute().then_some(command.program.as_path());
        command.program = host.program(named, here).await.map_err(failure)?;
        for beside in &mut command.beside {
            let process = cluster.processes.iter().find(|process| process.name == beside.name);
            let named = process.map_or(beside.program.as_path(), |process| process.program.as_path());
            let here = beside.program.is_absolute().then_some(beside.program.as_path());
            beside.program = host.program(named, here).await.map_err(failure)?;
        }
    }
    let data = own.join("data");
    let data = std::path::absolute(&data).unwrap_or(data);
    for log in
        logs::of(cluster, folder).into_iter().filter(|log| log.node == node.name && log.extra.is_some())
    {
        if let Ok(file) = log.path.strip_prefix(&data) {
            host.follow(&host.folder().join("data").join(file), &log.path);
        }
    }
    Ok(())
}

/// Copies what the nodes wrote into their logs until now.
pub(super) async fn flush(testbed: &Testbed, nodes: impl Iterator<Item = &str>) {
    let hosts = nodes.filter_map(|node| testbed.host_of(node));
    // A lost connection fails the run elsewhere.
    let _ = join_all(hosts.map(|host| host.flush())).await;
}
