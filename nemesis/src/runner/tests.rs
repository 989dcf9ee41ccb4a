//! Whole plans on real processes: every fault hits, is recorded, and is healed.

#[cfg(target_os = "linux")]
mod disks;
mod met;
mod owners;

use super::*;
use crate::clock::Clocks;
use crate::network::Network;
use crate::plan::{PlanOptions, Reported, plan};
use crate::point::Progress;
use crate::spec::FaultSpec;
use crate::test_node::{answers, empty_testbed, quiet_testbed_of, shell, testbed_of};
use history::Event;
use serde_json::Value;
use std::pin::Pin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Records events in memory, with a clock that starts at its creation.
struct Notes {
    began: Instant,
    events: Mutex<Vec<Event>>,
}

impl Notes {
    fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), events: Mutex::default() })
    }

    /// The values of the events of this name, in order.
    fn values(&self, name: &str) -> Vec<Value> {
        let events = self.events.lock().unwrap();
        events.iter().map(|event| event.value.clone()).filter(|value| value["event"] == name).collect()
    }
}

impl Recorder for Notes {
    fn record(&self, mut event: Event) -> u64 {
        let mut events = self.events.lock().unwrap();
        event.time = self.now_ns();
        let time = event.time;
        events.push(event);
        time
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap()
    }
}

/// A directory with a constant leader.
struct Leader(Option<&'static str>);

impl Directory for Leader {
    fn leader(&self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>> {
        Box::pin(async { self.0.map(str::to_owned) })
    }

    fn clock<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Option<i64>> + Send + 'a>> {
        Box::pin(async { None })
    }

    /// Every node decides a slot at each call.
    fn progress(&self) -> Pin<Box<dyn Future<Output = Vec<Progress>> + Send + '_>> {
        let decided = ASKED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move {
            let one = |node: &str| Progress { node: node.to_owned(), decided, adopted: 1, preempted: 0 };
            ["n1", "n2"].map(one).to_vec()
        })
    }
}

/// A directory in which a node leads while it lives.
struct WhoLives {
    node: &'static str,
    testbed: Arc<Testbed>,
}

impl Directory for WhoLives {
    fn leader(&self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>> {
        Box::pin(async { self.testbed.pid(self.node).await.map(|_| self.node.to_owned()) })
    }

    fn progress(&self) -> Pin<Box<dyn Future<Output = Vec<Progress>> + Send + '_>> {
        Box::pin(async { Vec::new() })
    }

    fn clock<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Option<i64>> + Send + 'a>> {
        Box::pin(async { None })
    }
}

/// Number of progress requests.
static ASKED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

fn faults(specs: Value, testbed: &Testbed) -> Vec<PlannedFault> {
    let specs: Vec<FaultSpec> = serde_json::from_value(specs).unwrap();
    let options = PlanOptions {
        clocks: Clocks::Shiftable,
        mode: testbed.mode(),
        disk: testbed.disk(),
        duration: Duration::from_secs(60),
        at_most: None,
        by_command: None,
        reconfigurable: true,
        reported: Reported::ALL,
        simulated: false,
        seed: 7,
    };
    plan(&specs, testbed.topology(), &options).unwrap()
}

async fn carry_out(
    specs: Value,
    testbed: &Arc<Testbed>,
    leader: Option<&'static str>,
    notes: &Arc<Notes>,
) -> Vec<FaultRecord> {
    let planned = faults(specs, testbed);
    let (testbed, recorder) = (Arc::clone(testbed), Arc::clone(notes) as Arc<dyn Recorder>);
    run(&planned, testbed, Arc::new(Leader(leader)), recorder, Instant::now(), None, std::future::pending())
        .await
}

