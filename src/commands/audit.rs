//! `bench audit`.

use crate::audit::{self, Audit, Hunts, Means, Place, Processes, Score, name_of};
use crate::cli::Audit as Arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hunt::{Runner, Search};
use crate::run::folder::{Latest, RunFolder};
use crate::run::{interrupt, lab};
use crate::spec::{self, Document, Wishes};
use crate::terminal::{BAD, FAINT, GOOD, STRONG, Screen, human};
use jiff::Timestamp;
use node::flaw::Flaw;
use report::curves::wilson;
use std::path::Path;
use std::time::{Duration, Instant};

/// Searches for every flaw, and in the sound store.
///
/// # Errors
/// When a name is no flaw (exit code 2), or a run cannot be made (4).
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let flaws = chosen(&arguments.only)?;
    if arguments.time.is_some_and(|time| time.is_zero()) {
        return Err(Failure::usage("--for 0s", "there is no time for a run")
            .help("say how long new runs are started, for example --for 20m"));
    }
    let text = audit::spec_text()?;
    if arguments.real {
        let document = Document { name: audit::SPEC.to_owned(), text: text.clone() };
        if lab::is_needed(&spec::load(document, &Wishes::default())?)? {
            return lab::enter();
        }
    }
    let audit = Audit::new(arguments.seed, arguments.runs, !arguments.real)?;
    let screen = Screen::new(false);
    let started = Timestamp::now();
    let folder =
        RunFolder::create(arguments.out.as_deref(), "audit", started, arguments.seed, Latest::Left)?.path;
    let path = folder.join("spec.toml");
    std::fs::write(&path, text).map_err(|error| Failure::io(&path, &error))?;
    screen.line(&format!("{STRONG}audit{STRONG:#}, seed {}  {}", audit.seed, folder.display()));
    screen.line(&format!("{FAINT}faults: {}{FAINT:#}", audit.faults().join(", ")));
    let means = if arguments.real {
        Means::Processes(processes(&folder, &screen, arguments.time)?)
    } else {
        Means::Threads(threads(arguments.jobs))
    };
    let searched = Searched { audit: &audit, means, folder: &folder, screen: &screen };
    let Some(hunts) = arguments.hunts else {
        return searched.score(&flaws, arguments.search.first().copied().unwrap_or_default());
    };
    let usual = [Search::Random, Search::Guided];
    searched.compare(&flaws, if arguments.search.is_empty() { &usual } else { &arguments.search }, hunts)
}

/// The searches of this command.
struct Searched<'a> {
    audit: &'a Audit,
    means: Means<'a>,
    folder: &'a Path,
    screen: &'a Screen,
}

impl Searched<'_> {
    /// Counts the runs that broke a promise, for each flaw.
    fn score(&self, flaws: &[Option<Flaw>], search: Search) -> Result<Exit, Failure> {
        let Self { audit, means, folder, screen } = self;
        let place = if matches!(means, Means::Processes(_)) { Place::Real } else { Place::Simulated };
        let mut scores = Vec::new();
        for flaw in flaws {
            if means.is_interrupted() {
                break;
            }
            screen.live(format!("{}: {} runs", name_of(*flaw), audit.runs));
            let begun = Instant::now();
            let score = audit.score(*flaw, search, means)?;
            if score.runs == 0 {
                break;
            }
            tell(screen, &score, begun.elapsed());
            scores.push(score);
            // What there is can be read while the rest is made.
            audit::write(folder, place, audit.seed, &scores)?;
        }
        screen.clear();
        if !scores.is_empty() {
            screen.line(&format!("  {}", folder.join("audit.md").display()));
        }
        let alarms = scores.iter().any(|score| score.flaw.is_none() && score.detected > 0);
        Ok(self.exit(alarms))
    }

    /// Compares searches by the runs that they need.
    fn compare(&self, flaws: &[Option<Flaw>], searches: &[Search], hunts: u64) -> Result<Exit, Failure> {
        let Self { audit, means, folder, screen } = self;
        let mut all: Vec<Hunts> = Vec::new();
        for (flaw, search) in flaws.iter().flat_map(|flaw| searches.iter().map(move |search| (flaw, search)))
        {
            if means.is_interrupted() {
                break;
            }
            screen.live(format!("{}: {hunts} hunts, {}", name_of(*flaw), search.word()));
            let begun = Instant::now();
            let made = audit.hunts(*flaw, *search, hunts, means)?;
            if made.runs() == 0 {
                break;
            }
            screen.line(&format!(
                "{:<32} {:<8} {:>4} of {} hunts, {} runs, {} a detection, in {}",
                name_of(*flaw),
                search.word(),
                made.detected(),
                made.count(),
                made.runs(),
                made.runs_each().map_or("–".to_owned(), |runs| format!("{runs:.1}")),
                human(begun.elapsed()),
            ));
            all.push(made);
            // What there is can be read while the rest is made.
            audit::write_comparison(folder, &all)?;
        }
        screen.clear();
        for sentence in audit::sentences(&all) {
            screen.line(&sentence);
        }
        if !all.is_empty() {
            screen.line(&format!("  {}", folder.join("hunts.md").display()));
        }
        let alarms = all.iter().any(|hunts| hunts.flaw.is_none() && hunts.detected() > 0);
        Ok(self.exit(alarms))
    }

    fn exit(&self, alarms: bool) -> Exit {
        let exit = if alarms { Exit::Invalid } else { Exit::Valid };
        if self.means.is_interrupted() { exit.worse(Exit::Interrupted) } else { exit }
    }
}

/// The flaws that were named, `sound` for none; all where nothing was named.
fn chosen(only: &[String]) -> Result<Vec<Option<Flaw>>, Failure> {
    if only.is_empty() {
        return Ok([None].into_iter().chain(Flaw::ALL.map(Some)).collect());
    }
    let read = |name: &String| {
        if name == name_of(None) {
            return Ok(None);
        }
        name.parse()
            .map(Some)
            .map_err(|what: String| Failure::usage(format!("--only {}", only.join(",")), what))
    };
    only.iter().map(read).collect()
}

/// As many threads as were asked for, or as there are cores.
fn threads(jobs: Option<u32>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    jobs.map_or(cores, |jobs| jobs as usize)
}

/// What makes runs with real nodes.
fn processes<'a>(
    folder: &'a Path,
    screen: &'a Screen,
    time: Option<Duration>,
) -> Result<Processes<'a>, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::bench("runtime", format!("cannot be started: {error}")))?;
    let interrupt = runtime.block_on(async { interrupt::listen(screen) })?;
    Ok(Processes { runtime, runner: Runner { folder, screen, interrupt, simulated: false }, time })
}

/// A line for one search.
fn tell(screen: &Screen, score: &Score, time: Duration) {
    let (low, high) = wilson(score.detected, score.runs);
    let is_right = score.flaw.is_none() == (score.detected == 0);
    let style = if is_right { GOOD } else { BAD };
    let checks: Vec<_> = score.checks.iter().map(|(check, count)| format!("{check} {count}")).collect();
    screen.line(&format!(
        "{style}{:<32}{style:#} {:>5} of {} ({:.1} to {:.1} %), {} unknown, in {}  {FAINT}{}{FAINT:#}",
        name_of(score.flaw),
        score.detected,
        score.runs,
        low * 100.0,
        high * 100.0,
        score.unknown,
        human(time),
        checks.join(", ")
    ));
}
