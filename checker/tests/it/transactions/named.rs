//! Each anomaly in the smallest history that has it, and what follows from it.

use super::written::history;
use checker::Answer;
use checker::limits::Limits;
use checker::transactions::{Consistency, Options, Verdict, Workload, check};
use history::Operation;

fn judge(workload: Workload, text: &str) -> Verdict {
    check(&history(text), &Options::new(workload))
}

fn names(verdict: &Verdict) -> Vec<&'static str> {
    let mut names: Vec<_> = verdict.counts.keys().map(|name| name.name()).collect();
    names.sort_unstable();
    names
}

fn has_exactly(workload: Workload, wanted: &[&str], text: &str) {
    let verdict = judge(workload, text);
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    assert_eq!(names(&verdict), wanted, "{text}\n{}", verdict.evidence().join("\n"));
    let answer = if wanted.is_empty() { Answer::Valid } else { Answer::Invalid };
    assert_eq!(verdict.answer, answer, "{text}\n{}", verdict.reason());
    for anomaly in &verdict.anomalies {
        assert!(!anomaly.operations.is_empty() && !anomaly.explanation.is_empty(), "{anomaly:?}");
    }
}

fn lists(wanted: &[&str], text: &str) {
    has_exactly(Workload::ListAppend, wanted, text);
}

fn registers(wanted: &[&str], text: &str) {
    has_exactly(Workload::RwRegister, wanted, text);
}

#[test]
fn histories_without_an_anomaly_are_valid() {
    lists(&[], "append x 1; r x [1]\nr x []\nr x [1]; append y 1");
    lists(&[], "0..1 append x 1\n2..3 append x 2\n4..5 r x [1 2]");
    lists(&[], "0..5 append x 1\n2..3 r x []\n4..6 r x [1]");
    registers(&[], "w x 1; r x 1\nr x nil\nr x 1; w y 1");
    registers(&[], "0..1 w x 1\n2..3 r x 1; w x 2\n4..5 r x 2");
}

#[test]
fn writes_in_a_circle_are_g0() {
    let text = "append x 1; append y 2\nappend x 2; append y 1\nr x [1 2]; r y [1 2]";
    lists(&["G0"], text);
    assert_eq!(judge(Workload::ListAppend, text).excluded, Consistency::ALL);
    lists(&["G0-process"], "p1 0..1 append x 1\np1 2..3 append x 2\nr x [2 1]");
    lists(&["G0-realtime"], "0..1 append x 1\n2..3 append x 2\nr x [2 1]");
}

#[test]
fn a_read_of_a_failed_write_is_g1a() {
    lists(&["G1a"], "fail append x 1\nr x [1]");
    registers(&["G1a"], "fail w x 1\nr x 1");
    lists(&["G1a", "dirty-update"], "fail append x 1\nappend x 2\nr x [1 2]");
    lists(&["G1a"], "append x 1\nfail append x 2\nr x [1 2]");
}

#[test]
fn a_read_of_a_write_that_was_not_the_last_is_g1b() {
    lists(&["G1b"], "append x 1; append x 2\nr x [1]");
    lists(&["G1b"], "append x 1; append x 2\nr x [1]\nr x [1 2]");
    registers(&["G1b"], "w x 1; w x 2\nr x 1");
    lists(&["G0", "G1b"], "append x 1; append x 2\nr x [1]; append x 3; r x [1 3]");
}

#[test]
fn reads_of_writes_in_a_circle_are_g1c() {
    lists(&["G1c"], "append x 1; r y [1]\nappend y 1; r x [1]");
    registers(&["G1c"], "w x 1; r y 1\nw y 1; r x 1");
    lists(&["G1c"], "append x 1; append y 1\nappend x 2; r y [1]\nr x [2 1]");
    lists(&["G1c-process"], "p1 0..1 r x [1]\np1 2..3 append x 1");
    lists(&["G1c-realtime"], "0..1 r x [1]\n2..3 append x 1");
    registers(&["G1c-process"], "p1 0..1 r x 1\np1 2..3 w x 1");
    registers(&["G1c-realtime"], "0..1 r x 1\n2..3 w x 1");
}

