//! JSON schemas of values with their own syntax, for the reference of keys.

use crate::budget::{AT_MOST, AtMost};
use crate::delay::{DELAY, Delay};
use crate::disk::WriteBack;
use crate::fault::{Entry, Kind, vocabulary};
use crate::flaky::{SHARE, Share};
use crate::parameters::{BYTE_RATE, ByteRate, TARGET, Target};
use crate::point::Point;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The schema of a type that is parsed from text; its title describes the values.
macro_rules! titled {
    ($($type:ident: $title:expr),* $(,)?) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "title": $title })
            }
        }
    )*};
}

titled! {
    AtMost: AT_MOST,
    ByteRate: BYTE_RATE,
    Delay: DELAY,
    Point: "a point of the run such as \"n2 decided 500\", \"leader adopted\" or \"any preempted 3\"",
    Share: SHARE,
    Target: TARGET,
    WriteBack: "a time above 0 such as \"30s\", or \"never\"",
}

impl JsonSchema for Kind {
    fn schema_name() -> Cow<'static, str> {
        "Kind".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let kinds = vocabulary();
        let about = |entry: &Entry| match entry.keys {
            [] => entry.about.to_owned(),
            keys => format!("{} (keys: {})", entry.about, keys.join(", ")),
        };
        let words: Vec<Value> =
            kinds.map(|entry| json!({ "const": entry.name, "description": about(entry) })).collect();
        json_schema!({ "oneOf": words })
    }
}
