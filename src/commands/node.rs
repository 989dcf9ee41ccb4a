//! `bench node`: this process is one node of a cluster.

use crate::cli::Node;
use crate::exit::Exit;
use crate::failure::Failure;
use node::NodeError;
use node::config::NodeConfig;

/// Runs the node until it gets SIGTERM.
///
/// # Errors
/// When its configuration is wrong (exit code 2), or when it cannot go on (4).
pub(crate) fn run(arguments: &Node) -> Result<Exit, Failure> {
    let location = arguments.config.display().to_string();
    let text = std::fs::read_to_string(&arguments.config)
        .map_err(|error| Failure::usage(&location, format!("the configuration cannot be read: {error}")))?;
    let config: NodeConfig = serde_json::from_str(&text)
        .map_err(|error| Failure::usage(&location, format!("this is not a node's configuration: {error}")))?;
    let name = config.name.clone();
    match node::run(config, arguments.parent) {
        Ok(()) => Ok(Exit::Valid),
        Err(NodeError::Config(reason)) => Err(Failure::usage(location, reason)),
        Err(
            error @ (NodeError::Log(_)
            | NodeError::Listen { .. }
            | NodeError::Setup { .. }
            | NodeError::Descriptors(_)
            | NodeError::Orphaned(_)),
        ) => Err(Failure::bench(format!("node {name}"), error.to_string())),
    }
}
