//! Reads the log lines of Jepsen runs: `INFO  jepsen.util - 4\t:invoke\t:cas\t[1 2]`.
//!
//! As Porcupine reads them: a read that timed out says nothing, a write or compare-and-set that timed out may
//! have happened, the register starts empty, and `nil` is a value.

use super::super::{
    Options,
    budget::Budget,
    clients::Who,
    draft::{Draft, Placed},
    edn::{Edn, Parser, to_value},
    fault::{Fault, newlines},
};
use super::{note_others, raw::Raw, timeout};
use history::{Event, Kind, Process};
use serde_json::Value;

pub(super) fn read<'a>(bytes: &'a [u8], budget: Budget, options: &Options) -> Result<Draft<'a>, Fault> {
    let mut draft = Draft::new(bytes, budget);
    let (mut others, mut noise, mut timeouts, mut report) = (0, 0, 0, 0);
    let mut order = Order { bytes, first: None, report: None, quotes: false };
    let mut offset = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let last = line.last() != Some(&b'\n');
        match parts(line) {
            None if last && begins(line) => draft.note_cut(),
            None => {
                noise += usize::from(!line.trim_ascii().is_empty());
                if !draft.events.is_empty() && begins_report(line) {
                    order.report.get_or_insert(offset);
                    order.quotes |=
                        String::from_utf8_lossy(line).to_ascii_lowercase().contains("linearizable");
                }
            }
            Some(parts) if !order.is_of_log(offset, !line[..parts.process.0].trim_ascii().is_empty())? => {
                report += 1;
            }
            Some(_) if last && !options.whole_last_line => draft.note_open_end(),
            Some(parts) => {
                let raw = match raw(line, &parts) {
                    Err(_) if last && !draft.events.is_empty() => {
                        draft.note_cut();
                        break;
                    }
                    raw => raw.map_err(|fault| fault.shifted(offset))?,
                };
                let event = raw.event().map_err(|message| Fault::at(offset + parts.process.0, message))?;
                match event {
                    None => others += 1,
                    Some(placed) if last && !fits_open(&draft, &placed) => draft.note_cut(),
                    Some(mut placed) => {
                        let event = &mut placed.event;
                        let timed_out = event.error.as_deref().is_some_and(timeout::is_named);
                        if event.kind == Kind::Fail && event.f != "read" && timed_out {
                            event.kind = Kind::Info;
                            timeouts += 1;
                        }
                        draft.push(offset, placed)?;
                    }
                }
            }
        }
        offset += line.len();
    }
    if draft.events.is_empty() && draft.end.open {
        return Ok(draft);
    }
    if draft.events.is_empty() {
        return Err(Fault::whole_file(
            "no line is an operation; they should be like: INFO  jepsen.util - 4\\t:invoke\\t:write\\t3",
        ));
    }
    note_others(&mut draft, others);
    note_lines(&mut draft, [noise, report, timeouts]);
    Ok(draft)
}

/// Notes how many lines were passed over or taken otherwise.
fn note_lines(draft: &mut Draft<'_>, [noise, report, timeouts]: [usize; 3]) {
    draft.count_note(
        noise,
        "line is no operation and was passed over",
        "lines are no operations and were passed over",
    );
    draft.count_note(
        report,
        "line quotes an operation in another form than the log's lines and was passed over",
        "lines quote operations in another form than the log's lines and were passed over",
    );
    draft.count_note(
        timeouts,
        "update that failed by a time-out is taken to be of unknown outcome",
        "updates that failed by time-outs are taken to be of unknown outcome",
    );
}

/// Which lines are the log's, and which are quoted by a report behind it.
struct Order<'a> {
    bytes: &'a [u8],
    /// Whether something stands before the process in the first operation, and where that is.
    first: Option<(bool, usize)>,
    /// Where the report of a checker begins.
    report: Option<usize>,
    /// Whether the report announces operations.
    quotes: bool,
}

impl Order<'_> {
    /// Whether the operation at `offset` is one of the log's. A report quotes operations without what a log's lines begin
    /// with.
    fn is_of_log(&mut self, offset: usize, prefixed: bool) -> Result<bool, Fault> {
        let line = |at: usize| 1 + newlines(&self.bytes[..at]);
        let (first, at) = *self.first.get_or_insert((prefixed, offset));
        match self.report {
            None if first == prefixed => Ok(true),
            Some(_) if first != prefixed || self.quotes && !prefixed => Ok(false),
            Some(report) => Err(Fault::at(
                offset,
                format!(
                    "an operation stands behind line {}, where the report of a checker begins; if the file has more than one \
                     run, make a file of each, and if it has one, take that line out",
                    line(report)
                ),
            )),
            None => {
                let (this, other) =
                    if prefixed { ("something", "nothing") } else { ("nothing", "something") };
                Err(Fault::at(
                    offset,
                    format!(
                        "{this} stands before the process here, and {other} in the first operation (line {}), so that one \
                         of them is cut off or of another log; write both in one form",
                        line(at)
                    ),
                ))
            }
        }
    }
}

