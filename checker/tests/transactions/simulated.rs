//! Databases whose promise is known: what they keep is never excluded, what they break is found.

use crate::database::{Mode, Shape, run};
use checker::transactions::{Answer, Consistency, Options, Verdict, Workload, check};
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
        assert_eq!(verdict.answer, Answer::Valid, "{workload:?} {mode:?} seed {seed}\n{}", told(&verdict));
        names.extend(verdict.counts.keys().map(|name| name.name()));
    }
    names
}

fn told(verdict: &Verdict) -> String {
    format!("{}\n{}", verdict.reason(), verdict.evidence().join("\n"))
}

#[test]
fn a_serial_database_has_no_anomaly() {
    for workload in BOTH {
        assert_eq!(found(workload, Mode::Serial, Consistency::StrictSerializable), BTreeSet::new());
    }
}

#[test]
fn a_large_history_of_a_serial_database_is_valid() {
    for workload in BOTH {
        let shape = Shape { transactions: 5_000, clients: 20, keys: 10, ..shape(workload, Mode::Serial) };
        let verdict = check(&run(&shape, 1), &Options::new(workload));
        assert_eq!(verdict.answer, Answer::Valid, "{}", told(&verdict));
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
