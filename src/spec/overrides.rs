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
    /// The `set` of the variant with this place in the spec (from 0).
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

    /// Puts the value into the table, making the tables on the way.
    pub(crate) fn apply(&self, table: &mut Table) -> Result<(), String> {
        let (last, way) = self.path.0.split_last().ok_or("the key is empty")?;
        let mut place = table;
        let mut steps = way.iter().peekable();
        let mut walked = KeyPath::default();
        while let Some(step) = steps.next() {
            let Step::Key(key) = step else {
                return Err(format!("\"{walked}\" is not a list"));
            };
            walked = walked.key(key);
            let next = place.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
            let inner = match (next, steps.peek()) {
                (Value::Array(items), Some(Step::Item(index))) => {
                    steps.next();
                    let many = items.len();
                    walked = walked.item(*index);
                    items
                        .get_mut(*index)
                        .ok_or_else(|| format!("there are {many} of \"{key}\" in this spec"))?
                }
                (other, _) => other,
            };
            let kind = inner.type_str();
            place = inner
                .as_table_mut()
                .ok_or_else(|| format!("\"{walked}\" is of type {kind} and has no keys of its own"))?;
        }
        match last {
            Step::Key(key) => drop(place.insert(key.clone(), self.value.clone())),
            Step::Item(_) => return Err("the last part must be a key, for example fault.1.at".to_owned()),
        }
        Ok(())
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
    fn a_value_is_toml_where_it_can_be_and_text_otherwise() {
        let value = |argument: &str| Override::parse(argument).unwrap().value;
        assert_eq!(value("a=3"), Value::Integer(3));
        assert_eq!(value("a=\"3\""), Value::String("3".into()));
        assert_eq!(value("a=250ms"), Value::String("250ms".into()));
        assert_eq!(value("a=1\nb=2"), Value::String("1\nb=2".into()));
        assert!(Override::parse("a").unwrap_err().contains("--set key=value"));
    }

    #[test]
    fn an_override_reaches_into_tables_and_lists_and_says_where_it_cannot() {
        let mut table: Table = toml::from_str("[[fault]]\nat = \"1s\"\n[load]\nrate = 5").unwrap();
        let apply = |argument: &str, table: &mut Table| Override::parse(argument).unwrap().apply(table);
        apply("fault.1.at=2s", &mut table).unwrap();
        apply("cluster.paxos.window=9", &mut table).unwrap();
        assert_eq!(table["fault"][0]["at"].as_str(), Some("2s"));
        assert_eq!(table["cluster"]["paxos"]["window"].as_integer(), Some(9));
        assert!(apply("fault.2.at=2s", &mut table).unwrap_err().contains("there are 1"));
        assert!(apply("load.rate.x=1", &mut table).unwrap_err().contains("load.rate"));
    }

    #[test]
    fn a_variant_sets_leaves_by_dotted_keys_or_by_nested_tables() {
        let set: Table = toml::from_str("\"a.b\" = 1\nc.d.e = 2").unwrap();
        let found = Override::of_variant(0, &set).unwrap();
        let paths: Vec<_> = found.iter().map(|o| o.path.to_string()).collect();
        assert_eq!(paths, ["a.b", "c.d.e"]);
    }
}
