//! The served folder, without anything outside it.

use crate::failure::Failure;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::path::{Path, PathBuf};

/// Characters of a path that need no escape.
const ODD: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The folder, with all links resolved.
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// # Errors
    /// When there is no such folder (exit code 2).
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let wrong = |reason: String| {
            Failure::usage(path.display().to_string(), reason)
                .help("give a folder of results, for example results")
        };
        let root =
            std::fs::canonicalize(path).map_err(|error| wrong(format!("it cannot be shown: {error}")))?;
        if root.is_dir() { Ok(Self { root }) } else { Err(wrong("this is no folder".to_owned())) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The file or folder behind a path of a URL, with links resolved; none if missing or outside.
    pub(super) fn find(&self, path: &str) -> Option<PathBuf> {
        let plain =
            |part: &&str| !part.is_empty() && *part != "." && *part != ".." && !part.contains(['\0', '\\']);
        let mut found = self.root.clone();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            found.push(Some(part).filter(plain)?);
        }
        let found = std::fs::canonicalize(found).ok()?;
        // A link may lead anywhere; its target must be in the folder.
        found.starts_with(&self.root).then_some(found)
    }

    /// The path of a file in the folder, as in a URL.
    pub(super) fn path_of(&self, found: &Path) -> Option<String> {
        found.strip_prefix(&self.root).ok()?.to_str().map(str::to_owned)
    }
}

/// A path of a URL without escapes; none if it is not UTF-8.
pub(super) fn decoded(path: &str) -> Option<String> {
    percent_decode_str(path).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// A path, escaped for a URL.
pub(super) fn encoded(path: &str) -> String {
    utf8_percent_encode(path, &ODD).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn paths_outside_the_folder_are_not_found() {
        let top = tempfile::tempdir().unwrap();
        let root = top.path().join("results");
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(root.join("a/b"), "b").unwrap();
        fs::write(top.path().join("secret"), "s").unwrap();
        symlink("a", root.join("latest")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("/etc", root.join("etc")).unwrap();
        let folder = Folder::open(&root).unwrap();
        assert!(folder.find("a/b").is_some() && folder.find("").is_some());
        assert_eq!(folder.find("latest/b"), folder.find("a/b"), "a link inside is followed");
        for outside in ["../secret", "a/../../secret", "out", "etc/passwd", "etc", "a/./b", "a\\b", "absent"]
        {
            assert_eq!(folder.find(outside), None, "{outside}");
        }
    }

    #[test]
    fn paths_round_trip_through_urls() {
        let path = "a b/ü?#%.png";
        assert_eq!(encoded(path), "a%20b/%C3%BC%3F%23%25.png");
        assert_eq!(decoded(&encoded(path)).as_deref(), Some(path));
        assert_eq!(decoded("%ff"), None);
    }
}
