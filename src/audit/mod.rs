//! `bench audit`: which of the known mistakes of the store does a search find that knows none of them?
//!
//! *Problem*: a spec that is written for a flaw shows that the checks work, and not that anybody would find the flaw.
//!
//! *Idea*: each flaw gets the same search: the same spec, faults and options drawn from the same lists, the same seeds. The
//! sound store gets it too, and every violation there is a false alarm. The rate of detection is a share of runs with a Wilson
//! interval; the gaps between detections are independent searches, so their median is the median number of runs to the
//! first detection.
//!
//! *Cost*: as many runs as were asked for, for each flaw.

mod compare;
mod draw;
mod tables;

pub(crate) use compare::{Hunts, sentences, write as write_comparison};
pub(crate) use tables::{Place, write};

use crate::failure::Failure;
use crate::hunt::{Choices, Class, Guide, Runner, Schedule, Search, Subject};
use crate::sim::{Behaviour, Simulation};
use crate::spec::{self, Document, Wishes, source};
use node::flaw::Flaw;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use report::{Answer, RunVerdict};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use toml::Table;

/// The spec of every audit.
pub(crate) const SPEC: &str = "workloads/audit.toml";

/// The most runs of a hunt that learns, where it does not end at its first detection.
const HUNT: u64 = 200;

/// One run of a search.
#[derive(Debug, Clone)]
struct Run {
    answer: Answer,
    /// The check that was violated.
    check: Option<String>,
    seconds: f64,
}

impl Run {
    fn of(verdict: &RunVerdict, begun: Instant) -> Self {
        let check = Class::of(verdict).map(|(class, _)| class.check().to_owned());
        Self { answer: verdict.answer, check, seconds: begun.elapsed().as_secs_f64() }
    }

    fn is_detection(&self) -> bool {
        self.answer == Answer::Invalid
    }
}

/// What a search came to for one flaw, or for the sound store.
#[derive(Debug, Clone)]
pub(crate) struct Score {
    /// The flaw; none of the sound store.
    pub flaw: Option<Flaw>,
    /// All runs.
    pub runs: u64,
    /// Those that broke a promise.
    pub detected: u64,
    /// Those that proved too little.
    pub unknown: u64,
    /// The median number of runs to a detection.
    pub median_runs: Option<u64>,
    /// The median time to a detection, on one core, in seconds.
    pub median_seconds: Option<f64>,
    /// How many runs each check detected.
    pub checks: BTreeMap<String, u64>,
}

/// A search that is the same for every flaw.
#[derive(Debug)]
pub(crate) struct Audit {
    subject: Subject,
    choices: Choices,
    /// The seed of all draws.
    pub seed: u64,
    /// Runs for each flaw.
    pub runs: u64,
}

impl Audit {
    /// The search with this seed, simulated or with real processes.
    ///
    /// # Errors
    /// When no fault can be injected here.
    pub(crate) fn new(seed: u64, runs: u64, simulated: bool) -> Result<Self, Failure> {
        let subject =
            Subject::open(Path::new(SPEC), &Wishes { simulated, ..Wishes::default() })?.simulated(simulated);
        let choices = Choices::of(&subject, &[])?;
        Ok(Self { subject, choices, seed, runs })
    }

