//! Servers that somebody else has started: how faults reach them, and whether they were hit.

use super::Testbed;
use crate::network::Probe;
use crate::process::{Effect, RemoteCommands};
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

    /// What a command did to a server that was to fall silent: nothing where it still answers.
    pub(super) async fn unless_it_answers(&self, node: &str, effect: Effect) -> Effect {
        if effect.evidence.is_empty() || !self.node(node).process.lock().await.is_remote() {
            return effect;
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
