//! A run: the plan, the folder, each variant in turn, the verdict, and the exit code.

pub(crate) mod again;
mod digests;
pub(crate) mod folder;
pub(crate) mod interrupt;
pub(crate) mod judge;
pub(crate) mod lab;
mod leader;
mod logs;
pub(crate) mod machine;
mod phases;
pub(crate) mod plan;
mod reserve;
mod restarts;
pub(crate) mod taped;
pub(crate) mod times;
mod variant;
mod watch;

use crate::ci::{CiFiles, Results};
use crate::cli::RunOptions;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::spec::Loaded;
use crate::systems::foreign;
use crate::terminal::{BAD, DOUBT, FAINT, STRONG, Screen, summary};
use folder::{Latest, RunFolder};
use jiff::Timestamp;
use nemesis::Following;
use report::{Answer, PictureOptions, RunVerdict};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;
use variant::VariantRun;

/// Progress output style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputStyle {
    /// A line per phase and fault.
    Lines,
    /// The story of a recovery in five phases.
    Story,
}

/// Further outputs of a run, and the file to which violations refer; the run's `spec.toml` if none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Destination<'a> {
    /// Files for other programs.
    pub ci: &'a CiFiles,
    /// The spec, if it is a file.
    pub spec: Option<&'a Path>,
    /// Options of pictures.
    pub pictures: PictureOptions,
}

/// The end of the variants.
struct Ended {
    interrupted: bool,
    failure: Option<Failure>,
}

