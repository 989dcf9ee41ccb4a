//! Each obligation and each warning against a history that meets it and one that does not.

use super::Answer::{Invalid, Unknown, Valid};
use super::built::Built;
use super::fixture::MS;
use history::{Event, Kind, Phase, Process};
use serde_json::json;

#[test]
fn sound_run_meets_every_obligation() {
    let built = Built::sound();
    assert_eq!(built.unmet(), []);
    assert_eq!(built.warnings(), []);
    let keys = built.obligations().into_iter().find(|it| it.name == "keys-read-again").unwrap();
    assert_eq!((keys.counted, keys.required, keys.after_ns), (2, 2, Some(3_000_000_000)));
}

#[test]
fn nothing_judged_is_unmet() {
    let mut built = Built::sound();
    built.plan.check.linearizable = false;
    assert_eq!(built.names(), ["something-judged"]);
    built.plan.check.agreement = true;
    assert_eq!(built.names(), [""; 0]);
}

#[test]
fn reads_alone_are_unmet() {
    let mut built = Built::new();
    built.plan.functions = vec!["read".to_owned()];
    for (index, at) in (0..8000).step_by(10).enumerate() {
        let node = ["n1", "n2", "n3"][index % 3];
        built.operation("read", "k1", node, at, node != "n1" || !(2000..3000).contains(&at));
    }
    assert_eq!(built.names(), ["written"]);
}

#[test]
fn success_in_the_warm_up_is_unmet() {
    let mut built = Built::new();
    built.serve(|_, at| at < 1000);
    let names = built.names();
    assert!(names.starts_with(&["kind-in-load", "kind-in-load", "written", "keys-read-again"]), "{names:?}");
}

#[test]
fn kind_that_never_came_is_unmet() {
    let mut built = Built::sound();
    built.plan.functions.push("cas".to_owned());
    assert_eq!(built.names(), ["kind-in-load"]);
}

#[test]
fn key_that_is_never_read_again_is_named() {
    let mut built = Built::new();
    built.serve(|_, _| true);
    built.operation("write", "k3", "n2", 2500, true);
    built.operation("read", "k3", "n2", 2700, true);
    built.ended("read", "k3", "n2", (7500, 5), (Kind::Info, Some("http-500")));
    built.ended("read", "k3", "n2", (7600, 5), (Kind::Info, Some("timeout")));
    let unread = "k3 (2 reads: http-500, timeout)".to_owned();
    assert_eq!(built.unmet(), [("keys-read-again", unread)]);
}

#[test]
fn read_before_the_last_write_does_not_count() {
    let mut built = Built::sound();
    built.operation("read", "k3", "n2", 8000, true);
    built.operation("write", "k3", "n2", 8001, true);
    assert_eq!(built.unmet(), [("keys-read-again", "k3 (no request was sent)".to_owned())]);
    built.operation("read", "k3", "n3", 8100, true);
    assert_eq!(built.unmet(), []);
}

#[test]
fn unknown_writes_must_be_read_again_too() {
    let mut built = Built::sound();
    built.operation("write", "k3", "n2", 2500, false);
    assert_eq!(built.names(), ["keys-read-again"]);
    built.ended("write", "k4", "n2", (2500, 5), (Kind::Fail, Some("unavailable")));
    built.operation("read", "k3", "n2", 7500, true);
    assert_eq!(built.unmet(), [], "what certainly did not happen need not be read");
}

#[test]
fn refused_compare_and_set_reads_its_key() {
    let mut built = Built::sound();
    built.operation("write", "k3", "n2", 2500, true);
    let mut invoke = Event::new(Process::Client(90_001), Kind::Invoke, "cas");
    (invoke.time, invoke.key, invoke.value) = (8_000_000_000, Some("k3".to_owned()), json!([1, 2]));
    let mut done = Event { kind: Kind::Fail, ..invoke.clone() };
    (done.time, done.actual, done.error) = (8_001_000_000, Some(json!(3)), Some("precondition".to_owned()));
    built.push(invoke);
    built.push(done);
    assert_eq!(built.unmet(), []);
}

