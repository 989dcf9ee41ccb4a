//! Reads the JSON of elle-cli: an array of operations, or one object after the other.

use super::super::{budget::Budget, draft::Draft, fault::Fault};
use super::{note_others, raw::RawObject};
use serde::de::{DeserializeSeed, IgnoredAny};

pub(super) fn read(bytes: &[u8], budget: Budget) -> Result<Draft<'_>, Fault> {
    let mut draft = Draft::new(bytes, budget);
    let mut others = 0;
    let mut at = blank(bytes, if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 });
    let opened = (bytes.get(at) == Some(&b'[')).then_some(at);
    if opened.is_some() {
        at = blank(bytes, at + 1);
    }
    let mut first = true;
    loop {
        match (bytes.get(at), opened) {
            (None, None) => break,
            (None, Some(_)) if !draft.events.is_empty() => {
                draft.note_cut();
                break;
            }
            (None, Some(opened)) => {
                return Err(Fault::at(opened, "no bracket closes the array that begins here"));
            }
            (Some(b']'), Some(_)) => {
                let end = blank(bytes, at + 1);
                if end < bytes.len() {
                    return Err(Fault::at(end, "the file goes on after the array of operations"));
                }
                break;
            }
            (Some(b','), Some(_)) if !first => {
                at = blank(bytes, at + 1);
                if at == bytes.len() {
                    continue;
                }
            }
            (Some(_), Some(_)) if !first => {
                return Err(Fault::at(at, "here should be a comma or the end of the array"));
            }
            (Some(_), _) => {}
        }
        first = false;
        if bytes.get(at) != Some(&b'{') {
            return Err(Fault::at(
                at,
                "here should be the object of an operation, such as {\"type\":\"invoke\",…}",
            ));
        }
        let mut left = draft.budget;
        let mut json = serde_json::Deserializer::from_slice(&bytes[at..]);
        let raw = match RawObject(&mut left).deserialize(&mut json) {
            Ok(raw) => raw,
            Err(error) if error.is_eof() && !draft.events.is_empty() => {
                draft.note_cut();
                break;
            }
            Err(error) => return Err(Fault::json(at, &bytes[at..], &error)),
        };
        let length = json.into_iter::<IgnoredAny>().byte_offset();
        match raw.event().map_err(|message| Fault::at(at, message))? {
            Some(placed) => draft.push(at, placed)?,
            None => others += 1,
        }
        at = blank(bytes, at + length);
    }
    note_others(&mut draft, others);
    Ok(draft)
}

/// The first offset from here on that is not white space.
fn blank(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}
