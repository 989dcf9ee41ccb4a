//! Servers that somebody else has started: how faults reach them, and whether they were hit.

use super::Testbed;
use crate::network::Probe;
use crate::process::{Effect, NodeProcess, RemoteCommands};
use std::time::Duration;
use tokio::time::Instant;

/// How long a server may take to fall silent after the command.
const SILENT_WITHIN: Duration = Duration::from_secs(2);
/// How long one answer is waited for.
const ANSWER: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(20);

impl Testbed {
    /// Says that somebody else has started a node, and by which commands faults reach it.
    pub async fn take_over(&self, node: &str, commands: RemoteCommands) {
        self.node(node).process.lock().await.take_over(commands);
    }

    /// What a command did to a server that was to fall silent: nothing where it still answers. Its process is held meanwhile, so that
    /// the silence is not that of another fault; where there was one before, nothing can be seen.
    pub(super) async fn unless_it_answers(
        &self,
        node: &str,
        process: &NodeProcess,
        was_silent: bool,
        effect: Effect,
    ) -> Effect {
        if effect.evidence.is_empty() || !process.is_remote() {
            return effect;
        }
        if was_silent {
            let seen = effect.evidence.join("; ");
            return Effect::none(format!("{seen}; but another fault had silenced {node} before"));
        }
        let deadline = Instant::now() + SILENT_WITHIN;
        while self.probe_node(node, ANSWER).await.is_some_and(Probe::answered) {
            if Instant::now() >= deadline {
                let seen = effect.evidence.join("; ");
                return Effect::none(format!("{seen}; but {node} still answers after {SILENT_WITHIN:?}"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        effect
    }
}
