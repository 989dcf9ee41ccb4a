//! Faults of disks, and faults that wait for a sync or the start of a process.

use super::*;
use std::path::Path;

/// Runs a test in a lab of its own, with two nodes that write and sync again and again.
fn with_writing_nodes(test: &str, body: impl AsyncFnOnce(&Arc<Testbed>, &Path)) {
    if !crate::network::inside_a_lab_of_its_own(test) || !crate::network::disk_possible(test) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let testbed = Arc::new(empty_testbed(2, Network::Lab).await);
        for node in ["n1", "n2"] {
            let own = folder.path().join(node);
            let data = own.join("data");
            std::fs::create_dir_all(&data).unwrap();
            let write = "dd if=/dev/zero of=log bs=64 count=1 conv=notrunc,fsync status=none; sync .";
            let script = format!("cd {}; while :; do {write}; done", data.display());
            testbed.spawn(node, shell(&script, &own)).await.unwrap();
        }
        body(&testbed, folder.path()).await;
    });
}

#[test]
fn faults_start_in_a_sync_and_with_a_process() {
    let test = "runner::tests::disks::faults_start_in_a_sync_and_with_a_process";
    with_writing_nodes(test, async |testbed, _| {
        let specs = serde_json::json!([
            {"kind": "pause", "target": "n1", "when": "n1 syncs 4", "for": "20ms"},
            {"kind": "power-loss", "target": "n2", "when": "any syncs 12", "for": "100ms"},
            {"kind": "kill", "target": "n1", "when": "n2 starts", "for": "100ms"},
            {"kind": "kill", "target": "n2", "when": "any starts 2", "for": "100ms"},
        ]);
        let records = carry_out(specs, testbed, None, &Notes::new()).await;
        for record in &records {
            println!("{}: {:?} | {:?} | {:?}", record.label, record.evidence, record.healing, record.notes);
            assert!(!record.evidence.is_empty() && record.healed, "{record:#?}");
        }
        let open = "1 sync open when it struck: log for ";
        let shows = |index: usize, word: &str| records[index].evidence.iter().any(|line| line.contains(word));
        assert!(shows(0, &format!("n1: {open}")), "{:#?}", records[0]);
        assert!(shows(1, open), "{:#?}", records[1]);
        let started = |index: usize| records[index].started.unwrap();
        assert!(started(1) < started(2) && started(2) < started(3), "{records:#?}");
        testbed.stop().await.unwrap();
    });
}

#[test]
fn disk_faults_take_effect_and_heal() {
    let test = "runner::tests::disks::disk_faults_take_effect_and_heal";
    with_writing_nodes(test, async |testbed, folder| {
        let notes = Notes::new();
        let specs = serde_json::json!([
            {"kind": "power-loss", "target": "all", "at": "300ms", "for": "100ms"},
            {"kind": "slow-sync", "delay": {"mean": "20ms", "jitter": "5ms"}, "target": "n1", "at": "700ms", "for": "200ms"},
            {"kind": "sync-error", "target": "n2", "at": "1s", "for": "100ms"},
            {"kind": "full", "target": "all", "at": "1200ms", "for": "100ms"},
            {"kind": "torn-write", "target": "all", "at": "1500ms", "for": "100ms"},
            {"kind": "slow-sync", "delay": "1h", "target": "n1", "at": "1700ms", "for": "300ms"},
            {"kind": "kill", "target": "n1", "at": "1800ms", "for": "50ms"},
            {"kind": "lose-node", "target": "n2", "at": "2s", "for": "100ms"},
            {"kind": "power-loss", "during": "sync", "target": "all", "at": "2300ms", "for": "100ms"},
            {"kind": "kill", "during": "sync", "target": "n1", "at": "2700ms", "for": "100ms"},
            {"kind": "hold", "target": "n2", "at": "3s", "for": "200ms"},
            {"kind": "crash-image", "target": "n1", "at": "3400ms", "for": "1500ms"},
        ]);
        let records = carry_out(specs, testbed, None, &notes).await;
        assert_eq!(records.len(), 12);
        for record in &records {
            println!("{}: {:?} | {:?} | {:?}", record.label, record.evidence, record.healing, record.notes);
            assert!(!record.evidence.is_empty() && record.healed, "{record:#?}");
        }
        let shows = |index: usize, word: &str| records[index].evidence.iter().any(|line| line.contains(word));
        assert!(
            shows(0, " before, ") && shows(1, "delayed") && shows(2, "got EIO") && shows(3, "got ENOSPC")
        );
        assert!(shows(4, "the one sector that was being written, at 0, "), "{:#?}", records[4]);
        let open = "1 sync open when it struck: log for ";
        // A node that comes late to its sync on a busy machine is not waited for.
        assert!(shows(8, &format!("n1: {open}")) || shows(8, &format!("n2: {open}")), "{:#?}", records[8]);
        assert!(
            shows(9, &format!("n1: {open}")) && shows(9, "64 bytes of it not durable"),
            "{:#?}",
            records[9]
        );
        assert!(shows(10, "n2: 1 sync held") && shows(10, "n2: open: log for "), "{:#?}", records[10]);
        assert!(shows(11, "crash image "), "{:#?}", records[11]);
        assert!(records[11].healing.iter().any(|line| line.contains("n1: ")), "{:#?}", records[11]);
        testbed.stop().await.unwrap();
        let log = std::fs::read(folder.join("n1/data/log")).unwrap();
        assert_eq!(log, [0; 64], "the content in memory is in the folder");
    });
}