#[test]
fn one_missed_write_in_a_circle_is_g_single() {
    lists(&["G-single"], "append x 1; append y 1\nr x [1]; r y []");
    registers(&["G-single"], "w x 1; w y 1\nr x 1; r y nil");
    registers(
        &["G-single"],
        "w x 1; w y 1\nr x 1; w x 2; w y 2\nr x 2; r y 1\nr y 1; w y 3\nr y 3; w z 1; r x 1\nr z 1; r y 1",
    );
    lists(&["G-single-process"], "p1 0..1 append x 1\np1 2..3 r x []");
    lists(&["G-single-realtime"], "0..1 append x 1\n2..3 r x []");
    registers(&["G-single-process"], "p1 0..1 w x 1\np1 2..3 r x nil");
    registers(&["G-single-realtime"], "0..1 w x 1\n2..3 r x nil");
}

#[test]
fn missed_writes_never_two_in_a_row_are_g_nonadjacent() {
    lists(&["G-nonadjacent"], "append x 1\nappend y 1\nr x [1]; r y []\nr x []; r y [1]");
    registers(&["G-nonadjacent"], "w x 1\nw y 1\nr x 1; r y nil\nr x nil; r y 1");
    let sessions =
        "append x 1\nappend y 1\np1 10..11 r x [1]\np1 14..15 r y []\np2 12..13 r y [1]\np2 16..17 r x []";
    lists(&["G-nonadjacent-process"], sessions);
    let fork = "append x 1\nappend y 1\nr x [1]; r y []\n10..11 r y [1]\n12..13 r x []";
    lists(&["G-nonadjacent-realtime"], fork);
}

#[test]
fn missed_writes_two_in_a_row_are_g2_item() {
    lists(&["G2-item"], "r x []; append y 1\nr y []; append x 1");
    registers(&["G2-item"], "r x nil; w y 1\nr y nil; w x 1");
    lists(&["G2-item"], "r x []; append y 1\nr y []; append x 1\nr x [1]; r y [1]");
    lists(&["G2-item-process"], "p1 10..11 append y 1\np1 12..13 r x []\nappend x 1; r y []");
    lists(&["G2-item-realtime"], "10..11 append y 1\n12..13 r x []\nappend x 1; r y []");
    registers(&["G2-item-process"], "p1 10..11 w y 1\np1 12..13 r x nil\nw x 1; r y nil");
    registers(&["G2-item-realtime"], "10..11 w y 1\n12..13 r x nil\nw x 1; r y nil");
}

#[test]
fn two_updates_of_one_version_are_a_lost_update() {
    lists(&["G-single", "lost-update"], "r x []; append x 1\nr x []; append x 2\nr x [1 2]");
    lists(&["G2-item", "lost-update"], "append x 1\nr x [1]; append x 2\nr x [1]; append x 3");
    registers(&["G2-item", "lost-update"], "r x nil; w x 1\nr x nil; w x 2");
    registers(&["G2-item", "lost-update"], "w x 1\nr x 1; w x 2\nr x 1; w x 3");
}

#[test]
fn a_transaction_that_contradicts_itself_is_internal() {
    lists(&["internal"], "append x 1; r x []");
    lists(&["G1c", "internal"], "append x 1\nappend x 2; r x [2 1]");
    lists(&["G-single", "internal"], "append x 1\nr x []; r x [1]");
    registers(&["internal"], "w x 1\nw x 2; r x 1");
    registers(&["G-single", "internal"], "w x 1; w y 1\nr y 1; r x nil; r x 1");
    lists(&["future-read"], "r x [1]; append x 1");
    registers(&["future-read"], "r x 1; w x 1");
}

#[test]
fn reads_that_no_order_of_versions_explains_are_named() {
    lists(&["duplicate-elements"], "append x 1\nr x [1 1]");
    lists(&["unwritten-read"], "append x 1\nr x [9]");
    registers(&["unwritten-read"], "w x 1\nr x 9");
    lists(&["incompatible-order"], "append x 1\nappend x 2\nr x [1]\nr x [2]");
    lists(&["G1b", "incompatible-order"], "append x 1; append x 2\nr x [2 1]");
    lists(&["incompatible-order"], "append x 1; append x 2; append x 3\nr x [1 3]");
    lists(&["incompatible-order"], "append x 1\nappend x 2\nappend x 3\nr x [1 2]\nr x [1 3 2]");
    registers(&["G1c", "cyclic-versions"], "r x 1; w x 2\nr x 2; w x 1");
}

