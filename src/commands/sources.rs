//! The histories that the arguments of `bench check` name: files, folders, and reports of other tools.

use crate::failure::Failure;
use crate::terminal::{FAINT, Screen};
use history::{RecordedOperations, read_operations};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// How deep folders of folders are searched.
const DEPTH: usize = 32;

/// A history: one file, or the files of all clients of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// What people read: the file, or the folder of the parts.
    pub(super) path: PathBuf,
    parts: Vec<PathBuf>,
    /// Files beside it that belong to the same run and that no check judges.
    pub(super) beside: Vec<PathBuf>,
    /// What standard input gave.
    content: Option<Vec<u8>>,
}

/// What the arguments name.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) sources: Vec<Source>,
    /// Files and folders that lie beside histories and are taken for none.
    pub(super) skipped: Vec<PathBuf>,
}

/// Bytes of a file that are read at once.
const BLOCK: usize = 1 << 20;

/// The name of standard input.
const STANDARD_INPUT: &str = "-";

/// How many skipped files are named.
const NAMED: usize = 10;

/// Names what was skipped, as far as it is not too much.
pub(super) fn say_skipped(screen: &Screen, skipped: &[PathBuf]) {
    if skipped.is_empty() {
        return;
    }
    let named: Vec<String> = skipped.iter().take(NAMED).map(|path| path.display().to_string()).collect();
    let more = skipped.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    screen.line(&format!(
        "{FAINT}skipped, as no histories by their names: {}{more}{FAINT:#}",
        named.join(", ")
    ));
}

/// All that was skipped.
pub(super) fn names(skipped: &[PathBuf]) -> Value {
    skipped.iter().map(|path| path.to_string_lossy().into_owned()).collect()
}

/// The content of a file, or of standard input.
pub(super) fn content(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new(STANDARD_INPUT) {
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|error| Failure::usage(path.display().to_string(), format!("cannot be read: {error}")))
}

/// Whether the first line may be the header of our own format.
pub(super) fn has_header(bytes: &[u8]) -> bool {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.windows(9).any(|name| name == br#""history""#)
}

impl Source {
    /// One file.
    pub(super) fn file(path: PathBuf) -> Self {
        Self { parts: vec![path.clone()], path, beside: Vec::new(), content: None }
    }

    /// The operations of all clients of a run of etcd's robustness tests.
    fn report(path: PathBuf, parts: Vec<PathBuf>) -> Self {
        let beside = parts.iter().map(|part| part.with_file_name("watch.json")).filter(|file| file.is_file());
        Self { beside: beside.collect(), parts, path, content: None }
    }

    /// The operations of a file of our own format, read line by line; none if it is no such file, or has anything
    /// unusual, which is left to the readers of whole files.
    pub(super) fn recorded(&self) -> Option<RecordedOperations> {
        let mut file = BufReader::with_capacity(BLOCK, self.open()?);
        let start = file.fill_buf().ok()?;
        if start.first() != Some(&b'{') || !has_header(start) {
            return None;
        }
        read_operations(file).ok()
    }

    /// The file, if it is one and can be read more than once; a pipe cannot.
    pub(super) fn open(&self) -> Option<File> {
        let ([path], None) = (self.parts.as_slice(), &self.content) else { return None };
        if path.is_file() { File::open(path).ok() } else { None }
    }

    /// The folder of the report that it belongs to, if it is the file of a client, or of several.
    fn report_folder(&self) -> Option<&Path> {
        let first = self.parts.first()?;
        let client =
            first.parent().filter(|_| first.file_name().is_some_and(|name| name == "operations.json"))?;
        let is_client =
            client.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("client"));
        client.parent().filter(|_| is_client)
    }

    /// The content of all parts, one after the other.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, Failure> {
        if let Some(content) = &self.content {
            return Ok(content.clone());
        }
        let read = |part: &PathBuf| {
            std::fs::read(part).map_err(|error| {
                Failure::usage(part.display().to_string(), format!("cannot be read: {error}"))
            })
        };
        if let [only] = self.parts.as_slice() {
            return read(only);
        }
        let mut bytes = Vec::new();
        for part in &self.parts {
            bytes.extend(read(part)?);
            bytes.push(b'\n');
        }
        Ok(bytes)
    }
}