    /// The kinds of faults that are drawn.
    pub(crate) fn faults(&self) -> Vec<&'static str> {
        self.choices.names()
    }

    /// The hunt with this number for one flaw, where each has this many runs.
    fn draws(&self, flaw: Option<Flaw>, search: Search, hunt: u64, runs: u64) -> Draws<'_> {
        let guide = (search != Search::Random).then(|| {
            let mut seeds = ChaCha8Rng::seed_from_u64(self.seed);
            seeds.set_stream(hunt);
            Guide::new(&self.choices, &self.subject, draw::lists(), search, seeds.random())
        });
        Draws { audit: self, flaw, guide, next: hunt * runs }
    }

    /// Searches for one flaw, or in the sound store.
    ///
    /// # Errors
    /// When a run cannot be drawn, made or judged.
    pub(crate) fn score(
        &self,
        flaw: Option<Flaw>,
        search: Search,
        means: &Means<'_>,
    ) -> Result<Score, Failure> {
        let runs = match means {
            Means::Processes(processes) => {
                self.draws(flaw, search, 0, self.runs).run(self.runs, false, processes)?
            }
            Means::Threads(threads) => {
                // The runs of one hunt depend on each other, where it learns.
                let length = if search == Search::Random { 1 } else { HUNT };
                let results = parallel(self.runs.div_ceil(length), *threads, |hunt| {
                    let runs = length.min(self.runs - hunt * length);
                    self.draws(flaw, search, hunt, length).simulate(runs, false)
                });
                let runs = results.into_iter().collect::<Result<Vec<_>, _>>()?;
                runs.into_iter().flatten().collect()
            }
        };
        Ok(Score::of(flaw, runs))
    }

    /// Hunts for one flaw with one search: each hunt until its first detection, or until it made all of its runs.
    ///
    /// # Errors
    /// When a run cannot be drawn, made or judged.
    pub(crate) fn hunts(
        &self,
        flaw: Option<Flaw>,
        search: Search,
        hunts: u64,
        means: &Means<'_>,
    ) -> Result<Hunts, Failure> {
        let draws = |hunt| self.draws(flaw, search, hunt, self.runs);
        let results = match means {
            Means::Processes(processes) => {
                (0..hunts).map(|hunt| draws(hunt).run(self.runs, true, processes)).collect()
            }
            Means::Threads(threads) => {
                parallel(hunts, *threads, |hunt| draws(hunt).simulate(self.runs, true))
            }
        };
        Hunts::of(flaw, search, results)
    }
}

/// What makes the runs.
#[derive(Debug)]
pub(crate) enum Means<'a> {
    /// As many threads simulate them.
    Threads(usize),
    /// Real nodes, one run after another.
    Processes(Processes<'a>),
}

impl Means<'_> {
    /// Whether no more runs are to be made.
    pub(crate) fn is_interrupted(&self) -> bool {
        matches!(self, Self::Processes(processes) if processes.runner.is_interrupted())
    }
}

/// What makes runs with real processes.
#[derive(Debug)]
pub(crate) struct Processes<'a> {
    /// Drives them.
    pub runtime: Runtime,
    /// Makes them.
    pub runner: Runner<'a>,
    /// The longest that one search or hunt starts new runs.
    pub time: Option<Duration>,
}

/// The runs of one hunt as they are drawn. Nothing but the flaw itself differs between flaws.
#[derive(Debug)]
struct Draws<'a> {
    audit: &'a Audit,
    flaw: Option<Flaw>,
    /// Draws at moments, and learns if it is guided; none of a random search.
    guide: Option<Guide<'a>>,
    /// The number of the next run of a random search.
    next: u64,
}

