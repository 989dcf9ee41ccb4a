//! The conditions of a sweep in words: what all its variants and values have in common.

use crate::spec::{Experiment, Loaded};
use crate::systems::foreign;
use crate::terminal::human;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use workloads::Workload;

/// A condition of one experiment; none where it says nothing.
type Condition = fn(&Experiment) -> Option<String>;

const CONDITIONS: [Condition; 7] = [
    |one| Some(format!("{} nodes", one.spec.cluster.planned_nodes().len())),
    |one| one.mode().ok().map(|mode| format!("network {mode}")),
    |one| one.disk().ok().map(|disk| format!("disk {disk}")),
    |one| Some(format!("{} clients", one.spec.load.clients)),
    |one| match one.spec.load.rate {
        Some(rate) => Some(format!("{rate} operations a second")),
        None => Some("closed loop".to_owned()),
    },
    |one| {
        let load = &one.spec.load;
        let sized = !load.record && load.workload == Workload::Kv;
        let values = if sized {
            format!(", values of {} bytes", load.value_bytes.unwrap_or(100))
        } else {
            String::new()
        };
        Some(format!("{} keys{values}", load.keys))
    },
    |one| Some(format!("{} each", human(one.spec.load.duration))),
];

/// What all experiments agree in, and the versions of foreign systems.
pub(super) fn of(points: &[Loaded]) -> Vec<String> {
    let experiments = || points.iter().flat_map(|point| &point.experiments);
    let mut conditions = Vec::new();
    for condition in CONDITIONS {
        let all: BTreeSet<_> = experiments().map(condition).collect();
        if all.len() == 1 {
            conditions.extend(all.into_iter().flatten());
        }
    }
    let versions: BTreeSet<_> = experiments().filter_map(version).collect();
    conditions.extend(versions);
    conditions
}

/// What a foreign system says of its version.
fn version(experiment: &Experiment) -> Option<String> {
    let cluster = &experiment.spec.cluster;
    if *cluster.system.name() != *"etcd" {
        return None;
    }
    let program = foreign::program(cluster).ok()?;
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next()?.split(": ").nth(1).map(|version| format!("etcd {version}"))
}
