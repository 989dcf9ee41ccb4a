//! Reads our own `operations.csv`. Columns are found by their names.

use super::super::{Options, budget::Budget, draft::Draft, fault::Fault, intervals, json, processes};
use csv::{ErrorKind, StringRecord};
use history::{Converted, Event, Kind, Phase, Process};
use serde::Deserialize;
use serde_json::Value;

pub(super) fn read<'a>(bytes: &'a [u8], budget: Budget, options: &Options) -> Result<Draft<'a>, Fault> {
    let mut draft = Draft::new(bytes, budget);
    draft.ties = options.ties;
    let mut table = csv::ReaderBuilder::new().from_reader(bytes);
    let header = table.headers().map_err(|error| fault(&error))?;
    let columns = Columns::find(header)?;
    let mut record = StringRecord::new();
    let mut indexes = Vec::new();
    let open_end = !options.whole_last_line && !matches!(bytes.last(), Some(b'\n' | b'\r'));
    loop {
        match table.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if is_cut(&error, bytes) => {
                draft.note_cut();
                break;
            }
            Err(error) => return Err(fault(&error)),
        }
        if open_end && usize::try_from(table.position().byte()) == Ok(bytes.len()) {
            draft.note_open_end();
            break;
        }
        let offset = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
        let offset = skip_newlines(bytes, offset);
        let row = Row { bytes, offset, record: &record, columns: &columns, budget: draft.budget };
        row.about(&mut draft)?;
        let (begin, end) = row.events()?;
        indexes.push(row.number(columns.invoked_index)?);
        draft.push_as_is(offset, begin)?;
        if let Some(end) = end {
            indexes.push(row.number(columns.completed_index)?);
            draft.push_as_is(offset, end)?;
        }
    }
    if draft.end.unfinished {
        leave_out_late_ends(&mut draft, &mut indexes);
    }
    if indexes.iter().any(Option::is_some) {
        in_order_of(&mut draft, &indexes)?;
        processes::settle(&mut draft)?;
    } else {
        intervals::settle(&mut draft, false)?;
    }
    Ok(draft)
}

/// Leaves out the completions of a cut table that operations behind the cut may have come before. A table lists operations
/// in the order of their invocations.
fn leave_out_late_ends(draft: &mut Draft<'_>, indexes: &mut Vec<Option<u64>>) {
    let begins = || draft.events.iter().filter(|event| event.kind == Kind::Invoke).map(|event| event.time);
    let Some(last) = begins().max() else { return };
    if !begins().is_sorted() {
        draft.end.hides = true;
        return;
    }
    let keep: Vec<bool> =
        draft.events.iter().map(|event| event.kind == Kind::Invoke || event.time < last).collect();
    let mut marks = keep.iter();
    draft.events.retain(|_| marks.next().copied().unwrap_or(true));
    let mut marks = keep.iter();
    draft.lines.retain(|_| marks.next().copied().unwrap_or(true));
    let mut marks = keep.iter();
    indexes.retain(|_| marks.next().copied().unwrap_or(true));
}

/// Orders the events by their indexes. A completion of unknown outcome may have none; it goes where its time is.
fn in_order_of(draft: &mut Draft<'_>, indexes: &[Option<u64>]) -> Result<(), Fault> {
    let events = &draft.events;
    let line = |event: usize| draft.lines[event] as usize;
    let needs = |event: &usize| events[*event].kind != Kind::Info;
    if let Some(event) = (0..events.len()).filter(needs).find(|&event| indexes[event].is_none()) {
        let column = if events[event].kind == Kind::Invoke { "invoked_index" } else { "completed_index" };
        return Err(Fault::line(
            line(event),
            1,
            format!("this row has no {column}, and other rows have indexes; give all of them, or none"),
        ));
    }
    let mut order: Vec<usize> = (0..events.len()).filter(|&event| indexes[event].is_some()).collect();
    order.sort_unstable_by_key(|&event| indexes[event]);
    for pair in order.windows(2) {
        let [before, after] = [pair[0], pair[1]];
        if indexes[before] == indexes[after] {
            let index = indexes[after].unwrap_or(0);
            return Err(Fault::line(line(after), 1, format!("two events have the index {index}")));
        }
        if events[before].time > events[after].time {
            let message = "the indexes contradict the times: what has a larger index here has a smaller time";
            return Err(Fault::line(line(after), 1, message));
        }
    }
    let mut places: Vec<(usize, bool, usize)> =
        order.iter().enumerate().map(|(place, &event)| (place, true, event)).collect();
    for event in (0..events.len()).filter(|&event| indexes[event].is_none()) {
        let place = order.partition_point(|&other| events[other].time <= events[event].time);
        places.push((place, false, event));
    }
    places.sort_unstable();
    draft.events = places.iter().map(|&(.., event)| draft.events[event].clone()).collect();
    draft.lines = places.iter().map(|&(.., event)| draft.lines[event]).collect();
    Ok(())
}

