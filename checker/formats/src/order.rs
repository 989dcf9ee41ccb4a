//! Settles the order of events: that of the file, or that of their times where the two differ.
//!
//! Most tools write events as they happen. Some write an operation's invocation and completion side by side, with true
//! times. Times are used where every event has one and each process's events are in order; otherwise the order of
//! the file counts.

use super::{draft::Draft, fault::Fault, intervals};
use history::Process;
use rustc_hash::FxHashMap;

/// Orders the events of a draft by their times where the order of the file contradicts them.
pub(super) fn settle(draft: &mut Draft<'_>) -> Result<(), Fault> {
    if !draft.times_go_back {
        return Ok(());
    }
    if draft.timed == draft.events.len() && consistent(draft) {
        intervals::settle(draft)?;
        draft.notes.push(
            "the order of events is that of their times, which the order of the file contradicts".to_owned(),
        );
        return Ok(());
    }
    let mut last = 0;
    for event in &mut draft.events {
        last = event.time.max(last);
        event.time = last;
    }
    draft.notes.push(
        "the order of events is that of the file: times contradict it, and they contradict one another or are missing"
            .to_owned(),
    );
    Ok(())
}

/// Whether the times of each process never go back.
fn consistent(draft: &Draft<'_>) -> bool {
    let mut last: FxHashMap<Process, u64> = FxHashMap::default();
    draft.events.iter().all(|event| {
        let before = last.insert(event.process, event.time).unwrap_or(0);
        before <= event.time
    })
}
