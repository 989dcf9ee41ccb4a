//! Open and closed loops, and the histories they leave.

use crate::support::{Act, Closed, Memory, Server, Store, only, session};
use history::{Event, Kind, Outcome, Phase, pair};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;
use workloads::{CancellationToken, LoadSpec, Workload};

/// The invocations of a history.
fn invocations(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| event.kind == Kind::Invoke).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_loop_deals_operations_on_time() {
    let server = Server::start(|_| Act::Serve).await;
    let memory = Memory::new();
    let spec = LoadSpec { clients: 4, rate: Some(200.0), ..LoadSpec::default() };
    let mut session = session(spec, &[server.address], &memory);
    let duration = Duration::from_millis(250);
    let report = session.run(Phase::Load, duration, &CancellationToken::new()).await.unwrap();
    let events = memory.events();
    let mut sent = invocations(&events);
    assert_eq!(sent.len() as u64 + report.unsent, 50, "whatever was due was sent or counted");
    assert_eq!(report.end_ns - report.start_ns, 250_000_000);
    sent.sort_by_key(|event| event.intended);
    for event in &sent {
        let due = event.intended.expect("an open loop says when an operation was due") - report.start_ns;
        assert!(due.is_multiple_of(5_000_000), "{due} ns is not on the schedule");
        assert_eq!(Some(u32::try_from(due / 5_000_000 % 4).unwrap()), event.client);
        assert!(event.time >= event.intended.unwrap(), "nothing is sent before it is due");
        assert_eq!(event.phase, Some(Phase::Load));
    }
    let due: BTreeSet<_> = sent.iter().map(|event| event.intended).collect();
    assert_eq!(due.len(), sent.len());
    assert_eq!(session.progress().sent.load(Ordering::Relaxed), sent.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_loop_counts_what_a_slow_node_delays() {
    let server = Server::start(|_| Act::ServeLate(Duration::from_millis(50))).await;
    let memory = Memory::new();
    let spec = LoadSpec { rate: Some(100.0), ..only("write") };
    let mut session = session(spec, &[server.address], &memory);
    let cancel = CancellationToken::new();
    let report = session.run(Phase::Load, Duration::from_millis(300), &cancel).await.unwrap();
    let operations = memory.completed();
    assert_eq!(operations.len() as u64 + report.unsent, 30);
    assert!(report.unsent >= 20, "one client at 50 ms each sends at most seven in 300 ms");
    for (number, (begin, end)) in (0..).zip(&operations) {
        assert_eq!(begin.intended, Some(report.start_ns + number * 10_000_000), "in the order of due times");
        assert!(begin.time < report.end_ns);
        assert_eq!(end.kind, Kind::Ok);
    }
}

#[tokio::test]
async fn cancelled_open_loop_counts_due_operations() {
    let cancel = CancellationToken::new();
    let server = Server::until(3, &cancel, |_| Act::Serve).await;
    let memory = Memory::new();
    let spec = LoadSpec { rate: Some(100.0), ..only("write") };
    let mut session = session(spec, &[server.address], &memory);
    let report = session.run(Phase::Load, Duration::from_secs(60), &cancel).await.unwrap();
    assert!(report.cancelled);
    assert!(report.end_ns < report.start_ns + 60_000_000_000);
    assert!(memory.completed().len() >= 3);
    let after = session.final_reads(&cancel).await;
    assert!(after.cancelled);
    assert_eq!((after.read, after.missing.len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_seeds_send_equal_operations() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let server = Server::start(|_| Act::Serve).await;
        let memory = Memory::new();
        let mix = BTreeMap::from([("read".to_owned(), 1), ("write".to_owned(), 1)]);
        let spec = LoadSpec { clients: 3, rate: Some(300.0), mix: Some(mix), ..LoadSpec::default() };
        let mut session = session(spec, &[server.address], &memory);
        let done = || {
            let mut done = BTreeMap::<_, Vec<_>>::new();
            for event in invocations(&memory.events()) {
                let operation = (event.f.clone(), event.key.clone(), event.value.clone());
                done.entry(event.client).or_default().push(operation);
            }
            done
        };
        let cancel = CancellationToken::new();
        let enough = async {
            while done().len() < 3 || done().values().any(|operations| operations.len() <= 5) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            cancel.cancel();
        };
        let (ran, ()) = tokio::join!(session.run(Phase::Load, Duration::from_secs(60), &cancel), enough);
        ran.unwrap();
        runs.push(done());
    }
    for (client, first) in &runs[0] {
        let second = &runs[1][client];
        let both = first.len().min(second.len());
        assert!(both > 5);
        assert_eq!(first[..both], second[..both]);
    }
}

/// Serves most requests and does everything else now and then.
fn chaos(number: usize) -> Act {
    match number % 13 {
        2 => Act::Close,
        4 => Act::Reply(200, "{"),
        6 => Act::Reply(503, r#"{"applied":false}"#),
        8 => Act::ServeAndClose,
        10 => Act::ServeLate(Duration::from_millis(3)),
        _ => Act::Serve,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_well_formed_whatever_nodes_do() {
    // What a store of keys can be asked.
    use Workload::{Bank, Kv, ListAppend, Register, RwRegister};
    for workload in [Register, Kv, ListAppend, RwRegister, Bank] {
        let (store, cancel) = (Store::default(), CancellationToken::new());
        let one = Server::with(Store::clone(&store), Some((500, cancel.clone())), chaos).await;
        let two = Server::with(store, None, chaos).await;
        let memory = Memory::new();
        let spec = LoadSpec { workload, timeout: Duration::from_secs(5), ..LoadSpec::default() };
        let closed = Closed::new();
        let nodes = [one.address, two.address, closed.address];
        let mut session = session(spec, &nodes, &memory);
        session.run(Phase::Load, Duration::from_secs(60), &cancel).await.unwrap();
        let operations = pair(&memory.events()).expect("the history is well-formed");
        let count = |kind| operations.iter().filter(|operation| operation.outcome.kind() == kind).count();
        for kind in [Kind::Ok, Kind::Fail, Kind::Info] {
            assert!(count(kind) >= 20, "{workload}: only {} {kind:?}", count(kind));
        }
        let mut written = BTreeSet::new();
        for operation in operations.iter().filter(|operation| ["write", "put"].contains(&&*operation.f)) {
            assert!(written.insert(operation.argument.to_string()), "{} twice", operation.argument);
        }
        for function in workload.default_mix().iter().map(|(function, _)| function.name()) {
            let ok = |outcome: &Outcome| matches!(outcome, Outcome::Ok(_));
            let done = operations.iter().any(|operation| operation.f == function && ok(&operation.outcome));
            assert!(done, "{workload}: no {function} succeeded");
        }
    }
}

#[tokio::test]
async fn final_reads_retry_until_every_key_is_read() {
    let store = Store::default();
    let early = |number| if number < 2 { Act::Reply(503, r#"{"applied":false}"#) } else { Act::Serve };
    let one = Server::with(Store::clone(&store), None, early).await;
    let two = Server::with(Store::clone(&store), None, |_| Act::Serve).await;
    store.lock().unwrap().insert("k3".to_owned(), "33".to_owned());
    let memory = Memory::new();
    let spec = LoadSpec { clients: 3, keys: 5, ..LoadSpec::default() };
    let mut session = session(spec, &[one.address, two.address], &memory);
    let report = session.final_reads(&CancellationToken::new()).await;
    assert_eq!((report.read, report.missing), (10, vec![]));
    let operations = pair(&memory.events()).unwrap();
    assert_eq!(operations.len(), 12, "ten reads, and two that were tried again");
    let mut read = BTreeSet::new();
    for operation in &operations {
        assert_eq!(operation.phase, Some(Phase::Final));
        if let Outcome::Ok(value) = &operation.outcome {
            let third = operation.key.as_deref() == Some("k3");
            assert_eq!(*value, if third { Value::from(33) } else { Value::Null });
            read.insert((operation.key.clone(), operation.node.clone()));
        }
    }
    assert_eq!(read.len(), 10);
}
