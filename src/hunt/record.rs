//! The files of a hunt that grow: what was decided before it, and a line for each run.

use super::{Attempt, Class, Search};
use crate::failure::Failure;
use crate::run::folder;
use report::Answer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

/// `hunt.json`: what a hunt does, so that it can go on after an interruption.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HuntPlan {
    /// Version of the bench.
    pub bench: String,
    /// The name of the spec, as it was given.
    pub spec: String,
    /// The seed of all schedules.
    pub seed: u64,
    /// Which part of the runs is made here, from 1.
    pub shard: u64,
    /// In how many parts the runs are divided.
    pub shards: u64,
    /// The kinds of faults that are drawn.
    pub faults: Vec<String>,
    /// Whether its runs are simulated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// How schedules are drawn.
    #[serde(default)]
    pub search: Search,
}

impl HuntPlan {
    /// The number of the run that is made next here, after `turn` others. Runs of different shards have different numbers.
    pub(crate) fn number_of(&self, turn: u64) -> u64 {
        turn * self.shards + self.shard
    }

    /// Reads it from the folder of a hunt.
    ///
    /// # Errors
    /// When the folder has none (exit code 2).
    pub(crate) fn read(hunt: &Path) -> Result<Self, Failure> {
        let path = hunt.join("hunt.json");
        let text = fs::read(&path).map_err(|error| {
            Failure::usage(path.display().to_string(), format!("cannot be read: {error}"))
                .help("name the folder of a hunt, for example results/hunt/…")
        })?;
        serde_json::from_slice(&text)
            .map_err(|error| Failure::usage(path.display().to_string(), error.to_string()))
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, hunt: &Path) -> Result<(), Failure> {
        folder::write_json(&hunt.join("hunt.json"), self)
    }
}

/// One line of `runs.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    /// The number of the run, from which its schedule was drawn.
    pub run: u64,
    /// The seed of the run itself.
    pub seed: u64,
    /// What came of it.
    pub answer: Answer,
    /// Its first check that was not valid, or why it failed; empty where all were valid.
    pub reason: String,
    /// The class of its violation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    class: Option<Class>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Its faults.
    pub faults: Vec<String>,
    /// Those that left no evidence.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unproven: Vec<UnprovenFault>,
    /// How many crash images nodes were started on, each another state of a disk.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub images: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl RunRecord {
    /// The line of a run.
    pub(super) fn new(run: u64, seed: u64, faults: Vec<String>, time: Duration, attempt: &Attempt) -> Self {
        Self {
            run,
            seed,
            answer: attempt.answer(),
            reason: attempt.reason(),
            class: attempt.class(),
            seconds: (time.as_secs_f64() * 10.0).round() / 10.0,
            faults,
            unproven: attempt.unproven(),
            images: attempt.images(),
        }
    }

    /// The class of its violation.
    pub(crate) fn class(&self) -> Option<&Class> {
        self.class.as_ref()
    }

    /// It for the terminal.
    pub(super) fn line(&self) -> String {
        let style = crate::terminal::summary::style(self.answer);
        let reason = if self.reason.is_empty() || self.answer == Answer::Invalid {
            String::new()
        } else {
            let unproven = self.unproven.iter().map(UnprovenFault::in_words);
            format!(": {}{}", self.reason, unproven.collect::<String>())
        };
        let answer = self.answer.word();
        let images = if self.images == 0 { String::new() } else { format!(", {} images", self.images) };
        format!("{:>5}  {style}{answer:<7}{style:#}  {}{images}{reason}", self.run, self.faults.join("; "))
    }

    /// Adds it to `runs.jsonl`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn append(&self, hunt: &Path) -> Result<(), Failure> {
        let path = hunt.join("runs.jsonl");
        let failed = |error: std::io::Error| Failure::io(&path, &error);
        let mut line = serde_json::to_vec(self).expect("our own types can be written as JSON");
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        file.write_all(&line).map_err(failed)
    }
}

