//! Reads Jepsen's and Knossos' EDN: one map a line, or one vector or list of maps.

use super::super::{
    budget::Budget,
    draft::Draft,
    edn::{Edn, Parser, to_value},
    fault::Fault,
};
use super::{note_others, raw::Raw};

pub(super) fn read(bytes: &[u8], budget: Budget) -> Result<Draft<'_>, Fault> {
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
        let form = parser.form_within(draft.budget)?;
        let event = raw(form).and_then(Raw::event).map_err(|message| Fault::at(offset, message))?;
        match event {
            Some((event, time)) => draft.push(offset, event, time)?,
            None => others += 1,
        }
    }
    note_others(&mut draft, others);
    Ok(draft)
}

/// After a vector of operations there is nothing.
fn end(parser: &mut Parser<'_>) -> Result<(), Fault> {
    parser.skip_blank()?;
    match parser.peek() {
        None => Ok(()),
        Some(_) => Err(Fault::at(parser.offset(), "the file goes on after the vector of operations")),
    }
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
