//! Databases whose promise is known: what they keep is never excluded, what they break is found.

use crate::support::database::{Mode, Shape, run};
use crate::support::planted::{Planted, plant};
use checker::Answer;
use checker::transactions::{Consistency, Options, Verdict, Workload, check};
use std::collections::BTreeSet;

const BOTH: [Workload; 2] = [Workload::ListAppend, Workload::RwRegister];

fn shape(workload: Workload, mode: Mode) -> Shape {
    Shape {
        workload,
        mode,
        transactions: 60,
        clients: 5,
        keys: 3,
        writes_per_key: 12,
        most_steps: 4,
        fail: 5,
        info: 5,
    }
}

/// The names of all anomalies over many seeds; `kept` is the model that no history may exclude.
fn found(workload: Workload, mode: Mode, kept: Consistency) -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    for seed in 0..150 {
        let operations = run(&shape(workload, mode), seed);
        let verdict = check(&operations, &Options { model: kept, ..Options::new(workload) });
        assert_eq!(verdict.answer, Answer::Valid, "{workload:?} {mode:?} seed {seed}\n{}", shown(&verdict));
        names.extend(verdict.counts.keys().map(|name| name.name()));
    }
    names
}

fn shown(verdict: &Verdict) -> String {
    format!("{}\n{}", verdict.reason(), verdict.evidence().join("\n"))
}

#[test]
fn a_serial_database_has_no_anomaly() {
    for workload in BOTH {
        assert_eq!(found(workload, Mode::Serial, Consistency::StrictSerializable), BTreeSet::new());
    }
}

/// The verdict on a large history of a serial database with something planted in its middle or near its end.
fn planted(workload: Workload, planted: Planted) -> Verdict {
    let shape = Shape {
        transactions: 10_000,
        clients: 20,
        keys: 10,
        writes_per_key: 100,
        ..shape(workload, Mode::Serial)
    };
    check(&plant(run(&shape, 42), workload, planted), &Options::new(workload))
}

#[test]
fn a_large_history_of_a_serial_database_is_valid() {
    for workload in BOTH {
        let verdict = planted(workload, Planted::Nothing);
        assert_eq!(verdict.answer, Answer::Valid, "{}", shown(&verdict));
    }
}

#[test]
fn each_cycle_of_two_in_a_large_history_is_found_once_and_explained() {
    for workload in BOTH {
        let verdict = planted(workload, Planted::Cycles);
        let found: Vec<_> = verdict.counts.iter().map(|(name, &count)| (name.name(), count)).collect();
        assert_eq!(found, [("G1c", 1), ("G-single", 1), ("G2-item", 1)], "{}", shown(&verdict));
        for (anomaly, kinds) in verdict.anomalies.iter().zip([["wr", "wr"], ["wr", "rw"], ["rw", "rw"]]) {
            assert_eq!(anomaly.operations.len(), 2, "{}", shown(&verdict));
            let precedes = |(from, to, kind)| format!("T{from} precedes T{to} ({kind}): ");
            for edge in [(1, 2, kinds[0]), (2, 1, kinds[1])].map(precedes) {
                let shown = anomaly.explanation.iter().any(|line| line.starts_with(&edge));
                assert!(shown, "{edge}{:?}", anomaly.explanation);
            }
        }
    }
}

#[test]
fn a_read_that_missed_what_was_long_committed_is_found_near_the_end_of_a_large_history() {
    for workload in BOTH {
        let verdict = planted(workload, Planted::StaleRead);
        assert_eq!(verdict.answer, Answer::Invalid);
        let names: BTreeSet<_> = verdict.counts.keys().map(|name| name.name()).collect();
        assert!(names.contains("G-single-realtime"), "{}", shown(&verdict));
        assert!(
            verdict.weakest_excluded.iter().all(|model| model.name().starts_with("str")),
            "{}",
            shown(&verdict)
        );
    }
}

#[test]
fn snapshot_isolation_has_write_skew_and_nothing_worse() {
    for workload in BOTH {
        let names = found(workload, Mode::SnapshotIsolation, Consistency::StrongSnapshotIsolation);
        assert!(names.contains("G2-item"), "{names:?}");
        assert!(names.iter().all(|name| name.starts_with("G2-item")), "{names:?}");
    }
}

#[test]
fn read_committed_has_lost_updates_and_skewed_reads_and_nothing_worse() {
    for workload in BOTH {
        let names = found(workload, Mode::ReadCommitted, Consistency::StrongReadCommitted);
        for name in ["G-single", "lost-update", "internal"] {
            assert!(names.contains(name), "{workload:?} {name} {names:?}");
        }
    }
}

#[test]
fn stale_reads_break_only_what_real_time_promises() {
    for workload in BOTH {
        let names = found(workload, Mode::StaleReads, Consistency::Serializable);
        assert!(names.contains("G-single-realtime"), "{names:?}");
        assert!(
            names.iter().all(|name| name.ends_with("-realtime") || name.ends_with("-process")),
            "{names:?}"
        );
    }
}

#[test]
fn a_snapshot_that_commits_over_others_loses_updates() {
    let names = found(Workload::RwRegister, Mode::LostUpdate, Consistency::ReadCommitted);
    assert!(names.contains("lost-update"), "{names:?}");
    let mut names = BTreeSet::new();
    for seed in 0..50 {
        let operations = run(&shape(Workload::ListAppend, Mode::LostUpdate), seed);
        let verdict = check(&operations, &Options::new(Workload::ListAppend));
        names.extend(verdict.counts.keys().map(|name| name.name()));
    }
    assert!(names.contains("lost-update") && names.contains("incompatible-order"), "{names:?}");
}

#[test]
fn failed_writes_that_stay_are_aborted_reads_and_dirty_updates() {
    for workload in BOTH {
        let names = found(workload, Mode::AbortedReads, Consistency::ReadUncommitted);
        assert!(names.contains("G1a"), "{names:?}");
        assert_eq!(names.contains("dirty-update"), workload == Workload::ListAppend, "{names:?}");
    }
}
