//! `bench sim` and `bench cause`.

use crate::cli::{Cause as CauseArguments, Sim as Arguments};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::again::quoted;
use crate::run::folder::{Latest, RunFolder};
use crate::run::judge;
use crate::sim::{Many, NETWORK, Simulation, Summary, cause, scale as scaling};
use crate::spec::{self, Loaded, Wishes, source};
use crate::terminal::{BAD, DOUBT, FAINT, GOOD, STRONG, Screen, human};
use jiff::Timestamp;
use report::Answer;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// Simulates a spec with many seeds, and writes the run of the first that broke a promise.
///
/// # Errors
/// When the spec cannot be simulated (exit code 2), or files cannot be written (4).
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.scale {
        return scale(arguments);
    }
    let path = arguments.spec.as_deref().unwrap_or(Path::new(""));
    let wishes = Wishes { sets: &arguments.sets, only: &arguments.only, point: None, simulated: true };
    let loaded = spec::load(source::open(path)?, &wishes)?;
    let simulation = Simulation::new(&loaded)?;
    let screen = Screen::new(arguments.json);
    let many = Many { first: arguments.seed, runs: arguments.seeds, threads: threads(arguments.jobs) };
    let begun = Instant::now();
    let summary = many.run(&simulation, |done| screen.live(format!("{done} of {} seeds", many.runs)))?;
    screen.clear();
    let time = begun.elapsed();
    screen.line(&format!("{STRONG}{}{STRONG:#}  {}", loaded.spec.name, counts(&summary, many.runs)));
    screen.line(&format!(
        "{FAINT}{} operations in {}, {:.0} runs a second; hash {}{FAINT:#}",
        grouped(summary.operations),
        human(time),
        many.runs as f64 / time.as_secs_f64().max(1e-9),
        summary.hash
    ));
    let all = summary.spent.iter().sum::<Duration>().as_secs_f64().max(1e-9);
    let [simulating, hashing, judging] = summary.spent.map(|time| 100.0 * time.as_secs_f64() / all);
    screen.line(&format!(
        "{FAINT}simulating took {simulating:.0} %, hashing {hashing:.0} %, judging {judging:.0} %{FAINT:#}"
    ));
    for (answer, noted) in &summary.first {
        let style = if *answer == Answer::Invalid { BAD } else { DOUBT };
        screen.line(&format!("{style}seed {}{style:#}: {}: {}", noted.seed, answer.word(), noted.reason));
        screen.line(&format!("  {}", command(path, arguments, noted.seed)));
    }
    let folder = match summary.first.get(&Answer::Invalid) {
        Some(noted) => Some(write(arguments, &loaded, &simulation, noted.seed, &screen)?),
        None => None,
    };
    let exit = [Answer::Invalid, Answer::Valid].into_iter().find(|answer| summary.count(*answer) > 0);
    let exit = judge::exit_of(exit.unwrap_or(Answer::Unknown));
    if arguments.json {
        let answers: serde_json::Map<_, _> =
            summary.answers.iter().map(|(answer, count)| (answer.word().to_owned(), json!(count))).collect();
        let first = summary.first.get(&Answer::Invalid).map(|noted| noted.seed);
        judge::print_value(&json!({
            "spec": loaded.spec.name, "seeds": many.runs, "first-seed": many.first, "answers": answers,
            "first-invalid": first, "operations": summary.operations, "hash": summary.hash, "folder": folder,
            "exit": exit.code(),
        }))?;
    }
    Ok(exit)
}

/// Measures how the protocol scales.
fn scale(arguments: &Arguments) -> Result<Exit, Failure> {
    let screen = Screen::new(false);
    let out = arguments.out.as_deref();
    let folder = RunFolder::create(out, "scale", Timestamp::now(), arguments.seed, Latest::Left)?;
    let tell = |done, all| screen.live(format!("{done} of {all} settings"));
    scaling::run(&folder.path, arguments.seed, threads(arguments.jobs), tell)?;
    screen.clear();
    for name in ["scale.csv", "scale-acceptors.png", "scale-leaders.png"] {
        screen.line(&format!("  {}", folder.shown().join(name).display()));
    }
    Ok(Exit::Valid)
}

/// As many threads as were asked for, or as there are cores.
fn threads(jobs: Option<u32>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    jobs.map_or(cores, |jobs| jobs as usize)
}

