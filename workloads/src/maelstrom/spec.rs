//! What a section `[client]` of kind maelstrom can have.

use super::{MaelstromClients, MessageNetwork};
use crate::adapter::Adapter;
use crate::helper::refuse_keys;
use crate::requests::{ClientSpec, refuse};
use crate::spec::{LoadSpec, SpecError, Workload};
use std::sync::Arc;

/// The workloads that Maelstrom has, by the names of this bench.
const WORKLOADS: [Workload; 9] = [
    Workload::Echo,
    Workload::UniqueIds,
    Workload::Set,
    Workload::GCounter,
    Workload::PnCounter,
    Workload::Register,
    Workload::ListAppend,
    Workload::RwRegister,
    Workload::Kafka,
];

impl ClientSpec {
    pub(crate) fn refuse_keys_of_maelstrom(&self) -> Result<(), SpecError> {
        let given =
            [("client.messages", self.messages.is_some()), ("client.topology", self.topology.is_some())];
        refuse_keys(&given, "is for kind = \"maelstrom\"")
    }

    pub(crate) fn check_maelstrom(&self, load: &LoadSpec) -> Result<(), SpecError> {
        self.refuse_keys_of_helpers()?;
        self.refuse_tables("is not for kind = \"maelstrom\"")?;
        if !WORKLOADS.contains(&load.workload) {
            let names = WORKLOADS.map(Workload::name).join(", ");
            let what = format!("programs for Maelstrom know no {}; they know {names}", load.workload);
            return refuse("load.workload", what);
        }
        if load.retry.is_some() {
            return refuse("load.retry", "such programs know no names of commands; remove it");
        }
        if !load.record {
            return refuse(
                "load.record",
                "programs for Maelstrom are for loads that are recorded; remove it",
            );
        }
        if self.messages.is_some() && load.workload != Workload::Set {
            let what =
                format!("it says how a set is changed and read, and the workload is {}", load.workload);
            return refuse("client.messages", format!("{what}; remove it"));
        }
        if self.topology.is_some() && self.messages != Some(super::Dialect::Broadcast) {
            return refuse("client.topology", "it is for messages = \"broadcast\"; remove it");
        }
        Ok(())
    }

    pub(crate) fn maelstrom_clients(
        &self,
        load: &LoadSpec,
        network: Option<Arc<dyn MessageNetwork>>,
    ) -> Result<Box<dyn Adapter>, SpecError> {
        let Some(network) = network else {
            return refuse("client.kind", "programs for Maelstrom need network = \"messages\" in [cluster]");
        };
        Ok(Box::new(MaelstromClients::new(network, load, self.messages.unwrap_or_default())))
    }
}
