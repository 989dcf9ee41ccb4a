//! `bench replay`.

use crate::cli::{Followed, Replay as Arguments};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hunt::Runner;
use crate::replay::{KEPT, Recorded, Source, Tally, Times, Tuning, Way, along, measure, tune};
use crate::run::folder::{Latest, RunFolder, write_json};
use crate::run::{interrupt, judge, lab};
use crate::sim::Simulation;
use crate::spec::Experiment;
use crate::terminal::{BAD, DOUBT, FAINT, GOOD, STRONG, Screen};
use jiff::Timestamp;
use nemesis::{DiskMode, Following, Holding, Mode};
use report::Answer;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Divergences that are printed; `replay.json` has all.
const SHOWN: usize = 5;

/// Replays a violated run, and says how often it was violated again.
///
/// # Errors
/// When the folder has no violated run or no schedule (exit code 2), or the bench cannot do its work (4).
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let source = Source::open(&arguments.folder)?;
    if source.is_simulated() {
        return exactly(arguments, &source);
    }
    let recorded = Recorded::open(&source)?;
    if lab::is_needed(&recorded.loaded)? {
        return lab::enter();
    }
    let in_lab = recorded.loaded.experiments.iter().any(|one| one.mode().is_ok_and(|mode| mode == Mode::Lab));
    let mut tuning = Tuning::new(ways(arguments, &recorded, in_lab)?);
    let screen = Screen::new(arguments.json);
    let out = arguments.out.as_deref();
    let folder = RunFolder::create(out, "replay", Timestamp::now(), recorded.seed, Latest::Left)?;
    screen.line(&format!(
        "{STRONG}replay{STRONG:#} {}  {}",
        recorded.class.as_str(),
        folder.shown().display()
    ));
    let following = following(arguments, &recorded, in_lab);
    screen.line(&format!("{FAINT}{}{FAINT:#}", what_follows(&recorded, &following, in_lab)));
    for doubt in &recorded.doubts {
        screen.line(&format!("{DOUBT}warning{DOUBT:#}: {doubt}"));
    }
    let plain = if arguments.no_plain { 0 } else { arguments.plain.unwrap_or(arguments.times) };
    let times = Times { replays: arguments.times, plain };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::bench("runtime", format!("cannot be started: {error}")))?;
    let (tally, interrupted) = runtime.block_on(async {
        let interrupt = interrupt::listen(&screen)?;
        let runner = Runner { folder: &folder.path, screen: &screen, interrupt, simulated: false };
        Box::pin(tune(&recorded, &following, (&mut tuning, arguments.tune), &runner)).await?;
        let following = along(&following, tuning.chosen());
        if tuning.made() > 0 {
            runner.screen.line(&tuning.line());
        }
        let tally = Box::pin(measure(&recorded, &following, times, &runner)).await?;
        Ok::<_, Failure>((tally, runner.is_interrupted()))
    })?;
    screen.clear();
    conclude(arguments, &source, (&tally, &tuning), &folder, &screen, interrupted)
}

/// The ways in which the run may be replayed.
fn ways(arguments: &Arguments, recorded: &Recorded, in_lab: bool) -> Result<Vec<Way>, Failure> {
    let ordered = follows(arguments, Followed::Operations);
    let holdings = holdings(arguments, recorded, in_lab)?;
    let mut ways: Vec<Way> = holdings.into_iter().map(|holding| Way { holding, ordered }).collect();
    if arguments.follow.is_empty() && arguments.hold.is_none() {
        ways.insert(1, Way { holding: Holding::Point, ordered: false });
    }
    Ok(ways)
}

/// Whether this follows the schedule, unless another way is chosen.
fn follows(arguments: &Arguments, what: Followed) -> bool {
    arguments.follow.contains(&what) || arguments.follow.is_empty() && what == Followed::Operations
}

/// What replays may hold until a fault strikes.
fn holdings(arguments: &Arguments, recorded: &Recorded, in_lab: bool) -> Result<Vec<Holding>, Failure> {
    let experiments = &recorded.loaded.experiments;
    let is_memory = |one: &Experiment| {
        one.mode()
            .is_ok_and(|mode| one.spec.cluster.disk.choose(mode).is_ok_and(|disk| disk == DiskMode::Memory))
    };
    let on_memory = in_lab && experiments.iter().any(is_memory);
    let Some(holding) = arguments.hold else {
        let has_faults = recorded.schedule.faults() > 0;
        let all = Holding::candidates(in_lab, on_memory);
        return Ok(if has_faults { all } else { vec![Holding::Point] });
    };
    let lacks = match holding {
        _ if holding.needs_messages() && !in_lab => Some("a run in a lab, which this was not"),
        Holding::Syncs(_) if !on_memory => Some("disks in memory, which this run did not have"),
        _ => None,
    };
    match lacks {
        None => Ok(vec![holding]),
        Some(lacks) => Err(Failure::usage("--hold", format!("`{holding}` needs {lacks}"))),
    }
}

