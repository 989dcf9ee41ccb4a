//! One run repeated with successive seeds: the number of failures, and the smallest failing run.

use super::folder::{Latest, RunFolder};
use super::{Destination, OutputStyle, again, interrupt, judge, lab, plan, variants};
use crate::ci::{Case, Results, State, Suite};
use crate::cli::RunOptions;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::spec::Loaded;
use crate::terminal::{BAD, DOUBT, FAINT, GOOD, STRONG, Screen};
use jiff::Timestamp;
use report::{Answer, RunVerdict};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// One of the runs.
#[derive(Debug)]
struct Repeat {
    number: u32,
    seed: u64,
    answer: Answer,
    sentence: String,
    operations: u64,
    /// Its folder; none if it was valid, because its folder is removed.
    folder: Option<PathBuf>,
    /// The command that repeats it, for a shell in its folder.
    again: String,
}

/// Runs every experiment of a spec this many times.
///
/// # Errors
/// When the bench could not do its work in the first run (exit code 4), or the options are wrong (2).
pub(crate) fn run(
    loaded: &Loaded,
    options: &RunOptions,
    times: u32,
    screen: &Screen,
    destination: Destination<'_>,
) -> Result<Exit, Failure> {
    super::refuse_unrecorded(loaded)?;
    destination.ci.check()?;
    if lab::is_needed(loaded)? {
        return lab::enter();
    }
    let first = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let started = Timestamp::now();
    let folder = RunFolder::create(options.out.as_deref(), &loaded.spec.name, started, first, Latest::Moved)?;
    let shown = folder.shown();
    let about = format!("{times} runs from seed {first}  {}", shown.display());
    screen.line(&format!("{STRONG}{}{STRONG:#}  {about}", loaded.spec.name));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::bench("runtime", format!("cannot be started: {error}")))?;
    let repeats = runtime.block_on(async {
        let interrupt = interrupt::listen(screen)?;
        let mut repeats = Vec::new();
        for number in 1..=times {
            screen.live(format!("run {number} of {times}, {}", counted(&repeats)));
            let seed = first.wrapping_add(u64::from(number) - 1);
            let repeat = once(loaded, options, number, seed, &folder, screen, &interrupt).await?;
            if interrupt.is_cancelled() {
                break;
            }
            tell(screen, &repeat, &shown);
            repeats.push(repeat);
        }
        Ok::<_, Failure>(repeats)
    })?;
    screen.clear();
    let mut exit = repeats.iter().fold(Exit::Valid, |exit, one| exit.worse(judge::exit_of(one.answer)));
    if repeats.len() < times as usize {
        exit = exit.worse(Exit::Interrupted);
    }
    conclude(screen, &repeats, times, &shown);
    destination.ci.write(|| results(loaded, &repeats, times, &shown, destination.spec, exit))?;
    if options.json {
        judge::print_value(&summary(loaded, &repeats, times, exit))?;
    }
    Ok(exit)
}

/// One run, without output. The folder of a valid run is removed.
async fn once(
    loaded: &Loaded,
    options: &RunOptions,
    number: u32,
    seed: u64,
    parent: &RunFolder,
    screen: &Screen,
    interrupt: &CancellationToken,
) -> Result<Repeat, Failure> {
    let mut decided = plan::decide(loaded, seed, Timestamp::now(), 1)?;
    decided.plan.again = again::of_run(loaded, &options.only, 1, seed);
    let again = decided.plan.again.clone();
    let folder = RunFolder::at(parent.path.join(format!("run-{number}")))?;
    folder.write_intent(&loaded.text, &decided.plan)?;
    let silent = screen.silent();
    let failure = variants(loaded, &decided, &folder, &silent, OutputStyle::Lines, interrupt, None).await?;
    match failure {
        // An error of the first run usually recurs in all others.
        Some(failure) if number == 1 => return Err(failure),
        _ => {}
    }
    let verdict = judge::judge_and_keep(&folder.path, |answer| answer != Answer::Valid)?;
    let valid = verdict.answer == Answer::Valid;
    if valid || interrupt.is_cancelled() {
        fs::remove_dir_all(&folder.path).map_err(|error| Failure::io(&folder.path, &error))?;
    }
    Ok(Repeat {
        number,
        seed,
        answer: verdict.answer,
        sentence: why(&verdict),
        operations: verdict.variants.iter().map(|variant| variant.summary.counts.all()).sum(),
        folder: (!valid).then(|| folder.shown()),
        again,
    })
}

/// The verdict in a sentence, with the reason of the first check that has its answer.
fn why(verdict: &RunVerdict) -> String {
    let checks = verdict.variants.iter().flat_map(|variant| &variant.checks);
    let reason = checks.into_iter().find(|check| check.answer == verdict.answer).map(|check| &check.reason);
    match reason {
        Some(reason) if verdict.answer != Answer::Valid => reason.clone(),
        Some(_) | None => verdict.sentence.clone(),
    }
}

fn count(repeats: &[Repeat], answer: Answer) -> usize {
    repeats.iter().filter(|one| one.answer == answer).count()
}

fn counted(repeats: &[Repeat]) -> String {
    format!("{} failed so far", count(repeats, Answer::Invalid))
}

