//! The bench's own store as the system under test: the command that starts one of its nodes.

use super::cluster::output_path;
use super::hosts::CONFIG;
use crate::failure::Failure;
use crate::spec::sections::{Cluster, PlannedNode};
use nemesis::{Mode, ProcessClock, ProcessCommand, Testbed};
use node::config::{Member, NodeConfig, Secret};
use node::invariants::Invariants;
use node::trace::{self, TraceError};
use std::fs;
use std::path::{Path, PathBuf};

/// The file of a node's trace.
fn trace_path(folder: &Path, node: &str) -> PathBuf {
    folder.join("nodes").join(node).join("trace.jsonl")
}

/// Checks the protocol's invariants over the traces of these nodes. A spare node may never become a member.
///
/// # Errors
/// When a trace cannot be read.
pub(crate) fn validate<'a>(
    folder: &Path,
    nodes: impl Iterator<Item = &'a str>,
    spares: &[String],
) -> Result<report::Invariants, TraceError> {
    let (mut invariants, mut shown, mut untraced) = (Invariants::default(), String::new(), Vec::new());
    for node in nodes {
        let path = trace_path(folder, node);
        if !path.exists() {
            untraced.extend((!spares.iter().any(|spare| spare == node)).then(|| node.to_owned()));
            continue;
        }
        trace::read(&path, |line, event| {
            invariants.see(node, &event);
            if shown.is_empty() && invariants.broken().is_some() {
                shown = format!("; see nodes/{node}/trace.jsonl, line {line}");
            }
        })?;
    }
    let steps = invariants.events();
    let broken = invariants.finish().map(|broken| broken + &shown);
    Ok(report::Invariants { steps, traced: true, untraced, broken })
}

/// Writes a node's configuration, and returns the command that starts it.
///
/// The `secret` of the cluster is not in the file, which is part of the results.
///
/// # Errors
/// When the configuration cannot be written.
pub(super) fn command(
    cluster: &Cluster,
    testbed: &Testbed,
    node: &PlannedNode,
    folder: &Path,
    seed: u64,
    secret: &Secret,
) -> Result<ProcessCommand, Failure> {
    let (spares, members): (Vec<_>, Vec<_>) =
        cluster.planned_nodes().into_iter().partition(|planned| planned.spare);
    let address = |name: &str| testbed.peer_address(&node.name, name);
    let members = members.into_iter().map(|member| Member {
        address: address(&member.name),
        name: member.name,
        roles: member.roles,
    });
    let others = spares.into_iter().filter(|spare| spare.name != node.name);
    let own = folder.join("nodes").join(&node.name);
    // On another machine, the bench shifts no clock.
    let there = testbed.folder_of(&node.name).map(Path::to_owned);
    let clock = there.is_none().then(|| own.join("clock"));
    let place = there.clone().unwrap_or_else(|| own.clone());
    let config = NodeConfig {
        name: node.name.clone(),
        listen: testbed.listen_address(&node.name),
        enclosed: testbed.mode() == Mode::Lab,
        secret: None,
        data: place.join("data"),
        clock: clock.clone(),
        trace: cluster.invariants.then(|| trace_path(folder, &node.name)),
        seed,
        members: members.collect(),
        routes: others.map(|spare| (spare.name.clone(), address(&spare.name))).collect(),
        join: node.spare,
        join_after: None,
        hosts: Vec::new(),
        paxos: cluster.paxos.clone(),
    };
    fs::create_dir_all(&own).map_err(|error| Failure::io(&own, &error))?;
    let path = own.join(CONFIG);
    let mut text =
        serde_json::to_string_pretty(&config).expect("a node's configuration can be written as JSON");
    text.push('\n');
    fs::write(&path, text).map_err(|error| Failure::io(&path, &error))?;
    let program = match there {
        // Its agent is the same program.
        Some(there) => there.join("bench"),
        None => std::env::current_exe()
            .map_err(|error| Failure::bench("bench", format!("this program cannot find itself: {error}")))?,
    };
    Ok(ProcessCommand {
        program,
        args: vec!["node".into(), "--config".into(), place.join(CONFIG).into()],
        env: vec![(node::SECRET.into(), secret.expose().into())],
        output: output_path(folder, &config.name),
        data: Some(config.data),
        clock: clock.map(ProcessClock::Itself),
        ..ProcessCommand::default()
    })
}
