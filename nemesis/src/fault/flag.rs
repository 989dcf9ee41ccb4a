//! Options of `bench nemesis` that inject a fault; each is listed with its kind.

use crate::parameters::{Parameters, Target};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// The name after the two dashes.
    pub name: &'static str,
    /// The placeholder of its value; empty without a value.
    pub value: &'static str,
    /// A value that is valid for every cluster of five, for tests.
    pub example: &'static str,
    /// Its help text, for `--help`.
    pub about: &'static str,
    /// Converts a value into parameters; the error says why the value is invalid.
    pub make: fn(&str) -> Result<Parameters, String>,
}

/// An option with its name, the placeholder of its value, an example, and a help text.
pub(crate) const fn flag(
    name: &'static str,
    value: &'static str,
    example: &'static str,
    about: &'static str,
    make: fn(&str) -> Result<Parameters, String>,
) -> Flag {
    Flag { name, value, example, about, make }
}

/// Parses the text of an option like a value of a spec.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let words: StrDeserializer<'_, Error> = text.into_deserializer();
    T::deserialize(words).map_err(|error| error.to_string())
}

/// Parses a target: `n2` is a word, `n1,n3` is a list of names.
pub(crate) fn target(text: &str) -> Target {
    if text.contains(',') {
        Target::Nodes(text.split(',').map(|name| name.trim().to_owned()).collect())
    } else {
        Target::from(text)
    }
}

/// The parameters of a fault with a target only.
#[expect(clippy::unnecessary_wraps, reason = "an option may refuse its value")]
pub(crate) fn aimed(on: &str) -> Result<Parameters, String> {
    Ok(Parameters { target: Some(target(on)), ..Parameters::default() })
}

/// The parameters of a fault without parameters.
#[expect(clippy::unnecessary_wraps, reason = "an option may refuse its value")]
pub(crate) fn plain(_: &str) -> Result<Parameters, String> {
    Ok(Parameters::default())
}
