//! Checks of a spec beyond its types; each error names the line of the value.

mod addresses;
mod hosts;
mod life;
mod members;

use super::life::Commands;
use super::merged::Merged;
use super::path::KeyPath;
use super::promise;
use super::sections::{BASE_PORT_MAX, BASE_PORT_MIN, Cluster, NODES_MAX, Restart, Spec, Start, System};
use super::{Experiment, ONLY_VARIANT};
use crate::failure::Failure;
use crate::sim;
use crate::systems::words::{self, WORDS};
use crate::systems::{foreign, logs};
use nemesis::{Disk, DiskModel, Mode, Network, StopSignal};
use node::config::{PaxosOptions, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;
use workloads::{ClientKind, SpecError, Workload};

/// What Linux takes as the longest wait of TCP.
const TCP_RTO_MAX: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(120);

/// The names of the spec and of its variants, which become folders.
pub(crate) fn names(merged: &Merged, spec: &Spec) -> Result<(), Failure> {
    let fit = |name: &str| {
        !name.is_empty()
            && name.len() <= 64
            && !name.starts_with('-')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let check = |path: &KeyPath, name: &str| {
        if fit(name) {
            return Ok(());
        }
        let help = "a name becomes a folder: use letters, digits, - and _, at most 64 of them";
        Err(merged.complaint(path, format!("\"{name}\" cannot be used as a name"), Some(help.to_owned())))
    };
    check(&KeyPath::default().key("name"), &spec.name)?;
    let mut seen = BTreeSet::new();
    for (index, variant) in spec.variants.iter().enumerate() {
        let path = KeyPath::default().key("variant").item(index).key("name");
        check(&path, &variant.name)?;
        if !seen.insert(variant.name.as_str()) {
            let help =
                format!("give each variant a name of its own (without variants it is \"{ONLY_VARIANT}\")");
            let what = format!("there are two variants named \"{}\"", variant.name);
            return Err(merged.complaint(&path, what, Some(help)));
        }
    }
    Ok(())
}

/// Everything that can be known of one experiment before it starts. `foreign`: some variant is of another system, so
/// that there may be a program which is not for all of them.
pub(crate) fn experiment(experiment: &Experiment, foreign: bool, simulated: bool) -> Result<(), Failure> {
    let cluster = &experiment.spec.cluster;
    nodes(experiment, cluster)?;
    hosts::check(experiment, cluster)?;
    let mode = if simulated { Mode::Lab } else { experiment.mode()? };
    links(experiment, cluster, mode)?;
    disks(experiment, cluster)?;
    time_to_start(experiment, cluster)?;
    searched_logs(experiment, cluster)?;
    if cluster.system.is_own() {
        paxos(experiment, cluster, foreign)?;
    } else {
        another(experiment, cluster)?;
    }
    experiment
        .spec
        .load
        .validate()
        .map_err(|error| experiment.complaint(&format!("load.{}", error.field), &error.message))?;
    promise::validate(experiment)?;
    let load = &experiment.spec.load;
    messages(experiment, cluster)?;
    let own = [
        Workload::Set,
        Workload::GCounter,
        Workload::PnCounter,
        Workload::UniqueIds,
        Workload::Echo,
        Workload::Kafka,
        Workload::Lock,
    ];
    if own.contains(&load.workload) && experiment.spec.client.is_none() {
        let what = format!("the bench's own interface has no {}; it needs a section [client]", load.workload);
        return Err(experiment.complaint("load.workload", &what));
    }
    if load.workload == Workload::Queue && experiment.spec.client.is_none() {
        let what =
            "the bench's own interface has no queues; it needs a section [client] with enqueue and dequeue";
        return Err(experiment.complaint("load.workload", what));
    }
    if !experiment.spec.load.record && !experiment.spec.faults.is_empty() {
        let what = "a load that is not recorded would show nothing of a fault; remove it, or record = false";
        return Err(experiment.complaint("fault.1", what));
    }
    // The seed decides who is hit and when, not whether a fault is possible.
    if simulated { sim::plan_faults(experiment, 0) } else { experiment.plan_faults(0) }.map(drop)
}

/// Programs for Maelstrom speak through the bench, and nobody else does.
fn messages(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    let maelstrom = experiment.spec.client_is(ClientKind::Maelstrom);
    match (maelstrom, cluster.network == Network::Messages) {
        (true, false) => {
            let what =
                "the bench is the network of programs for Maelstrom; use network = \"messages\" in [cluster]";
            Err(experiment.complaint("client.kind", what))
        }
        (false, true) => {
            let what =
                "only programs for Maelstrom speak in messages; it needs [client] kind = \"maelstrom\"";
            Err(experiment.complaint("cluster.network", what))
        }
        (true, true) | (false, false) => Ok(()),
    }
}

fn nodes(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    if cluster.roles.is_some() && cluster.nodes.is_some() {
        return Err(experiment.complaint(
            "cluster.nodes",
            "there are both nodes and roles; remove one: nodes = 3 hosts every role on each of three nodes",
        ));
    }
    if cluster.spares > 0 && cluster.roles.is_some() {
        return Err(experiment.complaint(
            "cluster.spares",
            "spare nodes host every role, as those of nodes = 3 do; remove `roles`, or leave them out",
        ));
    }
    let planned = cluster.planned_nodes();
    let field = if cluster.roles.is_some() { "cluster.roles" } else { "cluster.nodes" };
    let roles: &[Role] = match cluster.system {
        System::Paxos => &[Role::Replica, Role::Leader, Role::Acceptor],
        System::Described(_) | System::Command => &[],
    };
    for role in roles {
        if !planned.iter().any(|node| node.roles.contains(role)) {
            let name = super::sections::role_name(*role);
            return Err(
                experiment.complaint(field, &format!("no node is a {name}; there must be at least one"))
            );
        }
    }
    if planned.len() > NODES_MAX as usize {
        let what = format!("{} nodes are too many for one machine; at most {NODES_MAX}", planned.len());
        return Err(experiment.complaint(field, &what));
    }
    Ok(())
}

fn links(experiment: &Experiment, cluster: &Cluster, mode: Mode) -> Result<(), Failure> {
    let links = cluster.links;
    if links.jitter > links.delay {
        let what = format!(
            "the jitter of {:?} is larger than the delay of {:?}; it should be at most the delay",
            links.jitter, links.delay
        );
        return Err(experiment.complaint("cluster.links.jitter", &what));
    }
    if mode == Mode::Host && !links.delay.is_zero() {
        let what =
            "links have no delay with network = \"host\"; use network = \"proxy\" or \"lab\", or remove it";
        return Err(experiment.complaint("cluster.links.delay", what));
    }
    if cluster.pcap && mode != Mode::Lab {
        let what = "there are no packets to be captured; it needs network = \"lab\"";
        return Err(experiment.complaint("cluster.pcap", what));
    }
    if let Some(wait) = cluster.tcp_rto_max.filter(|wait| !TCP_RTO_MAX.contains(wait)) {
        let what = format!("{wait:?} is none that the kernel takes; it should be 1s to 120s");
        return Err(experiment.complaint("cluster.tcp-rto-max", &what));
    }
    if let Some(port) = cluster.base_port
        && !(BASE_PORT_MIN..=BASE_PORT_MAX).contains(&port)
    {
        let what = format!("{port} is no port to begin at; it should be {BASE_PORT_MIN} to {BASE_PORT_MAX}");
        return Err(experiment.complaint("cluster.base-port", &what));
    }
    Ok(())
}

fn time_to_start(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    if cluster.start_within.is_some_and(|limit| limit.is_zero()) {
        return Err(experiment
            .complaint("cluster.start-within", "no node starts in no time; remove it, or give it some"));
    }
    Ok(())
}

/// The patterns of `[check]`, and the log files in which they are searched.
fn searched_logs(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    let check = &experiment.spec.check;
    for (key, patterns) in [("never", &check.never), ("sometimes", &check.sometimes)] {
        for (number, pattern) in (1..).zip(patterns) {
            let complain = |what: String| experiment.complaint(&format!("check.{key}.{number}"), &what);
            logs::compile(pattern).map_err(complain)?;
        }
    }
    for (number, file) in (1..).zip(&cluster.logs) {
        if let Some(what) = logs::refusal(cluster, file) {
            return Err(experiment.complaint(&format!("cluster.logs.{number}"), &what));
        }
    }
    Ok(())
}

fn disks(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    if cluster.disk == Disk::Real && cluster.disk_model != DiskModel::default() {
        let what = "a real disk does as it does; the model needs disk = \"memory\", or remove it";
        return Err(experiment.complaint("cluster.disk-model", what));
    }
    Ok(())
}

/// What a system that is not the bench's own must have and cannot have.
fn another(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    let name = cluster.system.name();
    let complain = |key: &str, what: String| Err(experiment.complaint(&format!("cluster.{key}"), &what));
    if cluster.roles.is_some() {
        return complain("roles", format!("the nodes of {name} have no roles of their own; use nodes = 3"));
    }
    if cluster.spares > 0 && experiment.spec.members.is_none() {
        let what = format!(
            "spare nodes are there to become members, and nothing says how the members of {name} are changed; say so in \
             [members], or remove it"
        );
        return complain("spares", what);
    }
    for (key, is_set) in
        [("paxos", cluster.paxos != PaxosOptions::default()), ("invariants", cluster.invariants)]
    {
        if is_set {
            let what = format!("it belongs to the system paxos and means nothing to {name}; remove it");
            return complain(key, what);
        }
    }
    if cluster.system != System::Command && cluster.api.is_some() {
        return complain("api", format!("{name} speaks its own; remove it"));
    }
    if !cluster.addresses.is_empty() {
        addresses::check(experiment, cluster)?;
        questions(experiment, cluster)?;
        return client(experiment);
    }
    if cluster.commands != Commands::default() {
        let what =
            "they are for servers that run already; say where these are with addresses, or remove them";
        return complain("commands", what.to_owned());
    }
    match (cluster.restart, cluster.restart_limit) {
        (Restart::Never, Some(_)) => {
            return complain("restart-limit", "it needs restart = \"on-exit\"".to_owned());
        }
        (Restart::OnExit, Some(0)) => {
            let what = "0 restarts are none; use restart = \"never\"";
            return complain("restart-limit", what.to_owned());
        }
        (Restart::Never | Restart::OnExit, _) => {}
    }
    if let Some((key, word)) = foreign::unknown_word(cluster) {
        let ports: Vec<_> = cluster.ports.keys().map(|port| format!(", {{{port}}}")).collect();
        let ports = ports.concat();
        return complain(&key, format!("there is no {word}; it could be {WORDS}{ports}"));
    }
    if let Some((key, name)) = foreign::unset_variable(cluster) {
        return complain(&key, words::not_set(&name));
    }
    ports(experiment, cluster)?;
    life::check(experiment, cluster)?;
    foreign::program(cluster).map(drop).or_else(|reason| {
        let leave = if experiment.variant == ONLY_VARIANT { "" } else { ", or leave it out with --only" };
        complain("program", format!("{reason}{leave}"))
    })?;
    questions(experiment, cluster)?;
    members::check(experiment, cluster)?;
    client(experiment)
}

/// What its nodes are asked about themselves.
fn questions(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    let spec = &experiment.spec;
    let complain = |error: SpecError| experiment.complaint(&error.field, &error.message);
    if let Some(status) = &spec.status {
        status.table(spec.client_kind()).map_err(complain)?;
    }
    if let Some(digest) = &spec.digest {
        digest.table(spec.client_kind()).map_err(complain)?;
        let applied = spec.status.as_ref().and_then(|status| status.applied.as_ref());
        if digest.position.is_none() && applied.is_none() {
            let what = "say where the position of the state is; it is position here, or applied in [status]";
            return Err(experiment.complaint("digest.position", what));
        }
        if experiment.has_section("digest") && cluster.node_count() < 2 {
            let what =
                "digests of two nodes are compared, and there is one node; use more nodes, or remove it";
            return Err(experiment.complaint("digest", what));
        }
    }
    Ok(())
}

/// What its clients speak.
fn client(experiment: &Experiment) -> Result<(), Failure> {
    let spec = &experiment.spec;
    let Some(client) = &spec.client else { return Ok(()) };
    client.check(&spec.load).map_err(|error| experiment.complaint(&error.field, &error.message))?;
    for (name, text) in &client.env {
        if let Some(word) = words::unknown_in(text, |word| words::variable(word).is_some()) {
            let what = format!("there is no {{{word}}}; it could be {{env:NAME}}, a variable of the caller");
            return Err(experiment.complaint(&format!("client.env.{name}"), &what));
        }
        if let Some(variable) = words::unset_in_value(text) {
            return Err(experiment.complaint(&format!("client.env.{name}"), &words::not_set(variable)));
        }
    }
    let Some(helper) = client.command.first() else { return Ok(()) };
    foreign::find(Path::new(helper), "--set client.command.1=")
        .map(drop)
        .map_err(|reason| experiment.complaint("client.command", &reason))
}

/// The words for ports, which must not hide others, and their numbers.
fn ports(experiment: &Experiment, cluster: &Cluster) -> Result<(), Failure> {
    let taken = ["name", "number", "address", "ip", "port", "host", "data", "members", "others", "first"];
    let mut numbers = BTreeMap::new();
    for (word, number) in &cluster.ports {
        let complain = |what: String| Err(experiment.complaint(&format!("cluster.ports.{word}"), &what));
        if taken.contains(&word.as_str()) || word.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            return complain(format!(
                "{word} cannot be the word for a port; use another one, for example peer"
            ));
        }
        if *number == 0 {
            return complain("0 is no port; give the number that the system takes by default".to_owned());
        }
        if let Some(other) = numbers.insert(number, word) {
            return complain(format!("it is the port of {other} too; give each a number of its own"));
        }
    }
    Ok(())
}

fn paxos(experiment: &Experiment, cluster: &Cluster, foreign: bool) -> Result<(), Failure> {
    let given = [
        ("program", cluster.program.is_some() && !foreign),
        ("args", !cluster.args.is_empty()),
        ("more-args", !cluster.more_args.is_empty()),
        ("env", !cluster.env.is_empty()),
        ("ports", !cluster.ports.is_empty()),
        ("prepare", !cluster.prepare.is_empty()),
        ("setup", !cluster.setup.is_empty()),
        ("start", cluster.start != Start::default()),
        ("ready", cluster.ready.is_some()),
        ("stop-signal", cluster.stop_signal != StopSignal::default()),
        ("user", cluster.user.is_some()),
        ("file", !cluster.files.is_empty()),
        ("process", !cluster.processes.is_empty()),
        ("addresses", !cluster.addresses.is_empty()),
        ("commands", cluster.commands != Commands::default()),
        ("restart", cluster.restart != Restart::default()),
        ("restart-limit", cluster.restart_limit.is_some()),
        ("api", cluster.api.is_some()),
    ];
    if let Some((key, _)) = given.into_iter().find(|(_, given)| *given) {
        let what = "the bench starts nodes of its own here; it needs another system, for example \"command\"";
        return Err(experiment.complaint(&format!("cluster.{key}"), what));
    }
    let spec = &experiment.spec;
    let sections = [
        ("client", spec.client.is_some()),
        ("status", spec.status.is_some()),
        ("digest", spec.digest.is_some()),
        ("members", spec.members.is_some()),
    ];
    if let Some((section, _)) = sections.into_iter().find(|(_, given)| *given) {
        let what =
            "the bench knows what its own store speaks; it needs another system, for example \"command\"";
        return Err(experiment.complaint(section, what));
    }
    cluster.paxos.check().map_err(|message| match message.split_once(": ") {
        Some((field, what)) => experiment.complaint(&format!("cluster.paxos.{field}"), what),
        None => experiment.complaint("cluster.paxos", &message),
    })
}
