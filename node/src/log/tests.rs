//! The complete log: frames are read back, torn tails are cut off, damage is refused.

use super::*;
use crate::paxos::message::{Ballot, Command, NodeId, PValue};
use crate::store::Operation;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn record(slot: u64) -> Record {
    let operation = Operation::Put { key: "k".into(), value: "x".repeat(100).into() };
    let command = Arc::new(Command { client: "c".into(), sequence: slot, operation });
    Record::Accepted(PValue { ballot: Ballot { round: 1, leader: NodeId(0) }, slot, command })
}

/// Unique numbers of this process in a fixed order.
///
/// Their bytes are ASCII, so that a value can contain them.
pub(super) fn numbers() -> impl FnMut() -> u64 + Send + 'static {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    || {
        let mixed = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed & 0x7f7f_7f7f_7f7f_7f7f
    }
}

fn open(folder: &Path) -> Result<(Log, Recovered), LogError> {
    Log::open(folder, "n1", Salts::new(numbers()), &[])
}

fn write(folder: &Path, slots: std::ops::Range<u64>) {
    let (mut log, _) = open(folder).unwrap();
    for slot in slots {
        log.append(&Batch::of(&[record(slot)]), true).unwrap();
    }
}

fn read(folder: &Path) -> Recovered {
    open(folder).unwrap().1
}

fn end_of_first_segment(folder: &Path) -> (PathBuf, u64) {
    let (log, _) = open(folder).unwrap();
    (folder.join("00000001.log"), log.segment.used())
}

/// Writes all but the last 40 bytes of the next frame, like a killed process.
fn tear(folder: &Path) {
    let (log, _) = open(folder).unwrap();
    let (count, records) = (1_u64, postcard::to_stdvec(&record(99)).unwrap());
    let count = postcard::to_stdvec(&count).unwrap();
    let frame = frame::encode(log.segment.salt, log.next_frame, (&count, &records));
    change(log.segment.path(), log.segment.used(), &frame[..frame.len() - 40]);
}

/// Overwrites bytes of a file.
fn change(path: &Path, offset: u64, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

#[test]
fn records_survive_a_restart_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!read(folder.path()).existed);
    write(folder.path(), 1..4);
    write(folder.path(), 4..6);
    let recovered = read(folder.path());
    assert!(recovered.existed);
    assert_eq!(recovered.records, (1..6).map(record).collect::<Vec<_>>());
}

#[test]
fn long_log_continues_in_next_segment() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    let many: Vec<_> = (1..20_000).map(record).collect();
    for chunk in many.chunks(1_000) {
        log.append(&Batch::of(chunk), true).unwrap();
    }
    log.append(&Batch::of(&many), true).unwrap();
    let more: Vec<_> = (0..4).flat_map(|_| many.clone()).collect();
    log.append(&Batch::of(&more), true).unwrap();
    drop(log);
    assert!(
        segment::list(&Files, folder.path()).unwrap().segments.len() >= 2,
        "the test must cross a segment"
    );
    let recovered = read(folder.path());
    assert_eq!(recovered.records.len(), 6 * many.len());
    write(folder.path(), 7..8);
    assert_eq!(read(folder.path()).records.len(), 6 * many.len() + 1);
}

#[test]
fn torn_last_frame_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1..4);
    tear(folder.path());
    let recovered = read(folder.path());
    assert_eq!(recovered.records, [record(1), record(2), record(3)]);
    assert!(recovered.torn_bytes > 0);
    write(folder.path(), 9..10);
    let recovered = read(folder.path());
    assert_eq!(recovered.records, [record(1), record(2), record(3), record(9)]);
    assert_eq!(recovered.torn_bytes, 0);
}

#[test]
fn damage_before_last_frame_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1..4);
    let (path, _) = end_of_first_segment(folder.path());
    change(&path, 100, &[0xff]);
    let before = std::fs::read(&path).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, LogError::Damaged { offset: 64, .. }), "{error}");
    assert!(error.to_string().contains("00000001.log"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_missing_segment_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    let many: Vec<_> = (1..40_000).map(record).collect();
    log.append(&Batch::of(&many), true).unwrap();
    log.append(&Batch::of(&many), true).unwrap();
    drop(log);
    std::fs::remove_file(folder.path().join("00000001.log")).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, LogError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("00000001.log: missing"), "{error}");
}

#[test]
fn two_nodes_cannot_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).unwrap();
    assert!(matches!(open(folder.path()), Err(LogError::InUse { .. })));
    drop(first);
    assert!(open(folder.path()).is_ok());
}

#[test]
fn one_sync_covers_waiting_batches() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(folder.path()).unwrap();
    let (report, reports) = std::sync::mpsc::channel();
    let writer = LogWriter::start(log, move |did| report.send(did.unwrap()).unwrap());
    for number in 1..=200 {
        writer.order(LogOrder::Append { number, batch: Batch::of(&[record(number)]), sync: true });
    }
    let mut syncs = 0;
    while !matches!(reports.recv().unwrap(), LogEvent::Synced { number: 200, .. }) {
        syncs += 1;
    }
    assert!(syncs < 199, "200 batches took {syncs} syncs");
    drop(writer);
    while reports.recv().is_ok() {}
    assert_eq!(read(folder.path()).records.len(), 200);
}

