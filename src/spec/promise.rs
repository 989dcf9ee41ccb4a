//! The key `promise` of `[check]`: what the system under test promises.

use super::Experiment;
use super::sections::Linearizable;
use crate::failure::Failure;
use checker::transactions::Consistency;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use std::borrow::Cow;
use workloads::Workload;

/// What a system promises about its operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Every operation takes effect at once, between its invocation and its response.
    Linearizable,
    /// Operations have one order, which is also that of each client, but not that of real time.
    Sequential,
    /// A consistency model of transactions.
    Transactions(Consistency),
    /// What a queue acknowledged comes out, perhaps more than once.
    AtLeastOnce,
    /// What a queue acknowledged comes out once.
    ExactlyOnce,
}

impl Promise {
    /// Every promise there is, weaker ones first.
    fn all() -> impl Iterator<Item = Self> {
        let models = Consistency::ALL.into_iter().map(Self::Transactions);
        [Self::Sequential, Self::Linearizable]
            .into_iter()
            .chain(models)
            .chain([Self::AtLeastOnce, Self::ExactlyOnce])
    }

    /// Its name in specs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Linearizable => "linearizable",
            Self::Sequential => "sequential",
            Self::Transactions(model) => model.name(),
            Self::AtLeastOnce => "at-least-once",
            Self::ExactlyOnce => "exactly-once",
        }
    }

    /// What a workload is judged by where the spec does not say.
    pub(crate) fn usual(workload: Workload) -> &'static str {
        match workload {
            Workload::Register | Workload::Kv | Workload::Lock => Self::Linearizable.name(),
            Workload::ListAppend | Workload::RwRegister => Consistency::StrictSerializable.name(),
            Workload::Bank => "balances",
            Workload::Queue => Self::AtLeastOnce.name(),
            Workload::Set => "every element in all final reads",
            Workload::GCounter | Workload::PnCounter => "final reads that agree on a possible sum",
            Workload::UniqueIds => "unique ids",
            Workload::Echo => "the same again",
            Workload::Kafka => "each message once and in order",
        }
    }

    /// The name of the checker's model that judges a workload by a promise.
    pub(crate) fn model(promise: Option<Self>, workload: Workload) -> &'static str {
        match (workload, promise) {
            (Workload::Queue, Some(Self::Linearizable)) => "fifo-queue",
            (Workload::Queue, Some(Self::ExactlyOnce)) => "exactly-once-queue",
            (Workload::Queue, _) => "total-queue",
            (Workload::Set, Some(Self::Linearizable)) => "set",
            (Workload::GCounter | Workload::PnCounter, Some(Self::Linearizable)) => "counter",
            (Workload::Set, _) => "set-final",
            (Workload::Lock, _) => "owned-mutex",
            (_, Some(Self::Sequential)) => "sequential-register",
            (workload, _) => workload.name(),
        }
    }

    /// What it promises, in one line.
    fn about(self) -> &'static str {
        match self {
            Self::Linearizable => {
                "register, kv, queue, set, counters, lock: operations take effect at once, between invocation and response; a queue is first in, \
                 first out"
            }
            Self::Sequential => {
                "register: the operations of all keys have one order, in which those of each client stand as it sent them"
            }
            Self::Transactions(model) => model.about(),
            Self::AtLeastOnce => {
                "queue: what was acknowledged comes out, perhaps again, and nothing that was not put in"
            }
            Self::ExactlyOnce => {
                "queue: what was acknowledged comes out once, and nothing that was not put in"
            }
        }
    }

    /// The model of transactions, where it is weaker than the usual one.
    pub(crate) fn weaker_model(self) -> Option<Consistency> {
        match self {
            Self::Transactions(Consistency::StrictSerializable)
            | Self::Linearizable
            | Self::Sequential
            | Self::AtLeastOnce
            | Self::ExactlyOnce => None,
            Self::Transactions(model) => Some(model),
        }
    }

    /// Why a workload cannot be judged by it, and what to do.
    fn refusal(self, workload: Workload) -> Option<String> {
        match (workload, self) {
            (
                Workload::Register
                | Workload::Kv
                | Workload::Lock
                | Workload::Queue
                | Workload::Set
                | Workload::GCounter
                | Workload::PnCounter,
                Self::Linearizable,
            )
            | (Workload::Register, Self::Sequential)
            | (Workload::ListAppend | Workload::RwRegister, Self::Transactions(_))
            | (Workload::Queue, Self::AtLeastOnce | Self::ExactlyOnce) => None,
            (Workload::Kv, Self::Sequential) => Some(
                "sequential consistency is judged where every value is written once, and deletes are not; use workload = \
                 \"register\""
                    .to_owned(),
            ),
            (Workload::Register | Workload::Kv, Self::AtLeastOnce | Self::ExactlyOnce) => Some(format!(
                "{self} is a promise about queues; {workload} could be linearizable or, of registers, sequential"
            )),
            (Workload::Queue, Self::Sequential | Self::Transactions(_)) => Some(format!(
                "{self} says nothing of queues; it could be {}, {} or {}",
                Self::AtLeastOnce,
                Self::ExactlyOnce,
                Self::Linearizable
            )),
            (Workload::Register | Workload::Kv, Self::Transactions(_)) => Some(format!(
                "{self} is a promise about transactions, and {workload} has none; it could be linearizable",
            )),
            (
                Workload::ListAppend | Workload::RwRegister,
                Self::Linearizable | Self::Sequential | Self::AtLeastOnce | Self::ExactlyOnce,
            ) => {
                let names = Consistency::ALL.map(Consistency::name).join(", ");
                Some(format!(
                    "{self} is a promise about single operations, and {workload} has transactions; it could be {names}"
                ))
            }
            (Workload::Set | Workload::GCounter | Workload::PnCounter, _) => Some(format!(
                "{workload} has a check of its own, of its final reads; remove it, or use {}",
                Self::Linearizable
            )),
            (Workload::Lock, _) => Some(format!("a lock is {}; remove it", Self::Linearizable)),
            (Workload::UniqueIds | Workload::Echo | Workload::Kafka, _) => {
                Some(format!("{workload} has a check of its own; remove it"))
            }
            (Workload::Bank, _) => {
                Some("a bank has a check of its own, of its balances and their total; remove it".to_owned())
            }
        }
    }
}

