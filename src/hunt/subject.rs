//! The spec under hunt without its faults, to which drawn ones are added.

use crate::failure::Failure;
use crate::sim::Simulation;
use crate::spec::{self, Document, Loaded, Wishes, source, system};
use nemesis::Reported;
use std::path::Path;
use std::time::Duration;
use toml::{Table, Value};

/// The load of a system that is named without a spec.
const LOAD: &str = "workload = \"register\"\nclients = 10\nrate = 400\nwarmup = \"500ms\"\nduration = \"6s\"\n\
                    recovery = \"3s\"\ntimeout = \"1s\"\nkeys = 5\n";

/// A spec with one variant and without faults.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    name: String,
    table: Table,
    faults: Vec<Table>,
    load: Duration,
    nodes: Vec<String>,
    /// Whether it is simulated, which does not depend on this machine.
    simulated: bool,
    /// What its nodes report.
    reported: Reported,
}

impl Subject {
    /// Reads a spec, or makes one for a system that is named.
    ///
    /// # Errors
    /// When there is no such spec or system, or it cannot be run (exit code 2).
    pub(crate) fn open(path: &Path, wishes: &Wishes<'_>) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let document = match source::open(path) {
            Err(_) if system::list().any(|(known, _)| known == name) => {
                let text =
                    format!("name = \"{name}\"\n[cluster]\nsystem = \"{name}\"\nnodes = 3\n[load]\n{LOAD}");
                Document { name, text }
            }
            other => other?,
        };
        Self::read(document, wishes)
    }

    /// Reads the text of a spec.
    ///
    /// # Errors
    /// When it cannot be run, or has several variants (exit code 2).
    pub(crate) fn read(document: Document, wishes: &Wishes<'_>) -> Result<Self, Failure> {
        let name = document.name.clone();
        let loaded = spec::load(document, wishes)?;
        let [experiment] = loaded.experiments.as_slice() else {
            let names: Vec<&str> = loaded.experiments.iter().map(|one| one.variant.as_str()).collect();
            return Err(Failure::usage(name, "the spec has several variants, and a hunt is for one")
                .help(format!("choose one with --only {}", names.join(" or --only "))));
        };
        let mut table = experiment.table().clone();
        for section in ["variant", "sweep", "known"] {
            table.remove(section);
        }
        let tables = |value| match value {
            Value::Array(list) => list,
            _ => Vec::new(),
        };
        let faults = table.remove("fault").map(tables).unwrap_or_default();
        let faults =
            faults.into_iter().filter_map(|one| if let Value::Table(one) = one { Some(one) } else { None });
        let faults = faults.collect();
        let nodes = experiment.topology().names().map(str::to_owned).collect();
        Ok(Self {
            name,
            table,
            faults,
            load: experiment.spec.load.duration,
            nodes,
            simulated: false,
            reported: experiment.reported(),
        })
    }

    /// The same, simulated or not.
    #[must_use]
    pub(crate) fn simulated(mut self, simulated: bool) -> Self {
        self.simulated = simulated;
        self
    }

    /// What its nodes report.
    pub(crate) fn reported(&self) -> Reported {
        self.reported
    }

    /// How long its load lasts.
    pub(crate) fn load(&self) -> Duration {
        self.load
    }

    /// The names of its nodes.
    pub(crate) fn nodes(&self) -> Vec<String> {
        self.nodes.clone()
    }

    /// The faults of the spec itself, which a hunt replaces.
    pub(crate) fn faults(&self) -> &[Table] {
        &self.faults
    }

    /// It with these faults, as a table.
    pub(crate) fn table(&self, faults: &[Table]) -> Table {
        let mut table = self.table.clone();
        if !faults.is_empty() {
            table
                .insert("fault".to_owned(), Value::Array(faults.iter().cloned().map(Value::Table).collect()));
        }
        table
    }

    /// It with these faults, as a spec.
    pub(crate) fn with(&self, faults: &[Table]) -> Document {
        written(&self.name, &self.table(faults))
    }

    /// Whether it can be run with these faults.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(&self, faults: &[Table]) -> Result<Loaded, Failure> {
        let wishes = Wishes { simulated: self.simulated, ..Wishes::default() };
        let loaded = spec::load(self.with(faults), &wishes)?;
        if self.simulated {
            Simulation::new(&loaded)?;
            return Ok(loaded);
        }
        for experiment in &loaded.experiments {
            experiment.plan_faults(0)?;
        }
        Ok(loaded)
    }
}

/// A table as a spec.
pub(crate) fn written(name: &str, table: &Table) -> Document {
    let text = toml::to_string_pretty(table).expect("what was read as TOML can be written as TOML");
    Document { name: name.to_owned(), text }
}
