//! Every consistency model against its definition, and the models against each other.

use super::axioms;
use super::oracle::{bent, shown, small};
use super::written::history;
use crate::support::database::{Mode, Shape, run};
use crate::support::share::{print_counts, share};
use checker::Answer;
use checker::certificate::transactions::{Respects, Rules, confirm};
use checker::limits::Limits;
use checker::transactions::{Consistency, Options, Verdict, Workload, check, check_levels};
use history::{Operation, Outcome};
use rand::{SeedableRng, rngs::ChaCha8Rng, seq::SliceRandom};
use serde_json::Value;

/// What an order found for a model must be like, where one is found.
fn rules(workload: Workload, model: Consistency) -> Option<Rules> {
    let name = model.name();
    let snapshots = name.ends_with("snapshot-isolation") && !name.contains("parallel");
    let prefix = name.ends_with("prefix");
    let serial = name.ends_with("serializable") && name != "update-serializable" || name == "repeatable-read";
    let respects = if name.starts_with("strong-session") {
        Respects::Processes
    } else if name.starts_with("str") {
        Respects::RealTime
    } else {
        Respects::Data
    };
    (snapshots || prefix || serial).then_some(Rules {
        lists: workload == Workload::ListAppend,
        two_moments: snapshots || prefix,
        first_wins: snapshots,
        respects,
    })
}

/// Confirms the order of a valid verdict by executing it.
fn confirmed(operations: &[Operation], workload: Workload, verdict: &Verdict) {
    let Some(rules) = rules(workload, verdict.model).filter(|_| !verdict.order.is_empty()) else { return };
    if let Err(mismatch) = confirm(operations, rules, &verdict.order) {
        panic!("{}: {mismatch}\n{}", verdict.model, shown(operations, verdict));
    }
}

/// Compares every model with its definition; how many were valid and invalid.
fn compare(workload: Workload, seeds: std::ops::Range<u64>) -> [u64; 2] {
    let mut counts = [0; 2];
    for seed in seeds {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let operations = bent(small(workload, seed), &mut rng);
        let Some(holds) = axioms::models(&operations, workload) else { continue };
        for model in Consistency::ALL {
            let verdict = check(&operations, &Options { model, ..Options::new(workload) });
            // Reads of values that nobody wrote, and lists that contradict their own reader, have no definition here.
            if verdict.unsure.is_some() || undefined(&verdict, workload) {
                continue;
            }
            let valid = holds.contains(&model);
            counts[usize::from(!valid)] += 1;
            let wanted = if valid { Answer::Valid } else { Answer::Invalid };
            assert_eq!(verdict.answer, wanted, "seed {seed} {model}\n{}", shown(&operations, &verdict));
            match verdict.answer {
                Answer::Valid => confirmed(&operations, workload, &verdict),
                Answer::Invalid => contradicts_itself(&operations, workload, &verdict),
                Answer::Unknown => {}
            }
            for weaker in Consistency::ALL.into_iter().filter(|weaker| model.implies(*weaker)) {
                assert!(!valid || holds.contains(&weaker), "seed {seed}: {model} without {weaker}");
            }
        }
    }
    counts
}

/// The transactions that no order explains are invalid without all others, and without reads of these.
pub(super) fn contradicts_itself(operations: &[Operation], workload: Workload, verdict: &Verdict) {
    // Without a read, a list no longer shows an order.
    let of_registers = workload == Workload::RwRegister;
    for anomaly in
        verdict.anomalies.iter().filter(|anomaly| of_registers && anomaly.name.name().starts_with("no-"))
    {
        let wrote = |index: usize, key: &Value, value: &Value| {
            let steps = operations[index].argument.as_array().expect("steps");
            steps.iter().any(|step| step[0] != "r" && step[1] == *key && step[2] == *value)
        };
        let inside = |step: &Value| {
            let values = step[2].as_array().cloned().unwrap_or_else(|| vec![step[2].clone()]);
            let known = |value: &Value| anomaly.operations.iter().any(|index| wrote(*index, &step[1], value));
            step[0] != "r" || values.iter().all(|value| value.is_null() || known(value))
        };
        let mut part: Vec<Operation> =
            anomaly.operations.iter().map(|index| operations[*index].clone()).collect();
        for operation in &mut part {
            if let Outcome::Ok(Value::Array(steps)) = &mut operation.outcome {
                steps.retain(inside);
            }
        }
        let again = check(&part, &Options { model: verdict.model, ..Options::new(workload) });
        assert_eq!(again.answer, Answer::Invalid, "{}\n{}", verdict.model, shown(operations, verdict));
    }
}