async fn all_answer(testbed: &Testbed) {
    for name in testbed.topology().names() {
        answers(testbed, name).await;
    }
    for name in testbed.topology().names() {
        for other in testbed.topology().names().filter(|other| *other != name) {
            let link = crate::partition::Link::new(name, other);
            assert!(testbed.probe(&link, Duration::from_secs(5)).await.unwrap().answered(), "{link}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn lab_network_faults_take_effect_and_heal() {
    let test = "runner::tests::lab_network_faults_take_effect_and_heal";
    if !crate::network::inside_a_lab_of_its_own(test) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let testbed = Arc::new(testbed_of(4, Network::Lab, folder.path()).await);
        let notes = Notes::new();
        let specs = serde_json::json!([
            {"kind": "kill", "target": "leader", "at": "0s", "for": "100ms"},
            {"kind": "pause", "target": "n3", "at": "400ms", "for": "100ms"},
            {"kind": "partition", "shape": "majority-ring", "at": "600ms", "for": "150ms"},
            {"kind": "one-way", "from": "n1", "to": "n3", "at": "900ms", "for": "150ms"},
            {"kind": "partition", "target": "n2", "how": "refuse", "at": "1200ms", "for": "50ms"},
            {"kind": "delay", "delay": {"mean": "20ms", "jitter": "5ms", "distribution": "pareto"},
             "at": "1500ms", "for": "200ms"},
            {"kind": "rate", "rate": "1kB", "target": "n2", "at": "1900ms", "for": "100ms"},
            {"kind": "flaky", "loss": "5%", "duplicate": 0.05, "at": "3s", "for": "100ms"},
            {"kind": "partition", "groups": [["clients", "n1"], ["n2"]], "at": "4200ms", "for": "200ms"},
            {"kind": "one-way", "from": "n4", "to": "n1", "at": "4500ms", "for": "300ms"},
            {"kind": "one-way", "from": "n1", "to": "n4", "at": "4600ms", "for": "300ms"},
        ]);
        let records = carry_out(specs, &testbed, Some("n2"), &notes).await;
        assert_eq!(records.len(), 11);
        for record in &records {
            assert!(!record.evidence.is_empty() && record.healed, "{record:#?}");
            println!("{}: {:?} | {:?} | {:?}", record.label, record.evidence, record.healing, record.notes);
        }
        let shows = |index: usize, word: &str| {
            let record: &FaultRecord = &records[index];
            record.evidence.iter().chain(&record.healing).any(|line| line.contains(word))
        };
        assert!(
            shows(2, "dropped")
                && shows(3, "n1→n3: ")
                && shows(5, "delayed")
                && shows(7, "lost")
                && shows(8, "n1→n2"),
            "{records:#?}"
        );
        all_answer(&testbed).await;
        testbed.stop().await.unwrap();
    });
}

#[tokio::test]
async fn planned_faults_take_effect_and_heal() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(testbed_of(3, Network::Proxy, folder.path()).await);
    let notes = Notes::new();
    let specs = serde_json::json!([
        {"kind": "kill", "target": "leader", "at": "0s", "for": "100ms"},
        {"kind": "pause", "target": "n3", "at": "400ms", "for": "100ms"},
        // The evidence of a cut is a probe that gets no answer in 0.1 s; on a busy machine it begins late.
        {"kind": "partition", "shape": "halves", "at": "600ms", "for": "600ms"},
        {"kind": "one-way", "from": "n1", "to": "n3", "at": "1400ms", "for": "600ms"},
        {"kind": "one-way", "from": "n2", "to": "n3", "how": "refuse", "at": "2200ms", "for": "300ms"},
        {"kind": "delay", "delay": "20ms", "at": "2700ms", "for": "400ms"},
        {"kind": "rate", "rate": "1kB", "target": "n2", "at": "3300ms", "for": "300ms"},
    ]);
    let records = carry_out(specs, &testbed, Some("n2"), &notes).await;
    assert_eq!(records.len(), 7);
    for record in &records {
        assert!(!record.evidence.is_empty() && record.healed, "{record:#?}");
        assert!(record.started.unwrap() < record.ended.unwrap());
    }
    assert_eq!(
        (records[0].label.as_str(), &records[0].nodes[..]),
        ("kill leader (n2)", &["n2".to_owned()][..])
    );
    assert!(records[0].healing[0].contains("incarnation 2"), "{:?}", records[0]);
    let (starts, ends) = (notes.values("start"), notes.values("end"));
    assert_eq!((starts.len(), ends.len()), (7, 7));
    assert!(starts.iter().all(|value| value["evidence"].as_array().is_some_and(|lines| !lines.is_empty())));
    assert_eq!(starts[0]["targets"], serde_json::json!(["n2"]));
    assert!(starts[1]["planned"].as_u64().unwrap() >= 400_000_000);
    all_answer(&testbed).await;
}

