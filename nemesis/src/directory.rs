//! What a run has to know of the system under test.

use crate::point::Progress;
use crate::process::ProcessCommand;
use std::future::Future;
use std::pin::Pin;

/// Knows who leads. Asked when a fault on the leader starts, and again for a moment if no node seems to.
pub trait Directory: Send + Sync {
    /// The name of the node that leads now.
    fn leader(&self) -> Pin<Box<dyn Future<Output = Option<String>> + Send + '_>>;

    /// What a node's clock says, in nanoseconds since 1970; none if it does not tell. Asked where a node
    /// [reads its clock file itself](crate::ProcessClock::Itself).
    fn clock<'a>(&'a self, node: &'a str) -> Pin<Box<dyn Future<Output = Option<i64>> + Send + 'a>>;

    /// Who the members of the cluster are, as it says itself; none if no node answers.
    fn members(&self) -> Pin<Box<dyn Future<Output = Option<Members>> + Send + '_>> {
        Box::pin(async { None })
    }

    /// Asks the cluster to take these nodes in and to let those go, in one step. The error says why it did not, or that
    /// the result is unknown; it may be asked again.
    fn change_members<'a>(
        &'a self,
        _add: &'a [String],
        _remove: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async { Err("this system has no way to change its members".to_owned()) })
    }

    /// Whether a node is started when it has become a member, without data, and ended when it is none any more. Otherwise it is
    /// started before, as it was prepared, and goes on.
    fn starts_members_late(&self) -> bool {
        false
    }

    /// How a node is started that has become one of these members. The error says why it cannot be.
    fn joining(&self, node: &str, _members: &[String]) -> Result<ProcessCommand, String> {
        Err(format!("nothing says how {node} joins"))
    }

    /// What every node has done so far, of those that say so. Asked again and again while a fault waits for a point.
    fn progress(&self) -> Pin<Box<dyn Future<Output = Vec<Progress>> + Send + '_>>;
}

/// Who the members of a cluster are, as the cluster says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// Their names.
    pub names: Vec<String>,
    /// Whether the members before a change are still needed.
    pub under_way: bool,
    /// The number of the configuration, which rises with each change.
    pub version: u64,
    /// Which configuration this is and who says so, in words.
    pub said: String,
}