/// What a replay follows.
fn following(arguments: &Arguments, recorded: &Recorded, in_lab: bool) -> Following {
    Following {
        schedule: Arc::new(recorded.schedule.clone()),
        operations: follows(arguments, Followed::Operations),
        messages: follows(arguments, Followed::Messages) && in_lab,
        holding: Holding::default(),
        limit: Duration::from_millis(arguments.limit),
    }
}

/// What follows the schedule, in a line.
fn what_follows(recorded: &Recorded, following: &Following, in_lab: bool) -> String {
    let schedule = &recorded.schedule;
    let mut parts = vec![format!("{} points of faults", schedule.faults())];
    if following.operations {
        parts.push(format!("{} turns of clients", schedule.turns()));
    }
    if following.messages {
        parts.push(format!("{} messages", schedule.messages()));
    }
    let line = format!("it follows {}", parts.join(", "));
    if in_lab {
        return line;
    }
    format!("{line}; messages are not counted, because the run was not in a lab")
}

/// Prints and writes what came of it.
fn conclude(
    arguments: &Arguments,
    source: &Source,
    (tally, tuning): (&Tally, &Tuning),
    folder: &RunFolder,
    screen: &Screen,
    interrupted: bool,
) -> Result<Exit, Failure> {
    let of = source.folder.display().to_string();
    let mut summary = tally.json(&of, source.class.as_str(), arguments.limit as f64);
    let Way { holding, ordered } = tuning.chosen();
    summary["hold"] = json!(holding.to_string());
    summary["ordered"] = json!(ordered);
    if tuning.made() > 0 {
        summary["choice"] = tuning.json();
    }
    write_json(&folder.path.join("replay.json"), &summary)?;
    let share = tally.share(true);
    let style = if share.seen > 0 { BAD } else { DOUBT };
    screen.line(&format!("{style}{}{style:#}", tally.line()));
    if let Some(intervals) = tally.intervals() {
        screen.line(&format!("  {FAINT}{intervals}{FAINT:#}"));
    }
    let divergences = tally.divergences();
    for line in divergences.iter().take(SHOWN) {
        screen.line(&format!("  {FAINT}diverged {line}{FAINT:#}"));
    }
    if divergences.len() > SHOWN {
        screen.line(&format!("  {FAINT}{} more in replay.json{FAINT:#}", divergences.len() - SHOWN));
    }
    if folder.path.join(KEPT).is_dir() {
        screen.line(&format!("  {}", folder.shown().join(KEPT).join("report.html").display()));
    }
    let exit = if share.seen > 0 { Exit::Invalid } else { Exit::Unknown };
    let exit = if interrupted { exit.worse(Exit::Interrupted) } else { exit };
    print_json(arguments, &folder.path, summary, exit)?;
    Ok(exit)
}

fn print_json(arguments: &Arguments, folder: &Path, mut summary: Value, exit: Exit) -> Result<(), Failure> {
    if !arguments.json {
        return Ok(());
    }
    summary["folder"] = json!(folder);
    summary["exit"] = json!(exit.code());
    judge::print_value(&summary)
}

/// Simulates a run again, which gives the same bytes.
fn exactly(arguments: &Arguments, source: &Source) -> Result<Exit, Failure> {
    let subject = source.subject()?;
    let loaded = subject.check(subject.faults())?;
    let screen = Screen::new(arguments.json);
    let seed = source.plan.seed;
    let out = arguments.out.as_deref();
    let folder = RunFolder::create(out, "replay", Timestamp::now(), seed, Latest::Left)?;
    screen.line(&format!("{STRONG}replay{STRONG:#} {}  {}", source.class.as_str(), folder.shown().display()));
    let kept = folder.path.join(KEPT);
    let verdict = Simulation::new(&loaded)?.run(seed, None)?.write(&loaded.text, &kept)?;
    let history = |folder: &Path| {
        let path = folder.join(&source.variant.name).join("history.jsonl");
        fs::read(&path).map_err(|error| Failure::io(&path, &error))
    };
    let same = history(&source.folder)? == history(&kept)?;
    let again = verdict.answer == Answer::Invalid;
    let words = match (again, same) {
        (true, true) => format!("{GOOD}violated again, with the same history byte for byte{GOOD:#}"),
        (true, false) => format!("{DOUBT}violated again, but with another history{DOUBT:#}"),
        (false, _) => format!("{DOUBT}not violated again{DOUBT:#}"),
    };
    screen.line(&format!(
        "{words}; a simulated run is replayed once, because the same seed gives the same run"
    ));
    if !same {
        screen.line("  the spec or this bench is not the one that made the run");
    }
    let exit = if again { Exit::Invalid } else { Exit::Unknown };
    let summary = json!({
        "bench": env!("CARGO_PKG_VERSION"), "run": source.folder, "class": source.class.as_str(), "exact": same,
        "replays": {"again": u32::from(again), "of": 1},
    });
    write_json(&folder.path.join("replay.json"), &summary)?;
    print_json(arguments, &folder.path, summary, exit)?;
    Ok(exit)
}