/// The histories that are meant: a folder means its history, or else all files in it.
///
/// # Errors
/// When there is nothing of this name, or nothing in it.
pub(super) fn sources(paths: &[PathBuf]) -> Result<Found, Failure> {
    let mut found = Found { sources: Vec::new(), skipped: Vec::new() };
    for path in paths {
        if path == Path::new(STANDARD_INPUT) && !path.exists() {
            let source = Source { content: Some(content(path)?), ..Source::file(path.clone()) };
            found.sources.push(source);
            continue;
        }
        if !path.exists() {
            return Err(Failure::usage(path.display().to_string(), "there is no such file or folder")
                .help("give a history.jsonl, or the folder of a run such as results/latest"));
        }
        if path.is_file() && path.extension().is_some_and(|extension| extension == "toml") {
            return Err(Failure::usage(path.display().to_string(), "a spec, which has no operations").help(
                format!("`bench run {}` runs it; then check the folder of its results", path.display()),
            ));
        }
        let before = found.sources.len();
        if path.is_dir() {
            folder(path, DEPTH, &mut found)?;
        } else {
            found.sources.push(Source::file(path.clone()));
        }
        if found.sources.len() == before {
            let failure = Failure::usage(path.display().to_string(), "there is no history in this folder");
            return Err(if path.join("test.jepsen").is_file() {
                failure.help(
                    "test.jepsen is Jepsen's binary form; give a folder with its history.edn or history.txt",
                )
            } else {
                failure
            });
        }
    }
    found.sources = together(found.sources);
    Ok(found)
}

/// Puts the files of several clients of one report together, however they were named.
fn together(sources: Vec<Source>) -> Vec<Source> {
    let mut all: Vec<Source> = Vec::new();
    for source in sources {
        let folder = source.report_folder().map(Path::to_owned);
        let same = |other: &&mut Source| folder.is_some() && other.report_folder() == folder.as_deref();
        match (all.iter_mut().find(same), &folder) {
            (Some(report), Some(folder)) => {
                let parts = report.parts.drain(..).chain(source.parts).collect();
                let here = folder.as_os_str().is_empty();
                let path = if here { PathBuf::from(".") } else { folder.clone() };
                *report = Source::report(path, parts);
            }
            (_, Some(_)) => all.push(Source::report(source.path, source.parts)),
            (_, None) => all.push(source),
        }
    }
    all
}

/// Files by which the store of a Jepsen test is known; the history is one of the first.
const JEPSEN_HISTORIES: [&str; 4] = ["history.edn", "history.edn.gz", "history.edn.zst", "history.txt"];
const JEPSEN_OTHERS: [&str; 4] = ["results.edn", "test.jepsen", "test.fressian", "jepsen.log"];

/// Other files of the store of a Jepsen test.
const JEPSEN_PARTS: [&str; 6] =
    ["results.edn", "test.jepsen", "test.fressian", "jepsen.log", "history.txt", "timeline.html"];

fn folder(path: &Path, depth: usize, found: &mut Found) -> Result<(), Failure> {
    let (files, folders) = entries(path)?;
    let has = |name: &str| files.iter().any(|file| file.file_name().is_some_and(|own| own == name));
    if has("history.jsonl") {
        let ours = path.join("history.jsonl");
        // Tables and pages of a run lie beside its history; another history does not.
        let strangers = files.iter().filter(|file| **file != ours && is_of_others(file));
        found.skipped.extend(strangers.cloned());
        found.skipped.extend(folders);
        found.sources.push(Source::file(ours));
        return Ok(());
    }
    if jepsen_store(path, &files, &folders, found) {
        return Ok(());
    }
    let own = folders.iter().filter(|folder| !folder.is_symlink());
    let clients: Vec<PathBuf> =
        own.map(|folder| folder.join("operations.json")).filter(|file| file.is_file()).collect();
    if !clients.is_empty() {
        found.skipped.extend(files);
        found.skipped.extend(folders.into_iter().filter(|folder| !folder.join("operations.json").is_file()));
        found.sources.push(Source::report(path.to_owned(), clients));
        return Ok(());
    }
    let logs: Vec<PathBuf> = files.iter().filter(|file| is_cobra_log(file)).cloned().collect();
    if logs.len() > 1 {
        // One log a session, and beside each the same in words.
        found.sources.push(Source { path: path.to_owned(), parts: logs, beside: Vec::new(), content: None });
        return Ok(());
    }
    if has("operations.json") && has("watch.json") {
        found.skipped.extend(
            files
                .iter()
                .filter(|file| !file.ends_with("operations.json") && !file.ends_with("watch.json"))
                .cloned(),
        );
        found.sources.push(Source::file(path.join("operations.json")));
        return Ok(());
    }
    for inside in folders {
        let hidden = inside.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if depth == 0 || hidden || inside.is_symlink() {
            found.skipped.push(inside);
        } else {
            folder(&inside, depth - 1, found)?;
        }
    }
    for file in files {
        if may_be_history(&file) {
            found.sources.push(Source::file(file));
        } else {
            found.skipped.push(file);
        }
    }
    Ok(())
}