impl Draws<'_> {
    /// The spec and the seed of the next run, and its schedule if a guide drew it.
    fn draw(&mut self) -> Result<(Document, u64, Option<Schedule>), Failure> {
        let Audit { subject, choices, seed, .. } = self.audit;
        if let Some(guide) = &mut self.guide {
            let (schedule, faults) = guide.next()?;
            let mut table = subject.table(&faults);
            draw::choose(&mut table, &schedule.options);
            return Ok((document(table, self.flaw), schedule.seed, Some(schedule)));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(*seed);
        rng.set_stream(self.next);
        self.next += 1;
        let (faults, seed) = choices.draw(subject, &mut rng)?;
        let mut table = subject.table(&faults);
        draw::options(&mut table, &mut rng);
        Ok((document(table, self.flaw), seed, None))
    }

    fn learn(&mut self, schedule: Option<&Schedule>, behaviour: Option<&Behaviour>) {
        if let (Some(guide), Some(schedule), Some(behaviour)) = (&mut self.guide, schedule, behaviour) {
            guide.learn(schedule, behaviour);
        }
    }

    /// As many runs in virtual time, or up to the first detection if it `stops` there.
    fn simulate(mut self, runs: u64, stops: bool) -> Result<Vec<Run>, Failure> {
        let mut made: Vec<Run> = Vec::new();
        while (made.len() as u64) < runs && !(stops && made.last().is_some_and(Run::is_detection)) {
            let begun = Instant::now();
            let (document, seed, schedule) = self.draw()?;
            let loaded = spec::load(document, &Wishes { simulated: true, ..Wishes::default() })?;
            let simulation = Simulation::new(&loaded)?;
            let run = if let Some(schedule) = schedule {
                let (run, behaviour) = simulation.watched(seed)?;
                self.learn(Some(&schedule), Some(&behaviour));
                run
            } else {
                simulation.run(seed, None)?
            };
            made.push(Run::of(&run.judge()?, begun));
        }
        Ok(made)
    }

    /// The same with real processes.
    fn run(mut self, runs: u64, stops: bool, processes: &Processes<'_>) -> Result<Vec<Run>, Failure> {
        let Processes { runtime, runner, time } = processes;
        let started = Instant::now();
        let mut made: Vec<Run> = Vec::new();
        while (made.len() as u64) < runs
            && !(stops && made.last().is_some_and(Run::is_detection))
            && time.is_none_or(|time| started.elapsed() < time)
            && !runner.is_interrupted()
        {
            runner.screen.live(format!("{}: run {} of {runs}", name_of(self.flaw), made.len() + 1));
            let begun = Instant::now();
            let (document, seed, schedule) = self.draw()?;
            let attempt = runtime.block_on(runner.run(&document, seed, "run"))?;
            // A run that was interrupted says nothing of the search.
            if !runner.is_interrupted() {
                self.learn(schedule.as_ref(), attempt.behaviour.as_ref());
                let check = attempt.class().map(|class| class.check().to_owned());
                made.push(Run { answer: attempt.answer(), check, seconds: begun.elapsed().as_secs_f64() });
            }
            attempt.remove();
        }
        Ok(made)
    }
}

/// A table as the spec of a run, with this flaw.
fn document(mut table: Table, flaw: Option<Flaw>) -> Document {
    if let Some(flaw) = flaw {
        draw::set(&mut table, "cluster.paxos.flaw", &format!("\"{flaw}\""));
    }
    let text = toml::to_string_pretty(&table).expect("what was read as TOML can be written as TOML");
    Document { name: SPEC.to_owned(), text }
}

