//! Values that replace those of a spec: `--set key=value`, and the `set` of a variant.

use super::path::{KeyPath, Step};
use toml::{Table, Value};

/// Who asked for an override.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `--set` on the command line.
    CommandLine,
    /// A value of the axis of a sweep.
    Axis,
    /// The `set` of the variant with this index in the spec (from 0).
    Variant(usize),
}

/// One value to put into a spec.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Override {
    /// Where it goes.
    pub path: KeyPath,
    /// What goes there.
    pub value: Value,
    /// Who asked.
    pub origin: Origin,
    /// The key as it was written, for messages.
    pub written: String,
}

impl Override {
    /// Reads the argument of `--set`: a dotted key, `=`, and a TOML value; what is not TOML is text.
    pub(crate) fn parse(argument: &str) -> Result<Self, String> {
        let (key, raw) = argument.split_once('=').ok_or_else(|| {
            "there is no \"=\"; write --set key=value, for example load.rate=500".to_owned()
        })?;
        let (key, raw) = (key.trim(), raw.trim());
        let value = toml::from_str::<Table>(&format!("value = {raw}"))
            .ok()
            .filter(|table| table.len() == 1)
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(raw.to_owned()));
        Ok(Self {
            path: KeyPath::parse(key)?,
            value,
            origin: Origin::CommandLine,
            written: argument.to_owned(),
        })
    }

    /// A value of the axis of a sweep, read as that of `--set`.
    pub(crate) fn of_axis(key: &str, value: &str) -> Result<Self, String> {
        Ok(Self { origin: Origin::Axis, ..Self::parse(&format!("{key}={value}"))? })
    }

    /// The overrides of a variant: dotted keys, or tables whose leaves are meant.
    pub(crate) fn of_variant(index: usize, set: &Table) -> Result<Vec<Self>, String> {
        let mut found = Vec::new();
        collect(index, &KeyPath::default(), "", set, &mut found)?;
        Ok(found)
    }

    /// Puts the value into the table, making the tables on the way. The last step may be the index after the end of a list.
    pub(crate) fn apply(&self, table: &mut Table) -> Result<(), String> {
        let (first, way) = self.path.0.split_first().ok_or("the key is empty")?;
        let Step::Key(name) = first else {
            return Err("the first part must be a key, for example fault.1.at".to_owned());
        };
        let mut walked = KeyPath::default().key(name);
        let missing = empty_for(way.first(), &self.value);
        let mut entry = table.entry(name.clone()).or_insert(missing);
        for (depth, step) in way.iter().enumerate() {
            let after = way.get(depth + 1);
            let next = inside(entry, &walked, step, empty_for(after, &self.value), after.is_none())?;
            walked.0.push(step.clone());
            entry = next;
        }
        *entry = self.value.clone();
        Ok(())
    }
}

/// What is put where nothing is yet: the value itself, or what holds the next step.
fn empty_for(next: Option<&Step>, value: &Value) -> Value {
    match next {
        None => value.clone(),
        Some(Step::Key(_)) => Value::Table(Table::new()),
        Some(Step::Item(_)) => Value::Array(Vec::new()),
    }
}

/// The entry one step inside `entry`, whose path is `walked`; made of `missing` where there is none yet. Only a
/// value is added to a list: an entry of which one key is set, such as a fault, would lack its others.
fn inside<'a>(
    entry: &'a mut Value,
    walked: &KeyPath,
    step: &Step,
    missing: Value,
    last: bool,
) -> Result<&'a mut Value, String> {
    let kind = entry.type_str();
    match (step, entry) {
        (Step::Key(key), Value::Table(table)) => Ok(table.entry(key.clone()).or_insert(missing)),
        (Step::Item(index), Value::Array(items)) => {
            let many = items.len();
            if *index > many || (*index == many && !last) {
                let next = if last { format!("; the next is {}", walked.item(many)) } else { String::new() };
                return Err(match many {
                    0 => format!("\"{walked}\" has no entry {} in this spec: it is empty{next}", index + 1),
                    1 => format!("\"{walked}\" has one entry in this spec{next}"),
                    many => format!("\"{walked}\" has {many} entries in this spec{next}"),
                });
            }
            if *index == many {
                items.push(missing);
            }
            Ok(&mut items[*index])
        }
        (Step::Item(index), _) => {
            Err(format!("\"{walked}\" is of type {kind} and has no entry {}", index + 1))
        }
        (Step::Key(_), _) => Err(format!("\"{walked}\" is of type {kind} and has no keys of its own")),
    }
}

