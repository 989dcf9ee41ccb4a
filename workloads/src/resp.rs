//! RESP2, the protocol of Redis: commands as arrays of texts, and answers as JSON.

use serde_json::Value;

/// A command as Redis reads it.
pub(crate) fn command<S: AsRef<str>>(words: &[S]) -> Vec<u8> {
    let texts = words.iter().map(|word| format!("${}\r\n{}\r\n", word.as_ref().len(), word.as_ref()));
    format!("*{}\r\n{}", words.len(), texts.collect::<String>()).into_bytes()
}

/// How deep lists stand in each other at most; an answer that goes deeper is none.
const DEPTH: usize = 32;

/// Reads an answer as JSON, with how many bytes it took; none if more of it is to come. States and errors are texts.
///
/// # Errors
/// When this is no answer of Redis, or one with lists deeper than `depth`.
fn reply(bytes: &[u8], depth: usize) -> Result<Option<(Value, usize)>, ()> {
    let Some(line) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let said = std::str::from_utf8(bytes.get(1..line).ok_or(())?).map_err(drop)?;
    let (number, begin) = (said.parse::<i64>(), line + 2);
    let read = match bytes[0] {
        b'+' | b'-' => Value::from(said),
        b':' => Value::from(number.map_err(drop)?),
        b'$' | b'*' if number == Ok(-1) => Value::Null,
        b'$' => {
            let length = number.ok().and_then(|length| usize::try_from(length).ok()).ok_or(())?;
            let end = begin.checked_add(length).ok_or(())?;
            let Some(text) = bytes.get(begin..end.saturating_add(2)) else { return Ok(None) };
            let text = std::str::from_utf8(&text[..length]).map_err(drop)?;
            return Ok(Some((Value::from(text), end + 2)));
        }
        b'*' => {
            let depth = depth.checked_sub(1).ok_or(())?;
            let (mut list, mut end) = (Vec::new(), begin);
            for _ in 0..number.map_err(drop)? {
                let Some((element, took)) = reply(&bytes[end..], depth)? else { return Ok(None) };
                list.push(element);
                end += took;
            }
            return Ok(Some((Value::from(list), end)));
        }
        _ => return Err(()),
    };
    Ok(Some((read, begin)))
}

/// An answer as JSON; none if it is not whole, or no answer of Redis.
pub(crate) fn json(bytes: &[u8]) -> Option<Value> {
    reply(bytes, DEPTH).ok().flatten().map(|(read, _)| read)
}

/// Whether an answer says that something went wrong.
pub(crate) fn is_error(bytes: &[u8]) -> bool {
    bytes.starts_with(b"-")
}

/// Whether an answer is there as a whole; an error if these are no answer of Redis.
pub(crate) fn is_whole(bytes: &[u8]) -> Result<bool, ()> {
    reply(bytes, DEPTH).map(|read| read.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_read_as_json() {
        assert_eq!(super::json(b"$2\r\n17\r\n"), Some(json!("17")));
        assert_eq!(super::json(b"$-1\r\n"), Some(Value::Null));
        assert_eq!(super::json(b"+OK\r\n"), Some(json!("OK")));
        assert_eq!(super::json(b":12\r\n"), Some(json!(12)));
        assert_eq!(super::json(b"*2\r\n$1\r\n3\r\n*1\r\n$-1\r\n"), Some(json!(["3", [null]])));
        assert_eq!(super::json(b"-READONLY no\r\n"), Some(json!("READONLY no")));
        for odd in [&b"$2\r\n1"[..], b"hello", b"$x\r\n", b"\r\n", b"$99999999999999999999\r\n"] {
            assert_eq!(super::json(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn answer_is_complete_at_its_last_byte() {
        for answer in ["$5\r\na\r\nbc\r\n", "*2\r\n:1\r\n*1\r\n$-1\r\n", "+OK\r\n", "-ERR x\r\n"] {
            for end in 0..answer.len() {
                assert_eq!(is_whole(&answer.as_bytes()[..end]), Ok(false), "{answer} until {end}");
            }
            assert_eq!(is_whole(answer.as_bytes()), Ok(true), "{answer}");
        }
        assert_eq!(is_whole(b"HTTP/1.1 200 OK\r\n"), Err(()));
    }

    #[test]
    fn lists_that_never_end_are_no_answers() {
        for deep in [40, 100_000] {
            assert_eq!(is_whole("*1\r\n".repeat(deep).as_bytes()), Err(()), "{deep}");
        }
        let lists = |depth: usize| format!("{}:1\r\n", "*1\r\n".repeat(depth));
        assert_eq!(is_whole(lists(DEPTH).as_bytes()), Ok(true));
        assert_eq!(super::json(lists(DEPTH + 1).as_bytes()), None);
    }

    #[test]
    fn command_has_the_length_of_each_word() {
        assert_eq!(command(&["SET", "k1", "ä b"]), "*3\r\n$3\r\nSET\r\n$2\r\nk1\r\n$4\r\nä b\r\n".as_bytes());
    }
}
