//! The reference of every key of a spec, made from the schema of the types that a spec is parsed into.
//!
//! `schemars` derives that schema from the same structs, attributes and doc comments as serde derives the parser, so a
//! key cannot be parsed and be missing here. `bench list --keys` prints [`page`]; `workloads/keys.md` is its text.

use super::Spec;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use std::fmt::Write;

/// Columns of the page.
const WIDTH: usize = 100;

const INTRODUCTION: &str = "\
# The keys of a spec

`bench list --keys` prints this page; it is made from the types that a spec is parsed into. A spec is a TOML file
(<https://toml.io>). Every key can be set on the command line too, for example `--set load.clients=20`; the
entries of a list count from 1, for example `--set fault.1.at=2s`. Where no default is named, the key may be left out
and its description says what happens then, or it is marked as required. A duration is a number with a unit in
quotation marks: \"250ms\", \"2s\", \"1m 30s\". [README.md](README.md) explains how to write a spec.
";

/// One key of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    /// Its dotted path, for example `load.clients`.
    pub path: String,
    /// What its values are.
    pub kind: String,
    /// The limits of a number or a duration.
    pub range: Range,
    /// Whether a spec without it is refused.
    pub required: bool,
    /// Its value where a spec does not set it; none where that is described in words.
    pub default: Option<Value>,
    /// What it means.
    pub meaning: String,
    /// The words it can be, each with its meaning.
    pub words: Vec<(String, String)>,
}

/// The limits of a number or a duration, as JSON Schema has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Range {
    /// The smallest value.
    pub minimum: Option<Value>,
    /// What every value is above.
    pub above: Option<Value>,
    /// The largest value.
    pub maximum: Option<Value>,
}

/// A table of a spec.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    /// Its heading, for example `[load]`; empty for the keys above the first table.
    pub heading: String,
    /// What it is for.
    pub meaning: String,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// Every table of a spec, those inside another after it.
pub(crate) fn tables() -> Vec<Table> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Spec>();
    let mut tables = Vec::new();
    collect(&mut tables, "", String::new(), String::new(), schema.as_value());
    tables
}

/// The page as Markdown.
pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut before: Vec<Table> = Vec::new();
    for table in tables() {
        // A table in one whose keys stood before stood there as well.
        if before.iter().any(|other| other.keys.is_empty() && table.is_inside(other)) {
            continue;
        }
        let same = before.iter().find(|other| !other.keys.is_empty() && other.has_keys_of(&table));
        let same = same.map(|other| other.heading.clone());
        let heading = if table.heading.is_empty() { "Above the first table" } else { &table.heading };
        let _ = write!(page, "\n## {heading}\n\n");
        if !table.heading.is_empty() && !table.meaning.is_empty() {
            let _ = write!(page, "{}\n\n", wrapped(&table.meaning, "", ""));
        }
        if let Some(same) = same {
            let _ = writeln!(page, "Its keys are those of {same}.");
            before.push(Table { keys: Vec::new(), ..table });
            continue;
        }
        for key in &table.keys {
            let _ = writeln!(page, "{}", wrapped(&key.line(), "- ", "  "));
            for (word, meaning) in &key.words {
                let _ = writeln!(page, "{}", wrapped(&format!("\"{word}\": {meaning}"), "  - ", "    "));
            }
        }
        before.push(table);
    }
    page
}

impl Table {
    /// Its path without brackets.
    fn path(&self) -> &str {
        self.heading.trim_matches(['[', ']'])
    }

    fn is_inside(&self, other: &Self) -> bool {
        self.path().strip_prefix(other.path()).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Whether both have several keys, and the same ones.
    fn has_keys_of(&self, other: &Self) -> bool {
        let own = |table: &Self, key: &Key| {
            let name = key.path.strip_prefix(table.path()).unwrap_or(&key.path).to_owned();
            Key { path: name, ..key.clone() }
        };
        let keys = |table: &Self| table.keys.iter().map(|key| own(table, key)).collect::<Vec<_>>();
        self.keys.len() > 1 && keys(self) == keys(other)
    }
}

impl Key {
    /// The path, what the values are, the default and the meaning.
    fn line(&self) -> String {
        let mut facts = vec![self.kind.clone()];
        facts.extend(self.range.in_words());
        if self.required {
            facts.push("required".to_owned());
        }
        facts.extend(self.default.as_ref().map(|value| format!("default {}", in_toml(value))));
        facts.retain(|fact| !fact.is_empty());
        format!("`{}` ({}): {}", self.path, facts.join(", "), self.meaning)
    }
}

impl Range {
    fn of(schema: &Value) -> Self {
        let limit = |name: &str| schema.get(name).filter(|value| !is_limit_of_type(value)).cloned();
        Self { minimum: limit("minimum"), above: limit("exclusiveMinimum"), maximum: limit("maximum") }
    }

