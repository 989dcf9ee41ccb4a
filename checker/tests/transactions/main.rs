//! Transactions: every anomaly by name, databases that are sound or flawed, and brute force.

mod arbitrary;
#[path = "../support/database.rs"]
mod database;
mod named;
mod oracle;
#[path = "../support/planted.rs"]
mod planted;
#[path = "../support/share.rs"]
mod share;
mod simulated;
mod written;
