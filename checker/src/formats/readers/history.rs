//! Reads our own `history.jsonl`.

use super::super::{draft::Draft, exact, fault::Fault};
use crate::history::{ReadError, read_jsonl};

pub(super) fn read(bytes: &[u8]) -> Result<Draft<'_>, Fault> {
    let history = read_jsonl(bytes).map_err(|error| match error {
        ReadError::Line { line, column, message } => Fault::line(line, column, message),
        error @ (ReadError::Io { .. } | ReadError::NoHeader | ReadError::Version { .. }) => {
            let text = error.to_string();
            Fault::line(1, 1, text.strip_prefix("line 1: ").unwrap_or(&text))
        }
    })?;
    let mut draft = Draft::new(bytes);
    draft.header = Some(history.header);
    draft.events = history.events;
    draft.lines = (2..).take(draft.events.len()).collect();
    for (event, line) in draft.events.iter().zip(2..) {
        let numbers =
            exact::check(&event.value).and_then(|()| event.actual.as_ref().map_or(Ok(()), exact::check));
        numbers.map_err(|message| Fault::line(line, 1, message))?;
    }
    if history.unfinished {
        draft.notes.push("the last line is cut off and was left out".to_owned());
    }
    Ok(draft)
}
