//! The folder of a run: its path, its first files, and the link `results/latest`.

use crate::failure::Failure;
use jiff::Timestamp;
use report::Plan;
use serde::Serialize;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The default folder of results, in the working directory of the bench.
const RESULTS: &str = "results";

/// Whether `results/latest` will point to the new folder.
///
/// It does so for results of a run, but not for a running cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Latest {
    /// It will.
    Moved,
    /// It stays unchanged.
    Left,
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub(crate) struct RunFolder {
    /// Its path.
    pub path: PathBuf,
}

impl RunFolder {
    /// Creates the folder: `out`, which must be empty or absent, or one named after spec, time and seed.
    ///
    /// # Errors
    /// When `out` is not empty, or is not writable (exit code 2).
    pub(crate) fn create(
        out: Option<&Path>,
        spec: &str,
        started: Timestamp,
        seed: u64,
        latest: Latest,
    ) -> Result<Self, Failure> {
        refuse_odd_names(out.unwrap_or(Path::new(RESULTS)))?;
        let path = if let Some(out) = out {
            if fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
                let reason = "the folder is not empty, and results are never overwritten";
                return Err(Failure::usage(out.display().to_string(), reason).help("choose another --out"));
            }
            out.to_owned()
        } else {
            let time = started.strftime("%Y%m%dT%H%M%SZ");
            free(&Path::new(RESULTS).join(spec).join(format!("{time}-{seed}")))
        };
        let impossible = |error: std::io::Error| {
            let reason = format!("no results can be written there: {error}");
            let help = if out.is_some() { "choose another --out" } else { "choose a folder with --out DIR" };
            Failure::usage(path.display().to_string(), reason).help(help)
        };
        fs::create_dir_all(&path).map_err(impossible)?;
        // Tests before the start that the folder is writable.
        let trial = path.join("spec.toml");
        fs::File::create_new(&trial).and_then(|_| fs::remove_file(&trial)).map_err(impossible)?;
        let path = fs::canonicalize(&path).map_err(impossible)?;
        let folder = Self { path };
        if out.is_none() && latest == Latest::Moved {
            folder.link_latest()?;
        }
        Ok(folder)
    }

    /// A folder inside the folder of a sweep.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn at(path: PathBuf) -> Result<Self, Failure> {
        fs::create_dir_all(&path).map_err(|error| Failure::io(&path, &error))?;
        Ok(Self { path })
    }

    /// Writes `spec.toml` and `plan.json`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn write_intent(&self, spec: &str, plan: &Plan) -> Result<(), Failure> {
        let path = self.path.join("spec.toml");
        fs::write(&path, spec).map_err(|error| Failure::io(&path, &error))?;
        write_json(&self.path.join("plan.json"), plan)
    }

    /// The folder of a variant, created if missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn variant(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).map_err(|error| Failure::io(&path, &error))?;
        Ok(path)
    }

    /// Its path for people: relative if it is below the working directory.
    pub(crate) fn shown(&self) -> PathBuf {
        let here = std::env::current_dir().and_then(fs::canonicalize).unwrap_or_default();
        self.path.strip_prefix(&here).map_or_else(|_| self.path.clone(), Path::to_owned)
    }

    /// Points `results/latest` to it. An existing folder or file of that name is left alone.
    fn link_latest(&self) -> Result<(), Failure> {
        let link = Path::new(RESULTS).join("latest");
        match fs::symlink_metadata(&link) {
            Ok(there) if !there.is_symlink() => return Ok(()),
            Ok(_) => fs::remove_file(&link).map_err(|error| Failure::io(&link, &error))?,
            Err(_) => {}
        }
        let results = fs::canonicalize(RESULTS).map_err(|error| Failure::io(Path::new(RESULTS), &error))?;
        let target = self.path.strip_prefix(&results).unwrap_or(&self.path);
        match std::os::unix::fs::symlink(target, &link) {
            // Another bench was faster; its run is the latest.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(|error| Failure::io(&link, &error)),
        }
    }
}

/// Refuses paths that are not UTF-8, which plans, verdicts and pages need, and the empty path.
fn refuse_odd_names(path: &Path) -> Result<(), Failure> {
    if path.as_os_str().is_empty() {
        return Err(Failure::usage("--out", "it names no folder").help("choose one with --out DIR"));
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if absolute.to_str().is_some() {
        return Ok(());
    }
    let reason = "the path of the results is not UTF-8, but it is written into UTF-8 files";
    Err(Failure::usage(absolute.display().to_string(), reason).help("choose another folder with --out DIR"))
}

/// The path, or the first free one of `path-2`, `path-3`, ….
fn free(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut candidate = path.to_owned();
    let mut number = 1;
    while candidate.exists() {
        number += 1;
        candidate = path.with_file_name(format!("{name}-{number}"));
    }
    candidate
}

/// Writes a value as readable JSON.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    fs::write(path, report::readable_json(value)).map_err(|error| Failure::io(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    fn create(out: &Path) -> Result<RunFolder, Failure> {
        RunFolder::create(Some(out), "spec", Timestamp::UNIX_EPOCH, 7, Latest::Left)
    }

    #[test]
    fn impossible_folders_are_wrong_usage() {
        let top = tempfile::tempdir().unwrap();
        let file = top.path().join("file");
        fs::write(&file, "").unwrap();
        let odd = top.path().join(std::ffi::OsStr::from_bytes(b"\xff"));
        for out in [file.as_path(), &file.join("below"), &odd, Path::new("/proc/nothing"), Path::new("")] {
            let failure = create(out).unwrap_err();
            assert_eq!(failure.exit, crate::exit::Exit::Usage, "{}", failure.render());
            assert!(failure.help.is_some_and(|help| help.contains("--out")));
        }
        assert!(!odd.exists());
    }

    #[test]
    fn a_new_folder_is_empty() {
        let top = tempfile::tempdir().unwrap();
        let folder = create(&top.path().join("new")).unwrap();
        assert_eq!(fs::read_dir(&folder.path).unwrap().count(), 0);
    }
}