#[test]
fn real_time_orders_the_versions_of_a_register() {
    registers(&["G-single-realtime"], "0..1 w x 1\n2..3 w x 2\n4..5 r x 1");
    registers(&["G-single-realtime"], "0..9 w x 1\n1..8 w x 2\n10..11 r x 1\n12..13 r x 2\n14..15 r x 1");
    registers(&[], "0..9 w x 1\n1..8 w x 2\n10..11 r x 1\n12..13 r x 1");
    registers(&[], "0..9 w x 1\n1..8 w x 2\n2..3 r x 1\n4..5 r x 2; w x 3\n6..7 r x 3");
}

#[test]
fn a_transaction_of_unknown_outcome_happened_if_somebody_saw_it() {
    lists(&[], "info append x 1; append y 1\nr x []; r y []");
    lists(&[], "0..1 info append x 1; append y 1\n2..3 r x [1]; r y [1]");
    lists(&["G-single"], "info append x 1; append y 1\nr x [1]; r y []");
    registers(&["G-single"], "info w x 1; w y 1\nr x 1; r y nil");
    registers(&[], "info w x 1; w y 1\nr x nil; r y nil");
    lists(&[], "info r x []; append y 1\nappend x 1; r y [1]");
    lists(&["G-single-realtime"], "0..9 info append x 1; append y 1\n2..3 r x [1]\n4..5 r y []");
}

#[test]
fn appends_that_nobody_read_came_after_all_that_was_read() {
    lists(&["G-single-realtime"], "0..1 append x 1\n2..3 append x 2\n4..5 r x [1]");
    lists(&[], "0..4 append x 1\n1..5 append x 2\n2..6 append x 3\n7..8 r y []");
    lists(&[], "0..1 append x 1; r x [1]\n2..3 append x 2\n4..5 append x 3");
}

#[test]
fn equal_places_are_concurrent() {
    lists(&[], "0..1 append x 1\n1..2 r x []");
    lists(&["G-single-realtime"], "0..1 append x 1\n2..3 r x []");
}

#[test]
fn the_model_asked_for_decides() {
    let skew = history("r x []; append y 1\nr y []; append x 1");
    for model in Consistency::ALL {
        let options = Options { model, ..Options::new(Workload::ListAppend) };
        let verdict = check(&skew, &options);
        let forbids = [
            Consistency::UpdateSerializable,
            Consistency::RepeatableRead,
            Consistency::Serializable,
            Consistency::StrongSessionSerializable,
            Consistency::StrictSerializable,
        ];
        let wanted = if forbids.contains(&model) { Answer::Invalid } else { Answer::Valid };
        assert_eq!(verdict.answer, wanted, "{model}");
        let weakest =
            if model == Consistency::UpdateSerializable { model } else { Consistency::RepeatableRead };
        assert_eq!(verdict.weakest_excluded, [weakest]);
        assert!(verdict.reason().contains("G2-item"), "{}", verdict.reason());
    }
}

#[test]
fn a_cycle_is_told_as_a_story() {
    let verdict = judge(Workload::ListAppend, "append 5 3; append 7 4\nr 7 [4]; r 5 []");
    assert_eq!(verdict.anomalies[0].operations, [0, 1]);
    assert_eq!(
        verdict.evidence(),
        [
            "G-single: T1 had to precede T2, and T2 had to precede T1 (read skew)",
            "T1 is operation 0 of process 100 (events 0 to 1000): append \"5\" 3, append \"7\" 4",
            "T2 is operation 1 of process 101 (events 1 to 1001): r \"7\" → [4], r \"5\" → []",
            "T1 precedes T2 (wr): T2 read 4 in key \"7\", which T1 appended",
            "T2 precedes T1 (rw): T2 read key \"5\" as [], without 3, which T1 appended",
        ]
    );
    assert_eq!(
        verdict.reason(),
        "the transactions are not strict-serializable: G-single (1); that excludes parallel-snapshot-isolation and all \
         that is stronger"
    );
}

#[test]
fn cycles_have_the_names_people_say() {
    let called = |text: &str| judge(Workload::RwRegister, text).anomalies[0].summary.clone();
    assert!(called("r x nil; w y 1\nr y nil; w x 1").ends_with("(write skew)"));
    assert!(called("w x 1; w y 1\nr x 1; r y nil").ends_with("(read skew)"));
    assert!(called("w x 1\nw y 1\nr x 1; r y nil\nr x nil; r y 1").ends_with("(long fork)"));
    assert!(!called("r x nil; w x 1\nr x nil; w x 2").contains("write skew"));
}

