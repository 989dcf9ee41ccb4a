//! One file per subcommand; each returns the exit code.

pub(crate) mod attach;
pub(crate) mod check;
mod check_doubts;
mod check_report;
pub(crate) mod completions;
pub(crate) mod convert;
mod detach;
pub(crate) mod doctor;
mod exec_model;
mod file_table;
pub(crate) mod known;
pub(crate) mod list;
pub(crate) mod nemesis;
pub(crate) mod node;
mod remedy;
pub(crate) mod report;
pub(crate) mod run;
mod sources;
pub(crate) mod sweep;
pub(crate) mod up;
