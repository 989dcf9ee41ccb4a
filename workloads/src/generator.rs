//! Which operation a client does next: a function of seed, client and index, and of nothing that happens.

use crate::operation::{Function, Operation};
use crate::spec::{KeyDistribution, LoadSpec, SpecError, Workload};
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::sync::Arc;

/// What the operations of a load are drawn from; all clients share it.
#[derive(Debug)]
pub struct Choices {
    workload: Workload,
    clients: u32,
    functions: Vec<Function>,
    weights: WeightedIndex<u64>,
    keys: Keys,
    /// How many values there are, where they are not unique.
    values: Option<u32>,
}

/// How a key is drawn.
#[derive(Debug)]
enum Keys {
    Uniform(u32),
    Weighted(WeightedIndex<f64>),
}

impl Choices {
    /// What this spec draws from; refuses what [`LoadSpec::validate`] refuses.
    ///
    /// # Panics
    /// Never: weights that cannot be drawn from were refused before.
    pub fn new(spec: &LoadSpec) -> Result<Self, SpecError> {
        spec.validate()?;
        let (functions, weights): (Vec<_>, Vec<_>) =
            spec.weights()?.into_iter().map(|(function, weight)| (function, u64::from(weight))).unzip();
        let keys = match spec.key_distribution {
            KeyDistribution::Uniform => Keys::Uniform(spec.keys),
            KeyDistribution::Zipf => {
                let weights = (1..=spec.keys).map(|rank| 1.0 / f64::from(rank));
                Keys::Weighted(WeightedIndex::new(weights).expect("every key has a weight above 0"))
            }
        };
        Ok(Self {
            workload: spec.workload,
            clients: spec.clients,
            functions,
            weights: WeightedIndex::new(weights).expect("a mix has a weight above 0"),
            keys,
            values: (!spec.unique_values).then_some(spec.values.unwrap_or(5)),
        })
    }
}

/// The operations of one client, one after the other.
#[derive(Debug)]
pub struct Generator {
    choices: Arc<Choices>,
    rng: ChaCha8Rng,
    client: u32,
    index: u64,
    last_key: Option<u32>,
}

/// An operation as it is drawn; a `cas` still lacks what it expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft {
    /// What it does.
    pub function: Function,
    /// The number of its key, counted from 0.
    pub key: u32,
    /// What it writes, if it writes anything.
    pub number: u64,
    workload: Workload,
}

impl Generator {
    /// The operations of the client with this number (from 0) and this seed (see
    /// [`client_seeds`](crate::client_seeds)).
    pub fn new(choices: Arc<Choices>, client: u32, client_seed: u64) -> Self {
        Self { choices, rng: ChaCha8Rng::seed_from_u64(client_seed), client, index: 0, last_key: None }
    }

    /// The key of the next operation. Half of all `cas` go to the key this client used last, where it may
    /// know what it finds; with many clients the others hardly ever succeed.
    fn key(&mut self, function: Function) -> u32 {
        let drawn = match &self.choices.keys {
            Keys::Uniform(keys) => self.rng.random_range(0..*keys),
            Keys::Weighted(weights) => {
                u32::try_from(weights.sample(&mut self.rng)).expect("there are at most u32::MAX keys")
            }
        };
        let again = function == Function::Cas && self.rng.random_bool(0.5);
        let key = self.last_key.filter(|_| again).unwrap_or(drawn);
        self.last_key = Some(key);
        key
    }
}

impl Iterator for Generator {
    type Item = Draft;

    /// The next operation; there is always one.
    fn next(&mut self) -> Option<Draft> {
        let function = self.choices.functions[self.choices.weights.sample(&mut self.rng)];
        let key = self.key(function);
        let number = match self.choices.values {
            Some(values) => u64::from(self.rng.random_range(0..values)),
            None => 1 + u64::from(self.client) + u64::from(self.choices.clients) * self.index,
        };
        self.index += 1;
        Some(Draft { function, key, number, workload: self.choices.workload })
    }
}

impl Draft {
    /// The operation. `observed` is the value the client last saw under the key, null if it saw none;
    /// only a `cas` uses it.
    pub fn operation(self, observed: &Value) -> Operation {
        let number = || match self.workload {
            Workload::Register => json!(self.number),
            Workload::Kv => json!(self.number.to_string()),
        };
        let argument = match self.function {
            Function::Read | Function::Get | Function::Delete => Value::Null,
            Function::Write | Function::Put => number(),
            Function::Cas => json!([observed, number()]),
            // The comma keeps appended numbers apart, so that a read tells which appends it saw.
            Function::Append => json!(format!(",{}", self.number)),
        };
        Operation { function: self.function, key: LoadSpec::key_name(self.key), argument }
    }
}
