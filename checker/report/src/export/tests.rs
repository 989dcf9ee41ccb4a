//! Traces as their formats ask for them.

use super::*;
use crate::tests::fixture::{Made, SECOND, write_run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn exported(format: TraceFormat) -> Value {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "store", &[Made { load: 6 * SECOND, ..Made::sound("main") }]);
    let mut bytes = Vec::new();
    export(dir.path(), None, format, &mut bytes).unwrap();
    assert!(matches!(
        export(dir.path(), Some("other"), format, &mut Vec::new()),
        Err(ExportError::NoHistory)
    ));
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn chrome_trace_has_microseconds_and_nests() {
    let trace = exported(TraceFormat::Chrome);
    let events = trace["traceEvents"].as_array().unwrap();
    let mut ends: BTreeMap<(u64, u64), f64> = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let thread = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
        let (start, long) = (event["ts"].as_f64().unwrap(), event["dur"].as_f64().unwrap());
        let end = ends.entry(thread).or_insert(0.0);
        assert!(start + 0.001 >= *end && long >= 0.0, "two operations of a client overlap: {event}");
        *end = start + long;
    }
    assert!(ends.len() > 5, "each client has a thread");
    let phases: Vec<&Value> = events.iter().filter(|event| event["cat"] == "phase").collect();
    for pair in phases.windows(2) {
        let [start, long, next] =
            [&pair[0]["ts"], &pair[0]["dur"], &pair[1]["ts"]].map(|it| it.as_f64().unwrap());
        assert!(start + long < next, "{pair:?}");
    }
    let faults: Vec<&Value> = events.iter().filter(|event| event["cat"] == "fault").collect();
    let phs: Vec<&Value> = faults.iter().map(|event| &event["ph"]).collect();
    assert_eq!(phs, ["b", "e"]);
    // The load begins after a warm-up of half a second, and the kill three seconds later.
    let start = faults[0]["ts"].as_f64().unwrap();
    assert!((3_400_000.0..3_700_000.0).contains(&start), "{start} µs");
    assert!(events.iter().any(|event| event["ph"] == "M" && event["name"] == "process_name"));
}

#[test]
fn otlp_has_the_names_of_the_specification() {
    let request = exported(TraceFormat::Otlp);
    let resource = &request["resourceSpans"][0];
    assert_eq!(resource["resource"]["attributes"][0]["key"], "service.name");
    let scope = &resource["scopeSpans"][0];
    assert_eq!(scope["scope"]["name"], "bench");
    let spans = scope["spans"].as_array().unwrap();
    let hexadecimal = |value: &Value, digits: usize| {
        let text = value.as_str().unwrap();
        text.len() == digits
            && text.chars().all(|digit| digit.is_ascii_hexdigit())
            && text.contains(|digit| digit != '0')
    };
    let root = &spans[0]["spanId"];
    let mut ids = BTreeSet::new();
    for span in spans {
        assert!(hexadecimal(&span["traceId"], 32) && hexadecimal(&span["spanId"], 16), "{span}");
        assert!(ids.insert(span["spanId"].as_str().unwrap()), "twice: {span}");
        let time = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"), "{span}");
        assert!(time("startTimeUnixNano") > 1_700_000_000_000_000_000, "nanoseconds since 1970: {span}");
        assert!(span["parentSpanId"].is_null() || span["parentSpanId"] == *root);
    }
    let client = spans.iter().find(|span| span["kind"] == 3).unwrap();
    assert!(
        client["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["value"]["stringValue"].is_string() || it["value"]["intValue"].is_string())
    );
    assert_eq!(client["status"]["code"], 1);
}