#[tokio::test]
async fn background_faults_report_and_heal() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(testbed_of(3, Network::Proxy, folder.path()).await);
    std::fs::create_dir(folder.path().join("n2")).unwrap();
    std::fs::write(folder.path().join("n2/log"), b"all it knew").unwrap();
    let specs = serde_json::json!([
        {"kind": "slow", "target": "n1", "still": "30%", "period": "50ms", "at": "0s", "for": "1s"},
        {"kind": "stop", "target": "n3", "at": "500ms", "for": "100ms"},
        {"kind": "lose-node", "target": "n2", "at": "800ms", "for": "100ms"},
        {"kind": "rolling-restart", "at": "1100ms", "for": "900ms"},
        {"kind": "restart-all", "at": "2200ms", "for": "100ms"},
        {"kind": "swizzle", "at": "2600ms", "for": "600ms"},
    ]);
    let records = carry_out(specs, &testbed, None, &Notes::new()).await;
    for record in &records {
        assert!(!record.evidence.is_empty() && record.healed, "{record:#?}");
    }
    let shows = |index: usize, word: &str| {
        let record: &FaultRecord = &records[index];
        record.evidence.iter().chain(&record.healing).any(|line| line.contains(word))
    };
    assert!(shows(0, "stood still") && !shows(0, "stood still 1 time"), "{records:#?}");
    assert!(shows(1, "signal 15") && shows(1, "incarnation 2"), "{records:#?}");
    assert!(shows(2, "its data removed: 11 bytes, files: 1"), "{records:#?}");
    assert_eq!(std::fs::read_dir(folder.path().join("n2")).unwrap().count(), 0);
    assert!(["n1: new pid", "n2: new pid", "n3: new pid"].iter().all(|word| shows(3, word)), "{records:#?}");
    assert_eq!(records[4].evidence.len(), 3, "{records:#?}");
    assert!(shows(5, "healed one by one: "), "{records:#?}");
    all_answer(&testbed).await;
    assert!(testbed.take_exits().unwrap().try_recv().is_err(), "a requested end is not reported as an exit");
}

#[tokio::test]
async fn faults_start_at_points_and_after_others() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(testbed_of(2, Network::Proxy, folder.path()).await);
    let specs = serde_json::json!([
        {"kind": "pause", "target": "n2", "after": {"fault": 2, "by": "50ms"}, "for": "50ms"},
        {"kind": "kill", "target": "n1", "when": "n2 decided 5", "for": "100ms"},
        {"kind": "kill", "target": "n1", "when": "leader adopted", "for": "100ms"},
    ]);
    let specs: Vec<FaultSpec> = serde_json::from_value(specs).unwrap();
    let options = PlanOptions {
        clocks: Clocks::Shiftable,
        mode: testbed.mode(),
        disk: testbed.disk(),
        duration: Duration::from_secs(2),
        at_most: None,
        by_command: None,
        reconfigurable: true,
        reported: Reported::ALL,
        simulated: false,
        seed: 7,
    };
    let planned = plan(&specs, testbed.topology(), &options).unwrap();
    let notes = Notes::new();
    let recorder = Arc::clone(&notes) as Arc<dyn Recorder>;
    let never = std::future::pending();
    let records =
        run(&planned, Arc::clone(&testbed), Arc::new(Leader(None)), recorder, Instant::now(), None, never)
            .await;
    let [kill, adopted, pause] = &records[..] else { panic!("{records:#?}") };
    assert!(!kill.evidence.is_empty() && kill.healed && !pause.evidence.is_empty(), "{records:#?}");
    assert!(pause.started.unwrap() >= kill.started.unwrap() + 50_000_000, "{records:#?}");
    assert!(adopted.evidence.is_empty(), "no ballot was adopted: {adopted:#?}");
    assert!(adopted.notes[0].contains("when leader adopted"), "{adopted:#?}");
    all_answer(&testbed).await;
}

