//! Evidence of link faults comes from the nodes' own traffic, never from the bench's probes alone.

use super::*;

const LINK_FAULTS: [&str; 4] = ["partition", "one-way", "delay", "rate"];

/// One fault of each kind that proxies support, one after another.
fn one_of_each() -> Value {
    serde_json::json!([
        {"kind": "partition", "target": "n1", "at": "0s", "for": "200ms"},
        {"kind": "one-way", "from": "n1", "to": "n2", "at": "700ms", "for": "200ms"},
        {"kind": "delay", "delay": "5ms", "at": "1400ms", "for": "200ms"},
        {"kind": "rate", "rate": "1kB", "at": "2100ms", "for": "200ms"},
    ])
}

#[tokio::test]
async fn faults_on_silent_proxies_have_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(quiet_testbed_of(2, Network::Proxy, folder.path()).await);
    let notes = Notes::new();
    let records = carry_out(one_of_each(), &testbed, None, &notes).await;
    assert_eq!(records.len(), LINK_FAULTS.len());
    for record in &records {
        assert!(record.evidence.is_empty() && record.healed, "{record:#?}");
        assert!(record.notes.iter().any(|note| note.contains("no traffic of n1–n2 met the ")), "{record:#?}");
        assert!(record.notes.iter().any(|note| note.contains("network = \"lab\"")), "{record:#?}");
    }
    let ends = notes.values("end");
    assert!(ends.iter().all(|end| end["met"] == false), "{ends:#?}");
    testbed.stop().await.unwrap();
}

#[tokio::test]
async fn connections_dialled_into_a_cut_meet_it() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(quiet_testbed_of(2, Network::Proxy, folder.path()).await);
    let specs = serde_json::json!([{"kind": "partition", "target": "n1", "at": "0s", "for": "400ms"}]);
    let dialled = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        tokio::net::TcpStream::connect(testbed.peer_address("n1", "n2")).await.unwrap()
    };
    let notes = Notes::new();
    let (records, _stream) = tokio::join!(carry_out(specs, &testbed, None, &notes), dialled);
    assert!(!records[0].evidence.is_empty(), "{records:#?}");
    assert!(records[0].healing[0].contains("1 connection dialled"), "{records:#?}");
    testbed.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn faults_on_silent_links_have_no_evidence() {
    if !crate::network::inside_a_lab_of_its_own("runner::tests::met::faults_on_silent_links_have_no_evidence")
    {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let testbed = Arc::new(quiet_testbed_of(3, Network::Lab, folder.path()).await);
        let mut specs = one_of_each();
        let more = serde_json::json!([
            {"kind": "flaky", "loss": "50%", "at": "2800ms", "for": "100ms"},
            {"kind": "partition", "target": "n2", "how": "refuse", "at": "4500ms", "for": "100ms"},
            {"kind": "swizzle", "at": "5s", "for": "300ms"},
        ]);
        specs.as_array_mut().unwrap().extend(more.as_array().unwrap().iter().cloned());
        let records = carry_out(specs, &testbed, None, &Notes::new()).await;
        assert_eq!(records.len(), 7);
        for record in &records {
            assert!(record.evidence.is_empty() && record.healed, "{record:#?}");
            assert!(record.notes.iter().any(|note| note.contains("no traffic of n1–n2")), "{record:#?}");
        }
        let links = testbed.links();
        let between = links.iter().filter(|one| one.link.from != "clients" && one.link.to != "clients");
        for one in between {
            assert_eq!(one.counters.chunks, 0, "a probe was counted on {}", one.link);
        }
        testbed.stop().await.unwrap();
    });
}
