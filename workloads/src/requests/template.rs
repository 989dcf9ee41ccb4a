//! Templates: text with words in braces that are filled in for each operation.

use crate::operation::{Function, Operation};
use crate::paxos::text;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::collections::BTreeMap;

/// Words that earlier steps of an exchange captured, with their values.
pub(super) type Captures = BTreeMap<String, Value>;

/// Part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Word(Word, Form),
}

/// What a word stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Key,
    Value,
    /// Of a compare-and-set: the value that is expected.
    From,
    /// Of a compare-and-set: the value that is set.
    To,
    /// Of a lock: the client that has it or wants it.
    Owner,
    /// Of a poll: the offset that it begins at.
    Offset,
    /// What an earlier step captured under this name.
    Captured(String),
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Json,
    Base64,
    Url,
}

/// A text with words in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

/// The words, for messages.
pub(super) const WORDS: &str =
    "{key}, {value}, {from}, {to}, {owner}, {offset}, each also as {key:json}, {key:base64} or {key:url}";

impl Template {
    /// Reads a template for a function, after steps that captured these words. Braces around anything that is no word, as in
    /// JSON, stay as they are.
    pub(super) fn parse(template: &str, function: Function, captured: &[&str]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some(start) = rest.find('{') {
            let inside = &rest[start + 1..];
            let name = inside.find('}').map(|end| &inside[..end]).filter(|name| looks_like_word(name));
            let Some(name) = name else {
                push_text(&mut pieces, &rest[..=start]);
                rest = inside;
                continue;
            };
            push_text(&mut pieces, &rest[..start]);
            let (word, form) = word(name, captured)?;
            if !fits(&word, function) {
                return Err(format!("a {function} has no {{{name}}}; {}", has(function)));
            }
            pieces.push(Piece::Word(word, form));
            rest = &inside[name.len() + 1..];
        }
        push_text(&mut pieces, rest);
        Ok(Self(pieces))
    }

    /// The text for an operation.
    pub(super) fn fill(&self, operation: &Operation, captures: &Captures) -> String {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Word(word, form) => filled.push_str(&form.write(&word.of(operation, captures))),
            }
        }
        filled
    }

    /// A statement that has a placeholder for each word, and the words in their order.
    pub(super) fn statement(
        &self,
        placeholder: impl Fn(usize) -> String,
    ) -> Result<(String, Vec<Self>), String> {
        let (mut sql, mut words) = (String::new(), Vec::new());
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => sql.push_str(text),
                Piece::Word(..) if sql.matches('\'').count() % 2 == 1 => {
                    return Err(
                        "a word stands for a whole value; remove the quotation marks around it".to_owned()
                    );
                }
                Piece::Word(..) => {
                    words.push(Self(vec![piece.clone()]));
                    sql.push_str(&placeholder(words.len()));
                }
            }
        }
        Ok((sql, words))
    }

    /// The value of a parameter, which is one word; none for null.
    pub(super) fn parameter(&self, operation: &Operation, captures: &Captures) -> Option<String> {
        match self.0.as_slice() {
            [Piece::Word(word, form)] => Some(word.of(operation, captures))
                .filter(|value| !value.is_null())
                .map(|value| form.write(&value)),
            _ => Some(self.fill(operation, captures)),
        }
    }

    /// Whether it says what the operation writes.
    pub(super) fn names_value(&self) -> bool {
        self.0
            .iter()
            .any(|piece| matches!(piece, Piece::Word(Word::Value | Word::To | Word::Owner | Word::Offset, _)))
    }

    /// Whether it says which key is meant.
    pub(super) fn names_key(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Word(Word::Key, _)))
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if let Some(Piece::Text(last)) = pieces.last_mut() {
        last.push_str(text);
    } else if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// Whether braces hold a word, perhaps a wrong one: `{key}`, `{kye}`, `{key:hex}`; not `{"id": 7}` or `{}`.
fn looks_like_word(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, ':' | '-' | '_'))
}

fn word(name: &str, captured: &[&str]) -> Result<(Word, Form), String> {
    let unknown = || {
        let steps = captured.iter().map(|name| format!(", {{{name}}}")).collect::<Vec<_>>().concat();
        format!("there is no {{{name}}}; it could be {WORDS}{steps}")
    };
    let (word, form) = name.split_once(':').unwrap_or((name, ""));
    let word = match word {
        "key" => Word::Key,
        "value" => Word::Value,
        "from" => Word::From,
        "to" => Word::To,
        _ if captured.contains(&word) => Word::Captured(word.to_owned()),
        "owner" => Word::Owner,
        "offset" => Word::Offset,
        _ => return Err(unknown()),
    };
    let form = match form {
        "" => Form::Plain,
        "json" => Form::Json,
        "base64" => Form::Base64,
        "url" => Form::Url,
        _ => return Err(unknown()),
    };
    Ok((word, form))
}

