//! Writes Jepsen's EDN, one map a line; keys stand in the values, as in independent tests.

use super::super::edn::{print_key, print_name, print_value};
use super::{Refusal, story};
use history::{Event, Kind, Process};
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::fmt::Write;

pub(super) fn write(events: &[Event]) -> Result<Vec<u8>, Refusal> {
    let keyed = story::keyed(events)?;
    let mut open: FxHashMap<Process, &str> = FxHashMap::default();
    let mut out = String::with_capacity(events.len() * 64);
    for (index, event) in events.iter().enumerate() {
        if event.kind == Kind::Invoke
            && let Some(key) = &event.key
        {
            open.insert(event.process, key);
        }
        if event.kind != Kind::Fail && event.actual.is_some() {
            return Err(Refusal::at(index, "only a failure can have found another value"));
        }
        story::no_colons(index, event)?;
        let key = open.get(&event.process).copied().filter(|_| keyed && event.process != Process::Nemesis);
        line(&mut out, index, event, key);
    }
    Ok(out.into_bytes())
}

fn line(out: &mut String, index: usize, event: &Event, key: Option<&str>) {
    let put = |out: &mut String, arguments: std::fmt::Arguments<'_>| {
        out.write_fmt(arguments).expect("writing to a string cannot fail");
    };
    put(out, format_args!("{{:index {index}, :time {}, :type :{}, :process ", event.time, word(event.kind)));
    match event.process {
        Process::Client(number) => put(out, format_args!("{number}")),
        Process::Nemesis => out.push_str(":nemesis"),
    }
    out.push_str(", :f ");
    print_name(out, &event.f);
    out.push_str(", :value ");
    match key {
        Some(key) => {
            out.push('[');
            print_key(out, key);
            out.push(' ');
            print_value(out, &event.value);
            out.push(']');
        }
        None => print_value(out, &event.value),
    }
    if let Some(error) = &event.error {
        out.push_str(", :error ");
        print_name(out, error);
    }
    if let Some(actual) = &event.actual {
        out.push_str(", :actual ");
        print_value(out, actual);
    }
    if let Some(client) = event.client {
        put(out, format_args!(", :client {client}"));
    }
    if let Some(node) = &event.node {
        out.push_str(", :node ");
        print_value(out, &Value::from(node.as_str()));
    }
    if let Some(intended) = event.intended {
        put(out, format_args!(", :intended {intended}"));
    }
    if let Some(phase) = event.phase.and_then(|phase| serde_json::to_value(phase).ok()) {
        out.push_str(", :phase ");
        print_name(out, phase.as_str().unwrap_or_default());
    }
    out.push_str("}\n");
}

/// The word for a kind of event.
pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Invoke => "invoke",
        Kind::Ok => "ok",
        Kind::Fail => "fail",
        Kind::Info => "info",
    }
}
