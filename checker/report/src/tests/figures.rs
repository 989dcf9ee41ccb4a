//! Figures and checks against small histories worked out by hand.

use super::Answer::{Invalid, Unknown, Valid};
use super::fixture::{MS, Made, SECOND, plan};
use crate::observed::{Observed, ReadHistory, Window};
use crate::samples::{Protocol, Sample, rates, total};
use crate::*;
use history::{Event, Kind, Outcome, Phase, Process, pair_columns};
use serde_json::{Value, json};

/// One operation: phase, due, sent, back (none: never), how.
pub(super) type Op = (Phase, u64, u64, Option<u64>, Kind);

pub(super) fn observed(operations: &[Op], nemesis: Vec<Event>, load: Option<Load>) -> Observed {
    let mut events = Vec::new();
    for (process, (phase, due, sent, back, kind)) in (0_u64..).zip(operations) {
        let mut invoke = Event::new(Process::Client(process), Kind::Invoke, "read");
        (invoke.time, invoke.intended, invoke.phase) = (sent * MS, Some(due * MS), Some(*phase));
        events.push(invoke);
        if let Some(back) = back {
            let mut done = Event::new(Process::Client(process), *kind, "read");
            done.time = back * MS;
            events.push(done);
        }
    }
    events.sort_by_key(|event| event.time);
    let operations = pair_columns(events).unwrap();
    let made = Made { kills: vec![(SECOND, 2 * SECOND)], ..Made::sound("main") };
    let mut plan = plan("test", &[made]).variants.remove(0);
    plan.check.agreement = false;
    plan.timeout = Some(std::time::Duration::from_millis(100));
    Observed::new(plan, Some(ReadHistory { nemesis, operations, ..ReadHistory::default() }), load, vec![])
}

pub(super) fn load(spans: &[(Phase, u64, u64)]) -> Load {
    let span = |&(phase, start, end): &(Phase, u64, u64)| PhaseSpan {
        phase,
        start: start * MS,
        end: end * MS,
        unsent: 0,
    };
    Load { phases: spans.iter().map(span).collect(), complete: true, ..Load::default() }
}

pub(super) fn note(time: u64, event: &str, evidence: &[&str]) -> Event {
    let mut note = Event::new(Process::Nemesis, Kind::Info, "kill");
    note.time = time * MS;
    note.value = json!({"fault": 1, "event": event, "targets": ["n2"], "planned": 0, "evidence": evidence});
    note
}

#[test]
fn latency_counts_from_when_an_operation_was_due_and_only_in_load_and_recovery() {
    let operations = [
        (Phase::Warmup, 0, 0, Some(90), Kind::Ok),
        (Phase::Load, 100, 100, Some(104), Kind::Ok),
        (Phase::Load, 110, 150, Some(160), Kind::Ok),
        (Phase::Load, 120, 150, Some(900), Kind::Info),
        (Phase::Recovery, 1100, 1100, Some(1103), Kind::Ok),
        (Phase::Recovery, 1150, 1150, Some(1160), Kind::Fail),
        (Phase::Final, 2000, 2000, Some(2500), Kind::Ok),
    ];
    let spans = [
        (Phase::Warmup, 0, 100),
        (Phase::Load, 100, 1100),
        (Phase::Recovery, 1100, 1600),
        (Phase::Final, 1600, 2600),
    ];
    let observed = observed(&operations, vec![], Some(load(&spans)));
    let summary = Summary::new(&observed, &[]);
    assert_eq!(summary.counts, Counts { ok: 3, refused: 0, fail: 1, info: 1 });
    assert_eq!(summary.answered, 3);
    assert!((summary.seconds - 1.5).abs() < 1e-9);
    assert!((summary.throughput_per_s.unwrap() - 2.0).abs() < 1e-9);
    assert!((summary.load_throughput_per_s.unwrap() - 2.0).abs() < 1e-9);
    let latency = summary.latency.unwrap();
    assert!((latency.p50_ms - 4.0).abs() < 0.01, "of 3, 4 and 50 ms the middle one: {latency:?}");
    assert!((latency.max_ms - 50.0).abs() < 0.1, "due at 110, back at 160: {latency:?}");
}

