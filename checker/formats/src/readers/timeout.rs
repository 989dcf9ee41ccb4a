//! Says whether an error is a time-out, by the words that name it.
//!
//! What an error is called decides: a keyword such as `:timed-out`, or the class of an exception. The text behind a keyword
//! with a meaning of its own is only prose: `[:no-leader "election timeout is 5s"]` is no time-out.

/// Keywords that say nothing by themselves, so that the text behind them counts.
const VAGUE: [&str; 8] =
    ["error", "exception", "fail", "failed", "failure", "io-exception", "unknown", "unknown-error"];

/// Whether an error is a time-out: `:timed-out`, `[:timeout "…"]`, `SocketTimeoutException`; not `:runtime-exception`.
pub(super) fn is_named(error: &str) -> bool {
    let parts: Vec<String> = match serde_json::from_str::<serde_json::Value>(error) {
        Ok(serde_json::Value::Array(parts)) => {
            parts.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect()
        }
        Ok(_) | Err(_) => vec![error.to_owned()],
    };
    for part in parts {
        let name = part.trim_start_matches(':');
        if says_timeout(name) {
            return true;
        }
        let vague = VAGUE.contains(&name.to_ascii_lowercase().as_str());
        if !vague {
            return false;
        }
    }
    false
}

/// Whether the words of a text say that time ran out.
fn says_timeout(text: &str) -> bool {
    let words = words(text);
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    (0..words.len()).any(|index| {
        !is_denied(&words[..index])
            && match (word(index), word(index + 1)) {
                ("timeout" | "timeouts" | "timedout", next) => is_end(next),
                ("time" | "timed", "out") => is_end(word(index + 2)),
                _ => false,
            }
    })
}

/// Whether the words before a time-out say that there was none: `no timeout`, `not a timeout`, `did not time out`.
fn is_denied(before: &[String]) -> bool {
    let filler = |word: &&String| {
        matches!(
            word.as_str(),
            "a" | "an" | "the" | "any" | "yet" | "due" | "to" | "by" | "because" | "of" | "have" | "been"
        )
    };
    let mut words = before.iter().rev().skip_while(filler).map(String::as_str);
    match (words.next(), words.next()) {
        (
            Some(
                "not" | "no" | "non" | "never" | "without" | "isnt" | "wasnt" | "didnt" | "before" | "within"
                | "pre",
            ),
            _,
        ) => true,
        (Some("t"), Some(verb)) => verb.ends_with('n'),
        _ => false,
    }
}

/// Whether a time-out may end before this word; `time-out-of-range` and `timeout is 5s` are none.
fn is_end(next: &str) -> bool {
    !matches!(
        next,
        "of" | "is"
            | "was"
            | "set"
            | "must"
            | "should"
            | "not"
            | "value"
            | "manager"
            | "config"
            | "disabled"
            | "off"
            | "unset"
            | "none"
            | "never"
            | "false"
            | "nil"
            | "null"
            | "no"
    )
}

/// The words of a text in small letters; capitals inside begin new ones.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last_lower = false;
    for letter in text.chars() {
        if letter.is_ascii_alphabetic() {
            if words.is_empty() || letter.is_ascii_uppercase() && last_lower {
                words.push(String::new());
            }
            words.last_mut().expect("one was pushed").push(letter.to_ascii_lowercase());
        } else {
            words.push(String::new());
        }
        last_lower = letter.is_ascii_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::is_named;

    #[test]
    fn only_known_words_are_timeouts() {
        for (error, expected) in [
            ("timed-out", true),
            ("timeout", true),
            ("client-timeout", true),
            ("[\":timeout\",\"x\"]", true),
            ("[\":exception\",\"java.net.SocketTimeoutException: Read timed out\"]", true),
            ("java.net.SocketTimeoutException", true),
            ("runtime-exception", false),
            ("[\":runtime-exception\",\"no leader\"]", false),
            ("time-out-of-range", false),
            ("not-a-timeout", false),
            ("no-timeout", false),
            ("[\":error\",\"no timeout\"]", false),
            ("[\":error\",\"it did not time out\"]", false),
            ("[\":error\",\"it hasn't timed out\"]", false),
            ("[\":error\",\"no answer: timed out\"]", true),
            ("{\"timeout?\":false}", false),
            ("lifetime-exceeded", false),
            ("[\":no-leader\",\"election timeout is 5s\"]", false),
            ("[\":no-leader\",\"request timed out\"]", false),
        ] {
            assert_eq!(is_named(error), expected, "{error}");
        }
    }
}
