//! Writes the JSON of elle-cli, one object a line; keys stand in the values, as in independent tests.

use super::{Refusal, edn::word, story};
use history::{Event, Kind, Process};
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize)]
struct Line<'a> {
    index: usize,
    #[serde(rename = "type")]
    kind: &'static str,
    process: Process,
    f: &'a str,
    value: &'a Value,
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intended: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<history::Phase>,
}

pub(super) fn write(events: &[Event]) -> Result<Vec<u8>, Refusal> {
    let keyed = story::keyed(events)?;
    let mut open: FxHashMap<Process, &str> = FxHashMap::default();
    let mut out = b"[".to_vec();
    for (index, event) in events.iter().enumerate() {
        if event.kind == Kind::Invoke
            && let Some(key) = &event.key
        {
            open.insert(event.process, key);
        }
        story::no_colons(index, event)?;
        let pair = open.get(&event.process).filter(|_| keyed && event.process != Process::Nemesis);
        let pair = pair.map(|&key| {
            // Keys that are numbers are numbers in other tools' files.
            let number = key.parse::<i64>().ok().filter(|number| number.to_string() == key);
            let key = number.map_or_else(|| Value::from(key), Value::from);
            json!([key, event.value])
        });
        let line = Line {
            index,
            kind: word(event.kind),
            process: event.process,
            f: &event.f,
            value: pair.as_ref().unwrap_or(&event.value),
            time: event.time,
            error: event.error.as_deref(),
            actual: event.actual.as_ref(),
            client: event.client,
            node: event.node.as_deref(),
            intended: event.intended,
            phase: event.phase,
        };
        if index > 0 {
            out.extend_from_slice(b",\n ");
        }
        serde_json::to_writer(&mut out, &line)
            .map_err(|error| Refusal::at(index, format!("it cannot be written as JSON: {error}")))?;
    }
    out.extend_from_slice(b"]\n");
    Ok(out)
}
