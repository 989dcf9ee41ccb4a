//! Answers by which other tools say that nothing happened: `false`, and marks of an empty queue.

use super::draft::Draft;
use history::{Event, Kind, Process};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

/// Names of an empty queue.
const EMPTY: [&str; 6] = ["empty", "none", "nothing", "queue-empty", "empty-queue", "exhausted"];

/// Rewrites such answers so that they say what they mean.
pub(super) fn settle(draft: &mut Draft<'_>) {
    let (failed, unknown) = denials(&mut draft.events);
    draft.count_note(
        failed,
        "operation was answered with false and is taken not to have happened",
        "operations were answered with false and are taken not to have happened",
    );
    draft.count_note(
        unknown,
        "update was answered with false and is taken to be of unknown outcome",
        "updates were answered with false and are taken to be of unknown outcome",
    );
    let empty = empty_marks(&mut draft.events);
    draft.count_note(
        empty,
        "answer is the mark of an empty queue and is taken for none",
        "answers are marks of an empty queue and are taken for none",
    );
}

/// Compare-and-sets and locks that were answered with `false` did not happen; of other updates nothing is certain.
fn denials(events: &mut [Event]) -> (usize, usize) {
    let denies = |event: &Event| event.kind == Kind::Ok && event.value == Value::Bool(false);
    if !events.iter().any(denies) {
        return (0, 0);
    }
    let (mut failed, mut unknown) = (0, 0);
    let mut asked: FxHashMap<Process, Value> = FxHashMap::default();
    for event in events {
        if event.kind == Kind::Invoke {
            asked.insert(event.process, event.value.clone());
            continue;
        }
        if !denies(event) || asked.get(&event.process) == Some(&Value::Bool(false)) {
            continue;
        }
        match event.f.as_str() {
            "cas" | "acquire" | "lock" => {
                event.kind = Kind::Fail;
                failed += 1;
            }
            "write" | "put" | "append" | "delete" | "enqueue" | "push" | "release" | "unlock"
            | "transfer" => {
                event.kind = Kind::Info;
                unknown += 1;
            }
            _ => continue,
        }
        event.value = Value::Null;
        event.error.get_or_insert_with(|| "false".to_owned());
    }
    (failed, unknown)
}

/// Whether a function takes an element, so that it may find none.
pub(super) fn removes(f: &str) -> bool {
    matches!(f, "dequeue" | "pop" | "peek")
}

/// Whether a text is the mark of an empty queue.
pub(super) fn is_mark(text: &str) -> bool {
    EMPTY.iter().any(|mark| text.trim_start_matches(':').eq_ignore_ascii_case(mark))
}

/// Makes marks of an empty queue `null`, where nobody put them in.
fn empty_marks(events: &mut [Event]) -> usize {
    let found = |event: &Event| {
        event.kind == Kind::Ok && removes(&event.f) && event.value.as_str().is_some_and(is_mark)
    };
    if !events.iter().any(found) {
        return 0;
    }
    let added: FxHashSet<Value> = events
        .iter()
        .filter(|event| event.kind == Kind::Invoke && !removes(&event.f))
        .map(|event| event.value.clone())
        .collect();
    let mut count = 0;
    for event in events.iter_mut().filter(|event| found(event) && !added.contains(&event.value)) {
        event.value = Value::Null;
        count += 1;
    }
    count
}
