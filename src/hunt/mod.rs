//! `bench hunt`: run after run with drawn fault schedules, until a promise is broken or the time is up.
//!
//! *Problem*: a schedule written by hand finds the bugs that its author thought of.
//!
//! *Idea*: everything but the faults comes from the spec. Each run draws a schedule from the seed of the hunt and its own
//! number, so that a run can be repeated without those before it; a guided search (see [`guide`]) draws it from what earlier runs
//! did instead. A violation is repeated with the same seed, to measure
//! how often it comes again, and made smaller (see [`shrink`]).
//!
//! *Cost*: as many runs as the time allows; a run that found nothing leaves one line in `runs.jsonl`.

mod class;
mod draw;
mod findings;
mod guide;
mod merge;
mod record;
mod runner;
pub(crate) mod shrink;
mod subject;

pub(crate) use class::Class;
pub(crate) use draw::Choices;
pub(crate) use findings::{Finding, Findings};
pub(crate) use guide::{Guide, Schedule, Search};
pub(crate) use merge::merge;
use record::Unproven;
pub(crate) use record::{HuntPlan, RunRecord, records};
pub(crate) use runner::{Attempt, Runner, Share};
pub(crate) use subject::Subject;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::{BAD, FAINT, STRONG, Screen, human};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use report::Answer;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use toml::Table;

/// How many runs may fail in a row before the hunt ends: the set-up is wrong then.
const FAILURES_IN_A_ROW: u32 = 3;

/// A hunt that is going on.
#[derive(Debug)]
pub(crate) struct Hunt<'a> {
    /// What was decided before its start.
    pub plan: &'a HuntPlan,
    /// Everything but the faults.
    pub subject: &'a Subject,
    /// What schedules are drawn from.
    pub choices: &'a Choices,
    /// Its folder.
    pub folder: &'a Path,
    /// Where lines go.
    pub screen: &'a Screen,
    /// Whether a summary for machines is printed at the end.
    pub as_json: bool,
}

/// When a hunt ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The longest that new runs are started.
    pub time: Option<Duration>,
    /// The number of runs of this shard, earlier ones of a resumed hunt included.
    pub runs: Option<u64>,
    /// How often a new finding is repeated with its own seed.
    pub repeats: u32,
    /// The longest that one finding is made smaller; not at all if none.
    pub shrink: Option<Duration>,
}

/// The crash images of all runs of a hunt, and the time of the runs.
#[derive(Debug, Clone, Copy, Default)]
struct Images {
    count: u64,
    seconds: f64,
}

impl Images {
    fn add(&mut self, record: &RunRecord) {
        self.count += record.images;
        self.seconds += record.seconds;
    }
}