#[test]
fn a_refused_compare_and_set_is_an_answer_and_what_was_due_in_the_warm_up_is_nobodys() {
    let mut observed = observed(&[(Phase::Load, 100, 100, Some(104), Kind::Fail); 3], vec![], None);
    let fail = |error: &str, actual| Outcome::Fail { error: Some(error.into()), actual };
    let mut operations = observed.operations.to_vec();
    operations[0].outcome = fail("precondition", Some(Value::Null));
    operations[1].outcome = fail("precondition", None);
    operations[2].outcome = fail("unavailable", None);
    observed.operations = operations.into_iter().collect();
    let mut load = load(&[(Phase::Warmup, 0, 50), (Phase::Load, 50, 1100)]);
    (load.unsent, load.phases[0].unsent, load.phases[1].unsent) = (12, 5, 7);
    observed.load = Some(load);
    let summary = Summary::new(&observed, &[]);
    assert_eq!(summary.counts, Counts { ok: 0, refused: 2, fail: 1, info: 0 });
    assert_eq!((summary.counts.all(), summary.answered, summary.unsent), (3, 2, 7));
}

#[test]
fn a_fault_is_in_force_from_when_it_happened_not_from_when_its_evidence_was_there() {
    let mut nemesis = [note(620, "start", &["silent"]), note(950, "end", &[])];
    nemesis[0].value["at"] = json!(500 * MS);
    nemesis[1].value["at"] = json!(900 * MS);
    let observed = observed(&[(Phase::Load, 0, 0, Some(5), Kind::Ok)], nemesis.to_vec(), None);
    let fault = &observed.faults[0];
    assert_eq!((fault.start_ns, fault.end_ns), (Some(500 * MS), Some(900 * MS)));
}

#[test]
fn an_outage_is_the_longest_time_without_ok_that_touches_the_fault() {
    // Every 10 ms an ok, none between 1,500 and 1,900, late sends until 2,200; the fault is at 1,500 to 1,800.
    let mut operations: Vec<Op> = Vec::new();
    for tick in 0..350_u64 {
        let due = tick * 10;
        let (sent, back, kind) = match due {
            1500..1890 => (due, due + 400, Kind::Fail),
            1890..2200 => (due + 150, due + 152, Kind::Ok),
            _ => (due, due + 2, Kind::Ok),
        };
        operations.push((Phase::Load, due, sent, Some(back), kind));
    }
    let nemesis = vec![note(1500, "start", &["gone"]), note(1800, "end", &["back"])];
    let observed = observed(&operations, nemesis, Some(load(&[(Phase::Load, 0, 3500)])));
    let outages = outages::outages(&observed);
    assert_eq!(outages.len(), 1);
    let outage = &outages[0];
    assert_eq!(outage.last_ok_before_ns, Some(1492 * MS));
    assert_eq!(outage.first_ok_after_ns, Some(2042 * MS));
    assert_eq!(outage.outage_ns, Some(550 * MS));
    assert_eq!(outage.first_error_ns, Some(1900 * MS));
    assert_eq!(outage.recovered_ns, Some(2042 * MS));
    assert_eq!(outage.backlog_drained_ns, Some(2340 * MS), "the first on time after the last late one");
    let summary = Summary::new(&observed, &outages);
    assert!((summary.longest_outage_s.unwrap() - 0.55).abs() < 1e-9);
    assert!((summary.time_to_recover_s.unwrap() - 0.242).abs() < 1e-9, "healed at 1,800, back at 2,042");
}

#[test]
fn service_that_went_on_needs_no_recovery() {
    // Every 10 ms an ok; the longest gap, of 30 ms, comes a second after the heal.
    let ok = |time: u64| (Phase::Load, time, time, Some(time), Kind::Ok);
    let even: Vec<u64> = (0..350).map(|tick| tick * 10).collect();
    let times =
        |without: std::ops::Range<u64>| even.iter().copied().filter(move |time| !without.contains(time));
    let nemesis = vec![note(1500, "start", &["gone"]), note(1800, "end", &["back"])];
    let recovered = |operations: Vec<Op>| {
        let observed = observed(&operations, nemesis.clone(), Some(load(&[(Phase::Load, 0, 3500)])));
        let outages = outages::outages(&observed);
        (outages[0].outage_ns, Summary::new(&observed, &outages).time_to_recover_s)
    };
    let (outage, time) = recovered(times(2810..2830).map(ok).collect());
    assert_eq!((outage, time), (Some(30 * MS), Some(0.0)));
    // Every second answer is missing until 300 ms after the heal, without a longer gap.
    let half = |time: &u64| !(1500..2100).contains(time) || time.is_multiple_of(20);
    let (_, time) = recovered(times(2810..2840).filter(half).map(ok).collect());
    assert!((0.05..=0.2).contains(&time.unwrap()), "{time:?}");
}

