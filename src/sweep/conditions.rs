//! The conditions of a sweep in words: the common settings of all its variants and values.

use crate::spec::{Experiment, Loaded};
use crate::systems::foreign;
use crate::terminal::human;
use std::collections::BTreeSet;
use workloads::Workload;

/// A condition of one experiment; none if it does not apply.
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

/// The common conditions of all experiments, and the versions of foreign systems.
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

/// A foreign system with its version.
fn version(experiment: &Experiment) -> Option<String> {
    let cluster = &experiment.spec.cluster;
    foreign::version(cluster).map(|version| format!("{} {version}", cluster.system.name()))
}
