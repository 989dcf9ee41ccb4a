//! The order in which clients invoke operations, for a caller that decides it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Decides when a client may invoke its next operation, for example to repeat the order of an earlier run.
pub trait Turns: fmt::Debug + Send + Sync {
    /// Waits until it is this client's turn. Ends in any case, after a limit of its own.
    fn admit(&self, client: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
