//! Servers that the user started: commands for faults, and the evidence of their effect.

use super::Testbed;
use crate::network::Probe;
use crate::process::{Effect, NodeProcess, RemoteCommands};
use std::time::Duration;
use tokio::time::Instant;

/// Longest time for a server to become silent after the command.
const SILENT_WITHIN: Duration = Duration::from_secs(2);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(20);

impl Testbed {
    /// Registers a server that the user started, with the commands for faults.
    pub async fn take_over(&self, node: &str, commands: RemoteCommands) {
        self.node(node).process.lock().await.take_over(commands);
    }

    /// Removes the evidence of a command if the server still answers.
    ///
    /// It holds the server's process meanwhile, so that no other fault causes the silence. If another fault had
    /// silenced it before, there is no evidence either.
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
