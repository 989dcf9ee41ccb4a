//! What a hunt found: one entry for each class of violations, in `findings.json`.

use super::shrink::Smaller;
use super::{Class, RunRecord, Share};
use crate::failure::Failure;
use crate::run::{again, folder};
use crate::spec::Document;
use crate::terminal::BAD;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// One class of violations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// Its number, from 1; its files lie in `findings/<number>/`.
    pub number: u64,
    /// The class.
    pub class: Class,
    /// How the first violation of it was explained.
    pub reason: String,
    /// The runs that showed it.
    pub runs: Vec<u64>,
    /// How often the first of them showed a violation again, with the same seed.
    pub again: Share,
    /// The same for the smaller spec, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub smaller: Option<Share>,
    /// The seed of the spec in its folder.
    pub seed: u64,
}

/// All findings of a hunt.
#[derive(Debug)]
pub(crate) struct Findings {
    path: PathBuf,
    list: Vec<Finding>,
}

impl Findings {
    /// Those of a hunt so far.
    ///
    /// # Errors
    /// When they cannot be read (exit code 2).
    pub(crate) fn open(hunt: &Path) -> Result<Self, Failure> {
        let path = hunt.join("findings.json");
        let list = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| Failure::usage(path.display().to_string(), error.to_string()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Failure::io(&path, &error)),
        };
        Ok(Self { path, list })
    }

    /// All of them, in order.
    pub(crate) fn all(&self) -> &[Finding] {
        &self.list
    }

    /// The newest.
    pub(super) fn last(&self) -> &Finding {
        self.list.last().expect("it is asked for after one was added")
    }

    /// Adds a run to its class; `true` if it is the first.
    pub(super) fn add(&mut self, record: &RunRecord, class: &Class) -> bool {
        if let Some(known) = self.list.iter_mut().find(|one| one.class == *class) {
            known.runs.push(record.run);
            return false;
        }
        self.list.push(Finding {
            number: self.list.len() as u64 + 1,
            class: class.clone(),
            reason: record.reason.clone(),
            runs: vec![record.run],
            again: Share::default(),
            smaller: None,
            seed: record.seed,
        });
        true
    }

    /// Writes the spec of the newest finding beside its run, the smaller one if there is one.
    pub(super) fn conclude(
        &mut self,
        again: Share,
        smaller: Option<&Smaller>,
        drawn: &Document,
        folder: &Path,
    ) -> Result<(), Failure> {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, text))
                .map_err(|error| Failure::io(&path, &error))
        };
        write("drawn.toml", &drawn.text)?;
        write("spec.toml", smaller.map_or(&drawn.text, |smaller| &smaller.document.text))?;
        if let Some(run) = smaller.and_then(|smaller| smaller.run.as_ref()) {
            let to = folder.join("run");
            let _ = fs::remove_dir_all(&to);
            fs::rename(run, &to).map_err(|error| Failure::io(&to, &error))?;
        }
        let last = self.list.last_mut().expect("it is concluded after one was added");
        last.again = again;
        last.smaller = smaller.filter(|smaller| smaller.run.is_some()).map(|smaller| smaller.share);
        self.save()
    }

    /// Writes the list, whole or not at all.
    pub(super) fn save(&self) -> Result<(), Failure> {
        let new = self.path.with_extension("json.new");
        folder::write_json(&new, &self.list)?;
        fs::rename(&new, &self.path).map_err(|error| Failure::io(&self.path, &error))
    }
}

impl Finding {
    /// It for the terminal.
    pub(crate) fn line(&self) -> String {
        let runs = self.runs.len();
        let of = self.smaller.unwrap_or(self.again);
        let again = if of.of > 0 { format!(", again {of}") } else { String::new() };
        format!(
            "{BAD}{}{BAD:#}  {}  ({runs} run{}{again})",
            self.number,
            self.class.as_str(),
            if runs == 1 { "" } else { "s" }
        )
    }

    /// The command that shows it again.
    pub(super) fn command(&self, folder: &Path, simulated: bool) -> String {
        let spec = again::quoted(&folder.join("spec.toml").display().to_string());
        let (verb, seeds) = if simulated { ("sim", " --seeds 1") } else { ("run", "") };
        format!("bench {verb} {spec} --seed {}{seeds}", self.seed)
    }
}
