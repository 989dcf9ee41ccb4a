//! Reads Jepsen's and Knossos' EDN: one map a line, or one vector or list of maps.

use super::super::{
    budget::Budget,
    clients::Who,
    draft::{Draft, Placed},
    edn::{Edn, Parser, to_value},
    fault::Fault,
};
use super::note_others;
use super::raw::{self, Raw};
use history::{Event, Kind, Process};
use serde_json::Value;

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
        if let Some(Usual(event)) = usual_event(&mut parser, draft.budget) {
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
        if !draft.events.is_empty() && close.is_none() && begins_report(&form, &bytes[offset..]) {
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

/// Whether the report of a checker begins here: a map with its answer, or prose, and no operation behind it.
fn begins_report(form: &Edn<'_>, rest: &[u8]) -> bool {
    let names = |entries: &[(Edn<'_>, Edn<'_>)], wanted: &str| {
        entries.iter().any(|(key, _)| matches!(key, Edn::Keyword(name) if name == wanted))
    };
    match form {
        Edn::Map(entries) => names(entries, "valid?") && !names(entries, "type"),
        Edn::Symbol(_) => {
            let mut lines = rest.split(|&byte| byte == b'\n').skip(1);
            !lines.any(|line| line.starts_with(b"{") || line.starts_with(b"#"))
        }
        _ => false,
    }
}

/// Whether a map begins here that does not end, and no other behind it.
fn is_cut(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_end();
    let mut lines = rest.split(|&byte| byte == b'\n').skip(1);
    if lines.any(|line| line.starts_with(b"{") || line.starts_with(b"#")) {
        return false;
    }
    let (mut depth, mut quoted, mut escaped, mut maps) = (0_i64, false, false, false);
    for &byte in rest {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' | b'(' if !quoted => (depth, maps) = (depth + 1, true),
            b'}' | b']' | b')' if !quoted => depth -= 1,
            _ => {}
        }
    }
    depth > 0 || quoted || !maps && rest.starts_with(b"#")
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
struct Usual(Option<Placed>);

/// The next event, if it is one of the usual ones. Of anything else the parser stands anywhere.
///
/// What [`Raw`] makes of the same map, without a form and a value for each field.
fn usual_event(parser: &mut Parser<'_>, budget: Budget) -> Option<Usual> {
    parser.begin_direct(budget);
    let depth = 1 + usize::from(parser.pass_text("#jepsen.history.Op"));
    parser.pass(b'{')?;
    let (mut kind, mut f, mut process) = (None, "txn", None);
    let (mut value, mut error) = (Value::Null, Value::Null);
    let (mut time, mut index) = (Value::Null, Value::Null);
    while parser.pass(b'}').is_none() {
        match parser.keyword()? {
            "type" => kind = Some(parser.keyword()?),
            "f" => f = parser.keyword()?,
            "process" => process = Some(parser.direct_value(depth)?),
            "value" => value = parser.direct_value(depth)?,
            "error" => error = parser.direct_value(depth)?,
            "time" => time = parser.direct_value(depth)?,
            "index" => index = parser.direct_value(depth)?,
            _ => return None,
        }
    }
    let who = match process? {
        Value::Number(number) => Who::Number(number.as_u64()?),
        Value::String(name) if name == ":nemesis" => return kind.map(|_| Usual(None)),
        _ => return None,
    };
    let kind = match kind? {
        "invoke" => Kind::Invoke,
        "ok" => Kind::Ok,
        "fail" => Kind::Fail,
        "info" => Kind::Info,
        _ => return None,
    };
    let mut event = Event::new(Process::Nemesis, kind, f);
    event.value = value;
    event.error = raw::error(error);
    if matches!(kind, Kind::Fail | Kind::Info) {
        raw::error_from_value(&mut event);
    }
    Some(Usual(Some(Placed { event, time: raw::time(&time), index: index.as_u64(), who })))
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
            *field = to_value(value).map_err(|message| format!(":{name}: {message}"))?;
        }
    }
    Ok(raw)
}
