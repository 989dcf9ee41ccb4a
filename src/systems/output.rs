//! The last lines of a node's output, for messages about its end.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Size of the searched end of the file, in bytes.
const TAIL: u64 = 8 << 10;
/// Number of shown lines.
const LINES: usize = 6;

/// The last lines of a file, without colours; empty if there is none.
pub(crate) fn tail(path: &Path) -> Vec<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = anstream::adapter::strip_bytes(&bytes).into_vec();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|&line| line.to_owned()).collect()
}

/// The last lines for a message, marked; none if there is no output.
pub(crate) fn excerpt(path: &Path) -> Option<String> {
    let lines = tail(path).into_iter().map(|line| format!("   | {line}\n"));
    Some(lines.collect::<String>()).filter(|lines| !lines.is_empty())
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn last_lines_are_shown_if_file_exists() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output.log");
        assert!(tail(&path).is_empty());
        let lines: Vec<String> = (1..=20).map(|n| format!("line {n}\n")).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        assert_eq!(tail(&path).last().map(String::as_str), Some("line 20"));
        assert_eq!(tail(&path).len(), 6);
    }
}
