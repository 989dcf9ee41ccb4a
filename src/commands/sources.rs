//! The histories that the arguments of `bench check` name: files, folders, and reports of other tools.

use crate::failure::Failure;
use std::path::{Path, PathBuf};

/// How deep folders of folders are searched.
const DEPTH: usize = 4;

/// A history: one file, or the files of all clients of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// What people read: the file, or the folder of the parts.
    pub(super) path: PathBuf,
    parts: Vec<PathBuf>,
}

impl Source {
    /// One file.
    pub(super) fn file(path: PathBuf) -> Self {
        Self { parts: vec![path.clone()], path }
    }

    /// The content of all parts, one after the other.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        for part in &self.parts {
            let read = std::fs::read(part).map_err(|error| {
                Failure::usage(part.display().to_string(), format!("cannot be read: {error}"))
            })?;
            bytes.extend(read);
            if self.parts.len() > 1 {
                bytes.push(b'\n');
            }
        }
        Ok(bytes)
    }
}

/// The histories that are meant: a folder means its history, or else all files in it.
///
/// # Errors
/// When there is nothing of this name, or nothing in it.
pub(super) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for path in paths {
        if !path.exists() {
            return Err(Failure::usage(path.display().to_string(), "there is no such file or folder")
                .help("give a history.jsonl, or the folder of a run such as results/latest"));
        }
        let before = sources.len();
        if path.is_dir() {
            folder(path, DEPTH, &mut sources)?;
        } else {
            sources.push(Source::file(path.clone()));
        }
        if sources.len() == before {
            let failure = Failure::usage(path.display().to_string(), "there is no file in this folder");
            return Err(if path.join("test.jepsen").is_file() {
                failure.help(
                    "test.jepsen is Jepsen's binary form; give a folder with its history.edn or history.txt",
                )
            } else {
                failure
            });
        }
    }
    Ok(sources)
}

/// Files by which the store of a Jepsen test is known; the history is one of the first.
const JEPSEN_HISTORIES: [&str; 4] = ["history.edn", "history.edn.gz", "history.edn.zst", "history.txt"];
const JEPSEN_OTHERS: [&str; 4] = ["results.edn", "test.jepsen", "test.fressian", "jepsen.log"];

fn folder(path: &Path, depth: usize, sources: &mut Vec<Source>) -> Result<(), Failure> {
    let ours = path.join("history.jsonl");
    if ours.is_file() {
        sources.push(Source::file(ours));
        return Ok(());
    }
    let (files, folders) = entries(path)?;
    let has = |name: &str| files.iter().any(|file| file.file_name().is_some_and(|own| own == name));
    if let Some(name) = JEPSEN_HISTORIES.into_iter().find(|name| has(name)) {
        if JEPSEN_OTHERS.into_iter().any(has) || folders.iter().any(|folder| folder.ends_with("independent"))
        {
            // What lies beside it is part of the same test: reports, plots, and the same history key by key.
            sources.push(Source::file(path.join(name)));
            return Ok(());
        }
    } else if JEPSEN_OTHERS.into_iter().any(has) {
        return Ok(());
    }
    let clients: Vec<PathBuf> =
        folders.iter().map(|folder| folder.join("operations.json")).filter(|file| file.is_file()).collect();
    if !clients.is_empty() {
        sources.push(Source { path: path.to_owned(), parts: clients });
        return Ok(());
    }
    if files.is_empty() && depth > 0 {
        for inside in folders {
            folder(&inside, depth - 1, sources)?;
        }
    }
    sources.extend(files.into_iter().map(Source::file));
    Ok(())
}

/// Files and folders inside, sorted; links to folders are left out, because Jepsen's `latest` names a store again.
fn entries(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Failure> {
    let entries = std::fs::read_dir(path).map_err(|error| Failure::io(path, &error))?;
    let mut inside: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    inside.retain(|path| path.is_file() || !path.is_symlink());
    inside.sort();
    Ok(inside.into_iter().partition(|path| path.is_file()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "it is a test")]
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        root
    }

    fn found(root: &tempfile::TempDir) -> Vec<(String, usize)> {
        let sources = sources(&[root.path().to_owned()]).unwrap();
        let name = |source: &Source| {
            let inside = source.path.strip_prefix(root.path()).unwrap();
            (inside.display().to_string(), source.parts.len())
        };
        sources.iter().map(name).collect()
    }

    #[test]
    fn jepsen_store_is_one_history() {
        let store = ["history.edn", "history.txt", "results.edn", "test.jepsen", "independent/0/history.edn"];
        assert_eq!(found(&tree(&store)), [("history.edn".to_owned(), 1)]);
        let tests =
            tree(&["etcd/1/history.edn", "etcd/1/results.edn", "etcd/2/history.txt", "etcd/2/jepsen.log"]);
        assert_eq!(
            found(&tests),
            [("etcd/1/history.edn".to_owned(), 1), ("etcd/2/history.txt".to_owned(), 1)]
        );
    }

    #[test]
    fn etcd_report_is_one_history() {
        let report = tree(&["client-1/operations.json", "client-2/operations.json", "client-2/watch.json"]);
        assert_eq!(found(&report), [(String::new(), 2)]);
    }

    #[test]
    fn binary_store_alone_is_refused() {
        let store = tree(&["test.jepsen"]);
        let failure = sources(&[store.path().to_owned()]).unwrap_err();
        assert!(failure.help.unwrap().contains("history.edn"));
    }
}