impl Hunt<'_> {
    /// Runs until a limit is reached or the hunt is interrupted.
    ///
    /// # Errors
    /// When files cannot be written, or run after run fails (exit code 4).
    pub(crate) async fn go(&self, limits: Limits, runner: &Runner<'_>) -> Result<Exit, Failure> {
        let earlier = records(self.folder)?;
        let mut findings = Findings::open(self.folder)?;
        let mut answers: BTreeMap<Answer, u64> = BTreeMap::new();
        let (mut images, mut unproven) = (Images::default(), Unproven::default());
        for record in &earlier {
            images.add(record);
            unproven.add(record);
            *answers.entry(record.answer).or_default() += 1;
        }
        let mut guide = self.guide(earlier.len() as u64);
        let begun = Instant::now();
        let mut failures = 0;
        for turn in earlier.len() as u64.. {
            let late = limits.time.is_some_and(|time| begun.elapsed() >= time);
            if late || limits.runs.is_some_and(|runs| turn >= runs) || runner.is_interrupted() {
                break;
            }
            let number = self.plan.number_of(turn);
            let (record, attempt, faults) = self.one(number, &mut guide, runner).await?;
            if runner.is_interrupted() {
                break;
            }
            record.append(self.folder)?;
            images.add(&record);
            unproven.add(&record);
            *answers.entry(record.answer).or_default() += 1;
            self.screen.line(&record.line());
            failures = if record.answer == Answer::Failed { failures + 1 } else { 0 };
            if failures == FAILURES_IN_A_ROW {
                return Err(Failure::bench(
                    "hunt",
                    format!("{failures} runs in a row failed: {}", record.reason),
                )
                .help("run the spec by itself with `bench run` first"));
            }
            match record.class() {
                Some(class) => {
                    self.found((&record, class, &faults), limits, &mut findings, runner).await?;
                }
                // The folder of a failed run is worth a look.
                None if record.answer != Answer::Failed => attempt.remove(),
                None => {}
            }
        }
        self.screen.clear();
        // What was tried and not accepted.
        let _ = std::fs::remove_dir_all(self.folder.join("smaller"));
        self.summary(&answers, (images, &unproven), &findings, begun.elapsed());
        let exit = exit(&answers, runner.is_interrupted());
        if self.as_json {
            let counts: BTreeMap<_, _> =
                answers.iter().map(|(answer, count)| (answer.word(), count)).collect();
            let summary = json!({
                "folder": self.folder, "answers": counts, "findings": findings.all(),
                "images": images.count, "exit": exit.code(),
            });
            println!("{summary}");
        }
        Ok(exit)
    }

    /// The search of this shard. A resumed guided hunt learns from scratch.
    fn guide(&self, earlier: u64) -> Guide<'_> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.plan.seed);
        rng.set_stream(self.plan.number_of(earlier));
        Guide::new(self.choices, self.subject, Vec::new(), self.plan.search, rng.random())
    }

    /// Draws the schedule of a run and runs it; returns its faults too.
    async fn one(
        &self,
        number: u64,
        guide: &mut Guide<'_>,
        runner: &Runner<'_>,
    ) -> Result<(RunRecord, Attempt, Vec<Table>), Failure> {
        let (schedule, faults, seed) = if self.plan.search == Search::Random {
            let mut rng = ChaCha8Rng::seed_from_u64(self.plan.seed);
            rng.set_stream(number);
            let (faults, seed) = self.choices.draw(self.subject, &mut rng)?;
            (None, faults, seed)
        } else {
            let (schedule, faults) = guide.next()?;
            let seed = schedule.seed;
            (Some(schedule), faults, seed)
        };
        let words: Vec<String> = faults.iter().map(draw::in_words).collect();
        self.screen.live(format!("run {number}: {}", words.join("; ")));
        let begun = Instant::now();
        let attempt = runner.run(&self.subject.with(&faults), seed, &format!("runs/{number}")).await?;
        if let Some((schedule, behaviour)) = schedule.as_ref().zip(attempt.behaviour.as_ref()) {
            guide.learn(schedule, behaviour);
        }
        let record = RunRecord::new(number, seed, words, begun.elapsed(), &attempt);
        Ok((record, attempt, faults))
    }

    /// Repeats a violation and makes it smaller, if it is the first of its class.
    async fn found(
        &self,
        (record, class, faults): (&RunRecord, &Class, &[Table]),
        limits: Limits,
        findings: &mut Findings,
        runner: &Runner<'_>,
    ) -> Result<(), Failure> {
        if !findings.add(record, class) {
            return findings.save();
        }
        findings.save()?;
        self.screen.line(&format!("{BAD}found{BAD:#}: {}", record.reason));
        let document = self.subject.with(faults);
        let share = runner.share(&document, record.seed, class, limits.repeats).await?;
        self.screen.line(&format!("  the same seed again: violated {share}"));
        let number = findings.last().number;
        let smaller = match limits.shrink.filter(|_| share.seen > 0 && !runner.is_interrupted()) {
            Some(time) => {
                let shrink = shrink::Shrink { class, seed: record.seed, deadline: Instant::now() + time };
                Some(shrink.go(self.subject.table(faults), runner, self.screen).await?)
            }
            None => None,
        };
        let folder = self.folder.join("findings").join(number.to_string());
        findings.conclude(share, smaller.as_ref(), &document, &folder)?;
        self.screen.line(&format!("  {}", findings.last().command(&folder, self.plan.simulated)));
        Ok(())
    }

    /// Says what came of it.
    fn summary(
        &self,
        answers: &BTreeMap<Answer, u64>,
        (images, unproven): (Images, &Unproven),
        findings: &Findings,
        time: Duration,
    ) {
        let count = |answer| answers.get(&answer).copied().unwrap_or_default();
        let screen = self.screen;
        let runs: u64 = answers.values().sum();
        screen.line(&format!(
            "\n{STRONG}{runs} run{}{STRONG:#} in {}: {} valid, {} invalid, {} unknown, {} failed",
            if runs == 1 { "" } else { "s" },
            human(time),
            count(Answer::Valid),
            count(Answer::Invalid),
            count(Answer::Unknown),
            count(Answer::Failed),
        ));
        if images.count > 0 {
            let a_minute = images.count as f64 / (images.seconds / 60.0).max(f64::MIN_POSITIVE);
            screen.line(&format!("{} crash images, {a_minute:.0} a minute of these runs", images.count));
        }
        if let Some(words) = unproven.in_words() {
            screen.line(&format!("faults without evidence, which leave a run unknown: {words}"));
        }
        for finding in findings.all() {
            screen.line(&finding.line());
        }
        screen.line(&format!("{FAINT}bench hunt --resume {} goes on{FAINT:#}", self.folder.display()));
    }
}

/// The exit code: found, nothing found, nothing decided, or interrupted.
fn exit(answers: &BTreeMap<Answer, u64>, interrupted: bool) -> Exit {
    let any = |answer| answers.get(&answer).is_some_and(|count| *count > 0);
    let exit = if any(Answer::Invalid) {
        Exit::Invalid
    } else if any(Answer::Valid) {
        Exit::Valid
    } else {
        Exit::Unknown
    };
    if interrupted { exit.worse(Exit::Interrupted) } else { exit }
}