#[tokio::test]
async fn budget_holds_faults_back() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(testbed_of(3, Network::Proxy, folder.path()).await);
    let specs = serde_json::json!([
        {"kind": "kill", "target": "n1", "at": "0s", "for": "300ms"},
        {"kind": "partition", "target": "n2", "at": "100ms", "for": "200ms"},
        {"kind": "delay", "delay": "1ms", "at": "150ms", "for": "100ms"},
        {"kind": "pause", "target": "n3", "at": "1500ms"},
        {"kind": "kill", "target": "leader", "at": "1600ms", "for": "100ms"},
    ]);
    let specs: Vec<FaultSpec> = serde_json::from_value(specs).unwrap();
    let at_most = Some(AtMost::Minority);
    let duration = Duration::from_secs(2);
    let (mode, disk, clocks) = (testbed.mode(), testbed.disk(), Clocks::Shiftable);
    let options = PlanOptions {
        mode,
        disk,
        clocks,
        duration,
        at_most,
        by_command: None,
        reconfigurable: true,
        reported: Reported::ALL,
        simulated: false,
        seed: 7,
    };
    let planned = plan(&specs, testbed.topology(), &options).unwrap();
    let recorder = Notes::new() as Arc<dyn Recorder>;
    let (directory, never) = (Arc::new(Leader(Some("n1"))), std::future::pending());
    let records =
        run(&planned, Arc::clone(&testbed), directory, recorder, Instant::now(), at_most, never).await;
    let [kill, cut, delay, pause, never] = &records[..] else { panic!("{records:#?}") };
    assert!(records[..4].iter().all(|record| !record.evidence.is_empty() && record.healed), "{records:#?}");
    assert!(cut.started > kill.ended && cut.notes[0].starts_with("delayed for 0."), "{records:#?}");
    assert!(cut.ended.unwrap() - cut.started.unwrap() >= 150_000_000, "it keeps its full duration: {cut:#?}");
    assert!(delay.started < kill.ended, "a fault without a lost node does not wait: {records:#?}");
    assert!(pause.notes.is_empty() && never.started.is_none(), "{records:#?}");
    assert!(never.notes[0].contains("2 of 3 nodes, at most 1 allowed"), "{never:#?}");
    all_answer(&testbed).await;
}

