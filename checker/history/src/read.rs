//! Reads our own `history.jsonl`: a header line, then one event a line.

use super::{Event, Header};
use std::io::{self, BufRead};

/// The version of the file format this crate reads and writes.
pub const FORMAT_VERSION: u32 = 1;

/// A history as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// What the events belong to.
    pub header: Header,
    /// The events in the order of the file; event `i` stands on line `i + 2`.
    pub events: Vec<Event>,
    /// Whether the last line was cut off and left out, as a killed bench leaves it.
    pub unfinished: bool,
}

/// Why a file is not a history of ours.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("line {line}: the history could not be read: {source}")]
    Io {
        /// The line that was being read, counted from 1.
        line: usize,
        /// What the system said.
        source: io::Error,
    },
    /// There is no header line.
    #[error(
        "line 1: the history has no header; the first line should be like \
         {{\"history\":1,\"spec\":\"smoke\",\"variant\":\"main\",\"model\":\"register\",\"seed\":7,\"started\":\"2026-11-23T10:00:00Z\"}}"
    )]
    NoHeader,
    /// The header is of a version this crate does not know.
    #[error("line 1: the history has format version {found}, this build reads version {FORMAT_VERSION}")]
    Version {
        /// The version in the header.
        found: u32,
    },
    /// A line is not what it should be.
    #[error("line {line}, column {column}: {message}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
        /// What is wrong with it.
        message: String,
    },
}

/// Reads a whole history. A last line without a line feed that does not parse is left out and reported
/// in [`History::unfinished`]; any other line that does not parse is an error.
pub fn read_jsonl(mut input: impl BufRead) -> Result<History, ReadError> {
    let mut text = Vec::new();
    let mut line = 1;
    next_line(&mut input, &mut text, line)?;
    if text.is_empty() {
        return Err(ReadError::NoHeader);
    }
    let header = parse_header(&text)?;
    let mut events: Vec<Event> = Vec::new();
    let mut unfinished = false;
    loop {
        line += 1;
        if next_line(&mut input, &mut text, line)? == 0 {
            break;
        }
        let event: Event = match serde_json::from_slice(&text) {
            Ok(event) => event,
            Err(_) if text.last() != Some(&b'\n') => {
                unfinished = true;
                break;
            }
            Err(error) => return Err(not_an_event(line, &text, &error)),
        };
        let before = events.last().map_or(0, |last| last.time);
        if event.time < before {
            return Err(times_go_back(line, event.time, before));
        }
        events.push(event);
    }
    Ok(History { header, events, unfinished })
}

pub(crate) fn times_go_back(line: usize, time: u64, before: u64) -> ReadError {
    let message = format!(
        "time {time} lies before the event above it, at {before}; times never decrease down a history"
    );
    ReadError::Line { line, column: 1, message }
}

pub(crate) fn next_line(
    input: &mut impl BufRead,
    text: &mut Vec<u8>,
    line: usize,
) -> Result<usize, ReadError> {
    text.clear();
    input.read_until(b'\n', text).map_err(|source| ReadError::Io { line, source })
}

pub(crate) fn parse_header(text: &[u8]) -> Result<Header, ReadError> {
    #[derive(serde::Deserialize)]
    struct Version {
        history: u32,
    }
    // The version first: a header of another version may have other fields.
    if let Ok(Version { history }) = serde_json::from_slice(text)
        && history != FORMAT_VERSION
    {
        return Err(ReadError::Version { found: history });
    }
    serde_json::from_slice(text).map_err(|error| ReadError::Line {
        line: 1,
        column: error.column().max(1),
        message: format!("this is not the header of a history: {}", reason(&error)),
    })
}

pub(crate) fn not_an_event(line: usize, text: &[u8], error: &serde_json::Error) -> ReadError {
    let message = if text.trim_ascii().is_empty() {
        "the line is empty; every line after the first is one event".to_owned()
    } else {
        format!("this is not an event: {}", reason(error))
    };
    ReadError::Line { line, column: error.column().max(1), message }
}

/// The error's words without its own "at line 1 column 5", which would contradict the line of the file.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Process};

    const HEADER: &str = r#"{"history":1,"spec":"smoke","variant":"main","model":"register","seed":7,"started":"2026-11-23T10:00:00Z"}"#;
    const INVOKE: &str = r#"{"time":1,"process":0,"type":"invoke","f":"read","key":"k1"}"#;
    const OK: &str = r#"{"time":2,"process":0,"type":"ok","f":"read","key":"k1","value":3}"#;

    fn read(lines: &[&str]) -> Result<History, ReadError> {
        read_jsonl(lines.join("\n").as_bytes())
    }

    #[test]
    fn a_whole_file_is_read_in_order() {
        let history = read(&[HEADER, INVOKE, OK, ""]).unwrap();
        assert_eq!(history.header.spec, "smoke");
        assert_eq!(history.events.len(), 2);
        assert_eq!(history.events[1].kind, Kind::Ok);
        assert_eq!(history.events[1].process, Process::Client(0));
        assert!(!history.unfinished);
    }

    #[test]
    fn a_cut_off_last_line_is_left_out_and_reported_at_every_cut() {
        let whole = format!("{HEADER}\n{INVOKE}\n{OK}\n");
        let second = HEADER.len() + 1;
        let third = second + INVOKE.len() + 1;
        for cut in second..=whole.len() {
            let history = read_jsonl(&whole.as_bytes()[..cut]).unwrap();
            let complete = match cut {
                _ if cut >= third + OK.len() => 2,
                _ if cut >= second + INVOKE.len() => 1,
                _ => 0,
            };
            assert_eq!(history.events.len(), complete, "cut at byte {cut}");
            let at_an_edge = [second, third - 1, third, whole.len() - 1, whole.len()].contains(&cut);
            assert_eq!(history.unfinished, !at_an_edge, "cut at byte {cut}");
        }
    }

    #[test]
    fn a_broken_line_in_the_middle_is_an_error_with_its_place() {
        let error = read(&[HEADER, r#"{"time":1,"process":0,"typ"#, OK, ""]).unwrap_err().to_string();
        assert!(error.starts_with("line 2, column "), "{error}");
        assert!(!error.contains(" at line 1"), "{error}");
        let error = read(&[HEADER, INVOKE, "", OK]).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("empty"), "{error}");
        let error = read(&[HEADER, INVOKE, "{}", ""]).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("missing field"), "{error}");
    }

    #[test]
    fn a_file_without_a_fitting_header_says_so() {
        assert!(matches!(read(&[]), Err(ReadError::NoHeader)));
        let error = read(&[INVOKE, OK]).unwrap_err().to_string();
        assert!(error.contains("not the header"), "{error}");
        let error = read(&[r#"{"history":2,"more":1}"#]).unwrap_err().to_string();
        assert!(error.contains("version 2"), "{error}");
    }

    #[test]
    fn times_that_decrease_are_an_error() {
        let error = read(&[HEADER, OK, INVOKE, ""]).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("never decrease"), "{error}");
    }
}