fn tell(screen: &Screen, repeat: &Repeat, parent: &Path) {
    let style = match repeat.answer {
        Answer::Valid => return,
        Answer::Invalid => BAD,
        Answer::Unknown | Answer::Failed => DOUBT,
    };
    let Repeat { number, seed, answer, sentence, .. } = repeat;
    let folder = parent.join(format!("run-{number}"));
    screen.line(&format!(
        "run {number}  seed {seed}  {style}{}{style:#}  {sentence}  {FAINT}{}{FAINT:#}",
        answer.word(),
        folder.display()
    ));
}

/// The failing run with the fewest operations, which is the easiest to understand.
fn smallest(repeats: &[Repeat]) -> Option<&Repeat> {
    let failing = repeats.iter().filter(|one| one.answer == Answer::Invalid);
    failing.min_by_key(|one| (one.operations, one.number))
}

/// `failed 3 of 500`.
fn sentence(repeats: &[Repeat]) -> String {
    let [invalid, unknown, failed] =
        [Answer::Invalid, Answer::Unknown, Answer::Failed].map(|answer| count(repeats, answer));
    let mut sentence = format!("failed {invalid} of {}", repeats.len());
    for (number, what) in [(unknown, "proved nothing"), (failed, "could not be run")] {
        if number > 0 {
            // Writing to a text cannot fail.
            let _ = write!(sentence, "; {number} {what}");
        }
    }
    sentence
}

fn conclude(screen: &Screen, repeats: &[Repeat], times: u32, parent: &Path) {
    let invalid = count(repeats, Answer::Invalid) > 0;
    let doubtful = repeats.iter().any(|one| one.answer != Answer::Valid) || repeats.is_empty();
    let style = if invalid {
        BAD
    } else if doubtful {
        DOUBT
    } else {
        GOOD
    };
    screen.line("");
    screen.line(&format!("{style}{}{style:#}", sentence(repeats)));
    if repeats.len() < times as usize {
        screen.line(&format!("{DOUBT}Interrupted{DOUBT:#} after {} of {times} runs", repeats.len()));
    }
    if let Some(one) = smallest(repeats) {
        let folder = parent.join(format!("run-{}", one.number));
        screen.line(&format!("smallest failing run: {} operations, seed {}", one.operations, one.seed));
        screen.line(&format!("  {}", folder.join("report.html").display()));
        screen.line(&format!("  cd {}; {}", again::quoted(&folder.display().to_string()), one.again));
    }
}

fn one(repeat: &Repeat) -> Value {
    let Repeat { number, seed, answer, sentence, operations, folder, again } = repeat;
    let page = folder.as_ref().map(|folder| folder.join("report.html"));
    json!({
        "run": number, "seed": seed, "answer": answer.word(), "sentence": sentence, "operations": operations,
        "folder": folder, "page": page, "again": again,
    })
}

/// The result for programs.
fn summary(loaded: &Loaded, repeats: &[Repeat], times: u32, exit: Exit) -> Value {
    json!({
        "spec": loaded.spec.name,
        "sentence": sentence(repeats),
        "times": times,
        "runs": repeats.len(),
        "valid": count(repeats, Answer::Valid),
        "invalid": count(repeats, Answer::Invalid),
        "unknown": count(repeats, Answer::Unknown),
        "failed": count(repeats, Answer::Failed),
        "smallest": smallest(repeats).map(one),
        "not_valid": repeats.iter().filter(|one| one.answer != Answer::Valid).map(one).collect::<Vec<_>>(),
        "exit": exit.code(),
    })
}

/// A test case for each run.
fn results(
    loaded: &Loaded,
    repeats: &[Repeat],
    times: u32,
    parent: &Path,
    spec: Option<&Path>,
    exit: Exit,
) -> Results {
    let case = |repeat: &Repeat| Case {
        name: format!("run {} (seed {})", repeat.number, repeat.seed),
        check: "run".to_owned(),
        state: State::from(repeat.answer),
        reason: repeat.sentence.clone(),
        evidence: repeat
            .folder
            .iter()
            .flat_map(|folder| [folder.join("report.html").display().to_string(), repeat.again.clone()])
            .collect(),
    };
    let answer = match exit {
        Exit::Valid => Answer::Valid,
        Exit::Invalid => Answer::Invalid,
        Exit::Failed => Answer::Failed,
        Exit::Unknown | Exit::Usage | Exit::Interrupted => Answer::Unknown,
    };
    let file = spec.unwrap_or(Path::new("spec.toml")).display().to_string();
    let suite = Suite {
        name: loaded.spec.name.clone(),
        file,
        line: 1,
        seconds: 0.0,
        cases: repeats.iter().map(case).collect(),
        remarks: Vec::new(),
    };
    Results {
        name: loaded.spec.name.clone(),
        answer: answer.word().to_owned(),
        sentence: sentence(repeats),
        started: None,
        suites: vec![suite],
        properties: vec![
            ("times", times.to_string()),
            ("bench", env!("CARGO_PKG_VERSION").to_owned()),
            ("folder", parent.display().to_string()),
        ],
        figures: (Vec::new(), Vec::new()),
        exit: exit.code(),
    }
}
