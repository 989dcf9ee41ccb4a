//! Plans read and written, answers combined, and sentences that claim what was measured and no more.

use super::fixture::{Made, SECOND, backoff_study, write_run};
use super::{no_deadline, *};

#[test]
fn a_plan_is_read_as_the_contract_writes_it() {
    let text = r#"{"bench":"0.1.0","spec":"backoff","about":"…","seed":42,"started":"2026-11-23T10:00:00Z",
        "machine":"2 cores, Linux 6.18","variants":[{"name":"main","model":"register","system":"paxos","network":"proxy",
        "nodes":["n1","n2","n3"],"replicas":["n1","n2","n3"],"clients":10,"rate":500,"minimum-rate":20,"keys":8,
        "client-seeds":[1,18446744073709551615],"check":{"linearizable":true,"timeout":"60s","agreement":true},
        "faults":[{"fault":1,"kind":"kill","label":"kill leader","target":"leader","nodes":null,"start":3000000000,
        "end":5000000000}]}]}"#;
    let plan: Plan = serde_json::from_str(text).unwrap();
    assert_eq!(plan.variants[0].check.timeout, Duration::from_secs(60));
    assert_eq!(plan.variants[0].rate, Some(500.0));
    let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(again, plan);
    let load = r#"{"phases":[{"phase":"warmup","start":0,"end":5},{"phase":"load","start":5,"end":9}],"unsent":0,"complete":true}"#;
    let load: Load = serde_json::from_str(load).unwrap();
    assert_eq!((load.phases.len(), load.complete, load.failure), (2, true, None));
}

#[test]
fn invalid_beats_failed_beats_unknown_beats_valid() {
    use Answer::{Failed, Invalid, Unknown, Valid};
    assert_eq!(Answer::combined([Valid, Unknown, Failed, Invalid]), Invalid);
    assert_eq!(Answer::combined([Valid, Unknown, Failed]), Failed);
    assert_eq!(Answer::combined([Unknown, Valid]), Unknown);
    assert_eq!(Answer::combined([Valid, Valid]), Valid);
    assert_eq!(Answer::combined([]), Unknown);
}

fn read_study(change: impl Fn(Made) -> Made) -> RunVerdict {
    let dir = tempfile::tempdir().unwrap();
    let short = |made| change(Made { rate: 60.0, load: 6 * SECOND, kills: vec![], ..made });
    write_run(dir.path(), "backoff", &backoff_study().map(short));
    judge(dir.path(), &no_deadline).unwrap()
}

#[test]
fn two_sentences_say_what_was_measured_whichever_way_it_went() {
    let verdict = read_study(|made| made);
    let text = two_sentences(&verdict).unwrap();
    assert_eq!(verdict.reading.as_ref(), Some(&text));
    assert!(text.starts_with("Preemptions outnumber decisions with backoff-off ("), "{text}");
    assert!(text.contains("costs least with exponential (0"), "{text}");
    let names = verdict.variants.iter().all(|variant| text.contains(&format!("with {} (", variant.variant)));
    assert!(names && text.contains("The clients got "), "{text}");
    let same = read_study(|made| Made { livelock: 0.5, ..made });
    let text = two_sentences(&same).unwrap();
    assert!(text.starts_with("In preemptions per decision the variants hardly differ: "), "{text}");
}

#[test]
fn there_is_nothing_to_say_where_leaders_never_compete() {
    let quiet = read_study(|made| Made { livelock: 0.0, load: SECOND, ..made });
    for variant in &quiet.variants {
        assert_eq!(variant.summary.protocol.unwrap().preemptions, 0);
    }
    assert_eq!(two_sentences(&quiet), None);
}
