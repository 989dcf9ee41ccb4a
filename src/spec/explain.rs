//! Error messages for specs: the parser's message as a reason, and a remedy with the nearest valid word.

/// A complaint about one entry, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explained {
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub help: Option<String>,
    /// The word that is wrong, to be looked for in the text, and what it is.
    pub word: Option<Word>,
}

/// The word a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// An unknown key.
    Key(String),
    /// A text value that is none of the valid ones.
    Value(String),
    /// A key that is not there.
    Missing(String),
}

/// Reads a message of serde, toml or one of our own crates.
pub(crate) fn explain(message: &str) -> Explained {
    let message = message.trim().lines().next().unwrap_or_default();
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (word, valid) = word_and_choices(rest);
        return Explained {
            reason: format!("unknown key \"{word}\""),
            help: Some(choices("keys", &word, &valid)),
            word: Some(Word::Key(word)),
        };
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let (word, valid) = word_and_choices(rest);
        return Explained {
            reason: format!("there is no \"{word}\" here"),
            help: Some(choices("choices", &word, &valid)),
            word: Some(Word::Value(word)),
        };
    }
    if let Some(rest) = message.strip_prefix("missing field `") {
        let word = rest.split('`').next().unwrap_or_default().to_owned();
        return Explained {
            reason: format!("the key \"{word}\" is missing"),
            help: Some(format!("add a line {word} = …; the specs in workloads/ show each key")),
            word: Some(Word::Missing(word)),
        };
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        let expected = match expected {
            "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number, for example 10".to_owned(),
            "f64" => "a number, for example 2.5".to_owned(),
            "a boolean" => "true or false".to_owned(),
            "a string" => "text in quotation marks, for example \"n1\"".to_owned(),
            duration if duration.contains("duration") => duration_instead_of(found),
            table if table.starts_with("struct ") || table == "a map" => {
                "a table of keys, for example { key = value }; `bench list --keys` shows them".to_owned()
            }
            "a sequence" => "a list, for example [1, 2]".to_owned(),
            other => other.to_owned(),
        };
        return Explained {
            reason: format!("{found} cannot be meant here"),
            help: Some(format!("it should be {expected}")),
            word: quoted(found).map(Word::Value),
        };
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid value: integer `").and_then(|rest| rest.split_once("`, expected "))
        && let Some(most) = largest(expected)
    {
        return Explained {
            reason: format!("{found} is out of range"),
            help: Some(format!("it should be a whole number from 0 to {most}")),
            word: None,
        };
    }
    // What jiff says of a duration it cannot read.
    if message.contains("\"friendly\"") {
        let why = message.split_once("format: ").map_or(message, |(_, why)| why);
        return Explained {
            reason: format!("this is not a duration: {why}"),
            help: Some("write a number and a unit, for example \"250ms\", \"2s\" or \"1m 30s\"".to_owned()),
            word: None,
        };
    }
    own(message)
}

/// The largest number of an unsigned type, by the type's name.
fn largest(kind: &str) -> Option<u64> {
    match kind {
        "u8" => Some(u8::MAX.into()),
        "u16" => Some(u16::MAX.into()),
        "u32" => Some(u32::MAX.into()),
        "u64" | "usize" => Some(u64::MAX),
        _ => None,
    }
}

/// What a duration should be; where only the unit is missing, the number that was written with units.
fn duration_instead_of(found: &str) -> String {
    let number = quoted(found).filter(|_| found.starts_with("integer ") || found.starts_with("floating "));
    match number {
        Some(number) if !number.starts_with('-') => {
            format!("a number with a unit, in quotation marks, for example \"{number}s\" or \"{number}ms\"")
        }
        Some(_) | None => {
            "a number with a unit, in quotation marks, for example \"250ms\" or \"2s\"".to_owned()
        }
    }
}

/// What a plan refuses: the nearest of the words that could stand there comes first.
pub(crate) fn refusal(error: nemesis::PlanError) -> Explained {
    let word = error.word;
    let near = word.as_deref().and_then(|word| nearest(word, error.choices.iter().map(String::as_str)));
    let help = match (near, error.help) {
        (Some(near), Some(help)) => Some(format!("did you mean \"{near}\"? {help}")),
        (_, help) => help,
    };
    Explained { reason: error.reason, help, word: word.map(Word::Value) }
}