    fn in_words(&self) -> Option<String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match (&self.minimum, &self.above, &self.maximum) {
            (Some(low), _, Some(high)) => Some(format!("{} to {}", text(low), text(high))),
            (Some(low), _, None) => Some(format!("at least {}", text(low))),
            (None, Some(low), _) => Some(format!("above {}", text(low))),
            (None, None, Some(high)) => Some(format!("at most {}", text(high))),
            (None, None, None) => None,
        }
    }
}

/// Whether a limit is that of an integer type: every unsigned number is at least 0.
fn is_limit_of_type(value: &Value) -> bool {
    value.as_u64().is_some_and(|limit| [0, u64::from(u8::MAX), u64::from(u16::MAX)].contains(&limit))
}

/// Adds the table that `schema` describes, then the tables inside it.
fn collect(tables: &mut Vec<Table>, path: &str, heading: String, meaning: String, schema: &Value) {
    let (mut keys, mut inner) = (Vec::new(), Vec::new());
    for (name, property) in properties(schema) {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let value = without_null(property);
        let items = value.get("items").filter(|items| is_table(items));
        if is_table(value) {
            inner.push((format!("[{path}]"), path, property, value));
        } else if let Some(items) = items {
            inner.push((format!("[[{path}]]"), path, property, items));
        } else {
            keys.push(key(path, property, is_required(schema, name)));
        }
    }
    tables.push(Table { heading, meaning, keys });
    for (heading, path, property, schema) in inner {
        collect(tables, &path, heading, description(property), schema);
    }
}

fn key(path: String, schema: &Value, required: bool) -> Key {
    let value = without_null(schema);
    let words = words(value);
    let titled = schema.get("title").is_some();
    Key {
        path,
        kind: if words.is_empty() || titled {
            kind(if titled { schema } else { value })
        } else {
            "one of the words below".to_owned()
        },
        range: Range::of(schema),
        required,
        default: schema.get("default").filter(|value| !value.is_null()).cloned(),
        meaning: description(schema),
        words,
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

/// Whether it is a table with keys of its own, and has no shorter form.
fn is_table(schema: &Value) -> bool {
    properties(schema).next().is_some() && schema.get("title").is_none()
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|one| one == name))
}

/// The schema of the value itself, where null is allowed beside it.
fn without_null(schema: &Value) -> &Value {
    let options = schema.get("anyOf").and_then(Value::as_array);
    let Some(options) = options else { return schema };
    options.iter().find(|option| option.get("type").is_none_or(|kind| kind != "null")).unwrap_or(schema)
}

/// The text of a doc comment on one line, without links to code.
fn description(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.replace("[`", "`").replace("`]", "`").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words that an enumeration has.
fn words(schema: &Value) -> Vec<(String, String)> {
    let schema = if schema.get("items").is_some() { &schema["items"] } else { schema };
    let options = schema.get("oneOf").and_then(Value::as_array);
    let word = |option: &Value| Some((option.get("const")?.as_str()?.to_owned(), description(option)));
    options.into_iter().flatten().filter_map(word).collect()
}

/// What the values of a key are, in words.
fn kind(schema: &Value) -> String {
    if let Some(title) = schema.get("title").and_then(Value::as_str) {
        return title.to_owned();
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().find(|kind| *kind != "null"),
        kind => kind,
    };
    match kind.and_then(Value::as_str) {
        Some("string") if schema.get("format").is_some_and(|format| format == "duration") => {
            "duration".to_owned()
        }
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("number") => "number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => match schema.get("items").map(kind_of_items) {
            Some(items) => format!("list of {items}"),
            None => "list".to_owned(),
        },
        Some("object") => match schema.get("additionalProperties").map(kind_of_items) {
            Some(values) => format!("table from names to {values}"),
            None => "table".to_owned(),
        },
        _ => "value".to_owned(),
    }
}

