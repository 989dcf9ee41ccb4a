//! Undoes everything that an agent did on its host.

use super::filter;
use crate::process::end_descendants;
use std::io;
use std::path::Path;

/// The name of the rules of the agent with this folder.
pub(super) fn name_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').take(20).collect()
}

/// Ends every process, removes the rules and the folder. Returns what could not be undone.
pub(super) fn heal(folder: &Path) -> Vec<String> {
    // Rules first, because processes that wait for a disk may take long to end.
    let rules = filter::remove(&name_of(folder)).err().map(|reason| format!("rules: {reason}"));
    end_descendants();
    let removed = match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Some(format!("folder {}: {error}", folder.display()))
        }
        Ok(()) | Err(_) => None,
    };
    rules.into_iter().chain(removed).collect()
}

/// The reason of an end, with what could not be undone.
pub(super) fn in_words(why: &str, left: &[String]) -> String {
    if left.is_empty() { why.to_owned() } else { format!("{why}; left behind: {}", left.join("; ")) }
}
