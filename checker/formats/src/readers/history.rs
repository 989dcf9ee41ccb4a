//! Reads our own `history.jsonl`.

use super::super::{budget::Budget, draft::Draft, exact, fault::Fault};
use history::{ReadError, read_jsonl};

pub(super) fn read(bytes: &[u8], budget: Budget) -> Result<Draft<'_>, Fault> {
    let history = read_jsonl(bytes).map_err(|error| match error {
        ReadError::Line { line, column, message } => Fault::line(line, column, message),
        error @ (ReadError::Io { .. } | ReadError::NoHeader | ReadError::Version { .. }) => {
            let text = error.to_string();
            Fault::line(1, 1, text.strip_prefix("line 1: ").unwrap_or(&text))
        }
    })?;
    let mut draft = Draft::new(bytes, budget);
    draft.header = Some(history.header);
    draft.lines = (2..).take(history.events.len()).collect();
    for (event, line) in history.events.iter().zip(2..) {
        exact::check(&event.value)
            .and_then(|()| event.actual.as_ref().map_or(Ok(()), exact::check))
            .map_err(|message| Fault::line(line, 1, message))?;
    }
    draft.events = history.events;
    draft.end.unfinished = history.unfinished;
    if history.unfinished {
        draft.notes.push("the last line is cut off and was left out".to_owned());
    }
    Ok(draft)
}