fn kind_of_items(schema: &Value) -> String {
    match kind(schema).as_str() {
        "text" => "texts".to_owned(),
        "whole number" => "whole numbers".to_owned(),
        "value" => "values".to_owned(),
        other => other.to_owned(),
    }
}

/// A value as a spec has it.
fn in_toml(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{name} = {}", in_toml(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(in_toml).collect::<Vec<_>>().join(", ")),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => value.to_string(),
    }
}

/// The text in lines of [`WIDTH`] columns: `first` before the first line, `next` before the others.
fn wrapped(text: &str, first: &str, next: &str) -> String {
    let mut lines = vec![first.to_owned()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        let begins = line.trim_start().is_empty() || *line == first;
        if !begins && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{next}{word}"));
        } else {
            line.push_str(if begins { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Key, page, tables};
    use crate::spec::{Document, Wishes, load};
    use serde_json::Value;
    use std::time::Duration;

    fn keys() -> Vec<Key> {
        tables().into_iter().flat_map(|table| table.keys).collect()
    }

    fn key(path: &str) -> Key {
        keys().into_iter().find(|key| key.path == path).expect(path)
    }

    #[test]
    fn committed_page_is_what_is_printed() {
        let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/workloads/keys.md"));
        let same = committed.is_ok_and(|text| text == page());
        assert!(same, "write it again: cargo run -- list --keys > workloads/keys.md");
    }

    #[test]
    fn reference_has_type_range_default_and_meaning() {
        let clients = key("load.clients");
        assert_eq!(clients.kind, "whole number");
        assert_eq!(clients.range.in_words().as_deref(), Some("1 to 10000"));
        assert_eq!(clients.default, Some(10.into()));
        assert_eq!(key("load.warmup").range.in_words().as_deref(), Some("0s to 168h"));
        assert_eq!(key("load.warmup").default, Some("1s".into()));
        assert!(key("name").required && !key("about").required);
        assert!(key("cluster.network").words.iter().any(|(word, _)| word == "lab"));
        assert!(key("fault.kind").words.iter().any(|(word, _)| word == "kill"));
        assert_eq!(key("cluster.paxos.backoff.kind").default, Some("exponential".into()));
    }

    #[test]
    fn every_key_has_a_meaning_and_a_type() {
        for key in keys() {
            assert!(!key.meaning.is_empty(), "{}", key.path);
            assert_ne!(key.kind, "value", "{}", key.path);
            for (word, meaning) in &key.words {
                assert!(!meaning.is_empty(), "{} = \"{word}\"", key.path);
            }
        }
    }

    /// The values just outside a range.
    fn outside(key: &Key) -> Vec<String> {
        let beyond = |limit: &Value, sign: i8| match limit {
            Value::String(text) => {
                let limit: jiff::SignedDuration = text.parse().unwrap();
                let limit = Duration::try_from(limit).unwrap();
                let beyond = if sign < 0 {
                    limit.checked_sub(Duration::from_nanos(1))?
                } else {
                    limit + Duration::from_nanos(u64::try_from(sign).unwrap())
                };
                Some(format!("\"{}ns\"", beyond.as_nanos()))
            }
            Value::Number(number) if number.is_f64() => {
                Some((number.as_f64()? + f64::from(sign) * 1e-6).to_string())
            }
            Value::Number(number) => Some((number.as_i64()? + i64::from(sign)).to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let range = &key.range;
        let limits = [(&range.minimum, -1), (&range.above, 0), (&range.maximum, 1)];
        limits.into_iter().filter_map(|(limit, sign)| beyond(limit.as_ref()?, sign)).collect()
    }

    #[test]
    fn parser_refuses_values_outside_each_range() {
        let mut refused = 0;
        for key in keys() {
            for value in outside(&key) {
                let text = "name = \"t\"\n[cluster]\nnetwork = \"proxy\"\n[load]\nkeys = 1\n".to_owned();
                let set = [format!("{}={value}", key.path)];
                let document = Document { name: "t.toml".to_owned(), text };
                let failure = load(document, &Wishes { sets: &set, ..Wishes::default() });
                let failure = failure.err().unwrap_or_else(|| panic!("{} is not refused", set[0]));
                assert_eq!(failure.location, format!("--set {}", set[0]), "{}", failure.render());
                refused += 1;
            }
        }
        assert!(refused > 20, "only {refused} limits were tried");
    }
}