#[test]
fn transactions_and_accounts_are_read_by_their_parts() {
    for (f, argument, answer, (read, seen)) in [
        ("txn", json!([["append", "a", 1]]), json!([["append", "a", 1]]), ("txn", json!([["r", "a", [1]]]))),
        ("transfer", json!({"from": "a", "to": "a", "amount": 1}), json!(null), ("read", json!({"a": 3}))),
    ] {
        let mut built = Built::sound();
        for (process, at, f, argument, answer) in
            [(90_001, 2500, f, &argument, &answer), (90_002, 8000, read, &json!([["r", "a", null]]), &seen)]
        {
            if at == 8000 {
                let unread = built.unmet();
                assert_eq!(unread.len(), 1, "{f}: {unread:?}");
                assert!(unread[0].1.starts_with('a'), "{unread:?}");
            }
            let mut invoke = Event::new(Process::Client(process), Kind::Invoke, f);
            (invoke.time, invoke.value) = (at * 1_000_000, argument.clone());
            let mut done = Event::new(Process::Client(process), Kind::Ok, f);
            (done.time, done.value) = (at * 1_000_000 + 1, answer.clone());
            built.push(invoke);
            built.push(done);
        }
        assert_eq!(built.unmet(), [], "{f}");
    }
}

#[test]
fn spec_allows_a_share_of_unread_keys_aloud() {
    let mut built = Built::sound();
    for key in 3..=10 {
        built.operation("write", &format!("k{key}"), "n2", 2500, true);
        if key > 3 {
            built.operation("read", &format!("k{key}"), "n2", 7500, true);
        }
    }
    assert_eq!(built.names(), ["keys-read-again"]);
    built.plan.check.unobserved = 0.09;
    assert_eq!(built.names(), ["keys-read-again"], "a tenth of ten keys is one key, less is none");
    built.plan.check.unobserved = 0.1;
    assert_eq!(built.unmet(), []);
    assert_eq!(built.warned(), ["unobserved-keys"]);
    assert!(built.warnings()[0].text.starts_with("1 of 10 keys"), "{:?}", built.warnings());
}

#[test]
fn node_that_never_answers_is_named() {
    let mut built = Built::new();
    built.serve(|node, _| node != "n3");
    let unmet = built.unmet();
    assert_eq!(unmet[0], ("nodes-before", "n3".to_owned()));
    assert!(unmet[1].0 == "nodes-after" && unmet[1].1.starts_with("n3 (") && unmet[1].1.contains("timeout"));
    built.plan.spares.push("n3".to_owned());
    assert_eq!(built.unmet(), [], "a spare node need not serve");
}

#[test]
fn restarted_node_must_serve_again() {
    let mut built = Built::new();
    built.serve(|node, at| node != "n1" || at < 2000);
    assert_eq!(built.names(), ["nodes-after", "nodes-in-the-end", "restarted-nodes"]);
    let mut exit = Event::new(Process::Nemesis, Kind::Info, "exit");
    exit.time = 3_500_000_000;
    exit.value = json!({"event": "exit", "targets": ["n1"], "excuse": "fault 1 (bit-flip)"});
    built.push(exit);
    assert_eq!(built.unmet(), []);
    assert_eq!(built.warned(), ["excused-node"]);
    for at in [7500, 7600] {
        built.operation("read", "k1", "n1", at, true);
    }
    assert_eq!(built.unmet(), []);
    assert_eq!(built.warned(), [""; 0], "it serves in the end");
}

#[test]
fn every_node_answers_a_final_read() {
    let mut built = Built::new();
    built.serve(|node, at| node == "n1" || at < 7000);
    let unmet = built.unmet();
    assert_eq!(built.names(), ["nodes-in-the-end"], "n1 answers for every key");
    assert!(unmet[0].1.starts_with("n2 ("), "{unmet:?}");
    assert!(unmet[0].1.contains("n3 (") && unmet[0].1.contains("timeout"), "{unmet:?}");
    built.load.phases.retain(|span| span.phase != Phase::Final);
    assert_eq!(built.unmet(), [], "where no final reads were held, none is asked for");
}

#[test]
fn only_nodes_that_serve_clients_count() {
    let mut built = Built::new();
    built.serve(|node, _| node != "n3");
    built.plan.replicas = ["n1", "n2"].map(String::from).to_vec();
    assert_eq!(built.unmet(), []);
}

#[test]
fn standby_answers_count_for_a_node() {
    let mut built = Built::new();
    built.plan.nodes.push("n4".to_owned());
    built.plan.replicas.push("n4".to_owned());
    built.serve(|_, _| true);
    for at in [1500, 8000] {
        built.ended("read", "k1", "n4", (at, 5), (Kind::Fail, Some("unavailable")));
    }
    assert_eq!(built.names(), ["nodes-before", "nodes-after", "nodes-in-the-end"]);
    for at in [1600, 8100] {
        built.ended("read", "k1", "n4", (at, 5), (Kind::Fail, Some("standby")));
    }
    assert_eq!(built.unmet(), []);
}

