//! `[cluster] hosts`: the machines of the nodes, each a destination for `ssh`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;

/// The values of a host, for messages and for the reference of keys.
const HOST: &str = "a destination for ssh, or { ssh = \"user@host\", address = \"10.0.0.1\" }";

/// A machine with one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostEntry {
    /// The destination: `user@host`, or an alias of the configuration of ssh.
    pub ssh: String,
    /// The address for nodes and clients, if it is not that of the destination.
    pub address: Option<Ipv4Addr>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    ssh: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<Ipv4Addr>,
}

impl Serialize for HostEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.address {
            None => serializer.serialize_str(&self.ssh),
            Some(_) => Table { ssh: self.ssh.clone(), address: self.address }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for HostEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = HostEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(HOST)
            }

            fn visit_str<E: de::Error>(self, ssh: &str) -> Result<HostEntry, E> {
                Ok(HostEntry { ssh: ssh.to_owned(), address: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HostEntry, A::Error> {
                let Table { ssh, address } = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(HostEntry { ssh, address })
            }
        }
        deserializer.deserialize_any(NameOrTable)
    }
}

impl JsonSchema for HostEntry {
    fn schema_name() -> Cow<'static, str> {
        "HostEntry".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "title": HOST })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_a_name_or_a_table() {
        #[derive(Deserialize, Serialize)]
        struct Spec {
            hosts: Vec<HostEntry>,
        }
        let text = "hosts = [\"a\", { ssh = \"u@b\", address = \"10.0.0.2\" }]\n";
        let spec: Spec = toml::from_str(text).unwrap();
        assert_eq!(spec.hosts[0], HostEntry { ssh: "a".to_owned(), address: None });
        assert_eq!(spec.hosts[1].address, Some(Ipv4Addr::new(10, 0, 0, 2)));
        let again: Spec = toml::from_str(&toml::to_string(&spec).unwrap()).unwrap();
        assert_eq!(again.hosts, spec.hosts);
        assert!(toml::from_str::<Spec>("hosts = [{ ssh = \"a\", adress = \"10.0.0.2\" }]").is_err());
    }
}
