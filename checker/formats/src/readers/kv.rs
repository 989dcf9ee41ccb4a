//! Reads Porcupine's key-value lines: `{:process 9, :type :invoke, :f :append, :key "0", :value "x 9 0 y"}`.
//!
//! There a key that was never written holds the empty text, so that empty and absent are the same: both are
//! null here.

use super::super::{budget::Budget, draft::Draft, fault::Fault};
use super::edn;
use history::{Event, Kind, Process};
use rustc_hash::FxHashSet;
use serde_json::Value;

pub(super) fn read(bytes: &[u8], budget: Budget) -> Result<Draft<'_>, Fault> {
    let mut draft = edn::read(bytes, budget)?;
    let missing = draft.events.iter().position(|event| event.kind == Kind::Invoke && event.key.is_none());
    if let Some(index) = missing {
        return Err(Fault::line(draft.lines[index] as usize, 1, "this operation has no :key"));
    }
    for event in &mut draft.events {
        let is_empty = event.value.as_str() == Some("");
        if is_empty && event.f != "append" {
            event.value = Value::Null;
        }
    }
    leave_out_empty_appends(&mut draft);
    Ok(draft)
}

/// Appending nothing changes nothing; to an absent key it would leave an empty text, which is the same here.
fn leave_out_empty_appends(draft: &mut Draft<'_>) {
    let mut open: FxHashSet<Process> = FxHashSet::default();
    let mut keep = |event: &Event| match event.kind {
        Kind::Invoke if event.f == "append" && event.value.as_str() == Some("") => {
            open.insert(event.process);
            false
        }
        Kind::Invoke => true,
        Kind::Ok | Kind::Fail | Kind::Info => !open.remove(&event.process),
    };
    let kept: Vec<bool> = draft.events.iter().map(&mut keep).collect();
    let left_out = kept.iter().filter(|&&kept| !kept).count();
    if left_out == 0 {
        return;
    }
    let mut keeps = kept.iter();
    draft.events.retain(|_| keeps.next().is_some_and(|&kept| kept));
    let mut keeps = kept.iter();
    draft.lines.retain(|_| keeps.next().is_some_and(|&kept| kept));
    draft.count_note(
        left_out,
        "event of an append of nothing was left out",
        "events of appends of nothing were left out",
    );
}
