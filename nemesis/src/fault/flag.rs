//! Options of `bench nemesis` that ask for a fault: each stands with the kind that it asks for.

use crate::parameters::{Parameters, Target};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// What follows the two dashes.
    pub name: &'static str,
    /// What its value is called; empty where it takes none.
    pub value: &'static str,
    /// A value that means something on every cluster of five, for tests.
    pub example: &'static str,
    /// What it does, for `--help`.
    pub about: &'static str,
    /// What a value asks for, or what is wrong with the value.
    pub make: fn(&str) -> Result<Parameters, String>,
}

/// An option of this name, with what its value is called, an example of it, and a line of help.
pub(crate) const fn flag(
    name: &'static str,
    value: &'static str,
    example: &'static str,
    about: &'static str,
    make: fn(&str) -> Result<Parameters, String>,
) -> Flag {
    Flag { name, value, example, about, make }
}

/// What a value of a spec would be, from the text of an option.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let words: StrDeserializer<'_, Error> = text.into_deserializer();
    T::deserialize(words).map_err(|error| error.to_string())
}

/// `n2` is a word, `n1,n3` are names.
pub(crate) fn target(text: &str) -> Target {
    if text.contains(',') {
        Target::Nodes(text.split(',').map(|name| name.trim().to_owned()).collect())
    } else {
        Target::from(text)
    }
}

/// A fault that is aimed at these nodes and takes nothing else.
#[expect(clippy::unnecessary_wraps, reason = "an option may refuse its value")]
pub(crate) fn aimed(on: &str) -> Result<Parameters, String> {
    Ok(Parameters { target: Some(target(on)), ..Parameters::default() })
}

/// A fault that needs nothing to be said.
#[expect(clippy::unnecessary_wraps, reason = "an option may refuse its value")]
pub(crate) fn plain(_: &str) -> Result<Parameters, String> {
    Ok(Parameters::default())
}
