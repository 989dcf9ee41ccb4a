//! The runs and sweeps of a folder, searched for each request, and the filter of the list.

use super::folder::Folder;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// Depth of the search in nested folders.
const DEPTH: usize = 6;
/// A run without a verdict whose history grew within this time is in progress.
const FRESH: Duration = Duration::from_secs(15);

/// The description of a run or sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path in the folder.
    pub path: String,
    pub spec: String,
    /// The systems under test.
    pub system: String,
    /// The version of the bench.
    pub version: String,
    /// The verdict, or `sweep`, `running`, `unfinished`.
    pub verdict: String,
    pub sentence: String,
    pub started: String,
    pub seed: u64,
    pub variants: Vec<String>,
}

/// The fields of `plan.json` for the list.
#[derive(Deserialize)]
struct StoredPlan {
    bench: String,
    spec: String,
    seed: u64,
    started: String,
    #[serde(default)]
    variants: Vec<StoredVariant>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StoredVariant {
    /// The field of a run.
    Planned { name: String, system: String },
    /// The field of a sweep.
    Name(String),
}

/// The fields of `verdict.json` for the list.
#[derive(Deserialize, Clone)]
struct StoredVerdict {
    answer: String,
    sentence: String,
}

/// Cached verdicts by file and modification time: the files are large, and there may be hundreds.
#[derive(Default)]
pub(super) struct Shelf {
    read: Mutex<HashMap<PathBuf, (SystemTime, StoredVerdict)>>,
}

impl Shelf {
    /// All runs and sweeps, newest first.
    pub(super) fn entries(&self, folder: &Folder) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.search(folder, folder.root(), DEPTH, &mut entries);
        entries.sort_by(|a, b| (&b.started, &b.path).cmp(&(&a.started, &a.path)));
        entries
    }

    fn search(&self, folder: &Folder, path: &Path, depth: usize, entries: &mut Vec<Entry>) {
        if let Some(entry) = self.entry(folder, path) {
            entries.push(entry);
            // Searches the runs of a sweep too; a run contains no other run.
            if !path.join("sweep.json").is_file() {
                return;
            }
        }
        if depth == 0 {
            return;
        }
        let inside =
            fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
        for inside in inside.filter(|path| path.is_dir() && !path.is_symlink()) {
            self.search(folder, &inside, depth - 1, entries);
        }
    }

    /// The description of the run or sweep in a folder.
    pub(super) fn entry(&self, folder: &Folder, path: &Path) -> Option<Entry> {
        let sweep = path.join("sweep.json").is_file();
        let file = path.join(if sweep { "sweep.json" } else { "plan.json" });
        let plan: StoredPlan = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let verdict = self.verdict(&path.join("verdict.json"));
        let state = match (&verdict, sweep) {
            (Some(verdict), _) => verdict.answer.clone(),
            (None, true) => "sweep".to_owned(),
            (None, false) if is_going_on(path, &plan) => "running".to_owned(),
            (None, false) => "unfinished".to_owned(),
        };
        let systems: BTreeSet<&str> = plan.variants.iter().filter_map(StoredVariant::system).collect();
        Some(Entry {
            path: folder.path_of(path)?,
            system: systems.into_iter().collect::<Vec<_>>().join(", "),
            version: plan.bench.clone(),
            verdict: state,
            sentence: verdict.map(|verdict| verdict.sentence).unwrap_or_default(),
            started: plan.started.clone(),
            seed: plan.seed,
            variants: plan.variants.iter().map(|variant| variant.name().to_owned()).collect(),
            spec: plan.spec,
        })
    }

    fn verdict(&self, file: &Path) -> Option<StoredVerdict> {
        let changed = fs::metadata(file).ok()?.modified().ok()?;
        // No code panics while holding this lock.
        let mut read = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, verdict)) = read.get(file).filter(|(time, _)| *time == changed) {
            return Some(verdict.clone());
        }
        let verdict: StoredVerdict = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        read.insert(file.to_owned(), (changed, verdict.clone()));
        Some(verdict)
    }
}

impl StoredVariant {
    fn name(&self) -> &str {
        match self {
            Self::Planned { name, .. } | Self::Name(name) => name,
        }
    }

    fn system(&self) -> Option<&str> {
        match self {
            Self::Planned { system, .. } => Some(system),
            Self::Name(_) => None,
        }
    }
}

fn is_going_on(path: &Path, plan: &StoredPlan) -> bool {
    let files = plan.variants.iter().map(|variant| path.join(variant.name()).join("history.jsonl"));
    let changed = files.filter_map(|file| fs::metadata(file).ok()?.modified().ok()).max();
    changed.and_then(|time| time.elapsed().ok()).is_some_and(|age| age < FRESH)
}

/// The filter of the list. Empty fields match everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub spec: String,
    pub system: String,
    pub version: String,
    pub verdict: String,
    /// Dates, as `2026-11-23`.
    pub from: String,
    pub to: String,
}

impl Filter {
    /// Parses the query of a URL.
    pub(super) fn of(query: &super::route::Query) -> Self {
        let of = |name: &str| query.get(name).unwrap_or_default().to_owned();
        Self {
            spec: of("spec"),
            system: of("system"),
            version: of("version"),
            verdict: of("verdict"),
            from: of("from"),
            to: of("to"),
        }
    }

    pub(super) fn lets(&self, entry: &Entry) -> bool {
        let same = |wanted: &str, own: &str| wanted.is_empty() || wanted == own;
        let day = entry.started.get(..10).unwrap_or_default();
        same(&self.spec, &entry.spec)
            && (self.system.is_empty() || entry.system.split(", ").any(|system| system == self.system))
            && same(&self.version, &entry.version)
            && same(&self.verdict, &entry.verdict)
            && (self.from.is_empty() || day >= self.from.as_str())
            && (self.to.is_empty() || day <= self.to.as_str())
    }
}
