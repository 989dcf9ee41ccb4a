//! The clients of a variant: what they speak, how they find the leader, and, in a replay, whose turn it is.

use super::LiveVariant;
use crate::failure::Failure;
use crate::run::leader::LeaderOfCluster;
use crate::run::taped::{Noted, RecordedTurns};
use crate::systems::foreign;
use crate::terminal::events::RunEventKind;
use history::Recorder;
use std::sync::Arc;
use workloads::{
    Adapter, ClientKind, HelperStart, LoadSpec, MessageNetwork, OwnKeys, PaxosHttp, Requesting, Session,
    SpecError,
};

/// The folder of a variant for the output of helpers.
pub(super) const HELPERS: &str = "clients";

/// The prefix of all keys at servers that keep data of earlier runs.
fn own_prefix() -> String {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{:x}-", since.as_micros())
}

impl LiveVariant<'_> {
    /// The clients, none of which has invoked anything.
    pub(super) fn session(&self) -> Result<Session, Failure> {
        let Self { run, cluster, recorder, .. } = *self;
        let load = run.experiment.spec.load.clone();
        let tape = cluster.testbed.tape();
        let recorder = Arc::new(Noted {
            recorder: Arc::clone(recorder) as Arc<dyn Recorder>,
            tape: Arc::clone(tape),
            clients: load.clients,
        });
        let adapter = self.adapter(&load)?;
        let session = Session::with_adapter(load, run.header.seed, cluster.targets(), recorder, adapter)
            .map_err(|error| self.complaint("load.", &error))?
            .with_leader_source(Arc::new(LeaderOfCluster(cluster.leaders())));
        let Some(followed) = run.followed else { return Ok(session) };
        tape.follow(followed)
            .map_err(|error| Failure::bench("replay", format!("no thread could be started: {error}")))?;
        Ok(session.with_turns(Arc::new(RecordedTurns(Arc::clone(tape)))))
    }

    /// What the clients speak.
    fn adapter(&self, load: &LoadSpec) -> Result<Box<dyn Adapter>, Failure> {
        let Self { run, cluster, .. } = *self;
        let adapter: Box<dyn Adapter> = match &run.experiment.spec.client {
            Some(client) => {
                let folder = run.folder.join(HELPERS);
                if client.kind == ClientKind::Exec {
                    std::fs::create_dir_all(&folder).map_err(|error| Failure::io(&folder, &error))?;
                }
                let network = cluster.hub.clone().map(|hub| hub as Arc<dyn MessageNetwork>);
                let start = HelperStart { command: nemesis::guarded_command, folder };
                let described = foreign::client(client).adapter(load, start, network);
                described.map_err(|error| self.complaint("", &error))?
            }
            None => Box::new(Requesting::new(PaxosHttp::new(load.workload, load.keys))),
        };
        if run.experiment.spec.cluster.addresses.is_empty() {
            return Ok(adapter);
        }
        let prefix = own_prefix();
        self.events.send(RunEventKind::Note(format!("the keys of this run begin with {prefix}")));
        Ok(Box::new(OwnKeys::new(adapter, prefix)))
    }

    fn complaint(&self, within: &str, error: &SpecError) -> Failure {
        self.run.experiment.complaint(&(within.to_owned() + &error.field), &error.message)
    }
}
