//! The section `[load]` of a spec: which operations, how many, how fast, from how many clients.

use crate::generator::STEPS;
use crate::operation::Function;
use crate::route::Route;
pub use crate::workload::Workload;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most clients a load may have; each is a connection of its own.
const CLIENTS_MAX: u32 = 10_000;
/// Most keys a load may have.
const KEYS_MAX: u32 = 1_000_000;
/// Lowest rate in operations a second.
const RATE_MIN: f64 = 0.001;
/// Highest rate in operations a second; the pacer and the history would not keep up with more.
const RATE_MAX: f64 = 1_000_000.0;
/// Longest value that is written.
const VALUE_MAX: u32 = 1 << 20;
/// Longest duration of one phase.
const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// What the clients do: the section `[load]` of a spec. Every key has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LoadSpec {
    /// The operations of the clients, and the model of the check.
    pub workload: Workload,
    /// The number of clients; each has at most one operation open.
    #[schemars(range(min = 1, max = CLIENTS_MAX))]
    pub clients: u32,
    /// Operations a second of all clients together (open loop). Absent: each client sends its next operation when the
    /// last has ended (closed loop).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = RATE_MIN, max = RATE_MAX))]
    pub rate: Option<f64>,
    /// With `rate`: the distribution of the times at which operations are due.
    pub arrivals: Arrivals,
    /// Length of the phase `load`, in which faults are injected.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("minimum" = "1ms", "maximum" = "168h"))]
    pub duration: Duration,
    /// Length of the load before that; it is not in the statistics.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("minimum" = "0s", "maximum" = "168h"))]
    pub warmup: Duration,
    /// Length of the load after every fault is healed; the system must serve again in it.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("minimum" = "0s", "maximum" = "168h"))]
    pub recovery: Duration,
    /// The time without load before the final reads, in which nodes that exchange what they know may come to agree.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("minimum" = "0s", "maximum" = "168h"))]
    pub quiet: Duration,
    /// The time after which an unanswered operation ends with an unknown outcome.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "jiff::SignedDuration", extend("minimum" = "1ms", "maximum" = "168h"))]
    pub timeout: Duration,
    /// The time after which an unanswered command is sent again, to the next replica and under the same name, so that a
    /// sound store applies it once; less than `timeout`. Absent: every operation is sent once.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional"
    )]
    #[schemars(with = "Option<jiff::SignedDuration>", extend("exclusiveMinimum" = "0s"))]
    pub retry: Option<Duration>,
    /// Which node a client asks next: whether it leaves its node after an error. Final reads and the attempts of `retry` go
    /// to every node all the same.
    pub route: Route,
    /// The number of keys; they are named `k1`, `k2`, ….
    #[schemars(range(min = 1, max = KEYS_MAX))]
    pub keys: u32,
    /// The distribution from which keys are drawn.
    pub key_distribution: KeyDistribution,
    /// The weight of each function, for example `{ read = 3, write = 1 }`; a function that is not named is not used.
    /// Absent: the mix of the workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mix: Option<BTreeMap<String, u32>>,
    /// Operations a second that must succeed, or the verdict is unknown; at most `rate`.
    #[schemars(range(min = 0.0))]
    pub minimum_rate: f64,
    /// Whether each value is written once in the run, so that a read identifies the write that it saw.
    pub unique_values: bool,
    /// With unique-values = false: the number of different values, `0` to `values - 1`. Absent: 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub values: Option<u32>,
    /// Workloads list-append and rw-register: the steps of a transaction, at most. Absent: 4. Clients of kind http and resp have
    /// no transactions: there it is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = STEPS))]
    pub txn_length: Option<u32>,
    /// Workloads list-append and rw-register: the most writes of one key. A new key then takes its place for all clients, so that
    /// lists stay short, and a long run does not record ever longer ones. Absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_writes_per_key: Option<u32>,
    /// Whether every operation is recorded and checked. If false, operations are only counted and timed, by clients that
    /// use little processor time: for measurements of speed with `bench sweep`.
    pub record: bool,
    /// With record = false and workload = "kv": the length of written values in bytes. Absent: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = VALUE_MAX))]
    pub value_bytes: Option<u32>,
}

impl Default for LoadSpec {
    fn default() -> Self {
        Self {
            workload: Workload::Register,
            clients: 10,
            rate: None,
            arrivals: Arrivals::Even,
            duration: Duration::from_secs(10),
            warmup: Duration::from_secs(1),
            recovery: Duration::from_secs(3),
            quiet: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            retry: None,
            route: Route::default(),
            keys: 8,
            key_distribution: KeyDistribution::Uniform,
            mix: None,
            minimum_rate: 1.0,
            unique_values: true,
            values: None,
            txn_length: None,
            max_writes_per_key: None,
            record: true,
            value_bytes: None,
        }
    }
}