/// What the definitions say nothing about: versions that were not written, or not for good.
fn undefined(verdict: &Verdict, workload: Workload) -> bool {
    let mut names = verdict.counts.keys().map(|name| name.name());
    names.any(|name| match name {
        "unwritten-read" | "G1a" | "G1b" | "future-read" | "dirty-update" | "duplicate-elements" => true,
        "internal" | "incompatible-order" => workload == Workload::ListAppend,
        _ => false,
    })
}

const QUICK: u64 = 6_000;

#[test]
fn registers_have_every_model_by_its_definition() {
    let [valid, invalid] = compare(Workload::RwRegister, 0..QUICK);
    assert!(valid > 2 * QUICK && invalid > QUICK / 2, "{valid} {invalid}");
}

#[test]
fn lists_have_every_model_by_its_definition() {
    let [valid, invalid] = compare(Workload::ListAppend, 0..QUICK);
    assert!(valid > 2 * QUICK && invalid > QUICK / 10, "{valid} {invalid}");
}

/// Each history counts once for each of the models.
fn compare_millions(workload: Workload) {
    let seeds = QUICK..QUICK + share() / Consistency::ALL.len() as u64;
    print_counts(&format!("{workload:?}, all models"), compare(workload, seeds));
}

#[test]
#[ignore = "millions of histories, as many as ORACLE_HISTORIES says"]
fn millions_of_lists_have_every_model_by_its_definition() {
    compare_millions(Workload::ListAppend);
}

#[test]
#[ignore = "millions of histories, as many as ORACLE_HISTORIES says"]
fn millions_of_registers_have_every_model_by_its_definition() {
    compare_millions(Workload::RwRegister);
}

#[test]
fn all_levels_agree_with_each_by_itself() {
    for workload in [Workload::ListAppend, Workload::RwRegister] {
        for seed in 0..400 {
            let operations = small(workload, seed);
            let levels = check_levels(&operations, workload, &Limits::DEFAULT);
            for level in &levels.levels {
                let alone = check(&operations, &Options { model: level.model, ..Options::new(workload) });
                assert_eq!(
                    level.answer,
                    alone.answer,
                    "seed {seed} {}\n{}",
                    level.model,
                    shown(&operations, &alone)
                );
            }
            let valid = levels.strongest_valid();
            let invalid = levels.weakest_invalid();
            assert!(valid.iter().all(|model| !invalid.iter().any(|other| model.implies(*other))));
        }
    }
}

#[test]
fn invalid_verdict_names_what_still_holds() {
    let mut named = 0;
    for workload in [Workload::ListAppend, Workload::RwRegister] {
        for seed in 0..400 {
            let operations = small(workload, seed);
            let levels = check_levels(&operations, workload, &Limits::DEFAULT);
            let asked = |weaker| check(&operations, &Options { weaker, ..Options::new(workload) });
            let (plain, verdict) = (asked(false), asked(true));
            assert_eq!(verdict.weaker.is_some(), verdict.answer == Answer::Invalid, "seed {seed}");
            let Some(weaker) = &verdict.weaker else { continue };
            for level in &weaker.levels {
                assert_eq!(level.answer, levels.answer(level.model), "seed {seed} {}", level.model);
                assert!(level.model != verdict.model && verdict.model.implies(level.model));
            }
            let weakest = weaker.weakest_invalid();
            let said = verdict.reason();
            assert_eq!(said.contains("; the weakest that "), !weakest.is_empty(), "seed {seed}: {said}");
            assert!(weakest.iter().all(|weakest| said.contains(weakest.name())), "seed {seed}: {said}");
            let strongest = weaker.strongest_valid();
            named += usize::from(!strongest.is_empty());
            assert!(strongest.iter().all(|model| verdict.reason().contains(model.name())), "seed {seed}");
            assert_eq!(
                (&plain.anomalies, &plain.counts),
                (&verdict.anomalies, &verdict.counts),
                "seed {seed}"
            );
        }
    }
    assert!(named > 50, "{named}");
}

/// The same transactions in another order of the file, all of them concurrent.
fn shuffled(operations: &[Operation], rng: &mut ChaCha8Rng) -> Vec<Operation> {
    let mut operations = operations.to_vec();
    operations.shuffle(rng);
    let count = operations.len();
    for (index, operation) in operations.iter_mut().enumerate() {
        operation.process = index as u64;
        operation.invoked = index;
        operation.completed = operation.completed.map(|_| count + index);
    }
    operations
}

