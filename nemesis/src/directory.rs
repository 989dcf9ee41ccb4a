//! The interface through which a run learns about the system under test.

use crate::point::Progress;
use crate::process::ProcessCommand;
use std::future::Future;
use std::pin::Pin;

/// Finds the leader.
///
/// Called when a fault on the leader starts, and repeated for a moment while no node leads.
pub trait Directory: Send + Sync {
    /// The name of the node that leads now.
    fn leader(&self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>>;

    /// The time of a node's clock, in nanoseconds since 1970; none if the node does not report it.
    ///
    /// Called for nodes that [read their clock file themselves](crate::ProcessClock::Itself).
    fn clock<'a>(&'a self, node: &'a str) -> Pin<Box<dyn Future<Output = Option<i64>> + Send + 'a>>;

    /// The members of the cluster, as the cluster reports them; none if no node answers.
    fn members(&self) -> Pin<Box<dyn Future<Output = Option<Members>> + Send + '_>> {
        Box::pin(async { None })
    }

    /// Requests the cluster to add and remove these nodes in one step. The call may be repeated.
    ///
    /// The error is the reason of a refusal, or that the result is unknown.
    fn change_members<'a>(
        &'a self,
        _add: &'a [String],
        _remove: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async { Err("this system has no way to change its members".to_owned()) })
    }

    /// Whether a node starts, without data, once it has become a member, and ends once it is removed.
    ///
    /// Otherwise the bench starts it before the change and it stays up afterwards.
    fn starts_members_late(&self) -> bool {
        false
    }

    /// The command of a node that has joined these members. The error is why there is none.
    fn joining(&self, node: &str, _members: &[String]) -> Result<ProcessCommand, String> {
        Err(format!("the system does not define how {node} joins"))
    }

    /// The progress of every node that reports it. Called repeatedly while a fault waits for a point.
    fn progress(&self) -> Pin<Box<dyn Future<Output = Vec<Progress>> + Send + '_>>;
}

/// The members of a cluster, as the cluster reports them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// Their names.
    pub names: Vec<String>,
    /// Whether the old configuration is still needed.
    pub under_way: bool,
    /// The version of the configuration, which rises with each change.
    pub version: u64,
    /// The configuration and the node that reported it, in words.
    pub source: String,
}