fn collect(
    index: usize,
    at: &KeyPath,
    written: &str,
    set: &Table,
    found: &mut Vec<Override>,
) -> Result<(), String> {
    for (key, value) in set {
        let mut path = at.clone();
        path.0.extend(KeyPath::parse(key)?.0);
        let written = if written.is_empty() { key.clone() } else { format!("{written}.{key}") };
        match value {
            Value::Table(inner) => collect(index, &path, &written, inner, found)?,
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {
                found.push(Override { path, value: value.clone(), origin: Origin::Variant(index), written });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Override;
    use toml::{Table, Value};

    #[test]
    fn override_value_is_toml_or_else_text() {
        let value = |argument: &str| Override::parse(argument).unwrap().value;
        assert_eq!(value("a=3"), Value::Integer(3));
        assert_eq!(value("a=\"3\""), Value::String("3".into()));
        assert_eq!(value("a=250ms"), Value::String("250ms".into()));
        assert_eq!(value("a=1\nb=2"), Value::String("1\nb=2".into()));
        assert!(Override::parse("a").unwrap_err().contains("--set key=value"));
    }

    #[test]
    fn override_reaches_into_tables_and_lists() {
        let mut table: Table = toml::from_str("[[fault]]\nat = \"1s\"\n[load]\nrate = 5").unwrap();
        let apply = |argument: &str, table: &mut Table| Override::parse(argument).unwrap().apply(table);
        apply("fault.1.at=2s", &mut table).unwrap();
        apply("cluster.paxos.window=9", &mut table).unwrap();
        assert_eq!(table["fault"][0]["at"].as_str(), Some("2s"));
        assert_eq!(table["cluster"]["paxos"]["window"].as_integer(), Some(9));
        assert!(
            apply("fault.2.at=2s", &mut table).unwrap_err().ends_with("\"fault\" has one entry in this spec")
        );
        assert!(apply("load.rate.x=1", &mut table).unwrap_err().contains("load.rate"));
    }

    #[test]
    fn list_entries_are_replaced_or_added() {
        let mut table: Table =
            toml::from_str("[cluster]\nargs = [\"a\", \"b\", \"c\"]\n[a]\nb = [[1], [2]]").unwrap();
        let apply = |argument: &str, table: &mut Table| Override::parse(argument).unwrap().apply(table);
        for argument in ["cluster.args.2=x", "cluster.args.4=y", "load.keys.1=k", "a.b.2.1=7", "a.b.2.2=8"] {
            apply(argument, &mut table).unwrap();
        }
        let words: Vec<_> = table["cluster"]["args"].as_array().unwrap().iter().map(Value::as_str).collect();
        assert_eq!(words, [Some("a"), Some("x"), Some("c"), Some("y")]);
        assert_eq!(table["load"]["keys"][0].as_str(), Some("k"));
        assert_eq!(table["a"]["b"].to_string(), "[[1], [7, 8]]");
        let refused = apply("cluster.args.7=z", &mut table).unwrap_err();
        assert_eq!(refused, "\"cluster.args\" has 4 entries in this spec; the next is cluster.args.5");
        let refused = apply("load.args.2=z", &mut table).unwrap_err();
        assert_eq!(
            refused,
            "\"load.args\" has no entry 2 in this spec: it is empty; the next is load.args.1"
        );
        assert!(apply("fault.1.at=1s", &mut table).unwrap_err().contains("has no entry 1"));
        assert!(apply("cluster.2=z", &mut table).unwrap_err().contains("has no entry 2"));
        assert!(apply("1.x=z", &mut table).unwrap_err().contains("must be a key"));
    }

    #[test]
    fn variant_sets_dotted_keys_or_nested_tables() {
        let set: Table = toml::from_str("\"a.b\" = 1\nc.d.e = 2").unwrap();
        let found = Override::of_variant(0, &set).unwrap();
        let paths: Vec<_> = found.iter().map(|o| o.path.to_string()).collect();
        assert_eq!(paths, ["a.b", "c.d.e"]);
    }
}
