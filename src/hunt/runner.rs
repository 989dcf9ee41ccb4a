//! Makes single runs into folders of a hunt, and counts how often a violation comes again.

use super::Class;
use super::record::UnprovenFault;
use crate::failure::Failure;
use crate::run::replay;
use crate::run::taped::SCHEDULE;
use crate::sim::{Behaviour, Simulation};
use crate::spec::{self, Document, Loaded, Wishes};
use crate::terminal::Screen;
use nemesis::{Following, Schedule};
use report::{Answer, RunVerdict};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// What makes runs.
#[derive(Debug)]
pub(crate) struct Runner<'a> {
    /// Folders of runs lie under it.
    pub folder: &'a Path,
    /// Where the live line goes.
    pub screen: &'a Screen,
    /// Cancelled by an interrupt.
    pub interrupt: CancellationToken,
    /// Whether runs are simulated: the same seed then gives the same run.
    pub simulated: bool,
}

/// How often something was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Share {
    /// The runs in which it was.
    pub seen: u32,
    /// All runs.
    pub of: u32,
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {} of {}", self.seen, self.of)
    }
}

/// A run that was made, with its folder.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// Its folder.
    pub folder: PathBuf,
    /// What it did, if that was recorded.
    pub behaviour: Option<Behaviour>,
    outcome: Result<RunVerdict, Failure>,
}

impl Runner<'_> {
    /// Whether the hunt was interrupted.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.is_cancelled()
    }

    /// Makes one run. That a run fails is no error here.
    ///
    /// # Errors
    /// When the spec cannot be run or its folder not be made.
    pub(crate) async fn run(&self, document: &Document, seed: u64, name: &str) -> Result<Attempt, Failure> {
        self.follow(document, seed, name, None).await
    }

    /// The same, along a recorded schedule if there is one.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) async fn follow(
        &self,
        document: &Document,
        seed: u64,
        name: &str,
        followed: Option<&Following>,
    ) -> Result<Attempt, Failure> {
        let wishes = Wishes { simulated: self.simulated, ..Wishes::default() };
        let loaded = spec::load(document.clone(), &wishes)?;
        let folder = self.folder.join(name);
        if folder.exists() {
            // An interrupted hunt left it.
            fs::remove_dir_all(&folder).map_err(|error| Failure::io(&folder, &error))?;
        }
        let mut behaviour = None;
        let outcome = if self.simulated {
            simulate(&loaded, seed, &folder).map(|(verdict, did)| {
                behaviour = Some(did);
                verdict
            })
        } else {
            let (path, interrupt) = (folder.clone(), &self.interrupt);
            let outcome = replay((&loaded, seed), path, self.screen, interrupt, followed, is_kept);
            let outcome = Box::pin(outcome).await;
            behaviour = recorded(&loaded, &folder);
            outcome
        };
        Ok(Attempt { folder, behaviour, outcome })
    }

    /// Repeats a run with the same seed, and counts the violations of the class.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) async fn share(
        &self,
        document: &Document,
        seed: u64,
        class: &Class,
        times: u32,
    ) -> Result<Share, Failure> {
        let mut share = Share::default();
        let times = if self.simulated { 1 } else { times };
        while share.of < times && !self.is_interrupted() {
            self.screen.live(format!("again with the same seed: violated {share}"));
            let attempt = self.run(document, seed, "again").await?;
            share.of += 1;
            share.seen += u32::from(attempt.is_like(class));
            attempt.remove();
        }
        Ok(share)
    }
}

/// Whether the folder of a run stays, so that its reports are worth their time.
fn is_kept(answer: Answer) -> bool {
    matches!(answer, Answer::Invalid | Answer::Failed)
}

/// Simulates a run; only one that broke a promise is written into its folder.
fn simulate(loaded: &Loaded, seed: u64, folder: &Path) -> Result<(RunVerdict, Behaviour), Failure> {
    let simulation = Simulation::new(loaded)?;
    let (run, behaviour) = simulation.watched(seed)?;
    let mut verdict = run.judge()?;
    if verdict.answer == Answer::Invalid {
        verdict = simulation.run(seed, None)?.write(&loaded.text, folder)?;
    }
    Ok((verdict, behaviour))
}

/// What a real run did, by its recorded schedule; none if it recorded none.
fn recorded(loaded: &Loaded, folder: &Path) -> Option<Behaviour> {
    let variant = loaded.experiments.first()?.variant.as_str();
    let text = fs::read_to_string(folder.join(variant).join(SCHEDULE)).ok()?;
    Schedule::parse(&text).ok().map(|schedule| Behaviour::of_schedule(&schedule))
}

impl Attempt {
    /// What came of it.
    pub(crate) fn answer(&self) -> Answer {
        self.outcome.as_ref().map_or(Answer::Failed, |verdict| verdict.answer)
    }

    /// The first check that is not valid, or why it failed.
    pub(crate) fn reason(&self) -> String {
        match &self.outcome {
            Err(failure) => format!("{}: {}", failure.location, failure.what),
            Ok(verdict) => {
                let open = || {
                    let checks = verdict.variants.iter().flat_map(|variant| &variant.checks);
                    let mut open = checks
                        .filter(|check| check.answer == verdict.answer && check.answer != Answer::Valid);
                    open.next().map(|check| check.reason.clone()).unwrap_or_default()
                };
                Class::of(verdict).map_or_else(open, |(_, reason)| reason)
            }
        }
    }

    /// The class of its violation.
    pub(crate) fn class(&self) -> Option<Class> {
        self.outcome.as_ref().ok().and_then(Class::of).map(|(class, _)| class)
    }

    /// Whether it violated the same check as a class.
    pub(crate) fn is_like(&self, class: &Class) -> bool {
        self.class().is_some_and(|own| own.is_like(class))
    }

    /// The faults that left no evidence.
    pub(super) fn unproven(&self) -> Vec<UnprovenFault> {
        let Ok(verdict) = &self.outcome else { return Vec::new() };
        let faults = verdict.variants.iter().flat_map(|one| &one.faults);
        let unproven = faults.filter(|fault| !fault.took_effect()).map(|fault| UnprovenFault {
            kind: fault.kind.clone(),
            label: fault.label.clone(),
            why: fault.why_none.clone(),
        });
        unproven.collect()
    }

    /// How many crash images nodes were started on, each another state of a disk.
    pub(super) fn images(&self) -> u64 {
        let Ok(verdict) = &self.outcome else { return 0 };
        let faults = verdict.variants.iter().flat_map(|one| &one.faults);
        let lines = faults.flat_map(|fault| fault.evidence.iter().chain(&fault.healed));
        lines.filter(|line| line.contains(history::CRASH_IMAGE)).count() as u64
    }

    /// How many operations were made before it ended.
    pub(super) fn operations(&self) -> u64 {
        let count = |verdict: &RunVerdict| verdict.variants.iter().map(|one| one.summary.counts.all()).sum();
        self.outcome.as_ref().map_or(0, count)
    }

    /// Removes its folder. What cannot be removed only takes room.
    pub(crate) fn remove(self) {
        let _ = fs::remove_dir_all(self.folder);
    }
}
