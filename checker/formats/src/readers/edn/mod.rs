//! Reads Jepsen's and Knossos' EDN: one map a line, or one vector or list of maps.

mod columns;
#[cfg(test)]
mod tests;
mod usual;
mod values;
mod window;

use super::super::{
    budget::Budget,
    clients::Who,
    draft::{Draft, Placed},
    edn::{Edn, Parser, to_value},
    fault::Fault,
};
use super::note_others;
use super::raw::{self, Raw};
pub(in super::super) use columns::read_operations;
use history::{Event, Kind, Process};
use serde_json::Value;
use usual::Usual;

pub(super) fn read(bytes: &[u8], budget: Budget) -> Result<Draft<'_>, Fault> {
    let bytes = whole_characters(bytes);
    let mut draft = Draft::new(bytes, budget);
    let mut parser = Parser::new(bytes)?;
    let mut others = 0;
    parser.skip_blank()?;
    let close = match parser.peek() {
        Some(b'[') => Some(b']'),
        Some(b'(') => Some(b')'),
        Some(_) | None => None,
    };
    let opened = parser.offset();
    if close.is_some() {
        parser.bump();
    }
    loop {
        parser.skip_blank()?;
        let offset = parser.offset();
        match (parser.peek(), close) {
            (None, None) => break,
            (None, Some(_)) if !draft.events.is_empty() => {
                draft.note_cut();
                break;
            }
            (None, Some(_)) => {
                return Err(Fault::at(opened, "no bracket closes the vector that begins here"));
            }
            (Some(byte), Some(close)) if byte == close => {
                parser.bump();
                end(&mut parser)?;
                break;
            }
            (Some(_), _) => {}
        }
        if let Some(Passed(event)) = usual_event(&mut parser, draft.budget) {
            match event {
                Some(placed) => draft.push(offset, placed)?,
                None => others += 1,
            }
            continue;
        }
        parser.rewind(offset);
        let form = match parser.form_within(draft.budget) {
            Ok(form) => form,
            Err(_) if !draft.events.is_empty() && is_cut(&bytes[offset..]) => {
                draft.note_cut();
                break;
            }
            Err(fault) => return Err(fault),
        };
        if !draft.events.is_empty() && close.is_none() && begins_report(&form) {
            ends_with_report(&bytes[offset..], offset)?;
            let lines =
                bytes[offset..].split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            draft.count_note(
                lines.count(),
                "line behind the operations is the report of a checker and was passed over",
                "lines behind the operations are the report of a checker and were passed over",
            );
            break;
        }
        let event = raw(form).and_then(Raw::event).map_err(|message| Fault::at(offset, message))?;
        match event {
            Some(placed) => draft.push(offset, placed)?,
            None => others += 1,
        }
    }
    note_others(&mut draft, others);
    Ok(draft)
}

/// The bytes without the first part of a character at the end, as a cut leaves it.
fn whole_characters(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        Ok(_) | Err(_) => bytes,
    }
}

/// Whether the report of a checker begins here: a map with its answer, or prose.
fn begins_report(form: &Edn<'_>) -> bool {
    match form {
        Edn::Map(entries) => names(entries, "valid?") && !OPERATION.iter().any(|name| names(entries, name)),
        Edn::Symbol(_) => true,
        _ => false,
    }
}

/// Keys of the map of an operation.
const OPERATION: [&str; 3] = ["type", "process", "f"];

fn names(entries: &[(Edn<'_>, Edn<'_>)], wanted: &str) -> bool {
    entries.iter().any(|(key, _)| matches!(key, Edn::Keyword(name) if name == wanted))
}