pub(super) fn state(slot_out: u64) -> Vec<u8> {
    let member = crate::config::Member {
        name: "n1".into(),
        address: ([127, 0, 0, 1], 1).into(),
        roles: [crate::config::Role::Replica].into(),
    };
    let roster = crate::paxos::membership::Roster::new(&[member], "n1", 100).unwrap();
    let mut replica = crate::paxos::replica::Replica::new(roster, crate::config::PaxosOptions::default(), 1);
    for slot in 1..slot_out {
        let Record::Accepted(PValue { command, .. }) = record(slot) else { unreachable!("it is a pvalue") };
        replica.recover(slot, command);
    }
    let members = replica.membership().clone();
    crate::paxos::snapshot::encode(&members, None, None, Some(&replica)).1
}

#[test]
fn snapshot_replaces_segments_and_reuses_files() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1..4);
    let (mut log, _) = open(folder.path()).unwrap();
    let mut names = Vec::new();
    for round in 1..6_u64 {
        let before = log.bytes();
        log.append(&Batch::of(&[record(round * 10)]), true).unwrap();
        let index = log.rotate().unwrap();
        log.folder().save_snapshot(index, &state(round + 2)).unwrap();
        log.append(&Batch::of(&[record(round * 10 + 1)]), true).unwrap();
        log.remove_before(index).unwrap();
        assert!(log.bytes() <= before, "round {round}");
        names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.len() <= 7, "{names:?}");
    }
    drop(log);
    assert!(names.iter().any(|name| name.to_str().unwrap().contains("spare")), "{names:?}");
    let recovered = read(folder.path());
    assert_eq!(recovered.snapshot.unwrap().slot_out(), 7);
    assert_eq!(recovered.records, [record(51)]);
    write(folder.path(), 60..61);
    assert_eq!(read(folder.path()).records, [record(51), record(60)]);
}

#[test]
fn reused_segment_ends_at_its_own_frames() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    (1..50).for_each(|slot| log.append(&Batch::of(&[record(slot)]), true).unwrap());
    let index = log.rotate().unwrap();
    log.folder().save_snapshot(index, &state(2)).unwrap();
    log.remove_before(index).unwrap();
    log.append(&Batch::of(&[record(50)]), true).unwrap();
    log.rotate().unwrap();
    log.append(&Batch::of(&[record(51)]), true).unwrap();
    drop(log);
    let recovered = read(folder.path());
    assert_eq!(recovered.records, [record(50), record(51)]);
    assert_eq!(recovered.torn_bytes, 0);
}

#[test]
fn a_broken_snapshot_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    log.append(&Batch::of(&[record(1)]), true).unwrap();
    let index = log.rotate().unwrap();
    log.folder().save_snapshot(index, &state(2)).unwrap();
    drop(log);
    change(&folder.path().join("00000002.snapshot"), 60, &[0xff]);
    let error = open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("00000002.snapshot"), "{error}");
}

#[test]
fn an_older_format_is_refused_by_name() {
    for owner in [Some("n1"), None] {
        let folder = tempfile::tempdir().unwrap();
        let mut segment = b"benchlg1".to_vec();
        segment.resize(256 << 10, 0);
        std::fs::write(folder.path().join("00000001.log"), &segment).unwrap();
        if let Some(owner) = owner {
            std::fs::write(folder.path().join("owner"), owner).unwrap();
        }
        let error = open(folder.path()).unwrap_err();
        assert!(
            error.to_string().contains("written in format 1, and this version reads format 2 only"),
            "{error}"
        );
        assert_eq!(std::fs::read(folder.path().join("00000001.log")).unwrap(), segment);
    }
}

#[test]
fn each_segment_has_a_salt_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = open(folder.path()).unwrap();
    let mut salts = Vec::new();
    for round in 1..6_u64 {
        salts.push(log.segment.salt);
        log.append(&Batch::of(&[record(round)]), true).unwrap();
        let index = log.rotate().unwrap();
        log.folder().save_snapshot(index, &state(round + 1)).unwrap();
        log.remove_before(index).unwrap();
    }
    salts.push(log.segment.salt);
    salts.sort_unstable();
    salts.dedup();
    assert_eq!(salts.len(), 6);
}

#[test]
fn torn_frame_without_header_is_wiped() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1..3);
    let (path, end) = end_of_first_segment(folder.path());
    tear(folder.path());
    change(&path, end, &[0; 10]);
    let behind = || std::fs::read(&path).unwrap().split_off(usize::try_from(end).unwrap());
    assert!(behind().iter().any(|byte| *byte != 0));
    assert_eq!(read(folder.path()).torn_bytes, 0);
    assert!(behind().iter().all(|byte| *byte == 0), "a later frame could complete it again");
}
