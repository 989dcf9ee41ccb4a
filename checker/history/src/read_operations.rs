//! Reads our own `history.jsonl` straight into operations, line by line, without a list of events.

use super::line::client_event;
use super::operations::Operations;
use super::pair::{Pairs, pair_columns};
use super::read::{next_line, not_an_event, parse_header, times_go_back};
use super::{Event, Header, History, PairError, Process, ReadError};
use std::io::BufRead;

/// The operations of a history as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedOperations {
    /// What the operations belong to.
    pub header: Header,
    /// The operations, as [`pair`](crate::pair) makes them of the events.
    pub operations: Operations,
    /// The events of the nemesis, in order.
    pub nemesis: Vec<Event>,
    /// Whether the last line was cut off and left out, as a killed bench leaves it.
    pub unfinished: bool,
}

impl RecordedOperations {
    /// The operations of a history that was read as a list of events.
    ///
    /// # Errors
    /// When a process did what no process can do.
    pub fn of(history: History) -> Result<Self, PairError> {
        let History { header, events, unfinished } = history;
        let nemesis = events.iter().filter(|event| event.process == Process::Nemesis).cloned().collect();
        Ok(Self { header, operations: pair_columns(events)?, nemesis, unfinished })
    }
}

/// Why a file holds no operations.
#[derive(Debug, thiserror::Error)]
pub enum ReadOperationsError {
    /// It is not a history of ours.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A process did what no process can do.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// A line has an integer that may be longer than 64 bits, which only [`read_jsonl`](crate::read_jsonl) of a changed
    /// text can keep.
    #[error("line {line}: a number has more digits than fit in 64 bits")]
    LongNumber {
        /// Counted from 1.
        line: usize,
    },
}

/// Digits of the shortest integer that may not fit in 64 bits.
const LONG: usize = 19;

/// Reads the operations of a whole history. It has the operations that [`read_jsonl`](crate::read_jsonl) and
/// [`pair`](crate::pair) give, in less time and memory; where these report an error, so does it, perhaps another one.
pub fn read_operations(mut input: impl BufRead) -> Result<RecordedOperations, ReadOperationsError> {
    let mut text = Vec::new();
    let mut line = 1;
    if next_line(&mut input, &mut text, line)? == 0 {
        return Err(ReadError::NoHeader.into());
    }
    if has_long_number(&text) {
        return Err(ReadOperationsError::LongNumber { line });
    }
    let header = parse_header(&text)?;
    let mut pairs = Pairs::for_events(0);
    let mut nemesis = Vec::new();
    let mut unfinished = false;
    let mut before = 0;
    loop {
        line += 1;
        if next_line(&mut input, &mut text, line)? == 0 {
            break;
        }
        let index = line - 2;
        let line_text = text.strip_suffix(b"\n");
        let time = if let Some(event) = line_text.and_then(|text| client_event(text, &mut pairs.packer())) {
            let time = event.time;
            if time >= before {
                pairs.add(index, event)?;
            }
            time
        } else {
            if has_long_number(&text) {
                return Err(ReadOperationsError::LongNumber { line });
            }
            let event: Event = match serde_json::from_slice(&text) {
                Ok(event) => event,
                Err(_) if text.last() != Some(&b'\n') => {
                    unfinished = true;
                    break;
                }
                Err(error) => return Err(not_an_event(line, &text, &error).into()),
            };
            if event.time >= before {
                pairs.add_event(index, &event)?;
            }
            let time = event.time;
            if event.process == Process::Nemesis {
                nemesis.push(event);
            }
            time
        };
        if time < before {
            return Err(times_go_back(line, time, before).into());
        }
        before = time;
    }
    Ok(RecordedOperations { header, operations: pairs.finish(), nemesis, unfinished })
}