/// Refuses what looks like an operation behind the report that begins `rest`, which stands at `start`.
fn ends_with_report(rest: &[u8], start: usize) -> Result<(), Fault> {
    let refuse = |offset: usize| {
        Err(Fault::at(
            start + offset,
            "behind the operations something else begins here, with operations behind it: if it is the report of a checker, \
             make a file of each run; else take it out",
        ))
    };
    let is_operation = |form: &Edn<'_>| matches!(form, Edn::Map(entries) if OPERATION.iter().any(|name| names(entries, name)));
    let mut parser = Parser::new(rest).map_err(|fault| fault.shifted(start))?;
    loop {
        let before = parser.offset();
        if parser.skip_blank().is_err()
            || parser.peek().is_some()
                && parser
                    .form()
                    .map(|form| match &form {
                        Edn::Vector(items) => items.iter().any(is_operation),
                        form => is_operation(form),
                    })
                    .map_or(true, |operation| operation)
        {
            // An operation, or prose that is no EDN, in which one may be quoted.
            let quotes = [&b":type"[..], b":invoke"]
                .iter()
                .any(|word| rest[before..].windows(word.len()).any(|window| window == *word));
            return if quotes { refuse(0) } else { Ok(()) };
        }
        if parser.peek().is_none() {
            return Ok(());
        }
    }
}

/// Whether a map begins here that does not end, and no other operation behind it.
fn is_cut(rest: &[u8]) -> bool {
    let (mut open, mut quoted, mut escaped, mut comment, mut maps) = (Vec::new(), false, false, false, false);
    for &byte in rest {
        match byte {
            _ if comment => comment = byte != b'\n',
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b';' => comment = true,
            b'{' | b'[' | b'(' => {
                maps = true;
                open.push(byte);
            }
            b'}' | b']' | b')' => {
                let matching = match byte {
                    b'}' => b'{',
                    b']' => b'[',
                    _ => b'(',
                };
                if open.pop() != Some(matching) {
                    return false;
                }
            }
            _ => {}
        }
    }
    let unclosed = !open.is_empty() || quoted || !maps && rest.starts_with(b"#");
    unclosed && !has_second_operation(rest)
}

/// Whether the beginning of an operation stands inside what should be one.
fn has_second_operation(rest: &[u8]) -> bool {
    let count = |word: &[u8]| {
        let behind = |at: usize| rest.get(at + word.len()).is_none_or(u8::is_ascii_whitespace);
        (0..rest.len()).filter(|&at| rest[at..].starts_with(word) && behind(at)).count()
    };
    let begins = |at: usize| {
        let inside = rest[at + 1..].trim_ascii_start();
        [&b":type"[..], b":process", b":index", b":time", b":f "].iter().any(|word| inside.starts_with(word))
    };
    let maps = rest.iter().enumerate().filter(|(_, byte)| **byte == b'{').map(|(at, _)| at);
    maps.filter(|&at| begins(at)).count() > 1 || count(b":type") > 1 || count(b":process") > 1
}

/// After a vector of operations there is nothing.
fn end(parser: &mut Parser<'_>) -> Result<(), Fault> {
    parser.skip_blank()?;
    match parser.peek() {
        None => Ok(()),
        Some(_) => Err(Fault::at(parser.offset(), "the file goes on after the vector of operations")),
    }
}

/// An event; none if it is the nemesis's.
struct Passed(Option<Placed>);

/// The next event, if it is a usual one. Of anything else the parser stands anywhere.
fn usual_event(parser: &mut Parser<'_>, budget: Budget) -> Option<Passed> {
    let fields = match usual::event(parser, budget, Parser::direct_value)? {
        Usual::Nemesis => return Some(Passed(None)),
        Usual::Client(fields) => fields,
    };
    let mut event = Event::new(Process::Nemesis, fields.kind, fields.f);
    event.value = fields.value.unwrap_or_default();
    event.error = raw::error(fields.error);
    if matches!(fields.kind, Kind::Fail | Kind::Info) {
        raw::error_from_value(&mut event);
    }
    let who = Who::Number(fields.process);
    Some(Passed(Some(Placed { event, time: fields.time, index: fields.index, who, text_key: true })))
}

fn raw(form: Edn<'_>) -> Result<Raw, String> {
    let Edn::Map(entries) = form else {
        return Err("here should be the map of an operation, such as {:type :invoke, :f :read, …}".to_owned());
    };
    let mut raw = Raw::default();
    for (key, value) in entries {
        if let Edn::Keyword(name) = key
            && let Some(field) = raw.field(&name)
        {
            *field = match value {
                // A text that would read like a keyword.
                Edn::Text(text) if name == "key" && text.starts_with(':') => {
                    Value::from(Value::from(text.as_ref()).to_string())
                }
                value => to_value(value).map_err(|message| format!(":{name}: {message}"))?,
            };
        }
    }
    Ok(raw)
}