fn fits(word: &Word, function: Function) -> bool {
    match word {
        Word::Key => has_key(function),
        Word::Captured(_) => true,
        Word::Value => has_value(function),
        Word::From | Word::To => function == Function::Cas,
        Word::Owner => matches!(function, Function::Acquire | Function::Release),
        Word::Offset => function == Function::Poll,
    }
}

/// Whether a function is about one key.
pub(super) fn has_key(function: Function) -> bool {
    !matches!(function, Function::Total | Function::Add | Function::Generate)
}

fn has_value(function: Function) -> bool {
    matches!(
        function,
        Function::Write
            | Function::Put
            | Function::Append
            | Function::Enqueue
            | Function::Add
            | Function::Send
    )
}

fn has(function: Function) -> &'static str {
    match (has_key(function), has_value(function)) {
        _ if function == Function::Cas => "it has {key}, {from} and {to}",
        _ if function == Function::Poll => "it has {key} and {offset}",
        _ if matches!(function, Function::Acquire | Function::Release) => "it has {key} and {owner}",
        (true, true) => "it has {key} and {value}",
        (true, false) => "it has {key}",
        (false, true) => "it has {value}",
        (false, false) => "it has no words of its own",
    }
}

impl Word {
    fn of(&self, operation: &Operation, captures: &Captures) -> Value {
        match self {
            Self::Key => Value::String(operation.key.clone()),
            Self::Value | Self::Offset => operation.argument.clone(),
            Self::From => operation.argument[0].clone(),
            Self::To => operation.argument[1].clone(),
            Self::Owner => operation.argument["client"].clone(),
            Self::Captured(name) => captures.get(name).cloned().unwrap_or_default(),
        }
    }
}

impl Form {
    fn write(self, value: &Value) -> String {
        match self {
            Self::Plain => text(value),
            Self::Json => value.to_string(),
            Self::Base64 => STANDARD.encode(text(value)),
            Self::Url => utf8_percent_encode(&text(value), NON_ALPHANUMERIC).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(template: &str, function: Function, argument: Value) -> String {
        let operation = Operation { function, key: "k 1".to_owned(), argument };
        let captures = Captures::from([("rev".to_owned(), json!(5))]);
        Template::parse(template, function, &["rev"]).unwrap().fill(&operation, &captures)
    }

    #[test]
    fn words_are_filled_in_and_json_stays() {
        let write = |template| filled(template, Function::Write, json!(7));
        assert_eq!(
            write("{\"id\":{key:json},\"val\":{value},\"x\":{}}"),
            "{\"id\":\"k 1\",\"val\":7,\"x\":{}}"
        );
        assert_eq!(write("/items/{key:url}?v={value}"), "/items/k%201?v=7");
        assert_eq!(write("{key:base64} {"), "ayAx {");
        assert_eq!(filled("{from}>{to}", Function::Cas, json!([1, 2])), "1>2");
        assert_eq!(filled("{rev}:{rev:base64}", Function::Read, Value::Null), "5:NQ==");
        assert_eq!(filled("{value:json}", Function::Put, json!("a")), "\"a\"");
        assert_eq!(filled("{value}", Function::Put, json!("a")), "a");
    }

    #[test]
    fn words_of_statements_are_parameters() {
        let template = |text| Template::parse(text, Function::Cas, &[]).unwrap();
        let update = template("update t set v = {to}, w = '{}' where k = {key} and v = {from}");
        let (sql, words) = update.statement(|number| format!("${number}")).unwrap();
        assert_eq!(sql, "update t set v = $1, w = '{}' where k = $2 and v = $3");
        let operation =
            Operation { function: Function::Cas, key: "k'1".to_owned(), argument: json!([null, 2]) };
        let given: Vec<_> = words.iter().map(|word| word.parameter(&operation, &Captures::new())).collect();
        assert_eq!(given, [Some("2".to_owned()), Some("k'1".to_owned()), None]);
        let quoted = template("select v from t where k = '{key}'").statement(|_| "?".to_owned());
        assert!(quoted.unwrap_err().contains("remove the quotation marks"));
    }

    #[test]
    fn unknown_and_unfit_words_are_refused() {
        let refused = |template, function| Template::parse(template, function, &[]).unwrap_err();
        assert!(refused("/{kye}", Function::Read).starts_with("there is no {kye}; it could be {key}"));
        assert!(refused("/{key:hex}", Function::Read).contains("{key:hex}"));
        assert_eq!(refused("/{value}", Function::Read), "a read has no {value}; it has {key}");
        assert_eq!(refused("{value}", Function::Cas), "a cas has no {value}; it has {key}, {from} and {to}");
    }
}