#[test]
fn a_short_cycle_comes_before_a_longer_one() {
    let long = "r a nil; w b 1\nr b nil; w c 1\nr c nil; w d 1\nr d nil; w a 1";
    let short = "r x nil; w y 1\nr y nil; w x 1";
    let verdict = judge(Workload::RwRegister, &format!("{long}\n{short}"));
    let lengths: Vec<_> = verdict.anomalies.iter().map(|anomaly| anomaly.operations.len()).collect();
    assert_eq!(lengths, [2, 4]);
}

#[test]
fn evidence_names_only_what_the_model_forbids() {
    let text = "0..1 r x 1\n2..3 w x 1\nr y nil; w z 1\nr z nil; w y 1";
    let options = Options { model: Consistency::Serializable, ..Options::new(Workload::RwRegister) };
    let evidence = check(&history(text), &options).evidence().join("\n");
    assert!(evidence.contains("G2-item") && !evidence.contains("G1c-realtime"), "{evidence}");
}

#[test]
fn a_proof_without_a_known_cycle_goes_case_by_case() {
    // Whichever of the two writes of x came first, a reader of it had seen the other transaction, too.
    let text = "w x 1; w y 1\nw x 2; w z 1\nr x 1; r z 1\nr x 2; r y 1";
    let options = Options { model: Consistency::Serializable, ..Options::new(Workload::RwRegister) };
    let verdict = check(&history(text), &options);
    assert_eq!(names(&verdict), ["no-serial-order"], "{}", verdict.reason());
    assert_eq!(verdict.anomalies[0].operations, [0, 1, 2, 3]);
    assert_eq!(
        verdict.anomalies[0].explanation[4..],
        [
            "suppose T1 wrote key \"x\" before T2:",
            "  T2 precedes T3: T3 read what T2 wrote to key \"z\"",
            "  T3 precedes T2: T3 read key \"x\" of T1, and T2 wrote it after that",
            "suppose T2 wrote key \"x\" before T1:",
            "  T1 precedes T4: T4 read what T1 wrote to key \"y\"",
            "  T4 precedes T1: T4 read key \"x\" of T2, and T1 wrote it after that",
        ]
    );
}

#[test]
fn the_shortest_cycle_is_shown() {
    let mut lines = vec!["0..1 append x 1".to_owned()];
    lines.extend((1..40).map(|index| format!("{}..{} append y {index}", 2 * index, 2 * index + 1)));
    lines.push("90..91 r x []".to_owned());
    let verdict = judge(Workload::ListAppend, &lines.join("\n"));
    assert_eq!(names(&verdict), ["G-single-realtime"]);
    assert_eq!(verdict.anomalies[0].operations, [0, 40]);
}

#[test]
fn a_short_cycle_is_shown_beside_a_long_one_that_excludes_more() {
    // Process 1 hands on what it wrote through twenty others to the one whose read misses it.
    let mut lines = vec!["p1 0..1 append x 1".to_owned(), "p1 2..3 append y 0".to_owned()];
    lines.extend((1..=20).map(|index| {
        let seen: Vec<String> = (0..index).map(|number: usize| number.to_string()).collect();
        format!("{}..{} r y [{}]; append y {index}", 4 * index, 4 * index + 1, seen.join(" "))
    }));
    lines.push("90..91 r y [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20]; r x []".to_owned());
    let verdict = judge(Workload::ListAppend, &lines.join("\n"));
    assert_eq!(
        names(&verdict),
        ["G-single-process", "G-single-realtime"],
        "{}",
        verdict.evidence().join("\n")
    );
    let lengths: Vec<_> = verdict.anomalies.iter().map(|anomaly| anomaly.operations.len()).collect();
    assert_eq!(lengths, [23, 2]);
    assert_eq!(verdict.weakest_excluded, [Consistency::StrongSessionParallelSnapshotIsolation]);
}

#[test]
fn what_is_no_transaction_makes_the_answer_unknown() {
    let cases = [
        (Workload::ListAppend, "w x 1", "\"append\""),
        (Workload::RwRegister, "append x 1", "\"w\""),
        (Workload::RwRegister, "w x nil", "null"),
        (Workload::ListAppend, "r x 1", "no list"),
    ];
    for (workload, text, word) in cases {
        let verdict = judge(workload, text);
        assert_eq!(verdict.answer, Answer::Unknown, "{text}");
        assert!(
            verdict.reason().contains("operation 0") && verdict.reason().contains(word),
            "{}",
            verdict.reason()
        );
    }
    let nothing = judge(Workload::ListAppend, "fail append x 1\ninfo append x 2");
    assert_eq!(nothing.answer, Answer::Unknown);
}

