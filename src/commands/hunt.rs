//! `bench hunt` and `bench shrink`.

use crate::cli::{Hunt as Arguments, Shrink as ShrinkArguments};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hunt::shrink::Shrink;
use crate::hunt::{Choices, Class, Hunt, HuntPlan, Limits, Runner, Subject, merge};
use crate::run::folder::{Latest, RunFolder};
use crate::run::{again, interrupt, lab};
use crate::sim::NETWORK;
use crate::spec::{Document, Wishes};
use crate::terminal::{FAINT, STRONG, Screen, human};
use jiff::Timestamp;
use nemesis::Kind;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a hunt goes on that has no limit.
const USUAL_TIME: Duration = Duration::from_secs(600);

/// Hunts, goes on with an earlier hunt, or joins several.
///
/// # Errors
/// When something cannot be run (exit code 2), or run after run fails (4).
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let screen = Screen::new(arguments.json);
    if !arguments.merge.is_empty() {
        return merge(&arguments.merge, &screen, arguments.json);
    }
    let resumed = match &arguments.resume {
        Some(folder) => Some((HuntPlan::read(folder)?, folder)),
        None => None,
    };
    let simulated = resumed.as_ref().map_or(arguments.sim, |(plan, _)| plan.simulated);
    let subject = if let Some((_, folder)) = &resumed {
        Subject::read(spec_in(folder)?, &Wishes { simulated, ..Wishes::default() })?
    } else {
        let wishes = Wishes { sets: &arguments.sets, only: &arguments.only, point: None, simulated };
        Subject::open(arguments.spec.as_deref().unwrap_or(Path::new("")), &wishes)?
    };
    let subject = subject.simulated(simulated);
    let images = [Kind::CrashImage.name().to_owned()];
    let asked = if arguments.crash_images { &images[..] } else { &arguments.faults };
    let named = resumed.as_ref().map_or(asked, |(plan, _)| &plan.faults);
    let choices = Choices::of(&subject, named)?;
    if !simulated && lab::is_needed(&subject.check(&[])?)? {
        return lab::enter();
    }
    let (plan, folder) = match resumed {
        Some((plan, folder)) => {
            (plan, fs::canonicalize(folder).map_err(|error| Failure::io(folder, &error))?)
        }
        None => begin(arguments, &subject, &choices)?,
    };
    screen.line(&format!("{STRONG}hunt{STRONG:#} {}, seed {}  {}", plan.spec, plan.seed, folder.display()));
    screen.line(&format!("{FAINT}faults: {}{FAINT:#}", choices.names().join(", ")));
    for (kind, reason) in choices.refused() {
        screen.line(&format!("{FAINT}not {kind}: {reason}{FAINT:#}"));
    }
    let limits = Limits {
        time: arguments.time.or((arguments.runs.is_none()).then_some(USUAL_TIME)),
        runs: arguments.runs,
        repeats: arguments.repeats,
        shrink: (arguments.shrink_for > Duration::ZERO).then_some(arguments.shrink_for),
    };
    let as_json = arguments.json;
    in_runtime(&screen, &folder, simulated, async |runner| {
        let hunt = Hunt {
            plan: &plan,
            subject: &subject,
            choices: &choices,
            folder: &folder,
            screen: &screen,
            as_json,
        };
        Box::pin(hunt.go(limits, &runner)).await
    })
}

/// Makes the folder of a new hunt, with what is needed to go on with it.
fn begin(
    arguments: &Arguments,
    subject: &Subject,
    choices: &Choices,
) -> Result<(HuntPlan, PathBuf), Failure> {
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let folder =
        RunFolder::create(arguments.out.as_deref(), "hunt", Timestamp::now(), seed, Latest::Left)?.path;
    let (shard, shards) = arguments.shard.unwrap_or((1, 1));
    let spec = arguments.spec.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
    let plan = HuntPlan {
        bench: env!("CARGO_PKG_VERSION").to_owned(),
        spec,
        seed,
        shard,
        shards,
        faults: choices.names().into_iter().map(str::to_owned).collect(),
        simulated: arguments.sim,
        search: arguments.search,
    };
    plan.write(&folder)?;
    let path = folder.join("spec.toml");
    fs::write(&path, subject.with(&[]).text).map_err(|error| Failure::io(&path, &error))?;
    Ok((plan, folder))
}

fn spec_in(folder: &Path) -> Result<Document, Failure> {
    let path = folder.join("spec.toml");
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::usage(path.display().to_string(), format!("cannot be read: {error}"))
            .help("name the folder of a hunt or of a run")
    })?;
    Ok(Document { name: path.display().to_string(), text })
}