/// How the moments at which operations of an open loop are due are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// One every `1 / rate` seconds.
    Even,
    /// With independent exponential gaps of that mean, as from many users who do not know each other.
    Poisson,
}

/// How the keys are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyDistribution {
    /// Each key as often as any other.
    Uniform,
    /// Key number `n` with weight `1 / n`: few keys get most of the operations.
    Zipf,
}

/// A value of the section that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SpecError {
    /// The key inside the section, for example `clients` or `mix.raed`.
    pub field: String,
    /// What is wrong with it and what it could be.
    pub message: String,
}

/// The error of a field unless its condition holds.
fn require(holds: bool, field: &str, message: impl FnOnce() -> String) -> Result<(), SpecError> {
    if holds { Ok(()) } else { Err(SpecError { field: field.to_owned(), message: message() }) }
}

impl LoadSpec {
    /// Refuses values that cannot be meant: no clients, a rate of 0, weights that are all 0, ….
    pub fn validate(&self) -> Result<(), SpecError> {
        require((1..=CLIENTS_MAX).contains(&self.clients), "clients", || {
            format!("{} clients; it should be 1 to {CLIENTS_MAX}", self.clients)
        })?;
        require((1..=KEYS_MAX).contains(&self.keys), "keys", || {
            format!("{} keys; it should be 1 to {KEYS_MAX}", self.keys)
        })?;
        self.validate_rate()?;
        for (field, duration, least) in [
            ("duration", self.duration, Duration::from_millis(1)),
            ("warmup", self.warmup, Duration::ZERO),
            ("recovery", self.recovery, Duration::ZERO),
            ("quiet", self.quiet, Duration::ZERO),
            ("timeout", self.timeout, Duration::from_millis(1)),
        ] {
            require(duration >= least && duration <= DURATION_MAX, field, || {
                let least = if least.is_zero() { "0s" } else { "1ms" };
                format!("{duration:?} is out of range; it should be {least} to 168h")
            })?;
        }
        require(self.retry.is_none_or(|retry| !retry.is_zero() && retry < self.timeout), "retry", || {
            format!(
                "{:?} must be above 0 and below the timeout of {:?}",
                self.retry.unwrap_or_default(),
                self.timeout
            )
        })?;
        require(!self.unique_values || self.values.is_none(), "values", || {
            "only has a meaning with unique-values = false; remove it or set that".to_owned()
        })?;
        require(self.values != Some(0), "values", || "there must be at least 1".to_owned())?;
        let tells_writes_apart = matches!(
            self.workload,
            Workload::ListAppend | Workload::RwRegister | Workload::Queue | Workload::Set | Workload::Kafka
        );
        require(self.unique_values || !tells_writes_apart, "unique-values", || {
            format!("{} must tell its writes apart; remove it or set it to true", self.workload)
        })?;
        let has_steps = matches!(self.workload, Workload::ListAppend | Workload::RwRegister);
        require(self.txn_length.is_none() || has_steps, "txn-length", || {
            format!("{} has no transactions of steps; remove it", self.workload)
        })?;
        require(
            self.txn_length.is_none_or(|length| (1..=STEPS).contains(&(length as usize))),
            "txn-length",
            || format!("a transaction has 1 to {STEPS} steps"),
        )?;
        require(self.max_writes_per_key.is_none() || has_steps, "max-writes-per-key", || {
            format!("{} has no transactions of steps; remove it", self.workload)
        })?;
        require(self.max_writes_per_key != Some(0), "max-writes-per-key", || {
            "a key is written once at least; use 1 or more, or remove it".to_owned()
        })?;
        self.validate_record()?;
        self.validate_mix()
    }

    /// The part of [`LoadSpec::validate`] about weights: an element that was never added cannot be lost, and one
    /// that is never read shows nothing.
    fn validate_mix(&self) -> Result<(), SpecError> {
        let weights = self.weights()?;
        let needed: &[(Function, &str)] = match self.workload {
            Workload::Set | Workload::GCounter | Workload::PnCounter => {
                &[(Function::Add, "without adds"), (Function::Total, "without reads")]
            }
            Workload::Kafka => &[(Function::Send, "without sends"), (Function::Poll, "without polls")],
            Workload::Lock => {
                &[(Function::Acquire, "without acquires"), (Function::Release, "without releases")]
            }
            _ => &[],
        };
        for (function, why) in needed {
            require(weights.iter().any(|(own, _)| own == function), "mix", || {
                format!("a {} {why} proves nothing; add {function} to the mix", self.workload)
            })?;
        }
        if self.workload != Workload::Queue {
            return Ok(());
        }
        require(weights.iter().any(|(function, _)| *function == Function::Enqueue), "mix", || {
            "a queue into which nothing is put proves nothing; add enqueue, as in mix = { enqueue = 3, dequeue = 2 }"
                .to_owned()
        })?;
        require(self.record, "record", || {
            "what became of each element must be recorded; remove it, or use another workload".to_owned()
        })
    }