/// What a table says of the file that it was converted from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    #[serde(default)]
    initial: Option<Value>,
    #[serde(default)]
    converted: Option<Converted>,
}

/// Whether the file ends inside this row: it is the last, without an end of line, and has too few cells.
fn is_cut(error: &csv::Error, bytes: &[u8]) -> bool {
    let ErrorKind::UnequalLengths { pos: Some(position), expected_len, len } = error.kind() else {
        return false;
    };
    let start = usize::try_from(position.byte()).map_or(bytes.len(), |start| skip_newlines(bytes, start));
    len < expected_len && !bytes.get(start..).unwrap_or_default().contains(&b'\n')
}

fn fault(error: &csv::Error) -> Fault {
    let message = match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("this row has {len} cells, the header has {expected_len}")
        }
        ErrorKind::Utf8 { .. } => "this row is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    match error.position().and_then(|position| usize::try_from(position.line()).ok()) {
        Some(line) => Fault::line(line, 1, message),
        None => Fault::whole_file(message),
    }
}

fn skip_newlines(bytes: &[u8], offset: usize) -> usize {
    let from = offset.min(bytes.len());
    from + bytes[from..].iter().take_while(|&&byte| byte == b'\r' || byte == b'\n').count()
}

/// Where each column stands.
struct Columns {
    f: usize,
    process: usize,
    outcome: usize,
    invoked: usize,
    completed: usize,
    client: Option<usize>,
    key: Option<usize>,
    argument: Option<usize>,
    result: Option<usize>,
    error: Option<usize>,
    intended: Option<usize>,
    invoked_index: Option<usize>,
    completed_index: Option<usize>,
    node: Option<usize>,
    phase: Option<usize>,
    about: Option<usize>,
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, Fault> {
        let find = |name: &str| header.iter().position(|column| column.trim() == name);
        let need = |name: &str| {
            find(name).ok_or_else(|| Fault::line(1, 1, format!("the header has no column {name}")))
        };
        Ok(Self {
            f: need("f")?,
            process: need("process")?,
            outcome: need("outcome")?,
            invoked: need("invoked_ns")?,
            completed: need("completed_ns")?,
            client: find("client"),
            key: find("key"),
            argument: find("argument"),
            result: find("result"),
            error: find("error"),
            intended: find("intended_ns"),
            invoked_index: find("invoked_index"),
            completed_index: find("completed_index"),
            node: find("node"),
            phase: find("phase"),
            about: find("about"),
        })
    }
}

struct Row<'a> {
    bytes: &'a [u8],
    offset: usize,
    record: &'a StringRecord,
    columns: &'a Columns,
    budget: Budget,
}