/// Our own crates say what is wrong, then what could be: `there is no flaw "x"; the flaws are a, b`.
pub(crate) fn own(message: &str) -> Explained {
    let Some((reason, remedy)) = message.split_once("; ") else {
        return Explained { reason: message.to_owned(), help: None, word: quoted(message).map(Word::Value) };
    };
    let word = quoted(reason);
    let near = word.as_deref().filter(|_| !remedy.contains("did you mean")).and_then(|word| {
        let (_, list) = [" are ", " has "].iter().find_map(|verb| remedy.split_once(verb))?;
        nearest(word, list.split([',', ' ']).map(|w| w.trim_matches(|c: char| !c.is_alphanumeric())))
    });
    let help = match near {
        Some(near) => format!("did you mean \"{near}\"? {remedy}"),
        None => remedy.to_owned(),
    };
    Explained { reason: reason.to_owned(), help: Some(help), word: word.map(Word::Value) }
}

/// The first word in quotation marks or backquotes.
fn quoted(text: &str) -> Option<String> {
    text.split(['"', '`']).nth(1).filter(|word| !word.is_empty()).map(str::to_owned)
}

/// From serde: ``x`, expected one of `a`, `b` ``.
fn word_and_choices(rest: &str) -> (String, Vec<String>) {
    let mut quoted = rest.split('`').step_by(2).map(str::to_owned);
    let word = quoted.next().unwrap_or_default();
    let valid = rest.split('`').skip(2).step_by(2).map(str::to_owned).collect();
    (word, valid)
}

/// The nearest of the valid words first, then all of them.
pub(crate) fn choices(what: &str, word: &str, valid: &[String]) -> String {
    if valid.is_empty() {
        return format!("there are no {what} here");
    }
    let list = valid.join(", ");
    match nearest(word, valid.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"? The {what} here: {list}"),
        None => format!("the {what} here: {list}"),
    }
}

/// The valid word that is most like `word`, if one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, valid: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    valid
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::{Word, explain};

    #[test]
    fn an_unknown_key_gets_the_nearest_valid_one() {
        let found = explain("unknown field `leadershp`, expected one of `leadership`, `backoff`, `window`");
        assert_eq!(found.word, Some(Word::Key("leadershp".into())));
        assert!(found.help.unwrap().starts_with("did you mean \"leadership\"?"));
    }

    #[test]
    fn an_unknown_flaw_gets_the_nearest_valid_one() {
        let found =
            explain("there is no flaw \"comander-minority\"; the flaws are a-b, commander-minority-quorum");
        assert_eq!(found.reason, "there is no flaw \"comander-minority\"");
        assert!(found.help.unwrap().contains("\"commander-minority-quorum\"?"));
    }

    #[test]
    fn wrong_type_names_the_right_type() {
        let found = explain("invalid type: string \"none\", expected u32");
        assert_eq!(found.reason, "string \"none\" cannot be meant here");
        assert_eq!(found.help.unwrap(), "it should be a whole number, for example 10");
        assert_eq!(found.word, Some(Word::Value("none".into())));
    }

    #[test]
    fn table_and_list_are_named_without_types() {
        let help = |expected: &str| explain(&format!("invalid type: integer `3`, expected {expected}")).help;
        assert!(help("struct LoadSpec").unwrap().starts_with("it should be a table of keys"));
        assert!(help("a map").unwrap().starts_with("it should be a table of keys"));
        assert_eq!(help("a sequence").unwrap(), "it should be a list, for example [1, 2]");
    }

    #[test]
    fn number_out_of_range_gets_the_range() {
        let found = explain("invalid value: integer `-3`, expected u32");
        assert_eq!(found.reason, "-3 is out of range");
        assert_eq!(found.help.unwrap(), "it should be a whole number from 0 to 4294967295");
    }

    #[test]
    fn a_duration_without_unit_gets_an_example() {
        let help = |found: &str| {
            let found = explain(&format!("invalid type: {found}, expected an unsigned duration string"));
            found.help.unwrap()
        };
        assert!(help("integer `5`").ends_with("for example \"5s\" or \"5ms\""), "{}", help("integer `5`"));
        assert!(help("floating point `2.5`").contains("\"2.5s\""));
        for other in ["boolean `true`", "sequence", "integer `-3`"] {
            assert!(help(other).ends_with("for example \"250ms\" or \"2s\""), "{}", help(other));
        }
    }

    #[test]
    fn a_remedy_that_is_said_already_is_kept() {
        let found = explain("there is no fault `kil`; did you mean `kill`?");
        assert_eq!(found.help.unwrap(), "did you mean `kill`?");
        assert_eq!(found.word, Some(Word::Value("kil".into())));
    }

    #[test]
    fn word_without_neighbour_gets_the_list_alone() {
        let found = explain("unknown variant `xyzzy`, expected `kill` or `pause`");
        assert_eq!(found.help.unwrap(), "the choices here: kill, pause");
    }
}