/// The numbers of seeds by their answers: `1,000 seeds: 990 valid, 10 unknown`.
fn counts(summary: &Summary, runs: u64) -> String {
    let word = |answer: Answer| {
        let count = summary.count(answer);
        let style = match answer {
            Answer::Valid => GOOD,
            Answer::Invalid => BAD,
            Answer::Unknown | Answer::Failed => DOUBT,
        };
        (count > 0).then(|| format!("{style}{} {}{style:#}", grouped(count), answer.word()))
    };
    let words =
        [Answer::Valid, Answer::Invalid, Answer::Unknown, Answer::Failed].into_iter().filter_map(word);
    format!(
        "{} seed{}: {}",
        grouped(runs),
        if runs == 1 { "" } else { "s" },
        words.collect::<Vec<_>>().join(", ")
    )
}

/// The command that simulates one seed again.
fn command(path: &Path, arguments: &Arguments, seed: u64) -> String {
    let mut command = format!("bench sim {} --seed {seed} --seeds 1", quoted(&path.display().to_string()));
    for (option, values) in [("--set", &arguments.sets), ("--only", &arguments.only)] {
        for value in values {
            command = format!("{command} {option} {}", quoted(value));
        }
    }
    command
}

/// Simulates a seed again and writes its files; returns their folder.
fn write(
    arguments: &Arguments,
    loaded: &Loaded,
    simulation: &Simulation<'_>,
    seed: u64,
    screen: &Screen,
) -> Result<String, Failure> {
    let name = format!("{}-sim", loaded.spec.name);
    let folder = RunFolder::create(arguments.out.as_deref(), &name, Timestamp::now(), seed, Latest::Moved)?;
    simulation.run(seed, None)?.write(&loaded.text, &folder.path)?;
    screen.line(&format!("  {}", folder.shown().join("report.html").display()));
    Ok(folder.path.display().to_string())
}

/// A number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Says when a simulated run was decided.
///
/// # Errors
/// When the folder has no violated simulated run (exit code 2), or files cannot be written (4).
pub(crate) fn cause(arguments: &CauseArguments) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let shown = folder.display().to_string();
    let plan = report::Plan::read(folder).map_err(|error| {
        Failure::usage(&shown, error.to_string()).help("name the folder that `bench sim` wrote")
    })?;
    if plan.variants.iter().any(|variant| variant.network != NETWORK) {
        return Err(Failure::usage(&shown, "this run was not simulated, so it cannot be repeated exactly")
            .help("name the folder that `bench sim` wrote"));
    }
    let path = folder.join("spec.toml");
    let only: Vec<String> = plan.variants.iter().map(|variant| variant.name.clone()).collect();
    let only = if only == [spec::ONLY_VARIANT] { Vec::new() } else { only };
    let loaded =
        spec::load(source::open(&path)?, &Wishes { only: &only, simulated: true, ..Wishes::default() })?;
    let simulation = Simulation::new(&loaded)?;
    let screen = Screen::new(false);
    let run = simulation.run(plan.seed, None)?;
    let (start, end, faults) = (run.load_start(), run.length(), run.faults());
    if run.judge()?.answer != Answer::Invalid {
        return Err(Failure::usage(&shown, "no promise is broken when this run is simulated again")
            .help("name a run whose verdict is invalid, made by this version of bench"));
    }
    let step = end.saturating_sub(start) / arguments.moments;
    let at: Vec<_> = (0..=arguments.moments).map(|index| start + step * index).collect();
    let threads = threads(None);
    screen.live(format!("{} runs from each of {} moments", arguments.runs, at.len()));
    let moments = cause::moments(&simulation, plan.seed, &at, arguments.runs, threads)?;
    screen.clear();
    let out = arguments.out.as_deref().unwrap_or(folder);
    std::fs::create_dir_all(out).map_err(|error| Failure::io(out, &error))?;
    cause::write(out, (&plan.spec, plan.seed), (start, &faults), &moments)?;
    if out == folder {
        // The page of the run shows the curve.
        judge::judge(folder)?;
    }
    if let Some((before, after, rise)) = cause::jump(&moments).filter(|(.., rise)| *rise > 0.0) {
        let seconds = |moment: cause::Moment| moment.at.saturating_sub(start).as_secs_f64();
        screen.line(&format!(
            "between {:.3} s and {:.3} s of the load the share of runs that break the promise rose by {:.0} points, to {} of {}",
            seconds(before),
            seconds(after),
            rise * 100.0,
            after.seen,
            after.of
        ));
    }
    screen.line(&format!("  {}", out.join("cause.png").display()));
    Ok(Exit::Invalid)
}