/// Whether a number in a line may not fit in 64 bits; also true of a negative one of nineteen digits that does.
fn has_long_number(text: &[u8]) -> bool {
    let mut runs = text.chunk_by(|one, other| one.is_ascii_digit() == other.is_ascii_digit());
    let mut negative = false;
    runs.any(|run| {
        let digits = run[0].is_ascii_digit();
        let fits = || !negative && std::str::from_utf8(run).is_ok_and(|run| run.parse::<u64>().is_ok());
        let long = digits && run.len() >= LONG && !fits();
        negative = run.ends_with(b"-");
        long
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pair, read_jsonl};

    const HEADER: &str = r#"{"history":1,"spec":"smoke","variant":"main","model":"register","seed":7,"started":"2026-11-23T10:00:00Z"}"#;

    /// Lines that the scanner reads, and lines that it leaves to the general parser.
    const LINES: [&str; 16] = [
        r#"{"time":1,"process":0,"type":"invoke","f":"write","key":"k1","value":17,"client":0,"node":"n1","phase":"load"}"#,
        r#"{"time":1,"process":1,"type":"invoke","f":"read","key":"k1","value":null,"client":1,"node":"n2","intended":0}"#,
        r#"{"time":2,"process":"nemesis","type":"info","f":"kill","value":{"targets":["n1"]}}"#,
        r#"{"time":3,"process":0,"type":"ok","f":"write","key":"k1","value":17,"node":"n3"}"#,
        r#"{"time":3,"process":0,"type":"invoke","f":"cas","key":"k1","value":[17,-4]}"#,
        r#"{"time":4,"process":1,"type":"ok","f":"read","key":"k1","value":-0.5}"#,
        r#"{"time":5,"process":0,"type":"fail","f":"cas","key":"k1","value":[17,-4],"error":"precondition","actual":null}"#,
        r#"{ "time": 6, "process": 0, "type": "invoke", "f": "txn", "value": [["r", "x", [1, 2]]] }"#,
        r#"{"time":7,"process":2,"type":"invoke","f":"txn","value":[["r","x",null],["append","y",1],[true,false,[]]]}"#,
        r#"{"time":7,"process":0,"type":"info","f":"txn","error":"time\nout"}"#,
        r#"{"f":"txn","value":[["r","x",[1,2]],["append","y",1]],"type":"ok","process":2,"time":8}"#,
        r#"{"time":9,"process":3,"type":"invoke","f":"enqueue"}"#,
        r#"{"time":9,"process":4,"type":"invoke","f":"append","key":"ü","value":"a\"b"}"#,
        r#"{"time":9,"process":3,"type":"ok","f":"enqueue","value":"x"}"#,
        r#"{"time":9,"process":4,"type":"fail","f":"append","error":"unavailable"}"#,
        r#"{"time":10,"process":7,"type":"invoke","f":"read","phase":"final"}"#,
    ];

    fn file() -> String {
        let mut file = format!("{HEADER}\n");
        for line in LINES {
            file.push_str(line);
            file.push('\n');
        }
        file
    }

    /// What both ways of reading say of a file.
    fn both(text: &[u8]) {
        let events = read_jsonl(text);
        let operations = read_operations(text);
        match (events, operations) {
            (Ok(history), Ok(recorded)) => {
                assert_eq!(recorded.operations.to_vec(), pair(&history.events).unwrap());
                assert_eq!(recorded, RecordedOperations::of(history).unwrap());
            }
            (Ok(history), Err(error)) => {
                assert_eq!(pair(&history.events).unwrap_err().to_string(), error.to_string());
            }
            (Err(_), Err(_)) => {}
            (Err(error), Ok(_)) => panic!("{error}"),
        }
    }

    #[test]
    fn operations_are_those_of_the_events() {
        let file = file();
        assert_eq!(read_operations(file.as_bytes()).unwrap().operations.len(), 8);
        for cut in 0..=file.len() {
            both(&file.as_bytes()[..cut]);
        }
    }

    #[test]
    fn damaged_bytes_read_alike_in_both_ways() {
        let file = file();
        let bytes = file.as_bytes();
        for at in HEADER.len() + 1..bytes.len() {
            for byte in [b'0', b'-', b'"', b'\\', b',', b'}', b']', b' ', b'\n', b'1', 0xff] {
                let mut changed = bytes.to_vec();
                changed[at] = byte;
                both(&changed);
            }
        }
    }

    #[test]
    fn requests_stay_what_they_were_when_answers_take_their_place() {
        let requests = [
            r#"["w","x",1],["r","y",null]"#,
            r#"["r","y",null],["r","x",null],["w","y",2]"#,
            r#"["r","y"],["w","x",3]"#,
            r#"["r","y",4],["w","x",4]"#,
            r#"["r","y",null],["append","x",5]"#,
        ];
        let answers = [
            r#"["w","x",1],["r","y",7]"#,
            r#"["r","y",null],["r","x",1.5],["w","y",2]"#,
            r#"["r","y",8],["w","x",3]"#,
            r#"["r","y",4],["w","x",4],["r","y",9]"#,
            r#"["r","y",[1,2]],["append","x",5]"#,
            r#"["r","y",null],["w","x",6]"#,
        ];
        let mut file = format!("{HEADER}\n");
        let mut time = 0;
        let mut add = |process: usize, kind: &str, value: &str| {
            time += 1;
            let event =
                format!(r#""time":{time},"process":{process},"type":"{kind}","f":"txn","value":[{value}]"#);
            file.push('{');
            file.push_str(&event);
            file.push_str("}\n");
        };
        let pairs = requests.iter().flat_map(|request| answers.map(|answer| (*request, answer)));
        for (number, (request, answer)) in pairs.enumerate() {
            // Every other answer does not follow its request at once.
            add(2 * number, "invoke", request);
            add(2 * number + 1, "invoke", request);
            add(2 * number, if number % 7 == 6 { "fail" } else { "ok" }, answer);
            add(2 * number + 1, if number % 5 == 4 { "info" } else { "ok" }, answer);
        }
        both(file.as_bytes());
    }

    #[test]
    fn long_numbers_are_left_to_others() {
        let line = r#"{"time":1,"process":0,"type":"invoke","f":"write","value":18446744073709551616}"#;
        let error = read_operations(format!("{HEADER}\n{line}\n").as_bytes()).unwrap_err();
        assert!(matches!(error, ReadOperationsError::LongNumber { line: 2 }), "{error}");
    }

    #[test]
    fn equal_values_are_stored_once() {
        let mut file = format!("{HEADER}\n");
        for time in 0..1000 {
            let (f, kind, value) = match time % 4 {
                0 => ("write", "invoke", time.to_string()),
                1 => ("write", "ok", (time - 1).to_string()),
                2 => ("cas", "invoke", "[1,\"a\"]".to_owned()),
                _ => ("cas", "ok", "null".to_owned()),
            };
            let line = format!(
                "{{\"time\":{time},\"process\":0,\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}}}\n"
            );
            file.push_str(&line);
        }
        let operations = read_operations(file.as_bytes()).unwrap().operations;
        assert_eq!((operations.len(), operations.distinct_values()), (500, 1 + 250 + 3));
    }
}
