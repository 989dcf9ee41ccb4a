//! Whatever a history holds, a check answers.

use checker::elements::{Kind, Options, check_with};
use history::{Operation, Outcome, Phase};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(u64::MAX)),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9ü]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 16, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[0-3]|from|to|amount", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let f = prop::sample::select(vec![
        "add", "read", "incr", "decr", "enqueue", "dequeue", "drain", "generate", "transfer", "write",
        "insert", "send", "poll", "assign", "echo", "",
    ]);
    let outcome = prop_oneof![
        4 => any_value().prop_map(Outcome::Ok),
        1 => prop::option::of("empty|timeout").prop_map(|error| Outcome::Fail { error, actual: None }),
        1 => Just(Outcome::Info { error: None }),
    ];
    let indexes = (0_usize..12, prop::option::weighted(0.9, 0_usize..12));
    let times = (any::<u64>(), prop::option::of(any::<u64>()));
    let key = prop::option::weighted(0.2, "[ab]");
    (f, any_value(), outcome, indexes, times, key, any::<bool>()).prop_map(
        |(f, argument, outcome, (invoked, completed), (invoked_ns, completed_ns), key, last)| Operation {
            process: 0,
            client: None,
            f: f.to_owned(),
            key,
            argument,
            outcome,
            invoked,
            completed,
            intended_ns: None,
            invoked_ns,
            completed_ns,
            node: None,
            phase: last.then_some(Phase::Final),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_history_makes_a_check_panic_and_every_answer_has_a_reason(
        operations in prop::collection::vec(any_operation(), 0..24),
        linearizable in any::<bool>(),
        total in prop::option::of(any::<i64>()),
    ) {
        let options = Options { linearizable, total, ..Options::default() };
        for kind in Kind::ALL {
            let verdict = check_with(kind, &operations, &options);
            prop_assert!(!verdict.reason.is_empty());
            let _ = serde_json::to_string(&verdict).expect("a verdict can be written");
            for line in verdict.evidence(&operations) {
                prop_assert!(!line.is_empty() && !line.contains('\n'));
            }
            for finding in &verdict.findings {
                prop_assert!(!finding.operations.is_empty());
                prop_assert!(finding.operations.iter().all(|index| *index < operations.len()));
            }
        }
    }
}