#[test]
fn writes_that_never_work_again_are_unmet() {
    let mut built = Built::new();
    for (number, at) in (0..).zip((0..7400).step_by(10)) {
        let node = ["n1", "n2", "n3"][number % 3];
        let down = node == "n1" && (2000..3000).contains(&at);
        let f = if number % 2 == 0 && at < 7000 { "write" } else { "read" };
        built.operation(f, "k1", node, at, !down && (f == "read" || at < 5000));
    }
    assert_eq!(built.names(), ["written-again"]);
}

#[test]
fn refused_compare_and_set_is_no_write() {
    let mut built = Built::new();
    for (number, at) in (0..).zip((0..7400).step_by(10)) {
        let node = ["n1", "n2", "n3"][number % 3];
        let down = node == "n1" && (2000..3000).contains(&at);
        match (number % 3, at) {
            (0, ..7000) if !down => built.operation("write", "k1", node, at, at < 2000),
            (1, 2000..7000) => built.ended("cas", "k1", node, (at, 5), (Kind::Fail, Some("precondition"))),
            _ => built.operation("read", "k1", node, at, !down),
        }
    }
    assert_eq!(built.names(), ["written-again"], "a copy that takes no writes can refuse");
}

#[test]
fn node_that_answers_few_final_reads_is_unmet() {
    let built = |answered: usize| {
        let mut built = Built::sound();
        for (number, at) in (0..10).zip((8000..).step_by(20)) {
            built.operation("read", &format!("k{}", number % 2 + 1), "n3", at, number < answered);
        }
        built
    };
    assert_eq!(built(4).unmet(), []);
    let unmet = built(3).unmet();
    assert_eq!(unmet, [("nodes-in-the-end", "n3 (5 of 12 answered)".to_owned())]);
}

#[test]
fn slow_start_gives_time_to_serve_again() {
    let mut built = Built::new();
    built.serve(|_, at| at < 2500);
    built.load.phases[2].end = 9000 * MS;
    assert_eq!(built.liveness().unwrap().answer, Invalid);
    built.load.served_after = Some(4_000 * MS);
    assert_eq!(built.liveness().unwrap().answer, Unknown, "9 s are less than three times a start of 4 s");
}

#[test]
fn calm_failures_and_lost_kinds_are_warned_of() {
    let mut failing = Built::new();
    failing.serve(|_, at| at % 100 == 0 || at > 5000);
    assert!(failing.warned().contains(&"failing-load"), "{:?}", failing.warned());

    let mut lost = Built::sound();
    for at in (1100..6900).step_by(100) {
        lost.ended(
            "cas",
            "k1",
            "n2",
            (at, 5),
            if at < 2000 { (Kind::Ok, None) } else { (Kind::Fail, Some("precondition")) },
        );
    }
    assert_eq!(lost.warned(), ["lost-kind"]);
    assert!(lost.warnings()[0].text.starts_with("cas was tried"), "{:?}", lost.warnings());
}

#[test]
fn liveness_is_invalid_only_after_enough_time() {
    let dead = |from: u64| {
        let mut built = Built::new();
        built.serve(move |_, at| at < from);
        built
    };
    let answer = |built: &Built| built.liveness().unwrap().answer;
    assert_eq!(answer(&Built::sound()), Valid);
    assert_eq!(answer(&dead(2500)), Invalid, "7 s are more than five times a time-out of 500 ms");
    let mut slow = dead(2500);
    slow.plan.timeout = Some(std::time::Duration::from_secs(2));
    assert_eq!(answer(&slow), Unknown, "7 s are less than five times a time-out of 2 s");
    let mut rare = dead(2500);
    rare.plan.rate = Some(1.0);
    assert_eq!(answer(&rare), Unknown, "at one operation a second 7 s are few");
    assert_eq!(answer(&dead(1000)), Unknown, "it never served in the load");
    let mut late = Built::new();
    late.serve(|_, at| !(2000..7000).contains(&at));
    let liveness = late.liveness().unwrap();
    assert_eq!(liveness.answer, Valid, "the final reads show that it serves again");
    assert!(liveness.reason.contains("final reads did"), "{}", liveness.reason);
    let mut none = dead(2500);
    none.load.phases.remove(2);
    assert_eq!(none.liveness(), None, "without a recovery phase nothing is asked for");
}