#[test]
fn one_outage_is_counted_for_one_fault() {
    // No ok from 1,000 to 1,500. The second fault is in force for most of that; all three touch it.
    let ok = |time: u64| (Phase::Load, time, time, Some(time), Kind::Ok);
    let operations: Vec<Op> =
        (0..300).map(|tick| tick * 10).filter(|time| !(1010..1500).contains(time)).map(ok).collect();
    let fault = |number: u64, start: u64, end: u64| {
        let mut notes = [note(start, "start", &["gone"]), note(end, "end", &["back"])];
        for note in &mut notes {
            note.value["fault"] = json!(number);
        }
        notes
    };
    let nemesis = [fault(1, 900, 1050), fault(2, 1040, 1400), fault(3, 1300, 1490)].concat();
    let observed = observed(&operations, nemesis, Some(load(&[(Phase::Load, 0, 3000)])));
    let outages = outages::outages(&observed);
    let counted: Vec<_> = outages.iter().map(|outage| (outage.fault, outage.same_as)).collect();
    assert_eq!(counted, [(1, Some(2)), (2, None), (3, Some(2))]);
    assert!(outages.iter().all(|outage| outage.outage_ns == Some(500 * MS)), "{outages:?}");
}

#[test]
fn the_slowest_answer_is_exact() {
    let slow = (Phase::Load, 10, 10, Some(6_243), Kind::Ok);
    let mut observed = observed(&[slow, (Phase::Load, 20, 20, Some(21), Kind::Ok)], vec![], None);
    let mut operations = observed.operations.to_vec();
    operations[0].completed_ns = Some(6_242_736_123);
    observed.operations = operations.into_iter().collect();
    let latency = Summary::new(&observed, &[]).latency.unwrap();
    assert_eq!((latency.max_ms, latency.p999_ms), (6_232.736_123, 6_232.736_123));
}

#[test]
fn standstills_and_the_longest_of_them_are_one_measurement() {
    let samples =
        [(0, 1), (300, 2), (600, 3), (650, 4), (1000, 5)].map(|(time, slot)| sample(time, "n1", 1, slot, 0));
    let protocol = Protocol::from_samples(&samples);
    let window = Window { start: 0, end: 1100 * MS };
    let standstills: Vec<_> = protocol.standstills(window).map(|(from, to)| (from / MS, to / MS)).collect();
    assert_eq!(standstills, [(0, 300), (300, 600), (650, 1000)]);
    assert_eq!(
        (protocol.standstill_ns(window) / MS, protocol.longest_without_decision(window)),
        (950, Some(350 * MS))
    );
}

#[test]
fn an_outage_that_nothing_ends_lasts_until_the_end_and_is_not_recovered_from() {
    let operations = [(Phase::Load, 0, 0, Some(5), Kind::Ok), (Phase::Load, 600, 600, None, Kind::Info)];
    let nemesis = vec![note(500, "start", &["gone"])];
    let observed = observed(&operations, nemesis, Some(load(&[(Phase::Load, 0, 2000)])));
    let outages = outages::outages(&observed);
    assert_eq!(outages[0].outage_ns, Some(1995 * MS));
    assert_eq!((outages[0].first_ok_after_ns, outages[0].recovered_ns), (None, None));
    assert_eq!(Summary::new(&observed, &outages).time_to_recover_s, None);
}

fn sample(time: u64, node: &str, pid: u32, slot_out: u64, preemptions: u64) -> Sample {
    Sample {
        time_ns: time * MS,
        node: node.into(),
        up: true,
        pid: Some(pid),
        slot_out: Some(slot_out),
        preemptions: Some(preemptions),
        ..Sample::default()
    }
}

#[test]
fn counters_start_again_with_each_process() {
    let down = Sample { time_ns: 300 * MS, node: "n1".into(), ..Sample::default() };
    let samples = [
        sample(0, "n1", 1, 1, 5),
        sample(100, "n1", 1, 11, 25),
        sample(200, "n2", 2, 31, 0),
        down,
        sample(400, "n1", 3, 5, 4),
        sample(900, "n1", 3, 51, 4),
    ];
    let protocol = Protocol::from_samples(&samples);
    let whole = Window { start: 0, end: 1000 * MS };
    let close = |value: f64, wanted: f64| assert!((value - wanted).abs() < 1e-6, "{value} is not {wanted}");
    close(total(&protocol.preemptions, whole), 5.0 + 20.0 + 4.0);
    close(total(&protocol.decisions, whole), 50.0);
    close(total(&protocol.decisions, Window { start: 50 * MS, end: 1000 * MS }), 45.0);
    assert_eq!(protocol.longest_without_decision(whole), Some(700 * MS), "from 200 to 900");
    let bins = rates(&protocol.decisions, whole, 100 * MS);
    close(bins[0], 100.0);
    close(bins.iter().sum::<f64>() / 10.0, 50.0);
}

