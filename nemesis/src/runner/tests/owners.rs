//! Nodes that know whose data they have, and end by themselves where these are not their own or not whole.

use super::*;
use std::path::Path;

/// A lab of nodes that write their name into their folder once, and start on nothing but that.
async fn lab_of_owners(nodes: usize, folder: &Path) -> Arc<Lab> {
    let lab = Arc::new(empty_lab(nodes, Network::Host).await);
    let names: Vec<String> = lab.topology().names().map(str::to_owned).collect();
    for node in names {
        let own = folder.join(&node);
        let data = own.join("data");
        std::fs::create_dir_all(&data).unwrap();
        let script = format!(
            "cd {}; [ -f name ] || printf {node}-is-here > name; [ $(cat name) = {node}-is-here ] || exit 7; exec sleep 1000",
            data.display()
        );
        lab.spawn(&node, shell(&script, &own)).await.unwrap();
        while std::fs::read(data.join("name")).unwrap_or_default().len() < 10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    lab
}

#[tokio::test]
async fn nodes_with_the_disks_of_one_another_end_by_themselves_and_have_their_own_back_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab_of_owners(3, folder.path()).await;
    let mut exits = lab.take_exits().unwrap();
    let specs = serde_json::json!([{"kind": "disk-swap", "target": "all", "at": "0s", "for": "100ms"}]);
    let record = &carry_out(specs, &lab, None, &Notes::new()).await[0];
    let told = |word: &str| record.evidence.iter().filter(|line| line.contains(word)).count();
    assert_eq!((told("ended by signal 9"), told("ended by itself: exit code 7")), (3, 3), "{record:#?}");
    assert!(
        record.evidence.contains(&"n1: has the data of n3: 10 bytes, files: 1".to_owned()),
        "{record:#?}"
    );
    assert!(record.healed && record.healing[0] == "each has its own data again", "{record:#?}");
    assert_eq!(exits.recv().await.unwrap().excuse.as_deref(), Some("fault 1 (disk-swap)"));
    assert!(lab.gone().is_empty());
    for node in ["n1", "n2", "n3"] {
        let name = std::fs::read_to_string(folder.path().join(node).join("data/name")).unwrap();
        assert_eq!(name, format!("{node}-is-here"));
    }
    lab.stop().await.unwrap();
}

#[tokio::test]
async fn a_node_that_stays_down_after_damage_counts_against_the_budget_until_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab_of_owners(3, folder.path()).await;
    let specs = serde_json::json!([
        {"kind": "bit-flip", "target": "n1", "at": "0s", "for": "50ms"},
        {"kind": "kill", "target": "n2", "after": {"fault": 1, "by": "1s"}, "for": "50ms"},
        {"kind": "kill", "target": "n1", "after": {"fault": 1, "by": "900ms"}, "for": "50ms"},
    ]);
    let specs: Vec<FaultSpec> = serde_json::from_value(specs).unwrap();
    let at_most = Some(AtMost::Minority);
    let options = PlanOptions {
        mode: lab.mode(),
        disk: lab.disk(),
        clocks: Clocks::Shiftable,
        duration: Duration::from_millis(2500),
        at_most,
        reconfigurable: true,
        seed: 7,
    };
    let planned = plan(&specs, lab.topology(), &options).unwrap();
    let recorder = Notes::new() as Arc<dyn Recorder>;
    let (directory, never) = (Arc::new(Leader(None)), std::future::pending());
    let records = run(&planned, Arc::clone(&lab), directory, recorder, Instant::now(), at_most, never).await;
    let [flip, other, same] = &records[..] else { panic!("{records:#?}") };
    assert!(flip.healed && flip.healing[1].contains("exit code 7"), "{flip:#?}");
    assert!(other.started.is_none() && other.notes[0].contains("2 of 3 nodes, and 1 may be"), "{other:#?}");
    assert!(same.started.is_some(), "it is down already: {same:#?}");
    lab.stop().await.unwrap();
}