    /// The part of [`LoadSpec::validate`] about loads that are not recorded.
    fn validate_record(&self) -> Result<(), SpecError> {
        let sized = self.value_bytes.is_none() || (!self.record && self.workload == Workload::Kv);
        require(sized, "value-bytes", || {
            "only has a meaning with workload = \"kv\" and record = false; remove it".to_owned()
        })?;
        require((1..=VALUE_MAX).contains(&self.value_bytes()), "value-bytes", || {
            format!("{} bytes; it should be 1 to {VALUE_MAX}", self.value_bytes())
        })?;
        if self.record || self.workload == Workload::Queue {
            return Ok(());
        }
        let elements = matches!(
            self.workload,
            Workload::Set
                | Workload::GCounter
                | Workload::PnCounter
                | Workload::UniqueIds
                | Workload::Echo
                | Workload::Kafka
                | Workload::Lock
        );
        require(!elements, "record", || {
            format!("{} is for loads that are recorded; remove it", self.workload)
        })?;
        require(self.rate.is_none(), "rate", || {
            "a load that is not recorded is a closed loop; remove it, or record = false".to_owned()
        })?;
        require(self.retry.is_none(), "retry", || {
            "a load that is not recorded sends everything once; remove it, or record = false".to_owned()
        })?;
        require(matches!(self.route, Route::Mixed | Route::Pinned), "route", || {
            format!(
                "clients of a load that is not recorded stay with their nodes, so it cannot be {}; remove it, or record = false",
                self.route
            )
        })?;
        let simple =
            |function: Function| function.is_read() || matches!(function, Function::Write | Function::Put);
        let other = self.weights()?.into_iter().find(|(function, _)| !simple(*function));
        require(other.is_none(), "mix", || {
            let name = other.map_or("", |(function, _)| function.name());
            format!(
                "a load that is not recorded has reads and writes only, no {name}; say which: mix = {{ put = 1 }}"
            )
        })
    }

    /// The length of the values that a load writes which is not recorded.
    pub(crate) fn value_bytes(&self) -> u32 {
        self.value_bytes.unwrap_or(100)
    }

    /// The part of [`LoadSpec::validate`] about operations a second.
    fn validate_rate(&self) -> Result<(), SpecError> {
        if let Some(rate) = self.rate {
            require((RATE_MIN..=RATE_MAX).contains(&rate), "rate", || {
                format!(
                    "{rate} operations a second; it should be {RATE_MIN} to {RATE_MAX}, or absent for a \
                     closed loop"
                )
            })?;
        }
        require(self.rate.is_some() || self.arrivals == Arrivals::Even, "arrivals", || {
            "only has a meaning with a rate; remove it or give one".to_owned()
        })?;
        require(self.minimum_rate >= 0.0 && self.minimum_rate.is_finite(), "minimum-rate", || {
            format!("{} operations a second; it should be 0 or more", self.minimum_rate)
        })?;
        let reachable = self.rate.is_none_or(|rate| self.minimum_rate <= rate);
        require(reachable, "minimum-rate", || {
            format!("{} is above the rate, so the run could never prove anything", self.minimum_rate)
        })
    }

    /// The functions of the mix with their weights; those with weight 0 are left out.
    pub fn weights(&self) -> Result<Vec<(Function, u32)>, SpecError> {
        let Some(mix) = &self.mix else {
            return Ok(self.workload.default_mix().to_vec());
        };
        let functions = self.workload.functions();
        for name in mix.keys() {
            require(
                functions.iter().any(|function| function.name() == name),
                &format!("mix.{name}"),
                || {
                    let names: Vec<_> = functions.iter().map(|function| function.name()).collect();
                    format!(
                        "the workload {} has no such function; it has {}",
                        self.workload,
                        names.join(", ")
                    )
                },
            )?;
        }
        let weight = |function: Function| mix.get(function.name()).copied().unwrap_or(0);
        let weights: Vec<_> =
            functions.iter().map(|&f| (f, weight(f))).filter(|&(_, weight)| weight > 0).collect();
        require(!weights.is_empty(), "mix", || {
            "no function has a weight above 0, so there is nothing to do".to_owned()
        })?;
        Ok(weights)
    }

