//! The axis of a sweep: one key of the spec, and its successive values.

use crate::failure::Failure;
use crate::spec::Spec;
use toml::Value;

/// A key with its values, each in the form of `--set`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Axis {
    /// The dotted key.
    pub(crate) key: String,
    /// Its values as written.
    pub(crate) values: Vec<String>,
}

const HELP: &str = "write the key and its values, for example --over load.clients=1,64,256";

impl Axis {
    /// The axis of the command line, or of the spec.
    ///
    /// # Errors
    /// When there is none, or it has no values (exit code 2).
    pub(crate) fn choose(over: Option<&str>, spec: &Spec) -> Result<Self, Failure> {
        let (axis, location) = match (over, &spec.sweep) {
            (Some(over), _) => (Self::parse(over)?, format!("--over {over}")),
            (None, Some(sweep)) if !sweep.over.is_empty() => {
                let values = sweep.values.iter().map(written).collect();
                (Self { key: sweep.over.clone(), values }, "[sweep] values".to_owned())
            }
            (None, _) => {
                let reason = "the spec has no [sweep] with a key to vary";
                return Err(Failure::usage("--over", reason).help(HELP));
            }
        };
        if axis.values.is_empty() {
            return Err(Failure::usage(location, format!("{} has no values", axis.key)).help(HELP));
        }
        if let Some(value) = axis
            .values
            .iter()
            .enumerate()
            .find_map(|(index, value)| axis.values[..index].contains(value).then_some(value))
        {
            return Err(Failure::usage(location, format!("the value {value} occurs twice"))
                .help("--rounds N measures each value N times"));
        }
        Ok(axis)
    }

    fn parse(over: &str) -> Result<Self, Failure> {
        let refused = |reason: &str| Failure::usage(format!("--over {over}"), reason).help(HELP);
        let (key, values) = over.split_once('=').ok_or_else(|| refused("there is no \"=\""))?;
        let values = parts(values);
        if values.iter().any(String::is_empty) {
            return Err(refused("a value is missing"));
        }
        Ok(Self { key: key.trim().to_owned(), values })
    }
}

/// A value of the spec in the form of `--set`.
fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Splits at commas outside brackets and quotation marks.
fn parts(text: &str) -> Vec<String> {
    let (mut depth, mut quoted) = (0_u32, false);
    let mut parts = vec![String::new()];
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("there is always a last part").push(letter);
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(sweep: &str) -> Spec {
        toml::from_str(&format!("name = \"t\"\n[load]\n{sweep}")).unwrap()
    }

    #[test]
    fn values_split_at_commas_outside_brackets() {
        let axis = Axis::choose(Some("load.mix={ put = 1, get = 2 }, { get = 1 }"), &spec("")).unwrap();
        assert_eq!((axis.key.as_str(), axis.values.len()), ("load.mix", 2));
        assert_eq!(parts("\"a,b\",c"), ["\"a,b\"", "c"]);
    }

    #[test]
    fn command_line_axis_replaces_that_of_spec() {
        let spec = spec("[sweep]\nover = \"cluster.links.delay\"\nvalues = [\"0ms\", \"10ms\"]");
        let axis = Axis::choose(None, &spec).unwrap();
        assert_eq!(
            (axis.key.as_str(), &axis.values[..]),
            ("cluster.links.delay", &["0ms".to_owned(), "10ms".to_owned()][..])
        );
        assert_eq!(Axis::choose(Some("cluster.nodes=3,5"), &spec).unwrap().values, ["3", "5"]);
    }

    #[test]
    fn invalid_axis_is_refused_with_an_example() {
        for over in ["load.clients", "load.clients=", "load.clients=1,,2", "load.clients=1,1"] {
            let failure = Axis::choose(Some(over), &spec("")).expect_err(over);
            assert!(failure.help.is_some(), "{over}");
        }
        assert!(Axis::choose(None, &spec("")).unwrap_err().help.unwrap().contains("--over load.clients="));
    }
}
