//! How nodes came back: by a new process, or by catching up.

use super::figures::{load, note, observed};
use super::fixture::MS;
use crate::Recovery;
use crate::observed::Observed;
use crate::recovery::recoveries;
use crate::samples::Sample;
use history::{Kind, Phase};

fn sample(time: u64, node: &str, pid: u32, applied: u64) -> Sample {
    Sample {
        time_ns: time * MS,
        node: node.into(),
        up: true,
        pid: Some(pid),
        slot_out: Some(applied + 1),
        ..Sample::default()
    }
}

/// A fault that hits n2 from 1 s to 2 s, while n1 applies a slot a millisecond.
fn run(of_n2: Vec<Sample>) -> Observed {
    let nemesis = vec![note(1000, "start", &["gone"]), note(2000, "end", &["back"])];
    let operations = [(Phase::Load, 0, 0, Some(5), Kind::Ok)];
    let mut observed = observed(&operations, nemesis, Some(load(&[(Phase::Load, 0, 3000)])));
    observed.samples = (0..60).map(|tick| sample(50 * tick, "n1", 1, 50 * tick)).chain(of_n2).collect();
    observed.samples.sort_by_key(|sample| sample.time_ns);
    observed
}

fn only(observed: &Observed) -> Recovery {
    let mut all = recoveries(observed);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn a_new_process_says_where_decisions_came_from() {
    let sampled = |time, level_us| Sample {
        from_log: Some(948),
        from_peers: Some(1103),
        level_us,
        ..sample(time, "n2", 9, 2051)
    };
    let recovery =
        only(&run(vec![sample(960, "n2", 2, 955), sampled(2050, None), sampled(2100, Some(110_400))]));
    assert_eq!(
        recovery.sentence,
        "n2 is level 0.11 s after its start: 948 decisions from its own log, 1,103 from its peers; it had applied 955 \
         before the fault"
    );
    assert_eq!((recovery.restarted, recovery.level_ns), (true, Some(2100 * MS)));
}

#[test]
fn a_process_that_lived_on_catches_up() {
    let paused = vec![sample(960, "n2", 2, 955), sample(2010, "n2", 2, 960), sample(2150, "n2", 2, 2140)];
    let recovery = only(&run(paused));
    let sentence =
        "n2 is level 0.15 s after the heal: 2,140 slots applied; it had applied 955 before the fault";
    assert_eq!((recovery.sentence.as_str(), recovery.restarted), (sentence, false));
}

#[test]
fn a_node_that_kept_up_has_no_recovery() {
    let kept_up = (0..60).map(|tick| sample(50 * tick, "n2", 2, (50 * tick).saturating_sub(90)));
    assert_eq!(recoveries(&run(kept_up.collect())), []);
}

#[test]
fn another_system_is_level_when_as_far() {
    let etcd = |time, applied| Sample { pid: None, ..sample(time, "n2", 0, applied) };
    let recovery = only(&run(vec![etcd(960, 955), etcd(2200, 1500), etcd(2250, 2249)]));
    assert_eq!((recovery.level_ns, recovery.from_own_log), (Some(2250 * MS), None));
    let new = vec![sample(960, "n2", 2, 955), sample(2200, "n2", 3, 955), sample(2250, "n2", 3, 2249)];
    let recovery = only(&run(new));
    assert_eq!((recovery.restarted, recovery.level_after_s), (true, Some(0.05)));
}

#[test]
fn a_node_that_is_never_level_says_so() {
    let behind = vec![sample(960, "n2", 2, 955), sample(2050, "n2", 2, 960), sample(2950, "n2", 2, 1200)];
    let recovery = only(&run(behind));
    assert!(
        recovery.sentence.starts_with("n2 was not level by the end of the run: 1,200 slots"),
        "{recovery:?}"
    );
    assert_eq!(recovery.level_after_s, None);
}

#[test]
fn next_fault_ends_the_wait() {
    let behind = vec![sample(960, "n2", 2, 955), sample(2050, "n2", 2, 960), sample(2150, "n2", 2, 1200)];
    let mut observed = run(behind);
    let mut second = observed.faults[0].clone();
    (second.fault, second.start_ns, second.end_ns) = (2, Some(2200 * MS), Some(2300 * MS));
    observed.faults.push(second);
    let recovery = only(&observed);
    assert!(recovery.sentence.starts_with("n2 was not level when fault 2 hit it: 1,200"), "{recovery:?}");
    assert_eq!(recovery.hit_again_by, Some(2));
}

#[test]
fn node_that_stays_down_has_no_recovery_from_later_faults() {
    let mut observed = run(vec![sample(960, "n2", 2, 955)]);
    observed.samples.push(Sample { up: false, slot_out: None, ..sample(2900, "n2", 2, 0) });
    assert_eq!(recoveries(&observed), []);
}