#[test]
fn a_sample_of_a_node_that_did_not_answer_has_empty_cells() {
    let dir = tempfile::tempdir().unwrap();
    let text = "time_ns,node,up,pid,active,round,leader,slot_in,slot_out,preemptions,adoptions,backoff_ms,log_bytes\n\
                100,n1,true,7,false,3,l2,5,4,1,2,10,4096\n200,n1,false,,,,,,,,,,\n300,n1,tr";
    std::fs::write(dir.path().join("samples.csv"), text).unwrap();
    let samples = read_samples(dir.path()).unwrap();
    assert_eq!(samples.len(), 2, "the row that was cut off is left out");
    assert_eq!((samples[0].active, samples[0].leader.as_deref()), (Some(false), Some("l2")));
    assert_eq!(samples[1], Sample { time_ns: 200, node: "n1".into(), ..Sample::default() });
}

fn answers(observed: &Observed) -> Vec<(&'static str, Answer)> {
    let summary = Summary::new(observed, &[]);
    let liveness = liveness::check(observed);
    [checks::load(observed, &summary), checks::faults(observed), exits::processes(observed)]
        .into_iter()
        .chain(liveness)
        .map(|check| (check.name, check.answer))
        .collect()
}

fn exited_event() -> Event {
    let mut exit = Event::new(Process::Nemesis, Kind::Info, "exit");
    exit.value = json!({"event": "exit", "targets": ["n1"], "evidence": ["exit code 101"]});
    exit
}

#[test]
fn each_check_says_unknown_or_invalid_for_its_own_reason() {
    let spans = [(Phase::Load, 0, 1000), (Phase::Recovery, 1000, 2000)];
    let ok = |phase, at| (phase, at, at, Some(at + 1), Kind::Ok);
    let good = [ok(Phase::Load, 10), ok(Phase::Recovery, 1500)];
    let fault = || vec![note(500, "start", &["gone"]), note(600, "end", &[])];
    let all = |load, faults, processes, liveness| {
        vec![("load", load), ("faults", faults), ("processes", processes), ("liveness", liveness)]
    };
    assert_eq!(answers(&observed(&good, fault(), Some(load(&spans)))), all(Valid, Valid, Valid, Valid));
    let no_evidence = vec![note(500, "start", &[])];
    assert_eq!(answers(&observed(&good, no_evidence, Some(load(&spans)))), all(Valid, Unknown, Valid, Valid));
    assert_eq!(answers(&observed(&good, vec![], Some(load(&spans)))), all(Valid, Unknown, Valid, Valid));
    let exited = observed(&good, [fault(), vec![exited_event()]].concat(), Some(load(&spans)));
    assert_eq!(answers(&exited), all(Valid, Valid, Invalid, Valid));
    let line = &exits::processes(&exited).evidence[0];
    assert!(line.contains("n1") && line.contains("exit code 101"), "{line}");
    let mut excused = exited_event();
    excused.value["excuse"] = json!("fault 1 (bit-flip)");
    let excused = observed(&good, [fault(), vec![excused]].concat(), Some(load(&spans)));
    assert_eq!(answers(&excused), all(Valid, Valid, Valid, Valid));
    let dead = [ok(Phase::Load, 10), (Phase::Recovery, 1500, 1500, Some(1900), Kind::Info)];
    assert_eq!(answers(&observed(&dead, fault(), Some(load(&spans)))), all(Valid, Valid, Valid, Invalid));
    let idle = [ok(Phase::Load, 10)];
    assert_eq!(answers(&observed(&idle, fault(), Some(load(&spans)))), all(Valid, Valid, Valid, Unknown));
    let nothing = [(Phase::Load, 10, 10, Some(20), Kind::Fail), ok(Phase::Recovery, 1500)];
    assert_eq!(answers(&observed(&nothing, fault(), Some(load(&spans)))), all(Unknown, Valid, Valid, Valid));
}

#[test]
fn without_load_json_the_phases_come_from_the_operations() {
    let operations = [
        (Phase::Warmup, 0, 0, Some(5), Kind::Ok),
        (Phase::Load, 100, 100, Some(104), Kind::Ok),
        (Phase::Load, 700, 700, Some(900), Kind::Info),
    ];
    let observed = observed(&operations, vec![], None);
    assert_eq!(observed.measured(), Window { start: 100 * MS, end: 900 * MS });
    assert_eq!(observed.phase(Phase::Warmup), Some(Window { start: 0, end: 100 * MS }));
    assert_eq!(observed.phase(Phase::Recovery), None);
    let value = |operation: usize| observed.operations.at(operation).argument.clone();
    assert_eq!(value(0), Value::Null);
}