/// Whether a line without a type is the beginning of one that was cut off: a process and part of a type.
fn begins(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).rev();
    let (Some(last), Some(before)) = (words.next(), words.next()) else { return false };
    let types = [&b":invoke"[..], b":ok", b":fail", b":info"];
    types.iter().any(|kind| kind.starts_with(last)) && before.iter().all(u8::is_ascii_digit)
}

/// Whether the report of a checker begins here, which may quote operations.
fn begins_report(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let text = text.rsplit(" - ").next().unwrap_or_default().trim().to_ascii_lowercase();
    [
        "not linearizable",
        "linearizable prefix",
        "inconsistent",
        "analysis invalid",
        "everything looks good",
        "{:valid?",
    ]
    .iter()
    .any(|start| text.starts_with(start))
}

/// Whether the last event, behind which there is no end of line, is whole: it completes what its process began.
fn fits_open(draft: &Draft<'_>, placed: &Placed) -> bool {
    let Placed { event, who, .. } = placed;
    let Who::Number(number) = who else { return true };
    let own = |other: &&Event| other.process == Process::Client(*number);
    let before = draft.events.iter().rev().find(own);
    event.kind == Kind::Invoke || before.is_none_or(|before| before.f == event.f)
}

/// Whether a line is an operation.
pub(in super::super) fn is_log_line(line: &[u8]) -> bool {
    parts(line).is_some()
}

/// A token by its offset in the line.
type Token = (usize, usize);

struct Parts {
    process: Token,
    kind: Token,
    f: Token,
}

/// The process, type and function: the first type that stands between a process and a keyword.
fn parts(line: &[u8]) -> Option<Parts> {
    // A map is EDN, however much it may look like a line of a log.
    if line.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let (mut process, mut kind): (Option<Token>, Option<Token>) = (None, None);
    let mut start = 0;
    for word in line.split(u8::is_ascii_whitespace) {
        let token = (start, start + word.len());
        start += word.len() + 1;
        if word.is_empty() {
            continue;
        }
        if let (Some(process), Some(kind)) = (process, kind)
            && word.len() > 1
            && word[0] == b':'
        {
            return Some(Parts { process, kind, f: token });
        }
        match kind.take() {
            None if matches!(word, b":invoke" | b":ok" | b":fail" | b":info") && process.is_some() => {
                kind = Some(token);
            }
            Some(_) | None => {
                let names_process = word.iter().all(u8::is_ascii_digit) || word[0] == b':';
                process = names_process.then_some(token);
            }
        }
    }
    None
}

/// Parses the line; offsets in errors count from its start.
fn raw(line: &[u8], parts: &Parts) -> Result<Raw, Fault> {
    let word = |(from, to): Token| String::from_utf8_lossy(&line[from..to]).into_owned();
    let process = word(parts.process);
    let mut raw = Raw {
        kind: Value::from(word(parts.kind)),
        f: Value::from(word(parts.f)),
        process: match process.parse::<u64>() {
            Ok(number) => Value::from(number),
            Err(_) if process.starts_with(':') => Value::from(process),
            Err(_) => return Err(Fault::at(parts.process.0, format!("the process {process} is too large"))),
        },
        ..Raw::default()
    };
    let rest = parts.f.1;
    let mut forms = Parser::new(&line[rest..]).map_err(|fault| fault.shifted(rest))?;
    for name in ["value", "error"] {
        forms.skip_blank().map_err(|fault| fault.shifted(rest))?;
        if forms.peek().is_none() {
            break;
        }
        let offset = rest + forms.offset();
        let form = match forms.form() {
            Ok(form) => form,
            // What follows the value may be anything.
            Err(_) if name == "error" => Edn::Nil,
            Err(fault) => return Err(fault.shifted(rest)),
        };
        let value = to_value(form).map_err(|message| Fault::at(offset, message))?;
        if let Some(field) = raw.field(name) {
            *field = value;
        }
    }
    Ok(raw)
}