#[test]
fn a_value_written_twice_leaves_its_key_out() {
    let text = "append x 1\nappend x 1\nr x [1]\nappend y 1";
    let verdict = judge(Workload::ListAppend, text);
    assert_eq!(verdict.answer, Answer::Unknown);
    assert!(verdict.reason().contains("operations 0 and 1 both wrote 1"), "{}", verdict.reason());
    let verdict = judge(Workload::ListAppend, &format!("{text}\nfail append z 1\nr z [1]"));
    assert_eq!((verdict.answer, names(&verdict)), (Answer::Invalid, vec!["G1a"]));
    lists(&[], "fail append x 1\nappend x 1\nr x [1]");
}

#[test]
fn when_time_is_up_the_answer_is_unknown() {
    let options = Options {
        limits: Limits { stop: &|| true, ..Limits::DEFAULT },
        ..Options::new(Workload::ListAppend)
    };
    let verdict = check(&history("append x 1\nr x [1]"), &options);
    assert_eq!(verdict.answer, Answer::Unknown);
    assert!(verdict.reason().contains("time was up"), "{}", verdict.reason());
}

#[test]
fn forked_key_keeps_edges_of_its_lists() {
    let circle = "append x 1; append y 1\nappend x 2; append y 2\nappend x 3\nr x [1 2]; r y [2 1]";
    let found = judge(Workload::ListAppend, circle);
    assert!(names(&found).contains(&"G0"), "{:?}", names(&found));
    let forked = judge(Workload::ListAppend, &format!("{circle}\nr x [3]"));
    assert!(names(&forked).contains(&"G0"), "{:?}", names(&forked));
    assert_eq!(forked.excluded, Consistency::ALL);
    let shown = forked.evidence().join("\n");
    assert!(shown.contains("right behind") && !shown.contains("no read shows"), "{shown}");
}

/// Transactions one after the other, each of the object before the colon.
fn of_objects(text: &str) -> Vec<Operation> {
    let lines = || text.lines().map(|line| line.split_once(": ").expect("an object"));
    let steps: Vec<String> = lines()
        .enumerate()
        .map(|(at, (_, steps))| format!("p1 {}..{} {steps}", 2 * at, 2 * at + 1))
        .collect();
    let mut operations = history(&steps.join("\n"));
    for (operation, (object, _)) in operations.iter_mut().zip(lines()) {
        operation.key = Some(object.to_owned());
    }
    operations
}

#[test]
fn equal_keys_of_objects_are_different_ones() {
    for (workload, text, answer) in [
        (Workload::RwRegister, "1: w x 1\n2: w x 2\n1: r x 1\n2: r x 2", Answer::Valid),
        (Workload::RwRegister, "1: w x 1\n2: w x 2\n1: r x 2", Answer::Invalid),
        (Workload::ListAppend, "1: append x 1\n2: append x 2\n1: r x [1]\n2: r x [2]", Answer::Valid),
        (Workload::ListAppend, "1: append x 1\n2: append x 2\n1: r x [1 2]", Answer::Invalid),
        (Workload::ListAppend, "1: append x 1\n2: append x 1\n1: r x [1]\n2: r x []", Answer::Invalid),
    ] {
        let operations = of_objects(text);
        let verdict = check(&operations, &Options::new(workload));
        assert_eq!(verdict.answer, answer, "{text}\n{}", verdict.evidence().join("\n"));
        if let Some(confirmed) = verdict.confirm(&operations, workload) {
            assert_eq!(confirmed, Ok(()), "{text}");
        }
    }
}

#[test]
fn sessions_of_objects_are_apart() {
    // Two processes turn from one object to the other, and neither sees the other's write.
    let text = "1: w x 1\n2: r y nil\n2: w y 1\n1: r x nil";
    let options =
        Options { model: Consistency::StrongSessionSerializable, ..Options::new(Workload::RwRegister) };
    let mut operations = of_objects(text);
    for (operation, process) in operations.iter_mut().zip([1, 1, 2, 2]) {
        (operation.process, operation.completed) = (process, Some(100));
    }
    let verdict = check(&operations, &options);
    assert_eq!(verdict.answer, Answer::Valid, "{}", verdict.evidence().join("\n"));
    for operation in &mut operations {
        operation.key = None;
    }
    assert_eq!(check(&operations, &options).answer, Answer::Invalid);
}