#[tokio::test]
async fn clock_faults_are_proved_and_survive_restarts() {
    let folder = tempfile::tempdir().unwrap();
    assert!(crate::lab_entry().is_none(), "every restartable program begins with it");
    if let Clocks::True(reason) = Clocks::choose(false) {
        assert!(std::env::var_os("BENCH_REQUIRE_ALL").is_none(), "{reason}");
        eprintln!("skipped clock_faults_are_proved_and_survive_restarts: {reason}");
        return;
    }
    let testbed = Arc::new(testbed_of(2, Network::Proxy, folder.path()).await);
    let specs = serde_json::json!([
        {"kind": "jump", "by": "-1h", "target": "n1", "at": "0s", "for": "1500ms"},
        {"kind": "kill", "target": "n1", "at": "300ms", "for": "100ms"},
        {"kind": "strobe", "by": "1s", "period": "20ms", "target": "n2", "at": "0s", "for": "300ms"},
        {"kind": "drift", "speed": 3.0, "target": "n2", "at": "600ms", "for": "300ms"},
        {"kind": "freeze", "target": "n2", "at": "1200ms", "for": "300ms"},
    ]);
    let records = carry_out(specs, &testbed, None, &Notes::new()).await;
    for record in &records {
        assert!(!record.evidence.is_empty() && record.healed, "{record:#?}");
    }
    let [strobe, jump, _, drift, freeze] = &records[..] else { panic!("{records:#?}") };
    assert!(jump.evidence[0].ends_with(" s behind"), "{jump:#?}");
    assert!(jump.healing[0].contains(" s behind, and is true"), "the new process too: {jump:#?}");
    assert!(strobe.evidence[0].contains(" s ahead in "), "{strobe:#?}");
    assert!(drift.evidence[0].contains("its clock went"), "{drift:#?}");
    assert!(freeze.evidence[0].contains("went 0.000 s"), "{freeze:#?}");
    all_answer(&testbed).await;
}

#[tokio::test]
async fn leader_faults_start_before_simultaneous_others() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(testbed_of(3, Network::Proxy, folder.path()).await);
    let specs = serde_json::json!([
        {"kind": "kill", "target": ["n2", "n3"], "at": "100ms", "for": "200ms"},
        {"kind": "delay", "delay": "5ms", "at": "100ms", "for": "200ms"},
        {"kind": "kill", "target": "leader", "at": "100ms", "for": "200ms"},
    ]);
    let planned = faults(specs, &testbed);
    let directory = Arc::new(WhoLives { node: "n2", testbed: Arc::clone(&testbed) });
    let (recorder, never) = (Notes::new() as Arc<dyn Recorder>, std::future::pending());
    let records = run(&planned, Arc::clone(&testbed), directory, recorder, Instant::now(), None, never).await;
    let [both, delay, leader] = &records[..] else { panic!("{records:#?}") };
    assert!(records.iter().all(|record| !record.evidence.is_empty() && record.healed), "{records:#?}");
    assert!(leader.started <= both.started && leader.started <= delay.started, "{records:#?}");
    all_answer(&testbed).await;
}

#[tokio::test]
async fn cuts_count_bytes_and_resets_count_connections() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(quiet_testbed_of(2, Network::Proxy, folder.path()).await);
    let mut stream = tokio::net::TcpStream::connect(testbed.peer_address("n1", "n2")).await.unwrap();
    stream.write_all(b"before").await.unwrap();
    stream.read_exact(&mut [0; 6]).await.unwrap();
    let talking = tokio::spawn(async move {
        let (mut reader, mut writer) = stream.split();
        let say = async {
            loop {
                if writer.write_all(b"hello").await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let hear = async { while matches!(reader.read(&mut [0; 64]).await, Ok(1..)) {} };
        tokio::join!(say, hear)
    });
    let specs = serde_json::json!([
        {"kind": "partition", "target": "n1", "at": "0s", "for": "200ms"},
        {"kind": "reset", "at": "500ms"},
    ]);
    let records = carry_out(specs, &testbed, None, &Notes::new()).await;
    let held = records[0].healing.iter().find(|line| line.ends_with("held")).unwrap();
    assert!(held.starts_with("n1→n2: ") && held.contains("chunks"), "{held}");
    assert_eq!(records[1].evidence, ["n1→n2: 1 connection reset"]);
    talking.await.unwrap();
}

#[tokio::test]
async fn overlapping_faults_are_all_healed() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(testbed_of(3, Network::Proxy, folder.path()).await);
    let specs = serde_json::json!([
        {"kind": "partition", "target": "n1", "at": "0s", "for": "400ms"},
        {"kind": "partition", "groups": [["n1", "n2"], ["n3"]], "at": "150ms", "for": "500ms"},
        {"kind": "pause", "target": "n2", "at": "100ms", "for": "400ms"},
        {"kind": "kill", "target": "n2", "at": "200ms", "for": "200ms"},
        {"kind": "delay", "delay": "5ms", "at": "300ms", "for": "100ms"},
    ]);
    let records = carry_out(specs, &testbed, None, &Notes::new()).await;
    assert!(records.iter().all(|record| record.healed), "{records:#?}");
    assert!(records[1].evidence[0].starts_with("state T"), "{records:#?}");
    all_answer(&testbed).await;
}