/// Runs every experiment of a spec and judges them.
///
/// # Errors
/// When the bench failed (exit code 4); the recorded history is judged in any case.
pub(crate) fn run(
    loaded: &Loaded,
    options: &RunOptions,
    rounds: u32,
    screen: &Screen,
    style: OutputStyle,
    destination: Destination<'_>,
) -> Result<Exit, Failure> {
    refuse_unrecorded(loaded)?;
    destination.ci.check()?;
    if lab::is_needed(loaded)? {
        return lab::enter();
    }
    // Short enough for typing; JSON parsers read integers up to 53 bits exactly.
    let seed = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let started = Timestamp::now();
    let mut decided = plan::decide(loaded, seed, started, rounds)?;
    decided.plan.again = again::of_run(loaded, &options.only, rounds, seed);
    let folder = RunFolder::create(options.out.as_deref(), &loaded.spec.name, started, seed, Latest::Moved)?;
    for experiment in &loaded.experiments {
        foreign::check_user(&experiment.spec.cluster, &folder.path)?;
    }
    folder.write_intent(&loaded.text, &decided.plan)?;
    let shown = folder.shown();
    screen.line(&format!("{STRONG}{}{STRONG:#}  seed {seed}  {}", loaded.spec.name, shown.display()));
    if !loaded.spec.about.is_empty() {
        screen.line(&format!("{FAINT}{}{FAINT:#}", loaded.spec.about));
    }
    let here = loaded.experiments.iter().filter(|one| one.spec.cluster.hosts.is_empty());
    let networks: BTreeSet<_> = here.map(|one| one.spec.cluster.network).collect();
    for reason in networks.into_iter().filter_map(nemesis::Network::fallback) {
        screen.line(&format!("{DOUBT}no lab here, so network = \"proxy\"{DOUBT:#}: {reason}"));
    }
    if let Err(reason) = nemesis::nodes_are_guarded() {
        let warning = "a node that becomes a daemon may outlive this bench";
        screen.line(&format!("{DOUBT}{warning}{DOUBT:#}: {reason}"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::bench("runtime", format!("cannot be started: {error}")))?;
    let (failure, interrupt) = runtime.block_on(async {
        let interrupt = interrupt::listen(screen)?;
        let failure = variants(loaded, &decided, &folder, screen, style, &interrupt, None).await?;
        Ok::<_, Failure>((failure, interrupt))
    })?;
    screen.live("judging".to_owned());
    let judged = judge::judge_read_only(&folder.path, &destination.pictures);
    screen.clear();
    let (verdict, unwritten) = match (judged, failure.clone()) {
        (Ok(judged), _) => judged,
        // The earlier failure explains more: on a full disk the verdict cannot be written either.
        (Err(_), Some(failure)) => return Err(failure),
        (Err(error), None) => return Err(error),
    };
    let unwritten = unwritten.map(|reason| Failure::bench(folder.path.display().to_string(), reason));
    conclude(
        &verdict,
        // The interrupt may have arrived during the judgement.
        Ended { failure: failure.or(unwritten), interrupted: interrupt.is_cancelled() },
        &folder,
        options,
        screen,
        style,
        destination,
    )
}

/// Refuses a spec without a recorded history, which could not be judged.
fn refuse_unrecorded(loaded: &Loaded) -> Result<(), Failure> {
    let unrecorded = loaded.experiments.iter().find(|experiment| !experiment.spec.load.record);
    unrecorded.map_or(Ok(()), |experiment| {
        let reason = "without a recorded history there is no verdict";
        Err(experiment.complaint("load.record", reason).help("measure it with bench sweep"))
    })
}

/// Runs every experiment of a spec into this folder and checks it without output: a point of a sweep.
///
/// # Errors
/// When the bench failed.
pub(crate) async fn point(
    loaded: &Loaded,
    seed: u64,
    path: PathBuf,
    screen: &Screen,
    interrupt: &CancellationToken,
) -> Result<RunVerdict, Failure> {
    Box::pin(replay((loaded, seed), path, screen, interrupt, None, |_| true)).await
}

/// The same, and follows a recorded schedule if there is one. Reports are written where the answer makes the run worth keeping.
///
/// # Errors
/// As [`point`].
pub(crate) async fn replay(
    (loaded, seed): (&Loaded, u64),
    path: PathBuf,
    screen: &Screen,
    interrupt: &CancellationToken,
    followed: Option<&Following>,
    is_kept: fn(Answer) -> bool,
) -> Result<RunVerdict, Failure> {
    let decided = plan::decide(loaded, seed, Timestamp::now(), 1)?;
    let folder = RunFolder::at(path)?;
    folder.write_intent(&loaded.text, &decided.plan)?;
    let failure =
        variants(loaded, &decided, &folder, &screen.silent(), OutputStyle::Lines, interrupt, followed)
            .await?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    screen.live("judging".to_owned());
    judge::judge_and_keep(&folder.path, is_kept)
}

/// Runs the variants in sequence, until one fails or the run is interrupted.
///
/// The history of a failed variant is judged too, so its failure is no error here.
async fn variants(
    loaded: &Loaded,
    decided: &plan::Decided,
    folder: &RunFolder,
    screen: &Screen,
    style: OutputStyle,
    interrupt: &CancellationToken,
    followed: Option<&Following>,
) -> Result<Option<Failure>, Failure> {
    let rounds = loaded.experiments.iter().cycle().zip(&decided.plan.variants).zip(&decided.faults);
    for ((experiment, plan), faults) in rounds {
        if decided.plan.variants.len() > 1 {
            let round = plan.round.map_or_else(String::new, |round| format!(", round {round}"));
            screen.line(&format!("{STRONG}{}{STRONG:#}{round}", experiment.variant));
        }
        if let Some(route) = &plan.route {
            screen.line(&format!("{FAINT}route of the clients: {route}{FAINT:#}"));
        }
        let run = VariantRun {
            experiment,
            plan,
            faults,
            header: decided.header(plan),
            folder: folder.variant(&plan.name)?,
            screen,
            halt: interrupt.child_token(),
            style,
            followed,
        };
        if let Err(failure) = run.run().await {
            return Ok(Some(failure));
        }
        if interrupt.is_cancelled() {
            break;
        }
    }
    Ok(None)
}

/// Prints the verdict and returns the exit code.
fn conclude(
    verdict: &RunVerdict,
    ended: Ended,
    folder: &RunFolder,
    options: &RunOptions,
    screen: &Screen,
    style: OutputStyle,
    destination: Destination<'_>,
) -> Result<Exit, Failure> {
    let ran = verdict.variants.iter().any(|variant| variant.summary.counts.all() > 0);
    if ran || ended.failure.is_none() {
        summary::print(screen, verdict, &folder.shown());
    }
    if style == OutputStyle::Story && ran {
        proof(screen, verdict);
    }
    let mut exit = judge::exit_of(verdict.answer);
    if let Some(failure) = &ended.failure {
        exit = exit.worse(failure.exit);
    }
    if ended.interrupted {
        screen.line(&format!(
            "{DOUBT}Interrupted.{DOUBT:#} The results up to then are in {}",
            folder.shown().display()
        ));
        exit = exit.worse(Exit::Interrupted);
    }
    let own = folder.path.join("spec.toml");
    let spec = destination.spec.unwrap_or(&own);
    let failure = ended.failure.as_ref();
    destination.ci.write(|| Results::of_run(verdict, spec, &folder.shown(), failure, exit.code()))?;
    if options.json {
        judge::print_json(verdict, &folder.path, exit)?;
    }
    if let Some(failure) = ended.failure {
        failure.print();
    }
    Ok(exit)
}

/// Prints the two checks that prove a recovery, also if they are valid.
fn proof(screen: &Screen, verdict: &RunVerdict) {
    screen.line("");
    screen.line(&format!("{STRONG}The proof{STRONG:#}"));
    for variant in &verdict.variants {
        for check in variant
            .checks
            .iter()
            .filter(|check| ["linearizable", "transactions", "elements", "agreement"].contains(&check.name))
        {
            let style = summary::style(check.answer);
            screen.line(&format!(
                "  {style}{}{style:#}  {}: {}",
                check.answer.word(),
                check.name,
                check.reason
            ));
        }
    }
    if verdict.answer == Answer::Invalid {
        screen.line(&format!("  {BAD}The evidence is above and in verdict.json.{BAD:#}"));
    }
}
