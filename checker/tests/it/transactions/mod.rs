//! Transactions: every anomaly by name, databases that are sound or flawed, and brute force.

mod arbitrary;
mod axioms;
mod levels;
mod named;
mod oracle;
mod renamed;
mod simulated;
mod written;
