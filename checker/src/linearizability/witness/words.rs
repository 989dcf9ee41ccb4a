//! Says in words why no order exists.

use super::super::method::Proof;
use crate::words;
use history::OperationRef;

/// Values or states named before "and N more".
const NAMED: usize = 8;

/// An operation of a key as a person would write it: `write 3 → ok (client 4, events 17–18)`.
fn named(operation: OperationRef<'_>) -> String {
    let what = words::in_short(OperationRef { key: None, ..operation });
    let end = operation.completed.map_or_else(|| "…".to_owned(), |event| event.to_string());
    format!("{what} ({}, events {}–{end})", words::who(operation), operation.invoked)
}

/// The first few, and how many more there are.
pub(super) fn list(all: &[String]) -> String {
    let mut names: Vec<&str> = all.iter().take(NAMED).map(String::as_str).collect();
    let more = format!("{} more", all.len().saturating_sub(NAMED));
    if all.len() > NAMED {
        names.push(&more);
    }
    names.join(", ")
}

/// The whole story of an operation that cannot have completed; `part` operations are in the witness.
pub(super) fn summary<A>(
    key: Option<&str>,
    blamed: OperationRef<'_>,
    part: usize,
    proof: &Proof<A>,
) -> String {
    let key = key.map_or_else(String::new, |key| format!("On key {key}, "));
    let order = match (part, proof.alone) {
        (1, true) => "nothing in the history before it explains that".to_owned(),
        (part, true) => format!("no order of the {part} operations of the witness explains that"),
        (1, false) => "no order of what completed before it leads to a state that explains that".to_owned(),
        (part, false) => format!(
            "no order of what completed before leads to a state in which the {part} operations of the witness can \
             follow one another"
        ),
    };
    let mut story = format!("{key}{} cannot have happened as it did: {order}.", named(blamed));
    let Some(stuck) = &proof.stuck else { return story };
    if !stuck.possible.is_empty() {
        let of = if stuck.partial { ", by the operations of the witness alone" } else { "" };
        let possible = list(&stuck.possible);
        story = format!("{story} Possible {} when it completed{of}: {possible}.", stuck.noun);
    }
    if stuck.unknown {
        story.push_str(
            " Operations of unknown outcome were taken into account, as having happened and as not.",
        );
    }
    story
}
