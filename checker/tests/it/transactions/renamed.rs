//! How values are stored does not change a verdict: whatever keys and values are called, the answer is the same.

use super::written::transaction;
use checker::transactions::{Consistency, Options, Verdict, Workload, check};
use history::{Operation, Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Names for small numbers, of every way in which values are stored.
const NAMES: [fn(u32) -> Value; 8] = [
    |number| json!(number),
    |number| json!(u64::from(number) + (1 << 40)),
    |number| json!(u64::MAX - u64::from(number)),
    |number| json!(-1 - i64::from(number)),
    |number| json!(format!("v{number}")),
    |number| json!(f64::from(number) - 0.5),
    |number| json!([number, [null, true]]),
    |number| json!({"a": number, "b": []}),
];

/// A read of elements, or a write of one.
#[derive(Debug, Clone)]
enum Step {
    Read(u32, Vec<u32>),
    Write(u32, u32),
}

#[derive(Debug, Clone)]
struct Txn {
    process: u64,
    times: (usize, usize),
    steps: Vec<Step>,
    outcome: u32,
}

impl Txn {
    fn operation(&self, workload: Workload, name: fn(u32) -> Value) -> Operation {
        let step = |step: &Step| match (step, workload) {
            (Step::Read(key, found), Workload::ListAppend) => {
                json!(["r", name(*key), found.iter().map(|value| name(*value)).collect::<Value>()])
            }
            (Step::Read(key, found), Workload::RwRegister) => {
                json!(["r", name(*key), found.last().map(|value| name(*value))])
            }
            (Step::Write(key, value), Workload::ListAppend) => json!(["append", name(*key), name(*value)]),
            (Step::Write(key, value), Workload::RwRegister) => json!(["w", name(*key), name(*value)]),
        };
        let steps: Value = self.steps.iter().map(step).collect();
        let outcome = match self.outcome {
            0 => Outcome::Fail { error: None, actual: None },
            1 => Outcome::Info { error: None },
            _ => Outcome::Ok(steps.clone()),
        };
        transaction(self.process, self.times, steps, outcome)
    }
}

fn step() -> impl Strategy<Value = Step> {
    let ascending = (0u32..5).prop_map(|length| (0..length).collect::<Vec<_>>());
    let any = prop::collection::vec(0u32..6, 0..4);
    prop_oneof![
        3 => (0u32..2, ascending).prop_map(|(key, found)| Step::Read(key, found)),
        1 => (0u32..2, any).prop_map(|(key, found)| Step::Read(key, found)),
        3 => (0u32..2, 0u32..6).prop_map(|(key, value)| Step::Write(key, value)),
    ]
}

fn txn() -> impl Strategy<Value = Txn> {
    (0u64..4, (0usize..30, 0usize..30), prop::collection::vec(step(), 0..4), 0u32..8)
        .prop_map(|(process, times, steps, outcome)| Txn { process, times, steps, outcome })
}

/// What a verdict says, without the names of keys and values.
fn without_names(verdict: &Verdict) -> impl PartialEq + std::fmt::Debug + use<> {
    let anomalies: Vec<_> = verdict
        .anomalies
        .iter()
        .map(|anomaly| {
            let kinds: Vec<_> = anomaly.edges.iter().map(|edge| edge.kind).collect();
            (anomaly.name, anomaly.operations.clone(), kinds)
        })
        .collect();
    let is_open = verdict.unsure.is_some();
    (verdict.answer, verdict.keys, verdict.counts.clone(), verdict.excluded.clone(), anomalies, is_open)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn names_do_not_change_verdicts(txns in prop::collection::vec(txn(), 0..10)) {
        for workload in [Workload::ListAppend, Workload::RwRegister] {
            for model in [Consistency::StrictSerializable, Consistency::Causal] {
                let options = Options { model, ..Options::new(workload) };
                let verdict = |name: fn(u32) -> Value| {
                    let operations: Vec<_> = txns.iter().map(|txn| txn.operation(workload, name)).collect();
                    check(&operations, &options)
                };
                let plain = without_names(&verdict(NAMES[0]));
                for name in &NAMES[1..] {
                    prop_assert_eq!(&without_names(&verdict(*name)), &plain, "{}", name(0));
                }
            }
        }
    }
}
