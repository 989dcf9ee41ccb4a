//! Names of kinds, and refusals of impossible faults with their reasons.

use super::*;
use crate::clock::Clocks;
use crate::disk::DiskMode;
use crate::network::Mode;
use crate::plan::Reported;

fn in_words(complaint: &Complaint) -> String {
    format!("{}; {}", complaint.reason, complaint.help.as_deref().unwrap_or_default())
}

fn options(mode: Mode, disk: DiskMode, clocks: Clocks) -> PlanOptions {
    let duration = std::time::Duration::from_secs(1);
    PlanOptions {
        mode,
        disk,
        clocks,
        duration,
        at_most: None,
        by_command: None,
        reconfigurable: true,
        reported: Reported::ALL,
        simulated: false,
        seed: 7,
    }
}

#[test]
fn every_kind_has_a_word_and_network() {
    for kind in Kind::ALL {
        let entry = kind.entry();
        assert_eq!(entry.name.parse(), Ok(*kind));
        assert!(!entry.modes.is_empty(), "{}", entry.name);
    }
}

#[test]
fn a_misspelt_kind_gets_the_nearest_one() {
    let error = "partion".parse::<Kind>().unwrap_err();
    assert!(error.contains("did you mean `partition`"), "{error}");
}

#[test]
fn packet_faults_need_the_lab() {
    let reason = "loss"
        .parse::<Kind>()
        .unwrap()
        .available(&options(Mode::Proxy, DiskMode::Real, Clocks::Shiftable))
        .unwrap_err();
    assert!(in_words(&reason).contains("network = \"lab\""), "{reason:?}");
}

#[test]
fn sync_faults_need_a_memory_disk() {
    let reason =
        Kind::PowerLoss.available(&options(Mode::Lab, DiskMode::Real, Clocks::Shiftable)).unwrap_err();
    assert!(in_words(&reason).contains("disk = \"memory\""), "{reason:?}");
    assert_eq!(Kind::PowerLoss.available(&options(Mode::Lab, DiskMode::Memory, Clocks::Shiftable)), Ok(()));
    assert_eq!(Kind::BitFlip.available(&options(Mode::Host, DiskMode::Real, Clocks::Shiftable)), Ok(()));
}

#[test]
fn unshiftable_clock_is_refused_with_the_reason() {
    let clocks = Clocks::True("tracing is forbidden");
    let reason = Kind::Jump.available(&options(Mode::Host, DiskMode::Real, clocks)).unwrap_err();
    assert!(in_words(&reason).contains("tracing is forbidden"), "{reason:?}");
    assert_eq!(Kind::Kill.available(&options(Mode::Host, DiskMode::Real, clocks)), Ok(()));
}

#[test]
fn network_faults_need_a_network() {
    let reason =
        Kind::Partition.available(&options(Mode::Host, DiskMode::Real, Clocks::Shiftable)).unwrap_err();
    assert!(in_words(&reason).contains("network = \"proxy\""), "{reason:?}");
    assert_eq!(Kind::Kill.available(&options(Mode::Host, DiskMode::Real, Clocks::Shiftable)), Ok(()));
}

#[test]
fn members_that_the_bench_cannot_change_are_refused() {
    let mut options = options(Mode::Host, DiskMode::Real, Clocks::Shiftable);
    assert_eq!(Kind::Reconfigure.available(&options), Ok(()));
    options.reconfigurable = false;
    let reason = Kind::Reconfigure.available(&options).unwrap_err();
    assert!(in_words(&reason).contains("[members]"), "{reason:?}");
}