/// Makes the violation of a run smaller.
///
/// # Errors
/// When the folder has no violated run (exit code 2), or the bench cannot do its work (4).
pub(crate) fn shrink(arguments: &ShrinkArguments) -> Result<Exit, Failure> {
    let shown = arguments.folder.display().to_string();
    let json = |name: &str| -> Result<Value, Failure> {
        let path = arguments.folder.join(name);
        let usage = |what: String| {
            Failure::usage(path.display().to_string(), what)
                .help("name the folder that a run wrote, for example results/latest")
        };
        let text = fs::read(&path).map_err(|error| usage(format!("cannot be read: {error}")))?;
        serde_json::from_slice(&text).map_err(|error| usage(error.to_string()))
    };
    let (plan, verdict) = (json("plan.json")?, json("verdict.json")?);
    let variants = || verdict["variants"].as_array().into_iter().flatten();
    let Some(violated) = variants().find(|variant| variant["answer"] == "invalid") else {
        return Err(Failure::usage(shown, "no promise was broken in this run")
            .help("name a run whose verdict is invalid"));
    };
    let name = violated["of"].as_str().or(violated["variant"].as_str()).unwrap_or_default().to_owned();
    let only = if name == crate::spec::ONLY_VARIANT { Vec::new() } else { vec![name] };
    let class = Class::of_json(violated)
        .ok_or_else(|| Failure::usage(shown, "its verdict names no violated check"))?;
    let simulated = plan["variants"][0]["network"] == NETWORK;
    let wishes = Wishes { only: &only, simulated, ..Wishes::default() };
    let subject = Subject::read(spec_in(&arguments.folder)?, &wishes)?.simulated(simulated);
    if !simulated && lab::is_needed(&subject.check(subject.faults())?)? {
        return lab::enter();
    }
    let seed = plan["seed"].as_u64().unwrap_or_default();
    let screen = Screen::new(false);
    let folder =
        RunFolder::create(arguments.out.as_deref(), "shrink", Timestamp::now(), seed, Latest::Left)?.path;
    screen.line(&format!("{STRONG}shrink{STRONG:#} {}  {}", class.as_str(), folder.display()));
    in_runtime(&screen, &folder, simulated, async |runner| {
        let document = subject.with(subject.faults());
        let share = runner.share(&document, seed, &class, arguments.repeats).await?;
        screen.line(&format!("  the same seed again: violated {share}"));
        if share.seen == 0 {
            let doubt = "it was not violated again, so nothing can be left out";
            screen.line(&format!("  {doubt}: raise --repeats, or the load of the spec"));
            return Ok(Exit::Unknown);
        }
        let begun = Instant::now();
        let shrink = Shrink { class: &class, seed, deadline: begun + arguments.time };
        let smaller = shrink.go(subject.table(subject.faults()), &runner, &screen).await?;
        let path = folder.join("spec.toml");
        fs::write(&path, &smaller.document.text).map_err(|error| Failure::io(&path, &error))?;
        if let Some(run) = &smaller.run {
            let to = folder.join("run");
            fs::rename(run, &to).map_err(|error| Failure::io(&to, &error))?;
        }
        let _ = fs::remove_dir_all(folder.join("smaller"));
        screen.clear();
        screen.line(&format!(
            "{STRONG}{} candidates{STRONG:#} in {}; the smallest was violated {} after {} operations",
            smaller.tried,
            human(begun.elapsed()),
            if smaller.run.is_some() { smaller.share } else { share },
            smaller.operations,
        ));
        let spec = again::quoted(&path.display().to_string());
        let (verb, seeds) = if simulated { ("sim", " --seeds 1") } else { ("run", "") };
        screen.line(&format!("  bench {verb} {spec} --seed {seed}{seeds}"));
        Ok(if runner.is_interrupted() { Exit::Invalid.worse(Exit::Interrupted) } else { Exit::Invalid })
    })
}

/// Starts a runtime that listens for interrupts, and makes runs in it.
fn in_runtime(
    screen: &Screen,
    folder: &Path,
    simulated: bool,
    work: impl AsyncFnOnce(Runner<'_>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::bench("runtime", format!("cannot be started: {error}")))?;
    runtime.block_on(async {
        let interrupt = interrupt::listen(screen)?;
        work(Runner { folder, screen, interrupt, simulated }).await
    })
}