/// Takes the history of a folder that is the store of a Jepsen test; whether it is one.
fn jepsen_store(path: &Path, files: &[PathBuf], folders: &[PathBuf], found: &mut Found) -> bool {
    let has = |name: &str| files.iter().any(|file| file.file_name().is_some_and(|own| own == name));
    if let Some(name) = JEPSEN_HISTORIES.into_iter().find(|name| has(name)) {
        if JEPSEN_OTHERS.into_iter().any(has) || folders.iter().any(|folder| folder.ends_with("independent"))
        {
            // What lies beside it is part of the same test: reports, plots, and the same history key by key.
            let part = |file: &PathBuf| {
                JEPSEN_HISTORIES.iter().chain(&JEPSEN_PARTS).any(|name| file.ends_with(name))
            };
            found.skipped.extend(files.iter().filter(|file| may_be_history(file) && !part(file)).cloned());
            found.sources.push(Source::file(path.join(name)));
            return true;
        }
    } else if JEPSEN_OTHERS.into_iter().any(has) {
        let part = |file: &PathBuf| JEPSEN_OTHERS.iter().any(|name| file.ends_with(name));
        for file in files {
            if may_be_history(file) && !part(file) {
                found.sources.push(Source::file(file.clone()));
            } else {
                found.skipped.push(file.clone());
            }
        }
        found.skipped.extend(folders.iter().cloned());
        return true;
    }
    false
}

/// Whether a file beside a history of ours may be a history of another tool.
fn is_of_others(file: &Path) -> bool {
    let end = file.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase);
    end.is_some_and(|end| matches!(end.as_str(), "edn" | "txt" | "bincode" | "gz" | "zst" | "zstd" | "jsonl"))
}

/// Whether a file is the log of one of Cobra's sessions, by its first record.
fn is_cobra_log(file: &Path) -> bool {
    let mut start = [0; 10];
    if file.extension().is_none_or(|end| end != "log") {
        return false;
    }
    let read = std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && formats::is_cobra(&start)
}

/// Whether a file of a folder may be a history, by its extension; pages, pictures and programs are none.
fn may_be_history(file: &Path) -> bool {
    let extension = |path: &Path| path.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase);
    let packed = extension(file).is_some_and(|end| matches!(end.as_str(), "gz" | "zst" | "zstd"));
    let plain = if packed { file.with_extension("") } else { file.to_owned() };
    extension(&plain).is_none_or(|end| {
        matches!(
            end.as_str(),
            "edn"
                | "json"
                | "jsonl"
                | "ndjson"
                | "jsonlines"
                | "csv"
                | "log"
                | "txt"
                | "history"
                | "bincode"
                | "plume"
                | "awdit"
        )
    })
}

/// Files and folders inside, sorted. Links to folders are kept apart by the caller, because Jepsen's `latest` names a store
/// again.
fn entries(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Failure> {
    let entries = std::fs::read_dir(path).map_err(|error| Failure::io(path, &error))?;
    let mut inside: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
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
        let sources = sources(&[root.path().to_owned()]).unwrap().sources;
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
    fn other_files_of_folders_are_skipped() {
        let folder = tree(&["a.edn", "b.txt.gz", "page.html", "picture.png", "README.md", "without"]);
        let names: Vec<String> = found(&folder).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a.edn", "b.txt.gz", "without"]);
    }

    #[test]
    fn subfolders_beside_files_are_searched() {
        let folder =
            tree(&["good.edn", "sub/bad.EDN", "README.md", "x/b/c/d/e/f/deep.edn", "a/history.jsonl"]);
        let Found { sources, skipped } = sources(&[folder.path().to_owned()]).unwrap();
        let name = |path: &Path| path.strip_prefix(folder.path()).unwrap().display().to_string();
        let names: Vec<String> = sources.iter().map(|source| name(&source.path)).collect();
        assert_eq!(names, ["a/history.jsonl", "sub/bad.EDN", "x/b/c/d/e/f/deep.edn", "good.edn"]);
        assert_eq!(skipped.iter().map(|path| name(path)).collect::<Vec<_>>(), ["README.md"]);
    }

    #[test]
    fn store_without_history_has_its_other_files() {
        let folder = tree(&["a/bad.edn", "a/results.edn", "b/history.edn"]);
        let names: Vec<String> = found(&folder).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a/bad.edn", "b/history.edn"]);
    }

    #[test]
    fn files_of_clients_are_put_together() {
        let report =
            tree(&["r/client-1/operations.json", "r/client-2/operations.json", "r/client-2/watch.json"]);
        let file = |client: &str| report.path().join("r").join(client).join("operations.json");
        let two = sources(&[file("client-1"), file("client-2")]).unwrap().sources;
        assert_eq!((two.len(), two[0].parts.len(), two[0].beside.len()), (1, 2, 1));
        assert_eq!(two[0].path, report.path().join("r"));
        let one = sources(&[report.path().join("r/client-2")]).unwrap().sources;
        assert_eq!((one.len(), one[0].path.clone(), one[0].beside.len()), (1, file("client-2"), 1));
    }

    #[test]
    fn binary_store_alone_is_refused() {
        let store = tree(&["test.jepsen"]);
        let failure = sources(&[store.path().to_owned()]).unwrap_err();
        assert!(failure.help.unwrap().contains("history.edn"));
    }
}