#[test]
fn order_of_the_file_changes_no_answer() {
    let models = [Consistency::Serializable, Consistency::SnapshotIsolation, Consistency::Prefix];
    for (seed, mode) in (0..40).flat_map(|seed| [(seed, Mode::Serial), (seed, Mode::SnapshotIsolation)]) {
        let shape = Shape {
            workload: Workload::RwRegister,
            mode,
            transactions: 120,
            clients: 8,
            keys: 6,
            writes_per_key: 40,
            most_steps: 5,
            fail: 3,
            info: 3,
        };
        let operations = run(&shape, seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for model in models {
            let options = Options { model, ..Options::new(Workload::RwRegister) };
            let wanted = check(&operations, &options).answer;
            assert_ne!(wanted, Answer::Unknown, "seed {seed} {mode:?} {model}");
            for _ in 0..3 {
                let other = shuffled(&operations, &mut rng);
                assert_eq!(check(&other, &options).answer, wanted, "seed {seed} {mode:?} {model}");
            }
        }
    }
}

/// The verdict on a history of registers under a model.
fn judge(model: Consistency, text: &str) -> Verdict {
    check(&history(text), &Options { model, ..Options::new(Workload::RwRegister) })
}

fn excluded(model: Consistency, weaker: Consistency, name: &str, text: &str) {
    let verdict = judge(model, text);
    assert_eq!(verdict.answer, Answer::Invalid, "{model}\n{}", verdict.reason());
    assert!(verdict.anomalies.iter().any(|anomaly| anomaly.name.name() == name), "{}", verdict.reason());
    let verdict = judge(weaker, text);
    assert_eq!(verdict.answer, Answer::Valid, "{weaker}\n{}", verdict.evidence().join("\n"));
}

#[test]
fn repeatable_read_forbids_two_values_of_one_key() {
    let text = "w x 1\nw x 2\nr x 1; r x 2";
    excluded(Consistency::RepeatableRead, Consistency::MonotonicAtomicView, "internal", text);
}

#[test]
fn monotonic_view_differs_from_read_committed() {
    let text = "w x 1; w y 1\nr y 1; r x nil";
    excluded(Consistency::MonotonicAtomicView, Consistency::ReadCommitted, "non-monotonic-view", text);
    let before = "w x 1; w y 1\nr x nil; r y 1";
    excluded(Consistency::ReadAtomic, Consistency::MonotonicAtomicView, "fractured-read", before);
}

#[test]
fn session_guarantees_see_their_own_process() {
    use Consistency as C;
    let own = "p1 0..1 w x 1\np1 2..3 r x nil";
    excluded(C::ReadYourWrites, C::MonotonicReads, "missed-own-write", own);
    let back = "w x 1\nr x 1; w x 2\np1 0..1 r x 2\np1 2..3 r x 1";
    excluded(C::MonotonicReads, C::ReadYourWrites, "non-monotonic-read", back);
    let writes = "p1 0..1 w x 1\np1 2..3 w y 1\nr y 1; r x nil";
    excluded(C::MonotonicWrites, C::MonotonicReads, "non-monotonic-write", writes);
    let later = "p1 0..1 w x 1\np1 2..3 r y 1; r x nil; w x 2\np1 4..5 w y 1";
    excluded(C::MonotonicWrites, C::MonotonicReads, "non-monotonic-write", later);
    let follow = "w x 1\np1 0..1 r x 1\np1 2..3 w y 1\nr y 1; r x nil";
    excluded(C::WritesFollowReads, C::MonotonicWrites, "write-before-read", follow);
}

#[test]
fn causes_are_seen_across_processes() {
    let text = "p1 0..1 w x 1\np1 2..3 w y 1\np2 4..5 r y 1; w z 1\np3 6..7 r z 1; r x nil";
    excluded(Consistency::Causal, Consistency::StrongSessionReadAtomic, "missed-cause", text);
}

#[test]
fn long_fork_is_parallel_snapshot_isolation() {
    let text = "w x 1\nw y 1\nr x 1; r y nil\nr x nil; r y 1";
    let weaker = [Consistency::ParallelSnapshotIsolation, Consistency::UpdateSerializable];
    for model in weaker {
        assert_eq!(judge(model, text).answer, Answer::Valid, "{model}");
    }
    for model in [Consistency::Prefix, Consistency::SnapshotIsolation] {
        assert_eq!(judge(model, text).answer, Answer::Invalid, "{model}");
    }
}
