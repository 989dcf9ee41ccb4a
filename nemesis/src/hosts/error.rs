//! Errors of hosts.

/// An error of a host or of the connection to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It cannot be reached, or the agent cannot run there.
    #[error("host {host}: {reason}")]
    Unusable {
        /// The host.
        host: String,
        /// The reason, with a remedy.
        reason: String,
    },
    /// The connection ended during the run.
    #[error("the connection to host {host} was lost: {reason}")]
    Lost {
        /// The host.
        host: String,
        /// The last words of `ssh`, or of the agent.
        reason: String,
    },
    /// The agent could not do what it was asked.
    #[error("host {host}: {reason}")]
    Refused {
        /// The host.
        host: String,
        /// The reason.
        reason: String,
    },
    /// No answer arrived in time.
    #[error("host {host} gave no answer within {seconds} s; its connection may be too slow")]
    Silent {
        /// The host.
        host: String,
        /// The time.
        seconds: u64,
    },
}
