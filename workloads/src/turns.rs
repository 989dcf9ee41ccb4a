//! The order in which clients invoke operations, for a caller that decides it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Decides when a client may invoke its next operation, send its request and see its answer, for example to repeat the order of an earlier run.
pub trait Turns: fmt::Debug + Send + Sync {
    /// Waits until it is this client's turn. Ends in any case, after a limit of its own.
    fn admit(&self, client: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Waits until the request of an operation that this client has invoked may leave. Ends in any case.
    fn depart(&self, client: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Waits until this client may see the answer that it got, or that there is none. Ends in any case.
    fn receive(&self, client: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