#[tokio::test]
async fn fault_without_a_leader_has_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(testbed_of(2, Network::Proxy, folder.path()).await);
    let notes = Notes::new();
    let specs = serde_json::json!([{"kind": "kill", "target": "leader", "at": "0s", "for": "50ms"}]);
    let records = carry_out(specs, &testbed, None, &notes).await;
    assert!(records[0].evidence.is_empty() && records[0].notes[0].contains("no node led"), "{records:?}");
    let start = &notes.values("start")[0];
    assert_eq!(start["evidence"], serde_json::json!([]));
    assert!(start["note"].as_str().unwrap().contains("no node led"));
    all_answer(&testbed).await;
}

#[tokio::test]
async fn cancelling_heals_and_starts_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(testbed_of(3, Network::Proxy, folder.path()).await);
    let notes = Notes::new();
    let planned = faults(
        serde_json::json!([
            {"kind": "kill", "target": "n1", "at": "0s", "for": "50s"},
            {"kind": "pause", "target": "n2", "at": "10ms", "for": "50s"},
            {"kind": "partition", "target": "n3", "at": "20ms", "for": "50s"},
            {"kind": "kill", "target": "n3", "at": "55s"},
        ]),
        &testbed,
    );
    let watched = Arc::clone(&notes);
    let all_three = async move {
        while watched.values("start").len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let recorder = Arc::clone(&notes) as Arc<dyn Recorder>;
    let began = Instant::now();
    let records =
        run(&planned, Arc::clone(&testbed), Arc::new(Leader(None)), recorder, began, None, all_three).await;
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.healed && record.ended.is_some()), "{records:#?}");
    let ends: Vec<_> = notes.values("end").iter().map(|value| value["fault"].as_u64().unwrap()).collect();
    let mut last_first: Vec<_> = notes.values("start").iter().map(|v| v["fault"].as_u64().unwrap()).collect();
    last_first.reverse();
    assert_eq!(ends, last_first);
    assert!(began.elapsed() < Duration::from_secs(40));
    all_answer(&testbed).await;
    testbed.stop().await.unwrap();
}

#[tokio::test]
async fn damage_is_shown_and_excuses_exits() {
    let folder = tempfile::tempdir().unwrap();
    let testbed = Arc::new(empty_testbed(1, Network::Host).await);
    let mut exits = testbed.take_exits().unwrap();
    let data = folder.path().join("data");
    let script = format!(
        "cd {}; [ -f text ] || printf aaaaaaaa > text; [ $(cat text) = aaaaaaaa ] || exit 7; exec sleep 1000",
        data.display()
    );
    std::fs::create_dir(&data).unwrap();
    testbed.spawn("n1", shell(&script, folder.path())).await.unwrap();
    while std::fs::read(data.join("text")).unwrap_or_default().len() < 8 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let specs =
        serde_json::json!([{"kind": "bit-flip", "file": "tex", "target": "n1", "at": "0s", "for": "50ms"}]);
    let records = carry_out(specs, &testbed, None, &Notes::new()).await;
    let record = &records[0];
    assert!(record.evidence[1].contains("0x61 before, 0x"), "{record:#?}");
    assert!(record.healed && record.healing[1] == "it ended by itself: exit code 7", "{record:#?}");
    let exit = exits.recv().await.unwrap();
    assert_eq!(exit.excuse.as_deref(), Some("fault 1 (bit-flip)"));
    testbed.stop().await.unwrap();
}