/// Does pieces of work with several threads; the results are in the order of their numbers.
fn parallel<T: Send>(pieces: u64, threads: usize, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let done: Mutex<BTreeMap<u64, T>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let piece = next.fetch_add(1, Ordering::Relaxed);
                    if piece >= pieces {
                        break;
                    }
                    let result = work(piece);
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(piece, result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// The name of a flaw, or `sound`.
pub(crate) fn name_of(flaw: Option<Flaw>) -> &'static str {
    flaw.map_or("sound", Flaw::name)
}

/// The spec as it is hunted, to be kept beside the results.
///
/// # Errors
/// When it is not there.
pub(crate) fn spec_text() -> Result<String, Failure> {
    source::open(Path::new(SPEC)).map(|document| document.text)
}

impl Score {
    fn of(flaw: Option<Flaw>, runs: Vec<Run>) -> Self {
        let mut score = Self {
            flaw,
            runs: runs.len() as u64,
            detected: 0,
            unknown: 0,
            median_runs: None,
            median_seconds: None,
            checks: BTreeMap::new(),
        };
        let (mut gaps, mut times) = (Vec::new(), Vec::new());
        let (mut gap, mut time) = (0, 0.0);
        for run in runs {
            gap += 1;
            time += run.seconds;
            score.unknown += u64::from(run.answer == Answer::Unknown || run.answer == Answer::Failed);
            if run.answer == Answer::Invalid {
                score.detected += 1;
                *score.checks.entry(run.check.unwrap_or_default()).or_default() += 1;
                gaps.push(gap);
                times.push(time);
                (gap, time) = (0, 0.0);
            }
        }
        gaps.sort_unstable();
        times.sort_by(f64::total_cmp);
        score.median_runs = gaps.get(gaps.len() / 2).copied();
        score.median_seconds = times.get(times.len() / 2).copied();
        score
    }
}

#[cfg(test)]
mod tests {
    use super::{Audit, Means, Run, Score};
    use crate::hunt::Search;
    use report::Answer;

    fn run(answer: Answer) -> Run {
        let check = (answer == Answer::Invalid).then(|| "linearizable".to_owned());
        Run { answer, check, seconds: 2.0 }
    }

    #[test]
    fn gaps_between_detections_are_searches() {
        use Answer::{Invalid, Unknown, Valid};
        let answers = [Valid, Valid, Invalid, Unknown, Valid, Valid, Invalid, Invalid, Valid];
        let score = Score::of(None, answers.map(run).to_vec());
        assert_eq!((score.runs, score.detected, score.unknown), (9, 3, 1));
        assert_eq!((score.median_runs, score.median_seconds), (Some(3), Some(6.0)));
        assert_eq!(score.checks["linearizable"], 3);
        assert_eq!(Score::of(None, vec![run(Valid)]).median_runs, None);
    }

    #[test]
    fn draws_differ_in_the_flaw_only() {
        let audit = Audit::new(3, 1, true).unwrap();
        let flaw = node::flaw::Flaw::ReplicaAppliesTwice;
        let lines = |text: &str| -> Vec<String> {
            let own =
                |line: &&str| !line.is_empty() && !line.starts_with("flaw = ") && *line != "[cluster.paxos]";
            text.lines().filter(own).map(str::to_owned).collect()
        };
        for search in [Search::Random, Search::Moments] {
            let (mut sound, mut flawed) =
                (audit.draws(None, search, 2, 5), audit.draws(Some(flaw), search, 2, 5));
            for _ in 0..5 {
                let ((sound, seed, _), (flawed, other, _)) = (sound.draw().unwrap(), flawed.draw().unwrap());
                assert_eq!((lines(&sound.text), seed), (lines(&flawed.text), other));
                assert!(flawed.text.contains(flaw.name()) && !sound.text.contains("flaw"));
            }
        }
    }

    #[test]
    fn sound_store_raises_no_alarm_and_a_flaw_does() {
        let audit = Audit::new(3, 40, true).unwrap();
        let sound = audit.score(None, Search::Random, &Means::Threads(2)).unwrap();
        assert_eq!((sound.runs, sound.detected), (40, 0), "{sound:?}");
        let found = audit
            .score(Some(node::flaw::Flaw::ReplicaReadsOwnState), Search::Random, &Means::Threads(2))
            .unwrap();
        assert!(found.detected > 0, "{found:?}");
    }

    #[test]
    fn guided_hunts_find_a_rare_flaw() {
        let audit = Audit::new(3, 60, true).unwrap();
        let flaw = Some(node::flaw::Flaw::AcceptorAnswersBeforeWrite);
        let hunts = audit.hunts(flaw, Search::Guided, 3, &Means::Threads(2)).unwrap();
        assert_eq!(hunts.detected(), 3, "{hunts:?}");
        let again = audit.hunts(flaw, Search::Guided, 3, &Means::Threads(2)).unwrap();
        assert_eq!(again.runs(), hunts.runs());
        let sound = audit.hunts(None, Search::Guided, 1, &Means::Threads(1)).unwrap();
        assert_eq!((sound.detected(), sound.runs()), (0, 60), "{sound:?}");
    }
}
