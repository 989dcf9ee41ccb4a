//! `bench replay`: a violated run again and again, along its recorded schedule and, for comparison, without it.
//!
//! *Problem*: a violation that comes again in 1 of 20 runs cannot be debugged, and a fix of it cannot be tested.
//!
//! *Idea*: a replay has the same spec, seed and operations. Its faults begin and end at the recorded points of the run, its
//! clients invoke in the recorded order, and messages between nodes may wait for their recorded predecessors (see
//! `nemesis/src/schedule`). Threads inside the programs stay free, so the promise is a rate: replays and plain reruns are made
//! in turns and both rates are printed.
//!
//! What decides a violation is mostly what was open when a fault struck. So replays also hold requests, answers, messages or syncs around
//! it, and may leave the order of the operations free; a few replays choose (`tune.rs`), and the rate is that of replays after the choice.
//!
//! *Cost*: as many runs as were asked for, and those of the choice. Each event is held for one limit at most.

mod recorded;
mod tally;
mod tune;

pub(crate) use recorded::{Recorded, Source};
pub(crate) use tally::{Made, Tally};
pub(crate) use tune::{Tuning, Way};

use crate::failure::Failure;
use crate::hunt::Runner;
use crate::run::taped::FOLLOWED;
use nemesis::{Following, ReplayReport};
use report::Answer;
use std::fs;
use std::path::Path;

/// How many runs are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Replays.
    pub replays: u32,
    /// Plain reruns.
    pub plain: u32,
}

/// The folder of the last replay that was violated again, in the folder of results.
pub(crate) const KEPT: &str = "run";

/// Makes replays and plain reruns in turns; stops early when it is interrupted.
///
/// # Errors
/// When a run cannot be started at all.
pub(crate) async fn measure(
    recorded: &Recorded,
    following: &Following,
    times: Times,
    runner: &Runner<'_>,
) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    for turn in 0..times.replays.max(times.plain) {
        for replayed in [true, false] {
            let wanted = if replayed { times.replays } else { times.plain };
            if turn >= wanted || runner.is_interrupted() {
                continue;
            }
            runner.screen.live(tally.line());
            let made = one(recorded, replayed.then_some(following), turn, runner).await?;
            if runner.is_interrupted() {
                break;
            }
            runner.screen.line(&made.line(turn + 1));
            tally.add(made);
        }
    }
    Ok(tally)
}

/// Makes replays, at most `most`, until it is clear what they should hold.
///
/// # Errors
/// When a run cannot be started at all.
pub(crate) async fn tune(
    recorded: &Recorded,
    following: &Following,
    (tuning, most): (&mut Tuning, u32),
    runner: &Runner<'_>,
) -> Result<(), Failure> {
    // A run in which the bench fails counts as tried, so that this ends.
    for turn in 0..most {
        let Some(way) = tuning.next().filter(|_| !runner.is_interrupted()) else { return Ok(()) };
        runner.screen.live(format!("choosing what to hold: {way}, replay {} of at most {most}", turn + 1));
        let following = along(following, way);
        let made = one(recorded, Some(&following), turn, runner).await?;
        if runner.is_interrupted() {
            return Ok(());
        }
        runner.screen.line(&made.line_of_choice(way));
        tuning.add(way, made.again);
    }
    Ok(())
}

/// The same schedule, followed in this way.
pub(crate) fn along(following: &Following, way: Way) -> Following {
    Following { holding: way.holding, operations: way.ordered, ..following.clone() }
}

/// Makes one run; keeps the folder of a replay that was violated again.
async fn one(
    recorded: &Recorded,
    followed: Option<&Following>,
    turn: u32,
    runner: &Runner<'_>,
) -> Result<Made, Failure> {
    let name = format!("{}-{}", if followed.is_some() { "replay" } else { "plain" }, turn + 1);
    let attempt = runner.follow(&recorded.document, recorded.seed, &name, followed).await?;
    let report = followed.and_then(|_| read_report(&attempt.folder));
    let again = attempt.is_like(&recorded.class);
    let made = Made {
        replayed: followed.is_some(),
        answer: attempt.answer().word().to_owned(),
        failed: attempt.answer() == Answer::Failed,
        again,
        reason: attempt.reason(),
        report,
    };
    if made.failed {
        // Its output is worth a look.
        return Ok(made);
    }
    if again && made.replayed {
        let kept = runner.folder.join(KEPT);
        let _ = fs::remove_dir_all(&kept);
        fs::rename(&attempt.folder, &kept).map_err(|error| Failure::io(&kept, &error))?;
    } else {
        attempt.remove();
    }
    Ok(made)
}

/// How well the one variant of a run followed its schedule.
fn read_report(folder: &Path) -> Option<ReplayReport> {
    let variants = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let mut reports = variants.filter_map(|entry| fs::read(entry.path().join(FOLLOWED)).ok());
    reports.find_map(|text| serde_json::from_slice(&text).ok())
}
