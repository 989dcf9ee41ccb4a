//! The interfaces that clients can speak, by name.

use crate::adapter::{Adapter, Protocol};
use crate::etcd::EtcdHttp;
use crate::exchange::OneRequest;
use crate::operation::Function;
use crate::paxos::PaxosHttp;
use crate::redis::RedisResp;
use crate::spec::{LoadSpec, SpecError, Workload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An interface that a system under test offers its clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// JSON over HTTP, as the bench's own store speaks it: `workloads/protocol.md`.
    #[default]
    Kv,
    /// The HTTP gateway of etcd: `/v3/kv/…`.
    Etcd,
    /// The protocol of Redis: RESP.
    Redis,
}

impl Api {
    /// Its word in specs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::Etcd => "etcd",
            Self::Redis => "redis",
        }
    }

    /// What speaks it, for a load.
    pub fn adapter(self, load: &LoadSpec) -> Box<dyn Adapter> {
        match self {
            Self::Kv => Box::new(OneRequest::new(PaxosHttp::new(load.workload, load.keys))),
            Self::Etcd => Box::new(OneRequest::new(EtcdHttp::new(load.workload))),
            Self::Redis => Box::new(OneRequest::new(RedisResp::new(load.workload))),
        }
    }

    /// Its requests and answers over HTTP; none if it is not HTTP.
    pub(crate) fn http(self, load: &LoadSpec) -> Option<Box<dyn Protocol>> {
        match self {
            Self::Kv => Some(Box::new(PaxosHttp::new(load.workload, load.keys))),
            Self::Etcd => Some(Box::new(EtcdHttp::new(load.workload))),
            Self::Redis => None,
        }
    }

    /// Refuses a load that cannot be sent over it.
    pub fn check(self, load: &LoadSpec) -> Result<(), SpecError> {
        let refuse = |field: &str, message: &str| {
            Err(SpecError { field: field.to_owned(), message: message.to_owned() })
        };
        match self {
            Self::Etcd if load.retry.is_some() => {
                refuse("retry", "etcd would apply a command again that is sent again; remove it")
            }
            Self::Etcd if load.weights()?.iter().any(|(function, _)| *function == Function::Append) => {
                refuse("mix", "etcd has no append; leave it out of the mix")
            }
            Self::Etcd if !matches!(load.workload, Workload::Register | Workload::Kv) => {
                refuse("workload", "the gateway of etcd can be asked for register and kv only")
            }
            Self::Redis if load.retry.is_some() => {
                refuse("retry", "Redis would apply a command again that is sent again; remove it")
            }
            Self::Redis if load.record && !matches!(load.workload, Workload::Register | Workload::Kv) => {
                refuse("workload", "Redis can be asked for register and kv only")
            }
            Self::Kv | Self::Etcd | Self::Redis => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_impossible_with_etcd_are_refused() {
        let load = |text: &str| toml::from_str::<LoadSpec>(text).unwrap();
        let refused = |text: &str| Api::Etcd.check(&load(text)).unwrap_err().field;
        assert_eq!(refused("retry = \"100ms\""), "retry");
        assert_eq!(refused("workload = \"bank\""), "workload");
        assert_eq!(refused("workload = \"kv\"\nmix = { append = 1 }"), "mix");
        assert_eq!(Api::Etcd.check(&load("workload = \"kv\"")), Ok(()));
        assert_eq!(Api::Redis.check(&load("")), Ok(()));
        assert_eq!(Api::Redis.check(&load("workload = \"bank\"")).unwrap_err().field, "workload");
        assert_eq!(Api::Redis.check(&load("retry = \"100ms\"")).unwrap_err().field, "retry");
        assert_eq!(Api::Kv.check(&load("retry = \"100ms\"")), Ok(()));
    }
}