#[test]
fn weak_runs_are_warned_of() {
    let mut one = Built::sound();
    one.plan.clients = 1;
    assert_eq!(one.warned(), ["one-client"]);

    let mut tiny = Built::new();
    for (at, node) in [(1500, "n1"), (4000, "n2"), (8000, "n1"), (8001, "n2"), (8002, "n3")] {
        tiny.operation("read", "k1", node, at, true);
    }
    assert_eq!(tiny.warned(), ["few-operations", "unasked-nodes", "nothing-follows"]);
    assert!(tiny.warnings()[1].text.contains("n2 and n3"));

    let mut short = Built::sound();
    short.fault("pause", 2001);
    assert_eq!(short.warned(), ["short-fault"]);
    short.fault("pause", 2800);
    assert_eq!(short.warned(), [""; 0]);
    short.wait(800);
    short.fault("pause", 2200);
    assert_eq!(short.warned(), [""; 0], "the wait for a busy client is no part of an ordinary operation");
    short.fault("kill", 2001);
    assert_eq!(
        short.warned(),
        [""; 0],
        "a process that was killed has lost its memory, however soon it is back"
    );

    let mut last = Built::sound();
    last.fault("kill", 6990);
    assert_eq!(last.warned(), ["nothing-follows"]);

    let mut weak = Built::sound();
    weak.plan.faults[0].remark = Some("it slows nothing".to_owned());
    assert_eq!(weak.warned(), ["weak-fault"]);
}

#[test]
fn pattern_that_no_log_matched_is_unmet() {
    let mut built = Built::sound();
    built.plan.check.sometimes = ["elected leader", "snapshot sent"].map(String::from).to_vec();
    built.log(2500, "sometimes", "elected leader", "n2 is elected leader");
    assert_eq!(built.names(), ["sometimes"]);
    built.logs(&[("sometimes", "elected leader", 1), ("sometimes", "snapshot sent", 4)]);
    assert_eq!(built.names(), [""; 0]);
}

#[test]
fn forbidden_line_of_a_log_is_invalid() {
    let mut built = Built::sound();
    assert_eq!(built.log_check(), None);
    built.plan.check.never = ["panic", "data race"].map(String::from).to_vec();
    assert_eq!(built.log_check().unwrap().answer, Unknown, "the search has no end");
    built.logs(&[("never", "panic", 0), ("never", "data race", 0)]);
    assert_eq!(built.log_check().unwrap().answer, Valid);
    built.log(2500, "never", "panic", "panic: x");
    built.log(500, "never", "panic", "panic: early");
    built.log(2600, "never", "not in the plan", "something");
    built.logs(&[("never", "panic", 30)]);
    let check = built.log_check().unwrap();
    assert_eq!(check.answer, Invalid);
    let reason = "n1 wrote \"panic: early\" into output.log 0.500 s before the load began, which never = \"panic\" \
                  forbids; 30 such lines in all";
    assert_eq!(check.reason, reason);
    assert_eq!(check.evidence.len(), 3, "{:?}", check.evidence);
    built.plan.check.linearizable = false;
    assert_eq!(built.names(), [""; 0], "a search of the logs is a check");
}

#[test]
fn digests_at_one_position_must_agree() {
    let mut built = Built::sound();
    assert_eq!(built.digest_check(), None);
    built.digests(11_000, &[("n1", Ok((8122, 5))), ("n2", Ok((8123, 17))), ("n3", Err("status 404"))]);
    assert_eq!(built.digest_check(), None, "different positions are not compared");
    assert_eq!(built.names(), [""; 0]);
    built.plan.check.digest = true;
    let check = built.digest_check().unwrap();
    assert_eq!(check.answer, Unknown);
    assert!(
        check.reason.ends_with("(n1 at position 8122; n2 at position 8123; n3: status 404)"),
        "{check:?}"
    );
    assert_eq!(built.names(), ["compared"]);
    built.digests(11_500, &[("n1", Ok((8123, 17))), ("n2", Ok((8123, 17))), ("n3", Ok((8122, 4)))]);
    let check = built.digest_check().unwrap();
    assert_eq!(check.answer, Valid);
    assert!(check.reason.starts_with("n1 and n2 have the same state at position 8123, "), "{check:?}");
    assert_eq!(built.names(), [""; 0]);
    built.digests(12_000, &[("n1", Ok((8123, 17))), ("n2", Ok((8123, 17))), ("n3", Ok((8123, 99)))]);
    let check = built.digest_check().unwrap();
    assert_eq!(check.answer, Invalid);
    assert_eq!(check.reason, "n1, n2 and n3 have different states at position 8123: digests 17, 17 and 99");
}

#[test]
fn answers_without_values_are_unmet() {
    let mut built = Built::sound();
    built.ended("read", "k1", "n2", (2700, 5), (Kind::Info, Some("timeout")));
    assert_eq!(built.names(), [""; 0]);
    built.ended("read", "k1", "n2", (2800, 5), (Kind::Info, Some("no-value")));
    let unmet = built.unmet();
    assert_eq!((unmet.len(), unmet[0].0), (1, "values"));
    assert!(unmet[0].1.starts_with("read k1 → info (no-value) at n2"), "{unmet:?}");
}
