//! The whole protocol in virtual time: clusters that lose, repeat, delay and reorder messages, crash with
//! unsynced records, and are cut apart; every promise is checked, and known flaws must break one.

use crate::world::{Outcome, World};
use node::config::{Backoff, BackoffKind, Leadership, Lease, PaxosOptions, Read};
use node::flaw::Flaw;

fn options(leadership: Leadership, flaws: &[Flaw]) -> PaxosOptions {
    PaxosOptions {
        leadership,
        flaw: flaws.to_vec(),
        window: 20,
        keep_bytes: 2_000,
        ..PaxosOptions::default()
    }
}

fn broken_promises(
    options: &PaxosOptions,
    seeds: std::ops::Range<u64>,
) -> impl Iterator<Item = (u64, String)> {
    broken_promises_with(0, options, seeds)
}

fn broken_promises_with(
    spares: usize,
    options: &PaxosOptions,
    seeds: std::ops::Range<u64>,
) -> impl Iterator<Item = (u64, String)> {
    let size = |seed| if seed % 2 == 0 { 5 } else { 3 };
    let outcome = move |seed| match World::new(size(seed), spares, options, seed).run() {
        Outcome::Kept { decided, snapshots, .. } => {
            assert!(
                decided > 20 && snapshots > 0,
                "seed {seed}: {decided} commands decided, {snapshots} snapshots: that shows too little"
            );
            None
        }
        Outcome::Broken(why) => Some((seed, why)),
    };
    seeds.filter_map(outcome)
}

#[test]
fn a_monitored_cluster_keeps_every_promise_and_serves_again_after_the_faults() {
    assert_eq!(broken_promises(&options(Leadership::Monitor, &[]), 0..60).next(), None);
}

#[test]
fn simulated_replicas_fall_so_far_behind_that_they_are_handed_the_state() {
    let handed = |seed| match World::new(3, 0, &options(Leadership::Monitor, &[]), seed).run() {
        Outcome::Kept { transfers, .. } => transfers,
        Outcome::Broken(why) => panic!("seed {seed}: {why}"),
    };
    let handed = (0..10).map(handed).filter(|&transfers| transfers > 0).count();
    assert!(handed >= 3, "in {handed} of 10 clusters only");
}

#[test]
fn members_are_added_removed_and_replaced_while_everything_fails_and_every_promise_is_kept() {
    for (leadership, read, seeds) in [
        (Leadership::Monitor, Read::Log, 4000..4025),
        (Leadership::Compete, Read::Log, 4040..4050),
        (Leadership::Monitor, Read::Quorum, 4060..4070),
    ] {
        let options = PaxosOptions { read, ..options(leadership, &[]) };
        assert_eq!(broken_promises_with(3, &options, seeds).next(), None);
    }
}

#[test]
fn simulated_members_change_several_times_in_most_clusters() {
    let changes = |seed| match World::new(3, 3, &options(Leadership::Monitor, &[]), seed).run() {
        Outcome::Kept { changes, .. } => changes,
        Outcome::Broken(why) => panic!("seed {seed}: {why}"),
    };
    let busy = (5000..5020).map(changes).filter(|&changes| changes >= 3).count();
    assert!(busy >= 15, "in {busy} of 20 clusters only");
}

#[test]
fn simulated_nodes_talk_in_runs_of_messages() {
    let folded = |seed| match World::new(3, 0, &options(Leadership::Monitor, &[]), seed).run() {
        Outcome::Kept { folded, .. } => folded,
        Outcome::Broken(why) => panic!("seed {seed}: {why}"),
    };
    assert!((0..3).all(|seed| folded(seed) > 100));
}

#[test]
fn large_values_keep_every_promise_in_parts() {
    let parts = |seed| match World::new(3, 0, &options(Leadership::Monitor, &[]), seed).with_large().run() {
        Outcome::Kept { parts, .. } => parts,
        Outcome::Broken(why) => panic!("seed {seed}: {why}"),
    };
    assert!((6000..6012).map(parts).sum::<u64>() > 0, "every promise fitted one message");
}

#[test]
fn competing_leaders_keep_every_promise() {
    assert_eq!(broken_promises(&options(Leadership::Compete, &[]), 1000..1040).next(), None);
}

#[test]
fn additive_increase_keeps_every_promise_too() {
    for (kind, seeds) in [(BackoffKind::Aimd, 2000..2020), (BackoffKind::Paxosmmc, 2020..2040)] {
        let backoff = Backoff { kind, ..Backoff::default() };
        let options = PaxosOptions { backoff, ..options(Leadership::Compete, &[]) };
        assert_eq!(broken_promises(&options, seeds).next(), None);
    }
}

#[test]
fn quorum_reads_keep_every_promise() {
    for (leadership, seeds) in [(Leadership::Monitor, 3000..3030), (Leadership::Compete, 3030..3050)] {
        let options = PaxosOptions { read: Read::Quorum, ..options(leadership, &[]) };
        assert_eq!(broken_promises(&options, seeds).next(), None);
    }
}

/// Clusters whose clocks drift by this much and whose leaders are given up on before their leases end.
fn leased(leadership: Leadership, trusted: f64, drift: f64, flaws: &[Flaw]) -> impl Fn(usize, u64) -> World {
    let ms = std::time::Duration::from_millis;
    let options = PaxosOptions {
        read: Read::Lease,
        lease: Lease { time: ms(150), drift: trusted },
        patience: ms(50),
        ping: ms(15),
        ..options(leadership, flaws)
    };
    move |spares, seed| World::new(3, spares, &options, seed).with_drift(drift)
}