/// The runs of a hunt so far. A last line that was cut off by a kill is left out, and the run is made again.
///
/// # Errors
/// When a line is none of ours (exit code 2).
pub(crate) fn records(hunt: &Path) -> Result<Vec<RunRecord>, Failure> {
    let path = hunt.join("runs.jsonl");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io(&path, &error)),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    if whole.len() < text.len() {
        fs::write(&path, whole).map_err(|error| Failure::io(&path, &error))?;
    }
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| Failure::usage(format!("{}:{}", path.display(), index + 1), error.to_string()))
    };
    whole.lines().enumerate().map(parse).collect()
}

/// A fault that left no evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct UnprovenFault {
    /// The word of its kind.
    pub kind: String,
    /// What people read of it, with its nodes.
    pub label: String,
    /// Why, if that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

impl UnprovenFault {
    fn in_words(&self) -> String {
        let why = self.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        format!("; {}{why}", self.label)
    }
}

/// How many faults of each kind were drawn, and how many of them left no evidence.
#[derive(Debug, Default)]
pub(super) struct Unproven(BTreeMap<String, (u64, u64)>);

impl Unproven {
    /// Adds the faults of a run.
    pub(super) fn add(&mut self, record: &RunRecord) {
        for fault in &record.faults {
            let kind = fault.split(' ').next().unwrap_or_default().to_owned();
            self.0.entry(kind).or_default().0 += 1;
        }
        for fault in &record.unproven {
            self.0.entry(fault.kind.clone()).or_default().1 += 1;
        }
    }

    /// The kinds that ever left no evidence: `freeze 2 of 5, one-way 3 of 3`; none if each fault did.
    pub(super) fn in_words(&self) -> Option<String> {
        let some = self.0.iter().filter(|(_, (_, without))| *without > 0);
        let words: Vec<String> =
            some.map(|(kind, (all, without))| format!("{kind} {without} of {all}")).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: u64) -> RunRecord {
        RunRecord {
            run,
            seed: 5,
            answer: Answer::Valid,
            reason: String::new(),
            class: None,
            seconds: 1.5,
            faults: vec!["kill n1 at 1s".to_owned()],
            unproven: Vec::new(),
            images: 0,
        }
    }

    #[test]
    fn kinds_without_evidence_are_counted() {
        let mut unproven = Unproven::default();
        unproven.add(&record(1));
        assert_eq!(unproven.in_words(), None);
        let faults = ["kill n1 at 1s", "flaky n1 at 2s"].map(str::to_owned).to_vec();
        let (kind, label, why) = ("flaky".to_owned(), "loss 5% n1".to_owned(), Some("idle".to_owned()));
        let fault = UnprovenFault { kind, label, why };
        assert_eq!(fault.in_words(), "; loss 5% n1: idle");
        unproven.add(&RunRecord { faults, unproven: vec![fault], ..record(2) });
        assert_eq!(unproven.in_words().unwrap(), "flaky 1 of 1");
    }

    #[test]
    fn a_cut_line_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        for run in 1..=2 {
            record(run).append(folder.path()).unwrap();
        }
        let path = folder.path().join("runs.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 5]).unwrap();
        assert_eq!(records(folder.path()).unwrap(), [record(1)]);
        record(2).append(folder.path()).unwrap();
        assert_eq!(records(folder.path()).unwrap(), [record(1), record(2)]);
    }

    #[test]
    fn shards_share_no_run() {
        let plan = |shard| HuntPlan {
            bench: String::new(),
            spec: String::new(),
            seed: 1,
            shard,
            shards: 3,
            faults: Vec::new(),
            simulated: false,
            search: Search::Random,
        };
        let mut all: Vec<u64> =
            (1..=3).flat_map(|shard| (0..4).map(move |turn| plan(shard).number_of(turn))).collect();
        all.sort_unstable();
        assert_eq!(all, (1..=12).collect::<Vec<_>>());
    }
}
