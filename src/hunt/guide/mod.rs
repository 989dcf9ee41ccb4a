//! Guided search: schedules whose faults wait for points of the run, learned from the behaviour of the runs before.
//!
//! *Problem*: most schedules that are drawn at random do what others did before, and strike at moments at which nothing is open.
//!
//! *Idea*: a fault starts at a time, at a sync, a message or the start of a process, or while the fault before it is in force: a
//! sync or a message is held, and the next fault strikes meanwhile. A run has up to thirty faults, short and long ones, for each is
//! one more chance. Each run is summed up from outside (`src/sim/behaviour.rs`). Features that few runs had before are its
//! worth. A bandit (see [`bandit`]) learns which faults, targets and
//! moments lead to worth, as Mallory does (CCS 2023). Schedules of worth stay in a corpus; later runs change them: shift a
//! moment, take another target, add or leave out a fault, join two schedules.
//!
//! *What it sees*: messages by kind and direction, syncs, starts and ends of processes, who leads. It knows no state of a node.
//!
//! *Cost*: a few microseconds for a draw, and less than a twentieth of a simulated run for its sum.

mod bandit;
mod change;
mod gene;

use super::draw::Choices;
use super::subject::Subject;
use crate::failure::Failure;
use crate::sim::Behaviour;
use bandit::Bandit;
use change::Sights;
use gene::Gene;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use toml::Table;

/// The most schedules in the corpus.
const CORPUS_MAX: usize = 48;
/// How many of the last runs a run must be better than the half of, to count as a success.
const RECENT: usize = 24;
/// How often a schedule that cannot be planned is drawn again.
const TRIES: u32 = 200;
/// The share of runs whose schedule comes from the corpus, in percent.
const CHANGED: u32 = 40;

/// How a hunt draws its schedules.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Search {
    /// Kinds, targets and times of one to five faults, each drawn evenly
    #[default]
    Random,
    /// Faults at points of the run and during other faults, drawn without learning
    Moments,
    /// The same, with a corpus and a bandit that learn from the behaviour of earlier runs
    Guided,
}

impl Search {
    /// Its word on the command line and in tables.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Moments => "moments",
            Self::Guided => "guided",
        }
    }
}

/// A schedule with the seed of its run, and the choices among the lists of options.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schedule {
    genes: Vec<Gene>,
    /// The seed of the run.
    pub seed: u64,
    /// The index of the choice from each list of options.
    pub options: Vec<usize>,
}

/// A schedule of the corpus.
#[derive(Debug, Clone)]
struct Entry {
    schedule: Schedule,
    worth: f64,
    uses: u32,
    sights: Sights,
}

/// A search that learns.
#[derive(Debug)]
pub(crate) struct Guide<'a> {
    choices: &'a Choices,
    subject: &'a Subject,
    /// The length of each list of options.
    lists: Vec<usize>,
    names: Vec<String>,
    learns: bool,
    bandit: Bandit,
    corpus: Vec<Entry>,
    known: HashMap<u64, u32>,
    recent: VecDeque<f64>,
    sights: Sights,
    rng: ChaCha8Rng,
}

impl<'a> Guide<'a> {
    /// A search that has seen nothing. Options are drawn from lists of these lengths.
    pub(crate) fn new(
        choices: &'a Choices,
        subject: &'a Subject,
        lists: Vec<usize>,
        search: Search,
        seed: u64,
    ) -> Self {
        Self {
            choices,
            subject,
            lists,
            names: subject.nodes(),
            learns: search == Search::Guided,
            bandit: Bandit::default(),
            corpus: Vec::new(),
            known: HashMap::new(),
            recent: VecDeque::new(),
            sights: Sights::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The next schedule, and its faults as tables of a spec.
    ///
    /// # Errors
    /// When none of many draws can be planned.
    pub(crate) fn next(&mut self) -> Result<(Schedule, Vec<Table>), Failure> {
        let mut refusal = None;
        for _ in 0..TRIES {
            let changes = self.learns && !self.corpus.is_empty() && self.rng.random_range(0..100) < CHANGED;
            let schedule = if changes { self.changed() } else { self.fresh() };
            let tables = self.tables(&schedule);
            match self.subject.check(&tables) {
                Ok(_) => return Ok((schedule, tables)),
                Err(failure) => refusal = Some(failure),
            }
        }
        Err(refusal.expect("a draw was refused"))
    }

    /// The faults of a schedule as tables of a spec.
    pub(crate) fn tables(&self, schedule: &Schedule) -> Vec<Table> {
        let genes = schedule.genes.iter().enumerate();
        genes.map(|(index, gene)| gene.table(index, self.choices)).collect()
    }

    /// Learns what a run did.
    pub(crate) fn learn(&mut self, schedule: &Schedule, behaviour: &Behaviour) {
        let sights = Sights::of(behaviour, &self.names);
        if !sights.is_empty() {
            self.sights = sights.clone();
        }
        if !self.learns {
            return;
        }
        // What is new is worth most, and what was rare so far more than what every run does.
        let mut worth = 0.0;
        for feature in &behaviour.features {
            let seen = self.known.entry(*feature).or_default();
            worth += 1.0 / f64::from(1 + *seen);
            *seen += 1;
        }
        let mut sorted: Vec<f64> = self.recent.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let success = sorted.get(sorted.len() / 2).is_none_or(|middle| worth > *middle);
        self.recent.push_back(worth);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        let arms = self.arms(schedule);
        self.bandit.learn(arms.iter(), success);
        if success {
            self.corpus.push(Entry { schedule: schedule.clone(), worth, uses: 0, sights });
            if self.corpus.len() > CORPUS_MAX {
                let score = |entry: &Entry| entry.worth / f64::from(1 + entry.uses);
                let worst = (0..self.corpus.len())
                    .min_by(|one, other| score(&self.corpus[*one]).total_cmp(&score(&self.corpus[*other])));
                self.corpus.swap_remove(worst.unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests;
