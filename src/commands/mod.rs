//! One file per subcommand; each returns the exit code.

pub(crate) mod attach;
pub(crate) mod audit;
pub(crate) mod check;
mod check_doubts;
mod check_report;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod convert;
mod detach;
pub(crate) mod doctor;
mod doctor_hosts;
mod exec_model;
pub(crate) mod export;
mod file_cases;
mod file_doubts;
mod file_table;
pub(crate) mod hunt;
pub(crate) mod known;
pub(crate) mod list;
pub(crate) mod maelstrom;
pub(crate) mod man;
pub(crate) mod nemesis;
pub(crate) mod node;
mod remedy;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod sim;
mod sources;
pub(crate) mod sweep;
pub(crate) mod up;

use crate::failure::Failure;
use std::path::Path;

/// Refuses a file that could not be written in the end, before anything is started.
///
/// # Errors
/// When its folder is not there, or it is a folder itself.
pub(crate) fn writable(file: &Path) -> Result<(), Failure> {
    let wrong = |what: &str| {
        Err(Failure::usage(file.display().to_string(), what).help("name a file in a folder that exists"))
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if file.is_dir() {
        return wrong("this is a folder, and a file is to be written");
    }
    if !folder.is_dir() {
        return wrong("its folder does not exist");
    }
    Ok(())
}
