//! Writes our own `history.jsonl`.

use super::Refusal;
use history::{Event, Header, write_event, write_header};

pub(super) fn write(events: &[Event], header: &Header) -> Result<Vec<u8>, Refusal> {
    let io = |error: std::io::Error| Refusal { event: None, message: error.to_string() };
    let mut out = Vec::new();
    write_header(&mut out, header).map_err(io)?;
    let mut last = 0;
    for (index, event) in events.iter().enumerate() {
        if event.time < last {
            return Err(Refusal::at(index, "its time lies before that of the event above it"));
        }
        last = event.time;
        write_event(&mut out, event).map_err(io)?;
    }
    Ok(out)
}
