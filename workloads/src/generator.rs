//! Draws the next operation of a client: a function of seed, client and index only, but for keys that are replaced after a
//! number of writes of all clients.

use crate::operation::{Function, Operation};
use crate::spec::{KeyDistribution, LoadSpec, SpecError, Workload};
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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
    /// Micro-operations of a transaction, at most.
    steps: usize,
    /// The most writes of a key, before a new one takes its place.
    most: Option<u32>,
    /// How many writes all clients have drawn for each key and for those that took its place.
    writes: Vec<AtomicU64>,
}

/// Micro-operations of a transaction, at most.
pub(crate) const STEPS: usize = 4;

/// What is added to a counter is below this; a counter that also goes down gets numbers above the negative of it, too.
const DELTAS: u64 = 5;

/// How a key is drawn.
#[derive(Debug)]
enum Keys {
    Uniform(u32),
    Weighted(u32, WeightedIndex<f64>),
}

impl Keys {
    /// How many there are.
    fn count(&self) -> u32 {
        match self {
            Self::Uniform(keys) | Self::Weighted(keys, _) => *keys,
        }
    }
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
                let weights = WeightedIndex::new(weights).expect("every key has a weight above 0");
                Keys::Weighted(spec.keys, weights)
            }
        };
        Ok(Self {
            workload: spec.workload,
            clients: spec.clients,
            functions,
            weights: WeightedIndex::new(weights).expect("a mix has a weight above 0"),
            keys,
            values: (!spec.unique_values).then_some(spec.values.unwrap_or(5)),
            steps: spec.txn_length.map_or(STEPS, |length| length as usize),
            most: spec.max_writes_per_key,
            writes: (0..spec.max_writes_per_key.map_or(0, |_| spec.keys))
                .map(|_| AtomicU64::new(0))
                .collect(),
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
    /// Its micro-operations, as keys and whether they write; for a transfer, the second account.
    steps: [Option<(u32, bool)>; STEPS],
    workload: Workload,
    /// How many keys there are.
    keys: u32,
}

impl Generator {
    /// The operations of the client with this number (from 0) and this seed (see
    /// [`client_seeds`](crate::client_seeds)).
    pub fn new(choices: Arc<Choices>, client: u32, client_seed: u64) -> Self {
        Self { choices, rng: ChaCha8Rng::seed_from_u64(client_seed), client, index: 0, last_key: None }
    }

    /// What else a transaction or a transfer needs; nothing is drawn for other operations.
    fn steps(&mut self, function: Function) -> [Option<(u32, bool)>; STEPS] {
        let mut steps = [None; STEPS];
        let count = match function {
            Function::Txn => self.rng.random_range(1..=self.choices.steps),
            Function::Transfer => 1,
            Function::Read
            | Function::Write
            | Function::Cas
            | Function::Get
            | Function::Put
            | Function::Delete
            | Function::Append
            | Function::Total
            | Function::Enqueue
            | Function::Dequeue
            | Function::Add
            | Function::Generate
            | Function::Echo
            | Function::Send
            | Function::Poll
            | Function::Acquire
            | Function::Release => 0,
        };
        for step in &mut steps[..count] {
            let (first, writes) = (self.key(function), self.rng.random_bool(0.5));
            *step = Some((self.successor(first, writes), writes));
        }
        steps
    }

    /// The key that stands for `first` now; a write counts for it.
    ///
    /// All clients count together, or those that are faster would go on to keys of their own, where nothing conflicts.
    fn successor(&self, first: u32, writes: bool) -> u32 {
        let Choices { most, writes: counts, keys, .. } = &*self.choices;
        let Some(most) = most else { return first };
        let count = &counts[first as usize];
        let count = if writes { count.fetch_add(1, Relaxed) } else { count.load(Relaxed) };
        let generation = u32::try_from(count / u64::from(*most)).unwrap_or(u32::MAX);
        first.saturating_add(generation.saturating_mul(keys.count()))
    }

    /// The key of the next operation. Half of all `cas` go to the key this client used last, where it may
    /// know what it finds; with many clients the others hardly ever succeed.
    fn key(&mut self, function: Function) -> u32 {
        let drawn = match &self.choices.keys {
            Keys::Uniform(keys) => self.rng.random_range(0..*keys),
            Keys::Weighted(_, weights) => {
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
        let steps = self.steps(function);
        self.index += 1;
        Some(Draft {
            function,
            key,
            number,
            steps,
            workload: self.choices.workload,
            keys: self.choices.keys.count(),
        })
    }
}

impl Draft {
    /// The operation. `observed` is the value the client last saw under the key, null if it saw none;
    /// only a `cas` uses it.
    pub fn operation(self, observed: &Value) -> Operation {
        let number = || match self.workload {
            Workload::Kv => json!(self.number.to_string()),
            Workload::Register
            | Workload::ListAppend
            | Workload::RwRegister
            | Workload::Bank
            | Workload::Queue
            | Workload::Set
            | Workload::Kafka
            | Workload::Lock => json!(self.number),
            Workload::GCounter => json!(self.number % DELTAS),
            Workload::PnCounter => {
                json!((self.number % (2 * DELTAS + 1)).cast_signed() - DELTAS.cast_signed())
            }
            Workload::Echo => json!(format!("Please echo {}", self.number)),
            Workload::UniqueIds => Value::Null,
        };
        let argument = match self.function {
            Function::Txn => return self.transaction(),
            Function::Transfer => return self.transfer(),
            Function::Total | Function::Generate => return self.without_key(Value::Null),
            Function::Poll => return self.without_key(json!([["poll"]])),
            Function::Send => {
                let key = LoadSpec::key_name(self.key);
                return self.without_key(json!([["send", key, self.number]]));
            }
            Function::Add | Function::Echo => return self.without_key(number()),
            // Into what it asks of a lock, the client puts itself.
            Function::Acquire
            | Function::Release
            | Function::Read
            | Function::Get
            | Function::Delete
            | Function::Dequeue => Value::Null,
            Function::Write | Function::Put | Function::Enqueue => number(),
            Function::Cas => json!([observed, number()]),
            // The comma keeps appended numbers apart, so that a read tells which appends it saw.
            Function::Append => json!(format!(",{}", self.number)),
        };
        Operation { function: self.function, key: LoadSpec::key_name(self.key), argument }
    }

    /// Its micro-operations; every number is written once in the run, or drawn once if values are not unique.
    fn transaction(self) -> Operation {
        let write = if self.workload == Workload::ListAppend { "append" } else { "w" };
        let steps = (0..).zip(self.steps.into_iter().flatten()).map(|(index, (key, writes))| {
            let key = LoadSpec::key_name(key);
            if writes {
                json!([write, key, self.number * STEPS as u64 + index])
            } else {
                json!(["r", key, null])
            }
        });
        Operation { function: Function::Txn, key: String::new(), argument: steps.collect() }
    }

    /// A transfer of a little, to another account than the one it comes from, where there is another.
    fn transfer(self) -> Operation {
        let to = self.steps[0].map_or(self.key, |(key, _)| key);
        let to = if to == self.key { (to + 1) % self.keys } else { to };
        let [from, to] = [self.key, to].map(LoadSpec::key_name);
        let argument = json!({ "from": from, "to": to, "amount": 1 + self.number % 5 });
        Operation { function: Function::Transfer, key: String::new(), argument }
    }

    fn without_key(self, argument: Value) -> Operation {
        Operation { function: self.function, key: String::new(), argument }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::client_seeds;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, HashSet};

    fn drafts(spec: &LoadSpec, seed: u64, client: u32) -> Generator {
        let choices = Arc::new(Choices::new(spec).expect("the spec is possible"));
        Generator::new(choices, client, client_seeds(seed, spec.clients)[client as usize])
    }

    fn any_spec() -> impl Strategy<Value = LoadSpec> {
        (prop::sample::select(&Workload::ALL[..]), 1_u32..8, 1_u32..40, any::<bool>()).prop_map(
            |(workload, clients, keys, zipf)| LoadSpec {
                workload,
                clients,
                keys,
                key_distribution: if zipf { KeyDistribution::Zipf } else { KeyDistribution::Uniform },
                ..LoadSpec::default()
            },
        )
    }

    proptest! {
        #[test]
        fn seed_decides_the_stream(spec in any_spec(), seed: u64) {
            let first: Vec<_> = drafts(&spec, seed, 0).take(60).collect();
            let again: Vec<_> = drafts(&spec, seed, 0).take(60).collect();
            let other: Vec<_> = drafts(&spec, seed ^ 1, 0).take(60).collect();
            prop_assert_eq!(&first, &again);
            // Requests for unique ids are all the same, and so are echoes under one key.
            let alike = matches!(spec.workload, Workload::UniqueIds | Workload::Echo);
            prop_assert!(first != other || alike);
        }

        #[test]
        fn no_number_is_drawn_twice_in_a_run(spec in any_spec(), seed: u64) {
            let mut numbers = HashSet::new();
            for client in 0..spec.clients {
                for draft in drafts(&spec, seed, client).take(100) {
                    prop_assert!(draft.key < spec.keys);
                    prop_assert!(numbers.insert(draft.number), "{} twice", draft.number);
                }
            }
        }
    }

    #[test]
    fn keys_are_replaced_after_most_writes() {
        for workload in [Workload::ListAppend, Workload::RwRegister] {
            let spec = LoadSpec {
                workload,
                clients: 3,
                keys: 2,
                max_writes_per_key: Some(7),
                ..LoadSpec::default()
            };
            let choices = Arc::new(Choices::new(&spec).unwrap());
            let client = |client| Generator::new(Arc::clone(&choices), client, u64::from(client));
            let mut clients: Vec<_> = (0..3).map(client).collect();
            let (mut writes, mut last) = (BTreeMap::new(), [0; 2]);
            for _ in 0..100 {
                for draft in clients.iter_mut().map(|client| client.next().unwrap()) {
                    for (key, is_write) in draft.steps.into_iter().flatten() {
                        // Every client reads and writes the newest key of its place.
                        let newest = &mut last[key as usize % 2];
                        assert!(key >= *newest, "{key} after {newest}");
                        *newest = key;
                        *writes.entry(key).or_insert(0) += u32::from(is_write);
                    }
                }
            }
            assert!(writes.len() > 20 && writes.values().all(|count| *count <= 7), "{writes:?}");
            assert!(writes.values().filter(|count| **count == 7).count() + 4 >= writes.len(), "{writes:?}");
        }
    }

    #[test]
    fn functions_come_as_often_as_the_mix_says() {
        let mut counts = BTreeMap::new();
        for draft in drafts(&LoadSpec::default(), 3, 0).take(10_000) {
            *counts.entry(draft.function).or_insert(0_u32) += 1;
        }
        assert!((3_800..4_200).contains(&counts[&Function::Read]), "{counts:?}");
        assert!((3_800..4_200).contains(&counts[&Function::Write]), "{counts:?}");
        assert!((1_800..2_200).contains(&counts[&Function::Cas]), "{counts:?}");
    }

    #[test]
    fn zipf_prefers_the_first_keys_and_uniform_none() {
        let share = |key_distribution| {
            let spec = LoadSpec { key_distribution, keys: 10, ..LoadSpec::default() };
            drafts(&spec, 5, 0).take(10_000).filter(|draft| draft.key == 0).count()
        };
        let (zipf, uniform) = (share(KeyDistribution::Zipf), share(KeyDistribution::Uniform));
        assert!((3_100..3_750).contains(&zipf), "1 / 2.93 of 10,000 expected, got {zipf}");
        assert!((850..1_150).contains(&uniform), "a tenth of 10,000 expected, got {uniform}");
    }

    #[test]
    fn repeated_values_use_the_whole_domain() {
        let spec = LoadSpec { unique_values: false, values: Some(3), ..LoadSpec::default() };
        let numbers: HashSet<_> = drafts(&spec, 5, 0).take(100).map(|draft| draft.number).collect();
        assert_eq!(numbers, HashSet::from([0, 1, 2]));
    }

    #[test]
    fn arguments_have_the_shape_of_their_function() {
        let steps = [Some((0, true)), Some((1, false)), None, None];
        let draft = |workload, function| Draft { function, key: 2, number: 9, steps, workload, keys: 3 };
        let argument = |workload, function| draft(workload, function).operation(&json!("was")).argument;
        let (register, kv) = (Workload::Register, Workload::Kv);
        assert_eq!(argument(register, Function::Read), Value::Null);
        assert_eq!(argument(register, Function::Write), json!(9));
        assert_eq!(argument(register, Function::Cas), json!(["was", 9]));
        assert_eq!(argument(kv, Function::Get), Value::Null);
        assert_eq!(argument(kv, Function::Put), json!("9"));
        assert_eq!(argument(kv, Function::Delete), Value::Null);
        assert_eq!(argument(kv, Function::Cas), json!(["was", "9"]));
        assert_eq!(argument(kv, Function::Append), json!(",9"));
        assert_eq!(argument(Workload::Queue, Function::Enqueue), json!(9));
        assert_eq!(argument(Workload::Queue, Function::Dequeue), Value::Null);
        assert_eq!(draft(kv, Function::Get).operation(&Value::Null).key, "k3");
        let steps = json!([["append", "k1", 36], ["r", "k2", null]]);
        assert_eq!(argument(Workload::ListAppend, Function::Txn), steps);
        let transfer = json!({"from": "k3", "to": "k1", "amount": 5});
        assert_eq!(argument(Workload::Bank, Function::Transfer), transfer);
    }
}
