//! Finds out which format a file is in, by its first operation.

use super::{
    Format,
    edn::{Edn, Parser},
    fault::Fault,
    readers::{is_awdit, is_cobra, is_dbcop, is_log_line, is_plume},
};
use serde::{Deserialize, de::IgnoredAny};

/// The format, and why, in words.
pub(super) fn format(bytes: &[u8], name: &str) -> Result<(Format, Option<String>), Fault> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    let extension = extension.as_str();
    if is_dbcop(bytes) {
        return Ok((
            Format::Dbcop,
            Some(format!("the file is taken to be {}: it has dbcop's header", Format::Dbcop)),
        ));
    }
    if is_cobra(bytes) {
        return Ok((
            Format::Cobra,
            Some(format!("the file is taken to be {}: it has Cobra's records", Format::Cobra)),
        ));
    }
    let (format, why) = match by_content(text, extension) {
        Some(found) => found,
        None => by_extension(text, extension, name)?,
    };
    Ok((format, Some(format!("the file is taken to be {format}: {why}"))))
}

/// Whether the format is none of text.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    is_dbcop(bytes) || is_cobra(bytes)
}

fn by_content(text: &[u8], extension: &str) -> Option<(Format, &'static str)> {
    let in_brackets = text.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    let first = in_brackets.unwrap_or(text);
    if first.starts_with(b"{") && matches!(first[1..].trim_ascii_start().first(), Some(b'"')) {
        return json(first);
    }
    if in_brackets.is_some_and(|rest| rest.starts_with(b"]")) {
        let elle = extension == "json";
        return Some((if elle { Format::ElleJson } else { Format::JepsenEdn }, "it is an empty array"));
    }
    let list = text.strip_prefix(b"(").map(<[u8]>::trim_ascii_start);
    if matches!(list.unwrap_or(first).first(), Some(b'{' | b';' | b'#')) {
        return Some(edn(text));
    }
    let first_line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let has_column =
        |name: &[u8]| first_line.split(|&byte| byte == b',').any(|cell| cell.trim_ascii() == name);
    if has_column(b"f") && has_column(b"outcome") && has_column(b"invoked_ns") {
        return Some((Format::OperationsCsv, "its first line names the columns f, outcome and invoked_ns"));
    }
    if is_plume(text) {
        return Some((Format::Plume, "its first line is r(key,value,session,transaction) or w(…)"));
    }
    if is_awdit(text) {
        return Some((Format::Awdit, "its first line is r or w with a key and a value"));
    }
    let log = text.split(|&byte| byte == b'\n').any(is_log_line);
    log.then_some((Format::JepsenLog, "it has lines with a process, :invoke and an operation"))
}

/// What tells the JSON formats apart.
#[derive(Deserialize)]
struct FirstObject {
    history: Option<IgnoredAny>,
    #[serde(rename = "Input")]
    input: Option<IgnoredAny>,
    #[serde(rename = "type")]
    kind: Option<IgnoredAny>,
}

fn json(text: &[u8]) -> Option<(Format, &'static str)> {
    let object = serde_json::Deserializer::from_slice(text).into_iter::<FirstObject>().next();
    let starts = |start: &[u8]| text[1..].trim_ascii_start().starts_with(start);
    let (history, input, kind) = match object {
        Some(Ok(object)) => (object.history.is_some(), object.input.is_some(), object.kind.is_some()),
        // The reader of the format says best what is wrong with the object.
        Some(Err(_)) | None => (
            starts(b"\"history\""),
            starts(b"\"ClientI"),
            starts(b"\"type\"") || starts(b"\"index\"") || starts(b"\"process\""),
        ),
    };
    match (history, input, kind) {
        (true, ..) => Some((Format::History, "it begins with the header of a history")),
        (_, true, _) => Some((Format::EtcdJson, "its first object has an Input")),
        (.., true) => Some((Format::ElleJson, "its first object has a type")),
        (false, false, false) => None,
    }
}

fn edn(text: &[u8]) -> (Format, &'static str) {
    let jepsen = (Format::JepsenEdn, "it begins like EDN");
    // One line is enough, and a broken one is for the reader to tell.
    let Ok(mut parser) = Parser::new(text) else { return jepsen };
    if parser.skip_blank().is_ok() && matches!(parser.peek(), Some(b'[' | b'(')) {
        parser.bump();
    }
    let Ok(Edn::Map(entries)) = parser.form() else { return jepsen };
    let entry = |wanted: &str| {
        entries
            .iter()
            .find(|(key, _)| matches!(key, Edn::Keyword(name) if name == wanted))
            .map(|(_, value)| value)
    };
    let text_operation =
        matches!(entry("f"), Some(Edn::Keyword(f)) if ["get", "put", "append"].contains(&f.as_ref()));
    if text_operation && matches!(entry("key"), Some(Edn::Text(_))) {
        return (Format::PorcupineKv, "its first operation is a get, put or append with a :key");
    }
    jepsen
}

fn by_extension(text: &[u8], extension: &str, name: &str) -> Result<(Format, &'static str), Fault> {
    if text.is_empty() {
        return Err(Fault::whole_file("the file is empty"));
    }
    // Other extensions stand for more than one format, or for none.
    match extension {
        "edn" => Ok((Format::JepsenEdn, "of its extension")),
        "jsonl" => Ok((Format::History, "of its extension")),
        "csv" => Ok((Format::OperationsCsv, "of its extension")),
        _ => Err(Fault::whole_file(format!(
            "neither the content nor the name {name:?} says which format this is; say --format with one of {}",
            Format::names()
        ))),
    }
}
