//! The data behind the timeline of the page: for each variant one block of JSON with compressed columns in it.

mod columns;
mod lines;
mod log_time;
mod messages;
mod nodes;
mod pack;

use crate::observed::Observed;
use crate::verdict::VariantVerdict;
use crate::violation::Violation;
use columns::Columns;
use history::{OutcomeClass, OutcomeRef};
use rustc_hash::FxHashSet;
use serde_json::{Value, json};
use std::path::Path;

/// Operations that a page carries, over all its variants.
const OPERATIONS: usize = 1_200_000;

/// The data of a variant: its name for people, and the JSON that stands on the page.
pub(crate) struct RunData {
    /// The variant, and its round where there are several.
    pub(crate) name: String,
    /// Operations that the page shows, and all there were.
    pub(crate) shown: (u64, usize),
    /// A JSON object of texts; none of them has a character that means anything in HTML.
    pub(crate) json: String,
}

/// The data of a variant, one of `among` that share the page; none where there is no history.
pub(crate) fn data(
    folder: &Path,
    observed: &Observed,
    verdict: &VariantVerdict,
    among: usize,
) -> Option<RunData> {
    if !observed.history {
        return None;
    }
    let violation = verdict.violation();
    let (mut blocks, names, count) = columns(observed, violation, OPERATIONS / among.max(1));
    let lines = lines::read_lines(folder, observed, &moments(observed, violation));
    let messages = messages::read(&folder.join("cluster.pcapng"), observed.zero);
    let messages = messages.map(|messages| {
        blocks.extend(messages.blocks);
        json!({"names": messages.names, "shown": messages.shown, "all": messages.all})
    });
    let about = json!({
        "name": observed.plan.name,
        "answer": verdict.answer.word(),
        "operations": observed.operations.len(),
        "shown": count,
        "open_loop": observed.plan.rate.is_some(),
        "zero": observed.zero.map(|zero| zero.to_string()),
        "load": observed.measured().start / 1000,
        "end": observed.end_ns() / 1000,
        "names": names,
        "phases": observed.phases.iter().map(|span| json!([crate::csv_files::phase_word(span.phase), span.start / 1000, span.end / 1000])).collect::<Vec<_>>(),
        "faults": faults(observed),
        "exits": observed.exits.iter().map(|end| json!([end.time_ns / 1000, end.node, end.how.join("; ")])).collect::<Vec<_>>(),
        "nodes": nodes::courses(&observed.plan.nodes, &observed.samples),
        "links": links(&folder.join("links.csv")),
        "messages": messages,
        "violation": violation,
    });
    let mut all: serde_json::Map<String, Value> =
        blocks.into_iter().map(|(name, block)| (name.to_owned(), block.into())).collect();
    for (name, value) in [("about", about), ("lines", json!(lines))] {
        all.insert(name.to_owned(), pack::block(value.to_string().as_bytes()).into());
    }
    Some(RunData {
        name: observed.plan.name.clone(),
        shown: (count, observed.operations.len()),
        json: Value::from(all).to_string(),
    })
}

/// The operations as columns. Where there are more than `room`, operations that succeeded are thinned out evenly.
fn columns(
    observed: &Observed,
    violation: Option<&Violation>,
    room: usize,
) -> (Vec<(&'static str, String)>, columns::Names, u64) {
    let operations = &observed.operations;
    let step = operations.len().div_ceil(room.max(1)).max(1);
    let needed: FxHashSet<usize> = violation.into_iter().flat_map(Violation::mentioned).collect();
    let mut columns = Columns::new();
    for (index, operation) in operations.iter().enumerate() {
        let ordinary = matches!(operation.outcome, OutcomeRef::Ok(_))
            || OutcomeClass::of(operation.outcome) == OutcomeClass::Refused;
        if step == 1 || index % step == 0 || !ordinary || needed.contains(&index) {
            columns.push(index, &operation);
        }
    }
    columns.finish()
}

/// Times near which lines of logs are worth most, in nanoseconds.
fn moments(observed: &Observed, violation: Option<&Violation>) -> Vec<u64> {
    let faults = observed.faults.iter().flat_map(|fault| [fault.start_ns, fault.end_ns]).flatten();
    let exits = observed.exits.iter().map(|end| end.time_ns);
    let odd = violation.and_then(|violation| violation.odd).and_then(|odd| observed.operations.get(odd));
    faults.chain(exits).chain(odd.map(|operation| operation.invoked_ns)).collect()
}

fn faults(observed: &Observed) -> Vec<Value> {
    let micros = |ns: Option<u64>| ns.map(|ns| ns / 1000);
    let faults = observed.faults.iter().map(|fault| {
        json!({
            "number": fault.fault,
            "kind": fault.kind,
            "label": fault.label,
            "nodes": fault.nodes,
            "start": micros(fault.start_ns),
            "end": micros(fault.end_ns),
            "evidence": crate::evidence::brief(&fault.evidence),
            "healed": crate::evidence::brief(&fault.healed),
            "effect": fault.took_effect(),
            "colour": crate::plot::fault_colour(&fault.kind),
        })
    });
    faults.collect()
}

/// The rows of `links.csv` with their header; empty where there is none.
fn links(path: &Path) -> Vec<Vec<String>> {
    let Ok(reader) = csv::ReaderBuilder::new().has_headers(false).from_path(path) else { return Vec::new() };
    let rows = reader.into_records().filter_map(Result::ok);
    rows.map(|row| row.iter().map(str::to_owned).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::ReadHistory;
    use crate::tests::fixture::{Made, plan};
    use history::{Event, Kind, Process, pair_columns};

    /// Operations one after the other, of which every tenth fails.
    fn observed(count: u64) -> Observed {
        let events = (0..count).flat_map(|number| {
            let process = Process::Client(number % 4);
            let end = if number % 10 == 7 { Kind::Fail } else { Kind::Ok };
            [(Kind::Invoke, 0), (end, 400)].map(|(kind, after)| {
                let mut event = Event::new(process, kind, "write");
                (event.time, event.value) = (number * 1000 + after, json!(number));
                event
            })
        });
        let operations = pair_columns(events.collect()).unwrap();
        let plan = plan("test", &[Made::sound("main")]).variants.remove(0);
        Observed::new(plan, Some(ReadHistory { operations, ..ReadHistory::default() }), None, Vec::new())
    }

    #[test]
    fn thinning_keeps_failures_and_the_violation() {
        let observed = observed(1000);
        assert_eq!(columns(&observed, None, 1000).2, 1000);
        let (_, names, shown) = columns(&observed, None, 100);
        assert_eq!((shown, names.lanes.len()), (200, 4), "100 that failed and every tenth of all");
        let violation = Violation { operations: vec![1, 2, 3], odd: Some(7), ..Violation::default() };
        assert_eq!(
            columns(&observed, Some(&violation), 100).2,
            203,
            "and three more; one of the four had failed"
        );
    }

    #[test]
    fn columns_of_a_long_history_are_small() {
        let (blocks, ..) = columns(&observed(20_000), None, 20_000);
        let size: usize = blocks.iter().map(|(_, block)| block.len()).sum();
        assert!(size < 20_000, "{size} bytes for 20,000 operations");
    }
}
