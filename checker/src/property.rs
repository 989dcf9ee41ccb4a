//! Every model a history can be judged by, by its name, and which check knows it.

use crate::elements::Kind;
use crate::linearizability::Model;
use crate::transactions::Workload;
use std::{fmt, str::FromStr};

/// What a history is judged by. Each has a name of its own, as in `bench check --model NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// One order of all operations explains every result ([`linearizability`](crate::linearizability)).
    Linearizable(Model),
    /// One order of all operations of all registers, which is also that of each process ([`sequential`](crate::sequential)).
    Sequential,
    /// No anomaly excludes the consistency asked for ([`transactions`](crate::transactions)).
    Transactions(Workload),
    /// Nothing was lost, and nothing came from nowhere ([`elements`](crate::elements)).
    Elements(Kind),
}

const WORKLOADS: [Workload; 2] = [Workload::ListAppend, Workload::RwRegister];

impl Property {
    /// Every one there is, in the order in which help texts list them.
    pub fn all() -> impl Iterator<Item = Self> {
        let linearizable = Model::ALL.into_iter().map(Self::Linearizable);
        linearizable
            .chain([Self::Sequential])
            .chain(WORKLOADS.into_iter().map(Self::Transactions))
            .chain(Kind::ALL.into_iter().map(Self::Elements))
    }

    /// Its name in the header of a history and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linearizable(model) => model.name(),
            Self::Sequential => "sequential-register",
            Self::Transactions(Workload::ListAppend) => "list-append",
            Self::Transactions(Workload::RwRegister) => "rw-register",
            Self::Elements(kind) => kind.name(),
        }
    }

    /// What it asks for, in one line.
    pub fn about(self) -> String {
        match self {
            Self::Linearizable(model) => format!("linearizable: {}", model.about()),
            Self::Sequential => {
                "sequentially consistent: registers with reads, writes and compare-and-sets, all keys together".to_owned()
            }
            Self::Transactions(Workload::ListAppend) => {
                "transactions of appends to lists and reads of them, by anomalies after Elle".to_owned()
            }
            Self::Transactions(Workload::RwRegister) => {
                "transactions of writes and reads of registers, by anomalies after Elle".to_owned()
            }
            Self::Elements(kind) => kind.about().to_owned(),
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no model's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no model \"{0}\"; models are {names}", names = names())]
pub struct UnknownProperty(String);

fn names() -> String {
    Property::all().map(Property::name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Property {
    type Err = UnknownProperty;

    fn from_str(name: &str) -> Result<Self, UnknownProperty> {
        Self::all().find(|property| property.name() == name).ok_or_else(|| UnknownProperty(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_promises_share_a_name() {
        let names: BTreeSet<&str> = Property::all().map(Property::name).collect();
        assert_eq!(names.len(), Property::all().count());
        for property in Property::all() {
            assert_eq!(property.name().parse(), Ok(property));
            assert!(!property.about().is_empty());
        }
        let error = "sets".parse::<Property>().unwrap_err().to_string();
        assert!(error.contains("set-full") && error.contains("list-append"), "{error}");
    }
}