/// Refuses a promise that the workload cannot be judged by.
pub(super) fn validate(experiment: &Experiment) -> Result<(), Failure> {
    let check = &experiment.spec.check;
    let load = &experiment.spec.load;
    if load.workload == Workload::Queue && check.unobserved.millionths() > 0 {
        let what = "queues are drained, or the verdict is unknown; remove it";
        return Err(experiment.complaint("check.unobserved", what));
    }
    let Some(promise) = check.promise else { return Ok(()) };
    if promise == Promise::Sequential && !load.unique_values {
        let what = "sequential consistency is judged where every value is written once; remove it";
        return Err(experiment.complaint("load.unique-values", what));
    }
    let refusal = promise.refusal(load.workload).or_else(|| {
        (check.linearizable == Linearizable::Off)
            .then(|| "nothing is judged by it with linearizable = false; remove one of the two".to_owned())
    });
    refusal.map_or(Ok(()), |what| Err(experiment.complaint("check.promise", &what)))
}

impl std::fmt::Display for Promise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Promise {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Promise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::all().find(|promise| promise.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::all().map(Self::name).collect();
            serde::de::Error::custom(format!("unknown promise \"{name}\"; there are {}", names.join(", ")))
        })
    }
}

impl JsonSchema for Promise {
    fn schema_name() -> Cow<'static, str> {
        "Promise".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let word = |promise: Self| json!({ "const": promise.name(), "description": promise.about() });
        let words: Vec<_> = Self::all().map(word).collect();
        json_schema!({ "oneOf": words })
    }
}

#[cfg(test)]
mod tests {
    use crate::exit::Exit;
    use crate::spec::{Document, Wishes, load};

    /// The refusal of a spec with these lines in `[load]` and `[check]`.
    fn refusal(workload: &str, check: &str) -> Option<String> {
        let text = format!("name = \"t\"\n[load]\nworkload = \"{workload}\"\n[check]\n{check}\n");
        let failure = load(Document { name: "t.toml".into(), text }, &Wishes::default()).err()?;
        assert_eq!(failure.exit, Exit::Usage);
        Some(format!("{}: {} {}", failure.location, failure.what, failure.help.unwrap_or_default()))
    }

    #[test]
    fn fitting_promises_are_accepted() {
        for (workload, promise) in [
            ("register", "linearizable"),
            ("kv", "linearizable"),
            ("list-append", "snapshot-isolation"),
            ("rw-register", "read-uncommitted"),
            ("list-append", "strict-serializable"),
            ("register", "sequential"),
        ] {
            assert_eq!(refusal(workload, &format!("promise = \"{promise}\"")), None, "{workload} {promise}");
        }
    }

    #[test]
    fn unfitting_promise_is_refused_at_its_line() {
        for (workload, promise, remedy) in [
            ("register", "serializable", "it could be linearizable"),
            ("kv", "sequential", "use workload = \"register\""),
            ("register", "exactly-once", "a promise about queues"),
            ("list-append", "at-least-once", "it could be read-uncommitted, "),
            ("list-append", "linearizable", "read-committed, "),
            ("bank", "serializable", "remove it"),
            ("register", "linearisable", "there are sequential, linearizable, read-uncommitted"),
        ] {
            let said = refusal(workload, &format!("promise = \"{promise}\"")).expect(promise);
            assert!(said.starts_with("t.toml:5") && said.contains(remedy), "{said}");
        }
    }

    #[test]
    fn promise_without_its_check_is_refused() {
        let said = refusal("register", "promise = \"linearizable\"\nlinearizable = false").unwrap();
        assert!(said.contains("remove one of the two"), "{said}");
    }
}
