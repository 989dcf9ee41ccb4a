//! A fault as written in a spec: a `[[fault]]` table of TOML, or the flags of the command line.

use crate::fault::Kind;
use crate::parameters::Parameters;
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Deref, DerefMut};

/// One `[[fault]]`: its kind and its other keys, which are accessible as fields of the fault itself.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FaultSpec {
    /// The kind of the fault. In brackets: its keys, besides those that set its times.
    pub kind: Kind,
    /// Its targets, times and amounts.
    #[serde(flatten)]
    pub parameters: Parameters,
}

impl FaultSpec {
    /// A fault of this kind with nothing else set.
    pub fn new(kind: Kind) -> Self {
        Self { kind, parameters: Parameters::default() }
    }
}

impl Deref for FaultSpec {
    type Target = Parameters;

    fn deref(&self) -> &Parameters {
        &self.parameters
    }
}

impl DerefMut for FaultSpec {
    fn deref_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}

impl<'de> Deserialize<'de> for FaultSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = FaultSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of a fault, with its kind")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FaultSpec, A::Error> {
                let mut kind = None;
                let others = Others { map, kind: &mut kind };
                let parameters = Parameters::deserialize(MapAccessDeserializer::new(others))?;
                Ok(FaultSpec { kind: kind.ok_or_else(|| A::Error::missing_field("kind"))?, parameters })
            }
        }
        deserializer.deserialize_map(Table)
    }
}

/// A table without its `kind`, which is read in passing.
///
/// Serde's `flatten` would lose the position of a value in the file.
struct Others<'a, A> {
    map: A,
    kind: &'a mut Option<Kind>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Others<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            if key != "kind" {
                let key: StringDeserializer<A::Error> = key.into_deserializer();
                return seed.deserialize(key).map(Some);
            }
            *self.kind = Some(self.map.next_value()?);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{Delay, Target};
    use std::time::Duration;

    fn read(json: &str) -> Result<FaultSpec, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn spec_round_trips() {
        let json = r#"{"kind":"delay","target":["n1","n2"],"every":"5s","jitter":"500ms","for":"2s",
            "delay":{"mean":"50ms","jitter":"10ms"}}"#;
        let spec = read(json).unwrap();
        assert_eq!(spec.lasts, Some(Duration::from_secs(2)));
        assert_eq!(spec.target, Some(Target::Nodes(vec!["n1".into(), "n2".into()])));
        let written = serde_json::to_string(&spec).unwrap();
        assert_eq!(read(&written).unwrap(), spec);
    }

    #[test]
    fn a_delay_may_be_just_its_mean() {
        let spec = read(r#"{"kind":"delay","delay":"50ms"}"#).unwrap();
        assert_eq!(spec.delay, Some(Delay { mean: Duration::from_millis(50), ..Delay::default() }));
    }

    #[test]
    fn unknown_keys_and_kinds_are_refused() {
        assert!(read(r#"{"kind":"kill","taget":"n1"}"#).unwrap_err().to_string().contains("taget"));
        assert!(read(r#"{"kind":"kil"}"#).unwrap_err().to_string().contains("did you mean `kill`"));
    }
}
