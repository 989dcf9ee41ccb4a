//! The whole protocol in virtual time: clusters that lose, repeat, delay and reorder messages, crash with
//! unsynced records, and are cut apart; every promise is checked, and known flaws must break one.

mod world;

use node::config::{Backoff, BackoffKind, Leadership, PaxosOptions};
use node::flaw::Flaw;
use world::{Outcome, World};

fn options(leadership: Leadership, flaws: &[Flaw]) -> PaxosOptions {
    PaxosOptions { leadership, flaw: flaws.to_vec(), window: 20, ..PaxosOptions::default() }
}

fn broken_promises(
    options: &PaxosOptions,
    seeds: std::ops::Range<u64>,
) -> impl Iterator<Item = (u64, String)> {
    let outcome = move |seed| match World::new(if seed % 2 == 0 { 5 } else { 3 }, options, seed).run() {
        Outcome::Kept { decided } => {
            assert!(
                decided > 20,
                "seed {seed}: only {decided} commands were decided; the test shows nothing"
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
fn competing_leaders_keep_every_promise() {
    assert_eq!(broken_promises(&options(Leadership::Compete, &[]), 1000..1040).next(), None);
}

#[test]
fn additive_increase_keeps_every_promise_too() {
    let backoff = Backoff { kind: BackoffKind::Aimd, ..Backoff::default() };
    let options = PaxosOptions { backoff, ..options(Leadership::Compete, &[]) };
    assert_eq!(broken_promises(&options, 2000..2020).next(), None);
}

#[test]
#[ignore = "takes minutes: run it after a change to a role, with --release"]
fn thousands_of_clusters_keep_every_promise() {
    for leadership in [Leadership::Monitor, Leadership::Compete] {
        assert_eq!(broken_promises(&options(leadership, &[]), 10_000..13_000).next(), None);
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
