//! Writes our own `history.jsonl`, one line at a time.

use super::{Event, Header};
use std::io::{self, Write};

/// Writes the header line with its line feed. It comes first in a file, and once.
pub fn write_header(output: impl Write, header: &Header) -> io::Result<()> {
    write_line(output, header)
}

/// Writes one event as one line with its line feed, in one `write_all`, so that a kill cuts at most the
/// last line.
pub fn write_event(output: impl Write, event: &Event) -> io::Result<()> {
    write_line(output, event)
}

/// Appends one event as one line with its line feed to lines that are written together.
pub fn append_event(lines: &mut Vec<u8>, event: &Event) -> io::Result<()> {
    append_line(lines, event)
}

fn write_line(mut output: impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    let mut line = Vec::new();
    append_line(&mut line, value)?;
    output.write_all(&line)
}

fn append_line(lines: &mut Vec<u8>, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, value)?;
    lines.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FORMAT_VERSION, Kind, Phase, Process, read_jsonl};
    use serde_json::{Value, json};

    #[test]
    fn what_is_written_is_read_back_unchanged() {
        let header = Header {
            history: FORMAT_VERSION,
            spec: "smoke".into(),
            variant: "main".into(),
            model: "kv".into(),
            seed: u64::MAX,
            started: "2026-11-23T10:00:00Z".into(),
            initial: None,
            converted: None,
        };
        let mut invoke = Event::new(Process::Client(3), Kind::Invoke, "cas");
        invoke.key = Some("k\n\"1\"".into());
        invoke.value = json!([null, "a\nb"]);
        invoke.client = Some(3);
        invoke.node = Some("n1".into());
        invoke.intended = Some(0);
        invoke.phase = Some(Phase::Recovery);
        let mut fail = Event::new(Process::Client(3), Kind::Fail, "cas");
        fail.time = 9;
        fail.error = Some("precondition".into());
        fail.actual = Some(Value::Null);
        let mut fault = Event::new(Process::Nemesis, Kind::Info, "kill");
        fault.time = 9;
        fault.value = json!({"fault": 1, "event": "start", "targets": ["n2"], "evidence": []});
        let events = [invoke, fail, fault];

        let mut file = Vec::new();
        write_header(&mut file, &header).unwrap();
        for event in &events {
            write_event(&mut file, event).unwrap();
        }
        let history = read_jsonl(file.as_slice()).unwrap();
        assert_eq!(history.header, header);
        assert_eq!(history.events, events);
        assert!(!history.unfinished);
    }
}
