//! Nodes that recognise their own data, and end by themselves on damaged data or those of other nodes.

use super::*;
use std::path::Path;

/// A testbed of nodes that write their name into their folder once, and start only on their own name.
async fn testbed_of_owners(nodes: usize, folder: &Path) -> Arc<Testbed> {
    let testbed = Arc::new(empty_testbed(nodes, Network::Host).await);
    let names: Vec<String> = testbed.topology().names().map(str::to_owned).collect();
    for node in names {
        let own = folder.join(&node);
        let data = own.join("data");
        std::fs::create_dir_all(&data).unwrap();
        let script = format!(
            "cd {}; [ -f name ] || printf {node}-is-here > name; [ $(cat name) = {node}-is-here ] || exit 7; exec sleep 1000",
            data.display()
        );
        testbed.spawn(&node, shell(&script, &own)).await.unwrap();
        while std::fs::read(data.join("name")).unwrap_or_default().len() < 10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    testbed
}

#[tokio::test]
async fn swapped_disks_return_to_their_owners() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = testbed_of_owners(3, folder.path()).await;
    let mut exits = testbed.take_exits().unwrap();
    let specs = serde_json::json!([{"kind": "disk-swap", "target": "all", "at": "0s", "for": "100ms"}]);
    let record = &carry_out(specs, &testbed, None, &Notes::new()).await[0];
    let shows = |word: &str| record.evidence.iter().filter(|line| line.contains(word)).count();
    assert_eq!((shows("ended by signal 9"), shows("ended by itself: exit code 7")), (3, 3), "{record:#?}");
    assert!(
        record.evidence.contains(&"n1: has the data of n3: 10 bytes, files: 1".to_owned()),
        "{record:#?}"
    );
    assert!(record.healed && record.healing[0] == "each has its own data again", "{record:#?}");
    assert_eq!(exits.recv().await.unwrap().excuse.as_deref(), Some("fault 1 (disk-swap)"));
    assert!(testbed.gone().is_empty());
    for node in ["n1", "n2", "n3"] {
        let name = std::fs::read_to_string(folder.path().join(node).join("data/name")).unwrap();
        assert_eq!(name, format!("{node}-is-here"));
    }
    testbed.stop().await.unwrap();
}

#[tokio::test]
async fn damaged_node_counts_against_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = testbed_of_owners(3, folder.path()).await;
    let specs = serde_json::json!([
        {"kind": "bit-flip", "target": "n1", "at": "0s", "for": "50ms"},
        {"kind": "kill", "target": "n2", "after": {"fault": 1, "by": "1s"}, "for": "50ms"},
        {"kind": "kill", "target": "n1", "after": {"fault": 1, "by": "900ms"}, "for": "50ms"},
    ]);
    let specs: Vec<FaultSpec> = serde_json::from_value(specs).unwrap();
    let at_most = Some(AtMost::Minority);
    let options = PlanOptions {
        mode: testbed.mode(),
        disk: testbed.disk(),
        clocks: Clocks::Shiftable,
        duration: Duration::from_millis(2500),
        at_most,
        by_command: None,
        reconfigurable: true,
        reported: Reported::ALL,
        simulated: false,
        seed: 7,
    };
    let planned = plan(&specs, testbed.topology(), &options).unwrap();
    let recorder = Notes::new() as Arc<dyn Recorder>;
    let (directory, never) = (Arc::new(Leader(None)), std::future::pending());
    let records =
        run(&planned, Arc::clone(&testbed), directory, recorder, Instant::now(), at_most, never).await;
    let [flip, other, same] = &records[..] else { panic!("{records:#?}") };
    assert!(flip.healed && flip.healing[1].contains("exit code 7"), "{flip:#?}");
    assert!(
        other.started.is_none() && other.notes[0].contains("2 of 3 nodes, at most 1 allowed"),
        "{other:#?}"
    );
    assert!(same.started.is_some(), "it is down already: {same:#?}");
    testbed.stop().await.unwrap();
}

/// A lab with disks in memory whose nodes write their name once, durably, and start only on it.
#[cfg(target_os = "linux")]
async fn testbed_of_durable_owners(nodes: usize, folder: &Path) -> Arc<Testbed> {
    let testbed = Arc::new(empty_testbed(nodes, crate::network::Network::Lab).await);
    let names: Vec<String> = testbed.topology().names().map(str::to_owned).collect();
    for node in names {
        let own = folder.join(&node);
        let data = own.join("data");
        std::fs::create_dir_all(&data).unwrap();
        let write = format!("printf {node}-is-here > name; sync name .; touch written");
        let script = format!(
            "cd {}; [ -f name ] || {{ {write}; }}; [ $(cat name) = {node}-is-here ] || exit 7; exec sleep 1000",
            data.display()
        );
        testbed.spawn(&node, shell(&script, &own)).await.unwrap();
        while !data.join("written").exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    testbed
}

#[cfg(target_os = "linux")]
#[test]
fn disks_are_swapped_under_other_faults() {
    let test = "runner::tests::owners::disks_are_swapped_under_other_faults";
    if !crate::network::inside_a_lab_of_its_own(test) || !crate::network::disk_possible(test) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let testbed = testbed_of_durable_owners(3, folder.path()).await;
        let specs = serde_json::json!([
            {"kind": "power-loss", "target": "n1", "at": "0s", "for": "800ms"},
            {"kind": "full", "target": "all", "at": "50ms", "for": "1200ms"},
            {"kind": "sync-error", "target": "n3", "at": "60ms", "for": "1200ms"},
            {"kind": "disk-swap", "target": ["n1", "n2"], "at": "200ms", "for": "600ms"},
            {"kind": "disk-swap", "target": ["n2", "n3"], "at": "400ms", "for": "1200ms"},
            {"kind": "pause", "target": "n2", "at": "450ms", "for": "1s"},
            {"kind": "torn-write", "target": "n2", "at": "500ms", "for": "700ms"},
            {"kind": "rolling-restart", "at": "600ms", "for": "600ms"},
        ]);
        let records = carry_out(specs, &testbed, None, &Notes::new()).await;
        assert!(records.iter().all(|record| record.healed), "{records:#?}");
        assert!(records.iter().all(|r| !r.evidence.is_empty() || !r.notes.is_empty()), "{records:#?}");
        let shows = |index: usize, word: &str| {
            let record: &FaultRecord = &records[index];
            record.evidence.iter().chain(&record.healing).any(|line| line.contains(word))
        };
        assert!(shows(3, "n1: has the data of n2: 10 bytes, files: 2"), "{records:#?}");
        assert!(shows(3, "n1: n1 stays down until fault 1 ends"), "{records:#?}");
        assert!(shows(3, "until fault 5 ends"), "not its own yet: {records:#?}");
        assert!(shows(4, "each has its own data again"), "{records:#?}");
        assert!(testbed.revive().await.unwrap().gone.is_empty());
        for node in ["n1", "n2", "n3"] {
            assert!(testbed.pid(node).await.is_some(), "{node} lives on its own data");
        }
        testbed.stop().await.unwrap();
        for node in ["n1", "n2", "n3"] {
            let name = std::fs::read_to_string(folder.path().join(node).join("data/name")).unwrap();
            assert_eq!(name, format!("{node}-is-here"));
        }
    });
}