impl Row<'_> {
    fn events(&self) -> Result<(Event, Option<Event>), Fault> {
        let columns = self.columns;
        let process = self
            .number(Some(columns.process))?
            .ok_or_else(|| self.fault(columns.process, "the process is missing"))?;
        let process = Process::Client(process);
        let f = self.text(Some(columns.f)).ok_or_else(|| self.fault(columns.f, "the f is missing"))?;
        let mut begin = Event::new(process, Kind::Invoke, f);
        begin.time = self
            .number(Some(columns.invoked))?
            .ok_or_else(|| self.fault(columns.invoked, "the time of the invocation is missing"))?;
        begin.key = self.text(columns.key).map(str::to_owned);
        begin.value = self.json(columns.argument)?.unwrap_or(Value::Null);
        begin.client = self.number(columns.client)?.and_then(|client| u32::try_from(client).ok());
        begin.node = self.text(columns.node).map(str::to_owned);
        begin.intended = self.number(columns.intended)?;
        begin.phase = self.phase()?;
        let end = self.end(process, &begin)?;
        Ok((begin, end))
    }

    fn end(&self, process: Process, begin: &Event) -> Result<Option<Event>, Fault> {
        let columns = self.columns;
        let kind = match self.text(Some(columns.outcome)) {
            Some("ok") => Kind::Ok,
            Some("fail") => Kind::Fail,
            Some("info") => Kind::Info,
            Some(_) | None => {
                return Err(self.fault(columns.outcome, "the outcome should be ok, fail or info"));
            }
        };
        let Some(time) = self.number(Some(columns.completed))? else {
            return match kind {
                Kind::Ok | Kind::Fail => {
                    Err(self.fault(columns.completed, "an operation that ended needs its time"))
                }
                Kind::Info | Kind::Invoke => Ok(None),
            };
        };
        if time < begin.time {
            return Err(self.fault(columns.completed, "it ended before it was invoked"));
        }
        let mut end = Event::new(process, kind, begin.f.clone());
        end.time = time;
        end.key.clone_from(&begin.key);
        end.error = self.text(columns.error).map(str::to_owned);
        let result = self.json(columns.result)?;
        match kind {
            Kind::Ok => end.value = result.unwrap_or(Value::Null),
            Kind::Fail => end.actual = result,
            Kind::Info | Kind::Invoke => {}
        }
        Ok(Some(end))
    }

    /// A cell's text; none where the cell is empty or the column is missing.
    fn text(&self, column: Option<usize>) -> Option<&str> {
        self.record.get(column?).filter(|cell| !cell.is_empty())
    }

    fn number(&self, column: Option<usize>) -> Result<Option<u64>, Fault> {
        let (Some(column), Some(text)) = (column, self.text(column)) else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.fault(column, &format!("{text:?} should be a whole number below 2^64"))),
        }
    }

    fn json(&self, column: Option<usize>) -> Result<Option<Value>, Fault> {
        let (Some(column), Some(text)) = (column, self.text(column)) else { return Ok(None) };
        let value = json::value(text, self.budget)
            .map_err(|error| self.fault(column, &format!("this is no JSON for a value: {error}")))?;
        Ok(Some(value))
    }

    fn about(&self, draft: &mut Draft<'_>) -> Result<(), Fault> {
        let (Some(column), Some(text)) = (self.columns.about, self.text(self.columns.about)) else {
            return Ok(());
        };
        let about: About = serde_json::from_str(text).map_err(|error| {
            self.fault(column, &format!("this says nothing about a converted file: {error}"))
        })?;
        (draft.initial, draft.converted) = (about.initial, about.converted);
        Ok(())
    }

    fn phase(&self) -> Result<Option<Phase>, Fault> {
        let (Some(column), Some(text)) = (self.columns.phase, self.text(self.columns.phase)) else {
            return Ok(None);
        };
        Phase::deserialize(Value::from(text))
            .map(Some)
            .map_err(|_| self.fault(column, "the phase should be warmup, load, recovery or final"))
    }

    /// An error at the beginning of a cell.
    fn fault(&self, column: usize, message: &str) -> Fault {
        let row = &self.bytes[self.offset.min(self.bytes.len())..];
        let mut commas = 0;
        let mut quoted = false;
        let start = row.iter().position(|&byte| {
            let here = commas == column;
            quoted ^= byte == b'"';
            commas += usize::from(byte == b',' && !quoted);
            here
        });
        Fault::at(self.offset + start.unwrap_or(0), message)
    }
}