    /// The number of the key with this name.
    pub(crate) fn key_number(name: &str) -> Option<u32> {
        name.strip_prefix('k')?.parse::<u32>().ok()?.checked_sub(1)
    }

    /// The name of the key with this number, counted from 0: `k1` is the first.
    pub fn key_name(number: u32) -> String {
        format!("k{}", u64::from(number) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> LoadSpec {
        toml::from_str(text).expect("the text is a load section")
    }

    #[test]
    fn a_section_is_read_with_units_and_defaults() {
        let spec = parse(
            r#"
            workload = "kv"
            rate = 500
            duration = "1m 30s"
            timeout = "250ms"
            mix = { get = 3, append = 1 }
            key-distribution = "zipf"
            arrivals = "poisson"
            minimum-rate = 20
            "#,
        );
        assert_eq!(spec.workload, Workload::Kv);
        assert_eq!(spec.rate, Some(500.0));
        assert_eq!(spec.duration, Duration::from_secs(90));
        assert_eq!(spec.timeout, Duration::from_millis(250));
        assert_eq!(spec.weights().unwrap(), [(Function::Get, 3), (Function::Append, 1)]);
        assert_eq!((spec.clients, spec.warmup), (10, Duration::from_secs(1)));
        assert_eq!(spec.validate(), Ok(()));
        assert_eq!(parse(&toml::to_string(&spec).unwrap()), spec);
        assert_eq!(parse("").validate(), Ok(()));
    }

    #[test]
    fn a_misspelt_key_is_refused_by_name() {
        let error = toml::from_str::<LoadSpec>("client = 3").unwrap_err().to_string();
        assert!(error.contains("unknown field `client`"), "{error}");
    }

    #[test]
    fn unknown_workload_is_refused_with_all_names() {
        let error = |name: &str| {
            toml::from_str::<LoadSpec>(&format!("workload = \"{name}\"")).unwrap_err().to_string()
        };
        assert!(error("bnak").contains("unknown workload \"bnak\"; there are register, kv"));
    }

    #[test]
    fn impossible_values_are_refused_with_their_field() {
        for (text, field) in [
            ("clients = 0", "clients"),
            ("clients = 10001", "clients"),
            ("keys = 0", "keys"),
            ("rate = 0", "rate"),
            ("rate = -5.0", "rate"),
            ("rate = nan", "rate"),
            ("rate = inf", "rate"),
            ("arrivals = \"poisson\"", "arrivals"),
            ("duration = \"0s\"", "duration"),
            ("duration = \"169h\"", "duration"),
            ("timeout = \"0s\"", "timeout"),
            ("minimum-rate = -1", "minimum-rate"),
            ("rate = 10\nminimum-rate = 11", "minimum-rate"),
            ("values = 5", "values"),
            ("unique-values = false\nvalues = 0", "values"),
            ("mix = { read = 0, write = 0 }", "mix"),
            ("mix = {}", "mix"),
            ("mix = { raed = 1 }", "mix.raed"),
            ("mix = { get = 1 }", "mix.get"),
            ("workload = \"queue\"\nmix = { dequeue = 1 }", "mix"),
            ("workload = \"queue\"\nrecord = false", "record"),
            ("workload = \"queue\"\nunique-values = false", "unique-values"),
            ("workload = \"set\"\nmix = { read = 1 }", "mix"),
            ("workload = \"set\"\nmix = { add = 1 }", "mix"),
            ("workload = \"pn-counter\"\nmix = { add = 1 }", "mix"),
            ("workload = \"kafka\"\nmix = { send = 1 }", "mix"),
            ("workload = \"lock\"\nmix = { acquire = 1 }", "mix"),
            ("txn-length = 1", "txn-length"),
            ("max-writes-per-key = 100", "max-writes-per-key"),
            ("workload = \"list-append\"\nmax-writes-per-key = 0", "max-writes-per-key"),
            ("workload = \"list-append\"\ntxn-length = 5", "txn-length"),
            ("workload = \"echo\"\nrecord = false", "record"),
        ] {
            let error = parse(text).validate().expect_err(text);
            assert_eq!(error.field, field, "{text}: {error}");
        }
        for text in [
            "warmup = \"0s\"",
            "recovery = \"0s\"",
            "unique-values = false\nvalues = 2",
            "rate = 0.5\nminimum-rate = 0",
            "workload = \"queue\"\nmix = { enqueue = 1 }",
        ] {
            assert_eq!(parse(text).validate(), Ok(()), "{text}");
        }
    }
}