#[test]
fn reads_by_lease_keep_every_promise_while_clocks_drift_within_the_bound_and_processes_are_paused() {
    let (mut by_lease, mut clusters) = (0, 0);
    for (leadership, spares, seeds) in [
        (Leadership::Monitor, 0, 6000..6030),
        (Leadership::Monitor, 3, 6050..6070),
        (Leadership::Compete, 0, 6080..6090),
    ] {
        for seed in seeds {
            match leased(leadership, 0.2, 0.2, &[])(spares, seed).run() {
                Outcome::Kept { leased, .. } => by_lease += leased,
                Outcome::Broken(why) => panic!("seed {seed}: {why}"),
            }
            clusters += 1;
        }
    }
    assert!(by_lease > 20 * clusters, "{by_lease} reads by lease in {clusters} clusters show too little");
}

/// Whether one of many such clusters breaks a promise.
fn breaks(world: impl Fn(usize, u64) -> World) -> bool {
    (0..150).any(|seed| matches!(world(0, seed).run(), Outcome::Broken(_)))
}

#[test]
fn a_lease_held_beyond_its_time_is_caught() {
    assert!(breaks(leased(Leadership::Monitor, 0.2, 0.2, &[Flaw::LeaderKeepsLease])));
}

#[test]
fn clocks_that_drift_beyond_the_bound_are_caught() {
    assert!(breaks(leased(Leadership::Monitor, 0.0, 0.4, &[])));
}

#[test]
#[ignore = "takes minutes: run it after a change to a role, with --release"]
fn thousands_of_clusters_keep_every_promise() {
    for leadership in [Leadership::Monitor, Leadership::Compete] {
        for read in [Read::Log, Read::Quorum] {
            let options = PaxosOptions { read, ..options(leadership, &[]) };
            assert_eq!(broken_promises(&options, 10_000..11_500).next(), None);
            assert_eq!(broken_promises_with(3, &options, 20_000..21_500).next(), None);
        }
        let world = leased(leadership, 0.2, 0.2, &[]);
        for (spares, seed) in (30_000..33_000).map(|seed| (if seed % 2 == 0 { 3 } else { 0 }, seed)) {
            if let Outcome::Broken(why) = world(spares, seed).run() {
                panic!("seed {seed}: {why}");
            }
        }
    }
}

/// The flaw must break a promise for at least one of many seeds, or the simulation could not see it.
fn is_caught(flaw: Flaw, leadership: Leadership) {
    let broken = broken_promises(&options(leadership, &[flaw]), 0..150).next();
    assert!(broken.is_some(), "{flaw} was not noticed in 150 runs");
}

#[test]
fn a_minority_quorum_is_caught() {
    is_caught(Flaw::CommanderMinorityQuorum, Leadership::Monitor);
}

#[test]
fn ignored_pvalues_are_caught() {
    is_caught(Flaw::ScoutIgnoresPvalues, Leadership::Compete);
}

#[test]
fn a_command_applied_twice_is_caught() {
    is_caught(Flaw::ReplicaAppliesTwice, Leadership::Monitor);
}

#[test]
fn a_read_from_own_state_is_caught() {
    is_caught(Flaw::ReplicaReadsOwnState, Leadership::Monitor);
}

#[test]
fn an_answer_before_the_sync_is_caught() {
    is_caught(Flaw::AcceptorAnswersBeforeSync, Leadership::Compete);
}

#[test]
fn accepting_below_the_promise_is_caught() {
    is_caught(Flaw::AcceptorAcceptsBelowPromise, Leadership::Compete);
}

#[test]
fn collecting_what_one_replica_has_is_caught() {
    is_caught(Flaw::AcceptorCollectsEarly, Leadership::Monitor);
}

#[test]
fn the_pvalue_with_the_lowest_ballot_is_caught() {
    is_caught(Flaw::ScoutTakesLowestBallot, Leadership::Compete);
}

#[test]
fn a_ballot_used_again_after_a_restart_is_caught() {
    is_caught(Flaw::LeaderReusesBallot, Leadership::Compete);
}

#[test]
fn a_gap_filled_over_what_was_accepted_is_caught() {
    is_caught(Flaw::LeaderFillsGaps, Leadership::Monitor);
}

#[test]
fn applying_across_a_gap_is_caught() {
    is_caught(Flaw::ReplicaAppliesAcrossGap, Leadership::Monitor);
}

#[test]
fn an_answer_before_the_command_is_decided_is_caught() {
    is_caught(Flaw::ReplicaAnswersOnPropose, Leadership::Monitor);
}

#[test]
fn progress_told_before_it_is_on_disk_is_caught() {
    is_caught(Flaw::ReplicaTellsProgressEarly, Leadership::Monitor);
}

#[test]
fn a_snapshot_without_the_clients_results_is_caught() {
    is_caught(Flaw::SnapshotForgetsResults, Leadership::Monitor);
}

#[test]
fn a_snapshot_under_the_wrong_slot_is_caught() {
    is_caught(Flaw::SnapshotWrongSlot, Leadership::Monitor);
}

#[test]
fn segments_removed_before_the_snapshot_is_durable_is_caught() {
    is_caught(Flaw::LogRemovesEarly, Leadership::Monitor);
}

#[test]
fn new_members_that_decide_at_once_are_caught() {
    let options = options(Leadership::Monitor, &[Flaw::MembersChangeAtOnce]);
    assert!(broken_promises_with(3, &options, 0..150).next().is_some(), "it was not noticed in 150 runs");
}
