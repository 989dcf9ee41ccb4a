//! One TCP proxy per directed link, all on loopback.

mod condition;

pub use condition::LinkFault;
